package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/pcap"
)

// A seen is a connection as a capture shows it.
type seen struct {
	client, server netip.AddrPort
	opened         bool
	said           [2]string // by the client, by the server
	missing        [2]int64
	how            [2]pcap.End
	parts          []string // what was said by either, in order: ">hello"
}

// A capture is all that a file shows.
type capture struct {
	conns     []*seen
	datagrams []string // "port>port text"
	times     []time.Time
	stats     pcap.Stats
}

// read has the package pcap read the capture of a log.
func read(t testing.TB, l *Log) (*capture, []byte) {
	t.Helper()
	var file bytes.Buffer
	if err := l.WriteCapture(&file); err != nil {
		t.Fatal(err)
	}
	c := &capture{}
	conn := func(s pcap.Source) (*seen, int) {
		for len(c.conns) < s.Conn.ID {
			c.conns = append(c.conns, &seen{})
		}
		one := c.conns[s.Conn.ID-1]
		one.client, one.server, one.opened = s.Conn.Client, s.Conn.Server, s.Conn.Opened
		c.times = append(c.times, s.Time)
		if s.FromClient {
			return one, 0
		}
		return one, 1
	}
	var err error
	c.stats, err = pcap.Read(bytes.NewReader(file.Bytes()), pcap.Sink{
		Data: func(s pcap.Source, b []byte) {
			one, from := conn(s)
			one.said[from] += string(b)
			one.parts = append(one.parts, string("><"[from])+string(b))
		},
		Gap: func(s pcap.Source, n int) {
			one, from := conn(s)
			one.missing[from] += int64(n)
		},
		End: func(s pcap.Source, how pcap.End) {
			one, from := conn(s)
			one.how[from] = how
		},
		Datagram: func(s pcap.Source, b []byte) {
			c.times = append(c.times, s.Time)
			c.datagrams = append(c.datagrams, fmt.Sprintf("%v>%v %s", s.From, s.To, b))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if s := c.stats; s.Other+s.Repeated+s.Conflict != 0 {
		t.Errorf("the capture has faults: %+v", s)
	}
	return c, file.Bytes()
}

// faultless has tcpdump and tshark look for anything that is not as it should be.
func faultless(t *testing.T, file []byte) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "play.pcap")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if tcpdump, err := exec.LookPath("tcpdump"); err == nil {
		out, err := exec.Command(tcpdump, "-n", "-vv", "-r", name).Output()
		if err != nil {
			t.Errorf("tcpdump: %v", err)
		}
		if sums := bytes.Count(out, []byte("cksum")) + bytes.Count(out, []byte("sum ok")); sums == 0 || bytes.Contains(out, []byte("incorrect")) || bytes.Contains(out, []byte(" bad ")) || bytes.Contains(out, []byte("[bad ")) {
			t.Errorf("tcpdump finds %d checksums, and fault:\n%.5000s", sums, out)
		}
	} else if os.Getenv("CI") != "" {
		t.Error("tcpdump is not installed")
	}
	if tshark, err := exec.LookPath("tshark"); err == nil {
		out, err := exec.Command(tshark, "-r", name,
			"-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-Y",
			"_ws.malformed || tcp.checksum.status == 0 || udp.checksum.status == 0 || ip.checksum.status == 0 || (tcp.analysis.flags && !tcp.analysis.reused_ports)").Output()
		if err != nil {
			t.Errorf("tshark: %v", err)
		}
		if len(out) > 0 {
			t.Errorf("tshark finds fault with\n%.5000s", out)
		}
	}
}

// pair makes a connection over the address, such as 127.0.0.1:0.
func pair(t testing.TB, address string) (dialed, accepted *net.TCPConn) {
	t.Helper()
	door, err := net.Listen("tcp", address)
	if err != nil {
		if strings.HasPrefix(address, "[") {
			t.Skipf("SKIPPED, NOT TESTED: there is no IPv6 here: %v", err)
		}
		t.Fatal(err)
	}
	defer door.Close()
	a, err := net.Dial("tcp", door.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := door.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a.(*net.TCPConn), b.(*net.TCPConn)
}

func say(t testing.TB, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Error(err)
	}
}

func hear(t testing.TB, c net.Conn, text string) {
	t.Helper()
	b := make([]byte, len(text))
	if _, err := io.ReadFull(c, b); err != nil || string(b) != text {
		t.Errorf("heard %.40q and %v, not %.40q", b, err, text)
	}
}

// hearEnd reads until the connection is over, and says how it ended.
func hearEnd(c net.Conn) error {
	_, err := io.Copy(io.Discard, struct{ io.Reader }{c})
	return err
}

func halfClose(t testing.TB, c net.Conn) {
	t.Helper()
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Error(err)
	}
}

