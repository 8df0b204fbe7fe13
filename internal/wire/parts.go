package wire

import (
	"bytes"
	"errors"
)

// decodeParts reads all frames of a message that travels in parts. It returns
// 0 where b does not begin with one.
func (c *Codec) decodeParts(f *Frame, m *Message, b []byte, from Side, quiet bool) (int, error) {
	args := Args{}
	whole := Frame{Shape: m.Shape}
	at := 0
	for i, part := range m.parts {
		var g Frame
		n, err := c.decodeOne(&g, b[at:], from, quiet)
		switch {
		case errors.Is(err, ErrShort) && i > 0 && (!quiet || len(b) > at): // a part that has begun will come
			return at + n, err
		case err != nil:
			return 0, nil
		}
		if !part.Match(&g, args, args) {
			return 0, nil
		}
		for _, v := range g.Values {
			v.Start += at
			whole.Values = append(whole.Values, v)
		}
		whole.parts = append(whole.parts, g)
		at += n
	}
	whole.Raw = b[:at]
	*f = whole
	return at, nil
}

// decodeIdle reads a message that has no end: one that is known by all of its
// text, or what came before a pause.
func (c *Codec) decodeIdle(f *Frame, b []byte, from Side, quiet bool) int {
	for _, m := range c.of(from).idle {
		field := m.Shape.Fields[0]
		for _, w := range m.where {
			text, err := w[0].pattern.fill(nil)
			n := len(text)
			switch {
			case err == nil && n > 0 && bytes.HasPrefix(b, []byte(text)):
			case quiet && len(b) > 0 && w[0].pattern.match(b, nil, nil):
				n = len(b)
			default:
				continue
			}
			f.Shape, f.Raw = m.Shape, b[:n]
			f.Values = append(f.Values[:0], Value{Field: field, Size: n})
			return n
		}
	}
	return 0
}
