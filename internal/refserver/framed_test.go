package refserver

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The bytes on the wire, by hand (F-2, F-3, F-4, F-5).
func TestVectors(t *testing.T) {
	addr := serve(t, Framed{})
	alice := login(t, addr, "alice", nil)

	bob := connect(t, addr, "bob")
	bob.send([]byte("\x00\x03\x00\x00\x00\x00bob")) // login only
	alice.expectBytes("\x00\x06\x00\x00\x00\x11serverbob has logged in")

	carol := connect(t, addr, "çarol")
	carol.send([]byte("\x00\x06\x00\x00\x00\x03\xc3\xa7arolhi!")) // login and a first message
	for _, c := range []*client{alice, bob} {
		c.expectBytes("\x00\x06\x00\x00\x00\x14server\xc3\xa7arol has logged in\x00\x06\x00\x00\x00\x03\xc3\xa7arolhi!")
	}

	long := strings.Repeat("0123456789abcdef", 0x1023)
	bob.send([]byte("\x00\x03\x00\x01\x02\x30bob" + long)) // every byte of the length differs
	alice.expectBytes("\x00\x03\x00\x01\x02\x30bob" + long)
	carol.expectBytes("\x00\x03\x00\x01\x02\x30bob" + long)

	bob.send([]byte("\x00\x03\x00\x00\x00\x00bob")) // an empty message is one too, after the login
	alice.expectBytes("\x00\x03\x00\x00\x00\x00bob")

	bob.Close()
	alice.expectBytes("\x00\x06\x00\x00\x00\x0cserverbob has left")
}

// expectBytes receives exactly these.
func (c *client) expectBytes(want string) {
	c.Helper()
	c.SetReadDeadline(time.Now().Add(within))
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != want {
		c.Fatalf("%s got %.99q (%v), want %.99q", c.name, got[:n], err, want)
	}
}

// No echo, no notice of oneself: what comes next is what others say (F-3).
func TestNoEcho(t *testing.T) {
	c := room(t, serve(t, Framed{}), "alice", "bob")
	for range 10 {
		c[0].say("ping")
		c[1].expect("alice", "ping")
		c[1].say("pong")
		c[0].expect("bob", "pong")
	}
}

// One stream of frames, cut at every byte, and one byte at a time (F-9).
func TestSplits(t *testing.T) {
	addr := serve(t, Framed{})
	alice := login(t, addr, "alice", nil)
	stream := slices.Concat(encode("bob", "one"), encode("bob", ""), encode("eve", "not me"), encode("bob", "två"))
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
		alice.expect("server", "bob has logged in")
		alice.expect("bob", "one")
		alice.expect("bob", "")
		alice.expect("bob", "två")
		bob.Close()
		alice.expect("server", "bob has left")
	}
}

// Thousands of frames of all sizes in segments of any size keep their order and their bytes (F-3, F-9).
func TestManyFrames(t *testing.T) {
	c := room(t, serve(t, Framed{}), "alice", "bob", "carol")
	var texts []string
	var stream []byte
	for i := range 3000 {
		size := i % 200
		if i%500 == 499 {
			size = i * 100
		}
		texts = append(texts, strings.Repeat(string(rune('a'+i%26)), size))
		stream = append(stream, encode("alice", texts[i])...)
	}
	var hearing sync.WaitGroup
	for _, c := range c[1:] {
		hearing.Go(func() {
			for i, want := range texts {
				name, text, err := c.read()
				if name != "alice" || text != want || err != nil {
					t.Errorf("%s: frame %d differs, or %v", c.name, i, err)
					return
				}
			}
		})
	}
	for len(stream) > 0 {
		n := min(len(stream), 1+len(stream)%9999)
		c[0].send(stream[:n])
		stream = stream[n:]
	}
	hearing.Wait()
}

