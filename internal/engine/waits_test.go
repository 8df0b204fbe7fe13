package engine

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

const two = "clients: [alice, bob]"

// hello is what most plays here are about.
var hello = []string{"alice sends: {say: {text: hello}}", "bob receives: {hear: {user: $alice, text: hello}}"}

func TestPassingPlayTakesNoTime(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		time time.Duration
	}{
		"receives":        {steps(two, hello...), 0},
		"crowd":           {steps("clients: [alice, 20 others]", "alice sends: {say: {text: hello}}", "others receive: {hear: {user: $alice}}"), 0},
		"logs in":         {steps(two, "carol does: login", "alice, bob receive: {joined: {user: $carol}}"), 0},
		"alone":           {steps("clients: [alice]", "bob does: login"), 0},
		"leaves":          {steps(two, "alice closes:", "bob receives: {left: {user: $alice}}"), 0},
		"resets":          {steps(two, "alice resets:", "bob receives: {left: {user: $alice}}"), 0},
		"returns":         {steps(two, "alice resets:", "bob receives: {left: {user: $alice}}", "alice does: login\nuntil: settled"), 0},
		"in pieces":       {steps(two, hello[0]+"\npieces: 1", hello[1]), 0},
		"refused":         {steps(two, "mallory does: login\nas: $alice\nsettle: no", "mallory is disconnected:"), 0},
		"silence":         {steps(two, hello[0], hello[1], "alice receives no: {hear: {text: hello}}"), settleWait},
		"departed":        {steps(two, "alice closes:", "bob receives no: {hear: {user: $alice}}"), settleWait},
		"stays connected": {steps(two, "bob stays connected:"), settleWait},
		"two silences":    {steps(two, "alice receives no: {hear: {text: hello}}", "bob receives nothing:"), 2 * settleWait},
		"is up":           {steps(two, "server is up:", "server is up:"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			run := playOne(t, test.text, trusted(), rules{})
			check(t, run, transcript.Pass, "")
			took(t, run, test.time)
			if len(run.Notes) > 0 {
				t.Errorf("notes: %v", run.Notes)
			}
		})
	}
}

// mute keeps what hello says from bob; say is called instead.
func mute(say func(r *room, bob *member)) func(*room, *member, frame) bool {
	return func(r *room, m *member, f frame) bool {
		if f.text != "hello" {
			return false
		}
		if say != nil {
			say(r, r.find("bob"))
		}
		return true
	}
}

