package wire

import (
	"slices"
	"strconv"
)

// Alter is f, which the given side sent, as it would stand on the wire if some
// of its fields held something else. change is given each field that holds a
// text, bytes or a list, and what it holds (a string as it stands on the wire,
// or a []any), and returns what it is to hold. Lengths, counts and checksums
// follow; set overrides fields by name, as in [Codec.Encode].
//
// A message in parts, and what is no message, cannot be altered: it is
// returned as it is.
func (c *Codec) Alter(f *Frame, from Side, change func(*Field, any) any, set Args) ([]byte, error) {
	if f.Shape == nil || len(f.parts) > 0 {
		return f.Raw, nil
	}
	e := encoder{set: set}
	values := make([]any, len(f.Shape.Fields))
	for i, field := range f.Shape.Fields {
		v := f.value(field)
		given, isSet := set[field.Name]
		switch {
		case isSet:
			values[i] = given
		case field.Measures != nil, field.Type.isSum():
		case field.Type.isNumber():
			values[i] = strconv.FormatUint(v.Number, 10)
		case field.HasConstant:
			values[i] = field.ConstantText
		case field.Type == List, field.Type == IP:
			values[i] = change(field, f.plain(v))
		default:
			values[i] = change(field, string(f.Raw[v.Start:v.Start+v.Size]))
		}
	}
	body, err := e.append(nil, f.Shape.Fields, values)
	if err != nil || f.isIdle(c, from) {
		return body, err
	}
	return c.of(from).framing.wrap(body, set)
}

// isIdle says that f is a message without an end of its own.
func (f *Frame) isIdle(c *Codec, from Side) bool {
	return slices.ContainsFunc(c.of(from).idle, func(m *Message) bool { return m.Shape == f.Shape })
}

// FieldOf is the field in which a parameter stands, or nil where the first
// alternative of the message does not have it.
func (m *Message) FieldOf(param string) *Field {
	for _, f := range m.Shape.Fields {
		if f.Name == param && m.isOpen(f) {
			return f
		}
		if c := m.condition(f); c != nil && slices.Contains(c.params(), param) {
			return f
		}
	}
	return nil
}

// Lengths are the numbers of a message that say how long something else is, the
// one in front of it included.
func (m *Message) Lengths() []*Field {
	var list []*Field
	if m.header != nil {
		list = append(list, m.header)
	}
	for _, f := range m.Shape.Fields {
		if f.Measures != nil {
			list = append(list, f)
		}
	}
	return list
}

// IsInteger says that the type is a number of a fixed width in binary, for
// which the order of bytes matters from two bytes on.
func (t Type) IsInteger() bool { return t.isNumber() && !t.isSum() && t.width() > 0 }
