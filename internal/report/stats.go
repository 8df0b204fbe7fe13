package report

import (
	"cmp"
	"slices"
	"time"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// Stats say what there is in a capture. They are plain data.
type Stats struct {
	Messages  int          `json:"messages"`  // what is malformed included
	Bytes     int          `json:"bytes"`     // of all messages
	Malformed int          `json:"malformed"` // what is no message
	Begin     time.Time    `json:"begin,omitzero"`
	End       time.Time    `json:"end,omitzero"`
	Kinds     []KindStats  `json:"kinds"`   // most frequent first, what is malformed last
	Clients   []ConnStats  `json:"clients"` // in order of appearance
	More      int          `json:"more_messages,omitempty"`
	Trouble   *Trouble     `json:"first_malformed,omitempty"`
	Capture   CaptureStats `json:"capture"`
}

// KindStats are about messages of one kind.
type KindStats struct {
	Protocol  string `json:"protocol"`
	Name      string `json:"name"` // empty if nothing fits
	From      string `json:"from"` // client or server
	Malformed bool   `json:"malformed,omitempty"`
	Count     int    `json:"count"`
	Bytes     int    `json:"bytes"`
}

// ConnStats are about one connection, or one conversation over UDP.
type ConnStats struct {
	Conn      int    `json:"connection"`
	Client    string `json:"client"`         // its address
	User      string `json:"user,omitempty"` // who has logged in
	Server    string `json:"server"`
	Protocol  string `json:"protocol"`
	Sent      int    `json:"sent"`     // messages of the client
	Received  int    `json:"received"` // messages of the server
	Bytes     int    `json:"bytes"`
	Malformed int    `json:"malformed"`
}

// A Trouble is something malformed.
type Trouble struct {
	Number int    `json:"number"` // of the message
	Reason string `json:"reason"`
}

// CaptureStats are about the packets, whether they belong to messages or not.
type CaptureStats struct {
	Packets     int      `json:"packets"`
	TCP         int      `json:"tcp"` // packets
	UDP         int      `json:"udp"`
	Other       int      `json:"other"`
	Connections int      `json:"connections"`         // over TCP
	Repeated    int      `json:"repeated"`            // packets all of whose bytes had come before
	Conflict    int      `json:"conflicting"`         // packets that repeat bytes with other contents
	Gaps        int      `json:"gaps"`                // places in streams where bytes are missing
	Missing     int64    `json:"missing"`             // bytes
	Dropped     int      `json:"dropped,omitempty"`   // packets that came too fast for a live capture
	Strangers   []string `json:"strangers,omitempty"` // connections without a message
	Doubts      []string `json:"doubts,omitempty"`    // servers that may speak another protocol
	Error       string   `json:"error,omitempty"`     // where the file stops making sense
}

// maxConns bounds of how many connections a [Counter] keeps account.
const maxConns = 1 << 16

// A Counter makes [Stats] of messages as they come.
type Counter struct {
	scene *Scene
	stats Stats
	kinds map[KindStats]*KindStats // by what is no number
	conns map[link]*ConnStats
	order []*ConnStats
}

// NewCounter makes a counter. Names are those that the scene knows.
func NewCounter(scene *Scene) *Counter {
	return &Counter{scene: scene, kinds: map[KindStats]*KindStats{}, conns: map[link]*ConnStats{}}
}

// Add counts one message.
func (c *Counter) Add(m *transcript.Decoded) error {
	s := &c.stats
	s.Messages++
	s.Bytes += m.Bytes.Length
	if s.Begin.IsZero() {
		s.Begin, s.End = m.Time, m.Time
	}
	if m.Time.After(s.End) {
		s.End = m.Time
	}
	malformed := 0
	if m.Malformed != "" {
		malformed = 1
		if s.Trouble == nil {
			s.Trouble = &Trouble{m.Number, clean(m.Malformed)}
		}
	}
	s.Malformed += malformed
	key := KindStats{Protocol: m.Protocol, Name: m.Name, From: m.From, Malformed: m.Malformed != ""}
	if key.Malformed {
		key.Name = ""
	}
	k := c.kinds[key]
	if k == nil {
		k = &key
		c.kinds[key] = k
	}
	k.Count++
	k.Bytes += m.Bytes.Length
	at := linkOf(m)
	conn := c.conns[at]
	if conn == nil {
		if len(c.conns) == maxConns {
			s.More++
			return nil
		}
		conn = &ConnStats{Conn: m.Conn, Client: at.client, Server: at.server, Protocol: m.Protocol}
		c.conns[at] = conn
		c.order = append(c.order, conn)
	}
	conn.User = cmp.Or(c.scene.Name(m), conn.User)
	conn.Bytes += m.Bytes.Length
	conn.Malformed += malformed
	if m.From == "server" {
		conn.Received++
	} else {
		conn.Sent++
	}
	return nil
}

// Stats are what was counted so far.
func (c *Counter) Stats(capture CaptureStats) *Stats {
	s := c.stats
	s.Capture = capture
	s.Kinds, s.Clients = []KindStats{}, []ConnStats{}
	for _, k := range c.kinds {
		s.Kinds = append(s.Kinds, *k)
	}
	slices.SortFunc(s.Kinds, func(a, b KindStats) int {
		switch {
		case b.Malformed && !a.Malformed:
			return -1
		case a.Malformed && !b.Malformed:
			return 1
		}
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.From, b.From), cmp.Compare(a.Name, b.Name))
	})
	for _, conn := range c.order {
		s.Clients = append(s.Clients, *conn)
	}
	return &s
}
