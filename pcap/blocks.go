package pcap

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"time"
)

// blocks stands between a pcapng file and gopacket's reader of it, which trusts
// what it reads: it allocates as much as a length in the file says, divides by a
// clock resolution that may be zero, rounds times of clocks that count in powers
// of two, and keeps 8 bits of a link type. So blocks checks the head of each
// block, drops those that hold no packet, and hands sections and interfaces on
// without their options, having read what matters itself.
//
// A single Read never crosses the end of a block. The reader asks for more only
// when it has used up what it got; hence link and time are those of the packet
// that the reader has just returned.
type blocks struct {
	in         *bufio.Reader
	order      binary.ByteOrder
	interfaces []netInterface
	link       uint32    // of the packet in the current block
	time       time.Time // of that packet

	ready   []byte   // bytes made here that come next
	left    int      // bytes of the current block that come then, as they are in the file
	scratch [28]byte // what ready is made in
}

// A netInterface is what a section says of one of its interfaces.
type netInterface struct {
	link   uint32
	snap   uint32 // longest packet, 0 for no limit
	ticks  uint64 // of its clock, in a second
	offset int64  // seconds to be added
}

// Types of blocks, and options of an interface.
const (
	blockInterface = 1
	blockPacket    = 2 // obsolete
	blockSimple    = 3
	blockEnhanced  = 6
	blockSection   = 0x0a0d0d0a

	optionEnd        = 0
	optionResolution = 9
	optionOffset     = 14

	byteOrderMark = 0x1a2b3c4d
)

// maxInterfaces bounds what is remembered of a section.
const maxInterfaces = 4096

// Read implements io.Reader.
func (b *blocks) Read(p []byte) (int, error) {
	if len(b.ready) == 0 && b.left == 0 {
		if err := b.next(); err != nil {
			return 0, err
		}
	}
	if len(b.ready) > 0 {
		n := copy(p, b.ready)
		b.ready = b.ready[n:]
		return n, nil
	}
	n, err := b.in.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, inside(err)
}

