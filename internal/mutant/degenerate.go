package mutant

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/chatprobe/chatprobe/internal/engine"
)

// A Degenerate is a server that speaks no protocol at all. No scenario may be
// content with one.
type Degenerate struct {
	Name, About string

	// serve talks with one client until the connection is closed.
	serve func(c net.Conn)
	// answer is what comes back for a datagram.
	answer func(b []byte) [][]byte
}

// Degenerates are the five that every suite has to fail.
func Degenerates() []Degenerate {
	return []Degenerate{
		{"silent", "takes everything and says nothing", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, func([]byte) [][]byte { return nil }},
		{"closing", "closes every connection at once", func(net.Conn) {}, nil},
		{"echoing", "sends back what it gets", func(c net.Conn) { _, _ = io.Copy(c, c) }, func(b []byte) [][]byte { return [][]byte{b} }},
		{"random", "sends random bytes", babble, func([]byte) [][]byte { return [][]byte{noise(64), noise(64)} }},
		{"flooding", "sends and never stops", flood, func(b []byte) [][]byte {
			var many [][]byte
			for range 200 {
				many = append(many, b)
			}
			return many
		}},
	}
}

func noise(most int) []byte {
	b := make([]byte, 1+rand.IntN(most))
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}

// babble sends a little noise now and then, and more for what comes.
func babble(c net.Conn) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		buf := make([]byte, 4096)
		for {
			if _, err := c.Read(buf); err != nil {
				return
			}
			_, _ = c.Write(noise(64))
		}
	}()
	for {
		select {
		case <-over:
			return
		case <-time.After(20 * time.Millisecond):
			_, _ = c.Write(noise(64))
		}
	}
}

// flood sends as fast as the client reads.
func flood(c net.Conn) {
	go func() { _, _ = io.Copy(io.Discard, c) }()
	b := make([]byte, 60_000)
	for i := range b {
		b[i] = "flood "[i%6]
	}
	for {
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}

// Launch starts servers of this kind on the loopback interface. transport is
// tcp or udp.
func (d Degenerate) Launch(transport string) engine.Launch {
	return func(context.Context) (*engine.Target, error) {
		if transport == "udp" {
			return d.launchUDP()
		}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("start the server %s: %w", d.Name, err)
		}
		var guests guests
		go func() {
			for {
				c, err := listener.Accept()
				if err != nil {
					return
				}
				guests.add(c)
				go func() {
					d.serve(c)
					_ = c.Close()
				}()
			}
		}()
		return quiet(engine.DialTCP(listener.Addr().String()), func() {
			_ = listener.Close()
			guests.close()
		}), nil
	}
}

func (d Degenerate) launchUDP() (*engine.Target, error) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the server %s: %w", d.Name, err)
	}
	if d.answer == nil {
		// Nothing listens there any more: the system says so to who sends.
		_ = conn.Close()
		return quiet(engine.DialUDP(conn.LocalAddr().String()), func() {}), nil
	}
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			for _, b := range d.answer(append([]byte(nil), buf[:n]...)) {
				_, _ = conn.WriteTo(b, from)
			}
		}
	}()
	return quiet(engine.DialUDP(conn.LocalAddr().String()), func() { _ = conn.Close() }), nil
}

// quiet is a server that prints nothing and does not end.
func quiet(dial func(context.Context, int) (net.Conn, error), stop func()) *engine.Target {
	return &engine.Target{
		Dial:    dial,
		Printed: func(int64) ([]byte, int64) { return nil, 0 },
		Exited:  func() (string, bool) { return "", false },
		Stop:    func(string) error { return nil },
		Notify:  func(func()) {},
		Close:   stop,
	}
}

// guests are the connections of one server.
type guests struct {
	mu     sync.Mutex
	conns  []net.Conn
	closed bool
}

func (g *guests) add(c net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		_ = c.Close()
		return
	}
	g.conns = append(g.conns, c)
}

func (g *guests) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for _, c := range g.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
	}
}
