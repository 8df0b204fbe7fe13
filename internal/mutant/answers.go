package mutant

import (
	"fmt"
	"slices"

	"github.com/chatprobe/chatprobe/internal/wire"
)

// answering are mutants that ignore what a client sends, obey it twice, or say
// something else than what is true.
func (s *subject) answering() []Mutant {
	var list []Mutant
	for _, k := range s.said(wire.Client) {
		on := func(op, about string, f func(l *link, m *message)) {
			list = append(list, s.make(op+"/"+k.Name, fmt.Sprintf(about, k.Name), func(r *room) behaviour {
				return behaviour{up: func(l *link, m *message) {
					if !m.is(k.Name) {
						l.pass(m.raw)
						return
					}
					r.shows()
					f(l, m)
				}}
			}))
		}
		on("ignore", "takes no notice of %s", func(*link, *message) {})
		on("obey-twice", "does what %s asks two times", func(l *link, m *message) {
			l.pass(m.raw)
			l.pass(m.raw)
		})
		if !s.codec.IsDatagram(wire.Client) {
			on("close-after", "closes the connection after %s", func(l *link, m *message) {
				l.pass(m.raw)
				l.passNow()
				l.cut(false)
			})
		}
	}
	answers := s.answers()
	for _, k := range s.said(wire.Server) {
		if len(k.Params()) > 0 {
			continue
		}
		for _, other := range answers {
			raw, err := s.codec.Encode(other, nil, nil)
			if err != nil || other.Name == k.Name || s.fits(k, raw) {
				continue
			}
			list = append(list, s.make("instead/"+k.Name+"/"+other.Name, "sends "+other.Name+" where "+k.Name+" is due", func(r *room) behaviour {
				return behaviour{down: func(l *link, m *message) {
					if !m.is(k.Name) {
						l.deliver(m.raw)
						return
					}
					r.shows()
					l.deliver(raw)
				}}
			}))
		}
	}
	if s.census.closes {
		list = append(list, s.make("never-closes", "leaves connections open where they are to be closed", func(r *room) behaviour {
			return behaviour{serverCloses: func(*link) bool {
				r.shows()
				return false
			}}
		}))
	}
	return list
}

// answers are the messages of the server that hold nothing but themselves.
func (s *subject) answers() []*wire.Message {
	return slices.DeleteFunc(slices.Clone(s.codec.Messages()), func(m *wire.Message) bool {
		return m.From != wire.Server || len(m.Params()) > 0 || m.CanSend() != nil
	})
}

// fits says that the bytes are a message of a kind.
func (s *subject) fits(k *wire.Message, raw []byte) bool {
	var f wire.Frame
	_, err := s.codec.Decode(&f, raw, wire.Server)
	return err == nil && k.Match(&f, nil, nil)
}
