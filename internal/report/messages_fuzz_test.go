package report_test

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/clipperhouse/displaywidth"

	"github.com/chatprobe/chatprobe/internal/report"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

// FuzzMessages has all formats show whatever the network may say.
func FuzzMessages(f *testing.F) {
	f.Add("say", "alice", "hello", "", []byte("\x00\x05alicehello"), 2, 80)
	f.Add("", "\x1b]0;x\a", "\n::error::\u202e", "cut off", []byte("::\xff\n##[x]"), 0, 60)
	f.Add("a b", `"><script>`, "]]>=1+1", "", bytes.Repeat([]byte("x"), 5000), 4990, 160)
	f.Fuzz(func(t *testing.T, name, user, text, malformed string, raw []byte, start, width int) {
		start = min(max(start, 0), len(raw))
		m := &transcript.Decoded{
			Number: 1, Time: time.Unix(1700000000, 0), Conn: 1, Sender: "127.0.0.1:1", Receiver: "127.0.0.1:2", Protocol: name,
			Message: transcript.Message{Name: name, From: "client", Malformed: malformed, Bytes: transcript.NewBody(raw), Fields: []transcript.Field{
				{Name: "Length", Value: uint64(len(raw)), Size: start},
				{Name: "Text", Value: transcript.Printable([]byte(text)), Start: start, Size: len(raw) - start, Note: user},
				{Name: "list", Value: []any{user, text, uint64(1), nil}, Start: len(raw)},
			}},
		}
		answer := *m
		answer.Number, answer.From, answer.Sender, answer.Receiver = 2, "server", m.Receiver, m.Sender
		width = 60 + max(width, 0)%101
		for _, format := range report.Formats {
			scene := &report.Scene{User: func(*transcript.Decoded) string { return user }}
			var b bytes.Buffer
			w, err := report.View{Width: width, Cut: start%2 == 0, One: len(raw)%2 == 0, Scene: scene}.Messages(&b, format)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range []*transcript.Decoded{m, &answer} {
				scene.Learn(m)
				if err := w.Add(m); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if format == "table" && start%2 != 0 {
				width = 1 << 20 // what is not cut has rows as wide as they must be
			}
			checkHarmless(t, format, b.String(), width)
		}
		c := report.NewCounter(&report.Scene{})
		_ = c.Add(m)
		var b bytes.Buffer
		s := c.Stats(report.CaptureStats{Strangers: []string{text}, Error: user})
		if err := s.Summary(&b, name, width); err != nil {
			t.Fatal(err)
		}
		if err := s.Table(&b); err != nil {
			t.Fatal(err)
		}
		checkHarmless(t, "stats", b.String(), 0)
	})
}

// checkHarmless looks for what could act on a terminal or the log of a CI
// system, for lines that are too wide, and whether a reader takes the output.
func checkHarmless(t *testing.T, format, out string, width int) {
	t.Helper()
	if i := strings.IndexFunc(out, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
		t.Errorf("%s: %q is not printable", format, out[i:min(i+8, len(out))])
	}
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		if begin := strings.TrimLeft(line, " "); strings.HasPrefix(begin, "::") || strings.HasPrefix(begin, "##[") {
			t.Errorf("%s: a command: %q", format, line)
		}
		switch format {
		case "table", "hex", "dialogue", "diagram":
			if n := displaywidth.String(line); n > width {
				t.Errorf("%s: %d columns of %d: %q", format, n, width, line)
			}
		}
	}
	switch format {
	case "json":
		if back := readJSON(t, out); len(back) != 2 {
			t.Errorf("%d messages", len(back))
		}
	case "csv":
		if rows, err := csv.NewReader(strings.NewReader(out)).ReadAll(); err != nil || len(rows) != 3 {
			t.Errorf("%d rows, %v", len(rows), err)
		}
	case "svg":
		if n := drawn(t, out); n != 2 {
			t.Errorf("%d arrows", n)
		}
	case "text":
		if strings.Count(out, "\n") != 2 {
			t.Errorf("%q is not two lines", out)
		}
	}
}

// FuzzFilter reads what a user may write, and asks it about a message.
func FuzzFilter(f *testing.F) {
	for _, s := range []string{"client", "127.0.0.1:4445", "[::1]", "Username=alice", "a!~(", "1.5..3", "18:00..", "..2026-11-20T18:00:00Z"} {
		f.Add(s)
	}
	list := decoded()
	f.Fuzz(func(t *testing.T, s string) {
		filter := report.Filter{Client: report.ParseClient(s)}
		filter.From, _ = report.ParseFrom(s)
		filter.Times, _ = report.ParseTimes(s)
		if c, err := report.ParseCondition(s); err == nil {
			filter.Where = append(filter.Where, c)
		}
		for _, m := range list {
			filter.Pass(m, &report.Scene{Begin: list[0].Time})
		}
	})
}
