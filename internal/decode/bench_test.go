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
	for range messages {
		r.Data(at, true, text)
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	list := codecs(b, nil)
	b.ReportAllocs()
	for done := 0; done < b.N; done += messages {
		out, err := report.NewMessages(io.Discard, "table", 0)
		if err != nil {
			b.Fatal(err)
		}
		d := decode.New(list, 0, out.Add)
		if _, err := pcap.Read(bytes.NewReader(file.Bytes()), d.Sink()); err != nil || d.Messages != messages {
			b.Fatal(d.Messages, err)
		}
	}
}
