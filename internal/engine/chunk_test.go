package engine

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// endless is a server by lines that neither sends nor expects the end of one:
// what a read returns is a message.
func endless(r *room, c *pipeConn) {
	defer c.Close()
	var me *member
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		if err != nil {
			break
		}
		text := strings.TrimSpace(string(buf[:n]))
		r.mu.Lock()
		name, ok := strings.CutPrefix(text, "REGISTER ")
		switch {
		case ok && me == nil:
			me = &member{conn: c, name: strings.TrimSuffix(name, " CHAT/1.0")}
			r.members = append(r.members, me)
			_, _ = c.Write([]byte("200 Registration successful"))
		case me != nil:
			for _, m := range r.members {
				if m != me {
					_, _ = m.conn.Write([]byte(text))
				}
			}
		}
		r.mu.Unlock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, m := range r.members {
		if m == me {
			r.members = append(r.members[:i], r.members[i+1:]...)
			break
		}
	}
}

// atEndless plays one scenario of the lines protocol at a server without ends
// of lines.
func atEndless(t *testing.T, text string, config Config) (transcript.Suite, transcript.Run) {
	t.Helper()
	suite := builtin(t, "lines", text)
	var header transcript.Suite
	var runs []transcript.Run
	synctest.Test(t, func(t *testing.T) { header, runs = perform(t, suite, config, rules{serve: endless}) })
	return header, runs[0]
}

// TestWithoutEndsOfLines keeps messages apart by pauses, and asks nothing of a
// server that only an end could make possible.
func TestWithoutEndsOfLines(t *testing.T) {
	config := Config{Trusted: true, Transcripts: true, Seed: 7, Settings: map[string]string{"end": "none"}}
	const apart = "alice sends: {say: {text: one}}"
	for name, test := range map[string]struct {
		lines  []string
		skip   string
		reason string
	}{
		"two messages": {[]string{apart, "alice sends: {say: {text: two}}", "bob receives: {hear: {user: $alice, text: one}}\nnext: yes",
			"bob receives: {hear: {user: $alice, text: two}}\nnext: yes", "alice, bob receive nothing:"}, "", ""},
		"three times":        {[]string{apart + "\ntimes: 3", "bob receives: {hear: {user: $alice, text: one}}\ntimes: 3", "bob receives nothing:"}, "", ""},
		"the answer":         {[]string{"carol does: login\nsettle: no", "carol receives: ok", "bob receives nothing:"}, "", ""},
		"something comes":    {[]string{apart, "bob receives no: {hear: {text: one}}"}, "", "bob received one"},
		"in pieces":          {[]string{apart + "\npieces: 1"}, "is about messages in pieces, and here nothing but the sender's write says where one ends", ""},
		"several in a write": {[]string{"alice sends: [{say: {text: a}}, {say: {text: b}}]"}, "is about messages in pieces, and here nothing but the sender's write says where one ends", ""},
		"cut bytes":          {[]string{"alice sends text: hello\ncut: 2"}, "is about messages in pieces, and here nothing but the sender's write says where one ends", ""},
		"a reader that stops": {[]string{"alice stops reading:", "bob sends: {say: {text: x}}"},
			"has a client that does not read for a while, and here what waits for it would run together", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, run := atEndless(t, steps(two, test.lines...), config)
			switch {
			case test.skip != "":
				check(t, run, transcript.Skip, test.skip)
			case test.reason != "":
				check(t, run, transcript.Fail, test.reason)
			default:
				check(t, run, transcript.Pass, "")
			}
		})
	}
}

// TestEndIsFoundOut: which end a line has is tried, and reported.
func TestEndIsFoundOut(t *testing.T) {
	header, run := atEndless(t, steps(two, "alice sends: {say: {text: one}}", "bob receives: {hear: {text: one}}"), Config{Seed: 7})
	check(t, run, transcript.Pass, "")
	if header.Finding != "" {
		t.Errorf("finding: %s", header.Finding)
	}
	for _, s := range header.Settings {
		if s.Name == "end" && (s.Value != "none" || s.Origin != transcript.Found) {
			t.Errorf("end is %s, %s", s.Value, s.Origin)
		}
	}
	if len(header.Settings) == 0 {
		t.Error("no settings are reported")
	}
}

