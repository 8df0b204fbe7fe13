package wire

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/chatprobe/chatprobe/internal/source"
)

// A Codec is a protocol with its settings fixed. It is immutable.
type Codec struct {
	Protocol *Protocol
	Settings map[string]string // read only

	messages []*Message
	shapes   map[Side][]*Shape // what each side can send, in the order written
}

// binder makes a Codec out of declarations and values of settings.
type binder struct {
	values map[string]string
	used   map[string]bool
	errs   *source.Errors
	p      *Protocol
}

func (p *Protocol) bind(values map[string]string, errs *source.Errors) *Codec {
	c := &Codec{Protocol: p, Settings: values, shapes: map[Side][]*Shape{}}
	b := &binder{values: values, used: map[string]bool{}, errs: errs, p: p}
	shapes := map[*shapeDecl]*Shape{}
	for _, d := range p.shapes {
		if !d.broken {
			shapes[d] = &Shape{Name: d.name, Fields: b.bindFields(d.fields)}
		}
	}
	for _, d := range p.messages {
		if !d.shape.broken {
			c.messages = append(c.messages, b.bindMessage(d, shapes[d.shape]))
		}
	}
	for _, d := range p.shapes {
		for _, side := range []Side{Client, Server} {
			for _, m := range c.messages {
				if m.Shape == shapes[d] && m.From == side {
					c.shapes[side] = append(c.shapes[side], m.Shape)
					break
				}
			}
		}
	}
	if p.defaults == nil {
		// The first bind, while the file is loaded, learns this once.
		for _, s := range p.Settings {
			s.OnWire = b.used[s.Name]
		}
	}
	return c
}

var settingSyntax = regexp.MustCompile(`\\?\$(\$|[A-Za-z_][A-Za-z0-9_]*(-[A-Za-z0-9_]+)*)`)

// substitute fills settings into a text of the protocol file; $$ is a dollar.
func (b *binder) substitute(text string, pos source.Pos) string {
	return b.fill(text, pos, false)
}

// fill is substitute for a piece of a pattern. In a regular expression, what
// is no setting may be the end of the line, and a setting is literal text.
func (b *binder) fill(text string, pos source.Pos, inRegex bool) string {
	if !strings.Contains(text, "$") {
		return text
	}
	return settingSyntax.ReplaceAllStringFunc(text, func(m string) string {
		before, name, _ := strings.Cut(m, "$")
		if before != "" && inRegex {
			return m // \$ is a dollar there
		}
		if name == "$" {
			if inRegex {
				return m
			}
			return before + "$"
		}
		value, ok := b.value(name)
		switch {
		case ok && inRegex:
			return regexp.QuoteMeta(value)
		case ok:
			return before + value
		case inRegex:
			return m
		}
		b.errs.Add(pos, "there is no setting %q", name).Hint = source.DidYouMean(name, b.p.SettingNames())
		return ""
	})
}

// value is a setting as it stands on the wire. One that is still open has its
// first real choice.
func (b *binder) value(name string) (string, bool) {
	value, ok := b.values[name]
	if !ok {
		return "", false
	}
	b.used[name] = true
	if choices := b.p.Setting(name).Choices(); value == Any && len(choices) > 0 {
		value = choices[0]
	}
	return value, true
}

