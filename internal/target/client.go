package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
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

// clientCommand returns the command to run a client, with everything filled in.
func (c Command) clientCommand(values *strings.Replacer, port int) *exec.Cmd {
	// The size that these tell would be that of another terminal.
	environment := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return strings.HasPrefix(entry, "COLUMNS=") || strings.HasPrefix(entry, "LINES=")
	})
	return c.fillIn(values, port, environment, "TERM=xterm")
}

// errLongLine says that a terminal would cut what is typed.
var errLongLine = fmt.Errorf("a terminal takes no more than %d bytes in a line: such a line can only be typed into a pipe", lineLimit)

// keyboard is what has been typed on a terminal.
type keyboard struct {
	sync.Mutex
	half int // bytes in the line that Enter has not ended
}

// Write types a text, without Enter. A program that does not read takes no more than its terminal or pipe holds; then
// it fails with [os.ErrDeadlineExceeded] after a second. A line that is too long for a terminal is not typed at all.
func (p *Process) Write(text string) error {
	p.keys.Lock()
	defer p.keys.Unlock()
	return p.typeKeys(text)
}

// enter is the code of the key; a terminal that edits lines turns it into a line end.
func (p *Process) enter() string {
	if p.terminal {
		return "\r"
	}
	return "\n"
}

// typeKeys types; p.keys is locked.
func (p *Process) typeKeys(text string) error {
	longest, half := lineLengths(p.keys.half, text)
	if longest > lineLimit {
		if lines, _ := p.edits(); lines {
			return errLongLine
		}
	}
	p.keys.half = half
	_ = p.stdin.SetWriteDeadline(time.Now().Add(time.Second))
	_, err := io.WriteString(p.stdin, text)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("type into the program: it does not read what is typed: %w", err)
	}
	return fmt.Errorf("type into the program: it has ended or closed its input: %w", err)
}

// lineLengths returns the length of the longest line and of the last one, which has no end yet, of a text that is
// typed behind a half-typed line.
func lineLengths(half int, text string) (longest, last int) {
	longest, last = half, half
	for i := range len(text) {
		switch text[i] {
		case '\r', '\n', 0x03, 0x04, 0x15: // Enter, and the keys that throw the line away or hand it over
			last = 0
		default:
			last++
			longest = max(longest, last)
		}
	}
	return longest, last
}

// EndInput ends the program's input. On a terminal that is Ctrl-D, and after a half-typed line three times, as a user has to:
// the first hands that over, the second ends the line, and to a program that asks once more, as Python does, the third
// says that there is nothing else. A program that reads key by key gets the key once, and decides what it means.
func (p *Process) EndInput() error {
	if !p.terminal {
		if err := p.stdin.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			return fmt.Errorf("end the input: %w", err)
		}
		return nil
	}
	p.keys.Lock()
	defer p.keys.Unlock()
	if lines, _ := p.edits(); lines && p.keys.half > 0 {
		return p.typeKeys("\x04\x04\x04")
	}
	return p.typeKeys("\x04")
}

// Interrupt does what Ctrl-C does: on a terminal it is typed, and by the modes of the terminal it is a signal to the
// foreground processes or a key. After the end of a program without a terminal it returns [os.ErrProcessDone].
func (p *Process) Interrupt() error {
	if !p.terminal {
		return p.Signal(os.Interrupt)
	}
	p.keys.Lock()
	defer p.keys.Unlock()
	if lines, signals := p.edits(); lines && signals && p.keys.half > 0 {
		return p.typeKeys("\x15\x03") // see setModes
	}
	return p.typeKeys("\x03")
}
