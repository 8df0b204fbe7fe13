package refclient

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// visible is a text as it may be shown: on one line, every character of it to
// be seen and none to be obeyed. A backslash stays as it is, so what is
// shown is for reading and not for turning back.
func visible(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case hidden(r):
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		default:
			b.WriteString(text[:n])
		}
		text = text[n:]
	}
	return b.String()
}

// hidden says which characters act on the screen or cannot be seen: controls
// (C0, DEL, C1), direction and other format characters, line and paragraph
// separators.
func hidden(r rune) bool {
	switch {
	case r < utf8.RuneSelf:
		return r < ' ' || r == 0x7f
	case r == 0x200c || r == 0x200d: // joiners: Persian and most families of emoji need them
		return false
	case 0xe0020 <= r && r <= 0xe007f: // tags: the flags of Scotland and Wales
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

// speaker is a name as it may stand in front of what is said. Nobody can have a
// name that looks like a notice, or like a name and the start of a message.
func speaker(name string) string {
	if strings.HasPrefix(name, "* ") {
		name = `\x2a` + name[1:]
	}
	return strings.ReplaceAll(name, ": ", `\x3a `)
}
