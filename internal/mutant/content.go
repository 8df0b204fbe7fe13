package mutant

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/chatprobe/chatprobe/internal/wire"
)

// A mangler spoils a text.
type mangler struct {
	name, about string
	change      func(string) string
	// optional says that not every protocol can carry a text in which this
	// makes a difference.
	optional bool
}

// textManglers are what servers do to what is said.
func (s *subject) textManglers() []mangler {
	list := []mangler{
		{"lower", "in small letters", strings.ToLower, false},
		{"upper", "in capitals", strings.ToUpper, false},
		{"blank-behind", "with a blank behind it", func(t string) string { return t + " " }, false},
		{"newline-behind", "with a line feed behind it", func(t string) string { return t + "\n" }, true},
		{"nul-behind", "with a zero byte behind it", func(t string) string { return t + "\x00" }, false},
		{"last-lost", "without its last byte", func(t string) string { return t[:max(len(t)-1, 0)] }, false},
		{"first-lost", "without its first byte", func(t string) string { return t[min(len(t), 1):] }, false},
		{"trimmed", "without blanks at its ends", strings.TrimSpace, false},
		{"left-trimmed", "without blanks at its beginning", func(t string) string { return strings.TrimLeft(t, " \t") }, false},
		{"right-trimmed", "without blanks at its end", func(t string) string { return strings.TrimRight(t, " \t\r\n") }, false},
		{"one-blank", "with one blank where there were several", func(t string) string { return strings.Join(strings.Fields(t), " ") }, false},
		{"ascii", "with ? for what is not ASCII", func(t string) string {
			return strings.Map(func(r rune) rune {
				if r > 127 {
					return '?'
				}
				return r
			}, t)
		}, false},
		{"ascii-only", "without what is not ASCII", func(t string) string {
			return strings.Map(func(r rune) rune {
				if r > 127 {
					return -1
				}
				return r
			}, t)
		}, false},
		{"as-latin1", "read as Latin-1 and written as UTF-8", func(t string) string {
			out, err := charmap.ISO8859_1.NewDecoder().String(t)
			if err != nil {
				return t
			}
			return out
		}, false},
		{"counted-in-characters", "cut, because its length is counted in characters and not in bytes", func(t string) string {
			return t[:min(utf8.RuneCountInString(t), len(t))]
		}, false},
		{"bmp-only", "with ? for characters beyond 16 bits", func(t string) string {
			return strings.Map(func(r rune) rune {
				if r > 0xffff {
					return '?'
				}
				return r
			}, t)
		}, false},
		{"cut-at-zero", "up to the first zero byte", func(t string) string { return before(t, "\x00") }, true},
		{"cut-at-newline", "up to the first line feed", func(t string) string { return before(t, "\n") }, true},
		{"cut-at-return", "up to the first carriage return", func(t string) string { return before(t, "\r") }, true},
		{"cut-at-colon", "up to the first colon behind its first character", func(t string) string {
			if t == "" {
				return t
			}
			return t[:1] + before(t[1:], ":")
		}, false},
		{"first-word", "up to the first blank behind a word", func(t string) string {
			if fields := strings.Fields(t); len(fields) > 1 {
				return fields[0]
			}
			return t
		}, false},
	}
	for _, n := range s.sizes() {
		list = append(list, mangler{
			fmt.Sprintf("cut-at-%d", n), fmt.Sprintf("cut after %d bytes", n), func(t string) string { return t[:min(len(t), n)] }, false,
		})
	}
	return list
}

// sizes are those of the buffers that servers have, below what is promised.
func (s *subject) sizes() []int {
	most := 4096
	if n, err := strconv.Atoi(s.codec.Settings["max_message"]); err == nil {
		most = n
	}
	var sizes []int
	for _, n := range []int{64, 255, 512, 1000, 1024, 4096, 16384, most - 1} {
		if n < most && !slices.Contains(sizes, n) {
			sizes = append(sizes, n)
		}
	}
	return sizes
}

var nameManglers = []mangler{
	{"lower", "in small letters", strings.ToLower, false},
	{"upper", "in capitals", strings.ToUpper, false},
	{"cut-at-4", "cut after 4 bytes", func(t string) string { return t[:min(len(t), 4)] }, false},
	{"cut-at-16", "cut after 16 bytes", func(t string) string { return t[:min(len(t), 16)] }, false},
	{"blank-behind", "with a blank behind it", func(t string) string { return t + " " }, false},
	{"other", "replaced by another", func(string) string { return "nobody" }, false},
}

