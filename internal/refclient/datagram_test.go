package refclient

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestParseIncoming(t *testing.T) {
	tests := []struct{ datagram, from, text string }{
		{"INCOMING 127.0.0.1 4447 hello", "127.0.0.1:4447", "hello"},
		{"INCOMING 10.0.0.7 65535 grüß, \x00\xff\n ", "10.0.0.7:65535", "grüß, \x00\xff\n "},
		{"INCOMING 127.0.0.1 4447  two  blanks", "127.0.0.1:4447", " two  blanks"},
		{"INCOMING 127.0.0.1 4447 ", "127.0.0.1:4447", ""},
		{"INCOMING 127.0.0.1 4447", "127.0.0.1:4447", ""},
		{"INCOMING [::1] 4447 hello", "[::1]:4447", "hello"},
		{"INCOMING ::1 4447 hello", "[::1]:4447", "hello"},
		{"INCOMING [fe80::1%eth0] 4447 hello", "[fe80::1%eth0]:4447", "hello"},
		{"INCOMING [::ffff:127.0.0.1] 4447 hello", "127.0.0.1:4447", "hello"},
		{"INCOMING 127.0.0.1 4447 INCOMING 127.0.0.1 1 x", "127.0.0.1:4447", "INCOMING 127.0.0.1 1 x"},
		{"", "", ""},
		{"INCOMING", "", ""},
		{"INCOMING ", "", ""},
		{"INCOMINGS 127.0.0.1 4447 hello", "", ""},
		{"incoming 127.0.0.1 4447 hello", "", ""},
		{"INCOMING  127.0.0.1 4447 hello", "", ""},
		{"INCOMING 127.0.0.1", "", ""},
		{"INCOMING 127.0.0.1 hello", "", ""},
		{"INCOMING 127.0.0.1 65536 hello", "", ""},
		{"INCOMING 127.0.0.1 -1 hello", "", ""},
		{"INCOMING 127.0.0.1 +1 hello", "", ""},
		{"INCOMING 127.0.0.1:4447 hello", "", ""},
		{"INCOMING 256.0.0.1 4447 hello", "", ""},
		{"INCOMING localhost 4447 hello", "", ""},
		{"INCOMING [::1 4447 hello", "", ""},
		{"INCOMING ::1] 4447 hello", "", ""},
	}
	for _, tt := range tests {
		from, text, ok := parseIncoming(tt.datagram)
		if ok != (tt.from != "") || ok && (from.String() != tt.from || text != tt.text) {
			t.Errorf("%q: from %v, %q, %v, want %s, %q", tt.datagram, from, text, ok, tt.from, tt.text)
		}
	}
}

// A post is the test's end: a server of one client.
type post struct {
	t      *testing.T
	conn   net.PacketConn
	client net.Addr
}

