package refserver

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzFramed sends arbitrary bytes, in segments of arbitrary sizes, over one connection, while two well-behaved clients
// chat. Whatever the bytes are, these two hear each other, every frame that they receive is whole, nobody speaks in
// their names or the server's, and the server lives.
func FuzzFramed(f *testing.F) {
	for _, seed := range []string{
		"", "\x00", "\x00\x00\x00\x00\x00\x00", "\xff\xff\xff\xff\xff\xff", "\x00\x01\x80\x00\x00\x00m",
		"\x00\x01\x00\x00\x00\x00m", "\x00\x01\x00\x00\x00\x02mhi", "\x00\x01\x00\x00\x00\x00m\x00\x01\x00\x00\x00\x02mhi",
		"\x00\x01\x00\x00\x00\x00m\x00\x05\x00\x00\x00\x02alicehi", "\x00\x05\x00\x00\x00\x02alicehi",
		"\x00\x01\x00\x00\x00\x00m\x00\x06\x00\x00\x00\x0eserveralice has left", "\x00\x06\x00\x00\x00\x00server",
		"\x00\x01\x00\x00\x00\x00m\x00\x01\x00\x00\x10\x00m" + strings.Repeat("x", 0x1000) + "\x00\x01\x00\x00\x10\x01m",
		"\x00\x02\x00\x00\x00\x00\xff\xfe", "\x00\x03\x00\x00\x00\x00m\x1bm", "\x00\x01\x00\x00\x00\x02m\xff\x00\x00\x01",
		"\x01\x00\x00\x00\x00\x00m", "GET / HTTP/1.1\r\n\r\n", "REGISTER m CHAT/1.0\n",
	} {
		f.Add([]byte(seed), []byte{})
		f.Add([]byte(seed), []byte{1, 5, 1, 3})
	}
	addr := serve(f, Framed{MaxMessage: 0x1000, MaxName: 100})
	members := room(f, addr, "alice", "bob")

	f.Fuzz(func(t *testing.T, stream, segments []byte) {
		pair := under(t, members)
		mallory := connect(t, addr, "mallory")
		mallory.sendSegments(stream, segments, func() { talk(t, pair) })
		talk(t, pair)
		mallory.Close()
		talk(t, pair)
	})
}

// under returns clients, connected before, that report to t.
func under(t *testing.T, clients []*client) []*client {
	var same []*client
	for _, c := range clients {
		same = append(same, &client{TB: t, TCPConn: c.TCPConn, name: c.name})
	}
	return same
}

// sendSegments sends stream in segments of these sizes and one more byte each, and the rest at once, and calls meanwhile
// after each of the first ten.
func (c *client) sendSegments(stream, segments []byte, meanwhile func()) {
	for i := 0; len(stream) > 0; i++ {
		n := len(stream)
		if i < len(segments) {
			n = min(n, 1+int(segments[i]))
		}
		c.SetWriteDeadline(time.Now().Add(within))
		if _, err := c.Write(stream[:n]); err != nil {
			return // disconnected, and rightly so for all that is known here
		}
		stream = stream[n:]
		if i < 10 {
			meanwhile()
		}
	}
}

// talk has two clients say something and hear it from each other.
func talk(t *testing.T, pair []*client) {
	t.Helper()
	for i, from := range pair {
		from.say("well")
		for to := pair[1-i]; ; {
			name, text, err := to.read()
			if err != nil {
				t.Fatalf("%s waits for %s: %v", to.name, from.name, err)
			}
			if name == from.name && text == "well" {
				break
			}
			arrival, departure := strings.HasSuffix(text, " has logged in"), strings.HasSuffix(text, " has left")
			switch {
			case name == to.name || name == from.name || name == "":
				t.Fatalf("%s got %q from %q, who did not say it", to.name, text, name)
			case name == "server" && !arrival && !departure || text == from.name+" has left":
				t.Fatalf("%s got %q from the server", to.name, text)
			}
		}
	}
}

