package wire

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/encoding/charmap"

	"github.com/chatprobe/chatprobe/internal/source"
)

// A Codec is a protocol with its settings fixed. It is immutable.
type Codec struct {
	Protocol *Protocol
	Settings map[string]string // read only

	messages       []*Message
	client, server direction
}

// A direction is what one side can send, in the order written.
type direction struct {
	framing  *framing
	shapes   []*Shape
	messages []*Message
	parted   []*Message // messages that travel in parts
	idle     []*Message // messages without an end of their own
	words    words      // of the regular expressions that name messages
}

// of is what a side can send.
func (c *Codec) of(from Side) *direction {
	if from == Server {
		return &c.server
	}
	return &c.client
}

// binder makes a Codec out of declarations and values of settings.
type binder struct {
	values map[string]string
	used   map[string]bool
	errs   *source.Errors
	p      *Protocol

	charset *charmap.Charmap
}

func (p *Protocol) bind(values map[string]string, errs *source.Errors) *Codec {
	c := &Codec{Protocol: p, Settings: values}
	b := &binder{values: values, used: map[string]bool{}, errs: errs, p: p}
	b.bindCharset(p.encoding)
	for _, side := range []Side{Client, Server} {
		before := errs.Len()
		fr := b.bindFraming(p.framing[side])
		if errs.Len() > before {
			fr = framing{kind: byLine, end: lineEnds["lf"]} // any that goes with all messages: what is wrong has been said
		}
		c.of(side).framing = &fr
	}
	shapes := map[*shapeDecl]*Shape{}
	decls := slices.Clone(p.shapes)
	for _, name := range []string{"json", "text"} { // last: they fit almost anything
		if d := p.bodyShapes[name]; d != nil {
			decls = append(decls, d)
		}
	}
	for _, d := range decls {
		if !d.broken {
			shapes[d] = newShape(d.name, b.bindFields(d.fields))
		}
	}
	for _, d := range p.messages {
		switch {
		case d.parts != nil:
			c.messages = append(c.messages, b.bindMessage(d, &Shape{Name: d.name}))
		case !d.shape.broken:
			c.messages = append(c.messages, b.bindMessage(d, shapes[d.shape]))
			b.checkFraming(d, c)
		}
	}
	for _, d := range p.messages {
		if d.parts != nil {
			b.bindParts(c.Message(d.name), d.parts, c.messages)
		}
	}
	c.sort(decls, shapes)
	if p.defaults == nil {
		// The first bind, while the file is loaded, learns this once.
		for _, s := range p.Settings {
			s.OnWire = b.used[s.Name]
		}
	}
	return c
}

// sort notes what each side can send.
func (c *Codec) sort(decls []*shapeDecl, shapes map[*shapeDecl]*Shape) {
	for _, side := range []Side{Client, Server} {
		of := c.of(side)
		for _, d := range decls {
			if slices.ContainsFunc(c.messages, func(m *Message) bool {
				return m.Shape == shapes[d] && (m.From == side || m.From == "" && c.isPart(m, side))
			}) {
				of.shapes = append(of.shapes, shapes[d])
			}
		}
		for _, m := range c.messages {
			if m.From != side {
				continue
			}
			of.messages = append(of.messages, m)
			switch {
			case len(m.parts) > 0:
				of.parted = append(of.parted, m)
			case m.Idle:
				of.idle = append(of.idle, m)
			}
			m.header = of.framing.length
		}
	}
}

// isPart says that m is a part of something that side sends.
func (c *Codec) isPart(m *Message, side Side) bool {
	return slices.ContainsFunc(c.messages, func(o *Message) bool { return o.From == side && slices.Contains(o.parts, m) })
}

// checkFraming says where a message does not go with the framing of its side.
func (b *binder) checkFraming(d *messageDecl, c *Codec) {
	fr := c.of(d.from).framing
	if d.from == "" || b.p.framing[d.from].IsZero() || len(d.shape.fields) == 0 {
		return // what is wrong has been said
	}
	fields := fr.kind == byFields
	last := d.shape.fields[len(d.shape.fields)-1]
	switch name := d.shape.name; {
	case fields && d.shape == b.p.bodyShapes[name]:
		b.errs.Add(d.pos, "a line:, text: or json: needs a framing that says where it ends").Hint = "framing: line, or {length: u32}, or datagram"
	case fields && last.field.Rest:
		b.errs.Add(last.pos, "field %s needs a size: a number or an earlier field", last.field.Name).Hint = "with framing: fields, nothing else says where the message ends"
	case d.idle && fr.kind != byLine && fr.kind != byChunk:
		b.errs.Add(d.pos, "ends: idle is for a message among lines")
	}
}

// bindCharset finds the encoding of texts.
func (b *binder) bindCharset(n source.Node) {
	name := strings.ToLower(b.substitute(n.Text(b.errs), n.Pos()))
	if name == "" || name == "utf-8" {
		return
	}
	known := []string{"utf-8"}
	for _, e := range charmap.All {
		cm, ok := e.(*charmap.Charmap)
		if !ok {
			continue
		}
		id := strings.ReplaceAll(strings.ToLower(cm.String()), " ", "-")
		if id == name || id == "iso-8859-1" && name == "latin-1" {
			b.charset = cm
			return
		}
		known = append(known, id)
	}
	b.errs.Add(n.Pos(), "%q is no encoding that is known", name).Hint = source.DidYouMean(name, known)
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
	Shape  *Shape // nil for what is no message of the protocol, though its end is known
	Values []Value
	Raw    []byte
	// Malformed says why Shape is nil.
	Malformed string

	first bool
	parts []Frame // of a message that travels in parts
}

// A Value is what one field of a Frame holds.
type Value struct {
	Field *Field
	Start int // offset in the Frame's Raw
	Size  int // bytes, without a terminator
	// Number is the value of a number.
	Number uint64
	// Entries are those of a List.
	Entries [][]Value

	json any
}

// SetFirst says that f is the first message that its side sent on its
// connection. Decode leaves it false.
func (f *Frame) SetFirst(first bool) { f.first = first }

// Clone is a Frame that shares nothing with f.
func (f *Frame) Clone() *Frame {
	g := *f
	g.Raw = append([]byte(nil), f.Raw...)
	g.Values = append([]Value(nil), f.Values...)
	g.parts = nil
	at := 0
	for _, part := range f.parts {
		end := at + len(part.Raw)
		part.Raw = g.Raw[at:end]
		part.Values = append([]Value(nil), part.Values...)
		g.parts = append(g.parts, part)
		at = end
	}
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

// text is what a field holds, in UTF-8 if that is what it is meant to be.
func (f *Frame) text(v *Value) []byte {
	b := f.Raw[v.Start : v.Start+v.Size]
	if v.Field.charset != nil && v.Field.Type == Text {
		if text, err := v.Field.charset.NewDecoder().Bytes(b); err == nil {
			return text
		}
	}
	return b
}

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
	case v.Field.Type.isNumber():
		return v.Field.show(v.Number)
	case v.Field.Type == IP:
		addr, _ := netip.AddrFromSlice(f.text(v))
		return addr.Unmap().String()
	}
	return string(f.text(v))
}
