package dissector

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/chatprobe/chatprobe/internal/wire"
)

// side is what one side sends.
func (r *registry) side(l *wire.Layout) (table, error) {
	index := map[*wire.Shape]int{}
	shapes := table{}
	for i, s := range l.Shapes {
		index[s] = i + 1
		shapes = append(shapes, pair{"", r.shape(s.Fields, "")})
	}
	messages, parted, idle := table{}, table{}, table{}
	for _, m := range l.Messages {
		t, err := r.message(m, index)
		if err != nil {
			return nil, fmt.Errorf("message %s: %w", m.Name, err)
		}
		switch {
		case len(m.Parts) > 0:
			parted = append(parted, pair{"", t})
		case m.Idle:
			for _, w := range m.Where {
				if text := literalText(w[0].Pattern); text != "" {
					idle = append(idle, pair{"", table{{"text", text}, {"shape", index[m.Shape]}}})
				}
			}
			fallthrough
		default:
			messages = append(messages, pair{"", t})
		}
	}
	return table{
		{"framing", r.framing(l.Framing)}, {"idle", idle}, {"shapes", shapes}, {"messages", messages}, {"parted", parted},
	}, nil
}

// literalText is what a pattern without parameters is as a whole, or empty.
func literalText(p *wire.Pattern) string {
	if p == nil || p.Regex != nil {
		return ""
	}
	text := ""
	for _, part := range p.Parts {
		if part.Param != "" {
			return ""
		}
		text += part.Literal
	}
	return text
}

func (r *registry) framing(f wire.Framing) table {
	t := table{{"kind", f.Kind}}
	t.set("sought", f.Sought)
	t.set("any_cr", f.AnyCR)
	t.set("whole", f.Whole)
	if f.Length != nil {
		t = append(t, pair{"length", r.describeField(f.Length, nil, "")})
	}
	return t
}

func (r *registry) shape(fields []*wire.Field, under string) table {
	return list(fields, func(f *wire.Field) any { return r.describeField(f, fields, under) })
}

// numberWidth is how many bytes the numbers of fixed size have.
var numberWidth = map[wire.Type]int{wire.U8: 1, wire.U16: 2, wire.U24: 3, wire.U32: 4, wire.U64: 8, wire.CRC16: 2, wire.CRC32: 4}

// describeField is one field. earlier are those that it stands among.
func (r *registry) describeField(f *wire.Field, earlier []*wire.Field, under string) table {
	_, isNumber := numberWidth[f.Type]
	isNumber = isNumber || f.Type == wire.Varint || f.Type == wire.Digits
	t := table{{"name", f.Name}, {"type", f.Type.String()}, {"hf", r.field(f, under)}}
	if width := numberWidth[f.Type]; width > 0 {
		t = append(t, pair{"width", width})
	}
	t.set("little", f.Little)
	switch {
	case f.SizeFrom != nil:
		t = append(t, pair{"size_from", slices.Index(earlier, f.SizeFrom) + 1})
	case len(f.Terminator) > 0:
		t = append(t, pair{"terminator", string(f.Terminator)})
	case f.Rest:
		t = append(t, pair{"rest", true})
	case f.Size > 0:
		t = append(t, pair{"size", f.Size})
	}
	switch {
	case f.HasConstant && isNumber:
		t = append(t, pair{"constant", number(f.Constant)})
	case f.HasConstant:
		t = append(t, pair{"constant", f.ConstantText})
	}
	t.set("value", !f.HasConstant && f.Measures == nil && earlier != nil && f.Type != wire.CRC16 && f.Type != wire.CRC32)
	if len(f.Enum) > 0 {
		var names table
		for _, e := range f.Enum {
			if !slices.ContainsFunc(names, func(p pair) bool { return p.key == number(e.Number) }) {
				names = append(names, pair{number(e.Number), e.Name}) // the first name counts
			}
		}
		t = append(t, pair{"enum", names})
	}
	if f.Type == wire.List {
		t = append(t, pair{"fields", r.shape(f.Entries, under+f.Name+".")})
	}
	return t
}

// number is a number in decimal digits: not all of 64 bits are numbers in Lua.
func number(n uint64) string { return strconv.FormatUint(n, 10) }

