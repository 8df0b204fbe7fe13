// Package target starts, finds, watches and stops a program that somebody else wrote.
//
// It must be enough to say how one starts it:
//
//	p, err := target.Start(ctx, target.Command{Args: []string{"python3", "server.py", "{port}"}})
//	if err != nil {
//		return err // a sentence: what the program did instead of listening, and what it printed
//	}
//	defer p.Stop()
//	conn, err := net.Dial("tcp", p.Addr().String())
//
// Start picks a free port, tells it to the program, and returns as soon as the program, or a process that it started,
// listens. It learns that from the kernel's socket table and never by connecting: a connection that says nothing
// blocks or kills many a simple server. A program that listens on a port of its own choice is found in the same way.
//
// Nothing is left behind. [Process.Stop] ends the program, its process group, and every process that descends from
// it, also those that made themselves independent. If this program is killed before it can do so, a small second
// process, which does nothing but wait for that, ends them in its place (on Linux).
//
// What the program prints is kept, within a limit, as raw bytes with the time of arrival. They are somebody else's:
// clean them of control characters before they go to a terminal or into a report.
//
// On Linux all of this holds. On other systems a program counts as ready when a connection to it succeeds, its port
// has to be the one it was told, and processes that leave its process group are not found (on Windows, none but the
// program itself is ended).
package target

import (
	"regexp"
	"time"
)

// Command says how a program is started. It is plain data; one Command may be started many times and at the same time.
type Command struct {
	// Args is the program and its arguments. In each, {port} and {host} are replaced by the port and the host that
	// the program is to listen on, and {user} by User. A program without a slash is looked up in PATH; one with a relative path is
	// relative to Dir.
	Args []string

	// Network is what the program serves: "tcp", also when empty, or "udp".
	Network string

	// Host is the address to listen on that the program is told; empty means 127.0.0.1.
	Host string

	// Port is the port to listen on that the program is told, in {port} and in the environment as PORT. 0 picks a
	// free one.
	Port int

	// PortFrom finds the port on which the program listens in what it prints: the first group of the match, or all of
	// it. Without one, the program is looked for among the sockets that listen.
	PortFrom *regexp.Regexp

	// Dir is the directory the program runs in; empty means the current one.
	Dir string

	// Copy has each instance of the program run in a copy of Dir of its own, which Stop removes: files that one writes
	// are not there for the next.
	Copy bool

	// Env are entries KEY=value added to the environment of this program, which the target inherits, together with
	// PORT, HOST and PYTHONUNBUFFERED=1 (or Python would keep its output to itself until a buffer is full).
	Env []string

	// ReadyWithin is how long the program may take until it listens; 0 means 10 s.
	ReadyWithin time.Duration

	// StopWithin is how long the program may take to end when it is asked to, before it is killed; 0 means 500 ms.
	StopWithin time.Duration

	// User is what {user} in Args and Type stands for.
	User string

	// Type are lines that are typed into the program's standard input when it has been started. Its input stays open.
	Type []string

	// Terminal gives a client program a pseudo-terminal, see [StartClient]. A server has one for its standard output
	// only, so that what it prints is seen at once: on a pipe many programs keep it back until there is enough.
	Terminal bool

	// ownPort is the port that an earlier instance chose itself; 0 where that is not known.
	ownPort int

	// OutputLimit is how many bytes of output are kept, the first half of them from the beginning and the rest from
	// the end; 0 means 1 MiB. The program can print without limit and is never held up.
	OutputLimit int
}
