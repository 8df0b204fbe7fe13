package target

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	defaultReady = 10 * time.Second
	defaultStop  = 500 * time.Millisecond

	// How long a program must listen on one other port, and not on that which it was told, until that is taken for
	// its choice. One that was told by an argument is likely to come to it, after a helper's port or a debugger's.
	settleUntold = 100 * time.Millisecond
	settleTold   = time.Second
	settleKnown  = 5 * time.Millisecond // an earlier instance had its choice too

	portTries = 4 // with a new port each, when another program was faster
)

// Start starts a program and returns when it, or a process that it started, listens on the port it was told, or, where
// [Command.Port] is 0, on exactly one other port; with [Command.PortFrom], when it listens on the port that it printed.
// It never connects to it (on Linux).
//
// Where the port is the program's own, by [Command.Port], connections of an earlier instance may keep it busy for a
// minute. A program that fails for this, because it has not set SO_REUSEADDR, is started once more when the port is
// free: see [Process.Lingered].
//
// The error is a [*StartError], [*PortError], [*ExitError] or [*ListenError], each a sentence for the user, or ctx's;
// nothing is left running then. When ctx ends later the program is stopped, as by [Process.Stop].
func Start(ctx context.Context, c Command) (*Process, error) {
	if len(c.Args) == 0 {
		return nil, &StartError{Reason: "no program is given"}
	}
	c = c.withDefaults()
	return c.startPatiently(ctx)
}

// startOnPort starts the program, on another port when the one that was picked is lost.
func (c Command) startOnPort(ctx context.Context) (*Process, error) {
	for try := 1; ; try++ {
		p, err := c.start(ctx)
		if lost, ok := errors.AsType[*lostPort](err); ok {
			if try < portTries {
				continue
			}
			err = lost.err
		}
		if err != nil {
			return nil, err
		}
		return p, nil
	}
}

// lostPort says that another program has taken the port that was picked before the target could. That is our own
// race and no fault of the target.
type lostPort struct{ err error }

func (e *lostPort) Error() string { return e.err.Error() }

func (c Command) withDefaults() Command {
	if c.Network == "" {
		c.Network = "tcp"
	}
	if c.Host == "" {
		c.Host = "127.0.0.1"
	}
	if c.ReadyWithin <= 0 {
		c.ReadyWithin = defaultReady
	}
	if c.StopWithin <= 0 {
		c.StopWithin = defaultStop
	}
	return c
}

// start makes one attempt, on one port.
func (c Command) start(ctx context.Context) (*Process, error) {
	port, release := c.Port, func() {}
	if port == 0 {
		var err error
		if port, err = ports.reserve(c.Network); err != nil {
			return nil, err
		}
		release = func() { ports.release(port) }
	}
	watch, err := openWatch(c.Network, port)
	if err != nil {
		release()
		return nil, err
	}
	defer watch.close()
	if c.Port != 0 && watch.inUse() {
		return nil, &PortError{c.Network, port}
	}

	p := newProcess(c)
	ctx, p.cancel = context.WithCancel(ctx)
	p.release = release
	values := strings.NewReplacer("{port}", strconv.Itoa(port), "{host}", c.Host, "{user}", c.User)
	if err := p.launch(c.command(values, port), c.Terminal); err != nil {
		p.cancel()
		release()
		return nil, c.startError(err)
	}
	for _, line := range c.Type {
		if p.Type(values.Replace(line)) != nil {
			break // it has ended, or does not read; either will be noticed
		}
	}
	if err = p.await(ctx, c, port, watch); err != nil {
		picked := c.Port == 0 && ctx.Err() == nil
		p.Stop()
		// The target is gone, so if the port cannot be bound, somebody else has it.
		if _, lost := err.(*lostPort); picked && !lost && !isBindable(c.Network, port) {
			err = &lostPort{err}
		}
		return nil, err
	}
	context.AfterFunc(ctx, func() { p.Stop() })
	return p, nil
}

// command returns the command to run a server, with the port filled in.
func (c Command) command(values *strings.Replacer, port int) *exec.Cmd {
	var env []string
	if c.Terminal {
		// On a terminal some programs print in colours, which would stand between the words that somebody looks for.
		env = []string{"TERM=dumb", "NO_COLOR=1"}
	}
	return c.fillIn(values, port, os.Environ(), env...)
}

// fillIn returns the command to run, with everything filled in, in an environment to which more is added.
func (c Command) fillIn(values *strings.Replacer, port int, environment []string, more ...string) *exec.Cmd {
	args := make([]string, len(c.Args))
	for i, arg := range c.Args {
		args[i] = values.Replace(arg)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = c.Dir
	cmd.Env = append(environment, "PYTHONUNBUFFERED=1", "PORT="+strconv.Itoa(port), "HOST="+c.Host)
	cmd.Env = append(append(cmd.Env, more...), c.Env...)
	return cmd
}

// startError finds the words for what the system said.
func (c Command) startError(err error) error {
	e := &StartError{Program: c.Args[0], Err: err}
	if _, ok := errors.AsType[*copyError](err); ok {
		e.Reason = err.Error()
		return e
	}
	if info, serr := os.Stat(c.Dir); c.Dir != "" && (serr != nil || !info.IsDir()) {
		e.Reason = fmt.Sprintf("there is no directory %q to run it in", c.Dir)
		return e
	}
	path := c.Args[0]
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.Dir, path)
	}
	info, serr := os.Stat(path)
	switch {
	case errors.Is(err, exec.ErrNotFound):
		e.Reason = "not found in PATH"
		if serr == nil && !info.IsDir() && filepath.Base(c.Args[0]) == c.Args[0] {
			e.Reason += fmt.Sprintf(" (for the file of that name here, write %q)", "./"+c.Args[0])
		}
	case serr == nil && info.IsDir():
		e.Reason = "it is a directory"
	case errors.Is(err, fs.ErrNotExist) && serr == nil:
		e.Reason = "the interpreter that its first line names is not there"
	case errors.Is(err, fs.ErrNotExist):
		e.Reason = "no such file"
	case errors.Is(err, fs.ErrPermission):
		e.Reason = "not executable (name its interpreter before it, or run chmod +x on it)"
	case errors.Is(err, syscall.ENOEXEC):
		e.Reason = "not a program for this machine, and without a first line that names its interpreter"
	default:
		e.Reason = err.Error()
	}
	return e
}

// IsTold reports whether the command line, or what is typed at the start, tells the program its port.
func (c Command) IsTold() bool {
	return slices.ContainsFunc(slices.Concat(c.Args, c.Type), func(s string) bool { return strings.Contains(s, "{port}") })
}
