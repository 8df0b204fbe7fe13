package report_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/chatprobe/chatprobe/internal/report"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

func TestHexShowsBothEndsOfALongMessage(t *testing.T) {
	raw := append(bytes.Repeat([]byte{0xaa}, 2500), bytes.Repeat([]byte{0xbb}, 2501)...)
	m := &transcript.Decoded{Number: 1, Message: transcript.Message{Name: "say", Bytes: transcript.NewBody(raw), Fields: []transcript.Field{
		{Name: "Length", Value: uint64(4997), Size: 4},
		{Name: "Message", Value: "x", Start: 4, Size: 4997},
	}}}
	out := messages(t, "hex", report.View{Width: 80}, []*transcript.Decoded{m})
	for _, want := range []string{
		"say, 5001 bytes\n",
		"\n  0000  aa aa aa aa              Length   4997\n",
		"\n  0004  aa aa aa aa aa aa aa aa  Message  \"x\"\n",
		"\n  03fc  aa aa aa aa\n", // 1024 bytes of each end are kept
		"\n        … 2953 bytes …\n",
		"\n  0f89  bb bb bb bb bb bb bb bb\n",
		"\n  1381  bb bb bb bb bb bb bb bb\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if rows, want := strings.Count(out, "\n"), 1+1+1020/8+1+1+1024/8; rows != want {
		t.Errorf("%d rows, want %d", rows, want)
	}

	m.Malformed = "for some reason"
	out = messages(t, "hex", report.View{}, []*transcript.Decoded{m})
	for _, want := range []string{
		"malformed!, 5001 bytes\n  reason: for some reason\n",
		"\n  0000  aa aa aa aa aa aa aa aa aa aa aa aa aa aa aa aa  ................\n",
		"\n        … 2953 bytes …\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
