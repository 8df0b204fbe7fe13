package pcap

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/gopacket/pcapgo"
)

// packets are the packets of a file, one after the other. At the end of the
// file next returns io.EOF itself, and io.ErrUnexpectedEOF if the file ends
// elsewhere than between two packets.
type packets interface {
	next() (frame, error)
}

// A frame is a packet as it was captured. Its data is valid until the next one
// is read.
type frame struct {
	link uint32 // what the data begins with, by the numbers of the file formats
	data []byte
	size int // how long the packet was on the wire; the capture may have cut it
	time time.Time
}

// maxPacket is the longest packet that is believed in: tcpdump's own limit.
const maxPacket = 1 << 18

// open finds out what kind of file it is.
func open(r io.Reader) (packets, error) {
	b := bufio.NewReaderSize(r, 1<<16)
	magic, err := b.Peek(4)
	packed := len(magic) >= 2 && magic[0] == 0x1f && magic[1] == 0x8b
	if packed {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, fmt.Errorf("%w (gzip: %w)", ErrFormat, err)
		}
		b = bufio.NewReaderSize(z, 1<<16)
		magic, err = b.Peek(4)
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("%w (gzip: %w)", ErrFormat, err)
		}
	} else if err != nil && err != io.EOF {
		return nil, fmt.Errorf("read capture: %w", err)
	}
	switch {
	case len(magic) == 0:
		return nil, fmt.Errorf("%w: it is empty", ErrFormat)
	case bytes.Equal(magic, []byte{0x0a, 0x0d, 0x0d, 0x0a}):
		return openNg(b)
	case pcapOrder(magic) != nil:
		return openPcap(b, pcapOrder(magic))
	}
	head, _ := b.Peek(16)
	return nil, fmt.Errorf("%w (pcap or pcapng): it begins with %s", ErrFormat, foundInstead(head))
}

// foundInstead names what a file begins with: text as text, all else as bytes.
func foundInstead(head []byte) string {
	for _, c := range head {
		if (c < ' ' || c > '~') && c != '\n' && c != '\r' && c != '\t' {
			return fmt.Sprintf("the bytes % x", head)
		}
	}
	return fmt.Sprintf("the text %q", head)
}

// A pcapFile is the old format: one header, then packets of one link type.
type pcapFile struct {
	r    *pcapgo.Reader
	link uint32
}

// pcapOrder is the byte order of a pcap file, by the mark it begins with.
func pcapOrder(magic []byte) binary.ByteOrder {
	switch string(magic) {
	case "\xa1\xb2\xc3\xd4", "\xa1\xb2\x3c\x4d":
		return binary.BigEndian
	case "\xd4\xc3\xb2\xa1", "\x4d\x3c\xb2\xa1":
		return binary.LittleEndian
	}
	return nil
}

func openPcap(b *bufio.Reader, order binary.ByteOrder) (packets, error) {
	const header = 24
	head, err := b.Peek(header)
	if err != nil {
		return nil, fmt.Errorf("%w: it is a pcap file of only %d bytes", ErrFormat, len(head))
	}
	// The reader keeps 8 bits of the link type; `any` alone needs 9. The upper
	// 6 bits say whether Ethernet frames have their checksum at the end.
	link := order.Uint32(head[20:]) & (1<<26 - 1)
	r, err := pcapgo.NewReader(b)
	if err != nil {
		return nil, fmt.Errorf("read capture: %w", err)
	}
	// Some writers exceed the length that their header promises.
	r.SetSnaplen(maxPacket)
	return &pcapFile{r, link}, nil
}

func (p *pcapFile) next() (frame, error) {
	data, info, err := p.r.ZeroCopyReadPacketData()
	if err == io.EOF && info.CaptureLength > 0 {
		// The file ends exactly between the header of a packet and its bytes.
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return frame{}, err
	}
	return frame{link: p.link, data: data, size: info.Length, time: info.Timestamp}, nil
}

// An ngFile is the new format: a sequence of blocks, some of which are packets.
type ngFile struct {
	r      *pcapgo.NgReader
	blocks *blocks
}

func openNg(b *bufio.Reader) (packets, error) {
	blocks := &blocks{in: b}
	r, err := pcapgo.NewNgReader(blocks, pcapgo.NgReaderOptions{WantMixedLinkType: true})
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("%w: it is a pcapng file that ends in its header", ErrFormat)
	case err != nil:
		return nil, fmt.Errorf("read capture: %w", err)
	}
	return &ngFile{r, blocks}, nil
}

func (n *ngFile) next() (frame, error) {
	data, info, err := n.r.ZeroCopyReadPacketData()
	if err != nil {
		return frame{}, err
	}
	size := max(info.Length, len(data))
	return frame{link: n.blocks.link, data: data, size: size, time: n.blocks.time}, nil
}