// Message finds a message by its name, or nil.
func (c *Codec) Message(name string) *Message {
	for _, m := range c.messages {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// Messages are all messages in the order written. The slice must not be changed.
func (c *Codec) Messages() []*Message { return c.messages }

// nameLimit is the length of the longest message whose text is searched for
// what a regular expression describes, only to name it. What is described like
// that are notices, and those are short.
const nameLimit = 4096

// Name is the first message in the order written that f can be, or nil. It is
// how a message is called in displays; a step asks [Message.Match] instead.
func (c *Codec) Name(f *Frame, from Side) *Message {
	for _, m := range c.messages {
		if m.From != from || len(f.Raw) > nameLimit && m.hasRegex() {
			continue
		}
		if m.Match(f, nil, nil) {
			return m
		}
	}
	return nil
}

// ErrShort means that the bytes so far are the beginning of a message.
var ErrShort = errors.New("the message is not complete")

// A MalformedError means that the bytes cannot be a message, whatever follows.
type MalformedError struct {
	Offset int // of the byte that does not fit
	Reason string
}

// Error is the reason and the offset.
func (e *MalformedError) Error() string {
	return fmt.Sprintf("%s (at byte %d)", e.Reason, e.Offset)
}

// A Frame is one message as it stood on the wire. Raw, and with it every
// text, is the slice that was decoded, not a copy.
type Frame struct {
	Shape  *Shape
	Values []Value
	Raw    []byte
	first  bool
}

// A Value is what one field of a Frame holds.
type Value struct {
	Field *Field
	Start int // offset in the Frame's Raw
	Size  int // bytes
	// Number is the value of a number.
	Number uint64
	// Entries are those of a List.
	Entries [][]Value
}

// SetFirst says that f is the first message that its side sent on its
// connection. Decode leaves it false.
func (f *Frame) SetFirst(first bool) { f.first = first }

// Clone is a Frame that shares nothing with f.
func (f *Frame) Clone() *Frame {
	g := *f
	g.Raw = append([]byte(nil), f.Raw...)
	g.Values = append([]Value(nil), f.Values...)
	return &g
}

func (f *Frame) value(field *Field) *Value {
	for i := range f.Values {
		if f.Values[i].Field == field {
			return &f.Values[i]
		}
	}
	return nil
}

func (f *Frame) text(v *Value) []byte { return f.Raw[v.Start : v.Start+v.Size] }

// plain is a value as a parameter has it: a string, or a list of strings. A
// list whose entries carry one text is a list of texts.
func (f *Frame) plain(v *Value) any {
	switch {
	case v.Field.Type == List:
		list := make([]any, 0, len(v.Entries))
		for _, entry := range v.Entries {
			for i := range entry {
				if entry[i].Field.isValue() {
					list = append(list, f.plain(&entry[i]))
				}
			}
		}
		return list
	case v.Field.Type.width() > 0:
		return v.Field.show(v.Number)
	}
	return string(f.text(v))
}

// Decode reads one message that the given side sent from the beginning of b
// into f and returns how many bytes it is long. The first shape of that side
// whose constants agree with the bytes fixes the fields.
//
// With ErrShort the number is how many bytes are needed at least before it is
// worth asking again; nothing is known about the rest of them. With a
// *MalformedError the number is 0 and the stream cannot be read any further.
func (c *Codec) Decode(f *Frame, b []byte, from Side) (int, error) {
	var best *MalformedError
	for _, shape := range c.shapes[from] {
		d := decoder{b: b, values: f.Values[:0]}
		err := d.fields(shape.Fields)
		f.Values = d.values
		if err == nil {
			f.Shape, f.Raw, f.first = shape, b[:d.at], false
			return d.at, nil
		}
		if errors.Is(err, ErrShort) {
			return d.need, ErrShort
		}
		var bad *MalformedError
		if errors.As(err, &bad) && (best == nil || bad.Offset > best.Offset) {
			best = bad
		}
	}
	if best == nil {
		best = &MalformedError{Reason: fmt.Sprintf("no message is ever sent by the %s", from)}
	} else if len(c.shapes[from]) > 1 && best.Offset == 0 {
		best = &MalformedError{Reason: "no message begins like this"}
	}
	return 0, best
}

type decoder struct {
	b      []byte
	at     int
	need   int
	values []Value
}

// fields appends the values of fields to d.values.
func (d *decoder) fields(fields []*Field) error {
	for _, f := range fields {
		v := Value{Field: f, Start: d.at}
		switch {
		case f.Type == List:
			if err := d.list(&v, d.count(f)); err != nil {
				return err
			}
		case f.Type.width() > 0:
			if err := d.number(&v); err != nil {
				return err
			}
		default:
			size := d.count(f)
			if size > uint64(len(d.b)-d.at) {
				d.need = int(min(uint64(d.at)+size, math.MaxInt))
				return ErrShort
			}
			d.at += int(size)
		}
		v.Size = d.at - v.Start
		d.values = append(d.values, v)
	}
	return nil
}

// count is the size of a text or the number of entries of a list.
func (d *decoder) count(f *Field) uint64 {
	if f.SizeFrom == nil {
		return uint64(f.Size)
	}
	for i := len(d.values) - 1; ; i-- {
		if d.values[i].Field == f.SizeFrom {
			return min(d.values[i].Number, math.MaxInt64)
		}
	}
}

func (d *decoder) number(v *Value) error {
	f, width := v.Field, v.Field.Type.width()
	if len(d.b)-d.at < width {
		d.need = d.at + width
		return ErrShort
	}
	for i, octet := range d.b[d.at : d.at+width] {
		if f.Little {
			v.Number |= uint64(octet) << (8 * i)
		} else {
			v.Number = v.Number<<8 | uint64(octet)
		}
	}
	if f.HasConstant && v.Number != f.Constant {
		return &MalformedError{d.at, fmt.Sprintf("%s is %d and not %d", f.Name, v.Number, f.Constant)}
	}
	d.at += width
	return nil
}

// list reads the entries of a list. They take memory only as they arrive: an
// entry has at least one byte.
func (d *decoder) list(v *Value, count uint64) error {
	for i := range count {
		inner := decoder{b: d.b, at: d.at}
		err := inner.fields(v.Field.Entries)
		d.at = inner.at
		if err != nil {
			d.need = max(inner.need, int(min(uint64(d.at)+count-i, math.MaxInt)))
			return err
		}
		v.Entries = append(v.Entries, inner.values)
	}
	return nil
}
