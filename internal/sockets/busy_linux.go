package sockets

import (
	"bytes"
	"runtime"
	"strconv"
)

// Busy says that far more threads want to run than there are processors: one that gets none is not to blame for being
// late.
func Busy() bool {
	var buf [128]byte
	text, err := readSmall("/proc/loadavg", buf[:])
	if err != nil {
		return false
	}
	fields := bytes.Fields(text) // the fourth is "running/all", as proc(5) has it
	if len(fields) < 4 {
		return false
	}
	running, _, _ := bytes.Cut(fields[3], []byte("/"))
	n, err := strconv.Atoi(string(running))
	return err == nil && n > 2*runtime.NumCPU()
}
