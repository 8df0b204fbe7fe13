package refclient

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// D-10: what each command sends or is told, bytes written by hand.
func TestDirectCommands(t *testing.T) {
	name20, name21 := strings.Repeat("é", 20), strings.Repeat("é", 21)
	longest := strings.Repeat("x", 65535)
	tests := []struct{ line, packet, told string }{
		{"", "", ""},
		{"  ", "", ""},
		{"login alice", "\x01\x05alice", ""},
		{"  login   alice  ", "\x01\x05alice", ""},
		{"login " + name20, "\x01\x28" + name20, ""},
		{"login " + strings.Repeat("👋", 20), "\x01\x50" + strings.Repeat("👋", 20), ""},
		{"login", "", "Bad username"},
		{"login ", "", "Bad username"},
		{"login alice bob", "", "Bad username"},
		{"login " + name21, "", "Bad username"},
		{"login " + strings.Repeat("\xff", 300), "", "Bad username"},

		{"sendto bob hello", "\x03\x03bob\x00\x05hello", ""},
		{"sendto bob hello, world", "\x03\x03bob\x00\x0chello, world", ""},
		{"sendto  bob  two  blanks ", "\x03\x03bob\x00\x0d two  blanks ", ""},
		{"sendto bob\t\xff\x00", "\x03\x03bob\x00\x02\xff\x00", ""},
		{"sendto bob " + longest, "\x03\x03bob\xff\xff" + longest, ""},
		{"sendto", "", "Bad username"},
		{"sendto bob", "", "Bad username"},
		{"sendto bob ", "", "Bad username"},
		{"sendto " + name21 + " hello", "", "Bad username"},
		{"sendto " + name21 + " " + longest + "x", "", "Bad username"},
		{"sendto bob " + longest + "x", "", "Bad message"},
		{"sendto bob " + strings.Repeat("é", 65536), "", "Bad message"},
		{"sendto bob " + strings.Repeat("é", 32768), "", "Bad message"},

		{"list", "\x02", ""},
		{"list ", "\x02", ""},
		{"logout", "\x04", ""},
		{"exit", "", "left"},
		{"list all", "", "Invalid command"},
		{"logout alice", "", "Invalid command"},
		{"exit now", "", "Invalid command"},
		{"hello", "", "Invalid command"},
		{"LIST", "", "Invalid command"},
		{"logins alice", "", "Invalid command"},
	}
	for _, tt := range tests {
		packet, err := composePacket(tt.line)
		told := ""
		if err != nil {
			told = err.Error()
		}
		if string(packet) != tt.packet || told != tt.told {
			t.Errorf("%.40q sends %.40q, %q, want %.40q, %q", tt.line, packet, told, tt.packet, tt.told)
		}
	}
}

// Bytes written by hand from the protocol, and what the user sees of them.
var directVectors = []struct{ bytes, text string }{
	{"\x06\x00", "Success"},
	{"\x06\x01", "Failure"},
	{"\x06\x02", "Failure: malformed packet"},
	{"\x06\xff", "Failure: unknown result 255"},
	{"\x05\x00\x00", "users (0):"},
	{"\x05\x00\x01\x05alice", "users (1): alice"},
	{"\x05\x00\x03\x05alice\x00\x05jos\xc3\xa9", "users (3): alice, , josé"},
	{"\x07\x03bob\x00\x05hello", "bob: hello"},
	{"\x07\x00\x00\x00", ": "},
	{"\x07\x06b: \x1b\xff!\x00\x02\n\xff", "b\\x3a \x1b\xff!: \n\xff"},
	{"\x07\x03bob\x01\x00" + strings.Repeat("t", 256), "bob: " + strings.Repeat("t", 256)},
}

// inPiecesOfPackets is what a client shows of these segments.
func inPiecesOfPackets(pieces ...string) ([]string, error) {
	var d packets
	var all []string
	for _, piece := range pieces {
		whole, err := d.add([]byte(piece))
		for _, p := range whole {
			all = append(all, p.String())
		}
		if err != nil {
			return all, err
		}
	}
	if len(d.rest) > 0 {
		return all, fmt.Errorf("%d bytes left", len(d.rest))
	}
	return all, nil
}

func TestDirectPackets(t *testing.T) {
	for _, v := range directVectors {
		got, err := inPiecesOfPackets(v.bytes)
		if len(got) != 1 || got[0] != v.text || err != nil {
			t.Errorf("%q reads as %q, %v, want %q", v.bytes, got, err, v.text)
		}
		for cut := range len(v.bytes) {
			if size, err := packetSize([]byte(v.bytes[:cut]), new(measured)); size <= cut || size > len(v.bytes) || err != nil {
				t.Errorf("%q of %q has %d bytes, %v", v.bytes[:cut], v.bytes, size, err)
			}
		}
	}
}

