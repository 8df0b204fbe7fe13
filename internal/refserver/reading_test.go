package refserver

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/chatprobe/chatprobe/internal/wire"
)

// There are two readings of each protocol: the server's, in Go, and the protocol file, which the probe goes by. What
// one writes the other reads, and what one takes for a message the other does too. Where they differ it says so here.

// reading is the protocol file of a suite with settings as the server has them.
func reading(t testing.TB, suite, settings string) *wire.Codec {
	t.Helper()
	file := "../../scenarios/" + suite + "/protocol.yaml"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := wire.Load(file, data, nil)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for _, word := range strings.Fields(settings) {
		name, value, _ := strings.Cut(word, "=")
		if p.Setting(name) != nil {
			values[name] = value
		}
	}
	c, err := p.Bind(values)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A written is what a server writes, and how the protocol file is to read it.
type written struct {
	bytes   []byte
	message string
	args    wire.Args
}

// Each message that a server writes is read as the message that it is, with the same parameters, and these are written
// as the same bytes again.
func TestServersWriteWhatIsRead(t *testing.T) {
	framedFrame := func(user, text string) []byte {
		// A relayed frame is what its sender has sent.
		c := reading(t, "framed", Framed{}.Choices())
		b, err := c.Encode(c.Message("say"), wire.Args{"user": user, "text": text}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	long := strings.Repeat("x", 65535)
	for _, suite := range []struct {
		name, settings string
		list           []written
	}{
		{"framed", Framed{}.Choices(), []written{
			{framedFrame("alice", "hello"), "hear", wire.Args{"user": "alice", "text": "hello"}},
			{framedFrame("zoë", ""), "hear", wire.Args{"user": "zoë", "text": ""}},
			{notice("bob has logged in"), "joined", nil},
			{notice("bob has left"), "left", nil},
		}},
		{"lines", Lines{}.Choices(), []written{
			{[]byte(registered), "ok", nil},
			{[]byte(invalid), "refused", nil},
			{[]byte(invalid), "malformed", nil},
			{[]byte(alreadyRegistered), "refused", nil},
			{[]byte(alreadyRegistered), "name_in_use", nil},
			{[]byte(disconnect), "closing", wire.Args{}},
			{[]byte("@alice: hello: there\n"), "hear", wire.Args{"user": "alice", "text": "hello: there"}},
			{[]byte("@alice: \n"), "hear", wire.Args{"user": "alice", "text": ""}},
		}},
		{"direct", "", []written{
			{userList(nil), "listed", wire.Args{"users": []any{}}},
			{userList([]string{"alice", "bob", "zoë"}), "listed", wire.Args{"users": []any{"alice", "bob", "zoë"}}},
			{succeeded, "ok", wire.Args{}},
			{failed, "refused", wire.Args{}},
			{malformed, "malformed", wire.Args{}},
			{delivery("alice", []byte("hello")), "told", wire.Args{"user": "alice", "text": "hello"}},
			{delivery("alice", nil), "told", wire.Args{"user": "alice", "text": ""}},
			{delivery("alice", []byte(long)), "told", wire.Args{"user": "alice", "text": long}},
		}},
		{"datagram", Datagram{}.Choices(), []written{
			{appendIncoming(nil, netip.MustParseAddrPort("127.0.0.1:5"), []byte("a b\n")), "hear", wire.Args{"ip": "127.0.0.1", "port": "5", "text": "a b\n"}},
			{appendIncoming(nil, netip.MustParseAddrPort("[::1]:65535"), nil), "hear", wire.Args{"ip": "[::1]", "port": "65535", "text": ""}},
		}},
	} {
		c := reading(t, suite.name, suite.settings)
		for _, w := range suite.list {
			var f wire.Frame
			n, err := c.Decode(&f, w.bytes, wire.Server)
			if err != nil || n != len(w.bytes) {
				t.Errorf("%s: %.40q is read as %d bytes, %v", suite.name, w.bytes, n, err)
				continue
			}
			m, found := c.Message(w.message), wire.Args{}
			if !m.Match(&f, nil, found) {
				t.Errorf("%s: %.40q is no %s", suite.name, w.bytes, m)
				continue
			}
			if w.args == nil {
				continue // its words are free
			}
			if got, want := fmt.Sprint(found), fmt.Sprint(w.args); got != want {
				t.Errorf("%s: %.40q is read with %.80s, want %.80s", suite.name, w.bytes, got, want)
			}
			if again, err := c.Example(m, found); err != nil || !bytes.Equal(again, w.bytes) {
				t.Errorf("%s: %.40q is written as %.40q, %v", suite.name, w.bytes, again, err)
			}
		}
	}
}

// read reads what a client sends by the protocol file: the names of all messages that it can be, and its length; 0 if
// it is not whole, -1 if it cannot become a message.
func read(c *wire.Codec, b []byte, first bool) (is map[string]wire.Args, size int) {
	var f wire.Frame
	n, err := c.Decode(&f, b, wire.Client)
	switch {
	case errors.Is(err, wire.ErrShort):
		return nil, 0
	case err != nil:
		return nil, -1
	}
	f.SetFirst(first)
	is = map[string]wire.Args{}
	for _, m := range c.Messages() {
		found := wire.Args{}
		if m.From == wire.Client && m.Match(&f, nil, found) {
			is[m.Name] = found
		}
	}
	return is, n
}

// Both readings find the same frames: the same lengths, the same name, the same text.
func FuzzFramedReadings(f *testing.F) {
	f.Add([]byte("\x00\x05\x00\x00\x00\x05alicehello"))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\x00\x01\xff\xff\xff\xffa"))
	c := reading(f, "framed", Framed{}.Choices())
	f.Fuzz(func(t *testing.T, b []byte) {
		is, size := read(c, b, false)
		head, ok := parseHeader(b)
		if !ok || int64(len(b)) < head.size() {
			if size != 0 {
				t.Fatalf("% x is not whole, and the protocol file reads %d bytes", b, size)
			}
			return
		}
		user := string(b[headerSize:][:head.name])
		text := string(b[headerSize+head.name:][:head.message])
		if say := is["say"]; int64(size) != head.size() || say["user"] != user || say["text"] != text {
			t.Fatalf("% x: %d bytes, %q, %q; the protocol file reads %d bytes, %v", b, head.size(), user, text, size, say)
		}
	})
}

// Both readings find the same packets.
func FuzzDirectReadings(f *testing.F) {
	f.Add([]byte("\x01\x05alice"))
	f.Add([]byte("\x02\x04"))
	f.Add([]byte("\x03\x03bob\x00\x02hi"))
	f.Add([]byte("\x09"))
	c := reading(f, "direct", "")
	f.Fuzz(func(t *testing.T, b []byte) {
		is, size := read(c, b, false)
		p, want, err := parsePacket(b)
		if err != nil {
			want = -1
		}
		if size != want {
			t.Fatalf("% x: %d bytes, %v; the protocol file reads %d", b, want, err, size)
		}
		if want <= 0 {
			return
		}
		args := map[byte]wire.Args{
			typeLogin: {"user": p.name}, typeList: {}, typeSend: {"to": p.name, "text": string(p.text)}, typeLogout: {},
		}[p.kind]
		name := map[byte]string{typeLogin: "login", typeList: "list", typeSend: "tell", typeLogout: "leave"}[p.kind]
		if got, ok := is[name]; !ok || len(is) != 1 || !maps.Equal(got, args) {
			t.Fatalf("% x is a %s with %v; the protocol file reads %v", b, name, args, is)
		}
	})
}

// Both readings find the same lines and know the same control lines. They differ in this: the server refuses NUL, what
// is not UTF-8, lines over its limit, and names that it does not like, all of which the protocol file can send, in order
// to see what happens.
func FuzzLinesReadings(f *testing.F) {
	for _, line := range []string{"REGISTER alice CHAT/1.0\n", "@alice: hi\r\n", "DISCONNECT alice CHAT/1.0\n", "REGISTER  CHAT/1.0\n", "half", "@alice: REGISTER x CHAT/1.0\n"} {
		f.Add([]byte(line))
	}
	c := reading(f, "lines", Lines{}.Choices())
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &linesSession{Lines: &Lines{MaxLine: 64 << 10}, user: "alice"}
		is, size := read(c, b, true)
		line, want, err := s.line(b)
		switch {
		case errors.Is(err, errLineTooLong):
			return
		case err != nil:
			end := bytes.IndexByte(b, '\n')
			if utf8.Valid(b[:end]) && bytes.IndexByte(b[:end], 0) < 0 || size != end+1 {
				t.Fatalf("%q: %v; the protocol file reads %d bytes", b, err, size)
			}
			return
		case size != want:
			t.Fatalf("%q: %d bytes; the protocol file reads %d", b, want, size)
		case want == 0:
			return
		}
		user, ok := controlLine(line, "REGISTER")
		if login, known := is["login"]; known != (ok && user != "") || known && login["user"] != user {
			t.Fatalf("%q registers %q, %v; the protocol file reads %v", line, user, ok, is)
		}
		user, ok = controlLine(line, "DISCONNECT")
		if leave, known := is["leave"]; known != (ok && user != "") || known && leave["user"] != user {
			t.Fatalf("%q says goodbye for %q, %v; the protocol file reads %v", line, user, ok, is)
		}
		if s.isMessage(line) {
			var frame wire.Frame
			if _, err := c.Decode(&frame, b, wire.Client); err != nil || !c.Message("say").Match(&frame, wire.Args{"user": "alice"}, nil) {
				t.Fatalf("%q is a message of alice, and not by the protocol file", line)
			}
		}
	})
}

// Both readings know the same datagrams.
func FuzzDatagramReadings(f *testing.F) {
	for _, d := range []string{"GREETING", "MESSAGE hi", "MESSAGE ", "MESSAGE", "greeting", "GREETING\n", ""} {
		f.Add([]byte(d))
	}
	c := reading(f, "datagram", Datagram{}.Choices())
	f.Fuzz(func(t *testing.T, b []byte) {
		is, size := read(c, b, false)
		text, isMessage := bytes.CutPrefix(b, []byte("MESSAGE "))
		say, says := is["say"]
		_, greets := is["login"]
		if size != len(b) || says != isMessage || says && say["text"] != string(text) || greets != (string(b) == "GREETING") {
			t.Fatalf("%q: the protocol file reads %d bytes, %v", b, size, is)
		}
	})
}