// FuzzLines is FuzzFramed for lines: what the two hear from others are whole messages, without NULs, in UTF-8, and none
// in their own names.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "\r\n", "\x00\n", "REGISTER m CHAT/1.0\n@m: hi\r\nDISCONNECT m CHAT/1.0\n@m: I am back\n",
		"REGISTER m CHAT/1.0\r\n@m: hi\r\r\n@m: \n@m:\n\n@alice: I am alice\n@bob: me too\n@m: done\n",
		"REGISTER alice CHAT/1.0\n@alice: well\n", "@alice: well\n@m: hi\n", "REGISTER m CHAT/1.0\n@m: \xff\n",
		"REGISTER m CHAT/1.0\n@m: \x00\n", "REGISTER m CHAT/1.0\nDISCONNECT CHAT/1.0\nDISCONNECT alice CHAT/1.0\n",
		"REGISTER m CHAT/1.0\n@m: " + strings.Repeat("x", 999), "REGISTER m CHAT/1.0\n@m: " + strings.Repeat("x", 99) + "\n",
		"REGISTER m: CHAT/1.0\n", "REGISTER  CHAT/1.0\n", "REGISTER m\rm CHAT/1.0\n", "GET / HTTP/1.1\r\n\r\n",
	} {
		f.Add([]byte(seed), []byte{})
		f.Add([]byte(seed), []byte{1, 5, 1, 3})
	}
	addr := serve(f, Lines{MaxLine: 100})
	members := []*client{register(f, addr, "alice"), register(f, addr, "bob")}
	hears := []*bufio.Reader{bufio.NewReader(members[0]), bufio.NewReader(members[1])}
	message := regexp.MustCompile(`(?s)^@([^\s:]{1,60}): .*\n$`)
	f.Fuzz(func(t *testing.T, stream, segments []byte) {
		pair := under(t, members)
		chat := func() {
			t.Helper()
			for i, from := range pair {
				from.tell("well")
				for to := 1 - i; ; {
					pair[to].SetReadDeadline(time.Now().Add(within))
					line, err := hears[to].ReadString('\n')
					if err != nil {
						t.Fatalf("%s waits for %s: %v", pair[to].name, from.name, err)
					}
					if line == "@"+from.name+": well\n" {
						break
					}
					sender := message.FindStringSubmatch(line)
					if sender == nil || sender[1] == "alice" || sender[1] == "bob" || len(line) > 101 ||
						strings.Contains(line, "\x00") || !utf8.ValidString(line) {
						t.Fatalf("%s got %q", pair[to].name, line)
					}
				}
			}
		}
		mallory := connect(t, addr, "mallory")
		mallory.sendSegments(stream, segments, chat)
		chat()
		mallory.Close()
		chat()
	})
}

// FuzzDirect sends arbitrary bytes over one connection and then no more. Each packet in them has one answer, in its
// order, the malformed one included; and two others still reach each other.
func FuzzDirect(f *testing.F) {
	for _, seed := range []string{
		"", "\x00", "\x01", "\x02", "\x03", "\x04", "\x05", "\xff", "\x01\x01m\x02\x04\x02", "\x01\x01m\x01\x01m\x01\x05alice",
		"\x01\x01m\x03\x01m\x00\x02hi\x03\x05alice\x00\x02hi\x03\x03eve\x00\x02hi\x02", "\x03\x05alice\x00\x02hi",
		"\x01\x01m\x03\x05alice\xff\xffhi", "\x01\xffm", "\x01\x00\x03\x00\x00\x00\x02\x02\x02", "\x01\x01m\x07\x05alice\x00\x00",
		"\x01\x02\xff\xff\x01\x03a b\x04\x04\x02\x08\x02\x02", "GET / HTTP/1.1\r\n\r\n",
	} {
		f.Add([]byte(seed), []byte{})
		f.Add([]byte(seed), []byte{1, 5, 1, 3})
	}
	addr := serve(f, Direct{})
	members := []*client{user(f, addr, "alice"), user(f, addr, "bob")}
	f.Fuzz(func(t *testing.T, stream, segments []byte) {
		pair := under(t, members)
		chat := func() {
			t.Helper()
			for i, from := range pair {
				from.send(sendPacket(pair[1-i].name, "well"))
				for _, wait := range []struct {
					*client
					kind byte
					from []string
					text string
				}{{from, 6, nil, "\x00"}, {pair[1-i], 7, []string{from.name}, "well"}} {
					for {
						kind, names, text, err := readAnswer(wait.client)
						if err != nil {
							t.Fatalf("%s waits for type %d: %v", wait.name, wait.kind, err)
						}
						if kind == wait.kind && slices.Equal(names, wait.from) && text == wait.text {
							break
						}
						if kind != 7 || names[0] == "alice" || names[0] == "bob" {
							t.Fatalf("%s got type %d %q %q", wait.name, kind, names, text)
						}
					}
				}
			}
		}
		want := fmt.Sprint(answersTo(stream))
		mallory := connect(t, addr, "mallory")
		mallory.sendSegments(stream, segments, chat)
		mallory.CloseWrite()
		var got []byte
		for {
			kind, _, text, err := readAnswer(mallory)
			if err == io.EOF || err != nil && kind == 0 {
				break
			}
			switch {
			case err != nil:
				t.Fatalf("mallory got type %d and: %v", kind, err)
			case kind == 5:
				got = append(got, 'l')
			case kind == 6 && text == "\x02":
				got = append(got, 'm')
			case kind == 6:
				got = append(got, 'r')
			}
		}
		if fmt.Sprint(string(got)) != want {
			t.Fatalf("%q is answered %q, want %q", stream, got, want)
		}
		chat()
	})
}

