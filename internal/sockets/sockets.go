// Package sockets reads the kernel's table of sockets: what a program on this machine listens on, and whether it has
// read what was sent to it.
//
// A probe that wants to know whether a server has taken a message can wait and hope, or it can look. On Linux the
// kernel tells anybody, without privileges, how many bytes lie unread at each end of each TCP connection. Given the
// two addresses of the probe's own connection, [Table.Peer] looks up the other end, the server's:
//
//	table, err := sockets.Open()
//	...
//	defer table.Close()
//	conn.Write(message)
//	sent += uint64(len(message))
//	for {
//		end, err := table.Peer(local, remote) // a few microseconds
//		if err != nil {
//			break // the server's end is gone, or it is on another machine
//		}
//		if end.HasRead(sent) {
//			break
//		}
//		time.Sleep(100 * time.Microsecond)
//	}
//
// The same table says when a server is ready, without the connection that a simple server would take for its first
// client: its process tree ([Tree]) has a listening socket ([Listening]).
//
// All this is Linux. Elsewhere everything compiles and answers [ErrUnsupported].
package sockets

import (
	"errors"
	"net/netip"
)

var (
	// ErrUnsupported is returned by every function of this package on an operating system other than Linux.
	ErrUnsupported = errors.New("the socket table cannot be read on this operating system")

	// ErrNotFound is returned by [Table.Peer] when this machine has no such end of a connection: the program has
	// closed it and all is said, it was reset, or the connection leads to another machine or into another network
	// namespace (a container).
	ErrNotFound = errors.New("no such socket")
)

// State is the state of one end of a TCP connection, numbered as Linux numbers it.
type State uint8

// The states of TCP. What they say of a server's end, seen from a client:
//
//   - [Established]: neither side has closed.
//   - [CloseWait]: the client has closed, the server has not; when [End.ReadEnd] is set, it has at least noticed.
//   - [LastAck], [Closing]: both have closed.
//   - [FinWait1], [FinWait2], [TimeWait]: the server has closed first.
const (
	Established State = 1 + iota
	SynSent
	SynReceived
	FinWait1
	FinWait2
	TimeWait
	Closed
	CloseWait
	LastAck
	Listen
	Closing
	NewSynReceived // a connection half made, which has no socket of its own yet
)

// String returns the name that netstat and /proc use, such as CLOSE_WAIT.
func (s State) String() string {
	names := [...]string{
		"UNKNOWN", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE",
		"CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV",
	}
	if int(s) >= len(names) {
		return names[0]
	}
	return names[s]
}

// endReceived reports whether the other side's FIN has come in, in which case the kernel counts it as one byte.
func (s State) endReceived() bool {
	return s == CloseWait || s == LastAck || s == Closing
}

// End is one end of a TCP connection: the state of a socket at the moment it was looked at.
type End struct {
	// State is the state of the connection as this end sees it.
	State State

	// Unread is the number of bytes that have arrived and that the program has not read.
	Unread int

	// Received is the number of bytes that have arrived at this end since the connection was made. What a client has
	// just written may still be on its way, on a busy machine on loopback too, so Unread == 0 alone does not mean that
	// all has been read: see [End.HasRead]. It is known only where Counted is set.
	Received uint64

	// Counted says that Received is known: with netlink, and not in TIME_WAIT.
	Counted bool

	// ReadEnd says that the program has read the end of the stream: it knows that the other side has closed. It is
	// true in CLOSE_WAIT, LAST_ACK and CLOSING only.
	ReadEnd bool

	// Inode identifies the socket among the open files of its program. It is 0 while no program owns the socket: the
	// connection is made but not accepted yet, or the program has closed it and the kernel says the last words.
	Inode uint32
}

// HasRead reports whether the program has read all of the given number of bytes, which is what the other side has sent
// since the connection was made. Where Received is not known, it can be true too early by the time that the last bytes
// are on their way.
func (e End) HasRead(sent uint64) bool {
	return e.Unread == 0 && (e.Received >= sent || !e.Counted)
}

// Listener is a socket that waits for connections or for datagrams.
type Listener struct {
	Network string         // "tcp", listening; or "udp", bound and not connected
	Addr    netip.AddrPort // as bound: 0.0.0.0 and :: stand for every address of the machine
	Dual    bool           // bound to ::, and IPv4 clients are known to be served too
	Inode   uint32         // identifies the socket; several processes may share it
	PID     int            // a process that has it open; 0 where no owner was asked for
}

// Listening returns the listening TCP sockets and the bound UDP sockets that belong to the given processes, which it
// finds by looking through their open files. A socket shared by several of them, as a server that forks shares its
// own, is named once, with the first of them in the order given. Processes that have ended or belong to another user
// contribute nothing. It is safe for concurrent use, and takes well under a millisecond for a few processes.
func Listening(pids []int) ([]Listener, error) {
	t, err := Open()
	if err != nil {
		return nil, err
	}
	defer t.Close()
	return t.Listening(pids)
}
