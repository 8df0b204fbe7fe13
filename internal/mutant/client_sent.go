package mutant

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/charmap"

	"github.com/chatprobe/chatprobe/internal/wire"
)

// sending are mutants that send something else than what is typed.
func (s *subject) sending() []ClientMutant {
	var list []ClientMutant
	kinds := s.said(wire.Client)
	for _, k := range kinds {
		if k.IsCatchAll() {
			continue
		}
		// on sends messages of this kind in its own way.
		on := func(op, about string, send func(v *visit, m *message)) {
			list = append(list, s.client(op+"/"+k.Name, fmt.Sprintf(about, k.Name), func(v *visit) habit {
				return habit{sends: func(m *message) {
					if !m.is(k.Name) {
						v.pass(m.raw)
						return
					}
					v.counts()
					send(v, m)
				}}
			}))
		}
		on("drop", "does not send %s", func(*visit, *message) {})
		on("twice", "sends %s twice", func(v *visit, m *message) {
			v.pass(m.raw)
			v.pass(m.raw)
		})
		list = append(list, s.once(k))
		list = append(list, s.late(k))
		if end := s.codec.LineEnd(wire.Client); len(end) > 0 {
			on("no-line-end", "sends %s without its line end", func(v *visit, m *message) {
				v.pass(bytes.TrimRight(m.raw, "\r\n"))
			})
			on("line-end-first", "sends the line end of %s in front of it", func(v *visit, m *message) {
				v.pass(append([]byte("\n"), bytes.TrimRight(m.raw, "\r\n")...))
			})
		}
		on("more-behind", "sends a zero byte behind %s", func(v *visit, m *message) {
			v.pass(append(bytes.Clone(m.raw), 0))
		})
		on("less", "sends %s without its last byte", func(v *visit, m *message) {
			v.pass(m.raw[:len(m.raw)-1])
		})
		for _, other := range kinds {
			if other == k || len(other.Params()) > 0 || other.IsCatchAll() {
				continue
			}
			if raw, err := s.codec.Encode(other, nil, nil); err == nil {
				list = append(list, s.client("instead/"+k.Name+"/"+other.Name, "sends "+other.Name+" where "+k.Name+" is due", func(v *visit) habit {
					return habit{sends: func(m *message) {
						if m.is(k.Name) {
							v.counts()
							v.pass(raw)
							return
						}
						v.pass(m.raw)
					}}
				}))
			}
		}
		list = append(list, s.repeating(k))
		list = append(list, s.spoilSent(k)...)
		list = append(list, s.sentNumbers(k)...)
	}
	return list
}

// once sends the first message of a kind.
func (s *subject) once(k *wire.Message) ClientMutant {
	return s.client("second-lost/"+k.Name, "sends one "+k.Name+" and no other", func(v *visit) habit {
		return habit{sends: func(m *message) {
			if m.is(k.Name) {
				if v.note("sent", v.noted["sent"]+1); v.noted["sent"] > 1 {
					v.counts()
					return
				}
			}
			v.pass(m.raw)
		}}
	}).ifAny()
}

// late holds a message back until the program sends another.
func (s *subject) late(k *wire.Message) ClientMutant {
	return s.client("late/"+k.Name, "sends "+k.Name+" when it has something else to send", func(v *visit) habit {
		var held [][]byte
		return habit{sends: func(m *message) {
			waiting := held
			held = nil
			if m.is(k.Name) {
				v.counts()
				held = [][]byte{m.raw}
			}
			for _, raw := range waiting {
				v.pass(raw)
			}
			if !m.is(k.Name) {
				v.pass(m.raw)
			}
		}}
	})
}

// repeating sends a message for each one that comes: the last of its kind, or
// thanks.
func (s *subject) repeating(k *wire.Message) ClientMutant {
	return s.client("answers/"+k.Name, "sends "+k.Name+" when a message comes", func(v *visit) habit {
		last, _ := s.codec.Example(k, wire.Args{"user": v.user, "text": "thank you"})
		return habit{
			sends: func(m *message) {
				if m.is(k.Name) {
					last = m.raw
				}
				v.pass(m.raw)
			},
			hears: func(m *message) {
				v.deliver(m.raw)
				if last != nil {
					v.counts()
					v.pass(last)
				}
			},
		}
	})
}

// altered is m, which a side has sent, with a parameter changed.
func (s *subject) altered(m *message, from wire.Side, param string, change func(string) string) []byte {
	field, value := m.kind.FieldOf(param), m.text(param)
	raw, err := s.codec.Alter(m.frame, from, func(f *wire.Field, held any) any {
		text, ok := held.(string)
		if !ok || f != field {
			return held
		}
		if at := strings.LastIndex(text, value); at >= 0 {
			return text[:at] + change(value) + text[at+len(value):]
		}
		return held
	}, nil)
	if err != nil {
		return m.raw // it cannot be said in this protocol
	}
	return raw
}

