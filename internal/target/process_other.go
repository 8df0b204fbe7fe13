//go:build !linux

package target

import (
	"syscall"
)

// What there is on systems other than Linux: the program and, on Unix, its process group. Processes that have left
// the group are not found, and nothing ends the program when this one is killed.

func (p *Process) startChild() error {
	setGroup(p.cmd)
	return p.cmd.Start()
}

func (p *Process) waitEnd() Status {
	p.cmd.Wait()
	state := p.cmd.ProcessState
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return Status{Code: -1, Signal: ws.Signal()}
	}
	return Status{Code: state.ExitCode()}
}

func (p *Process) killAll() error {
	p.kill()
	<-p.ended
	return nil
}

func (p *Process) members() []int { return nil }

func (p *Process) reap() {}

// firstEphemeral returns 0: where the ports for connections begin is not known, so the system chooses.
func firstEphemeral() int { return 0 }

func withoutReuse(_, _ string, _ syscall.RawConn) error { return nil }

func tellKeeperOfFolder(byte, string) {}
