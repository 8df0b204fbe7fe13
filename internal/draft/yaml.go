package draft

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// plainSyntax is what stands in a flow mapping without quotes and means itself.
var plainSyntax = regexp.MustCompile(`^[\p{L}\p{N}_$][\p{L}\p{N}_$.!'()/+*=@-]*( [\p{L}\p{N}_$.!'()/+*=@&-]+)*$`)

// scalar writes a text that has its references in it already.
func scalar(text string) string {
	switch {
	case !utf8.ValidString(text):
		return "{bytes: '" + hexDigits([]byte(text)) + "'}"
	case strings.IndexFunc(text, hidden) >= 0 || len(text) > foldAt:
		return folded(text)
	case plainSyntax.MatchString(text):
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

// hidden tells characters that an editor would not show as they are.
func hidden(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }

// foldAt is how many bytes of a text stand on a line.
const foldAt = 100

// folded writes a text in double quotes, on several lines where it is long.
func folded(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	line := 0
	for _, r := range text {
		if line >= foldAt {
			b.WriteString("\\\n          ")
			if r == ' ' {
				b.WriteByte('\\') // or it would be taken for a margin
			}
			line = 0
		}
		n := b.Len()
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case !hidden(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		line += b.Len() - n
	}
	b.WriteByte('"')
	return b.String()
}

func hexDigits(b []byte) string {
	var s strings.Builder
	for i, c := range b {
		switch {
		case i == 0:
		case i%32 == 0:
			s.WriteString("\n          ")
		default:
			s.WriteByte(' ')
		}
		s.WriteString(hex.EncodeToString([]byte{c}))
	}
	return s.String()
}

// repeated finds a text that is one piece, over and over.
func repeated(text string) (unit string, times int, ok bool) {
	for n := 1; n <= 64 && n*4 <= len(text); n++ {
		if len(text)%n == 0 && utf8.ValidString(text[:n]) && strings.Repeat(text[:n], len(text)/n) == text {
			return text[:n], len(text) / n, true
		}
	}
	return "", 0, false
}
