package pcap

import "golang.org/x/sys/unix"

// What a filter of the kernel can load besides the packet, which begins with
// its network header (SKF_AD_OFF and SKF_AD_ of linux/filter.h).
const (
	loadEther  = 0xffff_f000 + 0
	loadKind   = 0xffff_f000 + 4
	loadDevice = 0xffff_f000 + 28
)

// filter is the program by which the kernel chooses packets. Loopback
// interfaces show each packet when it leaves and when it comes: the first is
// passed over. With a port, so is what is TCP or UDP of other ports.
//
// What it cannot look into is kept: IPv6 with extension headers, VLANs, and
// fragments, whose first one alone has ports.
func filter(port uint16) []unix.SockFilter {
	const (
		load     = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		loadHalf = unix.BPF_LD | unix.BPF_H | unix.BPF_ABS
		loadByte = unix.BPF_LD | unix.BPF_B | unix.BPF_ABS
		index    = unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH // 4 times the lower half of a byte
		indexed  = unix.BPF_LD | unix.BPF_H | unix.BPF_IND
		equal    = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		anyBit   = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		result   = unix.BPF_RET | unix.BPF_K

		moreOrOffset = 0x3fff // of a fragment
	)
	// Jt and Jf are how many instructions are passed over.
	drop, keep := unix.SockFilter{Code: result}, unix.SockFilter{Code: result, K: maxPacket}
	once := []unix.SockFilter{
		{Code: load, K: loadKind},
		{Code: equal, K: unix.PACKET_OUTGOING, Jf: 3},
		{Code: load, K: loadDevice},
		{Code: equal, K: unix.ARPHRD_LOOPBACK, Jf: 1},
		drop,
	}
	if port == 0 {
		return append(once, keep)
	}
	return append(once,
		unix.SockFilter{Code: load, K: loadEther},
		unix.SockFilter{Code: equal, K: etherIPv4, Jt: 2},
		unix.SockFilter{Code: equal, K: etherIPv6, Jt: 11},
		keep,
		// IPv4
		unix.SockFilter{Code: loadByte, K: 9},
		unix.SockFilter{Code: equal, K: protocolTCP, Jt: 1},
		unix.SockFilter{Code: equal, K: protocolUDP, Jf: 14},
		unix.SockFilter{Code: loadHalf, K: 6},
		unix.SockFilter{Code: anyBit, K: moreOrOffset, Jt: 13},
		unix.SockFilter{Code: index, K: 0},
		unix.SockFilter{Code: indexed, K: 0},
		unix.SockFilter{Code: equal, K: uint32(port), Jt: 10},
		unix.SockFilter{Code: indexed, K: 2},
		unix.SockFilter{Code: equal, K: uint32(port), Jt: 8, Jf: 7},
		// IPv6
		unix.SockFilter{Code: loadByte, K: 6},
		unix.SockFilter{Code: equal, K: protocolTCP, Jt: 1},
		unix.SockFilter{Code: equal, K: protocolUDP, Jf: 5},
		unix.SockFilter{Code: loadHalf, K: 40},
		unix.SockFilter{Code: equal, K: uint32(port), Jt: 3},
		unix.SockFilter{Code: loadHalf, K: 42},
		unix.SockFilter{Code: equal, K: uint32(port), Jt: 1},
		drop,
		keep,
	)
}
