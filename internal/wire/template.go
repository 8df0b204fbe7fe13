package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/chatprobe/chatprobe/internal/source"
)

// A template says what a JSON value is. It is one of: an object, of which the
// named keys count and others are allowed; an array; a text with parameters in
// it; a parameter that stands for any value; or a number, true, false or null.
type template struct {
	keys    []string // of an object, in the order written
	items   []*template
	pattern *pattern // of a text
	param   string   // that stands for the whole value
	literal any      // a json.Number, bool or nil
	kind    templateKind
}

type templateKind int

const (
	objectTemplate templateKind = iota
	arrayTemplate
	textTemplate
	paramTemplate
	literalTemplate
)

// Raw is a JSON value that is no text, such as a number, as it stands on the
// wire. As a parameter it is sent without quotes.
type Raw string

// bindTemplate reads a template.
func (b *binder) bindTemplate(n source.Node) *template {
	t := &template{}
	switch {
	case n.IsMap():
		for _, p := range n.Pairs(b.errs) {
			t.keys = append(t.keys, p.Key.Raw())
			t.items = append(t.items, b.bindTemplate(p.Value))
		}
		return t
	case n.IsList():
		t.kind = arrayTemplate
		for _, item := range n.Items() {
			t.items = append(t.items, b.bindTemplate(item))
		}
		return t
	}
	text := n.Raw()
	if value, ok := literalJSON(text); ok && !n.IsQuoted() || n.IsNull() {
		t.kind, t.literal = literalTemplate, value
		return t
	}
	t.kind = textTemplate
	var err error
	t.pattern, err = parsePattern(text, false, func(text string, inRegex bool) string {
		return b.fill(text, n.Pos(), inRegex)
	})
	switch {
	case err != nil:
		b.errs.Add(n.Pos(), "%v", err)
		t.pattern = &pattern{}
	case !t.pattern.isRegex() && len(t.pattern.parts) == 1 && t.pattern.parts[0].param != "":
		t.kind, t.param = paramTemplate, t.pattern.parts[0].param
	}
	return t
}

// literalJSON is a number, true, false or null.
func literalJSON(text string) (any, bool) {
	switch text {
	case "true", "yes":
		return true, true
	case "false", "no":
		return false, true
	case "null":
		return nil, true
	}
	if text == "" || text[0] != '-' && (text[0] < '0' || text[0] > '9') || !json.Valid([]byte(text)) {
		return nil, false
	}
	return json.Number(text), true
}

// params adds the parameters of t to names.
func (t *template) params(names []string) []string {
	switch t.kind {
	case textTemplate:
		names = append(names, t.pattern.params()...)
	case paramTemplate:
		names = append(names, t.param)
	}
	for _, item := range t.items {
		names = item.params(names)
	}
	return names
}

func (t *template) takesWhole(param string) bool {
	return t.kind == paramTemplate && t.param == param ||
		slices.ContainsFunc(t.items, func(i *template) bool { return i.takesWhole(param) })
}

func (t *template) hasRegex() bool { return t.firstRegex() != "" }

// firstRegex is an expression in t, or empty.
func (t *template) firstRegex() string {
	if t.kind == textTemplate {
		return t.pattern.regex
	}
	for _, item := range t.items {
		if r := item.firstRegex(); r != "" {
			return r
		}
	}
	return ""
}

// match says whether a decoded value fits under args, and adds what args
// leaves open to found, which may be nil.
func (t *template) match(value any, args, found Args) bool {
	switch t.kind {
	case objectTemplate:
		object, ok := value.(map[string]any)
		if !ok {
			return false
		}
		for i, key := range t.keys {
			if v, ok := object[key]; !ok || !t.items[i].match(v, args, found) {
				return false
			}
		}
		return true
	case arrayTemplate:
		array, ok := value.([]any)
		if !ok || len(array) != len(t.items) {
			return false
		}
		for i, item := range t.items {
			if !item.match(array[i], args, found) {
				return false
			}
		}
		return true
	case textTemplate:
		text, ok := value.(string)
		return ok && t.pattern.match([]byte(text), args, found)
	case paramTemplate:
		got := plainJSON(value)
		want, given := args[t.param]
		if !given {
			if found != nil {
				found[t.param] = got
			}
			return true
		}
		return sameValue(want, got)
	}
	return value == t.literal
}

// plainJSON is a decoded value as a parameter has it: a text, a list, or Raw.
func plainJSON(value any) any {
	switch v := value.(type) {
	case string:
		return v
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = plainJSON(item)
		}
		return list
	}
	b, err := json.Marshal(value)
	if err != nil {
		return Raw("null")
	}
	return Raw(b)
}

// append writes the value for args.
func (t *template) append(b []byte, args Args) ([]byte, error) {
	var err error
	switch t.kind {
	case objectTemplate:
		b = append(b, '{')
		for i, key := range t.keys {
			b = append(appendText(comma(b, i), key), ':')
			if b, err = t.items[i].append(b, args); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	case arrayTemplate:
		b = append(b, '[')
		for i, item := range t.items {
			if b, err = item.append(comma(b, i), args); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case textTemplate:
		text, err := t.pattern.fill(args)
		return appendText(b, text), err
	case paramTemplate:
		v, ok := args[t.param]
		if !ok {
			return nil, fmt.Errorf("the parameter %q has no value", t.param)
		}
		return appendAny(b, v), nil
	}
	return appendAny(b, plainJSON(t.literal)), nil
}

func comma(b []byte, i int) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	return b
}

func appendAny(b []byte, v any) []byte {
	switch v := v.(type) {
	case Raw:
		return append(b, v...)
	case []any:
		b = append(b, '[')
		for i, item := range v {
			b = appendAny(comma(b, i), item)
		}
		return append(b, ']')
	}
	return appendText(b, fmt.Sprint(v))
}

// appendText writes a JSON string. Bytes that are no UTF-8 stay as they are,
// so that a scenario can send them; < > & are not escaped.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < ' ':
			b = fmt.Appendf(b, `\u%04x`, c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// parseJSON reads one JSON value that is all of b.
func parseJSON(b []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil, err
	}
	if rest := strings.TrimSpace(string(b[d.InputOffset():])); rest != "" {
		return nil, fmt.Errorf("%s follows the value", strconv.Quote(rest[:min(len(rest), 20)]))
	}
	return value, nil
}

// sameValue compares a parameter that was given with one that was found; lists
// in any order.
func sameValue(want, got any) bool {
	switch want := want.(type) {
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return false
		}
		rest := slices.Clone(list)
		for _, w := range want {
			i := slices.IndexFunc(rest, func(g any) bool { return sameValue(w, g) })
			if i < 0 {
				return false
			}
			rest = slices.Delete(rest, i, i+1)
		}
		return true
	}
	if _, isList := got.([]any); isList {
		return false
	}
	return fmt.Sprint(want) == fmt.Sprint(got)
}
