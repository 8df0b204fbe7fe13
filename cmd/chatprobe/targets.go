package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/target"
)

// launchAddress is a server that runs already.
func launchAddress(network, addr string) engine.Launch {
	return func(context.Context) (*engine.Target, error) {
		dial := dialer(network, addr)
		if network == "udp" {
			dial = engine.DialUDPAnew(addr)
		}
		return &engine.Target{Dial: dial, Close: func() {}}, nil
	}
}

func dialer(network, addr string) func(context.Context, int) (net.Conn, error) {
	if network == "udp" {
		return engine.DialUDP(addr)
	}
	return engine.DialTCP(addr)
}

// launchFleet starts an instance of a program for each scenario.
func launchFleet(fleet *target.Fleet, command target.Command) engine.Launch {
	chooses := !command.IsTold() && command.Port == 0
	return func(ctx context.Context) (*engine.Target, error) {
		p, err := fleet.Start(ctx)
		if err != nil {
			return nil, blame(err, !chooses)
		}
		return &engine.Target{
			Dial:    dialer(command.Network, p.Addr().String()),
			OwnPort: chooses,
			Remark:  lingered(p.Lingered),
			Strayed: p.Found && command.IsTold(),
			Printed: func(from int64) ([]byte, int64) { return printedSince(p, from) },
			Exited: func() (string, bool) {
				status, ended := p.Exited()
				return howEnded(status), ended
			},
			Stop:   func(how string) error { return signalProcess(p, how) },
			Notify: p.Notify,
			Spins:  p.Spins,
			Close:  func() { _ = p.Stop() },
		}, nil
	}
}

// howEnded is what follows "the program": exited with status 1, or was killed.
func howEnded(status target.Status) string {
	if status.Signal != nil {
		return "was " + status.String()
	}
	return status.String()
}

// lingered says that a port had to be waited for, and why.
func lingered(waited time.Duration) string {
	if waited == 0 {
		return ""
	}
	return fmt.Sprintf("its port could be used again only after %s, because of connections that the instance before had closed: "+
		"a server that sets SO_REUSEADDR need not wait", waited.Round(100*time.Millisecond))
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
	if text, ok := strings.CutPrefix(how, "type:"); ok {
		return p.Type(text)
	}
	return fmt.Errorf("stop the program by %q: there is no such way", how)
}
