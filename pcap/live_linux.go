package pcap

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel puts packets into a ring of blocks that it shares with us. A block is
// handed over when it is full, or after some time if something is in it.
const (
	ringBlock  = 1 << 20 // bytes; a packet on the loopback interface may have 64 KiB and more
	ringBlocks = 8
	ringDelay  = 10 // milliseconds until a block is handed over that is not full
	// wakeUp is how often the end of the context is looked for, in milliseconds.
	wakeUp = 100
)

// Where things are in a block (struct tpacket_block_desc), and in a packet in it
// (struct tpacket3_hdr, then struct sockaddr_ll).
const (
	blockStatus  = 8
	blockPackets = 12
	blockFirst   = 16

	packetNext     = 0
	packetSeconds  = 4
	packetNanos    = 8
	packetCaptured = 12
	packetSize     = 16
	packetData     = 24
	packetEther    = unix.SizeofTpacket3Hdr + 2
)

// A ring is a socket that captures.
type ring struct {
	socket int
	memory []byte
}

// live captures until ctx ends.
func (a *assembler) live(ctx context.Context, index int, port uint16) error {
	r, err := openRing(index, port)
	if err != nil {
		return err
	}
	defer r.close()
	defer func() {
		if s, err := unix.GetsockoptTpacketStatsV3(r.socket, unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
			a.stats.Dropped = int(s.Drops)
		}
	}()
	for block := 0; ctx.Err() == nil; {
		b := r.memory[block*ringBlock : (block+1)*ringBlock]
		status := (*uint32)(unsafe.Pointer(&b[blockStatus]))
		if atomic.LoadUint32(status)&unix.TP_STATUS_USER == 0 {
			if a.sink.Wait != nil {
				a.sink.Wait()
			}
			if err := r.wait(); err != nil {
				return err
			}
			continue
		}
		a.block(b)
		atomic.StoreUint32(status, unix.TP_STATUS_KERNEL)
		block = (block + 1) % ringBlocks
	}
	return nil
}

// block takes the packets in a block.
func (a *assembler) block(b []byte) {
	number := binary.NativeEndian.Uint32
	at := number(b[blockFirst:])
	for range number(b[blockPackets:]) {
		h := b[at:]
		at += number(h[packetNext:])
		begin := binary.NativeEndian.Uint16(h[packetData:])
		f := frame{
			data: h[begin:][:number(h[packetCaptured:])],
			size: int(number(h[packetSize:])),
			time: time.Unix(int64(number(h[packetSeconds:])), int64(number(h[packetNanos:]))).UTC(),
		}
		a.stats.Packets++
		if !a.cooked(&f, binary.BigEndian.Uint16(h[packetEther:])) {
			a.stats.Other++
		}
	}
}

// cooked takes a packet whose link header the kernel has taken off.
func (a *assembler) cooked(f *frame, ether uint16) bool {
	header := 0
	for isVLAN(ether) {
		if len(f.data) < header+4 {
			return false
		}
		ether = binary.BigEndian.Uint16(f.data[header+2:])
		header += 4
	}
	return (ether == etherIPv4 || ether == etherIPv6) && a.internet(f, header)
}

// openRing begins to capture on the interface with that number, 0 for all, what
// goes over a port, 0 for everything.
func openRing(index int, port uint16) (r *ring, err error) {
	// It hears nothing before it is bound to an interface. Without link headers
	// (SOCK_DGRAM) all kinds of interfaces are alike.
	socket, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES):
		return nil, ErrPrivilege
	case err != nil:
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	r = &ring{socket: socket}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	code := filter(port)
	program := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	if err := unix.SetsockoptSockFprog(socket, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program); err != nil {
		return nil, fmt.Errorf("attach the filter: %w", err)
	}
	if err := unix.SetsockoptInt(socket, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3); err != nil {
		return nil, fmt.Errorf("set up the packet ring: %w", err)
	}
	const slot = 1 << 11 // packets may exceed it; the kernel only wants blocks divided evenly
	request := unix.TpacketReq3{
		Block_size: ringBlock, Block_nr: ringBlocks, Frame_size: slot, Frame_nr: ringBlock / slot * ringBlocks, Retire_blk_tov: ringDelay,
	}
	if err := unix.SetsockoptTpacketReq3(socket, unix.SOL_PACKET, unix.PACKET_RX_RING, &request); err != nil {
		return nil, fmt.Errorf("set up the packet ring: %w", err)
	}
	if r.memory, err = unix.Mmap(socket, 0, ringBlock*ringBlocks, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return nil, fmt.Errorf("map the packet ring: %w", err)
	}
	all := uint16(unix.ETH_P_ALL)<<8 | uint16(unix.ETH_P_ALL)>>8 // in network byte order
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		all = unix.ETH_P_ALL
	}
	if err := unix.Bind(socket, &unix.SockaddrLinklayer{Protocol: all, Ifindex: index}); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return r, nil
}

// wait waits for the next block, but not for long.
func (r *ring) wait() error {
	poll := []unix.PollFd{{Fd: int32(r.socket), Events: unix.POLLIN}}
	_, err := unix.Poll(poll, wakeUp)
	switch {
	case err == unix.EINTR:
		return nil
	case err != nil:
		return fmt.Errorf("wait for packets: %w", err)
	case poll[0].Revents&unix.POLLERR == 0:
		return nil
	}
	code, err := unix.GetsockoptInt(r.socket, unix.SOL_SOCKET, unix.SO_ERROR)
	switch {
	case err != nil:
		return fmt.Errorf("wait for packets: %w", err)
	case unix.Errno(code) == unix.ENETDOWN || unix.Errno(code) == unix.ENODEV:
		return fmt.Errorf("%w any more: it was switched off or removed", ErrInterface)
	case code != 0:
		return fmt.Errorf("wait for packets: %w", unix.Errno(code))
	}
	return nil
}

func (r *ring) close() {
	if r.memory != nil {
		unix.Munmap(r.memory)
	}
	unix.Close(r.socket)
}