// spoiling are mutants that change what a message holds.
func (s *subject) spoiling() []Mutant {
	var list []Mutant
	for _, k := range s.said(wire.Server) {
		if k.FieldOf("text") != nil {
			for _, mangle := range s.textManglers() {
				m := s.spoil(k, "text", mangle)
				m.optional = mangle.optional
				list = append(list, m)
			}
			list = append(list, s.emptyLost(k))
			if k.FieldOf("user") != nil {
				list = append(list, s.tellingItself(k))
			}
			for _, n := range s.sizes() {
				if n >= 512 && n < s.longest()-1 {
					list = append(list, s.splitting(k, n))
				}
			}
		}
		for _, param := range k.Params() {
			switch {
			case param == "text" || k.IsList(param):
			case k.FieldOf(param) != nil && k.FieldOf(param).Type <= wire.Digits:
				list = append(list, s.renumber(k, k.FieldOf(param))...)
			case param == "user":
				for _, mangle := range nameManglers {
					list = append(list, s.spoil(k, param, mangle))
				}
			default:
				list = append(list, s.spoil(k, param, mangler{"other", "replaced by another", lastChanged, false}))
			}
			if k.IsList(param) {
				list = append(list, s.listing(k, param)...)
			}
		}
		list = append(list, s.numbers(k)...)
	}
	return list
}

// spoil changes a parameter of a kind of message.
func (s *subject) spoil(k *wire.Message, param string, mangle mangler) Mutant {
	name := fmt.Sprintf("%s-%s/%s", param, mangle.name, k.Name)
	about := fmt.Sprintf("sends %s with its %s %s", k.Name, param, mangle.about)
	return s.rewriting(name, about, k, func(l *link, m *message) []byte { return l.spoiled(m, param, mangle.change) })
}

// rewriting sends one kind of message in another form than the server does.
func (s *subject) rewriting(name, about string, k *wire.Message, change func(l *link, m *message) []byte) Mutant {
	return s.make(name, about, func(r *room) behaviour {
		return behaviour{down: func(l *link, m *message) {
			raw := m.raw
			if m.is(k.Name) {
				raw = change(l, m)
			}
			if !bytes.Equal(raw, m.raw) {
				r.shows()
			}
			l.deliver(raw)
		}}
	})
}

// altered is m with fields changed, as [wire.Codec.Alter] does it, or as it is
// where that cannot be said in this protocol. mu is held.
func (l *link) altered(m *message, change func(*wire.Field, any) any, set wire.Args) []byte {
	raw, err := l.room.codec.Alter(m.frame, wire.Server, change, set)
	if err != nil {
		return m.raw
	}
	return raw
}

// spoiled is m with a parameter changed. Where only a regular expression says
// where it stands, known names are looked for. mu is held.
func (l *link) spoiled(m *message, param string, change func(string) string) []byte {
	field, value := m.kind.FieldOf(param), m.text(param)
	return l.altered(m, func(f *wire.Field, held any) any {
		text, ok := held.(string)
		if !ok || f != field {
			return held
		}
		if value != "" || text == "" {
			if at := strings.LastIndex(text, value); at >= 0 {
				return text[:at] + change(value) + text[at+len(value):]
			}
		}
		if param == "user" {
			for _, o := range l.room.links {
				if o.user != "" && strings.Contains(text, o.user) {
					return strings.ReplaceAll(text, o.user, change(o.user))
				}
			}
		}
		return held
	}, nil)
}

func (s *subject) emptyLost(k *wire.Message) Mutant {
	return s.make("empty-lost/"+k.Name, "does not send "+k.Name+" where its text is empty", func(r *room) behaviour {
		return behaviour{down: func(l *link, m *message) {
			if m.is(k.Name) && m.text("text") == "" {
				r.shows()
				return
			}
			l.deliver(m.raw)
		}}
	})
}

// tellingItself has each client hear everything in its own name.
func (s *subject) tellingItself(k *wire.Message) Mutant {
	about := "sends " + k.Name + " with the name of its receiver"
	return s.rewriting("user-own/"+k.Name, about, k, func(l *link, m *message) []byte {
		if l.user == "" {
			return m.raw
		}
		return l.spoiled(m, "user", func(string) string { return l.user })
	})
}

// renumber has a number that means something hold something else.
func (s *subject) renumber(k *wire.Message, field *wire.Field) []Mutant {
	var list []Mutant
	for _, to := range field.Enum {
		about := fmt.Sprintf("sends %s with %s %s, whatever it should be", k.Name, field.Name, to.Name)
		list = append(list, s.rewriting(fmt.Sprintf("%s-%s/%s", field.Name, to.Name, k.Name), about, k, func(l *link, m *message) []byte {
			return l.altered(m, asItIs, wire.Args{field.Name: to.Name})
		}))
	}
	return list
}

