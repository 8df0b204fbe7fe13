package decode_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/decode"
	"github.com/chatprobe/chatprobe/internal/report"
	"github.com/chatprobe/chatprobe/pcap"
)

// BenchmarkDecode reads a capture with one message a segment and prints it,
// as chatprobe decode does; an operation is a message.
func BenchmarkDecode(b *testing.B) {
	const messages = 50_000
	var file bytes.Buffer
	w := pcap.NewWriter(&file)
	at := time.Unix(0, 0)
	r := w.Open(at, netip.MustParseAddrPort("127.0.0.1:50001"), netip.MustParseAddrPort("127.0.0.1:4445"))
	text := []byte(frame(binary.BigEndian, "alice", "sixty-four bytes are about as much as people say in one message."))
	for i := range messages {
		r.Data(at, i%4 == 0, text)
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	list := codecs(b, nil)
	for name, add := range map[string]func() *decode.Decoder{
		"text": func() *decode.Decoder { return decode.NewText(list, 0, io.Discard) },
		"table": func() *decode.Decoder {
			out, err := report.NewMessages(io.Discard, "table", 0)
			if err != nil {
				b.Fatal(err)
			}
			return decode.New(list, 0, out.Add)
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for done := 0; done < b.N; done += messages {
				d := add()
				sink, done := decode.Behind(d.Sink())
				_, err := pcap.Read(bytes.NewReader(file.Bytes()), sink)
				if done(); err != nil || d.Messages != messages {
					b.Fatal(d.Messages, err)
				}
			}
		})
	}
}
