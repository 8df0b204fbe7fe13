package mutant

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// A Census is what was seen when the suite was played against the server as it
// is: which messages there are to be broken. It is filled by the servers of
// [Census.Count] and complete when they are closed.
type Census struct {
	mu     sync.Mutex
	kinds  map[wire.Side]map[string]int
	echoes bool // somebody received what it had said itself
	closes bool // the server has closed a connection by itself
}

// Count gives servers that are as they are, and counts what they and their
// clients say.
func (c *Census) Count(launch engine.Launch, codec *wire.Codec) engine.Launch {
	c.kinds = map[wire.Side]map[string]int{wire.Client: {}, wire.Server: {}}
	return Mutant{occasions: new(atomic.Int64), new: func(r *room) behaviour {
		return behaviour{
			heard: func(l *link, m *message) { c.add(wire.Client, l, m) },
			down: func(l *link, m *message) {
				c.add(wire.Server, l, m)
				l.deliver(m.raw)
			},
			serverCloses: func(*link) bool {
				c.mu.Lock()
				c.closes = true
				c.mu.Unlock()
				return true
			},
		}
	}}.Breed(launch, codec)
}

func (c *Census) add(from wire.Side, l *link, m *message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.kind != nil && !m.kind.IsCatchAll() {
		c.kinds[from][m.kind.Name]++
	}
	if from == wire.Server && l.isFrom(m) && m.is("hear") {
		c.echoes = true
	}
}

// isFrom says that m is something that l's own client has said.
func (l *link) isFrom(m *message) bool {
	if ip, port := m.text("ip"), m.text("port"); ip != "" || port != "" {
		own := addrPort(l.LocalAddr())
		return own.Addr().String() == ip && port == portOf(own)
	}
	return l.user != "" && m.text("user") == l.user
}

// subject is what mutants are made of: a protocol, and what is said in it.
type subject struct {
	codec  *wire.Codec
	census *Census
	// output says that some scenario looks at what the server prints, port that
	// one looks there for its port, and process that one stops it.
	output, port, process bool
}

// said are the messages of one side that were seen, in the order written.
func (s *subject) said(from wire.Side) []*wire.Message {
	var list []*wire.Message
	for _, m := range s.codec.Messages() {
		if m.From == from && s.census.kinds[from][m.Name] > 0 {
			list = append(list, m)
		}
	}
	return list
}

// standard is the message of that name and side which was seen or can be sent,
// or nil.
func (s *subject) standard(name string, from wire.Side) *wire.Message {
	m := s.codec.Message(name)
	if m == nil || m.From != from || from == wire.Server && m.CanSend() != nil {
		return nil
	}
	return m
}

// words are those which mean something to the server where they stand alone.
func (s *subject) words() []string {
	words := []string{"quit", "exit", "bye", "logout", "disconnect"}
	for _, m := range s.codec.Messages() {
		if m.From != wire.Client {
			continue
		}
		if b, err := s.codec.Example(m, wire.Args{"user": "", "text": "", "to": "", "line": ""}); err == nil {
			for _, word := range strings.Fields(string(b)) {
				if len(word) > 3 && isWord(word) {
					words = append(words, strings.ToLower(word))
				}
			}
		}
	}
	slices.Sort(words)
	return slices.Compact(words)
}

func isWord(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') }) < 0
}

// make is a mutant of a name.
func (s *subject) make(name, about string, new func(r *room) behaviour) Mutant {
	return Mutant{Name: name, About: about, new: new, occasions: new64()}
}

func new64() *atomic.Int64 { return new(atomic.Int64) }
