package report

import (
	"maps"
	"slices"
	"time"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// A Scene is what is known about a capture as a whole while its messages come:
// when it begins, and who is behind each connection. Each message is to be
// learnt before it is given to [Messages], also one that is not shown.
type Scene struct {
	// User is the name under which a message logs in, or empty if it does not.
	// It is asked about messages from clients; nil means that none is known.
	User func(*transcript.Decoded) string
	// Begin is the time of the first message that has one: what is shown as 0.
	Begin time.Time

	names map[link]string
}

// A link is a client's connection with a server. The number of a connection
// alone does not tell one over TCP from one over UDP.
type link struct {
	conn           int
	client, server string
}

// maxNames bounds for how many connections names are kept.
const maxNames = 1 << 16

func linkOf(m *transcript.Decoded) link {
	if m.From == "server" {
		return link{m.Conn, m.Receiver, m.Sender}
	}
	return link{m.Conn, m.Sender, m.Receiver}
}

// Learn looks at the next message of the capture.
func (s *Scene) Learn(m *transcript.Decoded) {
	if s.Begin.IsZero() {
		s.Begin = m.Time
	}
	if s.User == nil || m.From == "server" || m.Malformed != "" {
		return
	}
	name := s.User(m)
	if name == "" {
		return
	}
	if s.names == nil {
		s.names = map[link]string{}
	}
	at := linkOf(m)
	if _, known := s.names[at]; known || len(s.names) < maxNames {
		s.names[at] = clean(name)
	}
}

// begin is the time that is shown as 0 when m is shown first.
func (s *Scene) begin(m *transcript.Decoded) time.Time {
	if s.Begin.IsZero() {
		s.Begin = m.Time
	}
	return s.Begin
}

// Name is the user who has logged in on the connection of m, last if several
// have; empty as long as nobody has.
func (s *Scene) Name(m *transcript.Decoded) string {
	if len(s.names) == 0 {
		return ""
	}
	return s.names[linkOf(m)]
}

// Names are the users who have logged in, in alphabetical order.
func (s *Scene) Names() []string {
	names := slices.Sorted(maps.Values(s.names))
	return slices.Compact(names)
}
