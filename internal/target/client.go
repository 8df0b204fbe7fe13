package target

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// StartClient starts a program that is a client of the server at an address, for a user of that name. In Args and
// Type of the command, {host}, {port}, {user} and {url} (chat://host:port) are replaced.
//
// With [Command.Terminal] the program has a pseudo-terminal for its input and all its output, which is the controlling
// terminal of a session of its own: 24 lines of 200 columns, line by line, and without echo, so that what is read from
// it is what the program shows. Otherwise it has pipes.
//
// It returns when the program runs. The error is a [*StartError], or ctx's. When ctx ends later the program is stopped.
func StartClient(ctx context.Context, c Command, server netip.AddrPort, user string) (*Process, error) {
	if len(c.Args) == 0 {
		return nil, &StartError{Reason: "no program is given"}
	}
	c = c.withDefaults()
	c.Host, c.User = server.Addr().String(), user
	p := newProcess(c)
	p.addr, p.release = server, func() {}
	ctx, p.cancel = context.WithCancel(ctx)
	port := int(server.Port())
	values := strings.NewReplacer("{host}", c.Host, "{port}", strconv.Itoa(port), "{user}", user,
		"{url}", "chat://"+net.JoinHostPort(c.Host, strconv.Itoa(port)))
	cmd := c.clientCommand(values, port)
	var err error
	if c.Terminal {
		err = p.launchOnTerminal(cmd)
	} else {
		err = p.launch(cmd, false)
	}
	if err != nil {
		p.cancel()
		return nil, c.startError(err)
	}
	context.AfterFunc(ctx, func() { p.Stop() })
	for _, line := range c.Type {
		if err := p.Type(values.Replace(line)); err != nil {
			break // it has ended, or does not read; either will be noticed
		}
	}
	return p, nil
}

// clientCommand returns the command to run, with everything filled in.
func (c Command) clientCommand(values *strings.Replacer, port int) *exec.Cmd {
	args := make([]string, len(c.Args))
	for i, arg := range c.Args {
		args[i] = values.Replace(arg)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = c.Dir
	cmd.Env = append(os.Environ(), "PYTHONUNBUFFERED=1", "PORT="+strconv.Itoa(port), "HOST="+c.Host, "TERM=xterm")
	cmd.Env = append(cmd.Env, c.Env...)
	return cmd
}

// lineLimit is how many bytes of a line a terminal takes that hands over whole lines.
const lineLimit = 4000

// errLongLine says that a terminal would cut what is typed.
var errLongLine = errors.New("a terminal takes no more than 4095 bytes in a line: such a line can only be typed into a pipe")

// Write types a text, without Enter. A program that does not read takes no more than its terminal or pipe holds; then
// it fails with [os.ErrDeadlineExceeded] after a second.
func (p *Process) Write(text string) error {
	if p.terminal && len(text) > lineLimit && p.isCanonical() {
		return errLongLine
	}
	_ = p.stdin.SetWriteDeadline(time.Now().Add(time.Second))
	_, err := io.WriteString(p.stdin, text)
	return err
}

// EndInput ends the program's input: on a terminal Ctrl-D is typed.
func (p *Process) EndInput() error {
	if p.terminal {
		return p.Write("\x04")
	}
	return p.stdin.Close()
}

// Interrupt does what Ctrl-C does: on a terminal it is typed, and by the modes of the terminal it is a signal or a key.
func (p *Process) Interrupt() error {
	if p.terminal {
		return p.Write("\x03")
	}
	return p.Signal(os.Interrupt)
}
