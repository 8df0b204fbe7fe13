package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// messageHex writes all bytes of each message. The bytes of a field stand in
// rows of their own, before its name and value:
//
//	#3  0.003000  127.0.0.1:50001 -> 127.0.0.1:4445  say, 16 bytes
//	  0000  00 05                    UNameL    5
//	  0002  00 00 00 05              MessageL  5
//	  0006  61 6c 69 63 65           Username  "alice"
//	  000b  68 65 6c 6c 6f           Message   "hello"
func messageHex(w io.Writer, v View) Messages {
	var b bytes.Buffer
	started := false
	add := func(m *transcript.Decoded) error {
		b.Reset()
		if started {
			b.WriteByte('\n')
		}
		started = true
		name := cmp.Or(m.Name, "(no name)")
		if m.Malformed != "" {
			name = malformedName
		}
		head := fmt.Sprintf("#%d  %s  %s -> %s  %s, %s", m.Number, transcript.AppendSeconds(nil, m.Time, v.Scene.begin(m)),
			m.Sender, m.Receiver, name, count(m.Bytes.Length, "byte"))
		v.wrapped(&b, 0, clean(head))
		if m.Malformed != "" {
			v.wrapped(&b, 2, "reason: "+clean(m.Malformed))
			v.hexText(&b, m.Bytes)
		} else {
			v.hexFields(&b, &m.Message)
		}
		_, err := w.Write(noCommands(b.Bytes()))
		return err
	}
	return Messages{Add: add, Close: nothing}
}

// wrapped writes a text within the width of the screen.
func (v View) wrapped(b *bytes.Buffer, indent int, text string) {
	lines := []string{text}
	if v.Width > 0 {
		lines = wrapVerbatim(text, v.Width-indent)
	}
	for _, line := range lines {
		fmt.Fprintf(b, "%*s%s\n", indent, "", line)
	}
}

// hexFields writes the fields of a message, and what stands between them.
func (v View) hexFields(b *bytes.Buffer, m *transcript.Message) {
	const before = len("  0000  ") + 3*bytesPerLine + 1
	fields := withWords(m)
	names := 0
	for _, f := range fields {
		names = max(names, width(clean(f.Name)))
	}
	if v.Width > 0 {
		names = min(names, max(v.Width-before-2-16, 8))
	}
	for _, f := range fields {
		text := clean(value(f))
		if f.Note != "" {
			text += " (" + clean(f.Note) + ")"
		}
		name, lines := []string{clean(f.Name)}, []string{text}
		if v.Width > 0 {
			name, lines = wrapVerbatim(name[0], names), wrapVerbatim(text, v.Width-before-names-2)
		}
		rows := hexRows(m.Bytes, f.Start, f.Size, bytesPerLine)
		for i := range max(len(rows), len(lines), len(name)) {
			row := hexRow{}
			if i < len(rows) {
				row = rows[i]
			}
			line := fmt.Sprintf("  %-4s  %s %s  %s", row.offset(), pad(row.hex(), 3*bytesPerLine), pad(nth(name, i), names), nth(lines, i))
			b.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
}

// hexText writes bytes that are no message, beside what they are as text.
func (v View) hexText(b *bytes.Buffer, body transcript.Body) {
	perLine := 2 * bytesPerLine
	if v.Width > 0 && v.Width < len("  0000  ")+4*perLine+1 {
		perLine = bytesPerLine
	}
	for _, row := range hexRows(body, 0, body.Length, perLine) {
		line := fmt.Sprintf("  %-4s  %s %s", row.offset(), pad(row.hex(), 3*perLine), ascii(row.bytes))
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// A hexRow is some bytes of a message, or how many are not kept there.
type hexRow struct {
	at      int
	bytes   []byte
	missing int
	isRow   bool // and not the empty rest of a column
}

func (r hexRow) offset() string {
	if !r.isRow || r.missing > 0 {
		return ""
	}
	return fmt.Sprintf("%04x", r.at)
}

func (r hexRow) hex() string {
	if r.missing > 0 {
		return "… " + count(r.missing, "byte") + " …"
	}
	return fmt.Sprintf("% x", r.bytes)
}

// hexRows are the bytes of a message from start on, as far as they are kept: of
// a long message that is its beginning and its end.
func hexRows(body transcript.Body, start, size, perLine int) []hexRow {
	end := min(start+size, body.Length)
	if size == 0 {
		return []hexRow{{at: start, isRow: true}}
	}
	var rows []hexRow
	add := func(from, to int, kept []byte, first int) {
		from, to = max(from, start), min(to, end)
		if from >= to {
			return
		}
		at := from
		for chunk := range slices.Chunk(kept[from-first:to-first], perLine) {
			rows = append(rows, hexRow{at: at, bytes: chunk, isRow: true})
			at += len(chunk)
		}
	}
	head, tail := len(body.Head), body.Length-len(body.Tail)
	add(0, head, body.Head, 0)
	if from, to := max(head, start), min(tail, end); from < to {
		rows = append(rows, hexRow{at: from, missing: to - from, isRow: true})
	}
	add(tail, body.Length, body.Tail, tail)
	return rows
}

// ascii is what bytes are as text, with points for what is none.
func ascii(b []byte) string {
	text := make([]byte, len(b))
	for i, octet := range b {
		text[i] = '.'
		if octet >= ' ' && octet <= '~' {
			text[i] = octet
		}
	}
	return string(text)
}
