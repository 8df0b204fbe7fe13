package wire

import (
	"fmt"
	"slices"

	"github.com/chatprobe/chatprobe/internal/source"
)

// Side is who speaks.
type Side string

// The sides.
const (
	Client Side = "client"
	Server Side = "server"
)

// A Message is a kind of message: a shape, who sends it, and what its fields
// hold. Several kinds may share a shape and even fit the same bytes: a step
// asks for the one it names.
type Message struct {
	Name  string
	Shape *Shape
	From  Side // empty for a mere shape, which is never read or sent
	// First says that it is only ever the first message of its connection.
	First bool
	// Idle says that it has no end of its own, such as a prompt: it is over
	// when nothing more comes.
	Idle bool

	where  []where // any of these
	except []where // and none of these
	params []string
	parts  []*Message // the messages that it travels as, one after another
	header *Field     // the number that the framing puts in front, or nil
	words  uint64     // one of these stands in every such frame; 0 if not known
}

// A where says what some fields hold.
type where []condition

// A condition says what one field holds.
type condition struct {
	field   *Field
	pattern *pattern
	number  uint64 // what a number is, where isFixed
	isFixed bool
	json    *template // what a JSON value is, instead of a pattern
	words   uint64    // one of these stands in a frame where a regular expression fits, see words
}

func (c *condition) params() []string {
	if c.json != nil {
		return c.json.params(nil)
	}
	return c.pattern.params()
}

// isRegex says that the condition can be looked for and not be sent.
func (c *condition) isRegex() bool {
	return c.json == nil && c.pattern.isRegex() || c.json != nil && c.json.hasRegex()
}

type messageDecl struct {
	name   string
	pos    source.Pos
	shape  *shapeDecl
	from   Side
	first  bool
	idle   bool
	where  []whereDecl
	except []whereDecl
	parts  []source.Node
}

type whereDecl []conditionDecl

type conditionDecl struct {
	field   string
	pos     source.Pos
	text    string
	textPos source.Pos
	whole   bool        // a regular expression describes all of the field
	json    source.Node // a JSON template instead of a text
}

func (p *Protocol) loadMessages(n source.Node, errs *source.Errors) {
	is := map[*messageDecl]source.Node{}
	for _, pair := range n.Pairs(errs) {
		keys := pair.Value.Keys(errs, append([]string{"from", "first", "ends", "where", "except"}, bodies...)...)
		m := &messageDecl{name: pair.Key.Raw(), pos: pair.Key.Pos()}
		if !word.MatchString(m.name) {
			errs.Add(m.pos, "a message's name is letters, digits, _ and -")
		}
		if from := keys["from"]; !from.IsNull() {
			m.from = Side(oneOf(from, errs, string(Client), string(Server)))
		}
		if first := keys["first"]; !first.IsNull() {
			m.first = first.Bool(errs)
		}
		if ends := keys["ends"]; !ends.IsNull() {
			m.idle = oneOf(ends, errs, "idle") == "idle"
		}
		m.where = loadWhere(keys["where"], errs)
		m.except = loadWhere(keys["except"], errs)
		if p.loadBody(m, keys, errs) {
			is[m] = keys["is"]
		}
	}
	for _, m := range p.messages {
		if n, ok := is[m]; ok && m.shape == nil && m.parts == nil {
			p.resolveShape(m, n, errs)
		}
	}
	p.messages = slices.DeleteFunc(p.messages, func(m *messageDecl) bool { return m.shape == nil })
}

func loadWhere(n source.Node, errs *source.Errors) []whereDecl {
	var list []whereDecl
	for _, item := range n.Items() {
		var w whereDecl
		for _, p := range item.Pairs(errs) {
			text := p.Value.Raw()
			if !p.Value.IsNull() {
				text = p.Value.Text(errs)
			}
			w = append(w, conditionDecl{field: p.Key.Raw(), pos: p.Key.Pos(), text: text, textPos: p.Value.Pos()})
		}
		list = append(list, w)
	}
	return list
}

func (b *binder) bindMessage(d *messageDecl, shape *Shape) *Message {
	m := &Message{Name: d.name, Shape: shape, From: d.from, First: d.first, Idle: d.idle}
	m.where = b.bindWhere(d.where, shape)
	if len(m.where) == 0 {
		m.where = []where{nil}
	}
	m.except = b.bindWhere(d.except, shape)
	for _, w := range append(slices.Clone(m.where), m.except...) {
		for _, c := range w {
			m.addParams(c.params()...)
		}
	}
	for _, f := range shape.Fields {
		if m.isOpen(f) {
			m.addParams(f.Name)
		}
	}
	return m
}

// bindParts finds the messages that a message travels as.
func (b *binder) bindParts(m *Message, parts []source.Node, all []*Message) {
	if len(parts) == 1 {
		b.errs.Add(parts[0].Pos(), "parts: is a list of at least two messages")
	}
	for _, n := range parts {
		name := n.Text(b.errs)
		i := slices.IndexFunc(all, func(o *Message) bool { return o.Name == name && o.parts == nil && o != m })
		if i < 0 {
			var names []string
			for _, o := range all {
				if o.parts == nil && o != m {
					names = append(names, o.Name)
				}
			}
			b.errs.Add(n.Pos(), "there is no message %q to be a part of %s", name, m.Name).Hint = source.DidYouMean(name, names)
			continue
		}
		m.parts = append(m.parts, all[i])
		m.addParams(all[i].params...)
	}
}

