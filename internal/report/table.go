package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// A Table renders a report for people: what was tested, a line for each
// scenario, a summary, and an explanation of everything that did not pass.
type Table struct {
	Width   int  // columns; 0 means 80
	Color   bool // verdicts in colour
	Verbose bool // and all that was sent and received
}

// Write renders r.
func (t Table) Write(w io.Writer, r *transcript.Report) error {
	if t.Width == 0 {
		t.Width = 80
	}
	var b bytes.Buffer
	t.header(&b, r)
	if err := t.table(&b, r); err != nil {
		return fmt.Errorf("render table: %w", err)
	}
	b.WriteByte('\n')
	t.paragraph(&b, 0, SummaryLine(r))
	t.explain(&b, r)
	if t.Verbose {
		for i := range r.Suites {
			if r.Suites[i].Contact != nil {
				t.transcript(&b, r.Suites[i].Contact)
			}
		}
		for i := range r.Runs {
			t.transcript(&b, &r.Runs[i])
		}
	}
	_, err := w.Write(noCommands(b.Bytes()))
	return err
}

// noCommands disarms lines that the log of a CI system would obey: those that
// begin with ::, after blanks. Only text of a target can be at the beginning
// of a line and look like that. The blank before it becomes a bar, so that the
// line is no longer than it was.
func noCommands(b []byte) []byte {
	if !bytes.Contains(b, []byte("::")) && !bytes.Contains(b, []byte("##[")) {
		return b
	}
	out := make([]byte, 0, len(b))
	for line := range bytes.Lines(b) {
		text := bytes.TrimLeft(line, " ")
		if bytes.HasPrefix(text, []byte("::")) || bytes.HasPrefix(text, []byte("##[")) {
			at := max(len(line)-len(text)-1, 0)
			out = append(append(append(out, line[:at]...), '|'), line[at+1:]...)
			continue
		}
		out = append(out, line...)
	}
	return out
}

// SummaryLine counts the verdicts: "42 scenarios: 40 pass, 1 fail, 1 warn · 0.21 s".
func SummaryLine(r *transcript.Report) string {
	var parts []string
	for _, c := range []struct {
		n int
		v transcript.Verdict
	}{
		{r.Summary.Pass, transcript.Pass},
		{r.Summary.Fail, transcript.Fail},
		{r.Summary.Warn, transcript.Warn},
		{r.Summary.Skip, transcript.Skip},
		{r.Summary.Blocked, transcript.Blocked},
		{r.Summary.Error, transcript.Error},
	} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.v))
		}
	}
	if len(parts) == 0 {
		return fmt.Sprintf("no scenario was played · %.2f s", r.Seconds)
	}
	noun := "scenarios"
	if len(r.Runs) == 1 {
		noun = "scenario"
	}
	return fmt.Sprintf("%d %s: %s · %.2f s", len(r.Runs), noun, strings.Join(parts, ", "), r.Seconds)
}

// header says what is wrong with the target as a whole, what was tested, and
// under which choices.
func (t Table) header(b *bytes.Buffer, r *transcript.Report) {
	for _, s := range r.Suites {
		if s.Finding != "" {
			t.paragraph(b, 0, strings.TrimRight(clean(s.Finding), ".")+".")
			b.WriteByte('\n')
		}
	}
	t.paragraph(b, 0, "target: "+clean(r.Target))
	if r.Manner != "" {
		t.paragraph(b, 0, clean(r.Manner))
	}
	for _, s := range r.Suites {
		var known []string
		for _, set := range s.Settings {
			if set.Origin == transcript.Set || set.Origin == transcript.Found {
				known = append(known, fmt.Sprintf("%s=%s (%s)", set.Name, clean(set.Value), set.Origin))
			}
		}
		if len(known) > 0 {
			t.paragraph(b, 0, fmt.Sprintf("%s settings: %s", s.Name, strings.Join(known, ", ")))
		}
		for _, set := range s.Settings {
			if set.Warning != "" {
				t.paragraph(b, 0, "warning: "+clean(set.Warning))
			}
		}
	}
	b.WriteByte('\n')
}

// Columns of the table. What is left of the width is for the reason; one that
// needs more stands below its row.
const (
	idLimit      = 10
	nameLimit    = 44
	verdictWidth = 7
	timeWidth    = 7
	gap          = 2
)

