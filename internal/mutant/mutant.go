// Package mutant makes correct servers wrong, in one way each, to find out
// whether a suite notices.
//
// A suite is only as good as the wrong servers that it catches. So the probe is
// put in front of a correct server with something in between that reads the
// protocol from its YAML file and breaks one thing: it forgets a departure,
// gives the sender an echo, takes half a message for a whole one, stops for
// everybody when one client does not read. Such a server is a mutant:
//
//	for _, m := range mutant.All(codec, census) {
//		session := engine.Session{Suite: suite, Launch: m.Breed(launch, codec), Config: config}
//		_, runs := session.Run(ctx, suite.Scenarios)
//		...
//	}
//
// A mutant that no scenario fails has survived: either the suite has a hole, or
// the mutant is correct too. [Equivalents] is the list of those.
//
// # How it is done
//
// A mutant is no process of its own. It sits in the connections: what a client
// of the probe writes comes to a room, which takes it apart into messages, and
// what the server answers comes back through it. Each write of the probe is
// seen as one segment, whatever the network would have made of it, so a mutant
// that is wrong about segments is always wrong in the same way. The server
// itself is talked to over real sockets.
//
// A room that breaks nothing must not be noticed: all that passes without it
// passes with it. Tests see to that for every suite.
package mutant

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// A Mutant is one way in which a server is wrong.
type Mutant struct {
	// Name is the operator, and after a slash what it is applied to, such as
	// "drop/left".
	Name string
	// About says what such a server does, in half a sentence.
	About string

	new       func(r *room) behaviour
	occasions *atomic.Int64
	// optional says that a suite need not ask for this at all: where no
	// scenario gives the occasion, there is no such mutant.
	optional bool
}

// Breed gives servers that are wrong in the way of m: each is one of launch,
// with the room of m in between. codec says how the protocol is read. Servers
// are independent of each other.
func (m Mutant) Breed(launch engine.Launch, codec *wire.Codec) engine.Launch {
	return func(ctx context.Context) (*engine.Target, error) {
		t, err := launch(ctx)
		if err != nil {
			return nil, fmt.Errorf("start the server behind the mutant %s: %w", m.Name, err)
		}
		r := newRoom(t, codec)
		r.occasions = m.occasions
		r.behaviour = m.new(r)
		return r.target(), nil
	}
}

// A behaviour is what a room does in its own way. Functions that are nil leave
// things as they are. All are called with room.mu held.
type behaviour struct {
	// segment is given what a client has written in one go, and returns what
	// the server gets. l.writes is as it was before. A behaviour has either
	// segment or up.
	segment func(l *link, b []byte) []byte
	// up is given each whole message of a client, and calls l.pass with what
	// the server gets.
	up func(l *link, m *message)
	// heard is like up, for those that only listen: the message passes.
	heard func(l *link, m *message)
	// down is given each whole message of the server, and calls l.deliver with
	// what the client gets.
	down func(l *link, m *message)
	// opened is told of each new connection.
	opened func(l *link)
	// leaves says whether the server learns that a client closes, half-closes
	// or resets its connection.
	leaves func(l *link, how departure) bool
	// serverCloses says whether the client learns that the server has closed
	// its connection.
	serverCloses func(l *link) bool
	// waits says that nothing of this connection goes on at the moment.
	waits func(l *link) bool
	// printed is what the server has printed, in its own words.
	printed func(all []byte) []byte
	// stops says whether the server obeys when it is told to stop, and exits
	// whether its end is seen.
	stops func(how string) bool
	exits func() bool
}

// departure is how a client ends its connection.
type departure int

const (
	closes departure = iota
	halfCloses
	resets
)

// A message is one whole message on its way.
type message struct {
	frame *wire.Frame
	kind  *wire.Message // nil for what is none
	args  wire.Args     // its parameters
	raw   []byte
}

// is says that m is of a kind.
func (m *message) is(kind string) bool { return m.kind != nil && m.kind.Name == kind }

// text is a parameter that is a text, or empty.
func (m *message) text(param string) string {
	s, _ := m.args[param].(string)
	return s
}
