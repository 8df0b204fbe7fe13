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
	"time"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// Messages writes the messages of a capture as they are found. Close must be
// called at the end.
type Messages struct {
	Add   func(*transcript.Decoded) error
	Close func() error
}

// NewMessages makes a writer for the format table, json or csv. width is that
// of the screen, and 0 asks for one line a message however long it is.
func NewMessages(w io.Writer, format string, width int) (Messages, error) {
	switch format {
	case "table":
		return messageTable(w, width), nil
	case "json":
		return messageJSON(w), nil
	case "csv":
		return messageCSV(w), nil
	}
	return Messages{}, fmt.Errorf("unknown format %q: there is table, json and csv", format)
}

// messageTable writes a row for each message: who to whom, its name, then every
// field by its own name, below the row where that is too long for the screen.
// Rows are written at once, so a column becomes wider when an address needs it.
func messageTable(w io.Writer, screen int) Messages {
	var begin time.Time
	var b bytes.Buffer
	started, from, to := false, len("127.0.0.1:12345"), len("127.0.0.1:12345")
	const indent = 8
	add := func(m *transcript.Decoded) error {
		b.Reset()
		from, to = max(from, len(m.Sender)), max(to, len(m.Receiver))
		if !started {
			started, begin = true, m.Time
			fmt.Fprintf(&b, "%6s  %10s  %-*s  %-*s  %s\n", "number", "time", from, "from", to, "to", "message")
		}
		fmt.Fprintf(&b, "%6d  %10.6f  %-*s  %-*s  ", m.Number, m.Time.Sub(begin).Seconds(), from, clean(m.Sender), to, clean(m.Receiver))
		name, rest := decodedText(m)
		used := b.Len() - (bytes.LastIndexByte(b.Bytes(), '\n') + 1) // addresses are ASCII
		switch {
		case rest == "":
			b.WriteString(name)
		case screen == 0 || used+max(width(name), 6)+1+width(rest) <= screen:
			b.WriteString(pad(name, 6) + " " + rest)
		default:
			b.WriteString(name)
			for _, line := range wrapVerbatim(rest, screen-indent) {
				fmt.Fprintf(&b, "\n%*s%s", indent, "", line)
			}
		}
		b.WriteByte('\n')
		_, err := w.Write(noCommands(b.Bytes()))
		return err
	}
	return Messages{Add: add, Close: func() error { return nil }}
}

// decodedText is the name of a message and its fields in a line.
func decodedText(m *transcript.Decoded) (name, rest string) {
	if m.Malformed != "" {
		return "malformed", clean(m.Malformed) + "; " + someBytes(m.Bytes)
	}
	var parts []string
	for _, f := range m.Fields {
		text := f.Name + "=" + value(f)
		if f.Note != "" {
			text += " (" + f.Note + ")"
		}
		parts = append(parts, text)
	}
	return clean(cmp.Or(m.Name, "(no name)")), clean(strings.Join(parts, " "))
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

// messageJSON writes an array with an object a line.
func messageJSON(w io.Writer) Messages {
	n := 0
	add := func(m *transcript.Decoded) error {
		b, err := json.Marshal(m)
		if err != nil {
			return fmt.Errorf("write json: %w", err)
		}
		sep := ",\n"
		if n == 0 {
			sep = "[\n"
		}
		n++
		_, err = fmt.Fprintf(w, "%s%s", sep, escapeUnprintable(b))
		return err
	}
	end := func() error {
		text := "\n]\n"
		if n == 0 {
			text = "[]\n"
		}
		_, err := io.WriteString(w, text)
		return err
	}
	return Messages{Add: add, Close: end}
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
			m.Sender, m.Receiver, cell(m.Name),
		}
		cells := make([]string, len(columns))
		var other []string
		for _, f := range m.Fields {
			text := cell(plain(f))
			if i := slices.Index(columns, f.Name); i >= 0 {
				cells[i] = text
				continue
			}
			other = append(other, f.Name+"="+text)
		}
		row = append(append(row, cells...), strings.Join(other, " "), cell(m.Malformed))
		return c.Write(row)
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
