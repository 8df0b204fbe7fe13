package builtin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/refclient"
	"github.com/chatprobe/chatprobe/internal/screen"
)

// A Client is a reference client that this program holds. It is played on
// pipes: what needs a terminal is to be skipped ([engine.Config.NoTerminal]).
type Client struct {
	// Settings are the choices that it makes. The map is shared: read only.
	Settings map[string]string
	// Told are the things that it is told when it starts. The slice is shared:
	// read only.
	Told []string

	run func(ctx context.Context, how engine.Invocation, t *refclient.Terminal) error
}

// ClientNamed is the reference client of a protocol.
func ClientNamed(protocol string) (Client, bool) {
	c, ok := clients[protocol]
	return c, ok
}

var clients = map[string]Client{
	"framed": {
		Settings: choices("byte_order=big"),
		Told:     []string{"host", "port", "user"},
		run: func(ctx context.Context, how engine.Invocation, t *refclient.Terminal) error {
			return refclient.Framed{Addr: net.JoinHostPort(how.Host, how.Port), User: how.User}.Run(ctx, t)
		},
	},
	"lines": {
		Settings: choices("end=lf"),
		Told:     []string{"user", "url"},
		run: func(ctx context.Context, how engine.Invocation, t *refclient.Terminal) error {
			addr, err := chatAddress(how.URL)
			if err != nil {
				return err
			}
			return refclient.Lines{Addr: addr, User: how.User}.Run(ctx, t)
		},
	},
	"direct": {
		Settings: choices(""),
		Told:     []string{"host", "port"},
		run: func(ctx context.Context, how engine.Invocation, t *refclient.Terminal) error {
			return refclient.Direct{Addr: net.JoinHostPort(how.Host, how.Port)}.Run(ctx, t)
		},
	},
	"datagram": {
		Settings: choices(""),
		Told:     []string{"host", "port"},
		run: func(ctx context.Context, how engine.Invocation, t *refclient.Terminal) error {
			return refclient.Datagram{Addr: net.JoinHostPort(how.Host, how.Port)}.Run(ctx, t)
		},
	},
}

// chatAddress is the HOST:PORT of chat://HOST:PORT.
func chatAddress(url string) (string, error) {
	rest, ok := strings.CutPrefix(url, "chat://")
	_, port, err := net.SplitHostPort(rest)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if !ok || err != nil {
		return "", fmt.Errorf("the address is chat://HOST:PORT, not %q", url)
	}
	return rest, nil
}

// errStopped is why a client ends that was stopped from outside.
var errStopped = errors.New("stopped")

// Launch starts one instance. It is an [engine.ProgramLaunch].
func (c Client) Launch(_ context.Context, how engine.Invocation) (*engine.Program, error) {
	ctx, stop := context.WithCancelCause(context.Background())
	p := &clientProgram{screen: screen.New(), stop: stop, over: make(chan struct{})}
	p.keyed.L = &p.mu
	go func() {
		p.end(c.run(ctx, how, refclient.NewTerminal((*keys)(p), (*printed)(p), (*printed)(p))))
	}()
	return &engine.Program{
		Shown:    p.shown,
		Printed:  p.printedSince,
		Type:     p.enter,
		EndInput: p.endInput,
		Stop: func(string) error {
			if _, ended := p.exited(); ended {
				return os.ErrProcessDone
			}
			stop(errStopped)
			return nil
		},
		Exited: p.exited,
		Rest:   p.rest,
		Notify: func(f func()) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.tell = f
		},
		Close: func() {
			stop(errStopped)
			_ = p.endInput()
			<-p.over
		},
	}, nil
}

// A clientProgram is a client with its keyboard and its screen.
type clientProgram struct {
	stop context.CancelCauseFunc
	over chan struct{} // closed at its end

	mu      sync.Mutex
	keyed   sync.Cond // on mu: something has been typed
	typed   []byte    // and not been read
	noMore  bool      // the input has ended
	reading bool      // the client waits for what is typed
	output  []byte
	moves   int // how often it has read or printed
	screen  *screen.Screen
	ended   *engine.ProgramEnd
	tell    func()
}

// keys is the input of a clientProgram.
type keys clientProgram

// Read waits for what is typed.
func (k *keys) Read(b []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reading = true
	for len(k.typed) == 0 && !k.noMore {
		k.keyed.Wait()
	}
	k.reading = false
	k.moves++
	if len(k.typed) == 0 {
		return 0, io.EOF
	}
	n := copy(b, k.typed)
	k.typed = k.typed[n:]
	return n, nil
}

// printed is the output of a clientProgram.
type printed clientProgram

// Write keeps b and tells whoever waits.
func (o *printed) Write(b []byte) (int, error) {
	o.mu.Lock()
	o.output = append(o.output, b...)
	o.screen.Write(b)
	o.moves++
	tell := o.tell
	o.mu.Unlock()
	if tell != nil {
		tell()
	}
	return len(b), nil
}

func (p *clientProgram) shown(from int) (string, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.screen.Text(from)
}

func (p *clientProgram) printedSince(from int64) ([]byte, int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	end := int64(len(p.output))
	return append([]byte(nil), p.output[min(from, end):]...), end
}

func (p *clientProgram) enter(text string, enter bool) error {
	if enter {
		text += "\n"
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.noMore || p.ended != nil {
		return errors.New("type into the program: it has ended or closed its input")
	}
	p.typed = append(p.typed, text...)
	p.keyed.Broadcast()
	return nil
}

func (p *clientProgram) endInput() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.noMore = true
	p.keyed.Broadcast()
	return nil
}

// end ends the program as refclient's command does.
func (p *clientProgram) end(err error) {
	status := 1
	switch {
	case err == nil:
		status = 0
	case errors.Is(err, errStopped):
		status = 130
	default:
		fmt.Fprintf((*printed)(p), "refclient: %v\n", err)
	}
	p.mu.Lock()
	p.ended = &engine.ProgramEnd{How: fmt.Sprintf("exited with status %d", status), Status: status}
	tell := p.tell
	p.mu.Unlock()
	close(p.over)
	if tell != nil {
		tell()
	}
}

func (p *clientProgram) exited() (engine.ProgramEnd, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended == nil {
		return engine.ProgramEnd{}, false
	}
	return *p.ended, true
}

// rest waits until the client has read all that was typed and has neither read
// nor printed anything for a while. There is no telling what is on its way to
// it, as there is of a process.
func (p *clientProgram) rest(ctx context.Context, limit time.Duration) bool {
	const quiet, look = 2 * time.Millisecond, 500 * time.Microsecond
	last, since := -1, time.Now()
	for by := since.Add(limit); ; {
		p.mu.Lock()
		waits, moves := p.reading && len(p.typed) == 0, p.moves
		ended := p.ended != nil
		p.mu.Unlock()
		now := time.Now()
		if moves != last {
			last, since = moves, now
		}
		switch {
		case ended || waits && now.Sub(since) >= quiet:
			return true
		case now.After(by) || ctx.Err() != nil:
			return false
		}
		time.Sleep(look)
	}
}
