package mutant

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/screen"
)

// A DegenerateClient is a program that speaks no protocol at all. No scenario
// may be content with one.
type DegenerateClient struct {
	Name, About string

	exits bool
	// types is what becomes of what is typed, and talks what goes on by itself.
	typed func(text string) (printed string, sent []byte)
	busy  func() []byte // sent and printed again and again
	pause time.Duration
}

// DegenerateClients are the five that every suite has to fail.
func DegenerateClients() []DegenerateClient {
	return []DegenerateClient{
		{Name: "silent", About: "connects, and neither sends nor shows anything"},
		{Name: "exiting", About: "exits at once", exits: true},
		{Name: "echoing", About: "prints and sends what is typed", typed: func(text string) (string, []byte) { return text, []byte(text) }},
		{Name: "random", About: "prints and sends random bytes", busy: func() []byte { return noise(64) }, pause: 20 * time.Millisecond},
		{Name: "flooding", About: "prints and sends, and never stops", busy: func() []byte { return []byte("flood flood flood flood flood\n") }, pause: time.Millisecond},
	}
}

// Launch starts programs of this kind. transport is tcp or udp.
func (d DegenerateClient) Launch(transport string) engine.ProgramLaunch {
	return func(_ context.Context, how engine.Invocation) (*engine.Program, error) {
		p := &degenerate{screen: screen.New(), over: make(chan struct{})}
		if d.exits {
			p.end(0)
		} else if conn, err := net.Dial(transport, net.JoinHostPort(how.Host, how.Port)); err != nil {
			p.end(1)
		} else {
			p.conn = conn
			go p.live(d)
		}
		return p.program(d), nil
	}
}

// A degenerate is one such program.
type degenerate struct {
	conn net.Conn
	over chan struct{} // closed at its end

	mu      sync.Mutex
	printed []byte
	screen  *screen.Screen
	ended   *engine.ProgramEnd
	tell    func()
}

// live reads what comes, and is busy, until the end.
func (p *degenerate) live(d DegenerateClient) {
	go func() {
		buf := make([]byte, 64<<10)
		for {
			if _, err := p.conn.Read(buf); err != nil {
				return
			}
		}
	}()
	if d.busy == nil {
		return
	}
	for turn := time.NewTicker(d.pause); ; {
		select {
		case <-p.over:
			turn.Stop()
			return
		case <-turn.C:
			b := d.busy()
			p.print(b)
			_, _ = p.conn.Write(b)
		}
	}
}

func (p *degenerate) program(d DegenerateClient) *engine.Program {
	return &engine.Program{
		Shown: func(from int) (string, int) {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.screen.Text(from)
		},
		Printed: func(from int64) ([]byte, int64) {
			p.mu.Lock()
			defer p.mu.Unlock()
			end := int64(len(p.printed))
			return append([]byte(nil), p.printed[min(from, end):]...), end
		},
		Type: func(text string, enter bool) error {
			if enter {
				text += "\n"
			}
			if d.typed != nil {
				printed, sent := d.typed(text)
				p.print([]byte(printed))
				_, _ = p.conn.Write(sent)
			}
			return nil
		},
		EndInput: func() error { return nil },
		Stop:     func(string) error { return nil },
		Exited: func() (engine.ProgramEnd, bool) {
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.ended == nil {
				return engine.ProgramEnd{}, false
			}
			return *p.ended, true
		},
		Rest: func(context.Context, time.Duration) bool { return true },
		Notify: func(f func()) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.tell = f
		},
		Close: func() {
			p.end(0)
			if p.conn != nil {
				_ = p.conn.Close()
			}
		},
	}
}

func (p *degenerate) print(b []byte) {
	p.mu.Lock()
	p.printed = append(p.printed, b...)
	p.screen.Write(b)
	tell := p.tell
	p.mu.Unlock()
	if tell != nil {
		tell()
	}
}

func (p *degenerate) end(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended == nil {
		p.ended = &engine.ProgramEnd{How: "exited", Status: status}
		close(p.over)
	}
}
