package screen

import (
	"slices"
	"sort"
	"unicode/utf8"
)

const (
	maxLog  = 1 << 20  // bytes of old lines that are kept; while there are more to come, up to twice that
	maxLine = 64 << 10 // columns of a line that can still be changed
)

// A log is all that was shown, line by line.
//
// An offset counts bytes as they are shown. A byte that replaces another one has an offset of its own, so offsets only
// grow, and whatever is shown after a call of text has a greater one than that call's end: an edited line has gaps.
type log struct {
	old  []byte // finished lines, each with its end
	runs []run  // the offsets of old, in order
	end  int    // the offset of what is shown next

	line      []cell
	at        int  // the cursor in it
	returned  bool // the cursor went back to the beginning, and nothing was written since
	addressed bool // the cursor came by going up or down, perhaps to a row with text in it
}

// A run is a part of the old lines, up to the next run, whose bytes have consecutive offsets.
type run struct{ offset, at int }

// text is what was shown from an offset on.
func (l *log) text(from int) (string, int) {
	at := l.find(from)
	for at < len(l.old) && !utf8.RuneStart(l.old[at]) {
		at++
	}
	b := append([]byte(nil), l.old[at:]...)
	first := 0
	if at == len(l.old) {
		first = slices.IndexFunc(l.line, func(c cell) bool { return c.stamp+c.size() > from && c.size() > 0 })
		if first < 0 {
			first = len(l.line)
		}
	}
	start := len(b)
	for _, c := range l.line[first:] {
		b = c.appendTo(b)
	}
	if first < len(l.line) && at == len(l.old) {
		if skip := from - l.line[first].stamp; skip > 0 {
			b = b[start+skip:]
			for len(b) > 0 && !utf8.RuneStart(b[0]) {
				b = b[1:]
			}
		}
	}
	return string(b), l.end
}

// find is where in the old lines the bytes begin whose offset is from or more.
func (l *log) find(from int) int {
	i := sort.Search(len(l.runs), func(i int) bool { return l.runs[i].offset > from })
	if i == 0 {
		return 0
	}
	end := len(l.old)
	if i < len(l.runs) {
		end = l.runs[i].at
	}
	return min(l.runs[i-1].at+from-l.runs[i-1].offset, end)
}

// keep puts the line among the old ones, without an end.
func (l *log) keep() {
	for _, c := range l.line {
		if c.char != half {
			l.begin(c.stamp)
			l.old = c.appendTo(l.old)
		}
	}
	l.line, l.at, l.returned, l.addressed = l.line[:0], 0, false, false
	if len(l.old) > 2*maxLog {
		cut := len(l.old) - maxLog
		for cut < len(l.old) && !utf8.RuneStart(l.old[cut]) {
			cut++
		}
		l.forget(cut)
	}
}

// begin says which offset the next byte of old has.
func (l *log) begin(offset int) {
	if n := len(l.runs); n > 0 {
		last := &l.runs[n-1]
		if last.offset+len(l.old)-last.at == offset {
			return
		}
		if last.at == len(l.old) {
			last.offset = offset
			return
		}
	}
	l.runs = append(l.runs, run{offset, len(l.old)})
}

// forget drops n bytes of the oldest lines.
func (l *log) forget(n int) {
	l.old = append([]byte(nil), l.old[n:]...)
	first := 0 // the run in which the rest begins
	for first+1 < len(l.runs) && l.runs[first+1].at <= n {
		first++
	}
	l.runs = slices.Clone(l.runs[first:])
	for i := range l.runs {
		r := &l.runs[i]
		if r.at < n {
			r.offset += n - r.at
			r.at = n
		}
		r.at -= n
	}
}

// newline finishes the line.
func (l *log) newline() {
	l.keep()
	l.begin(l.end)
	l.old = append(l.old, '\n')
	l.end++
}

// leave finishes a line that the cursor leaves without a line end.
func (l *log) leave() {
	if len(l.line) > 0 {
		l.newline()
	}
	l.at, l.returned, l.addressed = 0, false, false
}

// load makes what is in a row of the screen the line: it is going to be changed, and shown anew as a whole.
func (l *log) load(row []cell) {
	l.addressed = false
	if len(l.line) > 0 {
		return
	}
	isBlank := func(c cell) bool { return c.char == ' ' && c.more == "" }
	if len(row) > l.at || slices.ContainsFunc(row, func(c cell) bool { return !isBlank(c) }) {
		l.line = append(l.line, row...)
		l.renew(0)
		return
	}
	for range l.at {
		l.line = append(l.line, cell{char: half}) // the line begins further right
	}
}

// first is the first column of the character in a column.
func (l *log) first(column int) int {
	for column > 0 && column < len(l.line) && l.line[column].char == half {
		column--
	}
	return column
}

// renew gives new offsets to what stands in a column and behind it. Where something in the line is replaced, what follows
// it is read together with that. It is never more than a row.
func (l *log) renew(column int) {
	for i := column; i < len(l.line); i++ {
		l.line[i].stamp = l.end
		l.end += l.line[i].size()
	}
}

// pad writes blanks up to the cursor.
func (l *log) pad() {
	for l.at > len(l.line) {
		l.line = append(l.line, cell{char: ' ', stamp: l.end})
		l.end++
	}
}

func (l *log) put(r rune, width int) {
	if l.returned {
		l.replace(r)
	}
	if len(l.line) >= maxLine {
		l.keep()
	}
	l.pad()
	if width == 0 {
		if i := join(l.line, l.at, r); i >= 0 {
			if last := l.line[i].stamp + l.line[i].size() - utf8.RuneLen(r); last == l.end {
				l.end += utf8.RuneLen(r)
			} else {
				l.renew(i)
			}
			return
		}
		width = 1
	}
	first := l.first(l.at)
	l.line = put(l.line, l.at, cell{char: r}, width)
	l.renew(first)
	l.at += width
}

// replace finishes a line when something else is going to be written where the cursor has returned to. But a line editor
// goes on to the next row by writing one character there and returning, and then writes the row.
func (l *log) replace(r rune) {
	l.returned = false
	if l.at == 0 || l.at+1 != len(l.line) || l.line[l.at].char != ' ' && l.line[l.at].char != r {
		l.leave()
	}
}

// tab moves the cursor, and is a character where there is nothing.
func (l *log) tab(width int) {
	if l.at < len(l.line) {
		l.at, l.returned = l.at+width, false
		return
	}
	l.put('\t', width)
}

// erase wipes the line from the cursor on.
func (l *log) erase() {
	if l.returned && l.at < len(l.line) {
		l.replace(' ')
	} else if l.at == 0 {
		l.leave()
	}
	if l.at < len(l.line) {
		if l.line[l.at].char == half {
			l.wipe(l.at, l.at+1)
		}
		l.line = l.line[:l.at]
	}
}

// wipe makes blanks of some columns.
func (l *log) wipe(from, to int) {
	first := l.first(from)
	for i := from; i < min(to, len(l.line)); i++ {
		wipeRest(l.line, i)
		l.line[i] = blank
	}
	l.renew(first)
}

// insertBlanks makes room for n characters at the cursor, and deleteChars takes n away. Only the row that ends at a column
// moves.
func (l *log) insertBlanks(n, end int) {
	first := l.first(l.at)
	l.line = insert(l.line, l.at, n)
	l.line = remove(l.line, end, n)
	l.renew(first)
}

func (l *log) deleteChars(n, end int) {
	if n = min(n, end-l.at); n > 0 {
		first := l.first(l.at)
		l.line = remove(l.line, l.at, n)
		l.line = insert(l.line, end-n, n)
		l.renew(first)
	}
}
