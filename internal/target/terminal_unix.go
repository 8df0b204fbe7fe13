//go:build linux || darwin

package target

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

type termios = unix.Termios

// launchOnTerminal starts the program on a pseudo-terminal of its own, and begins to watch it.
func (p *Process) launchOnTerminal(cmd *exec.Cmd) error {
	ours, theirs, err := openTerminal()
	if err != nil {
		return err
	}
	defer theirs.Close()
	if p.modes, err = setModes(theirs, false); err == nil {
		p.terminal, p.cmd, p.stdin, p.pipes[0] = true, cmd, ours, ours
		cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, theirs
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true} // of its standard input
		err = p.startProcess()
	}
	if err != nil {
		ours.Close()
		return err
	}
	p.readers.Go(func() { p.read(Stdout) })
	go p.watchEnd()
	return nil
}

// openOutputTerminal returns both ends of a pseudo-terminal that passes on what is printed as it is. A program that
// prints to a terminal does so at once, or at the end of each line, where on a pipe it waits until there is enough.
func openOutputTerminal() (ours, theirs *os.File, err error) {
	if ours, theirs, err = openTerminal(); err != nil {
		return nil, nil, err
	}
	if _, err = setModes(theirs, true); err != nil {
		ours.Close()
		theirs.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}

// openTerminal returns both ends of a new pseudo-terminal of 24 lines of 200 columns: few programs print longer lines
// of their own, and line editors have room for what is typed.
func openTerminal() (ours, theirs *os.File, err error) {
	if ours, theirs, err = pty.Open(); err != nil {
		return nil, nil, fmt.Errorf("open a terminal: %w", err)
	}
	waiting, err := withDeadlines(ours)
	ours.Close()
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("open a terminal: %w", err)
	}
	if err = pty.Setsize(theirs, &pty.Winsize{Rows: 24, Cols: 200}); err != nil {
		waiting.Close()
		theirs.Close()
		return nil, nil, fmt.Errorf("set the size of a terminal: %w", err)
	}
	return waiting, theirs, nil
}

// withDeadlines returns another descriptor of a file, which is waited for without a thread and can have deadlines.
func withDeadlines(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// setModes has a terminal show only what is printed, and on request exactly that, without carriage returns. Lines are
// edited as is usual, and line ends on the screen are too, as line editors expect.
//
// Usually Ctrl-C also throws away what is on its way in both directions, after the signal: that would be now and then
// what the program prints when it gets the signal.
func setModes(terminal *os.File, exact bool) (*termios, error) {
	fd := int(terminal.Fd())
	modes, err := unix.IoctlGetTermios(fd, getModes)
	if err != nil {
		return nil, fmt.Errorf("read the modes of a terminal: %w", err)
	}
	modes.Lflag &^= unix.ECHO | unix.ECHOE | unix.ECHOK | unix.ECHONL
	modes.Lflag |= unix.NOFLSH
	modes.Iflag |= unix.IUTF8
	if exact {
		modes.Oflag &^= unix.OPOST
	}
	if err := unix.IoctlSetTermios(fd, putModes, modes); err != nil {
		return nil, fmt.Errorf("set the modes of a terminal: %w", err)
	}
	return modes, nil
}

// terminalModes returns the modes of the program's terminal, or nil. They are asked of our end, which has them also when
// the program has ended.
func (p *Process) terminalModes() *termios {
	if !p.terminal {
		return nil
	}
	conn, err := p.stdin.SyscallConn()
	if err != nil {
		return nil
	}
	var modes *termios
	_ = conn.Control(func(fd uintptr) { modes, _ = unix.IoctlGetTermios(int(fd), getModes) })
	return modes
}

// edits reports whether the program's terminal hands over whole lines, and whether Ctrl-C is a signal there.
func (p *Process) edits() (lines, signals bool) {
	modes := p.terminalModes()
	if modes == nil {
		return false, false
	}
	return modes.Lflag&unix.ICANON != 0, modes.Lflag&unix.ISIG != 0
}

// Echoes reports whether what is typed now may be seen in the program's output because it was typed: the program
// reads key by key, as line editors do, or it has turned on the echo of its terminal.
func (p *Process) Echoes() bool {
	modes := p.terminalModes()
	return modes != nil && (modes.Lflag&unix.ICANON == 0 || modes.Lflag&unix.ECHO != 0)
}

// TerminalChanged says how the modes of the program's terminal differ now from those at the beginning, such as "Ctrl-C
// does not interrupt"; it is empty where they do not, and where there is no terminal.
func (p *Process) TerminalChanged() string {
	now := p.terminalModes()
	if now == nil {
		return ""
	}
	var words []string
	changed := func(is, was bool, on, off string) {
		switch {
		case is == was:
		case is:
			words = append(words, on)
		default:
			words = append(words, off)
		}
	}
	changed(now.Lflag&unix.ECHO != 0, p.modes.Lflag&unix.ECHO != 0, "what is typed is shown", "what is typed is not shown")
	changed(now.Lflag&unix.ICANON != 0, p.modes.Lflag&unix.ICANON != 0,
		"lines are edited", "input is read key by key and no more line by line")
	changed(now.Lflag&unix.ISIG != 0, p.modes.Lflag&unix.ISIG != 0, "Ctrl-C interrupts", "Ctrl-C does not interrupt")
	changed(now.Iflag&unix.ICRNL != 0, p.modes.Iflag&unix.ICRNL != 0, "Enter ends a line", "Enter does not end a line")
	changed(now.Oflag&unix.OPOST != 0, p.modes.Oflag&unix.OPOST != 0,
		"a line end begins a new line", "a line end does not go back to the left edge")
	return strings.Join(words, ", ")
}
