package pcap

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chatprobe/chatprobe/internal/golden"
)

// A damaged capture is made from a real one.
type damaged struct {
	file, from string
	damage     func(plan, []frame) []frame
	write      func([]frame) []byte
	want       outcome
}

// An outcome is how what is heard in a damaged capture compares with the original.
type outcome int

const (
	same    outcome = iota // not a byte differs
	differs                // the same, and Stats counts packets that disagree
	gaps                   // the same, except for gaps
	later                  // only the ends of the streams, or nothing
	double                 // everything twice
)

func nothing(_ plan, list []frame) []frame { return list }

func constant(header string) func(bool) string { return func(bool) string { return header } }

// ether is an Ethernet header with tags before the kind of address.
func ether(tags string) func(bool) string {
	return func(v6 bool) string {
		kind := "\x08\x00"
		if v6 {
			kind = "\x86\xdd"
		}
		return macs + tags + kind
	}
}

var damages = []damaged{
	{"framed-displaced.pcap", "framed-room.pcap", displaced(0.2, 8), old(linkEthernet), same},
	{"framed-twice.pcap", "framed-room.pcap", twice, old(linkEthernet), same},
	{"framed-overlap.pcap", "framed-room.pcap", again(unchanged), old(linkEthernet), same},
	{"framed-conflict.pcap", "framed-room.pcap", again(changed), old(linkEthernet), differs},
	{"framed-holes.pcap", "framed-room.pcap", lost(0.05), old(linkEthernet), gaps},
	{"framed-wrap.pcap", "framed-room.pcap", shifted(near2To32), old(linkEthernet), same},
	{"framed-middle.pcap", "framed-room.pcap", from(0.3), old(linkEthernet), later},
	{"framed-cut.pcap", "framed-room.pcap", cutAt(84), old(linkEthernet), gaps},
	{"framed-reuse.pcap", "framed-ipv6.pcap", reused, old(linkEthernet), double},
	{"framed-crossing.pcap", "framed-room.pcap", crossing, old(linkEthernet), same},
	{"framed-probed.pcap", "framed-room.pcap", each(probed), old(linkEthernet), same},
	{"framed-offload.pcap", "framed-room.pcap", each(offloaded), old(linkEthernet), same},
	{"framed-vlan.pcap", "framed-ipv6.pcap", relinked(ether("\x81\x00\x00\x05")), old(linkEthernet), same},
	{"framed-null.pcap", "framed-room.pcap", relinked(constant("\x02\x00\x00\x00")), old(linkNull), same},
	{"framed-raw.pcap", "framed-ipv6.pcap", relinked(constant("")), old(linkRaw), same},
	{"framed-extensions.pcap", "framed-ipv6.pcap", each(extended), old(linkEthernet), same},
	{"framed-fragments6.pcap", "framed-ipv6.pcap", each(fragmentedFrame), old(linkEthernet), same},
	{"framed-big.pcap", "framed-room.pcap", nothing, oldIn(binary.BigEndian, false, linkEthernet), same},
	{"framed-big.pcapng", "framed-room.pcap", nothing, sections(binary.BigEndian), same},

	{"lines-displaced.pcap", "lines-room.pcap", both(displaced(0.1, 6), twice), old(linkEthernet), same},
	{"lines-overlap.pcap", "lines-room.pcap", both(again(unchanged), displaced(0.05, 10)), old(linkEthernet), same},
	{"lines-conflict.pcap", "lines-room.pcap", again(changed), old(linkEthernet), differs},
	{"lines-holes.pcap", "lines-room.pcap", lost(0.1), old(linkEthernet), gaps},
	{"lines-wrap.pcap", "lines-room.pcap", both(shifted(near2To32), displaced(0.1, 4)), old(linkEthernet), same},
	{"lines-cut.pcap", "lines-room.pcap", cutAt(80), old(linkEthernet), gaps},
	{"lines-one-way.pcap", "lines-room.pcap", fromClients(54307), old(linkEthernet), gaps},
	{"lines-no-acks.pcap", "lines-room.pcap", without(func(_ plan, f *frame) bool { return f.flags() == flagACK && len(f.body()) == 0 }), old(linkEthernet), same},
	{"lines-loop.pcap", "lines-room.pcap", relinked(constant("\x00\x00\x00\x02")), old(linkLoop), same},
	{"lines-qinq.pcap", "lines-room.pcap", relinked(ether("\x88\xa8\x00\x05\x81\x00\x00\x06")), old(linkEthernet), same},
	{"lines-options.pcap", "lines-room.pcap", each(optioned), old(linkEthernet), same},
	{"lines-fragments.pcap", "lines-room.pcap", each(fragmentedFrame), old(linkEthernet), same},
	{"lines-big-ns.pcap", "lines-room.pcap", nothing, oldIn(binary.BigEndian, true, linkEthernet), same},
	{"lines-sections.pcapng", "lines-room.pcap", nothing, sections(binary.LittleEndian), same},

	{"direct-displaced.pcap", "direct-pieces.pcap", displaced(0.05, 12), old(linkEthernet), same},
	{"direct-padded.pcap", "direct-room.pcap", each(padded), old(linkEthernet), same},
	{"direct-simple.pcapng", "direct-room.pcap", nothing, simple, same},
	{"direct-holes.pcap", "direct-room.pcap", lost(0.03), old(linkEthernet), gaps},

	{"datagram-twice.pcap", "datagram-room.pcap", reused, old(linkEthernet), double},
	{"datagram-ipv4.pcap", "datagram-room.pcap", relinked(constant("")), old(228), same},
	{"datagram-fragments.pcap", "datagram-texts.pcap", each(fragmentedFrame), old(linkEthernet), same},
	{"datagram-qinq.pcap", "datagram-room.pcap", relinked(ether("\x91\x00\x00\x05\x81\x00\x00\x06")), old(linkEthernet), same},
}

