//go:build unix && !linux

package target

import (
	"os/exec"
	"syscall"
)

func setGroup(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil { // with a terminal it leads a session, and so a group
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	}
}

func (p *Process) terminate() { syscall.Kill(-p.PID(), syscall.SIGTERM) }

func (p *Process) kill() { syscall.Kill(-p.PID(), syscall.SIGKILL) }
