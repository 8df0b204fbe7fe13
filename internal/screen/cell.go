package screen

import (
	"unicode/utf8"

	"github.com/clipperhouse/displaywidth"
)

// A cell is what stands in one column of a line.
type cell struct {
	char  rune
	more  string // accents and the like, which join char
	stamp int    // in the log: the offset at which it was shown
}

// half is in the second column of a wide character, and in all but the first column of a tab.
const half rune = -1

// maxMore bounds cell.more, so that accents without end cost no memory without end.
const maxMore = 64

func (c cell) size() int {
	if c.char == half {
		return 0
	}
	return utf8.RuneLen(c.char) + len(c.more)
}

func (c cell) appendTo(b []byte) []byte {
	if c.char == half {
		return b
	}
	return append(utf8.AppendRune(b, c.char), c.more...)
}

// blank is an empty column.
var blank = cell{char: ' '}

// pad appends blanks up to a length.
func pad(row []cell, length int) []cell {
	for len(row) < length {
		row = append(row, blank)
	}
	return row
}

// put writes a character of some columns over what is there; at is not beyond the end of the row. Half of a wide
// character is nothing: what remains of one is wiped.
func put(row []cell, at int, c cell, width int) []cell {
	for i := range max(width, 1) {
		if at+i == len(row) {
			row = append(row, cell{})
		} else {
			wipeRest(row, at+i)
		}
		row[at+i] = c
		c = cell{char: half, stamp: c.stamp}
	}
	return row
}

// wipeRest makes blanks of the other columns of the character at a column.
func wipeRest(row []cell, at int) {
	from, to := at, at+1
	for from > 0 && row[from].char == half {
		from--
	}
	for to < len(row) && row[to].char == half {
		to++
	}
	if to-from == 1 {
		return
	}
	for i := from; i < to; i++ {
		row[i] = cell{char: ' ', stamp: row[i].stamp}
	}
}

// join lets a mark join the character before a column, and returns the column of that, or -1.
func join(row []cell, at int, mark rune) int {
	at = min(at, len(row)) - 1
	for at > 0 && row[at].char == half {
		at--
	}
	if at < 0 || len(row[at].more) >= maxMore || row[at].char == '\t' || row[at].char == half {
		return -1
	}
	row[at].more += string(mark)
	return at
}

// remove takes n columns out of a row, insert puts blanks in.
func remove(row []cell, at, n int) []cell {
	if at >= len(row) {
		return row
	}
	end := min(at+n, len(row))
	wipeRest(row, at)
	if end < len(row) {
		wipeRest(row, end)
	}
	return append(row[:at], row[end:]...)
}

func insert(row []cell, at, n int) []cell {
	if at >= len(row) {
		return row
	}
	if row[at].char == half {
		wipeRest(row, at)
	}
	row = pad(row, len(row)+n)
	copy(row[at+n:], row[at:])
	for i := range n {
		row[at+i] = blank
	}
	return row
}

// width is how many columns a character takes.
func width(r rune) int { return min(max(displaywidth.Rune(r), 0), 2) }
