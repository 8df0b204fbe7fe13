package wire

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Match says whether f is such a message with these parameters. Parameters
// that args leaves open are added to found, unless that is nil.
func (m *Message) Match(f *Frame, args, found Args) bool {
	if f.Shape != m.Shape || m.First && !f.first {
		return false
	}
	for _, w := range m.except {
		if w.match(f, args, nil) {
			return false
		}
	}
	if len(m.parts) > 0 {
		return m.matchParts(f, args, found)
	}
	for _, w := range m.where {
		var got Args // what fits one alternative says nothing about another
		if found != nil {
			got = Args{}
		}
		if w.match(f, args, got) && m.matchOpen(f, args, got) {
			maps.Copy(found, got)
			return true
		}
	}
	return false
}

// matchParts looks at each part. A parameter that two of them have is the same
// in both.
func (m *Message) matchParts(f *Frame, args, found Args) bool {
	all := maps.Clone(args)
	if all == nil {
		all = Args{}
	}
	got := Args{}
	for i, part := range m.parts {
		if !part.Match(&f.parts[i], all, got) {
			return false
		}
		maps.Copy(all, got)
	}
	if found != nil {
		maps.Copy(found, got)
	}
	return true
}

func (w where) match(f *Frame, args, found Args) bool {
	for _, c := range w {
		v := f.value(c.field)
		if v == nil || !c.match(f, v, args, found) {
			return false
		}
	}
	return true
}

// match says whether v, a value of f, is what the condition says.
func (c *condition) match(f *Frame, v *Value, args, found Args) bool {
	switch {
	case c.json != nil:
		return c.json.match(v.json, args, found)
	case c.isFixed:
		return v.Number == c.number
	case c.field.Type.isNumber():
		name := []byte(c.field.show(v.Number))
		digits := strconv.AppendUint(nil, v.Number, 10)
		return c.pattern.match(name, args, found) || c.pattern.match(digits, args, nil)
	}
	return c.pattern.match(f.text(v), args, found)
}

// matchOpen compares the fields that are parameters themselves.
func (m *Message) matchOpen(f *Frame, args, found Args) bool {
	for i := range f.Values {
		v := &f.Values[i]
		if !m.isOpen(v.Field) {
			continue
		}
		want, ok := args[v.Field.Name]
		got := f.plain(v)
		if !ok {
			if found != nil {
				found[v.Field.Name] = got
			}
			continue
		}
		if !same(v.Field, want, got) {
			return false
		}
	}
	return true
}

// same compares a parameter with what a field holds; lists in any order.
func same(f *Field, want, got any) bool {
	switch want := want.(type) {
	case string:
		if f.Type.isNumber() {
			n, err := f.number(want)
			return err == nil && got == any(f.show(n))
		}
		if f.Type == IP {
			a, err := netip.ParseAddr(want)
			return err == nil && got == any(a.Unmap().String())
		}
		return got == any(want)
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return false
		}
		entry := f.carries()
		rest := slices.Clone(list)
		for _, w := range want {
			i := slices.IndexFunc(rest, func(g any) bool { return same(entry, w, g) })
			if i < 0 {
				return false
			}
			rest = slices.Delete(rest, i, i+1)
		}
		return true
	}
	return false
}

// String is the message's name.
func (m *Message) String() string { return m.Name }

// Describe says in words which fields are expected to hold what under args:
// `a hear with Username "alice", Message "hello"`.
func (m *Message) Describe(args Args) string {
	var parts []string
	for _, name := range m.params {
		switch v := args[name].(type) {
		case string:
			parts = append(parts, fmt.Sprintf("%s %s", name, quoteShort(v)))
		case Raw:
			parts = append(parts, fmt.Sprintf("%s %s", name, v))
		case []any:
			parts = append(parts, fmt.Sprintf("%s %s", name, quoteList(v)))
		}
	}
	if len(parts) == 0 {
		return m.Name
	}
	return m.Name + " with " + strings.Join(parts, ", ")
}
