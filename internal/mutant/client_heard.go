package mutant

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/chatprobe/chatprobe/internal/wire"
)

// hearing are mutants that read something else than what comes.
func (s *subject) hearing() []ClientMutant {
	var list []ClientMutant
	answers := s.answers()
	for _, k := range s.said(wire.Server) {
		// on hears messages of this kind in its own way.
		on := func(op, about string, hear func(v *visit, m *message)) {
			list = append(list, s.client(op, fmt.Sprintf(about, k.Name), func(v *visit) habit {
				return habit{hears: func(m *message) {
					if !m.is(k.Name) {
						v.deliver(m.raw)
						return
					}
					v.counts()
					hear(v, m)
				}}
			}))
		}
		on("deaf-for/"+k.Name, "takes no notice of %s", func(*visit, *message) {})
		list = append(list, s.deafOnce("deaf-after/"+k.Name, "takes no notice of anything that comes after "+k.Name,
			func(_ *visit, m *message) bool { return m.is(k.Name) }).ifAny())
		if k.FieldOf("text") != nil {
			on("heard-twice/"+k.Name, "takes %s for two", func(v *visit, m *message) {
				v.deliver(m.raw)
				v.deliver(m.raw)
			})
		}
		on("dies-of/"+k.Name, "ends with the trace of an error when %s comes", func(v *visit, m *message) {
			v.die()
		})
		if slices.ContainsFunc(k.Shape.Fields, func(f *wire.Field) bool { return f.Type.IsInteger() && f.Type != wire.U8 }) {
			on("heard-byte-order/"+k.Name, "reads the numbers of %s with their bytes in the other order", func(v *visit, m *message) {
				if m.frame != nil {
					v.deliver(swapped(m))
				}
			})
		}
		if len(k.Params()) > 0 || s.codec.IsDatagram(wire.Server) {
			continue
		}
		for _, other := range answers {
			raw, err := s.codec.Encode(other, nil, nil)
			if err == nil && other.Name != k.Name && !s.fits(k, raw) {
				on("mistakes/"+k.Name+"/"+other.Name, "takes %s for "+other.Name, func(v *visit, _ *message) { v.deliver(raw) })
			}
		}
		if raw, err := s.codec.Encode(k, nil, nil); err == nil && k.CanSend() == nil && len(raw) > 8 {
			list = append(list, s.obeying(k, strings.TrimSpace(string(raw))))
		}
	}
	list = append(list, s.inPieces()...)
	for _, c := range s.scares() {
		if c.name != "while-typing" { // the user types on before anything else comes
			list = append(list, s.deafOnce("deaf-after/"+c.name, "takes no notice of anything that comes after "+c.what, c.is).ifAny())
		}
		list = append(list,
			s.client("dies-of/"+c.name, "ends with the trace of an error at "+c.what, func(v *visit) habit {
				return habit{hears: func(m *message) {
					if c.is(v, m) {
						v.counts()
						v.die()
						return
					}
					v.deliver(m.raw)
				}}
			}).ifAny(),
			s.client("leaves-at/"+c.name, "closes its connection at "+c.what, func(v *visit) habit {
				return habit{hears: func(m *message) {
					if c.is(v, m) {
						v.counts()
						v.hangUp()
						return
					}
					v.deliver(m.raw)
				}}
			}).ifAny())
	}
	return list
}

// deafOnce hears nothing after some message.
func (s *subject) deafOnce(name, about string, is func(v *visit, m *message) bool) ClientMutant {
	return s.client(name, about, func(v *visit) habit {
		return habit{hears: func(m *message) {
			if v.noted["deaf"] > 0 {
				v.counts()
				return
			}
			if is(v, m) {
				v.note("deaf", 1)
			}
			v.deliver(m.raw)
		}}
	})
}

// obeying does what a message asks for although it stands within a text.
func (s *subject) obeying(k *wire.Message, order string) ClientMutant {
	return s.client("obeys-within/"+k.Name, "obeys "+k.Name+" within a text", func(v *visit) habit {
		return habit{hears: func(m *message) {
			if !m.is(k.Name) && strings.Contains(m.text("text"), order) {
				v.counts()
				if raw, err := s.codec.Encode(k, nil, nil); err == nil {
					v.deliver(raw)
					return
				}
			}
			v.deliver(m.raw)
		}}
	})
}

// A scare is something that may come and that a client has to bear.
type scare struct {
	name, what string
	is         func(v *visit, m *message) bool
}