func TestDirectPacketsAtEverySplit(t *testing.T) {
	var stream string
	var want []string
	for _, v := range directVectors[:10] {
		stream += v.bytes
		want = append(want, v.text)
	}
	for i := range len(stream) + 1 {
		for j := i; j <= len(stream); j++ {
			got, err := inPiecesOfPackets(stream[:i], stream[i:j], stream[j:])
			if !slices.Equal(got, want) || err != nil {
				t.Fatalf("split at %d and %d: %q, %v", i, j, got, err)
			}
		}
	}
	got, err := inPiecesOfPackets(strings.Split(stream, "")...)
	if !slices.Equal(got, want) || err != nil {
		t.Fatalf("byte by byte: %q, %v", got, err)
	}
}

func TestDirectUnknownType(t *testing.T) {
	for _, kind := range []byte{0, 1, 2, 3, 4, 8, 0xff} {
		var d packets
		got, err := d.add([]byte{6, 0, kind})
		if want := fmt.Sprintf("read packet: type %d is none that a server sends", kind); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
		if len(got) != 1 {
			t.Errorf("the packet before it: %v", got)
		}
		if again, after := d.add([]byte{6, 0}); after != err || again != nil {
			t.Errorf("after an error: %v, %v", again, after)
		}
	}
}

// The largest lists and texts cost nothing before they have arrived, and a list
// of 65,535 names is not read again for every one of them.
func TestDirectMemoryAndTime(t *testing.T) {
	for _, start := range []string{"\x05\xff\xff", "\x05\xff\xff\xff", "\x07\xff", "\x07\x00\xff\xff"} {
		var d packets
		if _, err := d.add([]byte(start)); err != nil {
			t.Fatal(err)
		}
		if cap(d.rest) > 1<<10 {
			t.Errorf("%q costs %d bytes", start, cap(d.rest))
		}
	}
	var d packets
	list := []byte("\x05\xff\xff" + strings.Repeat("\xff"+strings.Repeat("n", 255), 65535))
	begin := time.Now()
	for piece := range slices.Chunk(list, 100) {
		whole, err := d.add(piece)
		if err != nil {
			t.Fatal(err)
		}
		if len(whole) > 0 && len(whole[0].names) != 65535 {
			t.Errorf("%d names", len(whole[0].names))
		}
	}
	if took := time.Since(begin); len(d.rest) > 0 || took > patience {
		t.Errorf("%d bytes left after %v", len(d.rest), took)
	}
}

func TestDirectSession(t *testing.T) {
	exchange := []struct{ command, answer string }{
		{"\x01\x05alice", "\x06\x00"},
		{"\x02", "\x05\x00\x02\x05alice\x03bob\x07\x03bob\x00\x02hi"},
		{"\x03\x03bob\x00\x05hello", "\x06\x01"},
		{"\x04", "\x07\x03bob\x00\x04\x1b[2J\x06\x02"},
	}
	addr := serve(t, func(conn *net.TCPConn) {
		for _, e := range exchange {
			b := make([]byte, len(e.command))
			if n, _ := io.ReadFull(conn, b); string(b[:n]) != e.command {
				t.Errorf("sent %q, want %q", b[:n], e.command)
			}
			time.Sleep(20 * time.Millisecond) // the input has ended long before the last answer
			io.WriteString(conn, e.answer)
		}
		waitForClose(t, conn)
	})
	c := run(t, Direct{Addr: addr})
	c.types("login alice\nlist\nlist all\nsendto bob hello\n\nlogin\nlogout")
	c.typing.Close()
	start := time.Now()
	if err := c.ends(); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took >= lingerQuiet {
		t.Errorf("all is answered, and the client waits %v", took)
	}
	want := "Success\nusers (2): alice, bob\nbob: hi\nInvalid command\nFailure\nBad username\n" +
		"bob: \\x1b[2J\nFailure: malformed packet\n"
	if c.out.String() != want || c.err.String() != "" {
		t.Errorf("output %q, errors %q\nwant %q", c.out.String(), c.err.String(), want)
	}
}

// An error in a command does not wait long for a server that owes an answer.
func TestDirectErrorWithoutAnswer(t *testing.T) {
	addr := serve(t, func(conn *net.TCPConn) { io.ReadAll(conn) })
	c := run(t, Direct{Addr: addr})
	c.types("list\nlogin\n")
	start := time.Now()
	eventually(t, "the error", func() bool { return c.out.String() == "Bad username\n" })
	if took := time.Since(start); took >= 8*inTurnWithin {
		t.Errorf("it took %v", took)
	}
}

func TestDirectExit(t *testing.T) {
	for _, typed := range []string{"exit\n", "exit\nlist\n", ""} {
		sent := make(chan string, 1)
		addr := serve(t, func(conn *net.TCPConn) {
			all, _ := io.ReadAll(conn)
			sent <- string(all)
		})
		c := run(t, Direct{Addr: addr})
		start := time.Now()
		c.types(typed)
		c.typing.Close()
		if err := c.ends(); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took >= lingerQuiet {
			t.Errorf("nothing is to be answered, and the client waits %v", took)
		}
		if got := <-sent; got != "" {
			t.Errorf("%q sends %q", typed, got)
		}
	}
}

