package sockets

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// entry is one line of /proc/net/tcp, tcp6, udp or udp6.
type entry struct {
	own, other netip.AddrPort
	state      State
	unread     int
	inode      uint32
}

// procPeer does what lookup does, by reading through /proc/net/tcp and tcp6.
func procPeer(own, other netip.AddrPort) (End, error) {
	found := ErrNotFound
	var end End
	for _, k := range kinds[:2] {
		err := readEntries(k.file, func(e entry) bool {
			if unmap(e.own) != own || unmap(e.other) != other || e.state == Listen {
				return true
			}
			end, found = End{State: e.state, Unread: e.unread, Inode: e.inode}.withoutFIN(), nil
			return false
		})
		if err != nil || found == nil {
			return end, err
		}
	}
	return End{}, found
}

// procListeners does what dump does, by reading /proc/net. Whether a socket serves IPv4 and IPv6 is not told there.
func procListeners(k kind) ([]Listener, error) {
	var list []Listener
	err := readEntries(k.file, func(e entry) bool {
		if e.state == k.state {
			list = append(list, Listener{Network: k.network, Addr: e.own, Inode: e.inode})
		}
		return true
	})
	return list, err
}

// readEntries gives each line of a file to f until f returns false. A file that is not there, as on a machine without
// IPv6, is empty.
func readEntries(name string, f func(entry) bool) error {
	file, err := os.Open(name)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read socket table: %w", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Scan() // the heading
	for lines.Scan() {
		if e, ok := parseEntry(lines.Text()); ok && !f(e) {
			return nil
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read socket table: %w", err)
	}
	return nil
}

// parseEntry reads a line such as
//
//	0: 0100007F:9C41 0100007F:A3C2 01 00000000:00000005 00:00000000 00000000  1000  0 12345 …
//
// number, own address, other address, state, bytes to send and unread, timer, retransmissions, user, timeout, inode.
func parseEntry(line string) (entry, bool) {
	f := strings.Fields(line)
	if len(f) < 10 {
		return entry{}, false
	}
	own, ok1 := parseAddr(f[1])
	other, ok2 := parseAddr(f[2])
	state, err1 := strconv.ParseUint(f[3], 16, 8)
	_, queue, ok3 := strings.Cut(f[4], ":")
	unread, err2 := strconv.ParseUint(queue, 16, 32)
	inode, err3 := strconv.ParseUint(f[9], 10, 32)
	if !ok1 || !ok2 || !ok3 || err1 != nil || err2 != nil || err3 != nil {
		return entry{}, false
	}
	return entry{own, other, State(state), int(unread), uint32(inode)}, true
}

// parseAddr reads an address as /proc/net writes it: words of 32 bits in hexadecimal, each in the byte order of the
// machine, a colon, and the port.
func parseAddr(s string) (netip.AddrPort, bool) {
	host, port, _ := strings.Cut(s, ":")
	b, err1 := hex.DecodeString(host)
	p, err2 := strconv.ParseUint(port, 16, 16)
	if err1 != nil || err2 != nil {
		return netip.AddrPort{}, false
	}
	for w := b; len(w) >= 4; w = w[4:] {
		binary.NativeEndian.PutUint32(w, binary.BigEndian.Uint32(w))
	}
	addr, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(addr, uint16(p)), ok
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// socketInodes returns the inodes of the sockets that a process has open, none when it cannot be looked into.
func socketInodes(pid int) []uint32 {
	dir, err := os.Open("/proc/" + strconv.Itoa(pid) + "/fd")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var inodes []uint32
	var buf [64]byte
	for _, name := range names {
		n, err := unix.Readlinkat(int(dir.Fd()), name, buf[:])
		if err != nil {
			continue
		}
		number, ok := strings.CutPrefix(string(buf[:n]), "socket:[")
		if !ok {
			continue
		}
		inode, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 32)
		if err == nil {
			inodes = append(inodes, uint32(inode))
		}
	}
	return inodes
}
