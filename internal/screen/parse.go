package screen

import (
	"strings"
	"unicode/utf8"
)

// state is where in an escape sequence the output is.
type state int

const (
	plain      state = iota
	escape           // behind ESC
	charset          // behind ESC ( and the like
	control          // behind ESC [
	message          // in a string for the terminal, up to BEL or ESC \
	messageEsc       // behind ESC in it
)

// after is the state behind one more byte. Terminals agree on this: ESC begins a new sequence wherever it comes, other
// control characters act also within sequences, and what is not ASCII is text.
func (s state) after(b byte) state {
	switch {
	case b == 0x1b && s == message:
		return messageEsc
	case b == 0x1b:
		return escape
	case b == 0x18 || b == 0x1a: // CAN and SUB
		return plain
	case s == message:
		if b == 0x07 {
			return plain
		}
		return message
	case s == plain || b >= utf8.RuneSelf:
		return plain
	case b < 0x20 || b == 0x7f:
		if s == messageEsc {
			return escape
		}
		return s
	case s == control:
		if b >= 0x40 {
			return plain
		}
		return control
	case s == charset:
		if b >= 0x30 {
			return plain
		}
		return charset
	}
	switch b { // behind ESC
	case '[':
		return control
	case ']', 'P', 'X', '^', '_':
		return message
	}
	if b < 0x30 {
		return charset
	}
	return plain
}

// HasControl reports whether a control character or an escape sequence, or the beginning of one, is in what a program
// has printed so that a terminal obeys it. A byte within a longer sequence or within a character does not count: the
// bell at the end of a title that the program sets is no bell.
func HasControl(raw []byte, sequence string) bool {
	at := plain
	text := string(raw)
	for i := 0; i < len(text); i++ {
		b := text[i]
		if at != message && (at == plain || b < 0x20) && strings.HasPrefix(text[i:], sequence) {
			return true
		}
		if at == plain && b >= utf8.RuneSelf {
			_, n := utf8.DecodeRuneInString(text[i:])
			i += n - 1
			continue
		}
		at = at.after(b)
	}
	return false
}
