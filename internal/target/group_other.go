//go:build !unix

package target

import "os/exec"

func setGroup(*exec.Cmd) {}

// terminate does nothing: a program cannot be asked to end. The end of its input may tell it.
func (p *Process) terminate() {}

func (p *Process) kill() { p.cmd.Process.Kill() }
