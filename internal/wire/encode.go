package wire

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/chatprobe/chatprobe/internal/source"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

// Encode builds a message. Lengths and counts are computed. set overrides
// fields by name, lengths included, to build messages that are wrong on
// purpose; it may be nil.
func (c *Codec) Encode(m *Message, args Args, set Args) ([]byte, error) {
	if err := m.CanSend(); err != nil {
		return nil, err
	}
	e := encoder{message: m, args: args, set: set}
	values := make([]any, len(m.Shape.Fields))
	for i, f := range m.Shape.Fields {
		v, err := e.value(f)
		if err != nil {
			return nil, fmt.Errorf("build %s: %w", m.Name, err)
		}
		values[i] = v
	}
	b, err := e.append(nil, m.Shape.Fields, values)
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", m.Name, err)
	}
	return b, nil
}

// CheckSet says whether name is a field of m that a step may override with
// value, or what is wrong.
func (m *Message) CheckSet(name, value string) error {
	i := slices.IndexFunc(m.Shape.Fields, func(f *Field) bool { return f.Name == name })
	if i < 0 {
		var names []string
		for _, f := range m.Shape.Fields {
			names = append(names, f.Name)
		}
		return unknown(source.DidYouMean(name, names), "%s has no field %q", m.Name, name)
	}
	switch f := m.Shape.Fields[i]; {
	case f.Type == List:
		return fmt.Errorf("%s is a list: give it as a parameter", name)
	case f.Type.width() > 0:
		_, err := f.number(value)
		return err
	}
	return nil
}

type encoder struct {
	message *Message
	args    Args
	set     Args
}

// value is what a field of the shape itself holds: a string or a list. Nil
// stands for a length that is still to be computed.
func (e *encoder) value(f *Field) (any, error) {
	if v, ok := e.set[f.Name]; ok {
		return v, nil
	}
	if c := e.message.condition(f); c != nil {
		return c.pattern.fill(e.args)
	}
	switch {
	case f.HasConstant:
		return strconv.FormatUint(f.Constant, 10), nil
	case f.Measures != nil:
		return nil, nil
	}
	if v, ok := e.args[f.Name]; ok {
		return v, nil
	}
	return nil, fmt.Errorf("the parameter %q has no value", f.Name)
}

func (e *encoder) append(b []byte, fields []*Field, values []any) ([]byte, error) {
	for i, f := range fields {
		var err error
		switch {
		case f.Type == List:
			b, err = e.appendList(b, f, values[i])
		case f.Type.width() > 0:
			b, err = e.appendNumber(b, f, fields, values)
		default:
			text, ok := values[i].(string)
			if !ok {
				return nil, fmt.Errorf("%s must be a text", f.Name)
			}
			if f.SizeFrom == nil && f.Size != len(text) {
				return nil, fmt.Errorf("%s is %d bytes long and must be %d", f.Name, len(text), f.Size)
			}
			b = append(b, text...)
		}
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (e *encoder) appendNumber(b []byte, f *Field, fields []*Field, values []any) ([]byte, error) {
	var n uint64
	own := values[slices.Index(fields, f)]
	switch v := own.(type) {
	case string:
		var err error
		if n, err = f.number(v); err != nil {
			return nil, err
		}
	case nil:
		switch measured := values[slices.Index(fields, f.Measures)].(type) {
		case string:
			n = uint64(len(measured))
		case []any:
			n = uint64(len(measured))
		}
		if n > f.Type.largest() {
			unit := "bytes long"
			if f.Measures.Type == List {
				unit = "entries long"
			}
			return nil, fmt.Errorf("%s is %d %s and %s, a %s, ends at %d",
				f.Measures.Name, n, unit, f.Name, f.Type, f.Type.largest())
		}
	default:
		return nil, fmt.Errorf("%s must be a number", f.Name)
	}
	for i := range f.Type.width() {
		shift := 8 * (f.Type.width() - 1 - i)
		if f.Little {
			shift = 8 * i
		}
		b = append(b, byte(n>>shift))
	}
	return b, nil
}

// appendList writes the entries of a list. An entry with one open field is
// given as that field's value.
func (e *encoder) appendList(b []byte, f *Field, value any) ([]byte, error) {
	list, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf("%s must be a list", f.Name)
	}
	if f.SizeFrom == nil && f.Size != len(list) {
		return nil, fmt.Errorf("%s has %d entries and must have %d", f.Name, len(list), f.Size)
	}
	for _, item := range list {
		values := make([]any, len(f.Entries))
		for i, entry := range f.Entries {
			switch {
			case entry.HasConstant:
				values[i] = strconv.FormatUint(entry.Constant, 10)
			case entry.Measures == nil:
				values[i] = item
			}
		}
		var err error
		if b, err = e.append(b, f.Entries, values); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// textLimit is how much of a long text a transcript keeps.
const textLimit = 200

// Transcript is f as a record, under the name of m, which may be nil.
func (f *Frame) Transcript(m *Message, from Side) *transcript.Message {
	t := &transcript.Message{From: string(from), Bytes: transcript.NewBody(f.Raw)}
	if m != nil {
		t.Name = m.Name
	}
	for i := range f.Values {
		t.Fields = append(t.Fields, f.record(&f.Values[i]))
	}
	return t
}

func (f *Frame) record(v *Value) transcript.Field {
	r := transcript.Field{Name: v.Field.Name, Start: v.Start, Size: v.Size}
	switch {
	case v.Field.Type == List:
		list, _ := f.plain(v).([]any)
		for i, item := range list {
			if s, ok := item.(string); ok {
				list[i] = transcript.Printable([]byte(s))
			}
		}
		r.Value = list
	case v.Field.Type.width() > 0:
		r.Value = v.Number
		if name := v.Field.show(v.Number); name != strconv.FormatUint(v.Number, 10) {
			r.Note = name
		}
	default:
		text := f.text(v)
		if len(text) > textLimit {
			r.Note = fmt.Sprintf("%d bytes, cut here", len(text))
			text = text[:textLimit]
		}
		r.Value = transcript.Printable(text)
	}
	return r
}

func quoteShort(s string) string {
	const limit = 60
	if len(s) <= limit {
		return `"` + transcript.Printable([]byte(s)) + `"`
	}
	return fmt.Sprintf(`"%s…" (%d bytes)`, transcript.Printable([]byte(s[:limit/2])), len(s))
}

func quoteList(list []any) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = quoteShort(fmt.Sprint(v))
	}
	return strings.Join(parts, " and ")
}

// Example is how a message with exactly these parameters looks on the wire.
// Unlike Encode it takes messages of either side, and fails where a parameter
// is open or the text is described by a regular expression.
func (c *Codec) Example(m *Message, args Args) ([]byte, error) {
	twin := *m
	twin.From = Client
	return c.Encode(&twin, args, nil)
}