// A server that owes an answer and is silent is waited for, but not for long.
func TestDirectNoAnswer(t *testing.T) {
	addr := serve(t, func(conn *net.TCPConn) { io.ReadAll(conn) })
	c := run(t, Direct{Addr: addr})
	c.types("list\nexit\n")
	start := time.Now()
	if err := c.ends(); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took < lingerQuiet || took > lingerInAll {
		t.Errorf("waited %v", took)
	}
}

// D-11: whatever the server says, the client says nothing to it.
func TestDirectNeverReplies(t *testing.T) {
	flood := strings.Repeat("\x06\x00\x06\x02\x05\x00\x01\x03bob\x07\x03bob\x00\x04list", 20000)
	addr := serve(t, func(conn *net.TCPConn) {
		io.WriteString(conn, flood)
		conn.CloseWrite()
		if all, _ := io.ReadAll(conn); len(all) > 0 {
			t.Errorf("the client replies %q", all)
		}
	})
	c := run(t, Direct{Addr: addr})
	if err := c.ends(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if n := strings.Count(c.out.String(), "\n"); n != 80000 {
		t.Errorf("%d lines shown", n)
	}
}

func TestDirectServerGoes(t *testing.T) {
	tests := []struct {
		name string
		says string
		do   func(*net.TCPConn)
		out  string
		want string
		is   error
	}{
		{"closes", "\x06\x00", nil, "Success\n", "server closed the connection", ErrClosed},
		{"closes in a list", "\x05\xff\xff\x05alice", nil, "", "server closed the connection in the middle of a packet", ErrClosed},
		{"closes in a text", "\x07\x03bob\xff\xffhello", nil, "", "server closed the connection in the middle of a packet", ErrClosed},
		{"resets", "", func(conn *net.TCPConn) { conn.SetLinger(0) }, "", "connection reset", ErrReset},
		{"garbage", "\x06\x00HTTP/1.1 400 Bad Request", nil, "Success\n", "read packet: type 72 is none that a server sends", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			addr := serve(t, func(conn *net.TCPConn) {
				conn.Read(make([]byte, 10)) // what is unread at a close resets the connection
				io.WriteString(conn, tt.says)
				if tt.do != nil {
					tt.do(conn)
				}
			})
			c := run(t, Direct{Addr: addr})
			c.types("list\n")
			err := c.ends()
			if err == nil || err.Error() != tt.want || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v, want %s", err, tt.want)
			}
			if c.out.String() != tt.out {
				t.Errorf("output %q, want %q", c.out.String(), tt.out)
			}
		})
	}
}

// Any split reads alike; a cut packet asks for more and never for less than
// there is.
func FuzzPackets(f *testing.F) {
	for _, v := range directVectors[:10] {
		f.Add([]byte(v.bytes+v.bytes), uint16(3), uint16(9))
	}
	f.Add([]byte("\x06\x00\x08\x05\xff\xff\xff"), uint16(2), uint16(4))
	f.Fuzz(func(t *testing.T, stream []byte, i, j uint16) {
		first := min(int(i), len(stream))
		second := min(max(int(j), first), len(stream))
		s := string(stream)
		whole, wholeErr := inPiecesOfPackets(s)
		pieces, piecesErr := inPiecesOfPackets(s[:first], s[first:second], s[second:])
		if !slices.Equal(whole, pieces) || fmt.Sprint(wholeErr) != fmt.Sprint(piecesErr) {
			t.Fatalf("at once %q, %v; in pieces %q, %v", whole, wholeErr, pieces, piecesErr)
		}
		if size, err := packetSize(stream, new(measured)); err == nil && size > len(stream) {
			longer := append(stream, make([]byte, size-len(stream))...)
			if again, err := packetSize(longer, new(measured)); err == nil && again < size {
				t.Errorf("%q needs %d bytes, and with them has %d", s, size, again)
			}
		}
	})
}

// What a command sends is one packet, and one that says no more than was typed.
func FuzzCommands(f *testing.F) {
	f.Add("login alice")
	f.Add("sendto bob hello")
	f.Add("list")
	f.Fuzz(func(t *testing.T, line string) {
		packet, err := composePacket(line)
		switch {
		case err != nil && packet != nil:
			t.Errorf("%q sends %q and fails: %v", line, packet, err)
		case len(packet) > 1+1+4*maxDirectName+2+maxDirectText:
			t.Errorf("%.80q sends %d bytes", line, len(packet))
		case len(packet) > 2 && packet[0] == directSendTo:
			// As a client reads it, it differs from a delivery by its type only.
			delivery := append([]byte{directDelivery}, packet[1:]...)
			size, err := packetSize(delivery, nil)
			p := decodePacket(delivery)
			if err != nil || size != len(packet) || !strings.HasSuffix(line, p.text) || !strings.Contains(line, p.user) {
				t.Errorf("%q sends %q", line, packet)
			}
		}
	})
}
