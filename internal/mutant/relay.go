package mutant

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/chatprobe/chatprobe/internal/wire"
)

// relaying are mutants that give a message to the wrong clients, too often or
// too late.
func (s *subject) relaying() []Mutant {
	var list []Mutant
	for _, k := range s.said(wire.Server) {
		name := k.Name
		each := func(op, about string, f func(l *link, m *message)) {
			list = append(list, s.make(op+"/"+name, fmt.Sprintf(about, name), func(r *room) behaviour {
				return behaviour{down: func(l *link, m *message) {
					if !m.is(name) {
						l.deliver(m.raw)
						return
					}
					f(l, m)
				}}
			}))
		}
		each("drop", "never sends %s", func(l *link, m *message) { l.room.shows() })
		each("drop-for-newest", "sends %s to all but the client that came last", func(l *link, m *message) {
			if l.number > 1 && l.number == len(l.room.links) {
				l.room.shows()
				return
			}
			l.deliver(m.raw)
		})
		if slices.Contains([]string{"hear", "told", "joined", "left", "closing", "listed"}, name) {
			each("drop-for-second", "never sends %s to the client that came second", func(l *link, m *message) {
				if l.number == 2 {
					l.room.shows()
					return
				}
				l.deliver(m.raw)
			})
			list = append(list, s.firstOnly(name))
		}
		each("twice", "sends every %s twice", func(l *link, m *message) {
			l.room.shows()
			l.deliver(m.raw)
			l.deliver(m.raw)
		})
		list = append(list, s.delay(name), s.toStrangers(name))
		if k.FieldOf("text") != nil {
			list = append(list, s.sameOnce(name))
		}
		if !slices.Contains([]string{"hear", "joined", "left", "closing"}, name) {
			list = append(list, s.toEverybody(name), s.toOther(name))
		}
	}
	return append(list, s.speaking()...)
}

// delay holds a message until another one is to be sent to the same client.
func (s *subject) delay(name string) Mutant {
	return s.make("delay/"+name, "holds "+name+" back until it sends the client something else", func(r *room) behaviour {
		held := map[*link][]byte{}
		return behaviour{
			down: func(l *link, m *message) {
				if m.is(name) && held[l] == nil {
					held[l] = m.raw
					r.shows()
					return
				}
				l.deliver(m.raw)
				if held[l] != nil {
					l.deliver(held[l])
					delete(held, l)
				}
			},
			serverCloses: func(l *link) bool {
				l.deliver(held[l])
				return true
			},
		}
	})
}

func (s *subject) firstOnly(name string) Mutant {
	return s.make("first-only/"+name, "sends each client its first "+name+" and no other", func(r *room) behaviour {
		had := map[*link]bool{}
		return behaviour{down: func(l *link, m *message) {
			switch {
			case !m.is(name):
			case had[l]:
				r.shows()
				return
			default:
				had[l] = true
			}
			l.deliver(m.raw)
		}}
	})
}

func (s *subject) sameOnce(name string) Mutant {
	return s.make("same-once/"+name, "does not send the same "+name+" twice in a row", func(r *room) behaviour {
		last := map[*link][]byte{}
		return behaviour{down: func(l *link, m *message) {
			if m.is(name) && bytes.Equal(last[l], m.raw) {
				r.shows()
				return
			}
			last[l] = m.raw
			l.deliver(m.raw)
		}}
	})
}

func (s *subject) toStrangers(name string) Mutant {
	return s.make("to-strangers/"+name, "sends "+name+" also to clients that have not logged in", func(r *room) behaviour {
		var last []byte
		return behaviour{
			// The same message goes to many: strangers get it once for each cause.
			heard: func(*link, *message) { last = nil },
			down: func(l *link, m *message) {
				l.deliver(m.raw)
				if !m.is(name) || bytes.Equal(last, m.raw) {
					return
				}
				last = m.raw
				for _, o := range r.others(l) {
					if !o.entered {
						r.shows()
						o.deliver(m.raw)
					}
				}
			},
		}
	})
}

