package draft_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/chatprobe/chatprobe/internal/decode"
	"github.com/chatprobe/chatprobe/internal/draft"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/pcap"
)

// BenchmarkCrowd is a hundred clients, each of whom is announced to all others
// and says something that they hear.
func BenchmarkCrowd(b *testing.B) {
	k := newTape()
	const base = 40000
	var there []int
	for i := range 100 {
		name := fmt.Sprintf("user%c%c", 'a'+i/26, 'a'+i%26)
		k.opens(base + i)
		k.says(base+i, frame(name, ""))
		k.hears(frame("server", name+" has joined"), there...)
		k.says(base+i, frame(name, "I am "+name))
		k.hears(frame(name, "I am "+name), there...)
		there = append(there, base+i)
	}
	capture := k.capture(b)
	all := suites(b)
	var codecs []*wire.Codec
	for _, s := range all {
		list, err := decode.Codecs(s.Protocol, nil)
		if err != nil {
			b.Fatal(err)
		}
		codecs = append(codecs, list...)
	}
	for b.Loop() {
		c := draft.New(codecs, 0)
		if _, err := pcap.Read(bytes.NewReader(capture), c.Sink()); err != nil {
			b.Fatal(err)
		}
		if err := c.Write(io.Discard, all, draft.About{}); err != nil {
			b.Fatal(err)
		}
	}
}