func (m *Message) addParams(names ...string) {
	for _, name := range names {
		if !slices.Contains(m.params, name) {
			m.params = append(m.params, name)
		}
	}
}

// isOpen tells a field that nothing else determines: its name is a parameter.
func (m *Message) isOpen(f *Field) bool {
	return f.isValue() && m.condition(f) == nil
}

// condition is what the first alternative says about a field, or nil.
func (m *Message) condition(f *Field) *condition {
	for i, c := range m.where[0] {
		if c.field == f {
			return &m.where[0][i]
		}
	}
	return nil
}

func (b *binder) bindWhere(decls []whereDecl, shape *Shape) []where {
	var list []where
	for _, d := range decls {
		var w where
		for _, c := range d {
			i := slices.IndexFunc(shape.Fields, func(f *Field) bool { return f.Name == c.field })
			if i < 0 {
				var names []string
				for _, f := range shape.Fields {
					names = append(names, f.Name)
				}
				b.errs.Add(c.pos, "%s has no field %q", shape.Name, c.field).Hint = source.DidYouMean(c.field, names)
				continue
			}
			if cond, ok := b.bindCondition(c, shape.Fields[i]); ok {
				w = append(w, cond)
			}
		}
		list = append(list, w)
	}
	return list
}

func (b *binder) bindCondition(d conditionDecl, f *Field) (condition, bool) {
	if f.Type == List {
		b.errs.Add(d.pos, "%s is a list: it cannot be described here", f.Name).Hint = "give it where the message is used: users: [alice, bob]"
		return condition{}, false
	}
	if f.Type == JSON {
		return condition{field: f, json: b.bindTemplate(d.json)}, true
	}
	pat, err := parsePattern(d.text, d.whole, func(text string, inRegex bool) string {
		return b.fill(text, d.textPos, inRegex)
	})
	if err != nil {
		b.errs.Add(d.textPos, "%v", err)
		return condition{}, false
	}
	c := condition{field: f, pattern: pat}
	if f.Type.isNumber() && !pat.isRegex() && len(pat.params()) == 0 {
		text, _ := pat.fill(nil)
		c.isFixed = true
		if c.number, err = f.number(text); err != nil {
			b.errs.Add(d.textPos, "%v", err)
		}
	}
	return c, true
}

// Params are the names of the parameters that a message takes.
func (m *Message) Params() []string { return m.params }

// Needs are the parameters without which the message cannot be sent.
func (m *Message) Needs() []string {
	var names []string
	for _, part := range m.parts {
		names = append(names, part.Needs()...)
	}
	for _, f := range m.Shape.Fields {
		switch c := m.condition(f); {
		case c != nil:
			names = append(names, c.params()...)
		case m.isOpen(f):
			names = append(names, f.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// IsList says that a parameter is a list of texts and not a text.
func (m *Message) IsList(param string) bool {
	f := m.openField(param)
	return f != nil && f.Type == List
}

// TakesAny says that a parameter stands for a whole JSON value, which may be a
// text, a list, a number, yes or no.
func (m *Message) TakesAny(param string) bool {
	for _, w := range m.where {
		for _, c := range w {
			if c.json != nil && c.json.takesWhole(param) {
				return true
			}
		}
	}
	return slices.ContainsFunc(m.parts, func(p *Message) bool { return p.TakesAny(param) })
}

// CheckArg says whether a parameter can have this value, or why not.
func (m *Message) CheckArg(param, value string) error {
	if f := m.openField(param); f != nil && f.Type.isNumber() {
		_, err := f.number(value)
		return err
	}
	return nil
}

// openField is the field that a parameter stands for as a whole, or nil.
func (m *Message) openField(param string) *Field {
	for _, f := range m.Shape.Fields {
		if f.Name == param && m.isOpen(f) {
			return f
		}
	}
	return nil
}

// CanSend says whether the message can be built, or why not.
func (m *Message) CanSend() error {
	for _, part := range append([]*Message{m}, m.parts...) {
		for _, c := range part.where[0] {
			if c.isRegex() {
				return fmt.Errorf("%s is described by a regular expression (/%s/): it can be received, not sent", part.Name, c.regexText())
			}
		}
	}
	if m.From == "" {
		return fmt.Errorf("%s is only a shape: in protocol.yaml it does not say whom it is from", m.Name)
	}
	return nil
}

func (c *condition) regexText() string {
	if c.json != nil {
		return c.json.firstRegex()
	}
	return c.pattern.regex
}

// IsCatchAll says that any line or datagram at all is such a message, so that
// it tells nothing about which protocol is spoken.
func (m *Message) IsCatchAll() bool {
	if len(m.Shape.Fields) != 1 || !m.Shape.Fields[0].Rest {
		return false
	}
	c := m.condition(m.Shape.Fields[0])
	return c == nil || c.json == nil && !c.pattern.isRegex() && len(c.pattern.parts) == 1 && c.pattern.parts[0].param != ""
}

// hasRegex says that regular expressions describe the message.
func (m *Message) hasRegex() bool {
	for _, w := range m.where {
		for i := range w {
			if w[i].isRegex() {
				return true
			}
		}
	}
	return slices.ContainsFunc(m.parts, (*Message).hasRegex)
}
