package transcript

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Printable makes text from the network harmless to show: control characters,
// invalid UTF-8, and characters that turn the direction of writing become
// visible escapes such as \x1b. Newlines become \n: the result is one line.
func Printable(b []byte) string {
	return printable(b, false)
}

// PrintableLines is [Printable] for text of several lines, such as what a
// program printed: newlines and tabs stay.
func PrintableLines(b []byte) string {
	return printable(b, true)
}

func printable(b []byte, lines bool) string {
	var s strings.Builder
	s.Grow(len(b))
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&s, `\x%02x`, b[0])
		case lines && (r == '\n' || r == '\t'):
			s.WriteRune(r)
		case r == '\n':
			s.WriteString(`\n`)
		case r == '\r':
			s.WriteString(`\r`)
		case r == '\t':
			s.WriteString(`\t`)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&s, `\x%02x`, r)
		case !unicode.IsPrint(r) && r != ' ':
			fmt.Fprintf(&s, `\u%04x`, r)
		default:
			s.WriteRune(r)
		}
		b = b[n:]
	}
	return s.String()
}

// AppendQuoted appends a text that is printable already ([Printable]) in double
// quotes. A quote in it gets a backslash, and backslashes before a quote are
// doubled; others stay as they are, as those of escapes are.
func AppendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	slashes := 0 // that stand at the end of dst
	for i := range len(s) {
		switch s[i] {
		case '\\':
			slashes++
		case '"':
			for range slashes + 1 {
				dst = append(dst, '\\')
			}
			slashes = 0
		default:
			slashes = 0
		}
		dst = append(dst, s[i])
	}
	for range slashes {
		dst = append(dst, '\\')
	}
	return append(dst, '"')
}

// AppendSeconds appends what has passed from begin to t, in seconds that are
// cut to six decimals, or "-" for the zero time.
func AppendSeconds(dst []byte, t, begin time.Time) []byte {
	if t.IsZero() {
		return append(dst, '-')
	}
	us := t.Sub(begin).Microseconds()
	if us < 0 {
		dst = append(dst, '-')
		us = -us
	}
	dst = strconv.AppendInt(dst, us/1e6, 10)
	part := uint32(us % 1e6)
	a, b, c := part/10000, part/100%100, part%100
	return append(dst, '.', byte('0'+a/10), byte('0'+a%10), byte('0'+b/10), byte('0'+b%10), byte('0'+c/10), byte('0'+c%10))
}
