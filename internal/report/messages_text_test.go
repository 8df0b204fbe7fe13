package report_test

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/chatprobe/chatprobe/internal/report"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

func TestTextQuotesSoThatTheEndOfAValueIsSeen(t *testing.T) {
	for _, c := range []struct {
		in   any
		want string
	}{
		{"hello", `"hello"`},
		{"", `""`},
		{`say "hi"`, `"say \"hi\""`},
		{`C:\dir`, `"C:\dir"`},
		{`ends with \`, `"ends with \\"`},
		{`a\"b`, `"a\\\"b"`},
		{`\\`, `"\\\\"`},
		{"\x1b[2J\n", `"\x1b[2J "`}, // it should be printable by then, and is made so
		{"žluť 你好", `"žluť 你好"`},
		{uint64(1 << 63), "9223372036854775808"},
		{float64(1 << 32), "4294967296"},
		{true, "true"},
		{nil, "null"},
		{[]any{"a b", uint64(2), []any{}}, `["a b",2,[]]`},
		{map[string]any{"k": "\x1b"}, `"map[k:\x1b]"`},
	} {
		m := &transcript.Decoded{Number: 1, Sender: "a", Receiver: "b", Message: transcript.Message{Name: "say", Fields: []transcript.Field{{Name: "F", Value: c.in}}}}
		if got, want := string(report.AppendText(nil, m, time.Time{})), "1 - a b say F="+c.want+"\n"; got != want {
			t.Errorf("%#v: got %q, want %q", c.in, got, want)
		}
	}
}

func TestTextTime(t *testing.T) {
	begin := time.Date(2026, 11, 20, 18, 0, 0, 123456789, time.UTC)
	for _, c := range []struct {
		in   time.Time
		want string
	}{
		{begin, "0.000000"},
		{begin.Add(1999 * time.Nanosecond), "0.000001"},
		{begin.Add(83*time.Second + 45*time.Millisecond), "83.045000"},
		{begin.Add(-1500 * time.Millisecond), "-1.500000"},
		{begin.Add(-20 * time.Microsecond), "-0.000020"},
		{time.Time{}, "-"},
		{time.Unix(0, 0).AddDate(-1000, 0, 0), "-9223372036.854775"},
	} {
		got := string(report.AppendText([]byte("x"), &transcript.Decoded{Time: c.in}, begin))
		if got = strings.Fields(got)[1]; got != c.want {
			t.Errorf("%v: got %s, want %s", c.in, got, c.want)
		}
	}
}

// closing is where a quoted text ends that begins at s[0], by the rule that
// AppendText states, or -1.
func closing(s string) int {
	slashes := 0
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"' && slashes%2 == 0:
			return i
		case s[i] == '\\':
			slashes++
			continue
		}
		slashes = 0
	}
	return -1
}

func FuzzText(f *testing.F) {
	f.Add("say", "alice", `a\"b`, "cut off", []byte("\x00\x05"))
	f.Add("", "\x1b]0;x\a", "\u202e\r\n::error::", "", []byte("\\\\\"\n"))
	f.Fuzz(func(t *testing.T, name, text, note, malformed string, raw []byte) {
		m := &transcript.Decoded{Number: 7, Sender: "127.0.0.1:1", Receiver: "127.0.0.1:2", Message: transcript.Message{
			Name: name, Bytes: transcript.NewBody(raw), Malformed: malformed,
			Fields: []transcript.Field{{Name: "F", Value: text, Note: note}, {Name: "last", Value: uint64(5)}},
		}}
		line := string(report.AppendText([]byte("before"), m, time.Time{}))
		line, begins := strings.CutPrefix(line, "before")
		line, ends := strings.CutSuffix(line, "\n")
		if !begins || !ends || strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 || !strings.HasPrefix(line, "7 - 127.0.0.1:1 127.0.0.1:2 ") {
			t.Fatalf("%q", line)
		}
		key, rest := " F=", " last=5"
		if malformed != "" {
			key, rest = " reason=", " length="
		}
		_, value, found := strings.Cut(line[len("7 - 127.0.0.1:1 127.0.0.1:2 "):], key)
		if strings.Contains(name, key) || !found {
			return // a protocol has no such names
		}
		end := closing(value)
		if end < 0 {
			t.Fatalf("the text does not end: %q", line)
		}
		value = value[end+1:]
		if malformed == "" && note != "" {
			value = value[strings.LastIndex(value, ")")+1:]
		}
		if !strings.HasPrefix(value, rest) {
			t.Fatalf("behind the text stands %q: %q", value, line)
		}
	})
}

func BenchmarkText(b *testing.B) {
	m := decoded()[2]
	var line []byte
	for b.Loop() {
		line = report.AppendText(line[:0], m, m.Time)
	}
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
}
