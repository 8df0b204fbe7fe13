package report

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/clipperhouse/displaywidth"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// Messages writes the messages of a capture as they are found. Close must be
// called at the end.
type Messages struct {
	Add   func(*transcript.Decoded) error
	Close func() error
}

// A View says how messages are shown.
type View struct {
	Width int    // columns of the screen; 0 asks for one line a message however long it is
	Cut   bool   // a table is cut at the edge of the screen; otherwise it goes on in the next line
	Scene *Scene // what is known of the capture; nil if nobody learns it
	One   bool   // there are only messages of one conversation
}

// Formats are the names of the formats of [View.Messages].
var Formats = []string{"table", "text", "json", "csv", "hex", "dialogue", "diagram", "svg"}

// NewMessages makes a writer for a format without a [Scene].
func NewMessages(w io.Writer, format string, width int) (Messages, error) {
	return View{Width: width}.Messages(w, format)
}

// Messages makes a writer for one of [Formats].
func (v View) Messages(w io.Writer, format string) (Messages, error) {
	if v.Scene == nil {
		v.Scene = &Scene{}
	}
	switch format {
	case "table":
		return messageTable(w, v), nil
	case "text":
		return messageLines(w, v.Scene), nil
	case "json":
		return messageJSON(w), nil
	case "csv":
		return messageCSV(w), nil
	case "hex":
		return messageHex(w, v), nil
	case "dialogue":
		return messageDialogue(w, v), nil
	case "diagram":
		return messageDiagram(w, v), nil
	case "svg":
		return messageSVG(w, v), nil
	}
	return Messages{}, fmt.Errorf("there is no format %q: there is %s", format, strings.Join(Formats, ", "))
}

// messageTable writes a row for each message: who to whom, its name, then every
// field by its own name, below the row where that is too long for the screen.
// Rows are written at once, so a column becomes wider when an address needs it.
func messageTable(w io.Writer, v View) Messages {
	var b bytes.Buffer
	started, from, to := false, len("127.0.0.1:12345"), len("127.0.0.1:12345")
	write := func(lines ...string) {
		for _, line := range lines {
			if v.Cut {
				line = cutColumns(line, v.Width)
			}
			b.WriteString(line + "\n")
		}
	}
	add := func(m *transcript.Decoded) error {
		b.Reset()
		from, to = max(from, len(m.Sender)), max(to, len(m.Receiver))
		if !started {
			started = true
			write(fmt.Sprintf("%6s  %10s  %-*s  %-*s  %s", "number", "time", from, "from", to, "to", "message"))
		}
		seconds := transcript.AppendSeconds(nil, m.Time, v.Scene.begin(m))
		name, parts := decodedParts(m)
		row := fmt.Sprintf("%6d  %10s  %-*s  %-*s  %s", m.Number, seconds, from, clean(m.Sender), to, clean(m.Receiver), pad(name, 6))
		write(v.besides(row, parts, m.Malformed != "")...)
		_, err := w.Write(noCommands(b.Bytes()))
		return err
	}
	return Messages{Add: add, Close: nothing}
}

// besides are the lines of a row that goes on with some parts, or has them
// below where there is no room. A reason is not cut.
func (v View) besides(row string, parts []part, isReason bool) []string {
	const indent = "        "
	rest := oneLine(parts)
	if rest == "" || v.Width == 0 || width(row)+1+width(rest) <= v.Width {
		return []string{strings.TrimRight(row+" "+rest, " ")}
	}
	lines := []string{strings.TrimRight(row, " ")}
	if v.Cut && !isReason {
		return append(lines, indent+fitted(parts, v.Width-len(indent)))
	}
	for _, line := range wrapVerbatim(rest, v.Width-len(indent)) {
		lines = append(lines, indent+line)
	}
	return lines
}

// A part is a piece of a line. text may be cut where there is no room for it.
type part struct{ before, text, after string }

// decodedParts are the name of a message and its fields.
func decodedParts(m *transcript.Decoded) (name string, parts []part) {
	if m.Malformed != "" {
		return malformedName, []part{{text: clean(m.Malformed) + "; " + someBytes(m.Bytes)}}
	}
	for _, f := range m.Fields {
		p := part{before: clean(f.Name) + "=", text: clean(value(f))}
		if n := len(p.text) - 1; n > 0 && p.text[0] == '"' {
			p.before, p.text, p.after = p.before+`"`, p.text[1:n], `"`
		}
		if f.Note != "" {
			p.after += " (" + clean(f.Note) + ")"
		}
		parts = append(parts, p)
	}
	return clean(cmp.Or(m.Name, "(no name)")), parts
}

