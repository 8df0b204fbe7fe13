package wire

import "regexp"

// A Layout is what one side can send, as plain data: for those that read the
// protocol with another program, such as a dissector. It must not be changed.
type Layout struct {
	Framing  Framing
	Shapes   []*Shape         // in the order in which they are tried
	Messages []*MessageLayout // in the order written, also those in parts
}

// A Framing is how the bytes of one direction split into messages.
type Framing struct {
	Kind   string // fields, line, length, json, datagram or chunk
	Sought string // what ends a line
	AnyCR  bool   // a carriage return before that does not belong to the line
	Length *Field // the number in front, or nil
	Whole  bool   // that number counts itself too
}

// A MessageLayout is a kind of message and what its fields hold: any of Where,
// and none of Except.
type MessageLayout struct {
	*Message
	Where, Except [][]Condition
	Parts         []*MessageLayout // the messages that it travels as
}

// A Condition says what one field holds: a number, if Fixed, or a pattern, or
// a JSON template.
type Condition struct {
	Field    *Field
	Fixed    bool
	Number   uint64
	Pattern  *Pattern
	Template *Template
}

// A Pattern is literal text with parameters in it, or a regular expression, in
// which parameters are groups of that name.
type Pattern struct {
	Parts []PatternPart
	Regex *regexp.Regexp
}

// A PatternPart is literal text or a parameter.
type PatternPart struct {
	Literal, Param string
	Rest           bool // the parameter may be empty
}

// A Template is what a JSON value is. Kind is object, array, text, param or
// literal.
type Template struct {
	Kind    string
	Keys    []string // of an object, in the order of Items
	Items   []*Template
	Pattern *Pattern
	Param   string
	Literal any // a json.Number, bool or nil
}

// Layout is what a side can send.
func (c *Codec) Layout(from Side) Layout {
	d := c.of(from)
	l := Layout{Shapes: d.shapes, Framing: Framing{
		Kind: framingNames[d.framing.kind], Sought: string(d.framing.end.sought), AnyCR: d.framing.end.anyCR,
		Length: d.framing.length, Whole: d.framing.whole,
	}}
	for _, m := range c.messages {
		if m.From == from {
			l.Messages = append(l.Messages, m.layout())
		}
	}
	return l
}

// Charset is what each byte of a text means, or nil where texts are UTF-8.
func (c *Codec) Charset() func(byte) rune {
	for _, m := range c.messages {
		for _, f := range m.Shape.Fields {
			if f.charset != nil {
				return f.charset.DecodeByte
			}
		}
	}
	return nil
}

func (m *Message) layout() *MessageLayout {
	l := &MessageLayout{Message: m, Where: conditions(m.where), Except: conditions(m.except)}
	for _, part := range m.parts {
		l.Parts = append(l.Parts, part.layout())
	}
	return l
}

func conditions(list []where) [][]Condition {
	var all [][]Condition
	for _, w := range list {
		var one []Condition
		for _, c := range w {
			one = append(one, Condition{c.field, c.isFixed, c.number, c.pattern.layout(), c.json.layout()})
		}
		all = append(all, one)
	}
	return all
}

func (p *pattern) layout() *Pattern {
	if p == nil {
		return nil
	}
	if p.isRegex() {
		return &Pattern{Regex: p.open.re}
	}
	l := &Pattern{}
	for _, o := range p.parts {
		l.Parts = append(l.Parts, PatternPart{o.literal, o.param, o.rest})
	}
	return l
}

var templateNames = []string{"object", "array", "text", "param", "literal"}

func (t *template) layout() *Template {
	if t == nil {
		return nil
	}
	l := &Template{Kind: templateNames[t.kind], Keys: t.keys, Pattern: t.pattern.layout(), Param: t.param, Literal: t.literal}
	for _, item := range t.items {
		l.Items = append(l.Items, item.layout())
	}
	return l
}
