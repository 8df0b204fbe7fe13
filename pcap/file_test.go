package pcap

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// An ngBuilder writes pcapng files, wrong ones too.
type ngBuilder struct {
	order binary.ByteOrder
	file  []byte
}

func (b *ngBuilder) block(kind uint32, body ...any) *ngBuilder {
	var content bytes.Buffer
	for _, part := range body {
		if s, ok := part.(string); ok {
			part = []byte(s + strings.Repeat("\x00", -len(s)&3))
		}
		if err := binary.Write(&content, b.order, part); err != nil {
			panic(err)
		}
	}
	length := uint32(content.Len() + 12)
	b.file, _ = binary.Append(b.file, b.order, []uint32{kind, length})
	b.file = append(b.file, content.Bytes()...)
	b.file, _ = binary.Append(b.file, b.order, length)
	return b
}

func (b *ngBuilder) section() *ngBuilder {
	return b.block(blockSection, uint32(byteOrderMark), uint16(1), uint16(0), int64(-1),
		uint16(4), uint16(9), "a program", uint16(0), uint16(0))
}

func (b *ngBuilder) network(link uint16, snap uint32, options ...any) *ngBuilder {
	return b.block(blockInterface, append([]any{link, uint16(0), snap}, options...)...)
}

func (b *ngBuilder) packet(id uint32, ticks uint64, data []byte) *ngBuilder {
	return b.block(blockEnhanced, id, uint32(ticks>>32), uint32(ticks), uint32(len(data)), uint32(len(data)), string(data))
}

func helloAt(number uint32, text string) []byte {
	b, _ := seg{from: ">", seq: number, data: text}.ip()
	return b
}

var orders = []binary.ByteOrder{binary.LittleEndian, binary.BigEndian}

// TestTimes reads each format in each byte order and resolution.
func TestTimes(t *testing.T) {
	micro := epoch.Truncate(time.Microsecond)
	second := epoch.Unix()
	for _, order := range orders {
		classic := func(magic uint32, fraction int) []byte {
			var b []byte
			b, _ = binary.Append(b, order, []uint32{magic, 0, 0, 0, 65535, linkRaw})
			order.PutUint16(b[4:], 2)
			order.PutUint16(b[6:], 4)
			b, _ = binary.Append(b, order, []uint32{uint32(second), uint32(fraction), uint32(len(hello())), uint32(len(hello()))})
			return append(b, hello()...)
		}
		ng := func(ticks uint64, options ...any) []byte {
			b := &ngBuilder{order: order}
			return b.section().network(linkRaw, 0, options...).packet(0, ticks, hello()).file
		}
		resolution := func(r byte) []any { return []any{uint16(9), uint16(1), string([]byte{r})} }
		eighth := epoch.Truncate(time.Second).Add(125 * time.Millisecond)
		for name, tt := range map[string]struct {
			file []byte
			want time.Time
		}{
			"pcap in microseconds":                 {classic(0xa1b2c3d4, epoch.Nanosecond()/1000), micro},
			"pcap in nanoseconds":                  {classic(0xa1b23c4d, epoch.Nanosecond()), epoch},
			"pcapng in microseconds":               {ng(uint64(micro.UnixMicro())), micro},
			"pcapng in nanoseconds":                {ng(uint64(epoch.UnixNano()), resolution(9)...), epoch},
			"pcapng in nanoseconds with an offset": {ng(uint64(epoch.UnixNano()-1e18), append(resolution(9), uint16(14), uint16(8), int64(1e9))...), epoch},
			"pcapng in seconds":                    {ng(uint64(second), resolution(0)...), epoch.Truncate(time.Second)},
			"pcapng in 2^-20":                      {ng(uint64(second)<<20|1<<17, resolution(0x80|20)...), eighth},
			"pcapng in 2^-33":                      {ng((uint64(second)-1e9)<<33|1<<30, append(resolution(0x80|33), uint16(14), uint16(8), int64(1e9))...), eighth},
			"pcapng with an offset":                {ng(uint64(micro.UnixMicro()-1e15), uint16(1), uint16(5), "hello", uint16(14), uint16(8), int64(1e9), uint16(0), uint16(0)), micro},
			"pcapng, simple packet": {(&ngBuilder{order: order}).section().network(linkRaw, 0).
				block(blockSimple, uint32(len(hello())), string(hello())).file, time.Time{}},
			"pcapng, simple packet cut": {(&ngBuilder{order: order}).section().network(linkRaw, 45).
				block(blockSimple, uint32(len(hello())+5), string(hello())).file, time.Time{}},
			"pcapng, obsolete packet": {(&ngBuilder{order: order}).section().network(linkRaw, 0).
				block(blockPacket, uint16(0), uint16(7), uint32(micro.UnixMicro()>>32), uint32(micro.UnixMicro()), uint32(len(hello())), uint32(len(hello())), string(hello())).file, micro},
		} {
			t.Run(name+" "+order.String(), func(t *testing.T) {
				var at time.Time
				var text string
				stats, err := Read(bytes.NewReader(tt.file), Sink{Data: func(s Source, b []byte) { at, text = s.Time, string(b) }})
				if err != nil || text != "hello" || stats.TCP != 1 {
					t.Fatalf("%q, %+v, %v", text, stats, err)
				}
				if !at.Equal(tt.want) || at.Location() != time.UTC {
					t.Errorf("time is %v, not %v", at, tt.want)
				}
			})
		}
	}
}

