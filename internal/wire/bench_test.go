package wire

import (
	"os"
	"testing"
)

// BenchmarkName decodes a message and names it; an operation is a message.
func BenchmarkName(b *testing.B) {
	builtin := func(name string) *Protocol {
		file := "../../scenarios/" + name + "/protocol.yaml"
		text, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		p, err := Load(file, text, nil)
		if err != nil {
			b.Fatal(err)
		}
		return p
	}
	for _, bench := range []struct {
		name, protocol string
		from           Side
		bytes, want    string
	}{
		{"say", "framed", Client, "\x00\x05\x00\x00\x00\x40alicesixty-four bytes are about as much as people say in one message.", "say"},
		{"hear", "framed", Server, "\x00\x05\x00\x00\x00\x40alicesixty-four bytes are about as much as people say in one message.", "hear"},
		{"left", "framed", Server, "\x00\x00\x00\x00\x00\x14User alice has left.", "left"},
		{"line", "lines", Server, "@alice: sixty-four bytes are about as much as people say in one message.\n", "hear"},
		{"told", "direct", Server, "\x07\x05alice\x00\x40sixty-four bytes are about as much as people say in one message.", "told"},
		{"datagram", "datagram", Server, "INCOMING 127.0.0.1 5000 sixty-four bytes are about as much as people say in one message.", "hear"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			c, err := builtin(bench.protocol).Bind(nil)
			if err != nil {
				b.Fatal(err)
			}
			text := []byte(bench.bytes)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			var f Frame
			for b.Loop() {
				if n, err := c.Decode(&f, text, bench.from); n != len(text) || err != nil {
					b.Fatal(n, err)
				}
				if m := c.Name(&f, bench.from); m == nil || m.Name != bench.want {
					b.Fatal(m)
				}
			}
		})
	}
}