func (s *subject) toEverybody(name string) Mutant {
	return s.make("to-everybody/"+name, "sends "+name+" to everybody, and not only to the one that it is for", func(r *room) behaviour {
		return behaviour{down: func(l *link, m *message) {
			l.deliver(m.raw)
			if !m.is(name) {
				return
			}
			for _, o := range r.others(l) {
				r.shows()
				o.deliver(m.raw)
			}
		}}
	})
}

func (s *subject) toOther(name string) Mutant {
	return s.make("to-another/"+name, "sends "+name+" to another client than the one that it is for", func(r *room) behaviour {
		return behaviour{down: func(l *link, m *message) {
			others := r.others(l)
			if !m.is(name) || len(others) == 0 {
				l.deliver(m.raw)
				return
			}
			r.shows()
			others[0].deliver(m.raw)
		}}
	})
}

// speaking are mutants about who hears what a client says, and under which name.
func (s *subject) speaking() []Mutant {
	var list []Mutant
	for _, pair := range [][2]string{{"say", "hear"}, {"tell", "told"}} {
		say, hear := s.standard(pair[0], wire.Client), s.standard(pair[1], wire.Server)
		if say == nil || hear == nil {
			continue
		}
		tell := func(to *link, from *link, m *message) {
			args := wire.Args{"user": m.text("user"), "text": m.args["text"]}
			if args["user"] == "" {
				args["user"] = from.user
			}
			own := addrPort(from.LocalAddr())
			args["ip"], args["port"] = own.Addr().String(), portOf(own)
			if b, err := to.room.codec.Encode(hear, args, nil); err == nil {
				to.room.shows()
				to.deliver(b)
			}
		}
		said := func(name, about string, f func(l *link, m *message) (goesOn bool)) {
			list = append(list, s.make(name, about, func(r *room) behaviour {
				return behaviour{up: func(l *link, m *message) {
					if !m.is(say.Name) || f(l, m) {
						l.pass(m.raw)
					}
				}}
			}))
		}
		said("echo/"+hear.Name, "sends a client what it has said itself, once more than is due", func(l *link, m *message) bool {
			tell(l, l, m)
			return true
		})
		said("strangers-heard/"+hear.Name, "passes on what is said by who has not logged in", func(l *link, m *message) bool {
			if l.entered {
				return true
			}
			for _, o := range l.room.others(l) {
				if o.entered && (m.text("to") == "" || o.user == m.text("to")) {
					tell(o, l, m)
				}
			}
			return true
		})
		if say.FieldOf("user") != nil {
			said("impersonation/"+hear.Name, "passes on what a client says under the name of another", func(l *link, m *message) bool {
				if !l.entered || m.text("user") == l.user {
					return true
				}
				for _, o := range l.room.others(l) {
					if o.entered {
						tell(o, l, m)
					}
				}
				return true
			})
		}
		if to := say.FieldOf("to"); to != nil {
			said("to-nobody-heard/"+hear.Name, "delivers to somebody what is for a user that does not exist", func(l *link, m *message) bool {
				if l.room.guest(m.text("to")) == nil {
					if others := l.room.others(l); len(others) > 0 {
						tell(others[0], l, m)
					}
				}
				return true
			})
		}
		if s.census.echoes {
			list = append(list, s.make("no-echo/"+hear.Name, "does not send a client what it has said itself", func(r *room) behaviour {
				return behaviour{down: func(l *link, m *message) {
					if m.is(hear.Name) && l.isFrom(m) {
						r.shows()
						return
					}
					l.deliver(m.raw)
				}}
			}))
		}
	}
	return list
}

func addrPort(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	switch a := a.(type) {
	case *net.TCPAddr:
		ap = a.AddrPort()
	case *net.UDPAddr:
		ap = a.AddrPort()
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

func portOf(a netip.AddrPort) string { return strconv.Itoa(int(a.Port())) }
