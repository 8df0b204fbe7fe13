package sockets

import (
	"io"
	"runtime"
	"testing"
)

func TestBusy(t *testing.T) {
	for range 3 * runtime.NumCPU() {
		_, commands := shell(t)
		io.WriteString(commands, "while :; do :; done\n")
	}
	until(t, "three threads for each processor are many", Busy)
}
