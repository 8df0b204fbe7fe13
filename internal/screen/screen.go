// Package screen reads what a program prints as a user would: without the escape sequences by which it moves a cursor,
// chooses colours and draws its prompt again.
//
//	s := screen.New()
//	s.Write([]byte("> hel\r\x1b[K<bob> hi\r\n> hel"))
//	text, _ := s.Text(0) // "> hel\n<bob> hi\n> hel"
//	s.Display()          // what the screen looks like now: "<bob> hi", "> hel"
//
// There are two views. The log is everything that was shown, in its order: a line stays in it when the program wipes
// it out later. It decides whether a program has shown something. The display is what is left on the screen.
//
// A Screen is not safe for concurrent use.
package screen

import (
	"fmt"
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

	state     state
	args      []byte // of the escape sequence that is being read
	rest      []byte // the beginning of a character
	long      int    // bytes of the string for the terminal that is being read
	set       byte   // behind which of ( and ) a character set is being chosen
	drawing   [2]bool
	shifted   int  // which of drawing holds
	inserting bool // what is written pushes the rest of the line
	last      rune // written
	replies   []byte
}

// maxArgs bounds what is kept of an escape sequence.
const maxArgs = 256

// maxMessage is how long a string for the terminal may be. Where one has no end, because the rest of it was lost, a
// terminal would show nothing any more.
const maxMessage = 4 << 10

// New returns an empty screen.
func New() *Screen {
	s := &Screen{}
	s.grid.page = newPage()
	return s
}

// Text is what was shown from an offset on, as plain text whose lines end in \n, and the offset of its end, from which
// a later call returns what came since. What is older than the last megabyte is gone; then the text begins later.
//
// A line that is finished does not change any more. In the last one, what is typed may still be edited: there, text
// that is rubbed out is gone, and text that replaces it is new. Control characters, and what is no UTF-8, are shown as
// escapes such as \x01 and \xff.
func (s *Screen) Text(from int) (text string, end int) { return s.log.text(from) }

// Display is what the screen looks like now, from the top to the last line with something on it.
func (s *Screen) Display() []string { return s.grid.lines() }

// Replies is what a terminal answers to questions that the program has printed since the last call, such as where the
// cursor is: it is to be typed into the program. Mostly it is empty.
func (s *Screen) Replies() []byte {
	replies := s.replies
	s.replies = nil
	return replies
}

// maxReplies bounds what is kept for Replies.
const maxReplies = 1 << 10

func (s *Screen) reply(format string, args ...any) {
	if len(s.replies) < maxReplies {
		s.replies = fmt.Appendf(s.replies, format, args...)
	}
}

// Write takes what the program printed. It may be cut anywhere.
func (s *Screen) Write(b []byte) {
	if len(s.rest) > 0 {
		b = append(s.rest, b...)
		s.rest = nil
	}
	for len(b) > 0 {
		if n := s.run(b); n > 0 {
			b = b[n:]
			continue
		}
		if b[0] < utf8.RuneSelf || s.state == message {
			s.octet(b[0])
			b = b[1:]
			continue
		}
		s.state = plain // in a sequence it is no part of that
		r, n := utf8.DecodeRune(b)
		switch {
		case n > 1 && r > 0x9f:
			s.put(r, width(r))
		case n > 1:
			s.visible(fmt.Sprintf(`\u%04x`, r))
		case !utf8.FullRune(b):
			s.rest = append([]byte(nil), b...)
			return
		default:
			s.visible(fmt.Sprintf(`\x%02x`, b[0]))
		}
		b = b[n:]
	}
}

// run shows as much plain text as it can at once, behind all that is in the line, and returns how much that was. It does
// nothing that put does not do, but faster.
func (s *Screen) run(b []byte) int {
	l, g := &s.log, &s.grid
	row := g.cells[g.row]
	if s.state != plain || l.returned || l.addressed || g.wrap || l.at != len(l.line) || g.column != len(row) ||
		len(l.line) >= maxLine-Columns || s.drawing[s.shifted] {
		return 0
	}
	n := 0
	for limit := min(len(b), Columns-1-g.column); n < limit && b[n] >= ' ' && b[n] < 0x7f; n++ {
		l.line = append(l.line, cell{char: rune(b[n]), stamp: l.end + n})
		row = append(row, cell{char: rune(b[n])})
	}
	if n > 0 {
		g.cells[g.row], s.last = row, rune(b[n-1])
		g.column += n
		l.at += n
		l.end += n
	}
	return n
}

