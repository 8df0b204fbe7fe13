package record

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
)

// A line is a connection of a law: what was said and heard on it.
type line struct {
	probe, other net.Conn
	mu           sync.Mutex
	told         string // by the other end, in order
	heard        string // by the other end
	read         int    // bytes that the probe has read
}

// law: whoever writes and reads when, and however it ends, what the capture
// shows is what arrived, in that order. The same seed makes the same plan, not
// the same interleaving.
func law(t *testing.T, seed uint64, connect func() (probe, other net.Conn), resets bool) {
	t.Helper()
	plan := rand.New(rand.NewPCG(seed, 5))
	l := NewLog()
	var lines []*line
	var actors sync.WaitGroup
	for range 1 + plan.IntN(3) {
		probe, other := connect()
		wrap := l.Conn
		if plan.IntN(2) == 0 {
			wrap = l.Accepted
		}
		n := &line{probe: wrap(probe), other: other}
		lines = append(lines, n)
		n.start(&actors, plan, resets)
	}
	actors.Wait()
	for _, n := range lines {
		n.probe.Close()
		n.other.Close()
	}
	c, _ := read(t, l)
	if len(c.conns) != len(lines) {
		t.Fatalf("seed %d: %d connections of %d", seed, len(c.conns), len(lines))
	}
	for i, n := range lines {
		said := c.conns[i].said
		if l.flows[i].accepted {
			said[0], said[1] = said[1], said[0]
		}
		switch {
		case !strings.HasPrefix(said[0], n.heard):
			t.Errorf("seed %d: the other end heard %.100q, and the capture has %.100q", seed, n.heard, said[0])
		case !strings.HasPrefix(n.told, said[1]):
			t.Errorf("seed %d: the other end said %.100q, and the capture has %.100q", seed, n.told, said[1])
		case len(said[1]) != n.read:
			t.Errorf("seed %d: the probe read %d bytes, and the capture has %d", seed, n.read, len(said[1]))
		}
	}
}

// start has several goroutines use both ends.
func (n *line) start(actors *sync.WaitGroup, plan *rand.Rand, resets bool) {
	var writers sync.WaitGroup
	for i := range 1 + plan.IntN(3) {
		sizes := rand.New(rand.NewPCG(plan.Uint64(), 1))
		writers.Go(func() {
			for j := range 20 {
				io.WriteString(n.probe, text(i, j, sizes))
			}
		})
	}
	sizes := rand.New(rand.NewPCG(plan.Uint64(), 2))
	writers.Go(func() {
		for j := range 20 {
			text := text(9, j, sizes)
			n.mu.Lock()
			n.told += text
			n.mu.Unlock()
			io.WriteString(n.other, text)
		}
	})
	for range 1 + plan.IntN(2) {
		actors.Go(func() {
			b := make([]byte, 700)
			for {
				k, err := n.probe.Read(b)
				n.mu.Lock()
				n.read += k
				n.mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	actors.Go(func() {
		b, _ := io.ReadAll(struct{ io.Reader }{n.other})
		n.heard = string(b)
	})
	patient, end := plan.IntN(3) > 0, plan.IntN(4)
	actors.Go(func() {
		if patient {
			writers.Wait()
		}
		closer := n.probe
		if end%2 == 0 {
			closer = n.other
		}
		if c, ok := closer.(interface{ SetLinger(int) error }); ok && end > 1 && resets {
			c.SetLinger(0)
		}
		closer.Close()
		writers.Wait()
	})
}

// text is what writer i says for the j-th time.
func text(i, j int, sizes *rand.Rand) string {
	return fmt.Sprintf("<%d says %d%s>", i, j, strings.Repeat(".", sizes.IntN(1500)))
}

func TestLaw(t *testing.T) {
	for seed := range uint64(60) {
		law(t, seed, func() (net.Conn, net.Conn) {
			a, b := pair(t, "127.0.0.1:0")
			return a, b
		}, true)
	}
}

// A portConn is a pipe with a port.
type portConn struct {
	plainConn
	port int
}

func (c portConn) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: c.port} }

func FuzzLaw(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) {
		port := 0
		law(t, seed, func() (probe, other net.Conn) {
			a, b := net.Pipe()
			port++
			return portConn{plainConn{a}, port}, b
		}, false)
	})
}

// Cost of a play of one connection and 100 messages of 64 bytes, half of them
// sent and half received, without the network.
func BenchmarkPlay(b *testing.B) {
	for name, wrap := range map[string]func() net.Conn{
		"plain":    func() net.Conn { return noNetwork{} },
		"recorded": func() net.Conn { return NewLog().Conn(noNetwork{}) },
		"beyond the limit": func() net.Conn {
			l := NewLog()
			l.limit = 0
			return l.Conn(noNetwork{})
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			message := make([]byte, 64)
			for b.Loop() {
				c := wrap()
				for range 50 {
					c.Write(message)
					c.Read(message)
				}
				c.Close()
			}
		})
	}
}

// Cost of a question and its answer over the loopback interface.
func BenchmarkRoundTrip(b *testing.B) {
	for name, wrap := range map[string]func(net.Conn) net.Conn{
		"plain":    func(c net.Conn) net.Conn { return c },
		"recorded": NewLog().Conn,
	} {
		b.Run(name, func(b *testing.B) {
			probe, other := pair(b, "127.0.0.1:0")
			go io.Copy(struct{ io.Writer }{other}, struct{ io.Reader }{other})
			c, message := wrap(probe), make([]byte, 64)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Write(message); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c, message); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkWriteCapture writes a play of 100 messages.
func BenchmarkWriteCapture(b *testing.B) {
	l := NewLog()
	c := l.Conn(noNetwork{})
	for range 100 {
		c.Write(make([]byte, 64))
	}
	c.Close()
	b.ReportAllocs()
	for b.Loop() {
		if err := l.WriteCapture(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

// noNetwork is a connection on which everything arrives and comes at once.
type noNetwork struct{ plainConn }

func (noNetwork) Read(b []byte) (int, error)  { return len(b), nil }
func (noNetwork) Write(b []byte) (int, error) { return len(b), nil }
func (noNetwork) Close() error                { return nil }
