package pcap

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"flag"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// The tests here are about faults of gopacket 1.1 that its users would have, and
// ours must not.

// NgReader allocates what a block claims to hold.
func TestLengthsAreNotAllocated(t *testing.T) {
	const claim = 0x7ffffff0
	packet := (&ngBuilder{order: binary.LittleEndian}).section().network(linkRaw, 0).packet(0, 0, hello()).file
	at := len(packet) - 4 - len(hello()) - 3 - 8 // the captured length, and the original one
	binary.LittleEndian.PutUint32(packet[at:], claim)
	binary.LittleEndian.PutUint32(packet[at+4:], claim)
	option := (&ngBuilder{order: binary.LittleEndian}).section().network(linkRaw, 0, uint16(2), uint16(0xffff), "lo").packet(0, 0, hello()).file
	head := (&ngBuilder{order: binary.LittleEndian}).section().file
	for name, file := range map[string][]byte{
		"a packet": packet,
		"a packet in a block as long": slices.Concat(head, (&ngBuilder{order: binary.LittleEndian}).network(linkRaw, claim).file,
			[]byte("\x06\x00\x00\x00\xf0\xff\xff\x7f"), make([]byte, 12), []byte("\xd0\xff\xff\x7f\xd0\xff\xff\x7f"), make([]byte, 100)),
		"an option":             option,
		"a block of a new kind": slices.Concat(head, []byte("\x99\x00\x00\x00\xf0\xff\xff\x7f"), make([]byte, 100)),
		"an interface":          slices.Concat(head, []byte("\x01\x00\x00\x00\xf0\xff\xff\x7f\x01\x00\x00\x00"), make([]byte, 100)),
		"a section":             slices.Concat(head[:4], []byte("\xf0\xff\xff\x7f"), head[8:], make([]byte, 100)),
	} {
		t.Run(name, func(t *testing.T) {
			if grown := allocated(func() { Read(bytes.NewReader(file), Sink{}) }); grown > 1<<20 {
				t.Errorf("%d bytes are allocated for a file of %d", grown, len(file))
			}
		})
	}
}

// NgReader takes a resolution of 2^-n for 10^-n and the reverse, and divides by zero.
func TestResolutions(t *testing.T) {
	for resolution, want := range map[byte]uint64{0: 1, 3: 1e3, 6: 1e6, 9: 1e9, 19: 1e19, 0x80: 1, 0x83: 8, 0x80 | 20: 1 << 20, 0xbf: 1 << 63, 20: 0, 0xc0: 0, 0xff: 0} {
		if got := ticksPerSecond(resolution); got != want {
			t.Errorf("%#02x is %d ticks a second, not %d", resolution, got, want)
		}
	}
	for resolution, ticks := range map[byte]uint64{6: 1_700_000_000_250_000, 9: 1_700_000_000_250_000_000, 3: 1_700_000_000_250, 0x82: 1_700_000_000<<2 | 1} {
		file := (&ngBuilder{order: binary.LittleEndian}).section().network(linkRaw, 0, uint16(9), uint16(1), string([]byte{resolution})).packet(0, ticks, hello()).file
		var at time.Time
		Read(bytes.NewReader(file), Sink{Data: func(s Source, _ []byte) { at = s.Time }})
		if want := time.UnixMilli(1_700_000_000_250); !at.Equal(want) {
			t.Errorf("with resolution %#02x the time is %v, not %v", resolution, at, want)
		}
	}
}

// What `tcpdump -i any` writes today has a link type of 9 bits, of which pcapgo
// keeps 8.
func TestCookedV2IsRead(t *testing.T) {
	for _, name := range []string{"any.pcap", "two.pcapng", "chat/framed-any.pcap", "chat/direct-ipv6.pcap"} {
		file, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if _, stats := listen(t, file); stats.TCP+stats.UDP == 0 || stats.Other > 0 {
			t.Errorf("%s: %+v", name, stats)
		}
	}
}

// reassembly and tcpassembly define flags for the whole program.
func TestNoFlags(t *testing.T) {
	flag.VisitAll(func(f *flag.Flag) {
		if strings.HasPrefix(f.Name, "assembly") {
			t.Errorf("the program has got a flag -%s", f.Name)
		}
	})
	// Only this package imports gopacket, and no part of it that does so.
	filepath.WalkDir("..", func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) != ".go" {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return nil // it may be one that a test is about
		}
		for _, i := range file.Imports {
			path := strings.Trim(i.Path.Value, `"`)
			ours := filepath.Dir(name) == filepath.Join("..", "pcap")
			if strings.Contains(path, "google/gopacket") && (!ours || strings.Contains(path, "assembl")) {
				t.Errorf("%s imports %s", name, path)
			}
		}
		return nil
	})
}

// reassembly panics on streams that are cut and out of order.
func TestCutAndOutOfOrder(t *testing.T) {
	for seed := range uint64(500) {
		p := newPlan(seed)
		segs := shuffled(p, 300)
		for i := range segs {
			if p.IntN(3) == 0 {
				segs[i].cut = p.IntN(len(segs[i].data) + 21)
			}
		}
		p.Shuffle(len(segs), func(i, j int) { segs[i], segs[j] = segs[j], segs[i] })
		listen(t, rawFile(segs...)) // which checks what a sink is promised
	}
}

// A small file may hold much. It is read to its end, in little memory.
func TestBombs(t *testing.T) {
	const size = 32 << 20
	whole := func() io.Reader { // packets of no bytes
		return io.MultiReader(bytes.NewReader(pcapFileOf(linkEthernet)), io.LimitReader(zeros{}, size))
	}
	for name, pack := range map[string]func(io.Writer) io.WriteCloser{
		"gzip": func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"zstd": func(w io.Writer) io.WriteCloser {
			z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(maxWindow))
			if err != nil {
				t.Fatal(err)
			}
			return z
		},
	} {
		t.Run(name, func(t *testing.T) {
			var file bytes.Buffer
			z := pack(&file)
			if _, err := io.Copy(z, whole()); err != nil {
				t.Fatal(err)
			}
			z.Close()
			var stats Stats
			var err error
			grown := allocated(func() { stats, err = Read(&file, Sink{}) })
			if err != nil || stats.Packets != size/16 {
				t.Errorf("%+v, %v", stats, err)
			}
			if grown > 3*maxWindow {
				t.Errorf("%d bytes are allocated", grown)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// A file may want more memory than anybody has agreed to.
func TestZstdWindow(t *testing.T) {
	var file bytes.Buffer
	z, err := zstd.NewWriter(&file, zstd.WithWindowSize(4*maxWindow), zstd.WithSingleSegment(false))
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(z, io.LimitReader(zeros{}, 5*maxWindow))
	z.Close()
	_, err = Read(&file, Sink{})
	if want := "read capture: it takes much memory to unpack; unpack it first (zstd -d --long=31)"; errorText(err) != want {
		t.Error(err)
	}
}
