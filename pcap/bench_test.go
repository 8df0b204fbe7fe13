package pcap

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

// traffic is a capture without end: the clients of some connections send
// segments of 130 bytes in turn. It is made while it is read.
type traffic struct {
	segments  int     // how many
	conns     int     // of how many connections
	displaced float64 // this share of the segments comes later
	twice     float64 // this share comes again

	sent    int
	late    [][]byte // what has been held back
	chance  *rand.Rand
	file    []byte // what has been made and not been read
	numbers []uint32
	record  []byte // the latest segment
}

const payload = 130

// next makes the next segments.
func (g *traffic) next() {
	if g.chance == nil {
		g.chance = rand.New(rand.NewPCG(1, 2))
		g.numbers = make([]uint32, g.conns)
		g.file = append(g.file, pcapFileOf(linkEthernet)...)
	}
	c := g.sent % g.conns
	if g.record == nil {
		g.record = make([]byte, 16+14+20+20+payload)
	}
	record := g.record
	binary.LittleEndian.PutUint32(record, uint32(1e9+g.sent/1000))
	binary.LittleEndian.PutUint32(record[4:], uint32(g.sent%1000*1000))
	binary.LittleEndian.PutUint32(record[8:], uint32(len(record)-16))
	binary.LittleEndian.PutUint32(record[12:], uint32(len(record)-16))
	f := record[16:]
	f[12] = 8
	ip := f[14:]
	ip[0], ip[8], ip[9] = 0x45, 64, protocolTCP
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	copy(ip[12:], []byte{10, 0, byte(c >> 8), byte(c), 10, 1, 0, 1})
	tcp := ip[20:]
	binary.BigEndian.PutUint16(tcp, 50000)
	binary.BigEndian.PutUint16(tcp[2:], 4445)
	binary.BigEndian.PutUint32(tcp[4:], g.numbers[c])
	tcp[12], tcp[13] = 5<<4, flagACK
	for i := range tcp[20:] {
		tcp[20+i] = byte('a' + (g.sent+i)%26)
	}
	g.numbers[c] += payload
	g.sent++
	switch x := g.chance.Float64(); {
	case x < g.displaced && g.sent > g.conns: // not the first of a connection
		g.late = append(g.late, bytes.Clone(record))
	case x < g.displaced+g.twice:
		g.late = append(g.late, bytes.Clone(record))
		fallthrough
	default:
		g.file = append(g.file, record...)
	}
	if len(g.late) > 20 || g.sent == g.segments {
		for i, r := range g.late {
			if i < 10 || g.sent == g.segments {
				g.file = append(g.file, r...)
			}
		}
		g.late = slices.Delete(g.late, 0, min(10, len(g.late)))
	}
}

func (g *traffic) Read(b []byte) (int, error) {
	for len(g.file) < len(b) && g.sent < g.segments {
		g.next()
	}
	if len(g.file) == 0 {
		return 0, io.EOF
	}
	n := copy(b, g.file)
	g.file = g.file[:copy(g.file, g.file[n:])]
	return n, nil
}

var kinds = []traffic{
	{conns: 1}, {conns: 200}, {conns: 200, displaced: 0.05}, {conns: 200, twice: 0.05}, {conns: 200, displaced: 0.05, twice: 0.05},
}

func (g *traffic) name() string {
	return fmt.Sprintf("conns=%d,displaced=%v,twice=%v", g.conns, g.displaced, g.twice)
}

// TestMemory: what is kept does not grow with the length of the capture.
func TestMemory(t *testing.T) {
	for _, g := range kinds {
		t.Run(g.name(), func(t *testing.T) {
			g.segments = 100_000
			name := filepath.Join(t.TempDir(), "traffic.pcap")
			g.save(t, name)
			file, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			bytes := 0
			var stats Stats
			grown := allocated(func() {
				stats, err = Read(file, Sink{Data: func(s Source, b []byte) { bytes += len(b) }})
			})
			if err != nil || bytes != g.segments*payload || stats.Missing != 0 || stats.Conflict != 0 {
				t.Errorf("%d bytes, %+v, %v", bytes, stats, err)
			}
			// Connections have their state, and the memory of displaced bytes is used again.
			if limit := 1<<20 + 8<<10*g.conns; grown > uint64(limit) {
				t.Errorf("%d bytes allocated, more than %d", grown, limit)
			}
		})
	}
}

func (g *traffic) save(t testing.TB, name string) {
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(file)
	_, err = io.CopyBuffer(w, struct{ io.Reader }{g}, make([]byte, 1<<16))
	if err != nil || w.Flush() != nil || file.Close() != nil {
		t.Fatal("cannot save", name)
	}
}

// BenchmarkRead reads 1 million segments of 130 bytes.
func BenchmarkRead(b *testing.B) {
	for _, g := range kinds {
		b.Run(g.name(), func(b *testing.B) {
			g.segments = 1_000_000
			name := filepath.Join(b.TempDir(), "traffic.pcap")
			g.save(b, name)
			info, err := os.Stat(name)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(info.Size())
			b.ReportAllocs()
			for b.Loop() {
				file, err := os.Open(name)
				if err != nil {
					b.Fatal(err)
				}
				bytes := 0
				if _, err := Read(file, Sink{Data: func(s Source, data []byte) { bytes += len(data) }}); err != nil || bytes != g.segments*payload {
					b.Fatal(bytes, err)
				}
				file.Close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*g.segments), "ns/segment")
		})
	}
}

// BenchmarkMemory reads long captures, and says how much memory was in use at most:
// 10 million messages of 200 connections, and 100,000 connections that somebody
// began to open.
func BenchmarkMemory(b *testing.B) {
	for name, file := range map[string]func() io.Reader{
		"messages": func() io.Reader {
			return &traffic{segments: 10_000_000, conns: 200, displaced: 0.05, twice: 0.05}
		},
		"half-open": func() io.Reader { return &knocking{conns: 100_000} },
	} {
		b.Run(name, func(b *testing.B) {
			peak := uint64(0)
			for b.Loop() {
				if _, err := Read(&watched{r: file(), peak: &peak}, Sink{Data: func(Source, []byte) {}}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(peak)/1e6, "MB")
		})
	}
}

// watched is a reader that looks at the memory now and then.
type watched struct {
	r     io.Reader
	peak  *uint64
	reads int
}

func (w *watched) Read(b []byte) (int, error) {
	if w.reads++; w.reads%16 == 0 {
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		*w.peak = max(*w.peak, s.Sys-s.HeapReleased)
	}
	return w.r.Read(b)
}

// knocking are SYNs of as many connections.
type knocking struct {
	conns int
	sent  int
	syn   []byte // the packet, with its header in the file
	file  []byte
}

func (k *knocking) Read(b []byte) (int, error) {
	if k.file == nil {
		k.file = pcapFileOf(linkRaw)
	}
	for len(k.file) < len(b) && k.sent < k.conns {
		if k.syn == nil {
			k.syn = rawFile(seg{from: ">", flags: "S", seq: 1})[24:]
		}
		k.sent++
		binary.BigEndian.PutUint32(k.syn[16+12:], uint32(k.sent)+11<<24) // from somebody else
		k.file = append(k.file, k.syn...)
	}
	if len(k.file) == 0 {
		return 0, io.EOF
	}
	n := copy(b, k.file)
	k.file = k.file[:copy(k.file, k.file[n:])]
	return n, nil
}
