package screen

import (
	"strconv"
	"strings"
)

// command obeys a control sequence: its last character and what stands before
// that. Colours and modes change no text.
func (s *Screen) command(final byte, args string) {
	g, l := &s.grid, &s.log
	if strings.HasPrefix(args, "?") {
		if (final == 'h' || final == 'l') && strings.Contains(args, "1049") {
			l.leave()
			g.clear()
		}
		return
	}
	numbers := strings.Split(args, ";")
	// arg is the i-th number, or what stands for it where it is left out.
	arg := func(i, otherwise int) int {
		if i < len(numbers) {
			if n, err := strconv.Atoi(numbers[i]); err == nil && n >= 0 && n <= 10000 {
				return n
			}
		}
		return otherwise
	}
	n := max(arg(0, 1), 1)
	switch final {
	case 'A', 'F':
		l.leave()
		g.moveTo(g.row-n, g.column)
	case 'B', 'E', 'e':
		l.leave()
		g.moveTo(g.row+n, g.column)
	case 'C', 'a':
		l.move(n)
		l.returned = false
		g.moveTo(g.row, g.column+n)
	case 'D':
		l.move(-n)
		g.moveTo(g.row, g.column-n)
	case 'G', '`':
		if n == 1 {
			l.back()
		} else {
			l.at, l.returned = n-1, false
		}
		g.moveTo(g.row, n-1)
	case 'd':
		l.leave()
		g.moveTo(n-1, g.column)
	case 'H', 'f':
		l.leave()
		g.moveTo(n-1, max(arg(1, 1), 1)-1)
	case 'J':
		s.eraseScreen(arg(0, 0))
	case 'K':
		switch arg(0, 0) {
		case 0:
			l.erase()
			g.eraseLine(g.column, Columns)
		case 1:
			g.eraseLine(0, g.column+1)
		case 2:
			l.wipe()
			g.eraseLine(0, Columns)
		}
	case 'P':
		if l.at < len(l.line) {
			l.line = append(l.line[:l.at], l.line[min(l.at+n, len(l.line)):]...)
		}
		g.deleteChars(n)
	case '@':
		if l.at < len(l.line) {
			tail := append([]rune(nil), l.line[l.at:]...)
			l.line = append(append(l.line[:l.at], []rune(strings.Repeat(" ", min(n, Columns)))...), tail...)
		}
		g.insertChars(n)
	case 'X':
		g.eraseLine(g.column, g.column+n)
	case 's':
		g.save()
	case 'u':
		l.leave()
		g.restore()
	}
}

func (s *Screen) eraseScreen(what int) {
	g, l := &s.grid, &s.log
	switch what {
	case 0:
		l.erase()
		g.eraseLine(g.column, Columns)
		for i := g.row + 1; i < Rows; i++ {
			g.cells[i] = g.cells[i][:0]
		}
	case 1:
		for i := range g.row {
			g.cells[i] = g.cells[i][:0]
		}
		g.eraseLine(0, g.column+1)
	default:
		l.leave()
		row, column := g.row, g.column
		g.clear()
		g.moveTo(row, column)
	}
}
