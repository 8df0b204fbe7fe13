package wire

import "bytes"

// excludes says that b cannot have this shape: its constants in front differ.
// It is quick; that it does not say so means nothing.
func (s *Shape) excludes(b []byte) bool {
	return len(s.begins) > 0 && len(b) >= len(s.begins) && !bytes.Equal(b[:len(s.begins)], s.begins)
}

// newShape makes a shape of fields.
func newShape(name string, fields []*Field) *Shape {
	s := &Shape{Name: name, Fields: fields}
	for _, f := range fields {
		width := f.Type.width()
		switch {
		case !f.HasConstant || f.Type.isNumber() && width == 0:
			return s
		case !f.Type.isNumber():
			s.begins = append(s.begins, f.ConstantText...)
		default:
			for i := range width {
				if !f.Little {
					i = width - 1 - i
				}
				s.begins = append(s.begins, byte(f.Constant>>(8*i)))
			}
		}
	}
	return s
}
