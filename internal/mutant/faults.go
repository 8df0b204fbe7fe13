package mutant

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/chatprobe/chatprobe/internal/wire"
)

// A cause is something that a client may do and a server must bear.
type cause struct {
	name, what string
	is         func(l *link, m *message) bool
}

// causes are what kills servers.
func (s *subject) causes() []cause {
	words := s.words()
	list := []cause{
		{"garbage", "what is no message of the protocol", func(_ *link, m *message) bool { return m.kind == nil || m.kind.IsCatchAll() }},
		{"invalid-utf8", "bytes that are no UTF-8", func(_ *link, m *message) bool {
			return slices.ContainsFunc(m.texts(), func(t string) bool { return !utf8.ValidString(t) })
		}},
		{"zero-byte", "a text with a zero byte in it", func(_ *link, m *message) bool {
			return slices.ContainsFunc(m.texts(), func(t string) bool { return strings.Contains(t, "\x00") })
		}},
		{"empty-text", "an empty text", func(_ *link, m *message) bool {
			_, ok := m.args["text"]
			return ok && m.text("text") == ""
		}},
		{"long-text", "the longest text that is promised", func(_ *link, m *message) bool { return len(m.text("text")) >= s.longest() }},
		{"word", "a word inside a text that is a command where it stands alone", func(_ *link, m *message) bool {
			text := strings.ToLower(m.text("text"))
			return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
		}},
	}
	if login := s.login(); login != nil && login.FieldOf("user") != nil {
		list = append(list, cause{"name-in-use", "a login under a name that is in use", func(l *link, m *message) bool {
			if !m.isLogin() || m.text("user") == "" {
				return false
			}
			o := l.room.guest(m.text("user"))
			return o != nil && o != l
		}}, cause{"strange-name", "a login with a name that is empty or no UTF-8", func(_ *link, m *message) bool {
			return m.isLogin() && (m.text("user") == "" || !utf8.ValidString(m.text("user")))
		}})
	}
	if login := s.login(); login != nil && !login.First && login.FieldOf("user") != nil {
		list = append(list, cause{"second-login", "a second login on the same connection", func(l *link, m *message) bool {
			return m.isLogin() && l.logins > 0
		}})
	}
	return list
}

// login is the message by which a client enters, or nil.
func (s *subject) login() *wire.Message {
	i := slices.IndexFunc(s.codec.Messages(), func(m *wire.Message) bool { return m.From == wire.Client && m.Name == "login" })
	if i < 0 {
		return nil
	}
	return s.codec.Messages()[i]
}

func (s *subject) longest() int {
	if n, err := strconv.Atoi(s.codec.Settings["max_message"]); err == nil {
		return n
	}
	return 4096
}

func (m *message) isLogin() bool { return m.kind != nil && (m.kind.First || m.kind.Name == "login") }

// texts are all parameters, or all bytes of what is no message.
func (m *message) texts() []string {
	if m.kind == nil {
		return []string{string(m.raw)}
	}
	var list []string
	for _, v := range m.args {
		if t, ok := v.(string); ok {
			list = append(list, t)
		}
	}
	return list
}

// failing are mutants that some input is too much for.
func (s *subject) failing() []Mutant {
	var list []Mutant
	for _, c := range s.causes() {
		on := func(effect, about string, f func(l *link, m *message) (passes bool)) {
			list = append(list, s.make(effect+"/"+c.name, about+" "+c.what, func(r *room) behaviour {
				return behaviour{up: func(l *link, m *message) {
					if !c.is(l, m) {
						l.pass(m.raw)
						return
					}
					r.shows()
					if f(l, m) {
						l.pass(m.raw)
					}
				}}
			}))
		}
		on("dies", "dies of", func(l *link, _ *message) bool {
			l.room.die(crash)
			return false
		})
		on("hangs", "does nothing any more after", func(l *link, _ *message) bool {
			l.room.hang()
			return false
		})
		on("cuts-others", "closes the connections of the others after", func(l *link, _ *message) bool {
			for _, o := range l.room.others(l) {
				o.cut(false)
			}
			return true
		})
		switch c.name {
		case "garbage":
			on("answers-back", "sends back", func(l *link, m *message) bool {
				l.deliver(m.raw)
				return true
			})
			on("relays", "passes on to the others", func(l *link, m *message) bool {
				for _, o := range l.room.others(l) {
					o.deliver(bytes.Clone(m.raw))
				}
				return true
			})
		case "empty-text", "long-text", "zero-byte", "word":
			on("closes-on", "closes the connection of who sends", func(l *link, _ *message) bool {
				l.cut(false)
				return false
			})
			on("swallows", "swallows", func(*link, *message) bool { return false })
		case "name-in-use":
			on("throws-out-first", "closes the first connection at", func(l *link, m *message) bool {
				if o := l.room.guest(m.text("user")); o != nil {
					o.cut(false)
				}
				return true
			})
		}
	}
	list = append(list, s.cutOff()...)
	if !s.codec.IsDatagram(wire.Client) {
		list = append(list, s.lengthTooLarge()...)
	}
	return list
}

// cutOff are mutants that a message is too much for whose end never comes.
func (s *subject) cutOff() []Mutant {
	if s.codec.IsDatagram(wire.Client) {
		return nil
	}
	var list []Mutant
	for _, login := range []bool{true, false} {
		name, what := "cut-off-message", "a message whose end never comes"
		if login {
			name, what = "cut-off-login", "a login whose end never comes"
		}
		on := func(effect, about string, f func(r *room)) {
			list = append(list, s.make(effect+"/"+name, about+" "+what, func(r *room) behaviour {
				return behaviour{leaves: func(l *link, _ departure) bool {
					if l.writes.isBegun() && l.entered != login && !r.closed {
						r.shows()
						f(r)
					}
					return true
				}}
			}))
		}
		on("dies", "dies of", func(r *room) { r.die(crash) })
		on("hangs", "does nothing any more after", func(r *room) { r.hang() })
	}
	on := func(effect, about string, f func(r *room)) {
		list = append(list, s.make(effect+"/nothing-said", about+" a client that goes without a word", func(r *room) behaviour {
			return behaviour{leaves: func(l *link, _ departure) bool {
				if l.written == 0 && !r.closed {
					r.shows()
					f(r)
				}
				return true
			}}
		}))
	}
	on("dies", "dies of", func(r *room) { r.die(crash) })
	on("hangs", "does nothing any more after", func(r *room) { r.hang() })
	return list
}

// lengthTooLarge are mutants that believe a length which nobody can mean.
func (s *subject) lengthTooLarge() []Mutant {
	if !slices.ContainsFunc(s.said(wire.Client), func(k *wire.Message) bool {
		return slices.ContainsFunc(k.Lengths(), func(f *wire.Field) bool { return f.Type != wire.U8 && f.Type != wire.U16 })
	}) {
		return nil
	}
	var list []Mutant
	on := func(effect, about string, f func(l *link)) {
		list = append(list, s.make(effect+"/huge-length", about+" a length that nobody can mean", func(r *room) behaviour {
			return behaviour{segment: func(l *link, b []byte) []byte {
				all := append(bytes.Clone(l.writes.partial), b...)
				var frame wire.Frame
				if n, err := r.codec.Decode(&frame, all, wire.Client); err == wire.ErrShort && n > 16<<20 && !l.writes.raw {
					r.shows()
					f(l)
				}
				return b
			}}
		}))
	}
	on("dies", "dies of", func(l *link) { l.room.die("was killed: out of memory") })
	on("hangs", "does nothing any more after", func(l *link) { l.room.hang() })
	return list
}
