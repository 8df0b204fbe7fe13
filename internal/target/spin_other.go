//go:build !linux

package target

import (
	"context"
	"runtime"
)

// Spins returns "": how busy a program is cannot be seen on this operating system.
func (p *Process) Spins(context.Context) string { return "" }

// Lacks says what cannot be had on this operating system; empty where nothing is missing.
func Lacks() string {
	left := "processes that leave its group are not ended"
	if runtime.GOOS == "windows" {
		left = "it has no terminal, and processes that it has started are not ended"
	}
	return "on this operating system a program is ready when a connection to it succeeds, so it must listen on a port that " +
		"it is told or that it prints; whether it spins is not seen; " + left
}
