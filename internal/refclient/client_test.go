package refclient

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"
)

// patience is how long anything may take before a test fails. Only failures wait for it.
const patience = 30 * time.Second

// serve plays a server for one client; play runs as soon as it has connected.
// The test fails if play has not returned when it ends.
func serve(t *testing.T, play func(*net.TCPConn)) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		play(conn.(*net.TCPConn))
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
	})
	return listener.Addr().String()
}

// read is the next frame as a server reads it, and whether there was one. It
// is not the decoder under test.
func read(conn net.Conn) (user, text string, ok bool) {
	header := make([]byte, 6)
	if _, err := io.ReadFull(conn, header); err != nil {
		return "", "", false
	}
	body := make([]byte, int(binary.BigEndian.Uint16(header))+int(binary.BigEndian.Uint32(header[2:])))
	if _, err := io.ReadFull(conn, body); err != nil {
		return "", "", false
	}
	n := binary.BigEndian.Uint16(header)
	return string(body[:n]), string(body[n:]), true
}

// say sends a frame in pieces of so many bytes.
func say(conn net.Conn, user, text string, piece int) {
	b := frame{user, text}.append(nil)
	for len(b) > 0 {
		n := min(piece, len(b))
		conn.Write(b[:n])
		b = b[n:]
	}
}

// runner is what the clients of all protocols are.
type runner interface {
	Run(context.Context, *Terminal) error
}

// A client is one that runs, on pipes.
type client struct {
	t        *testing.T
	typing   *io.PipeWriter
	out, err screenText
	end      chan error
	stop     context.CancelCauseFunc
}

// screenText is what a client has written, for tests that look while it runs.
type screenText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screenText) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screenText) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// run starts a client and, after the test, requires that nothing of it is left.
func run(t *testing.T, protocol runner) *client {
	t.Helper()
	before := runtime.NumGoroutine()
	ctx, stop := context.WithCancelCause(context.Background())
	in, typing := io.Pipe()
	c := &client{t: t, typing: typing, end: make(chan error, 1), stop: stop}
	go func() { c.end <- protocol.Run(ctx, NewTerminal(in, &c.out, &c.err)) }()
	t.Cleanup(func() {
		typing.Close()
		stop(errors.New("test over"))
		eventually(t, "all goroutines end", func() bool { return runtime.NumGoroutine() <= before })
	})
	return c
}

func (c *client) types(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.typing, text); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) ends() error {
	c.t.Helper()
	select {
	case err := <-c.end:
		return err
	case <-time.After(patience):
		c.t.Fatalf("the client goes on; it shows %q", c.out.String())
		return nil
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for start := time.Now(); !holds(); time.Sleep(time.Millisecond) {
		if time.Since(start) > patience {
			stacks := make([]byte, 1<<16)
			t.Fatalf("not within %v: %s\n%s", patience, what, stacks[:runtime.Stack(stacks, true)])
		}
	}
}