// openPost begins a server on a loopback address.
func openPost(t *testing.T, host string) *post {
	t.Helper()
	conn, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
	if err != nil {
		if host == "::1" {
			t.Skipf("no IPv6 here: %v", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &post{t: t, conn: conn}
}

func (p *post) addr() string { return p.conn.LocalAddr().String() }

// next waits for a datagram.
func (p *post) next() string {
	p.t.Helper()
	buf := make([]byte, 64<<10)
	p.conn.SetReadDeadline(time.Now().Add(patience))
	n, from, err := p.conn.ReadFrom(buf)
	if err != nil {
		p.t.Fatalf("the server hears nothing: %v", err)
	}
	p.client = from
	return string(buf[:n])
}

// hears requires the next datagram.
func (p *post) hears(want string) {
	p.t.Helper()
	if got := p.next(); got != want {
		p.t.Errorf("the server hears %.100q, want %.100q", got, want)
	}
}

// silent requires that there is no other datagram.
func (p *post) silent() {
	p.t.Helper()
	buf := make([]byte, 64<<10)
	p.conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if n, _, err := p.conn.ReadFrom(buf); err == nil {
		p.t.Errorf("the server hears %.100q too", buf[:n])
	}
}

func (p *post) says(datagram string) {
	p.t.Helper()
	if _, err := p.conn.WriteTo([]byte(datagram), p.client); err != nil {
		p.t.Fatal(err)
	}
}

// shows waits until the client's output is this.
func (c *client) shows(want string) {
	c.t.Helper()
	eventually(c.t, fmt.Sprintf("output %.200q, it is %.200q", want, c.out.String()),
		func() bool { return c.out.String() == want })
}

// U-7.
func TestDatagramSession(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		t.Run(host, func(t *testing.T) {
			server := openPost(t, host)
			c := run(t, Datagram{Addr: server.addr()})
			server.hears("GREETING")
			server.silent() // before something is typed
			server.says("INCOMING 10.1.2.3 4000 first, and \x1b[2J\n")
			c.shows("<From 10.1.2.3:4000>: first, and \\x1b[2J\\n\n")
			longest := strings.Repeat("x", MaxDatagramText)
			c.types("hello, world\r\n\n" + longest + "\n" + longest + "y\ngrüß \xff\x00\nno line end")
			server.hears("MESSAGE hello, world")
			server.hears("MESSAGE " + longest)
			server.hears("MESSAGE grüß \xff\x00")
			c.typing.Close()
			server.hears("MESSAGE no line end")
			server.says("INCOMING [2001:db8::1] 5000 last")
			if err := c.ends(); err != nil {
				t.Error(err)
			}
			server.silent()
			if want := "<From 10.1.2.3:4000>: first, and \\x1b[2J\\n\n<From [2001:db8::1]:5000>: last\n"; c.out.String() != want {
				t.Errorf("output %q", c.out.String())
			}
			if want := fmt.Sprintf("not sent: the line has more than %d bytes\n", MaxDatagramText); c.err.String() != want {
				t.Errorf("errors %q", c.err.String())
			}
		})
	}
}

// What a host name means is served on IPv4 if it has both.
func TestDatagramName(t *testing.T) {
	server := openPost(t, "127.0.0.1")
	_, port, _ := net.SplitHostPort(server.addr())
	run(t, Datagram{Addr: net.JoinHostPort("localhost", port)})
	server.hears("GREETING")
}

func TestDatagramGarbage(t *testing.T) {
	server := openPost(t, "127.0.0.1")
	c := run(t, Datagram{Addr: server.addr()})
	server.hears("GREETING")
	for _, garbage := range []string{"", "\xff\xfe\x00", "INCOMING", strings.Repeat("x", 65507), "MESSAGE hello"} {
		server.says(garbage)
	}
	stranger := openPost(t, "127.0.0.1")
	stranger.client = server.client
	stranger.says("INCOMING 127.0.0.1 1 from somebody else")
	server.says("INCOMING 127.0.0.1 2 hello")
	c.shows("<From 127.0.0.1:2>: hello\n")
	if want := "ignored: a datagram that is no INCOMING, and all like it\n"; c.err.String() != want {
		t.Errorf("errors %q", c.err.String())
	}
	server.silent()
}

// A flood is shown, and what is typed is sent all the same.
func TestDatagramFlood(t *testing.T) {
	server := openPost(t, "127.0.0.1")
	c := run(t, Datagram{Addr: server.addr()})
	server.hears("GREETING")
	flooded := make(chan struct{})
	go func(client net.Addr) {
		defer close(flooded)
		for i := range 20000 {
			// What is lost is lost.
			server.conn.WriteTo(fmt.Appendf(nil, "INCOMING 127.0.0.1 1 %d", i), client)
		}
	}(server.client)
	c.types("hello\n")
	server.hears("MESSAGE hello")
	<-flooded
	eventually(t, "the last is shown", func() bool {
		server.says("INCOMING 127.0.0.1 1 last")
		return strings.HasSuffix(c.out.String(), "<From 127.0.0.1:1>: last\n")
	})
	for line := range strings.Lines(c.out.String()) {
		if !strings.HasPrefix(line, "<From 127.0.0.1:1>: ") {
			t.Fatalf("line %q", line)
		}
	}
}

// ICMP errors end nothing; a server that starts late is greeted.
func TestDatagramNobodyThere(t *testing.T) {
	server := openPost(t, "127.0.0.1")
	addr := server.addr()
	server.conn.Close()
	c := run(t, Datagram{Addr: addr})
	complaint := "nobody answers at " + addr + ": connection refused\n"
	eventually(t, "a complaint", func() bool { return c.err.String() == complaint })
	c.types("one\ntwo\nthree\n")
	time.Sleep(20 * time.Millisecond)
	if c.err.String() != complaint {
		t.Errorf("errors %q", c.err.String())
	}

	conn, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Skipf("somebody else has taken %s: %v", addr, err)
	}
	defer conn.Close()
	server.conn = conn
	c.types("four\n")
	var heard []string // what was typed last, before somebody was there, may not have been sent yet
	for !slices.Contains(heard, "MESSAGE four") {
		heard = append(heard, server.next())
	}
	if len(heard) < 2 || heard[len(heard)-2] != "GREETING" {
		t.Errorf("the server hears %q, want a greeting before the last", heard)
	}
	server.says("INCOMING 127.0.0.1 1 welcome")
	c.shows("<From 127.0.0.1:1>: welcome\n")
	c.types("five\n")
	server.hears("MESSAGE five")
	server.silent()

	conn.Close()
	c.types("six\n")
	eventually(t, "another complaint", func() bool { return c.err.String() == complaint+complaint })
	c.typing.Close()
	if err := c.ends(); err != nil {
		t.Error(err)
	}
}

// The system reports a datagram lost when the next is sent, which then is not.
func TestDatagramWriteErrors(t *testing.T) {
	tests := []struct {
		name   string
		errors []error
		sent   []string
		told   string
	}{
		{"none", nil, []string{"MESSAGE hello"}, ""},
		{"of the one before", []error{syscall.ECONNREFUSED}, []string{"MESSAGE hello"}, "nobody answers at there:1: connection refused\n"},
		{"of both", []error{syscall.ECONNREFUSED, syscall.EHOSTUNREACH}, nil, "nobody answers at there:1: connection refused\n"},
		{"of this one", []error{syscall.EMSGSIZE}, nil, "not sent: message too long\n"},
		{"of the network", []error{syscall.ENETUNREACH}, []string{"MESSAGE hello"}, "nobody answers at there:1: network is unreachable\n"},
		{"session over", []error{net.ErrClosed}, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var told screenText
			conn := &lossyConn{errors: tt.errors}
			s := &datagramSession{
				Datagram: Datagram{Addr: "there:1"},
				conn:     conn,
				terminal: NewTerminal(strings.NewReader(""), io.Discard, &told),
				end:      func(err error) { t.Error(err) },
			}
			s.write("MESSAGE hello")
			if !slices.Equal(conn.sent, tt.sent) || told.String() != tt.told {
				t.Errorf("sent %q, told %q", conn.sent, told.String())
			}
		})
	}
}

