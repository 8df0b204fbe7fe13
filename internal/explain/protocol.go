package explain

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// Protocol tells what a suite says about its protocol: messages as they look
// on the wire, settings, how clients log in, and how it is known that the
// server is done.
func Protocol(w io.Writer, s *scenario.Suite, width int) error {
	n, err := newNarrator(s)
	if err != nil {
		return err
	}
	p := &page{width: width}
	p.paragraph(0, s.Name+": "+s.Protocol.Title)
	line := strings.ToUpper(s.Protocol.Transport)
	if s.Protocol.Port > 0 {
		line += fmt.Sprintf(", usually port %d", s.Protocol.Port)
	}
	line += fmt.Sprintf("; %s, %s", count(len(s.Protocol.Requirements), "requirement"), count(len(s.Scenarios), "scenario"))
	if s.Protocol.Extends != "" {
		line += "; a variant of " + s.Protocol.Extends
	}
	p.paragraph(0, line)
	n.layouts(p)
	n.messages(p)
	n.settings(p)
	n.procedures(p)
	n.fenceRule(p)
	return p.writeTo(w)
}

// layouts shows the fields of every message that has some.
func (n *narrator) layouts(p *page) {
	seen := map[*wire.Shape]bool{}
	for _, m := range n.codec.Messages() {
		if seen[m.Shape] || isText(m.Shape) {
			continue
		}
		if len(seen) == 0 {
			p.heading("Fields")
		}
		seen[m.Shape] = true
		fieldTable(p, m.Shape.Name, m.Shape.Fields)
	}
}

// isText says that a message of this shape is all one text.
func isText(s *wire.Shape) bool {
	return len(s.Fields) == 0 || len(s.Fields) == 1 && s.Fields[0].Rest
}

func fieldTable(p *page, name string, fields []*wire.Field) {
	p.WriteString("  " + name + "\n")
	column := 0
	for _, f := range fields {
		column = max(column, len(f.Name))
	}
	for _, f := range fields {
		p.item(fmt.Sprintf("    %-*s  ", column, f.Name), fieldWords(f))
	}
}

// numberSize is how many bytes the numbers of fixed size have.
var numberSize = map[wire.Type]int{wire.U8: 1, wire.U16: 2, wire.U24: 3, wire.U32: 4, wire.U64: 8, wire.CRC16: 2, wire.CRC32: 4}

// fieldWords says what a field is.
func fieldWords(f *wire.Field) string {
	words := []string{f.Type.String()}
	if size := numberSize[f.Type]; size > 0 {
		words = append(words, count(size, "byte"))
		switch {
		case size > 1 && f.Little:
			words = append(words, "little-endian")
		case size > 1:
			words = append(words, "big-endian")
		}
	}
	switch {
	case f.HasConstant && f.ConstantText != "":
		words = append(words, "always "+quote(f.ConstantText))
	case f.HasConstant:
		words = append(words, fmt.Sprintf("always %d", f.Constant))
	case f.Measures != nil && f.Measures.Type == wire.List:
		words = append(words, "the number of "+f.Measures.Name)
	case f.Measures != nil:
		words = append(words, "the length of "+f.Measures.Name+" in bytes")
	case f.SizeFrom != nil && f.Type == wire.List:
		words = append(words, "as many as "+f.SizeFrom.Name+" says")
	case f.SizeFrom != nil:
		words = append(words, "as long as "+f.SizeFrom.Name+" says")
	case len(f.Terminator) > 0:
		words = append(words, fmt.Sprintf("up to %q", f.Terminator))
	case f.Rest:
		words = append(words, "the rest of the message")
	case f.Size > 0:
		words = append(words, count(f.Size, "byte"))
	}
	for _, e := range f.Enum {
		words = append(words, fmt.Sprintf("%d %s", e.Number, e.Name))
	}
	text := strings.Join(words, ", ")
	if len(f.Entries) > 0 {
		var entry []string
		for _, e := range f.Entries {
			entry = append(entry, e.Name+" ("+fieldWords(e)+")")
		}
		text += "; each is " + and(entry)
	}
	return text
}

// samples stand for parameters in the examples of messages.
var samples = map[string]string{"user": "alice", "to": "bob", "text": "hello", "ip": "127.0.0.1", "port": "50123"}

