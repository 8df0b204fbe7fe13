// Package builtin starts the reference servers in this process, on real sockets
// of the loopback interface, as targets for the engine. Each declares the
// choices that it makes.
//
//	b, ok := builtin.Named("framed")
//	session := engine.Session{Suite: suite, Launch: b.Launch, Config: engine.Config{Settings: b.Settings, Trusted: true}}
package builtin

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/refserver"
)

// A Server is a reference server that this program holds.
type Server struct {
	// Settings are the choices that it makes. The map is shared: read only.
	Settings map[string]string
	// OwnPort says that it chooses its port itself.
	OwnPort bool

	serve func(ctx context.Context, at socket, printed io.Writer) error
	udp   bool
}

// socket is what a server is given to serve: one of the two.
type socket struct {
	listener net.Listener
	packets  net.PacketConn
}

// Named is the reference server of a protocol.
func Named(protocol string) (Server, bool) {
	s, ok := servers[protocol]
	return s, ok
}

var servers = map[string]Server{
	"framed":   framed(refserver.Framed{RosterEvery: 50 * time.Millisecond}),
	"lines":    lines(refserver.Lines{}),
	"direct":   direct(refserver.Direct{}),
	"datagram": datagram(refserver.Datagram{}),
}

func framed(f refserver.Framed) Server {
	return Server{
		Settings: choices(f.Choices() + " roster_within=5s"),
		serve: func(ctx context.Context, at socket, printed io.Writer) error {
			server := f
			server.Roster = printed
			return server.Serve(ctx, at.listener)
		},
	}
}

func lines(l refserver.Lines) Server {
	return Server{
		Settings: choices(l.Choices()),
		OwnPort:  true,
		serve: func(ctx context.Context, at socket, printed io.Writer) error {
			fmt.Fprintf(printed, "listening on %s\n", at.listener.Addr())
			return l.Serve(ctx, at.listener)
		},
	}
}

func direct(d refserver.Direct) Server {
	return Server{
		Settings: choices(""),
		serve:    func(ctx context.Context, at socket, _ io.Writer) error { return d.Serve(ctx, at.listener) },
	}
}

func datagram(d refserver.Datagram) Server {
	return Server{
		Settings: choices(d.Choices()),
		udp:      true,
		serve: func(ctx context.Context, at socket, printed io.Writer) error {
			fmt.Fprintln(printed, "Server Initialized...")
			return d.Serve(ctx, at.packets)
		},
	}
}

// choices reads what a reference server says about itself.
func choices(text string) map[string]string {
	settings := map[string]string{}
	for _, word := range strings.Fields(text) {
		name, value, _ := strings.Cut(word, "=")
		settings[name] = value
	}
	return settings
}

// Launch starts one instance. It is an [engine.Launch].
func (s Server) Launch(context.Context) (*engine.Target, error) {
	var at socket
	var dial func(context.Context, int) (net.Conn, error)
	var err error
	if s.udp {
		if at.packets, err = net.ListenPacket("udp", "127.0.0.1:0"); err == nil {
			dial = engine.DialUDP(at.packets.LocalAddr().String())
		}
	} else if at.listener, err = net.Listen("tcp", "127.0.0.1:0"); err == nil {
		dial = engine.DialTCP(at.listener.Addr().String())
	}
	if err != nil {
		return nil, fmt.Errorf("start the built-in server: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	out := &printer{}
	done := make(chan error, 1)
	go func() {
		done <- s.serve(ctx, at, out)
		out.end()
	}()
	return &engine.Target{
		Dial:    dial,
		Printed: out.since,
		Exited:  out.ended,
		Stop:    func(string) error { stop(); return nil },
		Notify:  out.notify,
		OwnPort: s.OwnPort,
		Close: func() {
			stop()
			<-done
		},
	}, nil
}

// A printer keeps what a built-in server prints.
type printer struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	over bool
	tell func()
}

// Write keeps b and tells whoever waits.
func (p *printer) Write(b []byte) (int, error) {
	p.mu.Lock()
	p.buf.Write(b)
	tell := p.tell
	p.mu.Unlock()
	if tell != nil {
		tell()
	}
	return len(b), nil
}

func (p *printer) since(from int64) ([]byte, int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.buf.Bytes()
	return bytes.Clone(b[min(from, int64(len(b))):]), int64(len(b))
}

func (p *printer) notify(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tell = f
}

func (p *printer) end() {
	p.mu.Lock()
	p.over = true
	tell := p.tell
	p.mu.Unlock()
	if tell != nil {
		tell()
	}
}

func (p *printer) ended() (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return "was stopped", p.over
}
