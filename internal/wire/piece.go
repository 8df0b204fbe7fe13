package wire

import "slices"

// A Piece is what [Frame.Transcript] shows as one field, not yet made into
// anything that lasts: Text belongs to the frame.
type Piece struct {
	Name   string
	Text   []byte // of what is no number, in UTF-8 if that is what it is meant to be
	Number uint64
	Note   string // the name of a number that has one
	// IsNumber says that the piece is Number and not Text.
	IsNumber bool
}

// IsPlain says that what [Frame.Pieces] gives of such a message is what stands
// in its Values, one by one: numbers without names, and texts as they are.
func (m *Message) IsPlain() bool {
	for _, f := range m.Shape.Fields {
		switch {
		case f.Type.isNumber() && len(f.Enum) == 0:
		case f.Type != Text && f.Type != Bytes, f.charset != nil, f.Rest && m.describes(f):
			return false
		}
	}
	return len(m.parts) == 0
}

// describes says that some alternative says what f holds.
func (m *Message) describes(f *Field) bool {
	return slices.ContainsFunc(m.where, func(w where) bool {
		return slices.ContainsFunc(w, func(c condition) bool { return c.field == f })
	})
}

// Pieces appends the fields of f, which is called m, to list. It is false where
// there is something that is neither number nor text (a list, an address,
// JSON), or where f is in parts or no message at all; [Frame.Transcript] shows
// all of them, and takes longer.
func (f *Frame) Pieces(list []Piece, m *Message) ([]Piece, bool) {
	if f.Shape == nil || len(f.parts) > 0 {
		return list, false
	}
	for i := range f.Values {
		v := &f.Values[i]
		switch {
		case v.Field.Type.isNumber():
			list = append(list, Piece{Name: v.Field.Name, Number: v.Number, Note: v.Field.note(v.Number), IsNumber: true})
		case v.Field.Type != Text && v.Field.Type != Bytes:
			return list, false
		case m != nil && v.Field.Rest:
			if more := f.parameterPieces(list, m, v); len(more) > len(list) {
				list = more
				continue
			}
			fallthrough
		default:
			list = append(list, Piece{Name: v.Field.Name, Text: f.text(v)})
		}
	}
	return list, true
}

// parameterPieces is [Frame.parameters] in pieces.
func (f *Frame) parameterPieces(list []Piece, m *Message, v *Value) []Piece {
	if v.Field.charset != nil {
		return list
	}
	before := len(list)
	text := f.text(v)
	for _, w := range m.where {
		for i := range w {
			if w[i].field != v.Field {
				continue
			}
			list = list[:before]
			ok := w[i].pattern.locate(text, nil, func(param string, start, end int) {
				list = append(list, Piece{Name: param, Text: text[start:end]})
			})
			if ok {
				return list
			}
		}
	}
	return list[:before]
}
