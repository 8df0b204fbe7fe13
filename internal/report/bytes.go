package report

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

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
