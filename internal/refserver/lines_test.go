package refserver

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// register connects and registers as name.
func register(t testing.TB, addr, name string) *client {
	t.Helper()
	c := connect(t, addr, name)
	c.send([]byte("REGISTER " + name + " CHAT/1.0\n"))
	c.expectBytes("200 Registration successful\n")
	return c
}

// registerSoon registers under a name that is about to be free.
func registerSoon(t testing.TB, addr, name string) *client {
	t.Helper()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		c := connect(t, addr, name)
		c.send([]byte("REGISTER " + name + " CHAT/1.0\n"))
		c.SetReadDeadline(time.Now().Add(within))
		status, err := io.ReadAll(io.LimitReader(c, 28))
		if string(status) == "200 Registration successful\n" {
			return c
		}
		if string(status) != "401 Client already registered\n"[:28] || err != nil {
			t.Fatalf("%s registers: %q, %v", name, status, err)
		}
		c.Close()
	}
	t.Fatalf("the name %s is not free again", name)
	return nil
}

// tell sends a message, as it stands in a line.
func (c *client) tell(text string) {
	c.Helper()
	c.send([]byte("@" + c.name + ": " + text + "\n"))
}

// hear receives exactly one message next.
func (c *client) hear(from, text string) {
	c.Helper()
	c.expectBytes("@" + from + ": " + text + "\n")
}

// expectEnd checks that nothing comes any more before the server closes.
func (c *client) expectEnd() {
	c.Helper()
	c.SetReadDeadline(time.Now().Add(within))
	if rest, err := io.ReadAll(c); len(rest) > 0 || err != nil && isTimeout(err) {
		c.Fatalf("%s got %.99q (%v), want the end", c.name, rest, err)
	}
}

// The bytes on the wire, by hand (L-4, L-5, L-9).
func TestLinesVectors(t *testing.T) {
	addr := serve(t, Lines{})
	alice := connect(t, addr, "alice")
	alice.send([]byte("REGISTER alice CHAT/1.0\r\n"))
	alice.expectBytes("200 Registration successful\n")
	bob := connect(t, addr, "bøb")
	bob.send([]byte("REGISTER b\xc3\xb8b CHAT/1.0\n@b\xc3\xb8b: registration and message in one\n"))
	bob.expectBytes("200 Registration successful\n")
	alice.expectBytes("@b\xc3\xb8b: registration and message in one\n")
	carol := register(t, addr, "carol")

	for _, test := range []struct{ sent, relayed string }{
		{"@alice: hello\n", "@alice: hello\n"},
		{"@alice: hello\r\n", "@alice: hello\n"},
		{"@alice: hello\r\r\n", "@alice: hello\r\n"},
		{"@alice: he\rllo\n", "@alice: he\rllo\n"},
		{"@alice: \n", "@alice: \n"},
		{"@alice:   two blanks more, and after  \n", "@alice:   two blanks more, and after  \n"},
		{"@alice: @carol: psst\n", "@alice: @carol: psst\n"},
		{"@alice: na\xc3\xafve \xf0\x9f\x99\x82\n", "@alice: na\xc3\xafve \xf0\x9f\x99\x82\n"},
		{"@alice: \x1b[2J\n", "@alice: \x1b[2J\n"},
		{"@alice: one\r\n@alice: two\n@alice: three\r\n", "@alice: one\n@alice: two\n@alice: three\n"},
		// What is no message of hers is dropped (L-12).
		{"@alice:\n@alice\nalice: hi\n @alice: hi\n@alice:hi\n\n\r\n@carol: I am\n@alicea: hi\n@: hi\nhello\n@alice: .\n", "@alice: .\n"},
		{"REGISTER alice CHAT/1.0\nREGISTER eve CHAT/1.0\n@alice: .\n", "@alice: .\n"},
		{"DISCONNECT carol CHAT/1.0\nDISCONNECT CHAT/1.0\nDISCONNECT\nDISCONNECT alice\n@alice: .\n", "@alice: .\n"},
		// A control word inside a text is text (L-13).
		{"@alice: DISCONNECT alice CHAT/1.0\n", "@alice: DISCONNECT alice CHAT/1.0\n"},
		{"@alice: REGISTER eve CHAT/1.0\n", "@alice: REGISTER eve CHAT/1.0\n"},
		{"@alice: DISCONNECT CHAT/1.0\n", "@alice: DISCONNECT CHAT/1.0\n"},
		{"@alice: 401 Client already registered\n", "@alice: 401 Client already registered\n"},
	} {
		alice.send([]byte(test.sent))
		bob.expectBytes(test.relayed)
		carol.expectBytes(test.relayed)
	}
	carol.tell("and nothing came back to alice")
	alice.hear("carol", "and nothing came back to alice")
}