func resetNow(t testing.TB, c net.Conn) {
	t.Helper()
	if err := c.(interface{ SetLinger(int) error }).SetLinger(0); err != nil {
		t.Error(err)
	}
	c.Close()
}

var long = strings.Repeat("0123456789abcdef", 1<<16)

// In each of these the probe and the other end talk, and the capture is to show
// what they said and how it ended.
var conversations = []struct {
	name    string
	talk    func(t *testing.T, probe, other net.Conn)
	probe   string // said
	other   string
	ends    [2]pcap.End // of what the probe said, of what the other end said
	unknown bool        // where it is not Linux, the end is not known
}{
	{"we close", func(t *testing.T, probe, other net.Conn) {
		say(t, probe, "hello")
		hear(t, other, "hello")
		say(t, other, "welcome")
		hear(t, probe, "welcome")
		probe.Close()
	}, "hello", "welcome", [2]pcap.End{pcap.Closed, pcap.CaptureUp}, false},
	{"we close and they have closed", func(t *testing.T, probe, other net.Conn) {
		say(t, other, "go away")
		other.Close()
		hear(t, probe, "go away")
		if err := hearEnd(probe); err != nil {
			t.Error(err)
		}
		probe.Read(make([]byte, 1)) // the end is heard again
		probe.Close()
		probe.Close()
	}, "", "go away", [2]pcap.End{pcap.Closed, pcap.Closed}, false},
	{"they reset", func(t *testing.T, probe, other net.Conn) {
		say(t, probe, "hello")
		hear(t, other, "hello")
		resetNow(t, other)
		if err := hearEnd(probe); err == nil {
			t.Error("no reset was seen")
		}
		probe.Write([]byte("are you there?"))
		probe.Read(make([]byte, 1))
		probe.Close()
	}, "hello", "", [2]pcap.End{pcap.Reset, pcap.Reset}, false},
	{"they close without reading, so that it is a reset", func(t *testing.T, probe, other net.Conn) {
		say(t, probe, "hello")
		other.SetReadDeadline(time.Now().Add(time.Minute))
		hear(t, other, "h")
		other.Close()
		hearEnd(probe)
		probe.Close()
	}, "hello", "", [2]pcap.End{pcap.Reset, pcap.Reset}, true},
	{"we reset", func(t *testing.T, probe, other net.Conn) {
		say(t, probe, "hello")
		hear(t, other, "hello")
		resetNow(t, probe)
		if err := hearEnd(other); err == nil {
			t.Error("no reset was sent")
		}
	}, "hello", "", [2]pcap.End{pcap.Reset, pcap.Reset}, false},
	{"we close without reading, so that it is a reset", func(t *testing.T, probe, other net.Conn) {
		say(t, other, "hello")
		hear(t, probe, "h")
		probe.Close()
		if err := hearEnd(other); err == nil {
			t.Error("no reset was sent")
		}
	}, "", "h", [2]pcap.End{pcap.Reset, pcap.Reset}, true},
	{"we close our half", func(t *testing.T, probe, other net.Conn) {
		say(t, probe, "last words")
		halfClose(t, probe)
		hear(t, other, "last words")
		if err := hearEnd(other); err != nil {
			t.Error(err)
		}
		if _, err := probe.Write([]byte("too late")); err == nil {
			t.Error("one can write after the end")
		}
		say(t, other, "understood")
		hear(t, probe, "understood")
		other.Close()
		hearEnd(probe)
		probe.Close()
	}, "last words", "understood", [2]pcap.End{pcap.Closed, pcap.Closed}, false},
	{"we close our half and reset then", func(t *testing.T, probe, other net.Conn) {
		halfClose(t, probe)
		hearEnd(other)
		resetNow(t, probe)
	}, "", "", [2]pcap.End{pcap.Closed, pcap.Reset}, false},
	{"they close their half", func(t *testing.T, probe, other net.Conn) {
		say(t, other, "last words")
		halfClose(t, other)
		hear(t, probe, "last words")
		hearEnd(probe)
		say(t, probe, "understood")
		hear(t, other, "understood")
		probe.Close()
	}, "understood", "last words", [2]pcap.End{pcap.Closed, pcap.Closed}, false},
	{"a megabyte each way at the same time", func(t *testing.T, probe, other net.Conn) {
		done := make(chan struct{}, 4)
		for _, c := range []net.Conn{probe, other} {
			go func() { say(t, c, long); done <- struct{}{} }()
			go func() { hear(t, c, long); done <- struct{}{} }()
		}
		for range 4 {
			<-done
		}
		probe.Close()
	}, long, long, [2]pcap.End{pcap.Closed, pcap.CaptureUp}, false},
	{"a reader waits while we close", func(t *testing.T, probe, other net.Conn) {
		heard := make(chan error)
		go func() { heard <- hearEnd(probe) }()
		say(t, probe, "hello")
		hear(t, other, "hello")
		probe.Close()
		if err := <-heard; !errors.Is(err, net.ErrClosed) {
			t.Errorf("the reader got %v", err)
		}
	}, "hello", "", [2]pcap.End{pcap.Closed, pcap.CaptureUp}, false},
	{"a deadline is no end", func(t *testing.T, probe, other net.Conn) {
		probe.SetReadDeadline(time.Unix(1, 0))
		if _, err := probe.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		probe.SetReadDeadline(time.Time{})
		say(t, other, "hello")
		hear(t, probe, "hello")
		say(t, probe, "")
		probe.Close()
	}, "", "hello", [2]pcap.End{pcap.Closed, pcap.CaptureUp}, false},
	{"nothing is said and nobody ends it", func(*testing.T, net.Conn, net.Conn) {}, "", "", [2]pcap.End{pcap.CaptureUp, pcap.CaptureUp}, false},
}

