package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// JSON writes the lossless form, from which every other one can be rendered.
func JSON(w io.Writer, r *transcript.Report) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	if _, err := w.Write(escapeUnprintable(b.Bytes())); err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	return nil
}

// escapeUnprintable writes what could act on a terminal as \u escapes. The
// encoder does so with control characters below U+0020 only; what else there
// is can stand nowhere but in strings, where the escapes mean the same.
func escapeUnprintable(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == '\n' || unicode.IsPrint(r):
			out = append(out, text[:n]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		text = text[n:]
	}
	return out
}

// ReadJSON reads what [JSON] wrote. A file of another schema is an error, and
// so is anything in it or behind it that would be lost if it were written again.
func ReadJSON(rd io.Reader) (*transcript.Report, error) {
	text, err := io.ReadAll(rd)
	if err != nil {
		return nil, fmt.Errorf("read result: %w", err)
	}
	var head struct{ Schema string }
	var r transcript.Report
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	d.DisallowUnknownFields()
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("read result: %w", err)
	}
	if head.Schema != transcript.Schema {
		return nil, fmt.Errorf("read result: its schema is %q and not %q", head.Schema, transcript.Schema)
	}
	if err := d.Decode(&r); err != nil {
		return nil, fmt.Errorf("read result: %w", err)
	}
	for i := range r.Suites {
		if r.Suites[i].Contact != nil {
			exactRun(r.Suites[i].Contact)
		}
	}
	for i := range r.Runs {
		exactRun(&r.Runs[i])
	}
	return &r, nil
}

// exactRun makes the numbers in fields what they were; as floating point ones
// they would lose digits.
func exactRun(run *transcript.Run) {
	for i := range run.Events {
		exactMessage(run.Events[i].Message)
	}
	if f := run.Failure; f != nil {
		exactMessage(f.Wanted)
		for i := range f.Came {
			exactMessage(&f.Came[i])
		}
	}
}

func exactMessage(m *transcript.Message) {
	if m == nil {
		return
	}
	for i := range m.Fields {
		m.Fields[i].Value = exact(m.Fields[i].Value)
	}
}

func exact(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return n
		}
		return v.String()
	case []any:
		for i := range v {
			v[i] = exact(v[i])
		}
	}
	return v
}