// sample is an example of a parameter.
func sample(m *wire.Message, param string) any {
	if m.IsList(param) {
		return []any{"alice", "bob"}
	}
	for _, f := range m.Shape.Fields {
		if f.Name == param && len(f.Enum) > 0 {
			return f.Enum[0].Name
		}
	}
	for _, text := range []string{samples[param], param} {
		if text != "" && m.CheckArg(param, text) == nil {
			return text
		}
	}
	return "1" // it is a number
}

// messages shows every message as it looks on the wire.
func (n *narrator) messages(p *page) {
	p.heading("Messages")
	for _, side := range []wire.Side{wire.Client, wire.Server} {
		p.WriteString("  from " + map[wire.Side]string{wire.Client: "a client", wire.Server: "the server"}[side] + framing(n.codec, side) + "\n")
		for _, m := range n.codec.Messages() {
			if m.From == side {
				n.kind(p, m)
			}
		}
	}
	if ignored := n.suite.Protocol.Ignore; len(ignored) > 0 {
		p.paragraph(2, fmt.Sprintf("%s may come at any time and %s nothing.", and(ignored), plural(ignored, "means", "mean")))
	}
}

func plural(words []string, one, more string) string {
	if len(words) == 1 {
		return one
	}
	return more
}

// framing says what is special about how the messages of a side are told
// apart.
func framing(c *wire.Codec, side wire.Side) string {
	switch {
	case c.IsDatagram(side):
		return ", each in a datagram of its own"
	case c.Unframed(side):
		return ", and nothing says where one ends"
	}
	return ""
}

func (n *narrator) kind(p *page, m *wire.Message) {
	text := m.Name
	if params := m.Params(); len(params) > 0 {
		text += " (" + strings.Join(params, ", ") + ")"
	}
	if m.Shape.Name != m.Name && !isText(m.Shape) {
		text += ", a " + m.Shape.Name
	}
	if m.First {
		text += ", only as the first message of a connection"
	}
	if answer := n.suite.Protocol.Answers[m.Name]; answer != "" {
		text += ", answered with " + answer
	}
	if m.Idle {
		text += ", without an end of its own"
	}
	p.paragraph(4, text)
	args := wire.Args{}
	for _, param := range m.Params() {
		args[param] = sample(m, param)
	}
	b, err := n.codec.Example(m, args)
	if err != nil {
		p.paragraph(6, "any that fits a pattern in "+scenario.ProtocolFile)
		return
	}
	n.dump(p, 6, b, m)
}

func (n *narrator) settings(p *page) {
	list := n.suite.Protocol.Settings
	if len(list) == 0 {
		return
	}
	p.heading("Settings (--set NAME=VALUE)")
	for _, s := range list {
		text := s.Name + "=" + s.Default
		if len(s.OneOf) > 0 {
			text += ", one of " + strings.Join(s.OneOf, ", ")
		}
		if s.OnWire && slices.Contains(s.OneOf, wire.Any) {
			text += "; any is found out by trying"
		}
		p.paragraph(2, text)
		if s.About != "" {
			p.paragraph(6, s.About)
		}
	}
}

func (n *narrator) procedures(p *page) {
	for _, proc := range n.suite.Procedures {
		heading := "How a client does " + proc.Name
		if proc.Settles() {
			heading = "How a client logs in"
		}
		p.heading(heading)
		for i, step := range proc.Steps {
			p.item(fmt.Sprintf("  %2d. ", i+1), n.step(step))
		}
	}
}

// fenceRule says how it is known that the server is done.
func (n *narrator) fenceRule(p *page) {
	f := n.suite.Fence
	if f == nil {
		return
	}
	p.heading("How it is known that the server is done")
	if f.Question != nil {
		p.paragraph(2, fmt.Sprintf("A client sends %s; the server answers %s, and is done with all that this client did before.",
			n.message(f.Question.Message, f.Question.Args), n.expected([]scenario.Expected{f.Answer})[0]))
	}
	if f.HasToken() {
		p.paragraph(2, fmt.Sprintf("A client sends %s. When it has reached another client as %s, the server is done with all that the first one did before.",
			n.message(f.Token.Message, f.Token.Args), n.expected([]scenario.Expected{f.Arrives})[0]))
	}
}