// TestBlocks reads a pcapng file that has everything in it, and each of its
// beginnings.
func TestBlocks(t *testing.T) {
	b := &ngBuilder{order: binary.BigEndian}
	b.section().block(0x0bad, "something unknown").network(linkRaw, 0).network(linkCooked2, 0, uint16(2), uint16(2), "lo")
	b.packet(0, 1, helloAt(1, "a"))
	b.block(4, "names").packet(1, 2, []byte("\x08\x00"+strings.Repeat("\x00", 18)+string(helloAt(2, "b"))))
	b.block(5, uint32(0), uint32(0), uint32(0), "statistics")
	b.order = binary.LittleEndian // another file follows, as after cat
	b.section().network(linkNull, 0).packet(0, 3, append([]byte("\x02\x00\x00\x00"), helloAt(3, "c")...))
	l, _ := listen(t, b.file)
	l.want(t, map[string]string{"1>": "abc" + up, "1<": up})
	prefixes(t, b.file)
}

// prefixes reads each beginning of a file. All that is whole must come out, and
// an error must say where it ends.
func prefixes(t *testing.T, file []byte) {
	t.Helper()
	whole, _ := listen(t, file)
	data := func(l *listener) (list []string) {
		for _, e := range l.events {
			if strings.Contains(e, `"`) {
				list = append(list, e)
			}
		}
		return list
	}
	clean := 0
	for n := range file {
		var l listener
		stats, err := Read(bytes.NewReader(file[:n]), l.sink())
		l.check(t, stats)
		if err == nil {
			clean++
		} else if !errors.Is(err, ErrFormat) && !strings.HasPrefix(err.Error(), "read capture: the file ends in the middle of packet ") {
			t.Errorf("at %d: %v", n, err)
		}
		if got, all := data(&l), data(whole); len(got) > len(all) || !slices.Equal(got, all[:len(got)]) {
			t.Errorf("at %d: %q", n, got)
		}
	}
	if blocks := 40; clean == 0 || clean > blocks {
		t.Errorf("%d beginnings of the file seem to be whole", clean)
	}
}

