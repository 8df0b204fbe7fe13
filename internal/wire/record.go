package wire

import (
	"fmt"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// TextLimit is how many bytes of a long text a transcript keeps.
const TextLimit = 200

// Transcript is f as a record, under the name of m, which may be nil. The
// fields of a line, a text or a JSON value are the parameters of m.
func (f *Frame) Transcript(m *Message, from Side) *transcript.Message {
	t := &transcript.Message{From: string(from), Bytes: transcript.NewBody(f.Raw)}
	if m != nil {
		t.Name = m.Name
	}
	if f.Shape == nil {
		t.Fields = []transcript.Field{f.record(&Value{Field: unknownField, Size: len(f.Raw)})}
		t.Fields[0].Note = f.Malformed
		return t
	}
	frames, at := f.parts, 0
	if len(frames) == 0 {
		frames = []Frame{*f}
	}
	for i := range frames {
		part := m
		if m != nil && len(m.parts) > 0 {
			part = m.parts[i]
		}
		for _, r := range frames[i].records(part) {
			r.Start += at
			t.Fields = append(t.Fields, r)
		}
		at += len(frames[i].Raw)
	}
	return t
}

// unknownField stands for the whole of what is no message.
var unknownField = &Field{Name: "bytes", Type: Bytes}

func (f *Frame) records(m *Message) []transcript.Field {
	var list []transcript.Field
	for i := range f.Values {
		v := &f.Values[i]
		if m != nil && v.Field.Rest {
			if params := f.parameters(m, v); len(params) > 0 {
				list = append(list, params...)
				continue
			}
		}
		list = append(list, f.record(v))
	}
	return list
}

// parameters are the parameters of m in a field that is described by a
// pattern, each with its place.
func (f *Frame) parameters(m *Message, v *Value) []transcript.Field {
	for _, w := range m.where {
		for _, c := range w {
			if c.field != v.Field {
				continue
			}
			var list []transcript.Field
			if c.json != nil {
				found := Args{}
				if !c.json.match(v.json, nil, found) {
					continue
				}
				for _, name := range c.params() {
					list = append(list, transcript.Field{Name: name, Value: printable(found[name]), Start: v.Start})
				}
				return list
			}
			if v.Field.charset != nil {
				continue // places would be those of the text in UTF-8
			}
			ok := c.pattern.locate(f.text(v), nil, func(param string, start, end int) {
				piece := Value{Field: &Field{Name: param, Type: Text}, Start: v.Start + start, Size: end - start}
				list = append(list, f.record(&piece))
			})
			if ok {
				return list
			}
		}
	}
	return nil
}

func printable(v any) any {
	switch v := v.(type) {
	case string:
		return transcript.Printable([]byte(v))
	case Raw:
		return transcript.Printable([]byte(v))
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = printable(item)
		}
		return list
	}
	return v
}

func (f *Frame) record(v *Value) transcript.Field {
	r := transcript.Field{Name: v.Field.Name, Start: v.Start, Size: v.Size}
	switch {
	case v.Field.Type == List:
		r.Value = printable(f.plain(v))
	case v.Field.Type.isNumber():
		r.Value, r.Note = v.Number, v.Field.note(v.Number)
	case v.Field.Type == IP:
		r.Value = f.plain(v)
	default:
		text := f.text(v)
		if len(text) > TextLimit {
			r.Note = fmt.Sprintf("%d bytes, cut here", len(text))
			text = text[:TextLimit]
		}
		r.Value = transcript.Printable(text)
	}
	return r
}
