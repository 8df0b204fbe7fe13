package refserver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// What a server answers, by hand.
const (
	answerOK        = "\x06\x00"
	answerFailure   = "\x06\x01"
	answerMalformed = "\x06\x02"
)

// loginPacket, sendPacket and deliveryPacket are the tests' own reading of the packets; TestDirectVectors has the bytes
// by hand.
func loginPacket(name string) []byte { return append([]byte{1, byte(len(name))}, name...) }

func sendPacket(to, text string) []byte { return textPacket(3, to, text) }

func deliveryPacket(from, text string) []byte { return textPacket(7, from, text) }

func textPacket(kind byte, name, text string) []byte {
	b := append([]byte{kind, byte(len(name))}, name...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(text)))
	return append(b, text...)
}

// ask sends a packet and checks what comes next.
func (c *client) ask(packet []byte, want string) {
	c.Helper()
	c.send(packet)
	c.expectBytes(want)
}

// user connects and logs in as name.
func user(t testing.TB, addr, name string) *client {
	t.Helper()
	c := connect(t, addr, name)
	c.ask(loginPacket(name), answerOK)
	return c
}

// awaitUsers asks for the list until it has these names.
func (c *client) awaitUsers(names ...string) {
	c.Helper()
	var got []string
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		c.send([]byte{2})
		kind, users, _, err := readAnswer(c)
		if err != nil || kind != 5 {
			c.Fatalf("%s asks for the list: type %d, %v", c.name, kind, err)
		}
		if got = users; slices.Equal(got, names) {
			return
		}
	}
	c.Fatalf("%s sees %q logged in, want %q", c.name, got, names)
}

// readAnswer reads one packet of the server's: the users of a list, or the sender and text of a delivery, or the result
// of a response as the text.
func readAnswer(c *client) (kind byte, names []string, text string, err error) {
	c.SetReadDeadline(time.Now().Add(within))
	take := func(n int) []byte {
		b := make([]byte, n)
		if err == nil {
			_, err = io.ReadFull(c, b)
		}
		return b
	}
	name := func() string { return string(take(int(take(1)[0]))) }
	length := func() int { return int(binary.BigEndian.Uint16(take(2))) }
	switch kind = take(1)[0]; kind {
	case 5:
		for range length() {
			names = append(names, name())
		}
	case 6:
		text = string(take(1))
	case 7:
		names = []string{name()}
		text = string(take(length()))
	default:
		err = errors.Join(err, fmt.Errorf("no packet of a server's begins with %d", kind))
	}
	return kind, names, text, err
}