// malformedName stands where the name of a message would. No protocol has a
// message of that name.
const malformedName = "malformed!"

func oneLine(parts []part) string {
	var line strings.Builder
	for i, p := range parts {
		if i > 0 {
			line.WriteByte(' ')
		}
		line.WriteString(p.before + p.text + p.after)
	}
	return line.String()
}

// fitted is a line of at most limit columns in which the longest texts are cut,
// so that every field is seen; its end only where that is not enough.
func fitted(parts []part, limit int) string {
	const least = 8 // columns of a text
	over, most := width(oneLine(parts))-limit, 0
	for _, p := range parts {
		most = max(most, width(p.text))
	}
	for ; over > 0 && most > least; most-- {
		for _, p := range parts {
			if width(p.text) >= most {
				over--
			}
		}
	}
	parts = slices.Clone(parts)
	for i := range parts {
		parts[i].text = cutColumns(parts[i].text, most)
	}
	return cutColumns(oneLine(parts), limit)
}

// cutColumns is s in at most so many columns, the last of which says that
// something is missing where it is.
func cutColumns(s string, limit int) string {
	if width(s) <= limit {
		return s
	}
	return displaywidth.TruncateString(s, limit, "…")
}

func someBytes(b transcript.Body) string {
	const most = 24
	if b.Length == 0 {
		return "no bytes"
	}
	text := fmt.Sprintf("%s: % x", count(b.Length, "byte"), []byte(b.Head[:min(len(b.Head), most)]))
	if b.Length > most {
		text += " …"
	}
	return text
}

// nothing is what is left to do at the end where each message is written when
// it comes.
func nothing() error { return nil }

// messageJSON writes an object a line.
func messageJSON(w io.Writer) Messages {
	add := func(m *transcript.Decoded) error {
		b, err := json.Marshal(m)
		if err != nil {
			return fmt.Errorf("write json: %w", err)
		}
		if !isPlain(string(b)) {
			b = escapeUnprintable(b)
		}
		_, err = w.Write(append(b, '\n'))
		return err
	}
	return Messages{Add: add, Close: nothing}
}

// messageCSV writes a row for each message. The columns for fields are those
// of the first message that has any; a field without a column goes into the
// last one as name=value. Cells that a spreadsheet would take for a formula
// are quoted.
func messageCSV(w io.Writer) Messages {
	c := csv.NewWriter(w)
	var columns []string
	var waiting []*transcript.Decoded
	header := func() error {
		row := []string{"number", "time", "packet", "connection", "from", "to", "message"}
		return c.Write(append(append(row, columns...), "other", "malformed"))
	}
	write := func(m *transcript.Decoded) error {
		row := []string{
			fmt.Sprint(m.Number), m.Time.UTC().Format("2006-01-02T15:04:05.000000Z"), fmt.Sprint(m.Packet), fmt.Sprint(m.Conn),
			clean(m.Sender), clean(m.Receiver), cell(clean(m.Name)),
		}
		cells := make([]string, len(columns))
		var other []string
		for _, f := range m.Fields {
			text := cell(clean(plain(f)))
			if i := slices.Index(columns, f.Name); i >= 0 {
				cells[i] = text
				continue
			}
			other = append(other, clean(f.Name)+"="+text)
		}
		row = append(append(row, cells...), strings.Join(other, " "), cell(clean(m.Malformed)))
		if err := c.Write(row); err != nil {
			return err
		}
		c.Flush() // a capture may grow slowly
		return c.Error()
	}
	flush := func() error {
		for _, m := range waiting {
			if err := write(m); err != nil {
				return err
			}
		}
		waiting = nil
		return nil
	}
	add := func(m *transcript.Decoded) error {
		if columns == nil && len(m.Fields) == 0 {
			waiting = append(waiting, m)
			return nil
		}
		if columns == nil {
			for _, f := range m.Fields {
				columns = append(columns, f.Name)
			}
			if err := header(); err != nil {
				return err
			}
			if err := flush(); err != nil {
				return err
			}
		}
		return write(m)
	}
	end := func() error {
		if columns == nil {
			if err := header(); err != nil {
				return err
			}
			if err := flush(); err != nil {
				return err
			}
		}
		c.Flush()
		return c.Error()
	}
	return Messages{Add: add, Close: end}
}

// plain is a value without quotes.
func plain(f transcript.Field) string {
	if s, ok := f.Value.(string); ok {
		return s
	}
	return value(f)
}

// cell keeps a spreadsheet from taking text of the network for a formula.
func cell(s string) string {
	if s != "" && strings.ContainsAny(s[:1], "=+-@\t\r") {
		return "'" + s
	}
	return s
}
