package target

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

type termios = unix.Termios

// launchOnTerminal starts the program on a pseudo-terminal of its own, and begins to watch it.
func (p *Process) launchOnTerminal(cmd *exec.Cmd) error {
	master, slave, err := openTerminal()
	if err != nil {
		return err
	}
	defer slave.Close()
	if p.modes, err = withoutEcho(int(slave.Fd())); err == nil {
		p.terminal, p.cmd, p.stdin, p.pipes[0] = true, cmd, master, master
		cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
		cmd.SysProcAttr = &syscall.SysProcAttr{Setctty: true} // of its standard input
		err = p.startProcess()
	}
	if err != nil {
		master.Close()
		return err
	}
	p.readers.Go(func() { p.read(Stdout) })
	go p.watchEnd()
	return nil
}

// openOutputTerminal returns both ends of a pseudo-terminal that passes on what is printed as it is. A program that
// prints to a terminal does so at once, or at the end of each line, where on a pipe it waits until there is enough.
func openOutputTerminal() (ours, theirs *os.File, err error) {
	master, slave, err := openTerminal()
	if err != nil {
		return nil, nil, err
	}
	modes, err := withoutEcho(int(slave.Fd()))
	if err == nil {
		modes.Oflag &^= unix.OPOST
		err = unix.IoctlSetTermios(int(slave.Fd()), unix.TCSETS, modes)
	}
	if err != nil {
		master.Close()
		slave.Close()
		return nil, nil, err
	}
	return master, slave, nil
}

// openTerminal returns both ends of a new pseudo-terminal of 24 lines of 200 columns. Ours can be waited for without a
// thread, and has deadlines.
func openTerminal() (ours, theirs *os.File, err error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open a terminal: %w", err)
	}
	ours = os.NewFile(uintptr(fd), "/dev/ptmx")
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 200})
	}
	if err == nil {
		theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		ours.Close()
		return nil, nil, fmt.Errorf("open a terminal: %w", err)
	}
	return ours, theirs, nil
}

// withoutEcho has a terminal show only what is printed.
func withoutEcho(fd int) (*unix.Termios, error) {
	modes, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, err
	}
	modes.Lflag &^= unix.ECHO | unix.ECHOE | unix.ECHOK | unix.ECHONL
	return modes, unix.IoctlSetTermios(fd, unix.TCSETS, modes)
}

// terminalModes returns the modes of the program's terminal, or nil.
func (p *Process) terminalModes() *unix.Termios {
	if !p.terminal {
		return nil
	}
	conn, err := p.stdin.SyscallConn()
	if err != nil {
		return nil
	}
	var modes *unix.Termios
	_ = conn.Control(func(fd uintptr) { modes, _ = unix.IoctlGetTermios(int(fd), unix.TCGETS) })
	return modes
}

// isCanonical reports whether the terminal hands over whole lines.
func (p *Process) isCanonical() bool {
	modes := p.terminalModes()
	return modes != nil && modes.Lflag&unix.ICANON != 0
}

// Echoes reports whether what is typed now will be seen in the program's output because it was typed: the program
// reads key by key, as line editors do, or it has turned on the echo of its terminal.
func (p *Process) Echoes() bool {
	modes := p.terminalModes()
	return modes != nil && (modes.Lflag&unix.ICANON == 0 || modes.Lflag&unix.ECHO != 0)
}

// TerminalChanged says how the modes of the program's terminal differ now from those at the beginning, such as "lines
// are not edited"; it is empty where they do not, and where there is no terminal.
func (p *Process) TerminalChanged() string {
	modes := p.terminalModes()
	if modes == nil {
		return ""
	}
	var words []string
	changed := func(now, before uint32, bit uint32, on, off string) {
		switch {
		case now&bit == before&bit:
		case now&bit != 0:
			words = append(words, on)
		default:
			words = append(words, off)
		}
	}
	changed(modes.Lflag, p.modes.Lflag, unix.ECHO, "what is typed is shown", "what is typed is not shown")
	changed(modes.Lflag, p.modes.Lflag, unix.ICANON, "lines are edited", "input is read key by key and no more line by line")
	changed(modes.Lflag, p.modes.Lflag, unix.ISIG, "Ctrl-C interrupts", "Ctrl-C does not interrupt")
	changed(modes.Iflag, p.modes.Iflag, unix.ICRNL, "Enter ends a line", "Enter does not end a line")
	changed(modes.Oflag, p.modes.Oflag, unix.OPOST, "a line end begins a new line", "a line end does not go back to the left edge")
	return strings.Join(words, ", ")
}
