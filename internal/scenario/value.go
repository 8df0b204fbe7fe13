package scenario

import (
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/chatprobe/chatprobe/internal/source"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// A Value is something written in a scenario that has its final form only
// while it is played: text with references in it, a list, or a repetition.
type Value struct {
	parts []Ref
	list  []Value
	// Bind is the name under which what is received here is remembered.
	Bind string

	repeat *Value // repeat it
	times  *Value // so many times

	row []Value // one behind the other

	isJSON bool // written as a number, true, false or null
	raw    bool // and sent as one
}

// RefKind says what a reference stands for.
type RefKind int

// The kinds of references.
const (
	Literal    RefKind = iota // Name is the text itself
	ClientName                // the name of Client on the wire
	ClientIP                  // the address of Client's end of its connection
	ClientPort                // and its port
	Setting                   // the value of the setting Name
	Variable                  // what was bound as ?Name
	SelfName                  // in a fence or a procedure: whoever acts
	TokenText                 // in a fence: the token
	ServerPort                // the port that the target listens on
)

// A Ref is one piece of a Value.
type Ref struct {
	Kind   RefKind
	Name   string
	Client *Client
}

// maxText bounds what {repeat, times} may build.
const maxText = 64 << 20

// Expand gives the value its final form: a string, or a []any of strings.
// lookup is asked for everything but literals.
func (v Value) Expand(lookup func(Ref) (string, error)) (any, error) {
	if v.list != nil {
		list := make([]any, len(v.list))
		for i, item := range v.list {
			var err error
			if list[i], err = item.Expand(lookup); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	text, err := v.Text(lookup)
	if v.raw && err == nil {
		return wire.Raw(text), nil
	}
	return text, err
}

// Text is Expand for a value that is no list.
func (v Value) Text(lookup func(Ref) (string, error)) (string, error) {
	if v.repeat != nil {
		unit, err := v.repeat.Text(lookup)
		if err != nil {
			return "", err
		}
		times, err := v.times.Int(lookup)
		if err != nil {
			return "", err
		}
		if times < 0 || len(unit) > 0 && times > maxText/len(unit) {
			return "", fmt.Errorf("%d times %d bytes is more than is ever sent", times, len(unit))
		}
		return strings.Repeat(unit, times), nil
	}
	var b strings.Builder
	for _, item := range v.row {
		text, err := item.Text(lookup)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	for _, r := range v.parts {
		if r.Kind == Literal {
			b.WriteString(r.Name)
			continue
		}
		text, err := lookup(r)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// Alone is the reference that v consists of, if it is nothing else.
func (v Value) Alone() (Ref, bool) {
	if len(v.parts) != 1 || v.list != nil || v.repeat != nil || v.row != nil {
		return Ref{}, false
	}
	return v.parts[0], true
}

// Int is Text as a whole number.
func (v Value) Int(lookup func(Ref) (string, error)) (int, error) {
	text, err := v.Text(lookup)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a whole number", text)
	}
	return n, nil
}

// literal is a Value that is just text.
func literal(text string) Value { return Value{parts: []Ref{{Kind: Literal, Name: text}}} }

var (
	refSyntax  = regexp.MustCompile(`\$(\$|[A-Za-z_][A-Za-z0-9_]*(-[A-Za-z0-9_]+)*(\.(ip|port)\b)?)`)
	jsonSyntax = regexp.MustCompile(`^(-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?|true|false|null)$`)
	bindSyntax = regexp.MustCompile(`^\?[A-Za-z_][A-Za-z0-9_]*$`)
)

// value reads a value. expected says that it is compared and not sent: then
// ?x may stand for it.
func (l *loader) value(n source.Node, expected bool) Value {
	switch {
	case n.IsList():
		v := Value{list: []Value{}}
		for _, item := range n.Items() {
			v.list = append(v.list, l.value(item, expected))
		}
		return v
	case n.IsMap():
		return l.builtValue(n)
	}
	text := n.Raw()
	if bindSyntax.MatchString(text) && !n.IsQuoted() {
		if !expected {
			l.errs.Add(n.Pos(), "%s remembers what is received; here something is sent", text).Hint = "use $" + text[1:]
		}
		l.bound[text[1:]] = true
		return Value{Bind: text[1:]}
	}
	return Value{parts: l.refs(text, n.Pos()), isJSON: jsonSyntax.MatchString(text)}
}

// builtValue reads {repeat: x, times: n} and {bytes: 'ff fe'}.
func (l *loader) builtValue(n source.Node) Value {
	before := l.errs.Len()
	keys := n.Keys(l.errs, "repeat", "times", "bytes")
	if b := keys["bytes"]; !b.IsZero() && len(keys) == 1 {
		return literal(string(l.hex(b)))
	}
	if l.errs.Len() > before {
		return literal("")
	}
	if keys["repeat"].IsZero() || keys["repeat"].IsList() || keys["times"].IsNull() || len(keys) > 2 {
		l.errs.Add(n.Pos(), "a value is a text, a list, {repeat: x, times: 100} or {bytes: 'ff fe'}")
		return literal("")
	}
	unit, times := l.value(keys["repeat"], false), l.number(keys["times"], 0)
	v := Value{repeat: &unit, times: &times}
	if l.errs.Len() == before {
		l.tryValue(n, v, func(string) error { return nil })
	}
	return v
}

func (l *loader) hex(n source.Node) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(n.Text(l.errs)), ""))
	if err != nil {
		l.errs.Add(n.Pos(), "bytes are written as pairs of hexadecimal digits, such as '00 05 ff'")
	}
	return b
}

// number reads a whole number from least on, which may come from a setting.
func (l *loader) number(n source.Node, least int) Value {
	if !n.IsScalar() {
		l.errs.Add(n.Pos(), "expected a whole number")
		return literal("0")
	}
	before := l.errs.Len()
	v := l.value(n, false)
	if l.errs.Len() > before {
		return v
	}
	l.tryValue(n, v, func(text string) error {
		i, err := strconv.Atoi(text)
		switch {
		case errors.Is(err, strconv.ErrRange) || i > maxText:
			return fmt.Errorf("%s is too large: at most %d", text, maxText)
		case err != nil || text[0] == '+':
			return fmt.Errorf("expected a whole number and not %q", text)
		case i < least:
			return fmt.Errorf("%s is too small: at least %d", text, least)
		}
		return nil
	})
	return v
}

// tryValue checks a value as it is under the default settings. What is known
// only while the scenario is played cannot be checked.
func (l *loader) tryValue(n source.Node, v Value, check func(string) error) {
	if v.Bind != "" || v.refersTo(Variable) || v.refersTo(TokenText) {
		return
	}
	text, err := v.Text(l.trialLookup)
	if err == nil {
		err = check(text)
	}
	if err != nil {
		l.errs.Add(n.Pos(), "%v", err)
	}
}

// refersTo says whether a reference of this kind is anywhere in v.
func (v Value) refersTo(kind RefKind) bool {
	in := func(v Value) bool { return v.refersTo(kind) }
	return slices.ContainsFunc(v.parts, func(r Ref) bool { return r.Kind == kind }) ||
		slices.ContainsFunc(v.list, in) || slices.ContainsFunc(v.row, in) || v.repeat != nil && (in(*v.repeat) || in(*v.times))
}

// trialLookup stands for a real play when a file is checked.
func (l *loader) trialLookup(r Ref) (string, error) {
	switch r.Kind {
	case ClientName:
		return r.Client.Name, nil
	case Setting:
		return l.suite.Protocol.Setting(r.Name).Default, nil
	case ClientIP:
		return "127.0.0.1", nil
	case ClientPort, ServerPort:
		return "4445", nil
	}
	return "x", nil
}

// refs splits a text at its references.
func (l *loader) refs(text string, pos source.Pos) []Ref {
	var refs []Ref
	at := 0
	for _, m := range refSyntax.FindAllStringSubmatchIndex(text, -1) {
		if m[0] > at {
			refs = append(refs, Ref{Kind: Literal, Name: text[at:m[0]]})
		}
		at = m[1]
		name := text[m[2]:m[3]]
		if name == "$" {
			refs = append(refs, Ref{Kind: Literal, Name: "$"})
			continue
		}
		if r, ok := l.ref(name); ok {
			refs = append(refs, r)
			continue
		}
		// $hello.port and $alice-bob may also be a name and then a text.
		if r, n, ok := l.stem(name); ok {
			refs = append(refs, r)
			at -= len(name) - n
			continue
		}
		l.errs.Add(pos, "there is nothing called $%s", name).Hint = source.DidYouMean(name, l.refNames())
	}
	if at < len(text) {
		refs = append(refs, Ref{Kind: Literal, Name: text[at:]})
	}
	return refs
}

// stem is the longest beginning of name that means something, and its length.
func (l *loader) stem(name string) (Ref, int, bool) {
	for end := strings.LastIndexAny(name, ".-"); end > 0; end = strings.LastIndexAny(name[:end], ".-") {
		if r, ok := l.ref(name[:end]); ok {
			return r, end, true
		}
	}
	return Ref{}, 0, false
}

func (l *loader) ref(name string) (Ref, bool) {
	if text, ok := l.each[name]; ok {
		l.used[name] = true
		return Ref{Kind: Literal, Name: text}, true
	}
	switch {
	case name == "self" && l.inProtocol:
		return Ref{Kind: SelfName}, true
	case name == "token" && l.inProtocol:
		return Ref{Kind: TokenText}, true
	case name == "server.port":
		return Ref{Kind: ServerPort}, true
	}
	stem, field, _ := strings.Cut(name, ".")
	if c := l.client(stem); c != nil && (field == "" || field == "ip" || field == "port") {
		kind := map[string]RefKind{"": ClientName, "ip": ClientIP, "port": ClientPort}[field]
		return Ref{Kind: kind, Client: c}, true
	}
	if l.suite.Protocol.Setting(name) != nil {
		return Ref{Kind: Setting, Name: name}, true
	}
	if l.bound[name] {
		return Ref{Kind: Variable, Name: name}, true
	}
	return Ref{}, false
}

func (l *loader) refNames() []string {
	names := append(l.suite.Protocol.SettingNames(), "server.port")
	for name := range l.each {
		names = append(names, name)
	}
	for name := range l.bound {
		names = append(names, name)
	}
	if l.inProtocol {
		names = append(names, "self", "token")
	}
	if l.scenario != nil {
		for _, c := range l.scenario.Clients {
			names = append(names, c.Name)
		}
	}
	return names
}