// answersTo says what a stream of packets is to be answered: l for a list, r for a response, m for a malformed packet.
func answersTo(stream []byte) string {
	answers := ""
	for len(stream) > 0 {
		size, answer := 1, "r"
		switch stream[0] {
		case 2:
			answer = "l"
		case 4:
		case 1, 3:
			if len(stream) < 2 {
				return answers + "m"
			}
			size = 2 + int(stream[1])
			if stream[0] == 3 {
				if len(stream) < size+2 {
					return answers + "m"
				}
				size += 2 + int(binary.BigEndian.Uint16(stream[size:]))
			}
		default:
			return answers + "m"
		}
		if len(stream) < size {
			return answers + "m"
		}
		answers += answer
		stream = stream[size:]
	}
	return answers
}

// FuzzDatagram sends arbitrary datagrams, cut from the input, from one address: those that are greetings and messages
// have their effect, and the others none.
func FuzzDatagram(f *testing.F) {
	for _, seed := range []string{
		"", "\x00", "GREETING", "GREETINGMESSAGE hiMESSAGE GREETINGMESSAGE \xff\x00", "MESSAGE hiGREETINGMESSAGE hi", "GREETING\n",
		"INCOMING 127.0.0.1 1 hi", "MESSAGE ", "GREETINGMESSAGE", "GREETING" + "MESSAGE " + strings.Repeat("x", 900),
	} {
		f.Add([]byte(seed), []byte{})
		f.Add([]byte(seed), []byte{7, 9, 15, 10})
		f.Add([]byte(seed), []byte{7, 0, 255})
	}
	f.Fuzz(func(t *testing.T, stream, sizes []byte) {
		server := serveDatagrams(t, Datagram{}, "127.0.0.1") // one that knows nobody
		alice, mallory := greeted(t, server), newPeer(t, server)
		active := false
		for i := 0; i < 20 && len(stream) > 0; i++ {
			n := min(len(stream), 2000)
			if i < len(sizes) {
				n = min(n, 1+int(sizes[i]))
			}
			payload := string(stream[:n])
			stream = stream[n:]
			mallory.send(payload)
			if payload == "GREETING" {
				active = true
			}
			if text, found := strings.CutPrefix(payload, "MESSAGE "); found && active {
				mallory.expect(mallory, text)
				alice.expect(mallory, text)
			}
		}
		mallory.send("MESSAGE done")
		if active {
			mallory.expect(mallory, "done")
			alice.expect(mallory, "done")
		}
		alice.send("MESSAGE well")
		alice.expect(alice, "well")
		if active {
			mallory.expect(alice, "well")
		}
	})
}