func (r *registry) message(m *wire.MessageLayout, index map[*wire.Shape]int) (table, error) {
	t := table{{"name", m.Name}}
	if i := index[m.Shape]; i > 0 {
		t = append(t, pair{"shape", i})
	}
	t.set("first", m.First)
	t.set("catch_all", m.IsCatchAll())
	t.set("regex", hasRegex(m))
	described := map[*wire.Field]bool{}
	for _, c := range m.Where[0] {
		described[c.Field] = true
	}
	var open table
	for i, f := range m.Shape.Fields {
		if !described[f] && !f.HasConstant && f.Measures == nil && f.Type != wire.CRC16 && f.Type != wire.CRC32 {
			open = append(open, pair{"", i + 1})
		}
	}
	t = append(t, pair{"open", open})
	for _, alternatives := range []struct {
		name string
		list [][]wire.Condition
	}{{"where", m.Where}, {"except", m.Except}} {
		all := table{}
		for _, w := range alternatives.list {
			conditions := table{}
			for i := range w {
				c, err := r.condition(&w[i], m.Shape)
				if err != nil {
					return nil, err
				}
				conditions = append(conditions, pair{"", c})
			}
			all = append(all, pair{"", conditions})
		}
		t = append(t, pair{alternatives.name, all})
	}
	if len(m.Parts) > 0 {
		parts := table{}
		for _, p := range m.Parts {
			part, err := r.message(p, index)
			if err != nil {
				return nil, err
			}
			parts = append(parts, pair{"", part})
		}
		t = append(t, pair{"parts", parts})
	}
	return t, nil
}

// hasRegex says that a message is described by a regular expression.
func hasRegex(m *wire.MessageLayout) bool {
	for _, w := range m.Where {
		if slices.ContainsFunc(w, func(c wire.Condition) bool {
			return c.Pattern != nil && c.Pattern.Regex != nil || templateHasRegex(c.Template)
		}) {
			return true
		}
	}
	return slices.ContainsFunc(m.Parts, hasRegex)
}

func templateHasRegex(t *wire.Template) bool {
	return t != nil && (t.Pattern != nil && t.Pattern.Regex != nil || slices.ContainsFunc(t.Items, templateHasRegex))
}

func (r *registry) condition(c *wire.Condition, s *wire.Shape) (table, error) {
	t := table{{"field", slices.Index(s.Fields, c.Field) + 1}}
	if c.Fixed {
		return append(t, pair{"number", number(c.Number)}), nil
	}
	if c.Template != nil {
		template, err := r.template(c.Template)
		return append(t, pair{"template", template}), err
	}
	pattern, err := r.pattern(c.Pattern)
	return append(t, pair{"pattern", pattern}), err
}

func (r *registry) pattern(p *wire.Pattern) (table, error) {
	if p.Regex != nil {
		return r.program(p.Regex)
	}
	return table{{"parts", list(p.Parts, func(p wire.PatternPart) any {
		if p.Param == "" {
			return table{{"text", p.Literal}}
		}
		t := table{{"param", p.Param}, {"hf", r.param(p.Param)}}
		t.set("rest", p.Rest)
		return t
	})}}, nil
}

func (r *registry) template(t *wire.Template) (table, error) {
	switch t.Kind {
	case "param":
		return table{{"param", t.Param}, {"hf", r.param(t.Param)}}, nil
	case "text":
		p, err := r.pattern(t.Pattern)
		return table{{"pattern", p}}, err
	case "literal":
		if n, ok := t.Literal.(json.Number); ok {
			return table{{"t", "number"}, {"v", n.String()}}, nil
		}
		if t.Literal == nil {
			return table{{"t", "word"}, {"v", "null"}}, nil
		}
		return table{{"t", "word"}, {"v", fmt.Sprint(t.Literal)}}, nil
	}
	items := table{}
	for i, item := range t.Items {
		inner, err := r.template(item)
		if err != nil {
			return nil, err
		}
		if t.Kind == "object" {
			inner = table{{"", t.Keys[i]}, {"", inner}}
		}
		items = append(items, pair{"", inner})
	}
	if t.Kind == "object" {
		return table{{"members", items}}, nil
	}
	return table{{"items", items}}, nil
}
