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

// userOf finds who logs in, in the messages of [decoded].
func userOf(m *transcript.Decoded) string {
	if m.Name != "login" {
		return ""
	}
	for _, f := range m.Fields {
		if name, ok := f.Value.(string); ok && f.Name == "Username" {
			return name
		}
	}
	return ""
}

func messages(t *testing.T, format string, view report.View, list []*transcript.Decoded) string {
	t.Helper()
	var b bytes.Buffer
	view.Scene = &report.Scene{User: userOf}
	m, err := view.Messages(&b, format)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		view.Scene.Learn(d)
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
		view         report.View
	}{
		{"messages-80", "table", report.View{Width: 80}},
		{"messages-120", "table", report.View{Width: 120}},
		{"messages-lines", "table", report.View{}},
		{"messages-cut", "table", report.View{Width: 80, Cut: true}},
		{"messages-text", "text", report.View{Width: 80}},
		{"messages-json", "json", report.View{Width: 80}},
		{"messages-csv", "csv", report.View{Width: 80}},
		{"messages-hex-80", "hex", report.View{Width: 80}},
		{"messages-hex", "hex", report.View{}},
		{"messages-dialogue-80", "dialogue", report.View{Width: 80}},
		{"messages-dialogue", "dialogue", report.View{One: true}},
		{"messages-diagram-80", "diagram", report.View{Width: 80}},
		{"messages-diagram", "diagram", report.View{Width: 120}},
		{"messages-svg", "svg", report.View{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := messages(t, c.format, c.view, decoded())
			golden.Check(t, filepath.Join("testdata", c.name+".golden"), out)
			if strings.ContainsAny(out, "\x1b\u202e\u0085") {
				t.Error("control characters pass")
			}
			isWide := c.format == "text" || c.format == "json" || c.format == "csv" || c.format == "svg"
			for line := range strings.Lines(out) {
				if n := displaywidth.String(strings.TrimSuffix(line, "\n")); !isWide && c.view.Width > 0 && n > c.view.Width {
					t.Errorf("a line of %d columns: %s", n, line)
				}
				if strings.HasPrefix(strings.TrimLeft(line, " "), "::") {
					t.Errorf("a line that the log of a CI system obeys: %s", line)
				}
			}
		})
	}
	for format, more := range map[string]int{"table": 1, "text": 0} {
		if lines := strings.Count(messages(t, format, report.View{}, decoded()), "\n"); lines != more+len(decoded()) {
			t.Errorf("%s: %d lines for %d messages", format, lines, len(decoded()))
		}
	}
}

func TestMessagesCanBeRead(t *testing.T) {
	for _, list := range [][]*transcript.Decoded{nil, decoded()[:1], decoded()} {
		if back := readJSON(t, messages(t, "json", report.View{}, list)); len(back) != len(list) {
			t.Errorf("%d of %d messages", len(back), len(list))
		}
		rows, err := csv.NewReader(strings.NewReader(messages(t, "csv", report.View{}, list))).ReadAll()
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
	for _, format := range report.Formats {
		for _, one := range []bool{false, true} {
			m, err := report.View{Width: 80, One: one}.Messages(&full{40}, format)
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
	}
	if _, err := (report.View{}).Messages(&full{}, "yaml"); err == nil {
		t.Error("yaml is a format")
	}
}

// readJSON reads messages of which each is a line.
func readJSON(t *testing.T, out string) []transcript.Decoded {
	t.Helper()
	var list []transcript.Decoded
	for line := range strings.Lines(out) {
		var m transcript.Decoded
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Errorf("%v:\n%s", err, line)
		}
		list = append(list, m)
	}
	return list
}

func TestNoMessages(t *testing.T) {
	for _, format := range report.Formats {
		out := messages(t, format, report.View{Width: 80}, nil)
		if want := map[string]string{"csv": "number,time,packet,connection,from,to,message,other,malformed\n"}[format]; out != want && format != "svg" {
			t.Errorf("%s: %q", format, out)
		}
	}
}