// inside is an error met inside a block, where a file must not end.
func inside(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// next goes on to the next block that matters.
func (b *blocks) next() error {
	for len(b.ready) == 0 && b.left == 0 {
		head, err := b.in.Peek(12)
		switch {
		case len(head) == 0:
			return err
		case len(head) < 12:
			return inside(err)
		}
		if binary.BigEndian.Uint32(head) == blockSection {
			b.order = binary.LittleEndian
			if binary.BigEndian.Uint32(head[8:]) == byteOrderMark {
				b.order = binary.BigEndian
			}
		}
		kind, length := b.order.Uint32(head), b.order.Uint32(head[4:])
		if length < 12 || length%4 != 0 {
			return fmt.Errorf("a block of the file claims to be %d bytes long", length)
		}
		if err := b.block(kind, int(length)); err != nil {
			return err
		}
	}
	return nil
}

// block deals with one block. length counts its head and tail as well.
func (b *blocks) block(kind uint32, length int) error {
	switch kind {
	case blockSection:
		return b.section(length)
	case blockInterface:
		return b.networkInterface(length)
	case blockEnhanced, blockPacket:
		head, err := b.head(28, length)
		if err != nil {
			return err
		}
		id := b.order.Uint32(head[8:])
		if kind == blockPacket {
			id = uint32(b.order.Uint16(head[8:]))
		}
		ticks := uint64(b.order.Uint32(head[12:]))<<32 | uint64(b.order.Uint32(head[16:]))
		return b.packet(id, b.order.Uint32(head[20:]), 32, length, ticks)
	case blockSimple:
		head, err := b.head(12, length)
		if err != nil {
			return err
		}
		size := b.order.Uint32(head[8:])
		if len(b.interfaces) > 0 && b.interfaces[0].snap > 0 {
			size = min(size, b.interfaces[0].snap)
		}
		err = b.packet(0, size, 16, length, 0)
		b.time = time.Time{} // these have none
		return err
	}
	_, err := b.in.Discard(length)
	return inside(err)
}

// head is the first n bytes of a block.
func (b *blocks) head(n, length int) ([]byte, error) {
	if length < n {
		return nil, fmt.Errorf("a block of %d bytes is shorter than its kind can be", length)
	}
	head, err := b.in.Peek(n)
	return head, inside(err)
}

// packet passes a block with a packet of size bytes on.
func (b *blocks) packet(id, size uint32, around, length int, ticks uint64) error {
	if int64(id) >= int64(len(b.interfaces)) {
		return fmt.Errorf("it was captured on interface %d, and the file describes %d", id, len(b.interfaces))
	}
	if size > maxPacket || int(size) > length-around {
		return fmt.Errorf("it claims to be %d bytes long, in a block of %d", size, length)
	}
	n := &b.interfaces[id]
	b.link, b.time = n.link, n.at(ticks)
	b.left = length
	return nil
}

// at is the time that a clock shows.
func (n *netInterface) at(ticks uint64) time.Time {
	high, low := bits.Mul64(ticks%n.ticks, 1e9)
	nanoseconds, _ := bits.Div64(high, low, n.ticks)
	return time.Unix(int64(ticks/n.ticks)+n.offset, int64(nanoseconds)).UTC()
}

// section begins a section of the file, which describes its interfaces anew.
func (b *blocks) section(length int) error {
	head, err := b.head(28, length)
	if err != nil {
		return err
	}
	if mark := b.order.Uint32(head[8:]); mark != byteOrderMark {
		return fmt.Errorf("a section begins with the byte order mark %08x", mark)
	}
	major, minor := b.order.Uint16(head[12:]), b.order.Uint16(head[14:])
	if major != 1 {
		return fmt.Errorf("a section is of pcapng version %d.%d, which cannot be read", major, minor)
	}
	b.interfaces = b.interfaces[:0]
	// Written again: without options, of version 1.0, of unknown length.
	out := b.scratch[:28]
	clear(out)
	b.order.PutUint32(out, blockSection)
	b.order.PutUint32(out[4:], 28)
	b.order.PutUint32(out[8:], byteOrderMark)
	b.order.PutUint16(out[12:], 1)
	b.order.PutUint64(out[16:], 1<<64-1)
	b.order.PutUint32(out[24:], 28)
	b.ready = out
	_, err = b.in.Discard(length)
	return inside(err)
}

// networkInterface remembers an interface.
func (b *blocks) networkInterface(length int) error {
	head, err := b.head(16, length)
	if err != nil {
		return err
	}
	if len(b.interfaces) == maxInterfaces {
		return fmt.Errorf("a section describes more than %d interfaces", maxInterfaces)
	}
	n := netInterface{link: uint32(b.order.Uint16(head[8:])), snap: b.order.Uint32(head[12:]), ticks: 1e6}
	if _, err := b.in.Discard(16); err != nil {
		return inside(err)
	}
	if err := b.options(&n, length-16-4); err != nil {
		return err
	}
	if _, err := b.in.Discard(4); err != nil {
		return inside(err)
	}
	b.interfaces = append(b.interfaces, n)
	// Written again: without options, with a length that may be allocated.
	out := b.scratch[:20]
	clear(out)
	b.order.PutUint32(out, blockInterface)
	b.order.PutUint32(out[4:], 20)
	b.order.PutUint16(out[8:], uint16(n.link))
	b.order.PutUint32(out[12:], min(n.snap, maxPacket))
	b.order.PutUint32(out[16:], 20)
	b.ready = out
	return nil
}

// options reads the options of an interface, which take up left bytes.
func (b *blocks) options(n *netInterface, left int) error {
	for left >= 4 {
		head, err := b.in.Peek(4)
		if err != nil {
			return inside(err)
		}
		code, length := b.order.Uint16(head), int(b.order.Uint16(head[2:]))
		padded := 4 + (length+3)&^3
		if code == optionEnd || padded > left {
			break
		}
		switch {
		case code == optionResolution && length == 1:
			value, err := b.in.Peek(5)
			if err != nil {
				return inside(err)
			}
			if n.ticks = ticksPerSecond(value[4]); n.ticks == 0 {
				return fmt.Errorf("an interface has a clock of the resolution %#02x, which cannot be read", value[4])
			}
		case code == optionOffset && length == 8:
			value, err := b.in.Peek(12)
			if err != nil {
				return inside(err)
			}
			n.offset = int64(b.order.Uint64(value[4:]))
		}
		if _, err := b.in.Discard(padded); err != nil {
			return inside(err)
		}
		left -= padded
	}
	_, err := b.in.Discard(max(left, 0))
	return inside(err)
}

// ticksPerSecond is how fine a clock is: a power of ten, or of two if the
// highest bit is set. It is 0 if it is finer than can be counted.
func ticksPerSecond(resolution byte) uint64 {
	exponent := resolution & 0x7f
	if resolution&0x80 != 0 {
		return 1 << exponent
	}
	if exponent > 19 {
		return 0
	}
	ticks := uint64(1)
	for range exponent {
		ticks *= 10
	}
	return ticks
}
