package pcap

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// packets are the packets of a file, one after the other. At the end of the
// file next returns io.EOF itself, and io.ErrUnexpectedEOF if the file ends
// elsewhere than between two packets.
type packets interface {
	next(*frame) error
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

// An endian is a byte order; true is the one with the big end first.
type endian bool

func (e endian) uint16(b []byte) uint16 {
	if e {
		return binary.BigEndian.Uint16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

func (e endian) uint32(b []byte) uint32 {
	if e {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

func (e endian) uint64(b []byte) uint64 {
	if e {
		return binary.BigEndian.Uint64(b)
	}
	return binary.LittleEndian.Uint64(b)
}

// open finds out what kind of file it is.
func open(r io.Reader, wait func()) (packets, error) {
	in := newInput(r, wait)
	magic, err := in.peek(4)
	if pack := packing(magic); pack != "" {
		in, err = unpack(in, pack)
		if err = inside(err); err == nil {
			magic, err = in.peek(4)
		}
		switch {
		case errors.Is(err, zstd.ErrWindowSizeExceeded):
			return nil, errors.New("read capture: it takes much memory to unpack; unpack it first (zstd -d --long=31)")
		case err != nil && err != io.EOF:
			return nil, fmt.Errorf("%w (%s: %w)", ErrFormat, pack, err)
		}
	} else if err != nil && err != io.EOF {
		return nil, fmt.Errorf("read capture: %w", err)
	}
	switch kind, big, nano := pcapKind(magic); {
	case len(magic) == 0:
		return nil, fmt.Errorf("%w: it is empty", ErrFormat)
	case string(magic) == "\x0a\x0d\x0d\x0a":
		return openNg(in)
	case kind:
		return openPcap(in, big, nano)
	}
	head := in.buf[in.from:min(in.from+16, in.to)] // more may take its time
	return nil, fmt.Errorf("%w (pcap or pcapng): it begins with %s", ErrFormat, foundInstead(head))
}

// packing is how a file is compressed that begins with some bytes, if it is.
func packing(magic []byte) string {
	switch {
	case bytes.HasPrefix(magic, []byte("\x1f\x8b")):
		return "gzip"
	case string(magic) == "\x28\xb5\x2f\xfd":
		return "zstd"
	}
	return ""
}

// maxWindow is how far back a file that is compressed by zstd may refer. It is
// what every reader should support; more is only written if asked for.
const maxWindow = 8 << 20

// unpack is what a compressed file holds.
func unpack(in *input, pack string) (*input, error) {
	if pack == "gzip" {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		return newInput(z, nil), nil
	}
	// With one decoder it runs where it is read from, and leaves nothing behind.
	z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	return newInput(z, nil), nil
}

// otherFormats are files that are mistaken for captures, or hold them, by their
// first bytes.
var otherFormats = []struct{ magic, name string }{
	{"BZh", "a file compressed by bzip2; unpack it first (bunzip2)"},
	{"\xfd7zXZ\x00", "a file compressed by xz; unpack it first (unxz)"},
	{"\x04\x22\x4d\x18", "a file compressed by lz4; unpack it first (unlz4)"},
	{"PK\x03\x04", "a zip archive; unpack it first"},
	{"\x34\xcd\xb2\xa1", "a pcap file in a variant of old Linux kernels; editcap -F pcap makes an ordinary one of it"},
	{"\xa1\xb2\xcd\x34", "a pcap file in a variant of old Linux kernels; editcap -F pcap makes an ordinary one of it"},
	{"snoop\x00\x00\x00", "a capture of Solaris snoop; editcap -F pcap makes a pcap file of it"},
}

// foundInstead names what a file begins with: text as text, all else as bytes.
func foundInstead(head []byte) string {
	for _, o := range otherFormats {
		if strings.HasPrefix(string(head), o.magic) {
			return fmt.Sprintf("the bytes % x, as %s", o.magic, o.name)
		}
	}
	for _, c := range head {
		if (c < ' ' || c > '~') && c != '\n' && c != '\r' && c != '\t' {
			return fmt.Sprintf("the bytes % x", head)
		}
	}
	return fmt.Sprintf("the text %q; tcpdump and tshark write captures with -w FILE", head)
}

// A pcapFile is the old format: one header, then packets of one link type.
type pcapFile struct {
	in    *input
	big   endian
	scale uint32 // nanoseconds in a unit of its clock
	link  uint32
	size  int // of the packet that is being looked at, with its header
}

// pcapKind says whether a file that begins with magic is one, and how it was written.
func pcapKind(magic []byte) (ok bool, big endian, nano bool) {
	switch string(magic) {
	case "\xa1\xb2\xc3\xd4":
		return true, true, false
	case "\xa1\xb2\x3c\x4d":
		return true, true, true
	case "\xd4\xc3\xb2\xa1":
		return true, false, false
	case "\x4d\x3c\xb2\xa1":
		return true, false, true
	}
	return false, false, false
}

func openPcap(in *input, big endian, nano bool) (packets, error) {
	const header = 24
	head, err := in.peek(header)
	switch {
	case err == io.EOF:
		return nil, fmt.Errorf("%w: it is a pcap file of only %d bytes", ErrFormat, len(head))
	case err != nil:
		return nil, fmt.Errorf("read capture: %w", err)
	}
	if major, minor := big.uint16(head[4:]), big.uint16(head[6:]); major != 2 || minor != 4 {
		return nil, fmt.Errorf("read capture: it is of pcap version %d.%d, which cannot be read", major, minor)
	}
	// The upper 6 bits say whether Ethernet frames have their checksum at the end.
	p := &pcapFile{in: in, big: big, scale: 1000, link: big.uint32(head[20:]) & (1<<26 - 1), size: header}
	if nano {
		p.scale = 1
	}
	return p, nil
}

func (p *pcapFile) next(f *frame) error {
	const header = 16
	in := p.in
	in.from += p.size
	p.size = 0
	head, err := in.peek(header)
	if err != nil {
		if len(head) == 0 {
			return err
		}
		return inside(err)
	}
	captured := p.big.uint32(head[8:])
	// Some writers exceed the length that their header promises.
	if captured > maxPacket {
		return fmt.Errorf("it claims to be %d bytes long", captured)
	}
	whole, err := in.peek(header + int(captured))
	if err != nil {
		return inside(err)
	}
	f.link = p.link
	f.data = whole[header:]
	f.size = max(int(p.big.uint32(whole[12:])), len(f.data))
	f.time = time.Unix(int64(p.big.uint32(whole)), int64(p.big.uint32(whole[4:]))*int64(p.scale)).UTC()
	p.size = len(whole)
	return nil
}