// What a first line is answered, and what comes of it (L-9, L-11).
func TestLinesRegistration(t *testing.T) {
	const ok, bad, taken = "200 Registration successful\n", "400 Invalid registration\n", "401 Client already registered\n"
	longest := strings.Repeat("n", 60)
	addr := serve(t, Lines{MaxLine: 200})
	alice, bob := register(t, addr, "alice"), register(t, addr, "bob")
	for _, test := range []struct{ line, answer string }{
		{"REGISTER eve CHAT/1.0", ok},
		{"REGISTER eve CHAT/1.0\r", ok},
		{"REGISTER Alice CHAT/1.0", ok},
		{"REGISTER REGISTER CHAT/1.0", ok},
		{"REGISTER CHAT/1.0 CHAT/1.0", ok},
		{"REGISTER @alice CHAT/1.0", ok},
		{"REGISTER \u00e9v\u00e9 CHAT/1.0", ok},
		{"REGISTER " + longest + " CHAT/1.0", ok},
		{"REGISTER alice CHAT/1.0", taken},
		{"REGISTER " + longest + "n CHAT/1.0", bad},
		{"REGISTER CHAT/1.0", bad},
		{"REGISTER  CHAT/1.0", bad},
		{"REGISTER   CHAT/1.0", bad},
		{"REGISTER eve", bad},
		{"REGISTER eve CHAT/1.0 ", bad},
		{"REGISTER eve CHAT/2.0", bad},
		{"REGISTER eve chat/1.0", bad},
		{"REGISTER  eve CHAT/1.0", bad},
		{"REGISTER eve  CHAT/1.0", bad},
		{"REGISTER eve and adam CHAT/1.0", bad},
		{"REGISTER e\tve CHAT/1.0", bad},
		{"REGISTER e\u00a0ve CHAT/1.0", bad},
		{"REGISTER eve: CHAT/1.0", bad},
		{"REGISTER e\x1bve CHAT/1.0", bad},
		{"REGISTER e\x00ve CHAT/1.0", bad},
		{"REGISTER e\xffve CHAT/1.0", bad},
		{"register eve CHAT/1.0", bad},
		{"REGISTEReve CHAT/1.0", bad},
		{"", bad},
		{"\r", bad},
		{"HELLO", bad},
		{"@alice: hello", bad},
		{"@eve: hello", bad},
		{"DISCONNECT alice CHAT/1.0", bad},
		{"DISCONNECT CHAT/1.0", bad},
		{"GET / HTTP/1.1\r", bad},
		{strings.Repeat("x", 201), bad},
		{strings.Repeat("x", 100_000), bad},
	} {
		c := connect(t, addr, fmt.Sprintf("%.40q", test.line))
		c.send([]byte(test.line + "\n"))
		c.expectBytes(test.answer)
		if test.answer == ok {
			c.CloseWrite()
			c.expectEnd() // and the name is free
		} else {
			// All at once is what a hasty client sends.
			hasty := connect(t, addr, c.name)
			hasty.send([]byte(test.line + "\n@eve: hello\n@alice: hello\nDISCONNECT eve CHAT/1.0\n"))
			hasty.expectBytes(test.answer)
			hasty.expectEnd()
			c.expectEnd()
		}
		alice.tell("all is well")
		bob.hear("alice", "all is well")
		bob.tell("indeed")
		alice.hear("bob", "indeed")
	}
}

// One stream of lines, cut at every byte, and one byte at a time (L-10).
func TestLinesSplits(t *testing.T) {
	addr := serve(t, Lines{})
	alice := register(t, addr, "alice")
	stream := []byte("REGISTER bob CHAT/1.0\r\n@bob: one\n@eve: not me\r\n\n@bob: \n@bob: två\r\nDISCONNECT bob CHAT/1.0\r\n")
	for cut := 0; cut <= len(stream); cut++ {
		bob := connect(t, addr, "bob")
		if cut == len(stream) {
			for i := range stream {
				bob.send(stream[i : i+1])
			}
		} else {
			bob.send(stream[:cut])
			time.Sleep(time.Millisecond)
			bob.send(stream[cut:])
		}
		bob.expectBytes("200 Registration successful\n")
		bob.expectEnd() // and the name is free
		alice.expectBytes("@bob: one\n@bob: \n@bob: två\n")
	}
}