// What costs a client its connection, before and after its login, and what the others see of it (F-10, F-11).
func TestRefused(t *testing.T) {
	longest := strings.Repeat("n", 20)
	for _, test := range []struct {
		name  string
		bytes []byte
		told  string // as which reason of the refusal; "": only disconnected
	}{
		{"empty name", encode("", "hello"), "the name is empty"},
		{"blank name", encode(" ", ""), "the name is empty"},
		{"name of the server", encode("server", ""), `the name "server" is taken by the server itself`},
		{"name in use", encode("alice", ""), `"alice": name is in use`},
		{"invalid UTF-8 in the name", encode("b\xffb", ""), "the name is not valid UTF-8"},
		{"escape in the name", encode("b\x1b[2J", ""), `the name "b\x1b[2J" has control characters`},
		{"line end in the name", encode("b\n", ""), `the name "b\n" has control characters`},
		{"C1 control in the name", encode("b\u009b", ""), `the name "b\u009b" has control characters`},
		{"name too long", encode(longest+"n", ""), "a name of 21 bytes is longer than 20"},
		{"longest length of a name", encodeLengths(0xffff, 0, ""), "a name of 65535 bytes is longer than 20"},
		{"little-endian", []byte("\x03\x00\x00\x00\x00\x00bob"), "a name of 768 bytes is longer than 20"},
		{"message too long at login", encodeLengths(3, 101, ""), "a message of 101 bytes is longer than 100"},
		{"4 GiB at login", encodeLengths(3, 0xffffffff, ""), "a message of 4294967295 bytes is longer than 100"},
	} {
		t.Run(test.name, func(t *testing.T) {
			addr := serve(t, Framed{MaxMessage: 100, MaxName: 20})
			alice := login(t, addr, "alice", nil)
			c := connect(t, addr, "refused")
			c.send(test.bytes)
			c.expect("server", "login refused: "+test.told)
			c.expectClosed()
			login(t, addr, longest, alice).say("all is well")
			alice.expect(longest, "all is well")
		})
	}
}

// What a client may do that harms nobody, itself included or not (F-7, F-10, F-11, F-12).
func TestMisbehaviour(t *testing.T) {
	for _, test := range []struct {
		name  string
		does  func(mallory *client)
		heard string // from mallory, before it has left; "": nothing
		stays bool
	}{
		{"closes", func(c *client) { c.Close() }, "", false},
		{"half-closes", func(c *client) { c.CloseWrite() }, "", false},
		{"resets", func(c *client) { c.reset() }, "", false},
		{"closes inside a header", func(c *client) { c.send([]byte("\x00\x07\x00")); c.Close() }, "", false},
		{"closes inside a text", func(c *client) { c.send(encodeLengths(7, 50, "mallory...")); c.Close() }, "", false},
		{"resets inside a text", func(c *client) { c.send(encodeLengths(7, 50, "mallory...")); c.reset() }, "", false},
		{"says the longest text", func(c *client) { c.say(strings.Repeat("x", 100)) }, strings.Repeat("x", 100), true},
		{"says one byte more", func(c *client) { c.say(strings.Repeat("x", 101)) }, "", false},
		{"claims 4 GiB", func(c *client) { c.send(encodeLengths(7, 0xffffffff, "mallory")) }, "", false},
		{"claims a long name", func(c *client) { c.send(encodeLengths(0xffff, 0, "mallory")) }, "", false},
		{"speaks as alice", func(c *client) { c.send(encode("alice", "I am alice")) }, "", true},
		{"speaks as the server", func(c *client) { c.send(encode("server", "alice has left")) }, "", true},
		{"speaks as nobody", func(c *client) { c.send(encode("", "boo")) }, "", true},
		{"speaks as another many times", func(c *client) { c.send(bytes.Repeat(encode("m", "boo"), 9999)) }, "", true},
		{"says invalid UTF-8", func(c *client) { c.say("\xff\x00\xc3") }, "\xff\x00\xc3", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			addr := serve(t, Framed{MaxMessage: 100})
			members := room(t, addr, "alice", "bob", "mallory")
			alice, bob, mallory := members[0], members[1], members[2]
			test.does(mallory)
			if test.stays {
				mallory.say("still here")
			}
			for _, c := range []*client{alice, bob} {
				if test.heard != "" {
					c.expect("mallory", test.heard)
				}
				if test.stays {
					c.expect("mallory", "still here")
				} else {
					c.expect("server", "mallory has left")
				}
			}
			if !test.stays {
				login(t, addr, "mallory", alice) // the name is free
				bob.expect("server", "mallory has logged in")
			}
			alice.say("all is well")
			bob.expect("alice", "all is well")
		})
	}
}

