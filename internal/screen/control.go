package screen

import (
	"bytes"
	"strconv"
	"strings"
)

// command obeys a control sequence: its last character and what stands before that. Colours change no text.
func (s *Screen) command(final byte, args []byte) {
	if private, ok := bytes.CutPrefix(args, []byte("?")); ok {
		s.mode(final, string(private))
		return
	}
	if bytes.ContainsFunc(args, func(r rune) bool { return r < '0' || r > ';' }) {
		return
	}
	numbers := strings.Split(string(args), ";")
	// arg is the i-th number, or what stands for it where it is left out.
	arg := func(i, otherwise int) int {
		if i < len(numbers) {
			if n, err := strconv.Atoi(numbers[i]); err == nil && n > 0 {
				return min(n, 10000)
			}
		}
		return otherwise
	}
	n, g := arg(0, 1), &s.grid
	switch final {
	case 'A', 'k':
		s.leaveFor(g.row-n, g.column)
	case 'B', 'e':
		s.leaveFor(g.row+n, g.column)
	case 'E':
		s.leaveFor(g.row+n, 0)
	case 'F':
		s.leaveFor(g.row-n, 0)
	case 'd':
		s.leaveFor(n-1, g.column)
	case 'H', 'f':
		s.leaveFor(n-1, arg(1, 1)-1)
	case 'u':
		s.leaveFor(g.kept[0], g.kept[1])
	case 's':
		g.kept = [2]int{g.row, g.column}
	case 'C', 'a':
		s.moveTo(g.column + n)
	case 'D', 'j':
		s.moveTo(g.column - n)
	case 'I':
		s.moveTo((g.column/8 + n) * 8)
	case 'Z':
		s.moveTo((g.column + 7 - 8*n) / 8 * 8)
	case 'G', '`':
		if n == 1 {
			s.carriageReturn()
		} else {
			s.moveTo(n - 1)
		}
	case 'n', 'c':
		s.question(final, arg(0, 0))
	default:
		s.change(final, n, arg(0, 0), arg(1, Rows))
	}
}

// change obeys what changes the text, or how it is changed: what is the first number where 0 has a meaning.
func (s *Screen) change(final byte, n, what, second int) {
	g, l := &s.grid, &s.log
	switch final {
	case 'J':
		s.eraseScreen(what)
	case 'K':
		s.eraseLine(what)
	case 'P', '@', 'X':
		if l.addressed {
			l.load(g.cells[g.row])
		}
		l.returned, g.wrap = false, false
		switch n = min(n, Columns); final {
		case 'P':
			s.deleteChars(n)
		case '@':
			s.insertBlanks(n)
		case 'X':
			l.wipe(l.at, l.at+n)
			g.eraseLine(g.column, g.column+n)
		}
	case 'L', 'M', 'S', 'T':
		n = min(n, Rows)
		switch final {
		case 'L':
			g.insertRows(g.row, n)
		case 'M':
			g.deleteRows(g.row, n)
		case 'S':
			g.deleteRows(g.top, n)
		case 'T':
			g.insertRows(g.top, n)
		}
		s.arrive()
	case 'r':
		if top, bottom := n-1, min(second, Rows); top+1 < bottom {
			g.top, g.bottom = top, bottom
			s.leaveFor(0, 0)
		}
	case 'b':
		if s.last != 0 {
			for range min(n, Columns) {
				s.put(s.last, width(s.last))
			}
		}
	case 'h', 'l':
		if what == 4 {
			s.inserting = final == 'h'
		}
	}
}

// mode turns something on or off that only some terminals have.
func (s *Screen) mode(final byte, args string) {
	if final != 'h' && final != 'l' {
		return
	}
	for _, number := range strings.Split(args, ";") {
		switch number {
		case "7":
			s.grid.cut = final == 'l'
		case "47", "1047", "1049":
			if on := final == 'h'; on != s.grid.isFull {
				s.log.leave()
				s.grid.full(on)
				s.arrive()
			}
		}
	}
}

func (s *Screen) question(final byte, what int) {
	switch {
	case final == 'c' && what == 0:
		s.reply("\x1b[?1;2c") // a VT100 with its usual extension
	case final == 'n' && what == 5:
		s.reply("\x1b[0n")
	case final == 'n' && what == 6:
		s.reply("\x1b[%d;%dR", s.grid.row+1, s.grid.column+1)
	}
}

func (s *Screen) eraseLine(what int) {
	g, l := &s.grid, &s.log
	g.wrap = false
	switch what {
	case 0:
		l.erase()
		if l.at == 0 {
			l.at = g.column
		}
		g.eraseLine(g.column, Columns)
	case 1:
		if len(l.line) <= l.at+1 {
			s.arrive()
		} else {
			l.wipe(0, l.at+1)
		}
		g.eraseLine(0, g.column+1)
	case 2:
		returned := l.returned
		s.arrive()
		l.returned = returned
		g.eraseLine(0, Columns)
	}
}

func (s *Screen) eraseScreen(what int) {
	g := &s.grid
	switch what {
	case 0:
		s.eraseLine(0)
		for i := g.row + 1; i < Rows; i++ {
			g.cells[i] = nil
		}
	case 1:
		s.eraseLine(1)
		for i := range g.row {
			g.cells[i] = nil
		}
	case 2:
		s.arrive()
		g.clear()
	}
}