// oldIn writes a pcap file.
func oldIn(order binary.ByteOrder, nano bool, link uint32) func([]frame) []byte {
	return func(list []frame) []byte {
		magic, unit := uint32(0xa1b2c3d4), 1000
		if nano {
			magic, unit = 0xa1b23c4d, 1
		}
		b, _ := binary.Append(nil, order, []uint32{magic, 0, 0, 0, maxPacket, link})
		order.PutUint16(b[4:], 2)
		order.PutUint16(b[6:], 4)
		for _, f := range list {
			b, _ = binary.Append(b, order, []uint32{uint32(f.time.Unix()), uint32(f.time.Nanosecond() / unit), uint32(len(f.data)), uint32(f.size)})
			b = append(b, f.data...)
		}
		return b
	}
}

func old(link uint32) func([]frame) []byte { return oldIn(binary.LittleEndian, false, link) }

// sections writes a pcapng file with all that may be in one: several sections and
// interfaces with different link types and clocks, options, blocks of other kinds
// and of kinds that nobody knows.
func sections(order binary.ByteOrder) func([]frame) []byte {
	return func(list []frame) []byte {
		b := &ngBuilder{order: order}
		text := func(code uint16, s string) []any { return []any{code, uint16(len(s)), s} }
		end := []any{uint16(0), uint16(0)}
		comment := append(text(1, "nothing in particular"), end...)
		for i, f := range list {
			if i%200 == 0 {
				b.section()
				b.network(linkEthernet, maxPacket, slices.Concat(text(2, "eth0"), text(9, "\x06"), end)...)
				b.network(linkRaw, 0, slices.Concat(text(2, "tun0"), text(9, "\x09"), end)...)
				b.network(linkNull, 0, slices.Concat(text(9, "\x94"), []any{uint16(14), uint16(8), int64(1e9)}, end)...)
			}
			switch i % 50 {
			case 10:
				b.block(0x0bad, "of a kind that nobody knows")
			case 20: // names of hosts
				b.block(4, slices.Concat(text(1, "\x7f\x00\x00\x01localhost\x00"), end)...)
			case 30: // statistics of an interface
				b.block(5, slices.Concat([]any{uint32(1), uint32(0), uint32(0)}, comment)...)
			case 40: // a program's own
				b.block(0x0bad|1<<31, uint32(32473), "whatever")
			}
			data, ticks, id := f.data, uint64(f.time.UnixMicro()), uint32(i%3)
			switch id {
			case 1:
				data, ticks = data[ipAt:], uint64(f.time.UnixNano())
			case 2:
				kind := "\x02\x00\x00\x00"
				if order == binary.BigEndian {
					kind = "\x00\x00\x00\x02"
				}
				data = append([]byte(kind), data[ipAt:]...)
				ticks = uint64(f.time.Unix()-1e9)<<20 | uint64(f.time.Nanosecond())<<20/1e9
			}
			body := []any{id, uint32(ticks >> 32), uint32(ticks), uint32(len(data)), uint32(len(data)), string(data)}
			if i%4 == 0 {
				body = append(body, comment...)
			}
			b.block(blockEnhanced, body...)
		}
		return b.file
	}
}

// simple writes a pcapng file whose packets have no times.
func simple(list []frame) []byte {
	b := (&ngBuilder{order: binary.LittleEndian}).section().network(linkEthernet, maxPacket)
	for _, f := range list {
		b.block(blockSimple, uint32(len(f.data)), string(f.data))
	}
	return b.file
}

