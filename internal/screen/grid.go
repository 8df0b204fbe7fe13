package screen

import "strings"

// A grid is what a terminal shows.
type grid struct {
	page
	wrap   bool // the cursor stands behind the last column
	cut    bool // what is too long for a row is not continued in the next one
	other  page // what is shown when the program leaves its full-screen mode
	isFull bool
}

// A page is a screenful of text, with its cursor.
type page struct {
	cells       [Rows][]cell // a row is as long as what was written in it
	row, column int
	kept        [2]int // row and column
	top, bottom int    // the rows that scroll, bottom not included
}

func newPage() page { return page{bottom: Rows} }

func (g *grid) lines() []string {
	last := -1
	lines := make([]string, Rows)
	for i, row := range g.cells {
		var b []byte
		for _, c := range row {
			b = c.appendTo(b)
		}
		if lines[i] = strings.TrimRight(string(b), " "); lines[i] != "" {
			last = i
		}
	}
	return lines[:last+1]
}

func (g *grid) clear() {
	for i := range g.cells {
		g.cells[i] = nil
	}
}

func (g *grid) moveTo(row, column int) {
	g.row = min(max(row, 0), Rows-1)
	g.column = min(max(column, 0), Columns-1)
	g.wrap = false
}

// down goes to the next row, up to the one before; at the edge the text moves instead.
func (g *grid) down() {
	g.wrap = false
	if g.row+1 == g.bottom {
		g.deleteRows(g.top, 1)
	} else {
		g.row = min(g.row+1, Rows-1)
	}
}

func (g *grid) up() {
	g.wrap = false
	if g.row == g.top {
		g.insertRows(g.top, 1)
	} else {
		g.row = max(g.row-1, 0)
	}
}

// deleteRows takes out n rows, and those below move up; insertRows puts in empty ones.
func (g *grid) deleteRows(at, n int) {
	if at < g.top || at >= g.bottom {
		return
	}
	n = min(n, g.bottom-at)
	first := g.cells[at]
	copy(g.cells[at:g.bottom], g.cells[at+n:g.bottom])
	if n == 1 {
		g.cells[g.bottom-1] = first[:0] // it is needed again at once
		return
	}
	for i := g.bottom - n; i < g.bottom; i++ {
		g.cells[i] = nil
	}
}

func (g *grid) insertRows(at, n int) {
	if at < g.top || at >= g.bottom {
		return
	}
	n = min(n, g.bottom-at)
	copy(g.cells[at+n:g.bottom], g.cells[at:g.bottom-n])
	for i := at; i < at+n; i++ {
		g.cells[i] = nil
	}
}

func (g *grid) put(r rune, width int) {
	if width == 0 {
		at := g.column
		if g.wrap {
			at++
		}
		join(g.cells[g.row], at, r)
		return
	}
	if (g.wrap || g.column+width > Columns) && !g.cut {
		g.column = 0
		g.down()
	}
	g.column = min(g.column, Columns-width)
	g.cells[g.row] = put(pad(g.cells[g.row], g.column), g.column, cell{char: r}, width)
	if g.column += width; g.column >= Columns {
		g.column, g.wrap = Columns-1, true
	}
}

// eraseLine wipes from a column up to another one.
func (g *grid) eraseLine(from, to int) {
	row := g.cells[g.row]
	to = min(to, len(row))
	for i := max(from, 0); i < to; i++ {
		wipeRest(row, i)
		row[i] = blank
	}
}

func (g *grid) deleteChars(n int) { g.cells[g.row] = remove(g.cells[g.row], g.column, n) }

func (g *grid) insertChars(n int) {
	row := insert(g.cells[g.row], g.column, min(n, Columns))
	g.cells[g.row] = row[:min(len(row), Columns)]
}

// full turns the full-screen mode on or off, which has a page of its own.
func (g *grid) full(on bool) {
	g.isFull, g.wrap = on, false
	g.page, g.other = g.other, g.page
	if on {
		g.page = newPage()
	}
}