func TestConversations(t *testing.T) {
	for _, tt := range conversations {
		for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
			for _, who := range []string{"we connect", "they connect"} {
				t.Run(tt.name+"/"+who+"/"+address, func(t *testing.T) {
					if tt.unknown && !resetsUnread() {
						t.Skip("this is only known on Linux")
					}
					t.Parallel()
					a, b := pair(t, address)
					began := time.Now()
					l := NewLog()
					wrap, probe, other := l.Conn, a, b
					if who == "they connect" {
						wrap, probe, other = l.Accepted, b, a
					}
					tt.talk(t, wrap(probe), other)
					c, file := read(t, l)
					if len(c.conns) != 1 {
						t.Fatalf("%d connections", len(c.conns))
					}
					got := c.conns[0]
					if who == "they connect" {
						slices.Reverse(got.said[:])
						slices.Reverse(got.how[:])
					}
					if got.said != [2]string{tt.probe, tt.other} {
						t.Errorf("the capture has %.60q, not %.40q and %.40q", got.said, tt.probe, tt.other)
					}
					if got.how != tt.ends {
						t.Errorf("it ends %v, not %v", got.how, tt.ends)
					}
					if got.client.String() != a.LocalAddr().String() || got.server.String() != b.LocalAddr().String() || !got.opened {
						t.Errorf("it is between %v and %v, opened %v", got.client, got.server, got.opened)
					}
					if !slices.IsSortedFunc(c.times, time.Time.Compare) {
						t.Errorf("times go back: %v", c.times)
					}
					for _, at := range c.times {
						if at.Before(began.Add(-time.Second)) || at.After(time.Now().Add(time.Second)) {
							t.Errorf("a time is %v, and it began at %v", at, began)
						}
					}
					faultless(t, file)
				})
			}
		}
	}
}

// An answer never stands before its question, also when it comes on another
// connection.
func TestAnswersFollowQuestions(t *testing.T) {
	a, serverA := pair(t, "127.0.0.1:0")
	b, serverB := pair(t, "127.0.0.1:0")
	l := NewLog()
	alice, bob := l.Conn(a), l.Conn(b)
	const n = 500
	go func() {
		io.CopyN(struct{ io.Writer }{serverB}, struct{ io.Reader }{serverA}, n)
	}()
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		for range n {
			hear(t, bob, "x")
		}
	}()
	for range n {
		say(t, alice, "x")
	}
	<-heard
	relayed, asked := 0, 0
	for _, e := range l.entries {
		switch e.what {
		case sent:
			asked += len(e.data)
		case received:
			relayed += len(e.data)
		}
		if relayed > asked {
			t.Fatalf("bob has %d when alice has said %d", relayed, asked)
		}
	}
	if relayed != n {
		t.Errorf("bob has %d of %d", relayed, n)
	}
	_, file := read(t, l)
	faultless(t, file)
}