// TestDamaged makes captures in testdata/chat from others there, and hears the
// same in them. With -update it writes them anew.
func TestDamaged(t *testing.T) {
	for _, d := range damages {
		t.Run(d.file, func(t *testing.T) {
			seed := fnv.New64a()
			seed.Write([]byte(d.file))
			file := d.write(d.damage(newPlan(seed.Sum64()), frames(t, "testdata/chat/"+d.from)))
			name := "testdata/chat/" + d.file
			if there, err := os.ReadFile(name); err != nil || !bytes.Equal(there, file) {
				if flag.Lookup("update").Value.String() != "true" {
					t.Fatalf("%s is not what is made from %s (-update writes it anew): %v", d.file, d.from, err)
				}
				golden.Check(t, name, string(file))
			}
			original, err := os.ReadFile("testdata/chat/" + d.from)
			if err != nil {
				t.Fatal(err)
			}
			whole, _ := heard(t, original)
			got, stats := heard(t, file)
			d.want.check(t, whole, got, stats)
		})
	}
}

// heard is what is said in a capture: by connection and direction, in the order of
// its ports; several connections of the same ports one after the other.
func heard(t *testing.T, file []byte) (map[string]string, Stats) {
	t.Helper()
	l, stats := listen(t, file)
	m := map[string]string{}
	for i, c := range l.conns {
		for _, way := range []string{">", "<"} {
			m[fmt.Sprint(c.Client, way)] += l.streams[fmt.Sprint(i+1, way)]
		}
	}
	if udp := l.streams["udp"]; udp != "" {
		m["udp"] = udp
	}
	return m, stats
}

func (o outcome) check(t *testing.T, whole, got map[string]string, stats Stats) {
	t.Helper()
	if len(whole) == 0 {
		t.Fatal("nothing is said in the original")
	}
	if (stats.Missing > 0) != (o == gaps) && o != later || (stats.Conflict > 0) != (o == differs) {
		t.Errorf("counted %+v", stats)
	}
	if o != later && !slices.Equal(slices.Sorted(maps.Keys(whole)), slices.Sorted(maps.Keys(got))) {
		t.Errorf("there are %d streams, not %d", len(got), len(whole))
	}
	for key, text := range got {
		want := whole[key]
		switch o {
		case double:
			want += want
		case later:
			if !strings.HasSuffix(want, text) {
				t.Errorf("%s: %.300q is not the end of %.300q", key, text, want)
			}
			continue
		case gaps:
			if !fits(text, want) {
				t.Errorf("%s: %.300q is not, with gaps, %.300q", key, text, want)
			}
			continue
		}
		if text != want {
			t.Errorf("%s is\n%.300q, not\n%.300q", key, text, want)
		}
	}
}

var missing = regexp.MustCompile(`\[(\d+) missing\]`)

// fits says whether a text is another one with gaps of the right size.
func fits(text, whole string) bool {
	text, whole = spoken(text), spoken(whole)
	for text != "" {
		gap := missing.FindStringSubmatchIndex(text)
		if gap == nil {
			return strings.HasPrefix(whole, text)
		}
		n := 0
		fmt.Sscan(text[gap[2]:gap[3]], &n)
		// A FIN that nobody saw counts as a byte.
		if !strings.HasPrefix(whole, text[:gap[0]]) || n > len(whole)-gap[0]+1 {
			return false
		}
		text, whole = text[gap[1]:], whole[min(gap[0]+n, len(whole)):]
	}
	return true
}

// spoken is a stream without its end.
func spoken(stream string) string {
	if i := strings.LastIndexByte(stream, '|'); i >= 0 && endings.MatchString(stream[i+1:]) {
		return stream[:i]
	}
	return stream
}

var endings = regexp.MustCompile(fmt.Sprintf("^(%v|%v|%v|%v)$", Closed, Reset, CaptureUp, Unseen))

// TestList holds the list of captures against the captures that there are.
func TestList(t *testing.T) {
	readme, err := os.ReadFile("testdata/README.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| (`[^|]*) \\| [^|]+ \\|").FindAllStringSubmatch(string(readme), -1) {
		for name := range strings.SplitSeq(m[1], ", ") {
			listed[strings.Trim(name, "`")] = true
		}
	}
	total := int64(0)
	for _, pattern := range []string{"*.pcap*", "chat/*"} {
		names, _ := filepath.Glob("testdata/" + pattern)
		for _, name := range names {
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			total += info.Size()
			short := strings.TrimPrefix(filepath.ToSlash(name), "testdata/")
			if !listed[short] {
				t.Errorf("README.md does not say what %s is for", short)
			}
			delete(listed, short)
		}
	}
	for name := range listed {
		t.Errorf("README.md speaks of %s, which is not there", name)
	}
	if total > 3<<20 {
		t.Errorf("the captures have %d bytes", total)
	}
}