// TestWaitEndings has a wait for one message end in every way that there is.
// Each is a sentence of its own, said as soon as it is true.
func TestWaitEndings(t *testing.T) {
	for name, test := range map[string]struct {
		rules  rules
		reason string
		after  time.Duration
	}{
		"nothing":       {rules{relay: mute(nil)}, "nothing came for bob within 2s", 2 * time.Second},
		"another":       {rules{relay: mute(func(r *room, bob *member) { r.send(bob, frame{"alice", "hullo"}) })}, "one other message came for bob, and not this one within 2s", 2 * time.Second},
		"two others":    {rules{relay: mute(func(r *room, bob *member) { r.send(bob, frame{"alice", "hell"}); r.send(bob, frame{"alice", "o"}) })}, "2 other messages came for bob, and not this one within 2s", 2 * time.Second},
		"half a header": {rules{relay: mute(func(r *room, bob *member) { bob.conn.Write([]byte{0, 5, 0}) })}, "only the beginning of a message came for bob within 2s: 3 bytes", 2 * time.Second},
		"4 GiB": {rules{relay: mute(func(r *room, bob *member) { bob.conn.Write([]byte("\x00\x05\xff\xff\xff\xffalicehello")) })},
			"only the beginning of a message came for bob within 2s: 16 bytes", 2 * time.Second},
		"close": {rules{relay: mute(func(r *room, bob *member) { bob.conn.Close() })}, "the server closed the connection of bob", 0},
		"reset": {rules{relay: mute(func(r *room, bob *member) { bob.conn.Reset() })}, "the server reset the connection of bob", 0},
		"late close": {rules{relay: mute(func(r *room, bob *member) {
			r.work.Go(func() { time.Sleep(300 * time.Millisecond); bob.conn.Close() })
		})}, "the server closed the connection of bob", 300 * time.Millisecond},
		"half a message and close": {rules{relay: mute(func(r *room, bob *member) { bob.conn.Write([]byte{0, 5, 0}); bob.conn.Close() })},
			"the server closed the connection of bob", 0},
		"exit": {rules{process: true, relay: mute(func(r *room, _ *member) { r.work.Go(func() { r.exit("exited with status 3") }) })},
			"the program exited with status 3", 0},
		"exit, seen late": {rules{process: true, relay: mute(func(r *room, _ *member) {
			r.work.Go(func() { time.Sleep(50 * time.Millisecond); r.exit("was killed") })
		})}, "the program was killed", 50 * time.Millisecond},
		"late":     {rules{relay: mute(func(r *room, bob *member) { after(r, 1999*time.Millisecond, bob, frame{"alice", "hello"}) })}, "", 1999 * time.Millisecond},
		"too late": {rules{relay: mute(func(r *room, bob *member) { after(r, 2001*time.Millisecond, bob, frame{"alice", "hello"}) })}, "nothing came for bob within 2s", 2 * time.Second},
		"slow pieces": {rules{relay: mute(func(r *room, bob *member) {
			for i, octet := range (frame{"alice", "hello"}).bytes(r.order) {
				r.work.Go(func() { time.Sleep(time.Duration(i) * 200 * time.Millisecond); bob.conn.Write([]byte{octet}) })
			}
		})}, "", 3 * time.Second},
		"still coming": {rules{relay: mute(func(r *room, bob *member) {
			for i, octet := range (frame{"alice", "hello"}).bytes(r.order) {
				r.work.Go(func() { time.Sleep(time.Duration(i) * 390 * time.Millisecond); bob.conn.Write([]byte{octet}) })
			}
		})}, "", 15 * 390 * time.Millisecond},
		"came to a stop": {rules{relay: mute(func(r *room, bob *member) {
			bob.conn.Write([]byte{0, 5})
			r.work.Go(func() { time.Sleep(1600 * time.Millisecond); bob.conn.Write([]byte{0, 0}) })
		})}, "only the beginning of a message came for bob within 4s: 4 bytes", 4 * time.Second},
		"pieces": {rules{relay: mute(func(r *room, bob *member) {
			for i, octet := range (frame{"alice", "hello"}).bytes(r.order) {
				r.work.Go(func() { time.Sleep(time.Duration(i) * 10 * time.Millisecond); bob.conn.Write([]byte{octet}) })
			}
		})}, "", 150 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			run := playOne(t, steps(two, hello...), trusted(), test.rules)
			verdict := transcript.Fail
			if test.reason == "" {
				verdict = transcript.Pass
			}
			check(t, run, verdict, test.reason)
			took(t, run, test.after)
		})
	}
}

func after(r *room, d time.Duration, m *member, f frame) {
	r.work.Go(func() {
		time.Sleep(d)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.send(m, f)
	})
}

func TestFailureShowsWhatCame(t *testing.T) {
	run := playOne(t, steps(two, hello...), trusted(), rules{relay: mute(func(r *room, bob *member) {
		for _, text := range strings.Split("abcdefgh", "") {
			r.send(bob, frame{"alice", text})
		}
		bob.conn.Write([]byte{0, 5})
	})})
	check(t, run, transcript.Fail, "8 other messages came for bob, and not this one within 2s")
	f := run.Failure
	if f == nil || f.Step != `bob receives: {hear: {user: $alice, text: hello}}` || f.Line == 0 || f.Expected == "" {
		t.Fatalf("failure: %+v", f)
	}
	var came string
	for _, m := range f.Came {
		came += m.Fields[3].Value.(string)
	}
	if came != "cdefgh" {
		t.Errorf("came %q, want the last six in order", came)
	}
	if f.Partial == nil || f.Partial.Length != 2 {
		t.Errorf("partial: %+v", f.Partial)
	}
	if f.Wanted == nil || string(f.Wanted.Bytes.Head) != "\x00\x05\x00\x00\x00\x05alicehello" {
		t.Errorf("wanted: %+v", f.Wanted)
	}
}

