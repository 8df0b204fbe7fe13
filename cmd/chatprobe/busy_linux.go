package main

import (
	"os"
	"runtime"
	"strconv"
	"strings"
)

// busy says that more threads want to run than there are processors, by far.
// A target that gets no processor is not to blame for being late.
func busy() bool {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return false
	}
	fields := strings.Fields(string(text))
	if len(fields) < 4 {
		return false
	}
	running, _, _ := strings.Cut(fields[3], "/")
	n, err := strconv.Atoi(running)
	return err == nil && n > 2*runtime.NumCPU()
}
