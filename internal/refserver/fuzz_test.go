package refserver

import (
	"strings"
	"testing"
	"time"
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
		var pair []*client
		for _, c := range members {
			pair = append(pair, &client{TB: t, TCPConn: c.TCPConn, name: c.name})
		}
		mallory := connect(t, addr, "mallory")
		for i := 0; len(stream) > 0; i++ {
			n := len(stream)
			if i < len(segments) {
				n = min(n, 1+int(segments[i]))
			}
			mallory.SetWriteDeadline(time.Now().Add(within))
			if _, err := mallory.Write(stream[:n]); err != nil {
				break // disconnected, and rightly so for all that is known here
			}
			stream = stream[n:]
			if i < 10 {
				talk(t, pair)
			}
		}
		talk(t, pair)
		mallory.Close()
		talk(t, pair)
	})
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
