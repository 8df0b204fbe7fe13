package report

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// transcript prints all that happened in a run, a line each.
func (t Table) transcript(b *bytes.Buffer, run *transcript.Run) {
	if len(run.Events) == 0 {
		return
	}
	b.WriteByte('\n')
	t.paragraph(b, 0, clean(fmt.Sprintf("transcript of %s/%s: %s", run.Suite, run.Scenario, run.Verdict)))
	for i := range run.Events {
		e := &run.Events[i]
		line := fmt.Sprintf("%9.2fms  %s", e.At*1000, eventText(e))
		indent := 0
		for line != "" {
			part := wrapVerbatim(line, t.Width-indent)[0]
			b.WriteString(strings.Repeat(" ", indent) + part + "\n")
			line = strings.TrimLeft(line[len(part):], " ")
			indent = 17
		}
	}
	if run.Dropped > 0 {
		fmt.Fprintf(b, "             … and %s\n", count(run.Dropped, "more event"))
	}
}

var arrows = map[transcript.Kind]string{
	transcript.Send: "-->", transcript.Receive: "<--", transcript.Closed: "closed by the server",
	transcript.WasReset: "reset by the server", transcript.Close: "closes", transcript.HalfClose: "half-closes",
	transcript.Reset: "resets", transcript.Connect: "connects",
}

func eventText(e *transcript.Event) string {
	switch e.Kind {
	case transcript.Step:
		return "= " + clean(e.Text)
	case transcript.Remark:
		return "  note: " + clean(e.Text)
	case transcript.Print:
		return "  the target printed: " + clean(e.Text)
	}
	parts := []string{"  " + e.Client, arrows[e.Kind]}
	switch {
	case e.Message != nil:
		parts = append(parts, messageText(e.Message))
	case e.Body != nil:
		parts = append(parts, fmt.Sprintf("%s: %q", count(e.Body.Length, "byte"), e.Body.Head[:min(len(e.Body.Head), 40)]))
	case e.Kind == transcript.Connect:
		parts = append(parts, fmt.Sprintf("from %s to %s", e.Local, e.Text))
	}
	if e.Text != "" && e.Kind != transcript.Connect {
		parts = append(parts, "("+e.Text+")")
	}
	if e.Purpose != "" {
		parts = append(parts, "["+string(e.Purpose)+"]")
	}
	return clean(strings.Join(parts, " "))
}

func messageText(m *transcript.Message) string {
	name := m.Name
	if name == "" {
		name = "?"
	}
	var fields []string
	for _, f := range m.Fields {
		v := value(f)
		if len(v) > 60 {
			v = fmt.Sprintf("%s (%d bytes)", shorten(v, 40), f.Size)
		}
		fields = append(fields, f.Name+"="+v)
	}
	return name + " " + strings.Join(fields, " ")
}
