package refserver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

func TestMaxClients(t *testing.T) {
	addr := serve(t, Framed{MaxClients: 3})
	members := []*client{connect(t, addr, "alice"), connect(t, addr, "bob"), connect(t, addr, "carol")}
	for _, c := range members {
		c.send(encode(c.name, "hello"))
	}
	fourth := connect(t, addr, "dave")
	fourth.expectClosed()

	// Somebody goes, and there is room for dave, once the server has noticed.
	members[2].Close()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); {
		dave := connect(t, addr, "dave")
		dave.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if _, err := dave.Read(make([]byte, 1)); isTimeout(err) {
			return // not closed
		}
	}
	t.Error("a place that is free again is not given away")
}

// lines is a roster that can be waited for.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

// The roster has the names in the room, sorted, again and again (F-6).
func TestRoster(t *testing.T) {
	shown := make(lines, 10_000)
	addr := serve(t, Framed{Roster: shown, RosterEvery: 5 * time.Millisecond})
	await := func(want string) {
		t.Helper()
		for deadline := time.After(within); ; {
			select {
			case line := <-shown:
				if line == want {
					return
				}
			case <-deadline:
				t.Fatalf("the roster does not show %q", want)
			}
		}
	}
	await("users (0):\n")
	carol := login(t, addr, "carol", nil)
	await("users (1): carol\n")
	login(t, addr, "alice", carol)
	await("users (2): alice, carol\n")
	await("users (2): alice, carol\n")
	carol.Close()
	await("users (1): alice\n")
}

// A roster that cannot be written is given up, and the server goes on.
func TestRosterFails(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	c := room(t, serve(t, Framed{Roster: w, RosterEvery: time.Millisecond}), "alice", "bob")
	time.Sleep(5 * time.Millisecond)
	c[0].say("hello")
	c[1].expect("alice", "hello")
}

// A server stops within a second, whatever its clients are doing, and leaves nothing behind: serve checks that.
func TestStop(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop := serveOn(t, Framed{Roster: io.Discard}, ln)
	addr := ln.Addr().String()
	members := room(t, addr, "alice", "bob", "mute")
	silent := connect(t, addr, "silent")
	half := connect(t, addr, "half")
	half.send([]byte("\x00\x04\x00"))
	var flood sync.WaitGroup
	flood.Go(func() {
		for b := bytes.Repeat(encode("alice", "flood"), 1000); ; {
			if _, err := members[0].Write(b); err != nil {
				return
			}
		}
	})
	flood.Go(func() { io.Copy(io.Discard, members[1].TCPConn) })
	time.Sleep(20 * time.Millisecond)
	stop()
	flood.Wait()
	for _, c := range append(members[2:], silent, half) {
		c.expectClosed()
	}
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Error("the server still listens")
	}
}

// failing is a listener that runs out of file descriptors now and then.
type failing struct {
	net.Listener
	calls int
}

func (f *failing) Accept() (net.Conn, error) {
	if f.calls++; f.calls%3 != 0 {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", errors.New("too many open files"))}
	}
	return f.Listener.Accept()
}

func TestAcceptFails(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop := serveOn(t, Framed{}, &failing{Listener: ln})
	defer stop()
	c := room(t, ln.Addr().String(), "alice", "bob")
	c[0].say("hello")
	c[1].expect("alice", "hello")
}

func TestListenerClosed(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := (Framed{Roster: io.Discard}).Serve(context.Background(), ln); !errors.Is(err, net.ErrClosed) {
		t.Errorf("serve on a closed listener: %v", err)
	}
	checkLeaks(t)
}