// A second client under a name is told so and closed; the first, and the name, keep working (F-13).
func TestNameInUse(t *testing.T) {
	addr := serve(t, Framed{})
	c := room(t, addr, "alice", "bob")
	second := connect(t, addr, "second")
	second.send(slices.Concat(encode("bob", "I am bob"), encode("bob", "really")))
	second.expectClosed()
	c[1].say("no, I am")
	c[0].expect("bob", "no, I am")
	c[0].say("fine")
	c[1].expect("alice", "fine")
}

// A name is free as soon as anybody can know that its bearer has left, however it left (F-5, F-7).
func TestComeAndGo(t *testing.T) {
	addr := serve(t, Framed{})
	alice := login(t, addr, "alice", nil)
	for i := range 50 {
		bob := login(t, addr, "bob", alice)
		bob.say("hello")
		alice.expect("bob", "hello")
		if i%2 == 0 {
			bob.Close()
		} else {
			bob.reset()
		}
		alice.expect("server", "bob has left")
	}
}

// Nobody waits for a client that has connected and says nothing (F-1), and the server does not wait for ever.
func TestSilentConnections(t *testing.T) {
	addr := serve(t, Framed{LoginTimeout: 300 * time.Millisecond})
	var silent []*client
	for i := range 20 {
		c := connect(t, addr, "silent")
		c.send(encode("abc", "")[:i%9])
		silent = append(silent, c)
	}
	members := room(t, addr, "alice", "bob")
	members[0].say("hello")
	members[1].expect("alice", "hello")
	for _, c := range silent {
		c.expectClosed()
	}
	members[0].say("and we are still here") // a login does not time out
	members[1].expect("alice", "and we are still here")
}

// A hundred clients hear each other (F-1).
func TestHundred(t *testing.T) {
	addr := serve(t, Framed{})
	members := []*client{login(t, addr, "client0", nil)}
	for i := range 99 {
		members = append(members, login(t, addr, fmt.Sprint("client", i+1), members[0]))
	}
	var talk sync.WaitGroup
	for _, c := range members {
		talk.Go(func() {
			c.say("hello from " + c.name)
			heard := map[string]bool{c.name: true}
			for len(heard) < len(members) {
				name, text, err := c.read()
				switch {
				case err != nil:
					t.Errorf("%s after %d greetings: %v", c.name, len(heard)-1, err)
					return
				case name == "server" && strings.HasSuffix(text, " has logged in"):
				case text != "hello from "+name || heard[name]:
					t.Errorf("%s got %q from %q, twice: %v", c.name, text, name, heard[name])
				default:
					heard[name] = true
				}
			}
		})
	}
	talk.Wait()
}

// One who stops reading delays nobody, costs no more than its outbox, is disconnected, and is seen to leave (F-14).
func TestStalledReader(t *testing.T) {
	addr := serve(t, Framed{Outbox: 256 << 10})
	members := room(t, addr, "alice", "bob")
	alice, bob := members[0], members[1]
	mute := connect(t, addr, "mute")
	mute.SetReadBuffer(4096)
	mute.send(encode("mute", ""))
	alice.expect("server", "mute has logged in")
	bob.expect("server", "mute has logged in")

	text := strings.Repeat("x", 32<<10)
	gone := make(chan int)
	go func() {
		for i := 0; ; i++ {
			name, got, err := bob.read()
			if name == "server" {
				gone <- i
				return
			}
			if name != "alice" || got != text {
				t.Errorf("bob got %.40q: %.40q, %v", name, got, err)
				gone <- i
				return
			}
		}
	}()
	var longest time.Duration
	for {
		began := time.Now()
		alice.say(text)
		longest = max(longest, time.Since(began))
		select {
		case after := <-gone:
			t.Logf("disconnected after %d MiB; alice waited for %v at most", after*len(text)>>20, longest)
			if longest > tooLong {
				t.Errorf("alice waited for %v", longest)
			}
			mute.expectClosed()
			return
		default:
		}
	}
}