func TestFailed(t *testing.T) {
	door, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := door.Addr().(*net.TCPAddr)
	door.Close()
	l := NewLog()
	for range 2 {
		if _, err = net.Dial("tcp", address.String()); err == nil {
			t.Skip("somebody else has taken the port")
		}
		l.Failed(err)
	}
	l.Failed(fmt.Errorf("dial again: %w", &net.OpError{Op: "dial", Addr: &net.TCPAddr{IP: net.IPv6loopback, Port: 7}, Err: syscall.ECONNREFUSED}))
	l.Failed(&net.OpError{Op: "dial", Addr: address, Err: wsaConnRefused})
	l.Failed(&net.OpError{Op: "dial", Addr: address, Err: os.ErrDeadlineExceeded})
	for _, sendsNothing := range []error{
		nil, errors.New("no such host"), &net.OpError{Op: "dial", Addr: address, Err: syscall.ENETUNREACH}, &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded},
		&net.OpError{Op: "listen", Addr: address, Err: syscall.ECONNREFUSED},
		&net.OpError{Op: "dial", Addr: &net.UDPAddr{IP: address.IP, Port: 5}, Err: syscall.ECONNREFUSED},
	} {
		l.Failed(sendsNothing)
	}
	c, file := read(t, l)
	var got []string
	for _, one := range c.conns {
		got = append(got, fmt.Sprint(one.client, " ", one.server, " ", one.how))
	}
	to := address.String()
	want := []string{
		"127.0.0.1:0 " + to + " [reset reset]", "127.0.0.1:0 " + to + " [reset reset]", "[::1]:0 [::1]:7 [reset reset]",
		"127.0.0.1:0 " + to + " [reset reset]", "127.0.0.1:0 " + to + " " + fmt.Sprint([2]pcap.End{pcap.CaptureUp, pcap.CaptureUp}),
	}
	if !slices.Equal(got, want) {
		t.Errorf("the capture has\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if c.stats.Packets != 9 {
		t.Errorf("%d packets", c.stats.Packets)
	}
	faultless(t, file)
}

func TestResets(t *testing.T) {
	for err, want := range map[error][2]bool{ // and after our half was closed
		syscall.ECONNRESET: {true, true}, syscall.ECONNABORTED: {true, true}, wsaConnReset: {true, true}, wsaConnAborted: {true, true},
		syscall.EPIPE: {true, false}, io.EOF: {}, os.ErrDeadlineExceeded: {}, net.ErrClosed: {}, syscall.ETIMEDOUT: {},
	} {
		wrapped := &net.OpError{Op: "read", Err: os.NewSyscallError("read", err)}
		if got := [2]bool{isReset(wrapped, false), isReset(wrapped, true)}; got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
}

// What cannot be taken down goes on as it is.
func TestOtherConnections(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	l := NewLog()
	if c := l.Conn(a); c != a {
		t.Errorf("a pipe becomes %T", c)
	}
	if _, ok := l.Conn(plainConn{a}).(interface{ CloseWrite() error }); ok {
		t.Error("a connection can do what it cannot")
	}
}

// A plainConn has addresses of TCP, and nothing that a net.Conn has not.
type plainConn struct{ net.Conn }

func (plainConn) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 1} }
func (plainConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 2} }

// A brokenConn can do nothing at all.
type brokenConn struct{ plainConn }

var errBroken = errors.New("broken")

func (brokenConn) CloseWrite() error                     { return errBroken }
func (brokenConn) SetLinger(int) error                   { return errBroken }
func (brokenConn) SyscallConn() (syscall.RawConn, error) { return nil, errBroken }
func (brokenConn) Write([]byte) (int, error)             { return 0, errBroken }
func (c brokenConn) Read([]byte) (int, error)            { return 0, errBroken }

