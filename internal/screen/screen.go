// Package screen reads what a program prints as a user would: without the
// escape sequences by which it moves a cursor, chooses colours and draws its
// prompt again.
//
//	s := screen.New()
//	s.Write([]byte("> hel\r\x1b[K<bob> hi\r\n> hel"))
//	text, _ := s.Text(0) // "> hel\n<bob> hi\n> hel"
//	s.Display()          // what the screen looks like now: "<bob> hi", "> hel"
//
// There are two views. The log is everything that was shown, in its order: a
// line stays in it when the program wipes it out later. It decides whether a
// program has shown something. The display is what is left on the screen.
//
// A Screen is not safe for concurrent use.
package screen

import (
	"unicode"
	"unicode/utf8"
)

// The size of the display. It is that of the terminal that programs are given.
const (
	Rows    = 24
	Columns = 200
)

// A Screen is what a user has seen of a program.
type Screen struct {
	log  log
	grid grid

	state state
	args  []byte // of the escape sequence that is being read
	rest  []byte // the beginning of a character
}

// state is where in an escape sequence the input is.
type state int

const (
	plain   state = iota
	escape        // behind ESC
	control       // behind ESC [
	str           // in a string for the terminal, up to BEL or ESC \
	strEsc        // behind ESC in it
	charset       // behind ESC ( and the like
)

// maxArgs bounds what is kept of an escape sequence.
const maxArgs = 64

// New returns an empty screen.
func New() *Screen {
	s := &Screen{}
	s.grid.clear()
	return s
}

// Text is what was shown from an offset on, as plain text whose lines end in
// \n, and the offset of its end. What is older than the last megabyte is gone;
// then the text begins later. The line that is still being written may change.
func (s *Screen) Text(from int) (text string, end int) { return s.log.text(from) }

// Display is what the screen looks like now, from the top to the last line
// with something on it.
func (s *Screen) Display() []string { return s.grid.lines() }

// Write takes what the program printed. Output may be cut anywhere.
func (s *Screen) Write(b []byte) {
	if len(s.rest) > 0 {
		b = append(s.rest, b...)
		s.rest = nil
	}
	for len(b) > 0 {
		if b[0] < utf8.RuneSelf || s.state != plain {
			s.octet(b[0])
			b = b[1:]
			continue
		}
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			if !utf8.FullRune(b) {
				s.rest = append([]byte(nil), b...)
				return
			}
			s.visible(hexEscape(b[0]))
		} else {
			s.char(r)
		}
		b = b[n:]
	}
}

// char shows a character that is not ASCII.
func (s *Screen) char(r rune) {
	if unicode.IsPrint(r) || unicode.Is(unicode.M, r) || r == '\u200d' || r == '\ufe0f' || unicode.IsSpace(r) {
		s.log.put(r)
		s.grid.put(r)
		return
	}
	s.visible(unicodeEscape(r))
}

// visible shows what is not printable.
func (s *Screen) visible(text string) {
	for _, r := range text {
		s.log.put(r)
		s.grid.put(r)
	}
}

const digits = "0123456789abcdef"

func hexEscape(b byte) string { return string([]byte{'\\', 'x', digits[b>>4], digits[b&15]}) }

func unicodeEscape(r rune) string {
	return `\u` + string([]byte{digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15]})
}

// octet takes an ASCII character, or any byte within an escape sequence.
func (s *Screen) octet(b byte) {
	switch s.state {
	case plain:
		s.ascii(b)
	case escape:
		s.afterEscape(b)
	case control:
		switch {
		case b >= 0x40 && b <= 0x7e:
			s.state = plain
			s.command(b, string(s.args))
		case b == 0x1b:
			s.state = escape
		case b == 0x18 || b == 0x1a:
			s.state = plain
		case b < 0x20:
			s.ascii(b) // terminals obey these even here
		case len(s.args) < maxArgs:
			s.args = append(s.args, b)
		}
	case str:
		switch b {
		case 0x07, 0x18, 0x1a:
			s.state = plain
		case 0x1b:
			s.state = strEsc
		}
	case strEsc:
		s.state = str
		if b == '\\' {
			s.state = plain
		}
	case charset:
		s.state = plain
	}
}

func (s *Screen) ascii(b byte) {
	switch b {
	case 0x00, 0x07, 0x0e, 0x0f, 0x7f:
	case 0x1b:
		s.state = escape
	case '\n', 0x0b, 0x0c:
		s.log.newline()
		s.grid.newline()
	case '\r':
		s.log.back()
		s.grid.column = 0
	case '\b':
		s.log.move(-1)
		s.grid.moveTo(s.grid.row, s.grid.column-1)
	case '\t':
		s.log.put('\t')
		s.grid.moveTo(s.grid.row, (s.grid.column/8+1)*8)
	default:
		if b < 0x20 {
			s.visible(hexEscape(b))
			return
		}
		s.log.put(rune(b))
		s.grid.put(rune(b))
	}
}

func (s *Screen) afterEscape(b byte) {
	s.state = plain
	switch b {
	case '[':
		s.state, s.args = control, s.args[:0]
	case ']', 'P', 'X', '^', '_':
		s.state = str
	case '(', ')', '*', '+', '#', '%', ' ':
		s.state = charset
	case 0x1b:
		s.state = escape
	case 'D', 'E':
		s.log.newline()
		s.grid.newline()
	case 'M':
		s.log.leave()
		s.grid.moveTo(s.grid.row-1, s.grid.column)
	case '7':
		s.grid.save()
	case '8':
		s.log.leave()
		s.grid.restore()
	case 'c':
		s.log.leave()
		s.grid.clear()
	default:
		if b < 0x20 {
			s.ascii(b)
		}
	}
}
