package sockets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What linux/inet_diag.h and linux/sock_diag.h define and x/sys/unix does not have.
const (
	sockDiagByFamily = 20

	requestLen  = 56 // struct inet_diag_req_v2
	responseLen = 72 // struct inet_diag_msg

	attributeInfo   = 2  // INET_DIAG_INFO: struct tcp_info
	attributeV6Only = 11 // INET_DIAG_SKV6ONLY: one byte
)

// request returns a request for all sockets of a family and protocol that are in one of the states (a bit each), with
// the header of its netlink message in front. The sequence number is left to the sender.
func request(family, protocol uint8, states uint32) []byte {
	b := make([]byte, unix.SizeofNlMsghdr+requestLen)
	native := binary.NativeEndian
	native.PutUint32(b[0:], uint32(len(b)))
	native.PutUint16(b[4:], sockDiagByFamily)
	native.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	r := b[unix.SizeofNlMsghdr:]
	r[0], r[1] = family, protocol
	native.PutUint32(r[4:], states)
	return b
}

// exact turns a request into one for the single socket with these two addresses, and for its struct tcp_info.
func exact(b []byte, own, other netip.AddrPort) {
	native := binary.NativeEndian
	native.PutUint16(b[6:], unix.NLM_F_REQUEST)
	r := b[unix.SizeofNlMsghdr:]
	r[2] = 1 << (attributeInfo - 1)
	binary.BigEndian.PutUint16(r[8:], own.Port())
	binary.BigEndian.PutUint16(r[10:], other.Port())
	putAddr(r[12:28], own.Addr())
	putAddr(r[28:44], other.Addr())
	native.PutUint64(r[48:], ^uint64(0)) // no cookie
}

func putAddr(b []byte, a netip.Addr) {
	if a.Is4() {
		v := a.As4()
		copy(b, v[:])
		return
	}
	v := a.As16()
	copy(b, v[:])
}

// lookup finds the end of a connection whose own address is own.
func (t *Table) lookup(own, other netip.AddrPort) (End, error) {
	family := uint8(unix.AF_INET)
	if own.Addr().Is6() {
		family = unix.AF_INET6
	}
	b := request(family, unix.IPPROTO_TCP, ^uint32(0))
	exact(b, own, other)
	var end End
	found := false
	err := t.ask(b, func(m []byte) error {
		// Where there is no such connection, the kernel offers the socket that would accept it, if there is one.
		if State(m[1]) == Listen || binary.BigEndian.Uint16(m[6:]) != other.Port() {
			return nil
		}
		end, found = decodeEnd(m), true
		return nil
	})
	switch {
	case errors.Is(err, unix.ENOENT):
		return End{}, ErrNotFound
	case err != nil:
		return End{}, fmt.Errorf("read socket table: %w", err)
	case !found:
		return End{}, ErrNotFound
	}
	return end, nil
}

// decodeEnd reads a struct inet_diag_msg and the attributes after it.
func decodeEnd(m []byte) End {
	native := binary.NativeEndian
	end := End{
		State:  State(m[1]),
		Unread: int(native.Uint32(m[56:])),
		Inode:  native.Uint32(m[68:]),
	}
	if info := attribute(m, attributeInfo); len(info) >= bytesReceived+8 {
		end.Received, end.Counted = native.Uint64(info[bytesReceived:]), true
	}
	return end.withoutFIN()
}

const bytesReceived = int(unsafe.Offsetof(unix.TCPInfo{}.Bytes_received))

// withoutFIN takes the FIN out of the numbers: it has a place in the sequence of bytes, and so the kernel counts it as
// one that has arrived and that is unread until the program has read the end of the stream.
func (e End) withoutFIN() End {
	if !e.State.endReceived() {
		return e
	}
	e.ReadEnd = e.Unread == 0
	e.Unread = max(e.Unread-1, 0)
	if e.Received > 0 {
		e.Received--
	}
	return e
}

// dump lists the sockets of one kind that wait.
func (t *Table) dump(k kind) ([]Listener, error) {
	var list []Listener
	err := t.ask(request(k.family, k.protocol, 1<<k.state), func(m []byte) error {
		addr := netip.AddrFrom4([4]byte(m[8:12]))
		if m[0] == unix.AF_INET6 {
			addr = netip.AddrFrom16([16]byte(m[8:24]))
		}
		v6only := attribute(m, attributeV6Only)
		list = append(list, Listener{
			Network: k.network,
			Addr:    netip.AddrPortFrom(addr, binary.BigEndian.Uint16(m[4:])),
			Dual:    addr == netip.IPv6Unspecified() && len(v6only) > 0 && v6only[0] == 0,
			Inode:   binary.NativeEndian.Uint32(m[68:]),
		})
		return nil
	})
	return list, err
}

// attribute returns the attribute of a type that follows a struct inet_diag_msg, or nil.
func attribute(m []byte, typ uint16) []byte {
	for a := m[responseLen:]; len(a) >= unix.SizeofRtAttr; {
		n := int(binary.NativeEndian.Uint16(a))
		if n < unix.SizeofRtAttr || n > len(a) {
			return nil
		}
		if binary.NativeEndian.Uint16(a[2:]) == typ {
			return a[unix.SizeofRtAttr:n]
		}
		a = a[min((n+3)&^3, len(a)):]
	}
	return nil
}

// ask sends one request and gives each answer, a struct inet_diag_msg with its attributes, to f; the bytes are good
// until f returns. An error that the kernel answers with is returned as a [unix.Errno]. t.mu is held.
//
// The kernel does the work inside of the sending, so the answer lies ready when it is asked for, and nothing here
// waits.
func (t *Table) ask(b []byte, f func(m []byte) error) error {
	t.seq++
	binary.NativeEndian.PutUint32(b[8:], t.seq)
	dump := binary.NativeEndian.Uint16(b[6:])&unix.NLM_F_DUMP != 0
	if _, err := retry(func() (int, error) { return unix.Write(t.fd, b) }); err != nil {
		return err
	}
	for {
		n, err := retry(func() (int, error) { return unix.Read(t.fd, t.buf) })
		if err != nil {
			return err
		}
		done, err := t.answers(t.buf[:n], f)
		if err != nil {
			return err
		}
		if done || !dump {
			return nil
		}
	}
}

// answers goes through the netlink messages of one datagram. done says that the last of a listing was among them.
func (t *Table) answers(b []byte, f func(m []byte) error) (done bool, err error) {
	native := binary.NativeEndian
	for len(b) >= unix.SizeofNlMsghdr {
		n := int(native.Uint32(b))
		if n < unix.SizeofNlMsghdr || n > len(b) {
			return false, errors.New("netlink message cut off")
		}
		body := b[unix.SizeofNlMsghdr:n]
		typ, seq := native.Uint16(b[4:]), native.Uint32(b[8:])
		b = b[min((n+3)&^3, len(b)):]
		if seq != t.seq {
			continue // the rest of a listing that was given up
		}
		switch {
		case typ == unix.NLMSG_DONE:
			return true, nil
		case typ == unix.NLMSG_ERROR && len(body) >= 4:
			if errno := int32(native.Uint32(body)); errno != 0 {
				return true, unix.Errno(-errno)
			}
		case typ == sockDiagByFamily && len(body) >= responseLen:
			if err := f(body); err != nil {
				return false, err
			}
		}
	}
	return false, nil
}

// retry calls f again when a signal came in between.
func retry(f func() (int, error)) (int, error) {
	for {
		n, err := f()
		if err != unix.EINTR {
			return n, err
		}
	}
}