// splitting has a long text come as several messages.
func (s *subject) splitting(k *wire.Message, size int) Mutant {
	about := fmt.Sprintf("sends a text of more than %d bytes as several %s", size, k.Name)
	return s.make(fmt.Sprintf("split-at-%d/%s", size, k.Name), about, func(r *room) behaviour {
		return behaviour{down: func(l *link, m *message) {
			text := m.text("text")
			if !m.is(k.Name) || len(text) <= size {
				l.deliver(m.raw)
				return
			}
			r.shows()
			for part := range slices.Chunk([]byte(text), size) {
				l.deliver(l.spoiled(m, "text", func(string) string { return string(part) }))
			}
		}}
	})
}

// listing are mutants of a message that holds a list of users.
func (s *subject) listing(k *wire.Message, param string) []Mutant {
	var list []Mutant
	spoil := func(op, about string, change func(l *link, entries []any) []any) {
		list = append(list, s.rewriting(op+"/"+k.Name, "sends "+k.Name+" "+about, k, func(l *link, m *message) []byte {
			return l.altered(m, func(_ *wire.Field, held any) any {
				if entries, ok := held.([]any); ok {
					return change(l, slices.Clone(entries))
				}
				return held
			}, nil)
		}))
	}
	spoil("list-empty", "with nobody in it", func(*link, []any) []any { return []any{} })
	spoil("list-without-last", "without the last", func(_ *link, e []any) []any { return e[:max(len(e)-1, 0)] })
	spoil("list-without-first", "without the first", func(_ *link, e []any) []any { return e[min(len(e), 1):] })
	spoil("list-without-asker", "without the one that asked", func(l *link, e []any) []any {
		return slices.DeleteFunc(e, func(v any) bool { return v == any(l.user) })
	})
	spoil("list-twice", "with everybody twice", func(_ *link, e []any) []any { return append(e, e...) })
	spoil("list-with-stranger", "with somebody who is not there", func(_ *link, e []any) []any { return append(e, "nobody") })
	spoil("list-lower", "in small letters", func(_ *link, e []any) []any {
		for i, v := range e {
			if text, ok := v.(string); ok {
				e[i] = strings.ToLower(text)
			}
		}
		return e
	})
	spoil("list-of-all-times", "with those who have gone", func(l *link, e []any) []any {
		for _, o := range l.room.links {
			if o.user != "" && o.entered && o.user == strings.TrimSpace(o.user) && o.left && !slices.Contains(e, any(o.user)) {
				e = append(e, o.user)
			}
		}
		return e
	})
	for _, n := range []int{4} {
		spoil(fmt.Sprintf("list-of-%d", n), fmt.Sprintf("with no more than %d in it", n), func(_ *link, e []any) []any { return e[:min(len(e), n)] })
	}
	return list
}

// numbers are mutants of the numbers in a message.
func (s *subject) numbers(k *wire.Message) []Mutant {
	var list []Mutant
	for _, f := range k.Lengths() {
		for _, by := range []int{-1, 1} {
			word := map[int]string{-1: "too-small", 1: "too-large"}[by]
			about := fmt.Sprintf("sends %s with a %s that is one %s", k.Name, f.Name, strings.ReplaceAll(word, "-", " "))
			list = append(list, s.rewriting(fmt.Sprintf("%s-%s/%s", f.Name, word, k.Name), about, k, func(l *link, m *message) []byte {
				n, ok := number(m.frame, f)
				if !ok || int(n)+by < 0 {
					return m.raw
				}
				return l.altered(m, asItIs, wire.Args{f.Name: strconv.FormatUint(n+uint64(by), 10)})
			}))
		}
	}
	if slices.ContainsFunc(k.Shape.Fields, func(f *wire.Field) bool { return f.Type.IsInteger() && f.Type != wire.U8 }) {
		about := "sends the numbers of " + k.Name + " with their bytes in the other order"
		list = append(list, s.rewriting("byte-order/"+k.Name, about, k, func(_ *link, m *message) []byte {
			raw := bytes.Clone(m.raw)
			for _, v := range m.frame.Values {
				if v.Field.Type.IsInteger() {
					slices.Reverse(raw[v.Start : v.Start+v.Size])
				}
			}
			return raw
		}))
	}
	return list
}

func asItIs(_ *wire.Field, held any) any { return held }

func number(f *wire.Frame, field *wire.Field) (uint64, bool) {
	if f != nil {
		for _, v := range f.Values {
			if v.Field == field {
				return v.Number, true
			}
		}
	}
	return 0, false
}

// lastChanged is t with another last character.
func lastChanged(t string) string {
	if t == "" {
		return t
	}
	last := byte('1')
	if t[len(t)-1] == last {
		last = '2'
	}
	return t[:len(t)-1] + string(last)
}

// before is what stands in front of the first sep.
func before(t, sep string) string {
	head, _, _ := strings.Cut(t, sep)
	return head
}