// partsText has deliveries that travel as a name and then a text, and notices
// that travel alone.
const partsText = `
protocol: parts
framing: {length: digits, width: 10, pad: right}
requirements: {F-3: {level: must, text: it}}
messages:
  login: {from: client, first: true, text: '{user}'}
  say: {from: client, text: '{text...}'}
  name: {text: 'FROM {user}'}
  body: {text: '{text...}'}
  hear: {from: server, parts: [name, body]}
  left: {from: server, text: '{user} has left'}
procedures: {login: [client sends: login]}
fence: {token: {say: {text: $token}}, arrives: {hear: {user: $self, text: $token}}}
`

// partsServer serves partsText on a real socket, with a pause between the two
// parts of each delivery.
type partsServer struct {
	pause time.Duration
	mu    sync.Mutex
	conns map[net.Conn]string
}

func (s *partsServer) launch(context.Context) (*Target, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.conns = map[net.Conn]string{}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			work.Go(func() { s.serve(conn) })
		}
	})
	return &Target{Dial: DialTCP(ln.Addr().String()), Close: func() {
		ln.Close()
		s.mu.Lock()
		for conn := range s.conns {
			conn.Close()
		}
		s.mu.Unlock()
		work.Wait()
	}}, nil
}

func (s *partsServer) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	name, err := takePart(in)
	if err != nil {
		return
	}
	s.mu.Lock()
	s.conns[conn] = name
	s.mu.Unlock()
	for {
		text, err := takePart(in)
		if err != nil {
			break
		}
		s.tell(conn, "FROM "+name, text)
	}
	s.mu.Lock()
	delete(s.conns, conn)
	s.mu.Unlock()
	s.tell(conn, name+" has left")
}

func takePart(in io.Reader) (string, error) {
	head := make([]byte, 10)
	if _, err := io.ReadFull(in, head); err != nil {
		return "", err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(head)))
	if err != nil || n > 1<<20 {
		return "", fmt.Errorf("length %q", head)
	}
	body := make([]byte, n)
	_, err = io.ReadFull(in, body)
	return string(body), err
}

// tell sends parts, one after another, to all but one.
func (s *partsServer) tell(except net.Conn, parts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		for i, part := range parts {
			if i > 0 {
				time.Sleep(s.pause)
			}
			if conn != except {
				fmt.Fprintf(conn, "%-10d%s", len(part), part)
			}
		}
	}
}

// TestParts: two frames are one message, also when the second comes later, and
// what stands alone is a message at once.
func TestParts(t *testing.T) {
	leavesNothing(t)
	text := steps(three, "alice sends: {say: {text: hello}}", "bob, carol receive: {hear: {user: $alice, text: hello}}\nnext: true",
		"alice sends: {say: {text: ''}}", "bob receives: {hear: {user: $alice, text: ''}}\nnext: true",
		"alice closes:", "bob receives: {left: {user: $alice}}", "carol sends: {say: {text: on}}", "bob receives: {hear: {user: $carol, text: on}}",
		"bob receives nothing:")
	for _, pause := range []time.Duration{0, idleWait / 3} {
		suite := loadFiles(t, partsText, text)
		s := &Session{Suite: suite, Launch: (&partsServer{pause: pause}).launch, Config: Config{Trusted: true, Transcripts: true, Seed: 7}}
		_, runs := s.Run(t.Context(), suite.Scenarios)
		check(t, runs[0], transcript.Pass, "")
	}
	// A first part without a second is no delivery.
	suite := loadFiles(t, partsText, steps("", "mallory connects:", "mallory receives: {hear: {user: bob}}"))
	half := func(_ *room, c *pipeConn) {
		defer c.Close()
		_, _ = fmt.Fprintf(c, "%-10dFROM bob", 8)
		_, _ = io.Copy(io.Discard, c)
	}
	synctest.Test(t, func(t *testing.T) {
		_, runs := perform(t, suite, Config{Trusted: true, Seed: 7}, rules{serve: half})
		check(t, runs[0], transcript.Fail, "one other message came for mallory, and not this one within 2s")
	})
}
