package refserver

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"regexp"
	"runtime"
	"runtime/pprof"
	"sync"
	"testing"
	"time"
)

// within is how long anything may take before a test fails. Only failures wait for it.
const within = time.Minute

// tooLong is what a server never takes that promises a second, or to hold nobody up: much more than a second, since it
// may have to wait for a processor, and much less than it would take to wait for a client.
const tooLong = 5 * time.Second

// server is any that serves TCP.
type server interface {
	Serve(ctx context.Context, ln net.Listener) error
}

// serve starts s on a free port and stops it when the test ends, which fails if that takes too long, returns an error,
// or leaves a goroutine behind.
func serve(t testing.TB, s server) (addr string) {
	t.Helper()
	ln := listen(t, "127.0.0.1:0")
	t.Cleanup(serveOn(t, s, ln))
	return ln.Addr().String()
}

// listen returns a listener on addr; one for IPv6 skips the test where there is none.
func listen(t testing.TB, addr string) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		if addr == "[::1]:0" {
			t.Skipf("no IPv6: %v", err)
		}
		t.Fatal(err)
	}
	return ln
}

// serveOn starts s on ln; stop stops it, with the checks of serve, and may be called twice.
func serveOn(t testing.TB, s server, ln net.Listener) (stop func()) {
	return start(t, func(ctx context.Context) error { return s.Serve(ctx, ln) })
}

// start runs serve; stop stops it, with the checks of serve, and may be called twice.
func start(t testing.TB, serve func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- serve(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		began := time.Now()
		select {
		case err := <-served:
			if err != nil {
				t.Errorf("serve: %v", err)
			}
		case <-time.After(within):
			t.Fatal("the server does not stop")
		}
		if took := time.Since(began); took > tooLong {
			t.Errorf("the server took %v to stop", took)
		}
		checkLeaks(t)
	})
}

// ours is what the stacks of a server's goroutines have.
var ours = regexp.MustCompile(`refserver\.(\(\*\w+(Session|Server)\)|acceptAll|showRoster)|chat\.\(\*`)

// checkLeaks fails if goroutines of the server are still there. The last of them may be just about to end.
func checkLeaks(t testing.TB) {
	t.Helper()
	var stacks bytes.Buffer
	for deadline := time.Now().Add(within); time.Now().Before(deadline); runtime.Gosched() {
		stacks.Reset()
		if err := pprof.Lookup("goroutine").WriteTo(&stacks, 1); err != nil {
			t.Fatal(err)
		}
		if !ours.Match(stacks.Bytes()) {
			return
		}
	}
	t.Errorf("goroutines of the server are left:\n%s", &stacks)
}

// client is a well-behaved client of the framed protocol.
type client struct {
	testing.TB
	*net.TCPConn
	name string
}

// connect connects without logging in.
func connect(t testing.TB, addr, name string) *client {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, within)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{TB: t, TCPConn: conn.(*net.TCPConn), name: name}
}

// login connects, logs in as name and returns when that is done. A login is not answered: present, a member, reads the
// notice of it. Where nobody is present, somebody comes for a moment.
func login(t testing.TB, addr, name string, present *client) *client {
	t.Helper()
	c := connect(t, addr, name)
	c.send(encode(name, ""))
	if present != nil {
		present.expect("server", name+" has logged in")
		return c
	}
	// Of two that log in, the earlier one is told of the later. When either is, both are in the room.
	visitor := connect(t, addr, "visitor")
	visitor.send(encode("visitor", ""))
	go func() {
		if _, _, err := visitor.read(); err == nil {
			visitor.Close()
		}
	}()
	_, text, err := c.read()
	if err == nil && text == "visitor has logged in" {
		visitor.Close()
		_, text, err = c.read()
	}
	if err != nil || text != "visitor has left" {
		t.Fatalf("%s does not see the visitor leave: %q, %v", name, text, err)
	}
	return c
}

// room logs in clients with the given names, one after the other, and has everybody read all notices.
func room(t testing.TB, addr string, names ...string) []*client {
	t.Helper()
	var members []*client
	for _, name := range names {
		var first *client
		if len(members) > 0 {
			first = members[0]
		}
		c := login(t, addr, name, first)
		for _, m := range members[min(1, len(members)):] {
			m.expect("server", name+" has logged in")
		}
		members = append(members, c)
	}
	return members
}

// send sends b in one write.
func (c *client) send(b []byte) {
	c.Helper()
	c.SetWriteDeadline(time.Now().Add(within))
	if _, err := c.Write(b); err != nil {
		c.Fatalf("%s sends: %v", c.name, err)
	}
}

// say sends a message.
func (c *client) say(text string) {
	c.Helper()
	c.send(encode(c.name, text))
}

// read receives one frame.
func (c *client) read() (name, text string, err error) {
	c.SetReadDeadline(time.Now().Add(within))
	return readFrame(c)
}

// readFrame reads one frame from r.
func readFrame(r io.Reader) (name, text string, err error) {
	var head [6]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return "", "", err
	}
	b := make([]byte, int(binary.BigEndian.Uint16(head[:]))+int(binary.BigEndian.Uint32(head[2:])))
	if _, err := io.ReadFull(r, b); err != nil {
		return "", "", err
	}
	n := binary.BigEndian.Uint16(head[:])
	return string(b[:n]), string(b[n:]), nil
}

// expect receives one frame, which must be this one.
func (c *client) expect(name, text string) {
	c.Helper()
	gotName, gotText, err := c.read()
	if err != nil {
		c.Fatalf("%s waits for %s: %.40q: %v", c.name, name, text, err)
	}
	if gotName != name || gotText != text {
		c.Fatalf("%s got %.40q: %.80q, want %.40q: %.80q", c.name, gotName, gotText, name, text)
	}
}

// expectClosed reads until the server closes or resets the connection.
func (c *client) expectClosed() {
	c.Helper()
	c.SetReadDeadline(time.Now().Add(within))
	if _, err := io.Copy(io.Discard, c.TCPConn); errors.Is(err, net.ErrClosed) || isTimeout(err) {
		c.Fatalf("%s is still connected: %v", c.name, err)
	}
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// reset ends the connection the hard way.
func (c *client) reset() {
	c.SetLinger(0)
	c.Close()
}

// encode returns a frame. It is the tests' own reading of the header; TestVectors has the bytes by hand.
func encode(name, text string) []byte {
	return encodeLengths(uint16(len(name)), uint32(len(text)), name+text)
}

// encodeLengths returns a frame whose lengths may be lies.
func encodeLengths(nameLen uint16, textLen uint32, body string) []byte {
	b := binary.BigEndian.AppendUint16(nil, nameLen)
	b = binary.BigEndian.AppendUint32(b, textLen)
	return append(b, body...)
}
