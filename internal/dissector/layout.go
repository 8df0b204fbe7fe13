package dissector

import (
	"reflect"
	"regexp"
	"unsafe"

	"golang.org/x/text/encoding/charmap"

	"github.com/chatprobe/chatprobe/internal/wire"
)

// A layout is what one side can send, as package wire has it.
type layout struct {
	Framing  framing
	Shapes   []*wire.Shape
	Messages []*message // in the order written, also those in parts
}

// A framing is how the bytes of one direction split.
type framing struct {
	Kind   string // fields, line, length, json, datagram or chunk
	Sought string // what ends a line
	AnyCR  bool   // a carriage return before that does not belong to the line
	Length *wire.Field
	Whole  bool // the length counts itself too
}

// A message is a kind of message and what its fields hold.
type message struct {
	*wire.Message
	Where, Except [][]condition
	Parts         []*message
}

// A condition says what one field holds: a number, a pattern, or a template.
type condition struct {
	Field    *wire.Field
	Fixed    bool
	Number   uint64
	Pattern  *pattern
	Template *template
}

// A pattern is literal text with parameters, or a regular expression.
type pattern struct {
	Parts []part
	Regex *regexp.Regexp
}

type part struct {
	Literal, Param string
	Rest           bool
}

// A template is what a JSON value is; kind is one of object, array, text,
// param and literal.
type template struct {
	Kind    string
	Keys    []string
	Items   []*template
	Pattern *pattern
	Param   string
	Literal any // a json.Number, bool or nil
}

// layoutOf is what a side can send under the settings of c.
//
// Package wire keeps all of this to itself, and this looks at it there: nothing
// is changed, and a test of every kind of protocol fails where a name differs.
func layoutOf(c *wire.Codec, side wire.Side) layout {
	way := inside(reflect.ValueOf(c), string(side))
	l := layout{Framing: framingOf(inside(way, "framing"))}
	for shapes, i := inside(way, "shapes"), 0; i < shapes.Len(); i++ {
		l.Shapes = append(l.Shapes, shapes.Index(i).Interface().(*wire.Shape))
	}
	for _, m := range c.Messages() {
		if m.From == side {
			l.Messages = append(l.Messages, messageOf(m))
		}
	}
	return l
}

// inside is a field of a struct, or of what points to one, whoever may see it.
func inside(v reflect.Value, name string) reflect.Value {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	f := v.FieldByName(name)
	return reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem()
}

func framingOf(v reflect.Value) framing {
	end := inside(v, "end")
	return framing{
		Kind:   []string{"fields", "line", "length", "json", "datagram", "chunk"}[inside(v, "kind").Int()],
		Sought: string(inside(end, "sought").Bytes()),
		AnyCR:  inside(end, "anyCR").Bool(),
		Length: inside(v, "length").Interface().(*wire.Field),
		Whole:  inside(v, "whole").Bool(),
	}
}

func messageOf(m *wire.Message) *message {
	v := reflect.ValueOf(m)
	out := &message{Message: m, Where: conditionsOf(inside(v, "where")), Except: conditionsOf(inside(v, "except"))}
	for parts, i := inside(v, "parts"), 0; i < parts.Len(); i++ {
		out.Parts = append(out.Parts, messageOf(parts.Index(i).Interface().(*wire.Message)))
	}
	return out
}

func conditionsOf(list reflect.Value) [][]condition {
	var all [][]condition
	for i := range list.Len() {
		var w []condition
		for k := range list.Index(i).Len() {
			v := list.Index(i).Index(k)
			w = append(w, condition{
				Field:    inside(v, "field").Interface().(*wire.Field),
				Fixed:    inside(v, "isFixed").Bool(),
				Number:   inside(v, "number").Uint(),
				Pattern:  patternOf(inside(v, "pattern")),
				Template: templateOf(inside(v, "json")),
			})
		}
		all = append(all, w)
	}
	return all
}

func patternOf(v reflect.Value) *pattern {
	if v.IsNil() {
		return nil
	}
	if inside(v, "regex").Len() > 0 {
		return &pattern{Regex: inside(inside(v, "open"), "re").Interface().(*regexp.Regexp)}
	}
	p := &pattern{}
	for parts, i := inside(v, "parts"), 0; i < parts.Len(); i++ {
		o := parts.Index(i)
		p.Parts = append(p.Parts, part{inside(o, "literal").String(), inside(o, "param").String(), inside(o, "rest").Bool()})
	}
	return p
}

func templateOf(v reflect.Value) *template {
	if v.IsNil() {
		return nil
	}
	t := &template{
		Kind:    []string{"object", "array", "text", "param", "literal"}[inside(v, "kind").Int()],
		Pattern: patternOf(inside(v, "pattern")),
		Param:   inside(v, "param").String(),
		Literal: inside(v, "literal").Interface(),
	}
	for keys, i := inside(v, "keys"), 0; i < keys.Len(); i++ {
		t.Keys = append(t.Keys, keys.Index(i).String())
	}
	for items, i := inside(v, "items"), 0; i < items.Len(); i++ {
		t.Items = append(t.Items, templateOf(items.Index(i)))
	}
	return t
}

// charsetOf is the encoding of the texts of a protocol; nil for UTF-8.
func charsetOf(shapes []*wire.Shape) *charmap.Charmap {
	for _, s := range shapes {
		for _, f := range s.Fields {
			if c := inside(reflect.ValueOf(f), "charset").Interface().(*charmap.Charmap); c != nil {
				return c
			}
		}
	}
	return nil
}
