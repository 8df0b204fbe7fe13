package pcap

import (
	"bytes"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chatprobe/chatprobe/internal/golden"
)

// A plan decides by chance, the same way for the same seed.
type plan struct{ *rand.Rand }

func newPlan(seed uint64) plan { return plan{rand.New(rand.NewPCG(seed, 7))} }

// text is n bytes that differ from place to place.
func (p plan) text(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(p.IntN(26))
	}
	return string(b)
}

// window is how far a segment may be displaced.
const window = 12

// shuffled is a connection whose client says n bytes and whose server repeats
// them in capitals, in segments of any size, some of them displaced, sent twice,
// or sent again with other boundaries.
func shuffled(p plan, n int) []seg {
	text := p.text(n)
	first, answer := p.Uint32(), p.Uint32()
	if p.IntN(2) == 0 {
		first = -p.Uint32N(uint32(n) + 1) // the numbers wrap
	}
	var segs []seg
	for at := 0; at < n; {
		size := min(1+p.IntN(40), n-at)
		again := max(0, at-p.IntN(20)*p.IntN(2))
		segs = append(segs,
			seg{from: ">", seq: first + uint32(again), ack: answer + uint32(at), data: text[again : at+size]},
			seg{from: "<", seq: answer + uint32(at), ack: first + uint32(at+size), data: strings.ToUpper(text[at : at+size])})
		at += size
	}
	segs = append(segs, seg{from: ">", flags: "F", seq: first + uint32(n), ack: answer}, seg{from: "<", flags: "F", seq: answer + uint32(n), ack: first})
	for i := 0; i < len(segs); i++ {
		switch to := i + p.IntN(window); {
		case p.IntN(10) == 0:
			segs = slices.Insert(segs, min(to, len(segs)), segs[i])
		case p.IntN(5) == 0 && to < len(segs):
			s := segs[i]
			segs = slices.Insert(slices.Delete(segs, i, i+1), to, s)
		}
	}
	return append([]seg{{from: ">", flags: "S", seq: first - 1}, {from: "<", flags: "S", seq: answer - 1, ack: first}}, segs...)
}

// law: however a stream was cut, displaced and repeated, it comes out whole, and
// nothing is missing or contradicted.
func law(t *testing.T, seed uint64, n int) {
	t.Helper()
	p := newPlan(seed)
	text := newPlan(seed).text(n)
	l, stats := listen(t, rawFile(shuffled(p, n)...))
	l.want(t, map[string]string{"1>": text + "|closed", "1<": strings.ToUpper(text) + "|closed"})
	if stats.Missing != 0 || stats.Conflict != 0 {
		t.Errorf("counted %+v", stats)
	}
	if t.Failed() {
		t.Fatalf("seed %d, %d bytes", seed, n)
	}
}

func TestLaw(t *testing.T) {
	for seed := range uint64(300) {
		law(t, seed, int(seed)*2)
	}
}

func FuzzLaw(f *testing.F) {
	f.Add(uint64(1), uint16(100))
	f.Fuzz(func(t *testing.T, seed uint64, n uint16) { law(t, seed, int(n)%3000) })
}

// TestLosses: what is lost is told, and the rest comes out, in its place.
func TestLosses(t *testing.T) {
	for seed := range uint64(200) {
		p := newPlan(seed)
		segs := shuffled(p, 500)
		kept := segs[:2:2]
		for _, s := range segs[2:] {
			if p.IntN(8) > 0 {
				kept = append(kept, s)
			}
		}
		text := newPlan(seed).text(500)
		var l listener
		sink := l.sink()
		at := map[bool]int{}
		sink.Data = func(s Source, b []byte) {
			want := text
			if !s.FromClient {
				want = strings.ToUpper(text)
			}
			if i := at[s.FromClient]; i+len(b) > len(want) || want[i:i+len(b)] != string(b) {
				t.Errorf("seed %d: at %d there is %q", seed, i, b)
			}
			at[s.FromClient] += len(b)
		}
		sink.Gap = func(s Source, n int) { at[s.FromClient] += n }
		if _, err := Read(bytes.NewReader(rawFile(kept...)), sink); err != nil {
			t.Fatal(err)
		}
		if at[true] > 500 || at[false] > 500 {
			t.Errorf("seed %d: %v of 500 bytes", seed, at)
		}
	}
}

// FuzzRead reads anything at all. It must not panic, and what it keeps must not
// grow with what the bytes claim.
func FuzzRead(f *testing.F) {
	names := append(golden.Glob(f, "testdata/*.pcap*"), golden.Glob(f, "testdata/chat/*.pcap*")...)
	for _, name := range names {
		file, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file[:min(len(file), 4000)])
	}
	f.Add(rawFile(shuffled(newPlan(1), 200)...))
	f.Fuzz(func(t *testing.T, file []byte) {
		if packing(file) != "" {
			t.Skip() // what it holds may be long; see TestBombs
		}
		var l listener
		var stats Stats
		grown := allocated(func() { stats, _ = Read(bytes.NewReader(file), l.sink()) })
		l.check(t, stats)
		if grown > 8<<20+200*uint64(len(file)) {
			t.Errorf("%d bytes allocated for a file of %d", grown, len(file))
		}
	})
}

// FuzzFrames reads packets of any bytes, behind two kinds of link headers. What
// is quick for one of them must hear the same as what is thorough for the other.
func FuzzFrames(f *testing.F) {
	for _, name := range []string{"framed-room.pcap", "framed-ipv6.pcap", "lines-fragments.pcap", "framed-cut.pcap", "datagram-room.pcap"} {
		var seed []byte
		for _, frame := range frames(f, "testdata/chat/"+name)[:40] {
			packet := frame.data[ipAt-2:]
			seed = append(append(seed, byte(len(packet)), byte(len(packet)>>8)), packet...)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var plain, tagged []frame
		for len(b) > 2 {
			n := min(int(b[0])|int(b[1])<<8, len(b)-2)
			packet := string(b[2 : 2+n])
			b = b[2+n:]
			plain = append(plain, frame{data: []byte(macs + packet)})
			tagged = append(tagged, frame{data: []byte(macs + "\x81\x00\x00\x05" + packet)})
		}
		want, wantStats := listen(t, pcapFileOf(linkEthernet, tagged...))
		got, stats := listen(t, pcapFileOf(linkEthernet, plain...))
		if !slices.Equal(got.events, want.events) || got.streams["udp"] != want.streams["udp"] || stats != wantStats {
			t.Errorf("%q, %+v, not %q, %+v", got.events, stats, want.events, wantStats)
		}
	})
}
