package record

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

	"github.com/chatprobe/chatprobe/pcap"
)

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