func (s *subject) scares() []scare {
	var usual [][]byte
	for _, k := range s.codec.Messages() {
		if k.From == wire.Server && len(k.Params()) == 0 && k.CanSend() == nil {
			if raw, err := s.codec.Encode(k, nil, nil); err == nil {
				usual = append(usual, raw)
			}
		}
	}
	text := func(name, what string, is func(text string) bool) scare {
		return scare{name, what, func(_ *visit, m *message) bool {
			_, has := m.args["text"]
			return has && is(m.text("text"))
		}}
	}
	list := []scare{
		text("empty-text", "an empty text", func(t string) bool { return t == "" }),
		text("invalid-utf8", "a text that is no UTF-8", func(t string) bool { return !utf8.ValidString(t) }),
		text("not-ascii", "a text that is not ASCII", func(t string) bool {
			return strings.ContainsFunc(t, func(r rune) bool { return r > 127 })
		}),
		text("controls", "control characters", func(t string) bool { return strings.Contains(t, "\x1b") }),
		text("long-text", "a text of more than 1024 bytes", func(t string) bool { return len(t) > 1024 }),
		text("very-long-text", "a text of more than 65,000 bytes", func(t string) bool { return len(t) > 65_000 }),
		text("colons", "a text with several colons", func(t string) bool { return strings.Count(t, ":") > 1 }),
		{"other-words", "an answer in other words than usual", func(_ *visit, m *message) bool {
			return m.kind != nil && len(m.kind.Params()) == 0 && !slices.ContainsFunc(usual, func(raw []byte) bool { return bytes.Equal(raw, m.raw) })
		}},
		{"while-typing", "what comes while a line is half typed", func(v *visit, m *message) bool { return v.half }},
		{"nobody", "a message with an empty name", func(_ *visit, m *message) bool {
			return m.frame != nil && slices.ContainsFunc(m.frame.Values, func(v wire.Value) bool { return v.Field.Type == wire.Text && v.Size == 0 }) &&
				m.text("text") != "" && m.text("user") == ""
		}},
	}
	if s.codec.IsDatagram(wire.Server) {
		list = append(list, scare{"garbage", "a datagram that is no message", func(_ *visit, m *message) bool { return m.kind == nil || m.kind.IsCatchAll() }})
	}
	return list
}

// inPieces are mutants that take what recv() returns for a message. They make
// sense only where a message may come in pieces.
func (s *subject) inPieces() []ClientMutant {
	if s.codec.IsDatagram(wire.Server) || s.codec.Unframed(wire.Server) {
		return nil
	}
	var list []ClientMutant
	on := func(name, about string, read func(v *visit, whole []*message, rest []byte) []*message) {
		list = append(list, s.client(name, about, func(v *visit) habit {
			return habit{piece: func(whole []*message, rest []byte) []byte {
				var b []byte
				for _, m := range read(v, whole, rest) {
					b = append(b, m.raw...)
				}
				return b
			}}
		}))
	}
	some := func(name, about string, pick func(whole []*message) []*message) {
		on(name, about, func(v *visit, whole []*message, _ []byte) []*message {
			if len(whole) < 2 {
				return whole
			}
			v.counts()
			return pick(whole)
		})
	}
	some("first-of-segment", "takes the first message of each segment and loses the others", func(w []*message) []*message { return w[:1] })
	some("last-of-segment", "takes the last message of each segment and loses the others", func(w []*message) []*message { return w[len(w)-1:] })
	on("piece-lost", "throws away the unfinished message at the end of a segment", func(v *visit, whole []*message, rest []byte) []*message {
		if len(rest) > 0 {
			v.counts()
			v.came.rest(func([]byte) {})
		}
		return whole
	})
	on("piece-kills", "ends with the trace of an error where a segment ends in the middle of a message", func(v *visit, whole []*message, rest []byte) []*message {
		if len(rest) > 0 {
			v.counts()
			v.die()
		}
		return whole
	})
	on("half-character-kills", "ends with the trace of an error where a segment ends in the middle of a character", func(v *visit, whole []*message, rest []byte) []*message {
		if endsInCharacter(rest) {
			v.counts()
			v.die()
		}
		return whole
	})
	list = append(list, s.client("decodes-each-piece", "shows ? for a character of which a part comes in another segment", func(v *visit) habit {
		return habit{piece: func(whole []*message, rest []byte) []byte {
			if endsInCharacter(rest) {
				v.counts()
				if !v.isShadow {
					v.came.partial[len(rest)-1] = '?'
				}
			}
			var b []byte
			for _, m := range whole {
				b = append(b, m.raw...)
			}
			return b
		}}
	}))
	for _, n := range []int{1024, 4096, 16384} {
		on(fmt.Sprintf("receives-%d", n), fmt.Sprintf("loses a message of more than %d bytes", n), func(v *visit, whole []*message, _ []byte) []*message {
			return slices.DeleteFunc(slices.Clone(whole), func(m *message) bool {
				if len(m.raw) <= n {
					return false
				}
				v.counts()
				return true
			})
		})
	}
	if end := s.codec.LineEnd(wire.Server); len(end) > 0 {
		on("needs-cr", "knows a line only by carriage return and line feed", func(v *visit, whole []*message, _ []byte) []*message {
			return slices.DeleteFunc(slices.Clone(whole), func(m *message) bool {
				if bytes.HasSuffix(m.raw, []byte("\r\n")) {
					return false
				}
				v.counts()
				return true
			})
		})
	}
	return list
}

// endsInCharacter says that b ends in the middle of a character.
func endsInCharacter(b []byte) bool {
	for i := len(b) - 1; i >= max(len(b)-utf8.UTFMax, 0); i-- {
		if utf8.RuneStart(b[i]) {
			return !utf8.FullRune(b[i:])
		}
	}
	return false
}