// The bytes on the wire, by hand (D-1, D-2, D-3, D-4, D-6).
func TestDirectVectors(t *testing.T) {
	addr := serve(t, Direct{})
	alice, bob := connect(t, addr, "alice"), connect(t, addr, "bøb")
	alice.ask([]byte("\x02"), "\x05\x00\x00")                                             // LIST, also before a login
	alice.ask([]byte("\x04"), "\x06\x01")                                                 // LOGOUT before a login
	alice.ask([]byte("\x03\x05alice\x00\x02hi"), "\x06\x01")                              // SENDTO before a login
	alice.ask([]byte("\x01\x05alice"), "\x06\x00")                                        // LOGIN
	alice.ask([]byte("\x01\x05alice"), "\x06\x01")                                        // LOGIN once more
	alice.ask([]byte("\x01\x04anna"), "\x06\x01")                                         // and under another name
	bob.ask([]byte("\x01\x05alice"), "\x06\x01")                                          // a name in use
	bob.ask([]byte("\x01\x05Alice"), "\x06\x00")                                          // names are case-sensitive
	bob.ask([]byte("\x04"), "\x06\x00")                                                   // LOGOUT
	bob.ask([]byte("\x01\x04b\xc3\xb8b"), "\x06\x00")                                     // and LOGIN again, as somebody else
	bob.ask([]byte("\x02"), "\x05\x00\x02\x05alice\x04b\xc3\xb8b")                        // LIST
	bob.ask([]byte("\x03\x05Alice\x00\x02hi"), "\x06\x01")                                // SENDTO nobody
	bob.ask([]byte("\x03\x00\x00\x02hi"), "\x06\x01")                                     // SENDTO an empty name
	bob.ask([]byte("\x03\x05alice\x00\x03hi!"), "\x06\x00")                               // SENDTO
	alice.expectBytes("\x07\x04b\xc3\xb8b\x00\x03hi!")                                    // arrives
	alice.ask([]byte("\x03\x04b\xc3\xb8b\x00\x00"), "\x06\x00")                           // an empty text
	bob.expectBytes("\x07\x05alice\x00\x00")                                              // arrives too
	bob.ask([]byte("\x03\x04b\xc3\xb8b\x00\x01x"), "\x07\x04b\xc3\xb8b\x00\x01x\x06\x00") // to oneself: delivery, answer
	alice.ask([]byte("\x04"), "\x06\x00")
	alice.ask([]byte("\x04"), "\x06\x01")
	alice.ask([]byte("\x02"), "\x05\x00\x01\x04b\xc3\xb8b")
	alice.ask([]byte("\x03\x04b\xc3\xb8b\x00\x02hi"), "\x06\x01") // SENDTO by one who has logged out
	bob.ask([]byte("\x03\x05alice\x00\x02hi"), "\x06\x01")        // SENDTO one who has logged out
	alice.ask([]byte("\x01\x05alice\x02\x04\x02"), "\x06\x00\x05\x00\x02\x05alice\x04b\xc3\xb8b\x06\x00\x05\x00\x01\x04b\xc3\xb8b")
}

// Which names one can log in under (D-2). What was refused can be tried again.
func TestDirectNames(t *testing.T) {
	addr := serve(t, Direct{})
	present := user(t, addr, "present")
	for _, test := range []struct {
		name string
		want string
	}{
		{"a", answerOK},
		{"Present", answerOK},
		{"12345678901234567890", answerOK},
		{"ååååååååååååååååååå🙂", answerOK}, // 20 characters, 42 bytes
		{"server", answerOK},
		{"@:,;/\\", answerOK},
		{"", answerFailure},
		{"123456789012345678901", answerFailure},
		{strings.Repeat("å", 21), answerFailure},
		{strings.Repeat("x", 255), answerFailure},
		{"two words", answerFailure},
		{" a", answerFailure},
		{"a\n", answerFailure},
		{"a\tb", answerFailure},
		{"a\u00a0b", answerFailure},
		{"a\u3000b", answerFailure},
		{"a\x00b", answerFailure},
		{"\x1b[2J", answerFailure},
		{"\xff", answerFailure},
		{"present", answerFailure},
	} {
		c := connect(t, addr, fmt.Sprintf("%q", test.name))
		c.ask(loginPacket(test.name), test.want)
		if test.want == answerOK {
			present.ask(sendPacket(test.name, "hi"), answerOK)
			c.expectBytes("\x07\x07present\x00\x02hi")
			c.ask([]byte{4}, answerOK)
		}
		c.ask(loginPacket("other"), answerOK)
		c.ask([]byte{4}, answerOK)
		present.ask([]byte{2}, "\x05\x00\x01\x07present")
	}
}

// Texts of any length and any bytes arrive whole, and at their destination only (D-4, D-5).
func TestDirectTexts(t *testing.T) {
	addr := serve(t, Direct{})
	alice, bob, carol := user(t, addr, "alice"), user(t, addr, "bob"), user(t, addr, "carol")
	var every []byte
	for i := range 256 {
		every = append(every, byte(i))
	}
	for _, text := range []string{
		"", "x", string(every), "\xff\x00\xc3", "\x06\x00", "\r\n", strings.Repeat("a", 255), strings.Repeat("b", 256),
		strings.Repeat("0123456789abcdef", 0xabc), strings.Repeat("c", 65534), strings.Repeat("d", 65535),
		strings.Repeat(string(every), 255),
	} {
		alice.ask(sendPacket("bob", text), answerOK)
		bob.expectBytes(string(deliveryPacket("alice", text)))
	}
	alice.ask(sendPacket("carol", "and nothing else"), answerOK)
	carol.expectBytes(string(deliveryPacket("alice", "and nothing else")))
	carol.ask([]byte{4}, answerOK)
}

