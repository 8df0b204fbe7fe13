package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"

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
		t.event(b, &run.Events[i])
	}
	if run.Dropped > 0 {
		fmt.Fprintf(b, "             … and %s\n", count(run.Dropped, "more event"))
	}
}

// event prints one thing that happened.
func (t Table) event(b *bytes.Buffer, e *transcript.Event) {
	line := fmt.Sprintf("%9.2fms  %s", e.At*1000, eventText(e))
	indent := 0
	for line != "" {
		part := wrapVerbatim(line, t.Width-indent)[0]
		b.WriteString(strings.Repeat(" ", indent) + part + "\n")
		line = strings.TrimLeft(line[len(part):], " ")
		indent = 17
	}
}

// A Narrator tells what happens in plays while it happens. It is safe for
// concurrent use; where plays overlap, it says whose turn it is.
type Narrator struct {
	W     io.Writer
	Table Table // its width

	mu   sync.Mutex
	last *transcript.Run
}

// Tell prints one thing that happened in the play of run. slow says that the
// scenario is played once more, slowly.
func (n *Narrator) Tell(run *transcript.Run, slow bool, e transcript.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var b bytes.Buffer
	if run != n.last {
		n.last = run
		again := ""
		if slow {
			again = ", once more and slowly"
		}
		b.WriteByte('\n')
		n.Table.paragraph(&b, 0, clean(fmt.Sprintf("%s/%s%s", run.Suite, run.Scenario, again)))
	}
	n.Table.event(&b, &e)
	_, _ = n.W.Write(noCommands(b.Bytes()))
}

// Transcript writes all that happened in a run, a line each, and how it ended.
func Transcript(w io.Writer, run *transcript.Run) error {
	t := Table{Width: 120}
	var b bytes.Buffer
	t.transcript(&b, run)
	t.details(&b, run)
	t.closing(&b, run)
	_, err := w.Write(bytes.TrimLeft(b.Bytes(), "\n"))
	if err != nil {
		return fmt.Errorf("write transcript: %w", err)
	}
	return nil
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
	if e.Kind == transcript.Typed {
		return clean(fmt.Sprintf("  typed: %q", e.Body.Head[:min(len(e.Body.Head), 60)]))
	}
	parts := []string{"  " + e.Client, arrows[e.Kind]}
	if e.Client == programName {
		parts = programParts(e.Kind)
	}
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

// programName is what a client program under test is called in events.
const programName = "program"

// programParts says who does what where the probe is the server.
func programParts(kind transcript.Kind) []string {
	switch kind {
	case transcript.Send:
		return []string{"  server", "-->"}
	case transcript.Receive:
		return []string{"  program", "-->"}
	case transcript.Closed:
		return []string{"  program", "closes"}
	case transcript.WasReset:
		return []string{"  program", "resets"}
	case transcript.Connect:
		return []string{"  program", "connects"}
	}
	return []string{"  server", arrows[kind]}
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
