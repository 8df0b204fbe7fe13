package source

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// A Node is a value in a YAML file that knows its place. The zero Node stands
// for a value that is not there; every method works on it.
type Node struct {
	file *File
	yaml *yaml.Node
	// overlaid are the entries of a mapping that is laid over another one.
	overlaid []Pair
}

// A Pair is a key of a mapping and its value.
type Pair struct {
	Key   Node
	Value Node
}

// IsZero tells a value that is not there.
func (n Node) IsZero() bool { return n.yaml == nil }

// IsNull tells a value that is empty or null.
func (n Node) IsNull() bool {
	return n.yaml == nil || n.yaml.Kind == yaml.ScalarNode && n.yaml.Tag == "!!null"
}

// IsMap tells a mapping.
func (n Node) IsMap() bool { return n.yaml != nil && n.yaml.Kind == yaml.MappingNode }

// IsList tells a sequence.
func (n Node) IsList() bool { return n.yaml != nil && n.yaml.Kind == yaml.SequenceNode }

// IsScalar tells a single value that is not null.
func (n Node) IsScalar() bool {
	return n.yaml != nil && n.yaml.Kind == yaml.ScalarNode && !n.IsNull()
}

// IsQuoted tells a scalar in quotes or a block: a number or a word in quotes
// is meant as text.
func (n Node) IsQuoted() bool {
	return n.yaml != nil && n.yaml.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
}

// Pos is where the value begins.
func (n Node) Pos() Pos {
	if n.yaml == nil {
		return Pos{File: n.file}
	}
	width := 1
	if n.yaml.Kind == yaml.ScalarNode {
		width = max(1, utf8.RuneCountInString(n.yaml.Value))
		if strings.Contains(n.yaml.Value, "\n") {
			width = 1
		}
		if n.yaml.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
			width += 2
		}
	}
	return Pos{File: n.file, Line: n.yaml.Line, Col: n.yaml.Column, width: width}
}

// Raw is a scalar as it stands after YAML's quoting was taken off; empty for
// anything else.
func (n Node) Raw() string {
	if n.yaml == nil || n.yaml.Kind != yaml.ScalarNode {
		return ""
	}
	return n.yaml.Value
}