func (t Table) table(b *bytes.Buffer, r *transcript.Report) error {
	several := len(r.Suites) > 1
	idWidth, nameWidth := len("id"), len("scenario")
	for i := range r.Runs {
		idWidth = max(idWidth, width(clean(r.Runs[i].Requirement)))
		nameWidth = max(nameWidth, width(runName(&r.Runs[i], several)))
	}
	idWidth = min(idWidth, idLimit)
	others := idWidth + verdictWidth + timeWidth + 3*gap
	nameWidth = min(nameWidth, nameLimit, t.Width-others-gap-len("reason"))
	reasonWidth := t.Width - others - nameWidth - gap

	var plain bytes.Buffer
	table := newGrid(&plain)
	table.Header("id", "scenario", "verdict", fmt.Sprintf("%*s", timeWidth, "time"), "reason")
	heights := make([]int, len(r.Runs)) // of the rows, in lines
	isBelow := make([]bool, len(r.Runs))
	for i := range r.Runs {
		run := &r.Runs[i]
		id, name := wrap(clean(run.Requirement), idWidth), wrap(runName(run, several), nameWidth)
		heights[i] = max(len(id), len(name))
		reason := clean(run.Reason)
		isBelow[i] = width(reason) > reasonWidth
		if isBelow[i] {
			reason = ""
		}
		if err := table.Append(strings.Join(id, "\n"), strings.Join(name, "\n"), string(run.Verdict), duration(run.Seconds), reason); err != nil {
			return err
		}
	}
	if err := table.Render(); err != nil {
		return err
	}
	lines := strings.Split(plain.String(), "\n")
	column := strings.Index(lines[0], "verdict")
	b.WriteString(strings.TrimRight(lines[0], " ") + "\n")
	lines = lines[1:]
	for i := range r.Runs {
		for n := range heights[i] {
			line := strings.TrimRight(lines[n], " ")
			if n == 0 {
				line = t.colour(line, column, r.Runs[i].Verdict)
			}
			b.WriteString(line + "\n")
		}
		lines = lines[heights[i]:]
		if isBelow[i] {
			t.below(b, r.Runs, i, idWidth+gap)
		}
	}
	return nil
}

// below writes the reason of a row below it. Rows that follow each other and
// have the same reason share it.
func (t Table) below(b *bytes.Buffer, runs []transcript.Run, i, indent int) {
	same := func(j int) bool {
		return j >= 0 && j < len(runs) && runs[j].Reason == runs[i].Reason && runs[j].Verdict == runs[i].Verdict
	}
	if same(i + 1) {
		return
	}
	first := i
	for same(first - 1) {
		first--
	}
	text := clean(runs[i].Reason)
	if n := i - first + 1; n > 1 {
		text = fmt.Sprintf("these %d: %s", n, text)
	}
	t.paragraph(b, indent, text)
}

// newGrid is a table without lines whose columns are as wide as needed.
func newGrid(w io.Writer) *tablewriter.Table {
	align := tw.CellAlignment{PerColumn: []tw.Align{tw.AlignLeft, tw.AlignLeft, tw.AlignLeft, tw.AlignRight, tw.AlignLeft}}
	return tablewriter.NewTable(w,
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders: tw.BorderNone,
			Settings: tw.Settings{
				Separators: tw.Separators{BetweenColumns: tw.Off, BetweenRows: tw.Off},
				Lines:      tw.Lines{ShowHeaderLine: tw.Off},
			},
		})),
		tablewriter.WithTrimSpace(tw.Off),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithHeaderAutoWrap(tw.WrapNone),
		tablewriter.WithRowAlignmentConfig(align),
		tablewriter.WithHeaderAlignmentConfig(align),
		tablewriter.WithPadding(tw.Padding{Left: "", Right: strings.Repeat(" ", gap), Overwrite: true}),
	)
}

func runName(run *transcript.Run, several bool) string {
	if several {
		return clean(run.Suite + "/" + run.Scenario)
	}
	return clean(run.Scenario)
}

// duration is a time in at most timeWidth columns.
func duration(seconds float64) string {
	switch {
	case seconds == 0:
		return "-"
	case seconds < 0.1:
		return fmt.Sprintf("%.1fms", seconds*1000)
	case seconds < 0.9995:
		return fmt.Sprintf("%.0fms", seconds*1000)
	case seconds < 9999:
		return fmt.Sprintf("%.1fs", seconds)
	}
	return fmt.Sprintf("%.0fs", seconds)
}

var colours = map[transcript.Verdict]string{
	transcript.Pass: "32", transcript.Fail: "1;31", transcript.Warn: "33", transcript.Skip: "2",
	transcript.Blocked: "35", transcript.Error: "1;31",
}

// colour paints the verdict that stands in a column of a line of the table.
func (t Table) colour(line string, column int, v transcript.Verdict) string {
	if !t.Color {
		return line
	}
	rest := skipColumns(line, column)
	at := len(line) - len(rest)
	if !strings.HasPrefix(rest, string(v)) || colours[v] == "" {
		return line
	}
	return line[:at] + "\x1b[" + colours[v] + "m" + string(v) + "\x1b[0m" + rest[len(v):]
}

// skipColumns is what stands in line from a column on.
func skipColumns(line string, columns int) string {
	for i := range line {
		if width(line[:i]) >= columns {
			return line[i:]
		}
	}
	return ""
}

// paragraph writes wrapped text with all lines indented.
func (t Table) paragraph(b *bytes.Buffer, indent int, text string) {
	for _, line := range wrap(text, t.Width-indent) {
		b.WriteString(strings.Repeat(" ", indent) + line + "\n")
	}
}
