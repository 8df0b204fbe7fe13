package target

import (
	"fmt"
	"math"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// firstEphemeral returns the first of the ports that the system gives to connections.
func firstEphemeral() int {
	low := math.MaxUint16
	if b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		fmt.Sscan(string(b), &low)
	}
	return min(low, 32_768)
}

// withoutReuse undoes what package net does for every listener: it sets SO_REUSEADDR.
func withoutReuse(_, _ string, c syscall.RawConn) error {
	var err error
	cerr := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 0) })
	if cerr != nil {
		return cerr
	}
	return err
}
