package sockets

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Table is an open view of the kernel's socket table. It keeps one netlink socket; where the kernel or a sandbox
// refuses that, it reads /proc/net instead, which is slower by some orders of magnitude and knows no [End.Received].
//
// A Table is safe for concurrent use; lookups take turns. It must be closed.
type Table struct {
	mu     sync.Mutex
	fd     int // the netlink socket; -1: read /proc/net
	closed bool
	seq    uint32
	buf    []byte
}

// Open opens the table. It fails only when neither netlink nor /proc/net can be read.
func Open() (*Table, error) {
	t := &Table{fd: -1, buf: make([]byte, 32<<10)}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_SOCK_DIAG)
	if err == nil {
		t.fd = fd
		// A kernel that lacks the module answers a lookup with "no such entry", which would pass for "no such
		// socket". A listing has no such double meaning, so it is tried once.
		if err = t.ask(request(unix.AF_INET, unix.IPPROTO_TCP, 1<<Listen), func([]byte) error { return nil }); err == nil {
			return t, nil
		}
		unix.Close(fd)
		t.fd = -1
	}
	if _, perr := os.Stat("/proc/net/tcp"); perr != nil {
		return nil, fmt.Errorf("open socket table: %w; and %w", err, perr)
	}
	return t, nil
}

// Close releases the table. It is idempotent; lookups after it return [os.ErrClosed].
func (t *Table) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil
	}
	t.closed = true
	if t.fd < 0 {
		return nil
	}
	return unix.Close(t.fd)
}

// Peer looks up the other end of a connection of this program: local and remote are its own addresses as
// [net.Conn]'s LocalAddr and RemoteAddr give them. It finds IPv4 connections also where the other program holds them
// on an IPv6 socket. It returns [ErrNotFound] when there is no such end on this machine.
func (t *Table) Peer(local, remote netip.AddrPort) (End, error) {
	// The other end's local address is our remote one.
	us := netip.AddrPortFrom(local.Addr().Unmap(), local.Port())
	it := netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())
	if us.Addr().Is4() != it.Addr().Is4() || !us.IsValid() || !it.IsValid() {
		return End{}, fmt.Errorf("look up the peer of %v at %v: not the two ends of a connection", local, remote)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return End{}, fmt.Errorf("read socket table: %w", os.ErrClosed)
	}
	if t.fd < 0 {
		return procPeer(it, us)
	}
	// One question is enough for a dual-stack server too: the kernel files a connection of IPv4 under its IPv4
	// addresses, whatever the family of the socket.
	return t.lookup(it, us)
}

// Listeners returns every listening TCP socket and bound UDP socket of the machine (of this network namespace),
// without asking which process owns it: PID is 0.
func (t *Table) Listeners() ([]Listener, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, fmt.Errorf("read socket table: %w", os.ErrClosed)
	}
	var all []Listener
	for _, kind := range kinds {
		var list []Listener
		err := errors.ErrUnsupported
		if t.fd >= 0 {
			list, err = t.dump(kind)
		}
		if err != nil { // one module, such as that for UDP, may be missing where the other is there
			if list, err = procListeners(kind); err != nil {
				return nil, err
			}
		}
		all = append(all, list...)
	}
	return all, nil
}

// Listening is [Listening] on a table that is open already.
func (t *Table) Listening(pids []int) ([]Listener, error) {
	all, err := t.Listeners()
	if err != nil {
		return nil, err
	}
	return Owned(all, pids), nil
}

// Owned returns those of the sockets in a list that one of the processes has open, with its PID filled in, each once.
func Owned(list []Listener, pids []int) []Listener {
	if len(list) == 0 {
		return nil
	}
	byInode := make(map[uint32]Listener, len(list))
	for _, l := range list {
		byInode[l.Inode] = l
	}
	var owned []Listener
	for _, pid := range pids {
		for _, inode := range socketInodes(pid) {
			if l, ok := byInode[inode]; ok {
				delete(byInode, inode)
				l.PID = pid
				owned = append(owned, l)
			}
		}
	}
	return owned
}

// kind is one part of the table, which netlink and /proc/net both keep apart.
type kind struct {
	network  string
	family   uint8
	protocol uint8
	state    State // of the sockets that wait
	file     string
}

var kinds = []kind{
	{"tcp", unix.AF_INET, unix.IPPROTO_TCP, Listen, "/proc/net/tcp"},
	{"tcp", unix.AF_INET6, unix.IPPROTO_TCP, Listen, "/proc/net/tcp6"},
	{"udp", unix.AF_INET, unix.IPPROTO_UDP, Closed, "/proc/net/udp"},
	{"udp", unix.AF_INET6, unix.IPPROTO_UDP, Closed, "/proc/net/udp6"},
}