// Thousands of lines of all sizes in segments of any size keep their order and their bytes (L-5, L-10).
// What a client may do that harms nobody, itself included or not (L-7, L-12, L-13, L-14).
func TestLinesMisbehaviour(t *testing.T) {
	const prefix = "@mallory: "
	line := func(s string) func(c *client) { return func(c *client) { c.send([]byte(s)) } }
	long := strings.Repeat("x", 100-len(prefix))
	for _, test := range []struct {
		name  string
		does  func(mallory *client)
		heard string // from mallory; "": nothing
		stays bool
	}{
		{"says DISCONNECT", line("DISCONNECT mallory CHAT/1.0\n"), "", false},
		{"says DISCONNECT and more", line("DISCONNECT mallory CHAT/1.0\n" + prefix + "I am back\n"), "", false},
		{"speaks and says DISCONNECT", line(prefix + "bye\nDISCONNECT mallory CHAT/1.0\r\n"), prefix + "bye\n", false},
		{"closes", func(c *client) { c.Close() }, "", false},
		{"half-closes", func(c *client) { c.CloseWrite() }, "", false},
		{"resets", func(c *client) { c.reset() }, "", false},
		{"closes inside a line", func(c *client) { c.send([]byte(prefix + "he")); c.Close() }, "", false},
		{"speaks and resets inside a line", func(c *client) {
			c.send([]byte(prefix + "hello\n" + prefix))
			c.CloseWrite()
			c.expectClosed() // or the reset may overtake what was said
			c.reset()
		}, prefix + "hello\n", false},
		{"says the longest line", line(prefix + long + "\r\n"), prefix + long + "\n", true},
		{"says one byte more", line(prefix + long + "x\n"), "", false},
		{"says one byte more without an end", line(prefix + long + "xy"), "", false},
		{"says an endless line", func(c *client) {
			c.SetWriteDeadline(time.Now().Add(within))
			for range 1000 {
				if _, err := c.Write(bytes.Repeat([]byte("x"), 10_000)); err != nil {
					return
				}
			}
		}, "", false},
		{"says a NUL", line(prefix + "a\x00b\n"), "", false},
		{"says invalid UTF-8", line(prefix + "\xff\n"), "", false},
		{"cuts a character", line(prefix + "\xc3\n"), "", false},
		{"says something before a NUL", line(prefix + "hi\n\x00\n" + prefix + "ho\n"), prefix + "hi\n", false},
		{"speaks as alice", line("@alice: I am alice\n"), "", true},
		{"says DISCONNECT for alice", line("DISCONNECT alice CHAT/1.0\n"), "", true},
		{"tells all to DISCONNECT", line("DISCONNECT CHAT/1.0\n"), "", true},
		{"speaks as another many times", line(strings.Repeat("@m: boo\n", 9999)), "", true},
		{"says nothing many times", line(strings.Repeat("\n", 9999)), "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			addr := serve(t, Lines{MaxLine: 100})
			alice, bob, mallory := register(t, addr, "alice"), register(t, addr, "bob"), register(t, addr, "mallory")
			test.does(mallory)
			for _, c := range []*client{alice, bob} {
				c.expectBytes(test.heard)
			}
			if !test.stays {
				mallory = registerSoon(t, addr, "mallory")
			}
			mallory.tell("here I am")
			alice.tell("all is well")
			bobHears := make([]byte, len("@mallory: here I am\n@alice: all is well\n"))
			bob.SetReadDeadline(time.Now().Add(within))
			if _, err := io.ReadFull(bob, bobHears); err != nil {
				t.Fatal(err)
			}
			said := strings.SplitAfter(string(bobHears), "\n")
			slices.Sort(said)
			if got := strings.Join(said, ""); got != "@alice: all is well\n@mallory: here I am\n" {
				t.Errorf("bob heard %q", bobHears)
			}
			alice.hear("mallory", "here I am")
			mallory.hear("alice", "all is well")
		})
	}
}

// Nothing from a connection that is not registered is relayed, and it hears nothing until it is (L-3, L-11).
func TestLinesUnregistered(t *testing.T) {
	addr := serve(t, Lines{})
	silent := connect(t, addr, "silent")
	half := connect(t, addr, "half")
	half.send([]byte("REGISTER half CH"))
	alice, bob := register(t, addr, "alice"), register(t, addr, "bob")
	alice.tell("hello")
	bob.hear("alice", "hello")
	half.send([]byte("AT/1.0\n"))
	silent.send([]byte("REGISTER silent CHAT/1.0\n"))
	half.expectBytes("200 Registration successful\n")
	silent.expectBytes("200 Registration successful\n")
	alice.tell("and now?")
	for _, c := range []*client{bob, silent, half} {
		c.hear("alice", "and now?")
	}
}

// Who does not register is not waited for any longer than LoginTimeout; who has may be silent.
func TestLinesLoginTimeout(t *testing.T) {
	addr := serve(t, Lines{LoginTimeout: 200 * time.Millisecond})
	alice, bob := register(t, addr, "alice"), register(t, addr, "bob")
	for i := range 10 {
		c := connect(t, addr, "silent")
		c.send([]byte("REGISTER silent CHAT/1.0\n")[:i])
		defer c.expectEnd()
	}
	time.Sleep(250 * time.Millisecond)
	alice.tell("hello")
	bob.hear("alice", "hello")
}

// A name is free once the server has closed, or soon after its bearer has vanished (L-7, L-14).
// A hundred clients hear each other, each message once (L-3, L-5).
// One who stops reading delays nobody, costs no more than its outbox, and is disconnected (L-15).
// A server that stops tells everybody who is registered, within a second, whatever its clients are doing (L-8).
// A client that hangs up when it is told does not have the server wait (L-8).
func TestLinesChoices(t *testing.T) {
	for _, test := range []struct {
		server Lines
		want   string
	}{
		{Lines{}, "end=lf stop=interrupt max_line=65536"},
		{Lines{MaxLine: 100}, "end=lf stop=interrupt max_line=100"},
	} {
		if got := test.server.Choices(); got != test.want {
			t.Errorf("%+v: %q, want %q", test.server, got, test.want)
		}
	}
}