// One stream of packets, cut at every byte, and one byte at a time (D-9).
func TestDirectSplits(t *testing.T) {
	addr := serve(t, Direct{})
	bob := user(t, addr, "bob")
	stream := slices.Concat([]byte{2}, loginPacket("alice"), sendPacket("bob", "hello"), sendPacket("eve", "hello"),
		sendPacket("alice", ""), []byte{2, 4}, loginPacket("ann"), []byte{4, 4})
	const answers = "\x05\x00\x01\x03bob" + answerOK + answerOK + answerFailure + "\x07\x05alice\x00\x00" + answerOK +
		"\x05\x00\x02\x05alice\x03bob" + answerOK + answerOK + answerOK + answerFailure
	for cut := 0; cut <= len(stream); cut++ {
		alice := connect(t, addr, "alice")
		if cut == len(stream) {
			for i := range stream {
				alice.send(stream[i : i+1])
			}
		} else {
			alice.send(stream[:cut])
			time.Sleep(time.Millisecond)
			alice.send(stream[cut:])
		}
		alice.CloseWrite() // who stops talking may still listen
		alice.expectBytes(answers)
		alice.expectEnd()
		bob.expectBytes("\x07\x05alice\x00\x05hello")
	}
}

// What is no packet is answered so, and ends the connection; nobody else is disturbed (D-7, D-13).
func TestDirectMalformed(t *testing.T) {
	addr := serve(t, Direct{})
	alice, bob := user(t, addr, "alice"), user(t, addr, "bob")
	for _, test := range []struct {
		bytes string
		ends  bool // the bytes end there
	}{
		{"\x00", false}, {"\x05", false}, {"\x06\x00", false}, {"\x07\x05alice\x00\x00", false}, {"\x08", false},
		{"\xff\xff\xff\xff", false}, {"GET / HTTP/1.1\r\n\r\n", false}, {"\x00\x05alice\x01\x03eve\x02", false},
		{"\x01", true}, {"\x01\x05mall", true}, {"\x03", true}, {"\x03\x05alic", true}, {"\x03\x05alice", true},
		{"\x03\x05alice\x00", true}, {"\x03\x05alice\x00\x01", true}, {"\x03\x05alice\xff\xffx", true},
		{strings.Repeat("\x09", 100_000), false},
	} {
		mallory := user(t, addr, "mallory")
		mallory.send([]byte{2})
		mallory.send([]byte(test.bytes))
		if test.ends {
			alice.ask([]byte{2}, "\x05\x00\x03\x05alice\x03bob\x07mallory") // half a packet is waited for
			mallory.CloseWrite()
		}
		mallory.expectBytes("\x05\x00\x03\x05alice\x03bob\x07mallory" + answerMalformed)
		mallory.expectEnd()
		alice.ask([]byte{2}, "\x05\x00\x02\x05alice\x03bob")
		alice.ask(sendPacket("bob", "all is well"), answerOK)
		bob.expectBytes(string(deliveryPacket("alice", "all is well")))
	}
}

// A client that closes or resets is logged out, soon (D-8).
// A client receives only between the answers to its login and its logout (D-4, D-6).
// One who stops reading delays nobody, costs no more than its outbox, and is logged out; half a packet harms nobody
// (D-12).
// A client cannot fill the log.
// One who asks a lot before it reads the answers gets them all, in their order (D-1, D-9).
// A hundred clients, each of which sends to each, while some connections are silent (D-3, D-4).
// A server stops within a second, whatever its clients are doing; clients come over IPv6 as well.
