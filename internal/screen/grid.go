package screen

import (
	"strings"

	"github.com/clipperhouse/displaywidth"
)

// A grid is what a terminal shows.
type grid struct {
	cells       [Rows][]rune // a row is as long as what was written in it; 0 is the second half of a wide character
	row, column int
	kept        [2]int // row and column
	wrap        bool   // the cursor stands behind the last column
}

func (g *grid) clear() {
	for i := range g.cells {
		g.cells[i] = g.cells[i][:0]
	}
	g.row, g.column, g.wrap = 0, 0, false
}

func (g *grid) lines() []string {
	last := -1
	lines := make([]string, Rows)
	for i, row := range g.cells {
		var b strings.Builder
		for _, r := range row {
			if r != 0 {
				b.WriteRune(r)
			}
		}
		if lines[i] = strings.TrimRight(b.String(), " "); lines[i] != "" {
			last = i
		}
	}
	return lines[:last+1]
}

func (g *grid) moveTo(row, column int) {
	g.row = min(max(row, 0), Rows-1)
	g.column = min(max(column, 0), Columns-1)
	g.wrap = false
}

func (g *grid) newline() {
	g.column, g.wrap = 0, false
	if g.row < Rows-1 {
		g.row++
		return
	}
	first := g.cells[0]
	copy(g.cells[:], g.cells[1:])
	g.cells[Rows-1] = first[:0]
}

func (g *grid) put(r rune) {
	width := displaywidth.Rune(r)
	if width == 0 {
		// It joins the character before it.
		row := g.cells[g.row]
		if len(row) > 0 && len(row) < 4*Columns {
			g.cells[g.row] = append(row, r)
		}
		return
	}
	if g.wrap || g.column+width > Columns {
		g.newline()
	}
	g.set(g.column, r)
	if width == 2 {
		g.set(g.column+1, 0)
	}
	if g.column += width; g.column >= Columns {
		g.column, g.wrap = Columns-1, true
	}
}

func (g *grid) set(column int, r rune) {
	row := g.cells[g.row]
	for len(row) <= column {
		row = append(row, ' ')
	}
	row[column] = r
	g.cells[g.row] = row
}

// eraseLine wipes from a column up to another one.
func (g *grid) eraseLine(from, to int) {
	row := g.cells[g.row]
	if to >= len(row) {
		g.cells[g.row] = row[:min(max(from, 0), len(row))]
		return
	}
	for i := max(from, 0); i < to; i++ {
		row[i] = ' '
	}
}

func (g *grid) save()    { g.kept = [2]int{g.row, g.column} }
func (g *grid) restore() { g.moveTo(g.kept[0], g.kept[1]) }

// deleteChars takes n characters out at the cursor, insertChars puts n blanks
// there.
func (g *grid) deleteChars(n int) {
	row := g.cells[g.row]
	if g.column < len(row) {
		g.cells[g.row] = append(row[:g.column], row[min(g.column+n, len(row)):]...)
	}
}

func (g *grid) insertChars(n int) {
	row := g.cells[g.row]
	if g.column >= len(row) {
		return
	}
	tail := append([]rune(nil), row[g.column:]...)
	row = row[:g.column]
	for range min(n, Columns) {
		row = append(row, ' ')
	}
	row = append(row, tail...)
	g.cells[g.row] = row[:min(len(row), Columns)]
}