// TestMalformed needs a protocol with constants: to the framed one, all bytes
// are the beginning of something.
func TestMalformed(t *testing.T) {
	const protocol = `
protocol: framed
framing: fields
requirements:
  F-3: {level: must, text: what is said is heard}
messages:
  frame: {fields: [{name: Magic, type: u8, contents: 7}, {name: Size, type: u8}, {name: User, type: u8}, {name: Text, type: text, size: Size}]}
  login: {is: frame, from: client, where: {User: '0', Text: '{user}'}}
  say: {is: frame, from: client, where: {User: '1', Text: '{user}: {text}'}}
  hear: {is: frame, from: server, where: {User: '1', Text: '{user}: {text}'}}
procedures:
  login: [{client sends: login}]
fence: {token: {say: {text: $token}}, arrives: {hear: {user: $self, text: $token}}}
`
	suite := loadFiles(t, protocol, steps("clients: [alice, bob]", hello...))
	// The simplest of all servers: it passes on every byte.
	relay := func(garbage string) func(r *room, c *pipeConn) {
		return func(r *room, c *pipeConn) {
			buf := make([]byte, 1000)
			for {
				n, err := c.Read(buf)
				if err != nil {
					return
				}
				out := string(buf[:n])
				if strings.Contains(out, "hello") {
					out = garbage
				}
				r.mu.Lock()
				for _, o := range r.conns {
					if o != c {
						_, _ = o.Write([]byte(out))
					}
				}
				r.mu.Unlock()
			}
		}
	}
	for garbage, reason := range map[string]string{
		"\x07\x0c\x01alice: hello":         "",
		"\x06\x0c\x01alice: hello":         "what the server sent to bob is no message of the protocol: Magic is 6 and not 7 (at byte 0)",
		"\x07\x01\x01xHTTP/1.0 400 Bad":    "what the server sent to bob is no message of the protocol: Magic is 72 and not 7 (at byte 0)",
		"\x07\x0c\x01alice: hullo\x07\x0c": "one other message came for bob, and not this one within 2s",
	} {
		synctest.Test(t, func(t *testing.T) {
			_, runs := perform(t, suite, Config{Trusted: true}, rules{serve: relay(garbage)})
			verdict := transcript.Fail
			if reason == "" {
				verdict = transcript.Pass
			}
			check(t, runs[0], verdict, reason)
			if strings.Contains(reason, "no message") {
				took(t, runs[0], 0)
			}
		})
	}
}

func TestRefusedConnection(t *testing.T) {
	text := steps("", "alice connects:")
	run := playOne(t, text, trusted(), rules{refused: true})
	check(t, run, transcript.Fail, "the connection was refused: nothing listens at that address")
	took(t, run, 0)
	run = playOne(t, steps(two, hello...), trusted(), rules{refused: true})
	check(t, run, transcript.Blocked, "the connection was refused: nothing listens at that address")
	took(t, run, 0)
}

func TestUnanswered(t *testing.T) {
	run := playOne(t, steps("", "alice connects:"), trusted(), rules{lag: 5 * time.Second})
	check(t, run, transcript.Fail, "the server did not take the connection in time")
	took(t, run, 2*time.Second)
}

func TestDisconnected(t *testing.T) {
	end := func(how func(*pipeConn)) rules {
		return rules{relay: mute(func(_ *room, bob *member) { how(bob.conn) })}
	}
	text := steps(two, "alice sends: {say: {text: hello}}", "bob is disconnected:")
	check(t, playOne(t, text, trusted(), end(func(c *pipeConn) { c.Close() })), transcript.Pass, "")
	check(t, playOne(t, text, trusted(), end(func(c *pipeConn) { c.Reset() })), transcript.Pass, "")
	check(t, playOne(t, text, trusted(), end(func(c *pipeConn) {})), transcript.Fail, "it is still open after 2s")
	// A flood is not the end of a connection, although the probe gives it up.
	run := playOne(t, text, trusted(), rules{small: true, relay: mute(func(r *room, bob *member) { r.work.Go(func() { flood(bob.conn) }) })})
	check(t, run, transcript.Fail, "it is still open after 2s")
}

// flood writes empty frames for ever.
func flood(w io.Writer) {
	b := make([]byte, 6*10_000)
	for {
		if _, err := w.Write(b); err != nil {
			return
		}
	}
}