// What did not happen is not there.
func TestErrorsAreNoTraffic(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	l := NewLog()
	c := l.Conn(brokenConn{plainConn{a}}).(interface {
		net.Conn
		controlled
	})
	_, errWrite := c.Write([]byte("hello"))
	_, errRead := c.Read(make([]byte, 5))
	_, errSocket := c.SyscallConn()
	for _, err := range []error{c.CloseWrite(), c.SetLinger(0), errWrite, errRead, errSocket} {
		if err != errBroken {
			t.Errorf("%v becomes %v", errBroken, err)
		}
	}
	want := func(said [2]string, how [2]pcap.End) {
		t.Helper()
		got, _ := read(t, l)
		if one := got.conns[0]; len(got.conns) != 1 || one.said != said || one.how != how {
			t.Errorf("the capture has %q, ending %v", one.said, one.how)
		}
	}
	want([2]string{}, [2]pcap.End{pcap.CaptureUp, pcap.CaptureUp})
	c.Close()
	want([2]string{}, [2]pcap.End{pcap.Closed, pcap.CaptureUp})
}

// The socket itself can be reached, as for TCP_QUICKACK.
func TestSyscallConn(t *testing.T) {
	a, _ := pair(t, "127.0.0.1:0")
	c, ok := NewLog().Conn(a).(syscall.Conn)
	if !ok {
		t.Fatal("no SyscallConn")
	}
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	called := false
	if err := raw.Control(func(uintptr) { called = true }); err != nil || !called {
		t.Errorf("%v, called %v", err, called)
	}
}

func TestLimit(t *testing.T) {
	l := NewLog()
	l.limit = 10_000
	a, other := pair(t, "127.0.0.1:0")
	probe := l.Conn(a)
	part := strings.Repeat("abcdefgh", 1<<9)
	go func() {
		for range 100 {
			hear(t, other, part)
			say(t, other, "ok")
		}
		other.Close()
	}()
	for range 100 {
		say(t, probe, part)
		hear(t, probe, "ok")
	}
	hearEnd(probe)
	halfClose(t, probe)
	probe.Write([]byte("too late")) // which was never sent, so it is not missing
	probe.Close()
	if l.kept > l.limit+4*entryCost || len(l.entries) > 10 {
		t.Errorf("%d bytes and %d entries are kept", l.kept, len(l.entries))
	}
	c, file := read(t, l)
	got := c.conns[0]
	for i, all := range []string{strings.Repeat(part, 100), strings.Repeat("ok", 100)} {
		if !strings.HasPrefix(all, got.said[i]) || got.said[i] == "" || int64(len(got.said[i]))+got.missing[i] != int64(len(all)) {
			t.Errorf("of %d bytes, %d are there and %d missing", len(all), len(got.said[i]), got.missing[i])
		}
	}
	if got.how != [2]pcap.End{pcap.Closed, pcap.Closed} {
		t.Errorf("it ends %v", got.how)
	}
	if missing := got.missing[0] + got.missing[1]; missing != l.LeftOut() || missing == 0 {
		t.Errorf("%d bytes are missing, and %d were left out", missing, l.LeftOut())
	}
	faultless(t, file)
}

// A write that is not finished is there as far as it went.
func TestInterruptedWrite(t *testing.T) {
	for name, limit := range map[string]int{"kept": MaxKept, "cut": 100_000, "not kept": 0} {
		t.Run(name, func(t *testing.T) {
			a, other := pair(t, "127.0.0.1:0")
			l := NewLog()
			l.limit = limit
			probe := l.Conn(a)
			a.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
			want := int64(0)
			for {
				n, err := probe.Write([]byte(long))
				want += int64(n)
				if err != nil {
					break
				}
			}
			probe.Close()
			if n, err := io.Copy(io.Discard, struct{ io.Reader }{other}); n != want || err != nil {
				t.Errorf("%d bytes arrived: %v", n, err)
			}
			c, _ := read(t, l)
			got := int64(len(c.conns[0].said[0]))
			if got+c.conns[0].missing[0] != want || got > int64(limit) {
				t.Errorf("%d bytes were sent, %d are there and %d missing", want, got, c.conns[0].missing[0])
			}
			if c.conns[0].missing[0] != l.LeftOut() {
				t.Errorf("%d bytes were left out", l.LeftOut())
			}
		})
	}
}
