package target

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"
)

// Process is a program that was started and has listened. Its methods are safe for concurrent use. [Process.Stop]
// must be called, also when the program has ended by itself.
type Process struct {
	// Found says that the program did not listen on the port it was told but on one of its own choice, which was found
	// among its sockets. It is set by [Start] and does not change.
	Found bool

	// Lingered is how long the program's port was waited for, which connections of an earlier instance kept busy so
	// that it could not be started: 0, but for a program that has not set SO_REUSEADDR and has a port of its own. It
	// is set by [Start] and does not change.
	Lingered time.Duration

	cmd        *exec.Cmd
	mark       string // what the environments of all its descendants contain (Linux)
	addr       netip.AddrPort
	output     *recorder
	stopWithin time.Duration
	release    func() // gives back the port
	copies     bool   // it runs in a copy of its directory
	copied     string // which is this, from the start on
	shown      bool   // its standard output is a terminal, on which nothing is kept back

	terminal bool     // stdin and the first of pipes are our end of the program's terminal
	modes    *termios // of that, at the beginning
	keys     keyboard
	stdin    *os.File    // our end; kept open, because some programs end with their input
	pipes    [2]*os.File // our ends of standard output and standard error
	readers  sync.WaitGroup
	reading  sync.Mutex // see read

	notified atomic.Pointer[func()]
	ended    chan struct{} // closed when the program has ended; status is set
	dead     chan struct{} // closed when its output is read too
	status   Status

	after struct { // see afterStop
		sync.Mutex
		stopped bool
		f       func()
	}

	stopOnce sync.Once
	stopErr  error
	cancel   func() // ends the watch on the context
}

func newProcess(c Command) *Process {
	return &Process{
		output:     newRecorder(c.OutputLimit),
		stopWithin: c.StopWithin,
		copies:     c.Copy,
		ended:      make(chan struct{}),
		dead:       make(chan struct{}),
	}
}

// Addr returns the address to dial: the one that the program listens on, or where that stands for every address of
// the machine, its loopback address of the same family.
func (p *Process) Addr() netip.AddrPort { return p.addr }

// PID returns the number of the program itself, which leads the process group of all that it starts. On Linux the
// number is not given to anybody else before [Process.Stop] returns.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Output returns what the program has printed so far, standard output and standard error in their order of arrival.
// It copies no text and is cheap; the bytes must not be changed.
func (p *Process) Output() Output { return p.output.since(0) }

// OutputSince returns what the program has printed from an offset on: the [Output.Size] of an earlier snapshot gives
// what came after it. Where that is not kept, the first chunk begins later.
func (p *Process) OutputSince(offset int64) Output { return p.output.since(offset) }

// Notify has f called after each piece of new output and after the program's end, from now on and in place of the
// function given before; nil ends it. What came before is not told again: look once after Notify. f is called with no
// lock held, by several goroutines, at times at once; the program's output waits for it, so it must be quick, and it
// must not call Stop, which waits for the output.
func (p *Process) Notify(f func()) {
	if f == nil {
		p.notified.Store(nil)
		return
	}
	p.notified.Store(&f)
}

func (p *Process) tell() {
	if f := p.notified.Load(); f != nil {
		(*f)()
	}
}

// Exited reports whether the program itself has ended, and how. Processes that it started may live on until
// [Process.Stop]. What it printed is in [Process.Output] by then, up to a tenth of a second's delay that is granted
// to processes which still hold its output open.
func (p *Process) Exited() (Status, bool) {
	select {
	case <-p.dead:
		return p.status, true
	default:
		return Status{}, false
	}
}

// Signal sends a signal to the program itself and not to what it has started. After the program's end it returns
// [os.ErrProcessDone]. On Windows only [os.Kill] can be sent.
func (p *Process) Signal(sig os.Signal) error {
	select {
	case <-p.ended:
		return os.ErrProcessDone
	default:
		return p.cmd.Process.Signal(sig)
	}
}

// Type writes a line to the program's standard input, as if it were typed. A program that does not read takes no more
// than a pipe holds; then it fails with [os.ErrDeadlineExceeded] after a second.
func (p *Process) Type(text string) error {
	return p.Write(text + p.enter())
}

// Stop ends the program: its process group is asked to terminate, its standard input ends, and after
// [Command.StopWithin], or when it has ended, what is left of it and of all its descendants is killed. Then the copy of
// its directory is removed, see [Command.Copy]. Stop returns when all of them are gone, or after some seconds an error
// that names those which cannot be killed or removed. Further calls wait for the first and return what it returned.
func (p *Process) Stop() error {
	p.stopOnce.Do(func() {
		p.cancel()
		p.terminate()
		if !p.terminal {
			p.stdin.Close()
		}
		select {
		case <-p.ended:
		case <-time.After(p.stopWithin):
		}
		p.stopErr = p.killAll()
		if p.stopErr == nil {
			<-p.dead
			p.reap()
		}
		// Whoever still holds the other ends cannot be killed, or could not be found.
		p.pipes[0].Close()
		p.pipes[1].Close()
		p.readers.Wait()
		p.stopErr = errors.Join(p.stopErr, p.removeCopy())
		p.release()
		p.after.Lock()
		p.after.stopped = true
		f := p.after.f
		p.after.Unlock()
		if f != nil {
			f()
		}
	})
	return p.stopErr
}

// afterStop has f called when the program has been stopped; at once if it has been.
func (p *Process) afterStop(f func()) {
	p.after.Lock()
	p.after.f = f
	stopped := p.after.stopped
	p.after.Unlock()
	if stopped {
		f()
	}
}

var outputTerminal = openOutputTerminal // a variable for tests, where no terminal can be had

// launch starts the program with its pipes, and on request with a terminal for its standard output, and begins to
// watch it.
func (p *Process) launch(cmd *exec.Cmd, terminal bool) error {
	var theirs [3]*os.File
	defer func() {
		for _, f := range theirs {
			f.Close() // on nil it does nothing
		}
	}()
	// Pipes of our own rather than those of package exec, whose Wait waits until every descendant has closed them.
	var err0, err1, err2 error
	theirs[0], p.stdin, err0 = os.Pipe()
	if terminal {
		p.pipes[0], theirs[1], err1 = outputTerminal()
		p.shown = err1 == nil
	}
	if !p.shown {
		p.pipes[0], theirs[1], err1 = os.Pipe()
	}
	p.pipes[1], theirs[2], err2 = os.Pipe()
	err := errors.Join(err0, err1, err2)
	if err == nil {
		p.cmd = cmd
		cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs[0], theirs[1], theirs[2]
		err = p.startProcess()
	}
	if err != nil {
		p.stdin.Close()
		p.pipes[0].Close()
		p.pipes[1].Close()
		return err
	}
	p.readers.Go(func() { p.read(Stdout) })
	p.readers.Go(func() { p.read(Stderr) })
	go p.watchEnd()
	return nil
}

// lastWords is how long the end of the output is waited for after the end of the program. It comes at once, unless
// another process has the pipe open too.
const lastWords = 100 * time.Millisecond

// watchEnd waits for the end of the program and makes it known.
func (p *Process) watchEnd() {
	p.status = p.waitEnd()
	close(p.ended)
	read := make(chan struct{})
	go func() {
		p.readers.Wait()
		close(read)
	}()
	select {
	case <-read:
	case <-time.After(lastWords):
		p.readLast() // on a busy machine the readers may be late
	}
	close(p.dead)
	p.tell()
}
