package report

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/clipperhouse/displaywidth"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// explain says of everything that did not pass what was expected and what came
// instead.
func (t Table) explain(b *bytes.Buffer, r *transcript.Report) {
	for i := range r.Suites {
		if s := &r.Suites[i]; s.Finding != "" && s.Contact != nil {
			t.failure(b, s.Contact)
		}
	}
	blocked, noted := map[string][]*transcript.Run{}, map[string][]*transcript.Run{}
	var reasons, notes []string
	for i := range r.Runs {
		run := &r.Runs[i]
		switch run.Verdict {
		case transcript.Fail, transcript.Warn:
			t.failure(b, run)
		case transcript.Blocked, transcript.Error:
			reason := string(run.Verdict) + ": " + run.Reason
			if !slices.Contains(reasons, reason) {
				reasons = append(reasons, reason)
			}
			blocked[reason] = append(blocked[reason], run)
		case transcript.Pass:
			if note := strings.Join(run.Notes, "; "); note != "" {
				if len(noted[note]) == 0 {
					notes = append(notes, note)
				}
				noted[note] = append(noted[note], run)
			}
		}
	}
	for _, note := range notes {
		t.noted(b, noted[note])
	}
	for _, reason := range reasons {
		runs := blocked[reason]
		b.WriteByte('\n')
		if len(runs) == 1 {
			t.title(b, runs[0])
		} else {
			t.head(b, runs[0].Verdict, fmt.Sprintf("%d scenarios", len(runs)))
		}
		if runs[0].Failure == nil || runs[0].Failure.Got != runs[0].Reason {
			t.item(b, "reason", runs[0].Reason)
		}
		t.details(b, runs[0])
		if len(runs) == 1 {
			t.closing(b, runs[0])
		} else {
			t.output(b, runs[0])
		}
	}
}

// noted shows what there is to say about passes that have the same notes.
func (t Table) noted(b *bytes.Buffer, runs []*transcript.Run) {
	b.WriteByte('\n')
	if len(runs) == 1 {
		t.title(b, runs[0])
		t.closing(b, runs[0])
		return
	}
	t.head(b, transcript.Pass, fmt.Sprintf("%d scenarios, with a note", len(runs)))
	for _, n := range runs[0].Notes {
		t.item(b, "note", n)
	}
	var names []string
	for _, run := range runs {
		names = append(names, run.Suite+"/"+run.Scenario)
	}
	t.item(b, "they are", strings.Join(names, ", "))
	t.output(b, runs[0])
}

// head is the first line of an explanation, with its verdict.
func (t Table) head(b *bytes.Buffer, v transcript.Verdict, text string) {
	lines := wrap(string(v)+": "+clean(text), t.Width-2)
	lines[0] = t.colour(lines[0], 0, v)
	b.WriteString(strings.Join(lines, "\n  ") + "\n")
}

func (t Table) title(b *bytes.Buffer, run *transcript.Run) {
	t.head(b, run.Verdict, fmt.Sprintf("%s/%s: %s", run.Suite, run.Scenario, run.Title))
}

// closing is what stands below the details: advice, remarks, and what the
// target printed.
func (t Table) closing(b *bytes.Buffer, run *transcript.Run) {
	if run.Hint != "" && run.Verdict != transcript.Pass {
		t.item(b, "hint", run.Hint)
	}
	for _, n := range run.Notes {
		t.item(b, "note", n)
	}
	t.output(b, run)
}

func (t Table) failure(b *bytes.Buffer, run *transcript.Run) {
	b.WriteByte('\n')
	t.title(b, run)
	if run.Requirement != "" {
		t.item(b, "rule", fmt.Sprintf("%s (%s) %s", run.Requirement, run.Level, run.Text))
	}
	if run.Failure == nil || run.Verdict == transcript.Blocked && run.Failure.Got != run.Reason {
		t.item(b, "reason", run.Reason)
	}
	t.details(b, run)
	t.closing(b, run)
}

// details are the step, what was expected, and what came.
func (t Table) details(b *bytes.Buffer, run *transcript.Run) {
	f := run.Failure
	if f == nil {
		return
	}
	step := f.Step
	if f.Line > 0 {
		step = fmt.Sprintf("%s  (%s:%d)", f.Step, f.File, f.Line)
	}
	t.item(b, "step", step)
	t.item(b, "expected", f.Expected)
	if f.Wanted != nil {
		t.message(b, f.Wanted, nil)
	}
	t.item(b, "but", f.Got)
	for i := range f.Came {
		m := &f.Came[i]
		name := m.Name
		if name == "" {
			name = "a message that fits no description"
		}
		t.item(b, "came", name)
		t.message(b, m, f.Wanted)
	}
	if f.Partial != nil {
		t.item(b, "came", fmt.Sprintf("%s that are no whole message yet", count(f.Partial.Length, "byte")))
		t.dump(b, *f.Partial)
	}
}

const labelWidth = 12

// item writes a label and text beside it.
func (t Table) item(b *bytes.Buffer, label, text string) {
	for i, line := range wrap(clean(text), t.Width-labelWidth) {
		if i > 0 {
			label = ""
		}
		fmt.Fprintf(b, "  %-*s%s\n", labelWidth-2, label, line)
	}
}

// outputLines is how much of what a target printed stands below a failure.
const outputLines = 12

func (t Table) output(b *bytes.Buffer, run *transcript.Run) {
	t.lines(b, "the target printed", run.Output)
	t.lines(b, "the screen showed", run.Screen)
}

// lines writes the end of a text below a label.
func (t Table) lines(b *bytes.Buffer, label, text string) {
	if text == "" {
		return
	}
	lines := collapse(strings.Split(strings.TrimRight(text, "\n"), "\n"))
	b.WriteString("  " + label + "\n")
	if more := len(lines) - outputLines; more > 0 {
		fmt.Fprintf(b, "    … %s\n", count(more, "earlier line"))
		lines = lines[more:]
	}
	for _, line := range lines {
		for i, part := range wrapVerbatim(line, t.Width-6) {
			mark := "|"
			if i > 0 {
				mark = " "
			}
			fmt.Fprintf(b, "    %s %s\n", mark, part)
		}
	}
}

// collapse makes lines harmless, and one line of those that repeat each other.
func collapse(lines []string) []string {
	var kept []string
	for i := 0; i < len(lines); {
		n := 1
		for i+n < len(lines) && lines[i+n] == lines[i] {
			n++
		}
		text := clean(strings.ReplaceAll(lines[i], "\t", "    "))
		if n > 1 {
			text += fmt.Sprintf(" … (%d times)", n)
		}
		kept = append(kept, text)
		i += n
	}
	return kept
}

// wrapVerbatim breaks a line at a blank near the edge, else at the edge; all
// other blanks stay.
func wrapVerbatim(line string, limit int) []string {
	limit = max(limit, 4)
	var parts []string
	for width(line) > limit {
		used, cut, blank := 0, len(line), 0
		for i, r := range line {
			if used += displaywidth.Rune(r); used > limit {
				cut = i
				break
			}
			if r == ' ' && used > limit/2 {
				blank = i + 1
			}
		}
		if cut == len(line) {
			break
		}
		atBlank := line[cut] == ' '
		if !atBlank && blank > 0 {
			cut = blank
		}
		parts = append(parts, strings.TrimRight(line[:cut], " "))
		line = line[cut:]
		if atBlank {
			line = line[1:]
		}
	}
	return append(parts, line)
}
