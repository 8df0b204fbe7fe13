//go:build !linux && !darwin

package target

import (
	"errors"
	"os"
	"os/exec"
)

type termios struct{}

func (p *Process) launchOnTerminal(*exec.Cmd) error {
	return errors.New("on this operating system it cannot be given a terminal: use --no-pty")
}

func openOutputTerminal() (ours, theirs *os.File, err error) { return nil, nil, errors.ErrUnsupported }

// lineLimit is not needed: there is no terminal.
const lineLimit = 4095

func (p *Process) edits() (lines, signals bool) { return false, false }

// Echoes returns false: there is no terminal.
func (p *Process) Echoes() bool { return false }

// TerminalChanged returns "": there is no terminal.
func (p *Process) TerminalChanged() string { return "" }
