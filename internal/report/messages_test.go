package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clipperhouse/displaywidth"

	"github.com/chatprobe/chatprobe/internal/golden"
	"github.com/chatprobe/chatprobe/internal/report"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

// decoded are messages as they are found in a capture.
func decoded() []*transcript.Decoded {
	begin := time.Date(2026, 11, 20, 18, 0, 0, 123456789, time.UTC)
	const alice, server, far = "127.0.0.1:50001", "127.0.0.1:4445", "[2001:db8::1:2:3]:50002"
	raw := []byte("\x00\x05\x00\x00\x00")
	list := []*transcript.Decoded{
		{Message: transcript.Message{From: "server", Bytes: transcript.NewBody(raw), Malformed: "cut off: 5 bytes came of at least 6, then the connection was over (closed)"}},
		{Message: *frameMessage("login", "client", "alice", "")},
		{Message: *frameMessage("say", "client", "alice", "hello")},
		{Sender: far, Receiver: "[2001:db8::4]:4445", Message: *frameMessage("say", "client", "bob", strings.Repeat("a long text ", 20))},
		{Message: *frameMessage("", "client", "", "=1+1")},
		{Message: *frameMessage("say", "client", `=HYPERLINK("x")`, hostile)},
		{Message: transcript.Message{Name: "users", From: "server", Fields: []transcript.Field{
			{Name: "Message", Value: "@x"}, {Name: "list", Value: []any{"alice", "bob"}}, {Name: "kind", Value: uint64(1 << 63), Note: "roster"},
		}}},
	}
	for i, m := range list {
		m.Number, m.Packet, m.Conn, m.Protocol = i+1, 10*i+1, 1, "framed"
		m.Time = begin.Add(time.Duration(i) * 1500 * time.Microsecond)
		if m.Sender == "" {
			m.Sender, m.Receiver = alice, server
		}
		if m.From == "server" {
			m.Sender, m.Receiver = m.Receiver, m.Sender
		}
	}
	return list
}

func messages(t *testing.T, format string, width int, list []*transcript.Decoded) string {
	t.Helper()
	var b bytes.Buffer
	m, err := report.NewMessages(&b, format, width)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		if err := m.Add(d); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestMessages(t *testing.T) {
	for _, c := range []struct {
		name, format string
		width        int
	}{
		{"messages-80", "table", 80}, {"messages-120", "table", 120}, {"messages-lines", "table", 0}, {"messages-json", "json", 80}, {"messages-csv", "csv", 80},
	} {
		out := messages(t, c.format, c.width, decoded())
		golden.Check(t, filepath.Join("testdata", c.name+".golden"), out)
		if strings.ContainsAny(out, "\x1b\u202e\u0085") {
			t.Errorf("%s: control characters pass", c.name)
		}
		for line := range strings.Lines(out) {
			if n := displaywidth.String(strings.TrimSuffix(line, "\n")); c.format == "table" && c.width > 0 && n > c.width {
				t.Errorf("%s: a line of %d columns: %s", c.name, n, line)
			}
		}
	}
	if lines := strings.Count(messages(t, "table", 0, decoded()), "\n"); lines != 1+len(decoded()) {
		t.Errorf("%d lines for %d messages", lines, len(decoded()))
	}
}

func TestMessagesCanBeRead(t *testing.T) {
	for _, list := range [][]*transcript.Decoded{nil, decoded()[:1], decoded()} {
		var back []transcript.Decoded
		if err := json.Unmarshal([]byte(messages(t, "json", 80, list)), &back); err != nil || len(back) != len(list) {
			t.Errorf("%d of %d messages, %v", len(back), len(list), err)
		}
		rows, err := csv.NewReader(strings.NewReader(messages(t, "csv", 80, list))).ReadAll()
		if err != nil || len(rows) != len(list)+1 {
			t.Errorf("%d rows for %d messages, %v", len(rows), len(list), err)
			continue
		}
		for _, row := range rows[1:] {
			for _, cell := range row {
				if cell != "" && strings.ContainsAny(cell[:1], "=+-@") {
					t.Errorf("a spreadsheet takes %q for a formula", cell)
				}
			}
		}
	}
}

func TestMessagesToAWriterThatFails(t *testing.T) {
	for _, format := range []string{"table", "json", "csv"} {
		m, err := report.NewMessages(&full{40}, format, 80)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range decoded() {
			err = errors.Join(err, m.Add(d))
		}
		if err = errors.Join(err, m.Close()); !errors.Is(err, errFull) {
			t.Errorf("%s: %v", format, err)
		}
	}
	if _, err := report.NewMessages(&full{}, "yaml", 80); err == nil {
		t.Error("yaml is a format")
	}
}
