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
// Many instances of one program are started by a [Fleet], which finds out whether they can run at the same time.
//
// Nothing is left behind. [Process.Stop] ends the program, its process group, and every process that descends from
// it, also those that made themselves independent, and removes the copy of its folder. If this program is killed before
// it can do so, a small second process, which does nothing but wait for that, does it in its place (on Linux).
//
// What the program prints is kept, within a limit, as raw bytes with the time of arrival. They are somebody else's:
// clean them of control characters before they go to a terminal or into a report.
//
// On Linux all of this holds. On other systems, see [Lacks], a program counts as ready when a connection to it succeeds,
// its port has to be one that it was told or that it has printed, and processes that leave its process group are not
// found. On Windows none but the program itself is ended, and there are no terminals.
package target

import (
	"regexp"
	"time"
)

// Command says how a program is started. It is plain data; one Command may be started many times and at the same time.
type Command struct {
	// Args is the program and its arguments. In each, {port} and {host} are replaced by the port and the host that
	// the program is to listen on, and {user} by User. A program without a slash is looked up in PATH; one with a
	// relative path is relative to Dir.
	Args []string

	// Network is what the program serves: "tcp", also when empty, or "udp".
	Network string

	// Host is the address to listen on that the program is told; empty means 127.0.0.1.
	Host string

	// Port is the port to listen on that the program is told, in {port} and in the environment as PORT, or that is
	// written in the program. 0 picks a free one.
	Port int

	// PortFrom finds the port on which the program listens in what it prints, to whichever stream and without colours:
	// the first group of a match that is not empty, or all of the match. The program is ready when it listens on that
	// port; of several, on the first on which it does. Without PortFrom, the port is looked for among the sockets of the
	// program.
	PortFrom *regexp.Regexp

	// Dir is the directory the program runs in; empty means the current one.
	Dir string

	// Copy has each instance of the program run in a copy of Dir of its own, which Stop removes: files that one writes
	// are not there for the next. Links stay links; sockets and the like are left out. Dir may hold 20,000 files and
	// folders of 256 MiB.
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

	// Type are lines that are typed into the program's standard input when it has been started, with {port}, {host}
	// and {user} replaced as in Args. Its input stays open.
	Type []string

	// Terminal gives a client program a pseudo-terminal, see [StartClient]. A server has one for its standard output
	// only, so that what it prints is seen at once: on a pipe many programs keep it back until there is enough. The
	// bytes are those that it prints, and TERM=dumb and NO_COLOR=1 in its environment ask for no colours. Where no
	// terminal can be had, it is a pipe.
	Terminal bool

	// OutputLimit is how many bytes of output are kept, the first half of them from the beginning and the rest from
	// the end; 0 means 1 MiB. The program can print without limit and is never held up.
	OutputLimit int

	// ownPort is the port that an earlier instance chose itself; 0 where that is not known.
	ownPort int

	// impatient says that an earlier start has failed, and that it was waited for ports of which it was not known
	// whether they were the program's. That is done once.
	impatient bool
}
