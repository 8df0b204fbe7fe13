package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/refserver"
	"github.com/chatprobe/chatprobe/internal/target"
)

// The built-in reference servers run in this process, on a real socket, and
// declare the choices that they make.

// builtin is a reference server that this program holds.
type builtin struct {
	settings map[string]string
	serve    func(ctx context.Context, ln net.Listener, printed io.Writer) error
}

// builtins are the reference servers by the name of their protocol.
func builtins() map[string]builtin {
	framed := refserver.Framed{RosterEvery: 50 * time.Millisecond}
	return map[string]builtin{
		"framed": {
			settings: choices(framed.Choices() + " roster_within=5s"),
			serve: func(ctx context.Context, ln net.Listener, printed io.Writer) error {
				server := framed
				server.Roster = printed
				return server.Serve(ctx, ln)
			},
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

// launch starts one instance in this process.
func (b builtin) launch(context.Context) (*engine.Target, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the built-in server: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	out := &printer{}
	done := make(chan error, 1)
	go func() {
		done <- b.serve(ctx, ln, out)
		out.end()
	}()
	return &engine.Target{
		Dial:    engine.DialTCP(ln.Addr().String()),
		Printed: out.since,
		Exited:  out.ended,
		Stop:    func(string) error { stop(); return nil },
		Notify:  out.notify,
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

// launchAddress is a server that runs already.
func launchAddress(addr string) engine.Launch {
	return func(context.Context) (*engine.Target, error) {
		return &engine.Target{Dial: engine.DialTCP(addr), Close: func() {}}, nil
	}
}

// launchCommand starts a program for each scenario.
func launchCommand(command target.Command) engine.Launch {
	return func(ctx context.Context) (*engine.Target, error) {
		p, err := target.Start(ctx, command)
		if err != nil {
			return nil, blame(err, takesPort(command.Args))
		}
		return &engine.Target{
			Dial:    engine.DialTCP(p.Addr().String()),
			Printed: func(from int64) ([]byte, int64) { return printedSince(p, from) },
			Exited: func() (string, bool) {
				status, ended := p.Exited()
				if status.Signal != nil {
					return "was " + status.String(), ended
				}
				return status.String(), ended
			},
			Stop:   func(how string) error { return signalProcess(p, how) },
			Notify: p.Notify,
			Close:  func() { _ = p.Stop() },
		}, nil
	}
}

// oneByOne has only one target at a time: where the port is the program's own
// choice, a second one could not listen.
func oneByOne(launch engine.Launch) engine.Launch {
	running := make(chan struct{}, 1)
	return func(ctx context.Context) (*engine.Target, error) {
		select {
		case running <- struct{}{}:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		t, err := launch(ctx)
		if err != nil {
			<-running
			return nil, err
		}
		end := t.Close
		t.Close = sync.OnceFunc(func() {
			end()
			<-running
		})
		return t, nil
	}
}

// blame tells a target that does not do its part from a command that cannot be
// run at all.
func blame(err error, told bool) error {
	var exited *target.ExitError
	var silent *target.ListenError
	if !errors.As(err, &exited) && !errors.As(err, &silent) {
		return err
	}
	if !told {
		err = fmt.Errorf("the command has no {port}, so nothing told the program which port to listen on, but for PORT in its environment; %w", err)
	}
	return &engine.TargetError{Err: err}
}

func printedSince(p *target.Process, from int64) ([]byte, int64) {
	out := p.OutputSince(from)
	var b []byte
	for _, c := range out.Chunks {
		b = append(b, c.Bytes...)
	}
	return b, out.Size
}

func signalProcess(p *target.Process, how string) error {
	switch how {
	case "interrupt":
		return p.Signal(os.Interrupt)
	case "terminate":
		return p.Signal(syscall.SIGTERM)
	}
	return fmt.Errorf("stop the program by %q: not possible yet", how)
}
