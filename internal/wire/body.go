package wire

import (
	"slices"

	"github.com/chatprobe/chatprobe/internal/source"
)

// bodies are the keys that say how a message looks; each has one of them.
var bodies = []string{"is", "fields", "line", "text", "json", "parts"}

// loadBody reads what a message looks like. It is false where that is wrong.
func (p *Protocol) loadBody(m *messageDecl, keys map[string]source.Node, errs *source.Errors) bool {
	var given []string
	for _, key := range bodies {
		if !keys[key].IsNull() {
			given = append(given, key)
		}
	}
	if len(given) != 1 {
		errs.Add(m.pos, "message %s needs either fields:, line:, text:, json: or parts:, or is: with the name of a message that has them", m.name)
		return false
	}
	p.messages = append(p.messages, m)
	switch key := given[0]; key {
	case "fields":
		before := errs.Len()
		m.shape = &shapeDecl{name: m.name, fields: loadFields(keys["fields"], m.pos, errs)}
		m.shape.broken = errs.Len() > before
		p.shapes = append(p.shapes, m.shape)
	case "line", "text", "json":
		if len(m.where) > 0 {
			errs.Add(keys["where"].Pos(), "where: is for fields; a %s: says itself what it holds", key)
		}
		m.shape = p.bodyShape(key)
		m.where = loadTexts(m.shape.name, keys[key])
	case "parts":
		m.parts = keys["parts"].Items()
		m.shape = &shapeDecl{name: m.name}
	}
	return true
}

// resolveShape finds the fields that is: means.
func (p *Protocol) resolveShape(m *messageDecl, is source.Node, errs *source.Errors) {
	name := is.Text(errs)
	i := slices.IndexFunc(p.shapes, func(s *shapeDecl) bool { return s.name == name })
	if i >= 0 {
		m.shape = p.shapes[i]
		return
	}
	var names []string
	for _, s := range p.shapes {
		names = append(names, s.name)
	}
	errs.Add(is.Pos(), "%q is no message with fields", name).Hint = source.DidYouMean(name, names)
}

// bodyShape is the shape of all messages that are one line, text or JSON
// value: a field of that name that takes everything.
func (p *Protocol) bodyShape(name string) *shapeDecl {
	if name == "line" {
		name = "text" // a line is a text that the framing ends
	}
	if s := p.bodyShapes[name]; s != nil {
		return s
	}
	f := Field{Name: name, Type: Text, Rest: true}
	if name == "json" {
		f.Type = JSON
	}
	s := &shapeDecl{name: name, fields: []*fieldDecl{{field: f}}}
	if p.bodyShapes == nil {
		p.bodyShapes = map[string]*shapeDecl{}
	}
	p.bodyShapes[name] = s
	return s
}

// loadTexts reads one line, text or JSON value, or a list of which any may
// stand on the wire.
func loadTexts(key string, n source.Node) []whereDecl {
	var list []whereDecl
	items := []source.Node{n}
	if n.IsList() && (key != "json" || allMaps(n)) {
		items = n.Items()
	}
	for _, item := range items {
		c := conditionDecl{field: key, pos: item.Pos(), text: item.Raw(), textPos: item.Pos(), whole: true}
		if key == "json" {
			c.json = item
		}
		list = append(list, whereDecl{c})
	}
	return list
}

func allMaps(n source.Node) bool {
	return !slices.ContainsFunc(n.Items(), func(i source.Node) bool { return !i.IsMap() })
}