// octet takes an ASCII character, or any byte within a string for the terminal.
func (s *Screen) octet(b byte) {
	before := s.state
	s.state = before.after(b)
	if s.long++; before != message {
		s.long = 0
	} else if s.long >= maxMessage {
		s.state = plain
	}
	switch {
	case before == plain:
		s.ascii(b)
	case b == 0x1b || b == 0x18 || b == 0x1a || before == message:
	case b < 0x20:
		s.ascii(b) // terminals obey these even here
	case before == control && s.state == plain:
		s.command(b, s.args)
	case before == control && len(s.args) < maxArgs:
		s.args = append(s.args, b)
	case before == escape || before == messageEsc:
		s.args = s.args[:0]
		s.afterEscape(b)
	case before == charset && s.state == plain && (s.set == '(' || s.set == ')'):
		s.drawing[s.set-'('] = b == '0'
	}
}

func (s *Screen) ascii(b byte) {
	l, g := &s.log, &s.grid
	switch b {
	case 0x00, 0x07, 0x1b, 0x7f:
	case 0x0e, 0x0f: // SO and SI
		s.shifted = int(0x0f - b)
	case '\n', 0x0b, 0x0c:
		l.newline()
		g.down()
	case '\r':
		s.carriageReturn()
	case '\b':
		s.moveTo(g.column - 1)
	case '\t':
		to := min((g.column/8+1)*8, Columns-1)
		l.tab(max(to-g.column, 1))
		g.column = to
	default:
		switch {
		case b < 0x20:
			s.visible(fmt.Sprintf(`\x%02x`, b))
		case b >= 0x5f && s.drawing[s.shifted]:
			s.put(lines[b-0x5f], 1)
		default:
			s.put(rune(b), 1)
		}
	}
}

// lines are what the characters from _ to ~ are in the character set for drawing.
var lines = []rune(" ◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·")

func (s *Screen) put(r rune, width int) {
	l, g := &s.log, &s.grid
	if l.addressed && !l.returned {
		l.load(g.cells[g.row])
	}
	if s.inserting && width > 0 {
		s.insertBlanks(width)
	}
	l.put(r, width)
	g.put(r, width)
	if width > 0 {
		s.last = r
	}
}

// visible shows what is not printable.
func (s *Screen) visible(text string) {
	for _, r := range text {
		s.put(r, 1)
	}
}

// rowStart is where in the line of the log the row begins in which the cursor is: a long line has several.
func (s *Screen) rowStart() int {
	at := s.log.at - s.grid.column
	if s.grid.wrap {
		at--
	}
	return at
}

// moveTo moves the cursor within its row.
func (s *Screen) moveTo(column int) {
	l, start := &s.log, s.rowStart()
	s.grid.moveTo(s.grid.row, column)
	l.at = max(start+s.grid.column, 0)
	l.returned = l.returned && s.grid.column == 0
}

// carriageReturn goes to the beginning of the row. In the log, what comes next is a line of its own: the program shows
// something else there.
func (s *Screen) carriageReturn() {
	s.moveTo(0)
	s.log.returned = true
}

// insertBlanks makes room for n characters at the cursor, and deleteChars takes n away. It is only the row that moves,
// also in the log, whose line may have more than one.
func (s *Screen) insertBlanks(n int) {
	s.log.insertBlanks(n, s.rowEnd())
	s.grid.insertChars(n)
}

func (s *Screen) deleteChars(n int) {
	s.log.deleteChars(n, s.rowEnd())
	s.grid.deleteChars(n)
}

func (s *Screen) rowEnd() int { return max(s.rowStart(), 0) + Columns }

// leaveFor moves the cursor to another row.
func (s *Screen) leaveFor(row, column int) {
	s.log.leave()
	s.grid.moveTo(row, column)
	s.arrive()
}

// arrive is told when the cursor has come to a row that may have text in it.
func (s *Screen) arrive() {
	s.log.leave()
	s.log.at, s.log.addressed = s.grid.column, true
}

func (s *Screen) afterEscape(b byte) {
	g := &s.grid
	switch {
	case b < 0x30:
		s.set = b
	case b == 'D':
		g.down()
		s.arrive()
	case b == 'E':
		s.log.newline()
		g.column = 0
		g.down()
	case b == 'M':
		g.up()
		s.arrive()
	case b == '7':
		g.kept = [2]int{g.row, g.column}
	case b == '8':
		s.leaveFor(g.kept[0], g.kept[1])
	case b == 'c':
		s.log.leave()
		*s = Screen{log: s.log, replies: s.replies}
		s.grid.page = newPage()
	}
}