// Flow writes a value on one line, as it could stand in a file.
func (n Node) Flow() string {
	switch {
	case n.IsMap():
		var parts []string
		for _, p := range n.pairs() {
			if p.Value.IsNull() {
				parts = append(parts, p.Key.Flow())
				continue
			}
			parts = append(parts, p.Key.Flow()+": "+p.Value.Flow())
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case n.IsList():
		var parts []string
		for _, c := range n.yaml.Content {
			parts = append(parts, n.inside(c).Flow())
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case n.IsNull():
		return ""
	}
	text := n.yaml.Value
	if n.IsQuoted() && (text == "" || strings.ContainsAny(text, ",{}[]\n\t: ")) {
		return strconv.Quote(text)
	}
	return text
}

func (n Node) pairs() []Pair {
	if n.overlaid != nil {
		return slices.Clone(n.overlaid)
	}
	var pairs []Pair
	for i := 0; i+1 < len(n.yaml.Content); i += 2 {
		pairs = append(pairs, Pair{n.inside(n.yaml.Content[i]), n.inside(n.yaml.Content[i+1])})
	}
	return pairs
}

// inside is a value in n.
func (n Node) inside(value *yaml.Node) Node { return Node{file: n.file, yaml: value} }

// Pairs are the entries of a mapping in the order written; anything else is
// an error. A value that is not there has none.
func (n Node) Pairs(errs *Errors) []Pair {
	if n.IsNull() {
		return nil
	}
	if !n.IsMap() {
		errs.Add(n.Pos(), "expected names with values, such as {name: value}, and not %s", n.describe())
		return nil
	}
	pairs := n.pairs()
	return slices.DeleteFunc(pairs, func(p Pair) bool {
		if p.Key.IsScalar() {
			return false
		}
		errs.Add(p.Key.Pos(), "a key must be a single word")
		return true
	})
}

// Keys are the entries of a mapping by name. A key that is not among known is
// an error that says which was probably meant.
func (n Node) Keys(errs *Errors, known ...string) map[string]Node {
	m := map[string]Node{}
	for _, p := range n.Pairs(errs) {
		key := p.Key.Raw()
		if !slices.Contains(known, key) {
			errs.Add(p.Key.Pos(), "unknown key %q", key).Hint = DidYouMean(key, known)
			continue
		}
		m[key] = p.Value
	}
	return m
}

// Items are the entries of a list; a single value counts as a list of one.
func (n Node) Items() []Node {
	if n.IsNull() {
		return nil
	}
	if !n.IsList() {
		return []Node{n}
	}
	items := make([]Node, len(n.yaml.Content))
	for i, c := range n.yaml.Content {
		items[i] = n.inside(c)
	}
	return items
}

func (n Node) describe() string {
	switch {
	case n.IsNull():
		return "nothing"
	case n.IsMap():
		return "a mapping"
	case n.IsList():
		return "a list"
	}
	return strconv.Quote(n.yaml.Value)
}

// Text is a scalar as text; a list or a mapping is an error. A value that is
// not there is the empty text.
func (n Node) Text(errs *Errors) string {
	if n.IsNull() {
		return ""
	}
	if !n.IsScalar() {
		errs.Add(n.Pos(), "expected a text and not %s", n.describe())
		return ""
	}
	return n.yaml.Value
}

// Texts is a list of texts; a single text counts as a list of one.
func (n Node) Texts(errs *Errors) []string {
	var texts []string
	for _, item := range n.Items() {
		texts = append(texts, item.Text(errs))
	}
	return texts
}

// Int is a whole number between low and high; hexadecimal with 0x.
func (n Node) Int(errs *Errors, low, high int) int {
	// A number that begins with 0 is octal to some and decimal to others.
	digits := strings.TrimPrefix(n.Raw(), "-")
	octal := len(digits) > 1 && digits[0] == '0' && digits[1] != 'x'
	i, err := strconv.ParseInt(n.Raw(), 0, 64)
	if err != nil || octal || !n.IsScalar() {
		errs.Add(n.Pos(), "expected a whole number and not %s", n.describe())
		return low
	}
	if i < int64(low) || i > int64(high) {
		errs.Add(n.Pos(), "%d is not between %d and %d", i, low, high)
		return low
	}
	return int(i)
}

// Bool is yes, no, true or false.
func (n Node) Bool(errs *Errors) bool {
	switch n.Raw() {
	case "yes", "true":
		return true
	case "no", "false":
		return false
	}
	errs.Add(n.Pos(), "expected yes or no and not %s", n.describe())
	return false
}

// Duration is a time such as 500ms or 2s.
func (n Node) Duration(errs *Errors) time.Duration {
	d, err := time.ParseDuration(n.Raw())
	if err != nil || d < 0 {
		errs.Add(n.Pos(), "expected a time such as 500ms or 2s and not %s", n.describe())
		return 0
	}
	return d
}

// Overlay lays the entries of one mapping over those of another, which may be
// of another file: a key that both have is joined by join, or is that of over
// if join is nil. An entry of over that is null takes the key away.
func Overlay(under, over Node, join func(key string, under, over Node) Node) Node {
	if !under.IsMap() || !over.IsMap() {
		return over
	}
	all := Node{file: over.file, yaml: over.yaml, overlaid: under.pairs()}
	for _, p := range over.pairs() {
		i := slices.IndexFunc(all.overlaid, func(o Pair) bool { return o.Key.Raw() == p.Key.Raw() })
		switch {
		case i < 0:
			all.overlaid = append(all.overlaid, p)
		case p.Value.IsNull():
			all.overlaid = slices.Delete(all.overlaid, i, i+1)
		case join != nil:
			all.overlaid[i] = Pair{p.Key, join(p.Key.Raw(), all.overlaid[i].Value, p.Value)}
		default:
			all.overlaid[i] = p
		}
	}
	return all
}

// Has says whether a mapping has an entry of that name.
func (n Node) Has(key string) bool {
	return n.IsMap() && slices.ContainsFunc(n.pairs(), func(p Pair) bool { return p.Key.Raw() == key })
}

// Without is a mapping less the entries of these names.
func (n Node) Without(keys ...string) Node {
	if !n.IsMap() {
		return n
	}
	n.overlaid = slices.DeleteFunc(n.pairs(), func(p Pair) bool { return slices.Contains(keys, p.Key.Raw()) })
	return n
}

// Get is the entry of a mapping of that name, or the zero Node.
func (n Node) Get(key string) Node {
	if !n.IsMap() {
		return Node{}
	}
	for _, p := range n.pairs() {
		if p.Key.Raw() == key {
			return p.Value
		}
	}
	return Node{}
}
