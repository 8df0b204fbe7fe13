//go:build !linux

package sockets

import (
	"net/netip"
	"time"
)

// Table is an open view of the kernel's socket table. On this operating system there is none.
type Table struct{}

// Open returns [ErrUnsupported].
func Open() (*Table, error) { return nil, ErrUnsupported }

// Close does nothing and returns nil.
func (t *Table) Close() error { return nil }

// Peer returns [ErrUnsupported].
func (t *Table) Peer(local, remote netip.AddrPort) (End, error) { return End{}, ErrUnsupported }

// Listeners returns [ErrUnsupported].
func (t *Table) Listeners() ([]Listener, error) { return nil, ErrUnsupported }

// Listening returns [ErrUnsupported].
func (t *Table) Listening(pids []int) ([]Listener, error) { return nil, ErrUnsupported }

// Owned returns nil: who owns a socket is not known on this operating system.
func Owned(list []Listener, pids []int) []Listener { return nil }

// Tree returns pid alone: the descendants of a process are not known on this operating system.
func Tree(pid int) []int { return []int{pid} }

// Children returns nil: the children of a process are not known on this operating system.
func Children(pid int) []int { return nil }

// Processes returns nil: the processes of this operating system are not known.
func Processes() []int { return nil }

// CPUTime returns [ErrUnsupported].
func CPUTime(pid int) (time.Duration, error) { return 0, ErrUnsupported }

// Lingering returns nil: the connections that the system keeps are not known on this operating system.
func Lingering() []int { return nil }

// Busy returns false: how many threads want to run is not known on this operating system.
func Busy() bool { return false }
