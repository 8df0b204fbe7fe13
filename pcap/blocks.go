package pcap

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"time"
)

// An ngFile is the new format, pcapng: a sequence of blocks, some of which are
// packets. Blocks and options that are not known are passed over. Nothing in it
// is believed: a length is not allocated, and a clock may be as fine as it
// likes. (gopacket's reader of it allocates gigabytes if a file says so, divides
// by a resolution that may be zero, and keeps 8 bits of a link type.)
type ngFile struct {
	in         *input
	big        endian
	interfaces []netInterface
	size       int // of the block that is being looked at
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

const (
	// maxInterfaces bounds what is remembered of a section.
	maxInterfaces = 4096
	// maxBlock is how much of a block with a packet is waited for before the
	// packet is handed out: the packet, and some options behind it.
	maxBlock = maxPacket + 1<<16
)

func openNg(in *input) (packets, error) {
	n := &ngFile{in: in}
	switch err := n.section(); {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("%w: it is a pcapng file that ends in its header", ErrFormat)
	case err != nil:
		return nil, fmt.Errorf("read capture: %w", err)
	}
	return n, nil
}

// next goes on to the next block that holds a packet.
func (n *ngFile) next(f *frame) error {
	for {
		if err := n.in.discard(n.size); err != nil {
			return inside(err)
		}
		n.size = 0
		head, err := n.in.peek(8)
		if err != nil {
			if len(head) == 0 {
				return err
			}
			return inside(err)
		}
		kind := n.big.uint32(head)
		if kind == blockSection {
			if err := n.section(); err != nil {
				return err
			}
			continue
		}
		length, err := blockLength(n.big.uint32(head[4:]))
		if err != nil {
			return err
		}
		switch kind {
		case blockEnhanced, blockPacket:
			return n.packet(f, kind, length)
		case blockSimple:
			return n.simplePacket(f, length)
		case blockInterface:
			err = n.networkInterface(length)
		default:
			err = n.in.discard(length)
		}
		if err != nil {
			return inside(err)
		}
	}
}

// blockLength is how long a block is, its head and tail included.
func blockLength(length uint32) (int, error) {
	if length < 12 || length%4 != 0 || int(length) < 0 { // where an int has 32 bits
		return 0, fmt.Errorf("a block of the file claims to be %d bytes long", length)
	}
	return int(length), nil
}

// head is the first size bytes of a block.
func (n *ngFile) head(size, length int) ([]byte, error) {
	if length < size {
		return nil, fmt.Errorf("a block of %d bytes is shorter than its kind can be", length)
	}
	head, err := n.in.peek(size)
	return head, inside(err)
}

// packet reads a block with a packet.
func (n *ngFile) packet(f *frame, kind uint32, length int) error {
	const before = 28 // the packet's bytes
	head, err := n.head(before, length)
	if err != nil {
		return err
	}
	id := n.big.uint32(head[8:])
	if kind == blockPacket {
		id = uint32(n.big.uint16(head[8:]))
	}
	if int64(id) >= int64(len(n.interfaces)) {
		return fmt.Errorf("it was captured on interface %d, and the file describes %d", id, len(n.interfaces))
	}
	captured, size := n.big.uint32(head[20:]), n.big.uint32(head[24:])
	ticks := uint64(n.big.uint32(head[12:]))<<32 | uint64(n.big.uint32(head[16:]))
	if f.data, err = n.data(before, captured, length); err != nil {
		return err
	}
	i := &n.interfaces[id]
	f.link, f.size, f.time = i.link, max(int(size), len(f.data)), i.at(ticks)
	return nil
}

// simplePacket reads a packet of the first interface, about which little is said.
func (n *ngFile) simplePacket(f *frame, length int) error {
	const before = 12
	head, err := n.head(before, length)
	if err != nil {
		return err
	}
	if len(n.interfaces) == 0 {
		return errors.New("it was captured on interface 0, and the file describes none")
	}
	i := &n.interfaces[0]
	size := n.big.uint32(head[8:])
	captured := size
	if i.snap > 0 {
		captured = min(captured, i.snap)
	}
	if f.data, err = n.data(before, captured, length); err != nil {
		return err
	}
	f.link, f.size, f.time = i.link, max(int(size), len(f.data)), time.Time{} // it has none
	return nil
}

// data is the bytes of a packet, which begin so many bytes after their block does.
func (n *ngFile) data(before int, captured uint32, length int) ([]byte, error) {
	const after = 4
	if captured > maxPacket || int(captured) > length-before-after {
		return nil, fmt.Errorf("it claims to be %d bytes long, in a block of %d", captured, length)
	}
	block, err := n.in.peek(min(length, maxBlock))
	if err != nil {
		return nil, inside(err)
	}
	n.size = length
	return block[before : before+int(captured)], nil
}

// at is the time that a clock shows.
func (n *netInterface) at(ticks uint64) time.Time {
	switch n.ticks { // the usual ones, without a division by a variable
	case 1e6:
		return time.Unix(int64(ticks/1e6)+n.offset, int64(ticks%1e6*1000)).UTC()
	case 1e9:
		return time.Unix(int64(ticks/1e9)+n.offset, int64(ticks%1e9)).UTC()
	}
	high, low := bits.Mul64(ticks%n.ticks, 1e9)
	nanoseconds, _ := bits.Div64(high, low, n.ticks)
	return time.Unix(int64(ticks/n.ticks)+n.offset, int64(nanoseconds)).UTC()
}

// section begins a section of the file, which describes its interfaces anew.
func (n *ngFile) section() error {
	head, err := n.in.peek(12)
	if err != nil {
		return inside(err)
	}
	n.big = endian(endian(true).uint32(head[8:]) == byteOrderMark)
	length, err := blockLength(n.big.uint32(head[4:]))
	if err != nil {
		return err
	}
	if head, err = n.head(28, length); err != nil {
		return err
	}
	if mark := n.big.uint32(head[8:]); mark != byteOrderMark {
		return fmt.Errorf("a section begins with the byte order mark %08x", mark)
	}
	if major, minor := n.big.uint16(head[12:]), n.big.uint16(head[14:]); major != 1 {
		return fmt.Errorf("a section is of pcapng version %d.%d, which cannot be read", major, minor)
	}
	n.interfaces = n.interfaces[:0]
	return inside(n.in.discard(length))
}

// networkInterface remembers an interface.
func (n *ngFile) networkInterface(length int) error {
	const before, after = 16, 4 // the options
	head, err := n.head(before+after, length)
	if err != nil {
		return err
	}
	if len(n.interfaces) == maxInterfaces {
		return fmt.Errorf("a section describes more than %d interfaces", maxInterfaces)
	}
	i := netInterface{link: uint32(n.big.uint16(head[8:])), snap: n.big.uint32(head[12:]), ticks: 1e6}
	n.in.from += before
	if err := n.options(&i, length-before-after); err != nil {
		return err
	}
	n.interfaces = append(n.interfaces, i)
	return n.in.discard(after)
}

// options reads the options of an interface, which take up left bytes.
func (n *ngFile) options(i *netInterface, left int) error {
	for left >= 4 {
		head, err := n.in.peek(4)
		if err != nil {
			return err
		}
		code, length := n.big.uint16(head), int(n.big.uint16(head[2:]))
		padded := 4 + (length+3)&^3
		if code == optionEnd || padded > left {
			break
		}
		option, err := n.in.peek(padded)
		if err != nil {
			return err
		}
		switch value := option[4:]; {
		case code == optionResolution && length == 1:
			if i.ticks = ticksPerSecond(value[0]); i.ticks == 0 {
				return fmt.Errorf("an interface has a clock of the resolution %#02x, which cannot be read", value[0])
			}
		case code == optionOffset && length == 8:
			i.offset = int64(n.big.uint64(value))
		}
		n.in.from += padded
		left -= padded
	}
	return n.in.discard(max(left, 0))
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
