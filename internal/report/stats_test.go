package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clipperhouse/displaywidth"

	"github.com/chatprobe/chatprobe/internal/golden"
	"github.com/chatprobe/chatprobe/internal/report"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

func counted(list []*transcript.Decoded, capture report.CaptureStats) *report.Stats {
	scene := report.Scene{User: userOf}
	c := report.NewCounter(&scene)
	for _, m := range list {
		scene.Learn(m)
		_ = c.Add(m)
	}
	return c.Stats(capture)
}

func TestStats(t *testing.T) {
	quiet := report.CaptureStats{Packets: 60, TCP: 58, UDP: 1, Other: 1, Connections: 3}
	bad := report.CaptureStats{
		Packets: 60, TCP: 60, Connections: 3, Repeated: 4, Conflict: 1, Gaps: 2, Missing: 77, Dropped: 12,
		Strangers: []string{`connection 2, 127.0.0.1:1 -> 127.0.0.1:2: no message in 9 bytes that begin with "\x1b"`},
		Doubts:    []string{"127.0.0.1:4445: protocol framed (7 messages; it was chosen for 4 of them, of which lines would make 3)"},
		Error:     "read capture: the file ends in the middle of packet 61",
	}
	two := append(decoded(), crowd(2)[0])
	two[len(two)-1].Protocol = "lines"
	for _, c := range []struct {
		name    string
		list    []*transcript.Decoded
		capture report.CaptureStats
	}{
		{"stats", decoded(), bad},
		{"stats-none", nil, quiet},
		{"stats-fine", crowd(3), quiet},
		{"stats-crowd", crowd(120), quiet},
		{"stats-protocols", two, quiet},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			s := counted(c.list, c.capture)
			if err := s.Summary(&b, "a\x1b[2J.pcap", 80); err != nil {
				t.Fatal(err)
			}
			b.WriteByte('\n')
			if err := s.Table(&b); err != nil {
				t.Fatal(err)
			}
			out := b.String()
			golden.Check(t, filepath.Join("testdata", c.name+".golden"), out)
			if strings.ContainsAny(out, "\x1b\u202e\u0085") {
				t.Error("control characters pass")
			}
			for line := range strings.Lines(out) {
				if n := displaywidth.String(strings.TrimSuffix(line, "\n")); n > 90 {
					t.Errorf("a line of %d columns: %s", n, line)
				}
			}
		})
	}
}

func TestStatsCountEveryMessageOnce(t *testing.T) {
	list := append(decoded(), crowd(5)...)
	list[1].Malformed = "cut at its end" // its name says nothing
	s := counted(list, report.CaptureStats{})
	kinds, conns, bytesOf := 0, 0, 0
	for _, k := range s.Kinds {
		if k.Malformed && k.Name != "" {
			t.Errorf("%d malformed messages are called %s", k.Count, k.Name)
		}
		kinds += k.Count
		bytesOf += k.Bytes
	}
	for _, c := range s.Clients {
		conns += c.Sent + c.Received
	}
	if kinds != len(list) || conns != len(list) || s.Messages != len(list) || bytesOf != s.Bytes || s.Malformed != 2 {
		t.Errorf("%d by kind, %d by client, %d in all, of %d; %d of %d bytes", kinds, conns, s.Messages, len(list), bytesOf, s.Bytes)
	}
}

func TestStatsAsJSONCanBeRead(t *testing.T) {
	for _, list := range [][]*transcript.Decoded{nil, decoded()} {
		s := counted(list, report.CaptureStats{Packets: 3, Strangers: []string{"\u202e"}})
		var b bytes.Buffer
		if err := s.JSON(&b); err != nil {
			t.Fatal(err)
		}
		var back report.Stats
		if err := json.Unmarshal(b.Bytes(), &back); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(back.Kinds, back.Clients, back.Capture) != fmt.Sprint(s.Kinds, s.Clients, s.Capture) || !back.Begin.Equal(s.Begin) {
			t.Errorf("%+v became %+v", s, back)
		}
		if strings.Contains(b.String(), "\u202e") || strings.Contains(b.String(), "null") {
			t.Errorf("%s", b.String())
		}
	}
}

func TestCounterKeepsAccountOfABoundedNumberOfConnections(t *testing.T) {
	const n = 70_000
	c := report.NewCounter(&report.Scene{})
	for i := range n {
		_ = c.Add(&transcript.Decoded{Number: i + 1, Conn: i + 1, Sender: "127.0.0.1:1", Receiver: "127.0.0.1:2", Message: transcript.Message{Name: "say", From: "client"}})
	}
	s := c.Stats(report.CaptureStats{})
	if s.Messages != n || len(s.Clients)+s.More != n || s.More == 0 {
		t.Errorf("%d messages, %d clients, %d more", s.Messages, len(s.Clients), s.More)
	}
}