// A lossyConn sends after it has failed so often.
type lossyConn struct {
	net.Conn
	errors []error
	sent   []string
}

func (c *lossyConn) Write(b []byte) (int, error) {
	if len(c.errors) > 0 {
		err := c.errors[0]
		c.errors = c.errors[1:]
		return 0, &net.OpError{Op: "write", Net: "udp", Err: os.NewSyscallError("write", err)}
	}
	c.sent = append(c.sent, string(b))
	return len(b), nil
}

func TestDatagramEndOfInput(t *testing.T) {
	server := openPost(t, "127.0.0.1")
	c := run(t, Datagram{Addr: server.addr()})
	start := time.Now()
	c.typing.Close()
	server.hears("GREETING")
	// For as long as something comes, but not for ever.
	const talks = 15
	for range talks {
		time.Sleep(lingerQuiet / 10)
		server.says("INCOMING 127.0.0.1 1 still here")
	}
	if err := c.ends(); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took < 2*lingerQuiet || took > lingerInAll {
		t.Errorf("the client waited %v", took)
	}
	if want := strings.Repeat("<From 127.0.0.1:1>: still here\n", talks); c.out.String() != want {
		t.Errorf("output %q", c.out.String())
	}
}

func TestDatagramCancelled(t *testing.T) {
	server := openPost(t, "127.0.0.1")
	c := run(t, Datagram{Addr: server.addr()})
	server.hears("GREETING")
	reason := errors.New("enough")
	c.stop(reason)
	if err := c.ends(); err != reason {
		t.Error(err)
	}
}

func TestDatagramNoHost(t *testing.T) {
	// Not a host name, so that no resolver is asked.
	err := run(t, Datagram{Addr: "no..host:1"}).ends()
	if err == nil || err.Error() != "find host no..host: no such host" {
		t.Error(err)
	}
}

// Many lines through a pipe arrive all and in order.
func TestDatagramFile(t *testing.T) {
	server := openPost(t, "127.0.0.1")
	c := run(t, Datagram{Addr: server.addr()})
	var lines []string
	for i := range 300 {
		lines = append(lines, fmt.Sprint("line ", i))
	}
	go io.WriteString(c.typing, strings.Join(lines, "\n"))
	server.hears("GREETING")
	for line := range slices.Values(lines[:299]) {
		server.hears("MESSAGE " + line)
	}
	c.typing.Close()
	server.hears("MESSAGE " + lines[299])
}

// Whatever comes, it is shown as one line that says from where, or not at all.
func FuzzIncoming(f *testing.F) {
	f.Add("INCOMING 127.0.0.1 4447 hello")
	f.Add("INCOMING [::1%\x1b] 4447 a\nb")
	f.Add("INCOMING [::ffff:127.0.0.1] 0 ")
	f.Fuzz(func(t *testing.T, datagram string) {
		from, text, ok := parseIncoming(datagram)
		if !ok {
			return
		}
		if !from.Addr().IsValid() || from.Addr().Is4In6() || !strings.HasSuffix(datagram, text) {
			t.Errorf("%q: from %v, %q", datagram, from, text)
		}
		host := from.Addr().String()
		if !from.Addr().Is4() {
			host = "[" + host + "]"
		}
		again, same, ok := parseIncoming(fmt.Sprintf("INCOMING %s %d %s", host, from.Port(), text))
		if again != from || same != text || !ok {
			t.Errorf("%q: from %v, %q; again %v, %q, %v", datagram, from, text, again, same, ok)
		}
	})
}