// spoilSent changes what the messages of a kind hold.
func (s *subject) spoilSent(k *wire.Message) []ClientMutant {
	var list []ClientMutant
	spoil := func(param string, mangle mangler) {
		name := fmt.Sprintf("%s-%s/%s", param, mangle.name, k.Name)
		about := fmt.Sprintf("sends %s with its %s %s", k.Name, param, mangle.about)
		list = append(list, s.client(name, about, func(v *visit) habit {
			return habit{sends: func(m *message) {
				raw := m.raw
				if m.is(k.Name) {
					raw = s.altered(m, wire.Client, param, mangle.change)
				}
				if !bytes.Equal(raw, m.raw) {
					v.counts()
				}
				v.pass(raw)
			}}
		}))
		list[len(list)-1].optional = mangle.rare()
	}
	for _, param := range k.Params() {
		if k.FieldOf(param) == nil {
			continue
		}
		if param == "text" {
			for _, mangle := range s.lineManglers() {
				spoil(param, mangle)
			}
			spoil(param, mangler{name: "newline-behind", about: "with a line feed behind it", change: func(t string) string { return t + "\n" }})
			spoil(param, mangler{name: "nul-behind", about: "with a zero byte behind it", change: func(t string) string { return t + "\x00" }})
			spoil(param, mangler{name: "empty", about: "empty", change: func(string) string { return "" }})
			spoil(param, mangler{name: "latin1", about: "in Latin-1", change: latin1})
			spoil(param, mangler{name: "quoted", about: "in quotation marks", change: strconv.Quote})
			list = append(list, s.splitSent(k)...)
			continue
		}
		for _, mangle := range nameManglers {
			spoil(param, mangle)
		}
		spoil(param, mangler{name: "empty", about: "empty", change: func(string) string { return "" }})
		spoil(param, mangler{name: "colon-behind", about: "with a colon behind it", change: func(t string) string { return t + ":" }})
	}
	return list
}

// latin1 is a text in Latin-1, with ? for what that does not have.
func latin1(text string) string {
	var b strings.Builder
	for _, r := range text {
		if c, ok := charmap.ISO8859_1.EncodeRune(r); ok {
			b.WriteByte(c)
		} else {
			b.WriteByte('?')
		}
	}
	return b.String()
}

// splitSent sends a long text as several messages.
func (s *subject) splitSent(k *wire.Message) []ClientMutant {
	var list []ClientMutant
	for _, n := range []int{512, 1024, 4096} {
		about := fmt.Sprintf("sends a text of more than %d bytes as several %s", n, k.Name)
		list = append(list, s.client(fmt.Sprintf("split-at-%d/%s", n, k.Name), about, func(v *visit) habit {
			return habit{sends: func(m *message) {
				text := m.text("text")
				if !m.is(k.Name) || len(text) <= n {
					v.pass(m.raw)
					return
				}
				v.counts()
				for part := range slices.Chunk([]byte(text), n) {
					v.pass(s.altered(m, wire.Client, "text", func(string) string { return string(part) }))
				}
			}}
		}))
		list[len(list)-1].optional = n > 1024
	}
	return list
}

// sentNumbers are mutants of the numbers and the letters in a message.
func (s *subject) sentNumbers(k *wire.Message) []ClientMutant {
	var list []ClientMutant
	on := func(name, about string, change func(m *message) []byte) {
		list = append(list, s.client(name+"/"+k.Name, about, func(v *visit) habit {
			return habit{sends: func(m *message) {
				raw := m.raw
				if m.is(k.Name) && m.frame != nil {
					raw = change(m)
				}
				if !bytes.Equal(raw, m.raw) {
					v.counts()
				}
				v.pass(raw)
			}}
		}).ifAny())
	}
	for _, f := range k.Lengths() {
		for _, by := range []int{-1, 1} {
			word := map[int]string{-1: "too-small", 1: "too-large"}[by]
			about := fmt.Sprintf("sends %s with a %s that is one %s", k.Name, f.Name, strings.ReplaceAll(word, "-", " "))
			on(f.Name+"-"+word, about, func(m *message) []byte {
				n, ok := number(m.frame, f)
				if !ok || int(n)+by < 0 {
					return m.raw
				}
				raw, err := s.codec.Alter(m.frame, wire.Client, asItIs, wire.Args{f.Name: strconv.FormatUint(n+uint64(by), 10)})
				if err != nil {
					return m.raw
				}
				return raw
			})
		}
	}
	on("upper", "sends "+k.Name+" in capital letters", func(m *message) []byte { return bytes.ToUpper(m.raw) })
	on("lower", "sends "+k.Name+" in small letters", func(m *message) []byte { return bytes.ToLower(m.raw) })
	if slices.ContainsFunc(k.Shape.Fields, func(f *wire.Field) bool { return f.Type.IsInteger() && f.Type != wire.U8 }) {
		on("byte-order", "sends the numbers of "+k.Name+" with their bytes in the other order", swapped)
	}
	return list
}

// swapped is a message with the bytes of each number in the other order.
func swapped(m *message) []byte {
	raw := bytes.Clone(m.raw)
	for _, v := range m.frame.Values {
		if v.Field.Type.IsInteger() {
			slices.Reverse(raw[v.Start : v.Start+v.Size])
		}
	}
	return raw
}
