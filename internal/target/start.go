package target

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/chatprobe/chatprobe/internal/sockets"
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
// [Command.Port] is 0, on exactly one other port. It never connects to it (on Linux).
//
// The error is a [*StartError], [*PortError], [*ExitError] or [*ListenError], each a sentence for the user, or ctx's;
// nothing is left running then. When ctx ends later the program is stopped, as by [Process.Stop].
func Start(ctx context.Context, c Command) (*Process, error) {
	if len(c.Args) == 0 {
		return nil, &StartError{Reason: "no program is given"}
	}
	c = c.withDefaults()
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
	if c.Copy {
		dir, err := copyFolder(c.Dir)
		if err != nil {
			p.cancel()
			release()
			return nil, &StartError{Program: c.Args[0], Reason: err.Error(), Err: err}
		}
		c.Dir = dir
		tellKeeperOfFolder('+', dir)
		p.release = func() {
			os.RemoveAll(dir)
			tellKeeperOfFolder('-', dir)
			release()
		}
	}
	values := strings.NewReplacer("{port}", strconv.Itoa(port), "{host}", c.Host, "{user}", c.User)
	if err := p.launch(c.command(values, port), c.Terminal); err != nil {
		p.cancel()
		p.release()
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

// command returns the command to run, with the port filled in.
func (c Command) command(values *strings.Replacer, port int) *exec.Cmd {
	args := make([]string, len(c.Args))
	for i, arg := range c.Args {
		args[i] = values.Replace(arg)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = c.Dir
	cmd.Env = append(os.Environ(), "PYTHONUNBUFFERED=1", "PORT="+strconv.Itoa(port), "HOST="+c.Host)
	cmd.Env = append(cmd.Env, c.Env...)
	return cmd
}

// startError finds the words for what the system said.
func (c Command) startError(err error) error {
	e := &StartError{Program: c.Args[0], Err: err}
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

// await waits until the program listens, and sets p.addr and p.Found.
func (p *Process) await(ctx context.Context, c Command, port int, watch *watch) error {
	settle := settleUntold
	switch {
	case c.IsTold():
		settle = settleTold
	case c.ownPort != 0:
		settle = settleKnown
	}
	start := time.Now()
	var candidate int // the one other port that it listens on
	var since time.Time
	for {
		printed, found := c.printedPort(p)
		if found {
			watch.port = printed
		}
		told, others := watch.look(p)
		if len(told) > 0 && (found || c.PortFrom == nil) {
			p.addr, p.Found = choose(told, c.Host), c.Port == 0 && printed != 0 && printed != port
			return nil
		}
		other := onlyPort(others)
		if other != candidate {
			candidate, since = other, time.Now()
		}
		if candidate != 0 && c.Port == 0 && c.PortFrom == nil && time.Since(since) >= settle {
			p.addr, p.Found = choose(others, c.Host), true
			return nil
		}
		if c.Port == 0 && c.PortFrom == nil && watch.foreign() {
			return &lostPort{p.listenError(c, port, time.Since(start), others)}
		}
		if time.Since(start) >= c.ReadyWithin {
			if found {
				port = printed
			}
			return p.listenError(c, port, c.ReadyWithin, others)
		}
		// Each look costs something, to the program that is starting up too; so look in steps of a sixteenth of the
		// time it has taken already.
		pause := min(max(time.Since(start)/16, time.Millisecond), 20*time.Millisecond)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("start %s: %w", c.Args[0], context.Cause(ctx))
		case <-p.dead:
			// Nothing of it is left to listen, except what it may have left behind.
			left := len(p.members()) > 0
			return &ExitError{Status: p.status, Network: c.Network, Port: port, Output: p.Output(), Left: left}
		}
	}
}

func (p *Process) listenError(c Command, port int, within time.Duration, others []sockets.Listener) error {
	e := &ListenError{Network: c.Network, Port: port, Within: within, Output: p.Output()}
	if _, found := c.printedPort(p); c.PortFrom != nil && !found {
		e.Unprinted = c.PortFrom.String()
	}
	for _, l := range others {
		if addr := dialable(l, c.Host); !slices.Contains(e.Others, addr) {
			e.Others = append(e.Others, addr)
		}
	}
	return e
}

// IsTold reports whether the command line, or what is typed at the start, tells the program its port.
func (c Command) IsTold() bool {
	return slices.ContainsFunc(slices.Concat(c.Args, c.Type), func(s string) bool { return strings.Contains(s, "{port}") })
}

// printedPort returns the port that the program has printed, where that is looked for.
func (c Command) printedPort(p *Process) (port int, found bool) {
	if c.PortFrom == nil {
		return 0, false
	}
	m := c.PortFrom.FindStringSubmatch(p.Output().Text())
	if m == nil {
		return 0, false
	}
	port, err := strconv.Atoi(strings.TrimSpace(m[min(1, len(m)-1)]))
	return port, err == nil && port > 0 && port < 1<<16
}

// onlyPort returns the one port that all of the sockets are bound to, or 0.
func onlyPort(list []sockets.Listener) int {
	port := 0
	for _, l := range list {
		if port != 0 && int(l.Addr.Port()) != port {
			return 0
		}
		port = int(l.Addr.Port())
	}
	return port
}

// choose returns the address to dial, of sockets that have one port: at best that which the program was told, at second
// best one of IPv4.
func choose(list []sockets.Listener, host string) netip.AddrPort {
	addrs := make([]netip.AddrPort, len(list))
	for i, l := range list {
		addrs[i] = dialable(l, host)
	}
	return slices.MinFunc(addrs, func(a, b netip.AddrPort) int {
		rank := func(a netip.AddrPort) int {
			switch {
			case a.Addr().String() == host:
				return 0
			case a.Addr().Is4():
				return 1
			}
			return 2
		}
		return rank(a) - rank(b)
	})
}

// dialable returns the address at which a listener on this machine can be reached; host is what the program was told.
func dialable(l sockets.Listener, host string) netip.AddrPort {
	addr := l.Addr.Addr().Unmap()
	if addr.IsUnspecified() {
		told, err := netip.ParseAddr(host)
		is4 := addr.Is4() || l.Dual
		switch {
		case err == nil && !told.IsUnspecified() && (told.Is4() && is4 || told.Is6() && addr.Is6()):
			addr = told
		case is4:
			addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		default:
			addr = netip.IPv6Loopback()
		}
	}
	return netip.AddrPortFrom(addr, l.Addr.Port())
}
