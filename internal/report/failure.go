package report

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

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

// bytesPerLine is how many bytes of a field stand in a line.
const bytesPerLine = 8

// message shows a message field by field, bytes to the left.
//
//	00 05              UNameL    5
//	61 6c 69 63 65     Username  "alice"
//
// What is no field, such as the words of a line, stands between them. A field
// that is another one in wanted, which may be nil, is marked.
func (t Table) message(b *bytes.Buffer, m, wanted *transcript.Message) {
	if m.Malformed != "" {
		t.item(b, "", "malformed: "+m.Malformed)
	}
	if len(m.Fields) == 0 {
		t.dump(b, m.Bytes)
		return
	}
	const least, most = 16, 3 // columns and lines of a value
	nameWidth := 0
	for _, f := range m.Fields {
		nameWidth = max(nameWidth, width(clean(f.Name)))
	}
	before := labelWidth + 3*bytesPerLine + 1
	nameWidth = min(nameWidth, max(t.Width-before-2-least, 8))
	for _, f := range withWords(m) {
		text, note := clean(value(f)), ""
		if f.Note != "" {
			note = " (" + clean(f.Note) + ")"
		}
		name := wrapVerbatim(clean(f.Name), nameWidth)
		lines := wrapVerbatim(text+note, t.Width-before-nameWidth-2)
		if len(lines) > most {
			if lines = append(lines[:most-1], "…"+note); width(lines[most-1]) > t.Width-before-nameWidth-2 {
				lines[most-1] = "…"
			}
		}
		hex := hexLines(field(m.Bytes, f), f.Size)
		margin := strings.Repeat(" ", labelWidth)
		for i := range max(len(hex), len(lines), len(name)) {
			line := margin
			if i == 0 && differs(m, f, wanted) {
				line = margin[2:] + "≠ "
			}
			line += fmt.Sprintf("%s %s  %s", pad(nth(hex, i), 3*bytesPerLine), pad(nth(name, i), nameWidth), nth(lines, i))
			b.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
}

// withWords are the fields of a message, and what stands between them.
func withWords(m *transcript.Message) []transcript.Field {
	var list []transcript.Field
	at := 0
	words := func(to int) {
		if to = min(to, len(m.Bytes.Head)); to > at {
			list = append(list, transcript.Field{Value: transcript.Printable(m.Bytes.Head[at:to]), Start: at, Size: to - at})
		}
	}
	for _, f := range m.Fields {
		words(f.Start)
		list = append(list, f)
		at = max(at, f.Start+f.Size)
	}
	words(m.Bytes.Length)
	return list
}

// differs says that a field of m is another one in wanted.
func differs(m *transcript.Message, f transcript.Field, wanted *transcript.Message) bool {
	if wanted == nil || wanted.Name != m.Name || f.Name == "" {
		return false
	}
	i := slices.IndexFunc(wanted.Fields, func(w transcript.Field) bool { return w.Name == f.Name })
	if i < 0 {
		return false
	}
	w := wanted.Fields[i]
	return f.Size != w.Size || !bytes.Equal(field(m.Bytes, f), field(wanted.Bytes, w)) || f.Size == 0 && value(f) != value(w)
}

func nth(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

// pad fills a text up to a number of columns.
func pad(s string, columns int) string {
	return s + strings.Repeat(" ", max(0, columns-width(s)))
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// field is the part of a body in which a field stands, as far as it is kept.
func field(body transcript.Body, f transcript.Field) []byte {
	if f.Start >= len(body.Head) {
		return nil
	}
	return body.Head[f.Start:min(f.Start+f.Size, len(body.Head))]
}

// hexLines are the first bytes of a field, and how many more there are.
func hexLines(raw []byte, size int) []string {
	const most = 3 * bytesPerLine
	var lines []string
	shown := raw[:min(len(raw), most)]
	for chunk := range slices.Chunk(shown, bytesPerLine) {
		lines = append(lines, fmt.Sprintf("% x", chunk))
	}
	if size > len(shown) {
		lines = append(lines, "… "+count(size-len(shown), "more byte"))
	}
	return lines
}

func value(f transcript.Field) string {
	switch v := f.Value.(type) {
	case string:
		// It is printable already: quoting must not escape the escapes.
		return `"` + strings.ReplaceAll(shorten(v, 200), `"`, `\"`) + `"`
	case float64:
		return fmt.Sprintf("%.0f", v)
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = shorten(fmt.Sprint(x), 200)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return fmt.Sprint(f.Value)
}

// shorten cuts what is longer than so many bytes, between two characters.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}

// dump shows bytes beside what they mean as text.
func (t Table) dump(b *bytes.Buffer, body transcript.Body) {
	const most = 64
	perLine := 2 * bytesPerLine
	if t.Width < labelWidth+4*perLine+1 {
		perLine = bytesPerLine
	}
	for chunk := range slices.Chunk(body.Head[:min(len(body.Head), most)], perLine) {
		text := strings.Map(func(r rune) rune {
			if r < 0x20 || r > 0x7e {
				return '.'
			}
			return r
		}, latin(chunk))
		line := fmt.Sprintf("%*s%-*s %s", labelWidth, "", 3*perLine, fmt.Sprintf("% x", []byte(chunk)), text)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	if body.Length > most {
		fmt.Fprintf(b, "%*s… %s\n", labelWidth, "", count(body.Length-min(len(body.Head), most), "more byte"))
	}
}

func latin(b []byte) string {
	runes := make([]rune, len(b))
	for i, octet := range b {
		runes[i] = rune(octet)
	}
	return string(runes)
}

// outputLines is how much of what a target printed stands below a failure.
const outputLines = 12

func (t Table) output(b *bytes.Buffer, run *transcript.Run) {
	if run.Output == "" {
		return
	}
	lines := collapse(strings.Split(strings.TrimRight(run.Output, "\n"), "\n"))
	b.WriteString("  the target printed\n")
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