func TestTruncated(t *testing.T) {
	for _, name := range []string{"middle.pcap"} {
		file, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		prefixes(t, file)
	}
	file := rawFile(append(slices.Clone(opened), seg{from: ">", seq: 100, data: "abc"}, seg{from: ">", seq: 103, data: "def"})...)
	for n, want := range map[int]string{
		len(file) - 1:           "read capture: the file ends in the middle of packet 5",
		len(file) - 43:          "read capture: the file ends in the middle of packet 5", // after its header
		len(file) - 43 - 16 + 1: "read capture: the file ends in the middle of packet 5",
		len(file) - 43 - 16:     "",
		30:                      "read capture: the file ends in the middle of packet 1",
		24:                      "",
	} {
		var l listener
		stats, err := Read(bytes.NewReader(file[:n]), l.sink())
		if got := errorText(err); got != want {
			t.Errorf("at %d of %d the error is %q", n, len(file), got)
		}
		if n > 100 && l.streams["1>"] != "abc"+up {
			t.Errorf("at %d: %q", n, l.streams["1>"])
		}
		l.check(t, stats)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(file)
	z.Close()
	var l listener
	_, err := Read(bytes.NewReader(packed.Bytes()[:packed.Len()-12]), l.sink())
	if err == nil || !strings.Contains(err.Error(), "the file ends in the middle of packet") || !strings.HasPrefix(l.streams["1>"], "abc") {
		t.Errorf("compressed and cut: %v, %q", err, l.streams)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestNotACapture says what was found instead.
func TestNotACapture(t *testing.T) {
	pack := func(s string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		io.WriteString(z, s)
		z.Close()
		return b.String()
	}
	for file, want := range map[string]string{
		"":                                     "this is not a capture file: it is empty",
		"hi":                                   `this is not a capture file (pcap or pcapng): it begins with the text "hi"; tcpdump and tshark write captures with -w FILE`,
		"GET / HTTP/1.1\r\nHost: x":            `this is not a capture file (pcap or pcapng): it begins with the text "GET / HTTP/1.1\r\n"; tcpdump and tshark write captures with -w FILE`,
		"\x7fELF\x02\x01":                      "this is not a capture file (pcap or pcapng): it begins with the bytes 7f 45 4c 46 02 01",
		"\xfd7zXZ\x00\x00\x04":                 "this is not a capture file (pcap or pcapng): it begins with the bytes fd 37 7a 58 5a 00, as a file compressed by xz; unpack it first (unxz)",
		"\x28\xb5\x2f\xfd\x00\x00\xff\xff\xff": "this is not a capture file (zstd: invalid input: reserved block type encountered)",
		pack("hello"):                          `this is not a capture file (pcap or pcapng): it begins with the text "hello"; tcpdump and tshark write captures with -w FILE`,
		pack(""):                               "this is not a capture file: it is empty",
		"\x1f\x8b":                             "this is not a capture file (gzip: unexpected EOF)",
		"\x1f\x8bgarbage!":                     "this is not a capture file (gzip: gzip: invalid header)",
		"\xd4\xc3\xb2\xa1\x02":                 "this is not a capture file: it is a pcap file of only 5 bytes",
		"\x0a\x0d\x0d\x0a\x1c":                 "this is not a capture file: it is a pcapng file that ends in its header",
	} {
		_, err := Read(strings.NewReader(file), Sink{})
		if errorText(err) != want || !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", file, err)
		}
	}
	_, err := Read(iotest.ErrReader(errors.New("disk on fire")), Sink{})
	if errorText(err) != "read capture: disk on fire" || errors.Is(err, ErrFormat) {
		t.Errorf("error of the disk: %v", err)
	}
}

// TestHostileFiles: nothing is believed that a file says of itself.
func TestHostileFiles(t *testing.T) {
	for _, order := range orders {
		begin := func() *ngBuilder { return (&ngBuilder{order: order}).section() }
		lying := func(b *ngBuilder, at int, value uint32) []byte {
			order.PutUint32(b.file[len(b.file)+at:], value)
			return b.file
		}
		resolution := func(r byte) []byte {
			return begin().network(linkRaw, 0, uint16(9), uint16(1), string([]byte{r})).packet(0, 1<<63+5, hello()).file
		}
		size := -len(hello()) - 12 - 4 // to the captured length of the last packet
		size -= -len(hello()) & 3
		old := rawFile(seg{from: ">", seq: 1, data: "a"}, seg{from: ">", seq: 2, data: "b"})
		binary.LittleEndian.PutUint32(old[24+16+41+8:], 0xfffffff0)
		for name, tt := range map[string]struct {
			file []byte
			want string
		}{
			"captured length":              {lying(begin().network(linkRaw, 0).packet(0, 0, hello()), size+4, 0xfffffff0), "read capture: packet 1: it claims to be 4294967280 bytes long, in a block of 80"},
			"captured length, few":         {lying(begin().network(linkRaw, 0).packet(0, 0, hello()), size+4, 60), "read capture: packet 1: it claims to be 60 bytes long, in a block of 80"},
			"length of an interface":       {begin().network(linkRaw, 0xffffffff).packet(0, 0, hello()).file, ""},
			"simple packet":                {begin().network(linkRaw, 0).block(blockSimple, uint32(0xffffffff), string(hello())).file, "read capture: packet 1: it claims to be 4294967295 bytes long, in a block of 64"},
			"no interface":                 {begin().packet(0, 0, hello()).file, "read capture: packet 1: it was captured on interface 0, and the file describes 0"},
			"wrong interface":              {begin().network(linkRaw, 0).packet(7, 0, hello()).file, "read capture: packet 1: it was captured on interface 7, and the file describes 1"},
			"clock 2^-63":                  {resolution(0xbf), ""},
			"clock 2^-64":                  {resolution(0xc0), "read capture: packet 1: an interface has a clock of the resolution 0xc0, which cannot be read"},
			"clock 2^-127":                 {resolution(0xff), "read capture: packet 1: an interface has a clock of the resolution 0xff, which cannot be read"},
			"clock 10^-19":                 {resolution(19), ""},
			"clock 10^-64":                 {resolution(64), "read capture: packet 1: an interface has a clock of the resolution 0x40, which cannot be read"},
			"short block":                  {begin().block(blockEnhanced, uint32(0)).file, "read capture: packet 1: a block of 16 bytes is shorter than its kind can be"},
			"short interface":              {begin().block(blockInterface).file, "read capture: packet 1: a block of 12 bytes is shorter than its kind can be"},
			"block of 0":                   {lying(begin().block(99, "abcd"), -12, 0), "read capture: packet 1: a block of the file claims to be 0 bytes long"},
			"block of 4 GB":                {lying(begin().block(99, "abcd"), -12, 0xfffffffc), "read capture: the file ends in the middle of packet 1"},
			"odd block":                    {lying(begin().block(99, "abcd"), -12, 17), "read capture: packet 1: a block of the file claims to be 17 bytes long"},
			"option longer than its block": {begin().network(linkRaw, 0, uint16(9), uint16(60000), "abcd").packet(0, 0, hello()).file, ""},
			"version":                      {(&ngBuilder{order: order}).block(blockSection, uint32(byteOrderMark), uint16(3), uint16(1), int64(-1)).file, "read capture: a section is of pcapng version 3.1, which cannot be read"},
			"pcap":                         {old, "read capture: packet 2: it claims to be 4294967280 bytes long"},
		} {
			t.Run(name+" "+order.String(), func(t *testing.T) {
				grown := allocated(func() {
					_, err := Read(bytes.NewReader(tt.file), Sink{})
					if errorText(err) != tt.want {
						t.Errorf("%v", err)
					}
				})
				if grown > 1<<20 {
					t.Errorf("%d bytes allocated for a file of %d", grown, len(tt.file))
				}
			})
		}
		many := begin()
		for range maxInterfaces + 1 {
			many.network(linkRaw, 0)
		}
		if _, err := Read(bytes.NewReader(many.file), Sink{}); errorText(err) != "read capture: packet 1: a section describes more than 4096 interfaces" {
			t.Error(err)
		}
	}
}

// allocated is about how much memory f allocates.
func allocated(f func()) uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	before := sample[0].Value.Uint64()
	f()
	metrics.Read(sample)
	return sample[0].Value.Uint64() - before
}