func TestEndOfProgram(t *testing.T) {
	// At the end of a play that passed otherwise.
	run := playOne(t, steps(two, hello...), trusted(), rules{process: true, joined: func(r *room, m *member) {
		if m.name == "bob" {
			r.how = "exited with status 1" // its threads live on
		}
	}})
	check(t, run, transcript.Fail, "the program exited with status 1")
	if run.Failure.Step != "after the last step" {
		t.Errorf("step %q", run.Failure.Step)
	}
	// Where the play asks for it.
	run = playOne(t, steps(two, "server stops: interrupt", "server exits:", "bob is disconnected:"), trusted(), rules{process: true, prints: (*room).names})
	check(t, run, transcript.Pass, "")
}

// TestInterrupt cancels a run that has just begun to wait.
func TestInterrupt(t *testing.T) {
	suite := load(t, steps(two, hello...)+strings.ReplaceAll(
		steps(two, "alice closes:", "alice does: login\nuntil: settled"), "scenarios:\n  - name: it\n", "  - name: returns\n")+
		strings.ReplaceAll(steps("", "alice does: login"), "scenarios:\n  - name: it\n", "  - name: third\n"))
	for _, trust := range []bool{true, false} {
		for _, how := range []rules{
			{relay: func(*room, *member, frame) bool { return true }},
			{lag: time.Second},
			{small: true, serve: func(r *room, c *pipeConn) {}}, // never reads
			{relay: mute(nil), left: func(r *room, m *member) bool { r.members = append(r.members, m); return true }},
		} {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				config := trusted()
				config.Trusted = trust
				config.Slots = make(chan struct{}, 2)
				s := &Session{Suite: suite, Launch: (&street{rules: how}).launch, Config: config}
				began := time.Now()
				time.AfterFunc(100*time.Millisecond, cancel)
				header, runs := s.Run(ctx, suite.Scenarios)
				if d := time.Since(began); d != 100*time.Millisecond {
					t.Errorf("ended after %v", d)
				}
				for _, run := range runs {
					check(t, run, transcript.Error, "the run was interrupted")
				}
				if header.Finding != "" || header.Contact != nil {
					t.Errorf("finding %q, contact %v", header.Finding, header.Contact)
				}
			})
		}
	}
}

// TestInterruptSlowPlay: a failure that is not confirmed is no verdict.
func TestInterruptSlowPlay(t *testing.T) {
	suite := load(t, steps(two, hello...))
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		s := &Session{Suite: suite, Launch: (&street{rules: rules{relay: lose(1 << 30)}}).launch, Config: trusted()}
		_, runs := s.Run(ctx, suite.Scenarios)
		check(t, runs[0], transcript.Error, "the run was interrupted")
	})
}

// TestInterruptWhileSending has the target read nothing, so that the probe is
// stuck in a write.
func TestInterruptWhileSending(t *testing.T) {
	suite := load(t, steps("", "alice connects:", "alice sends: {say: {text: {repeat: x, times: 1000000}}}"))
	for _, cancelled := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if cancelled {
				time.AfterFunc(100*time.Millisecond, cancel)
			}
			s := &Session{Suite: suite, Launch: (&street{rules: rules{serve: degenerate["never reads"]}}).launch, Config: trusted()}
			began := time.Now()
			_, runs := s.Run(ctx, suite.Scenarios)
			if cancelled {
				check(t, runs[0], transcript.Error, "the run was interrupted")
				if d := time.Since(began); d > 101*time.Millisecond {
					t.Errorf("ended after %v", d)
				}
				return
			}
			check(t, runs[0], transcript.Fail, "the server does not read what alice sends: after 262144 bytes the connection is full")
		})
	}
}

func TestStopsReading(t *testing.T) {
	say := "bob sends: {say: {text: hello}}\ntimes: 100"
	for range 20 {
		run := playOne(t, steps(two, "alice stops reading:", say, "alice reads again:", "alice receives: {hear: {user: $bob}}\ntimes: 100",
			"alice stops reading:", "alice reads again:", "alice stops reading:", say, "alice reads again:", "alice receives: {hear: {user: $bob}}\ntimes: 100"),
			trusted(), rules{})
		check(t, run, transcript.Pass, "")
		took(t, run, 0)
	}
}
