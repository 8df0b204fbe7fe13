package screen

import "strings"

// maxLog is how many bytes of old lines are kept.
const maxLog = 1 << 20

// A log is all that was shown, line by line.
type log struct {
	old     strings.Builder // finished lines, each with its end
	dropped int             // bytes of lines before those

	line     []rune
	at       int  // the cursor in it
	returned bool // the cursor went back to the beginning, and nothing was written since
}

func (l *log) text(from int) (string, int) {
	current := string(l.line)
	size := l.old.Len()
	end := l.dropped + size + len(current)
	from = max(from-l.dropped, 0)
	if from <= size {
		return l.old.String()[from:] + current, end
	}
	return current[min(from-size, len(current)):], end
}

// finish puts the line among the old ones.
func (l *log) finish() {
	l.old.WriteString(string(l.line))
	l.old.WriteByte('\n')
	l.line, l.at, l.returned = l.line[:0], 0, false
	if n := l.old.Len(); n > 2*maxLog {
		kept := l.old.String()[n-maxLog:]
		l.dropped += n - maxLog
		l.old.Reset()
		l.old.WriteString(kept)
	}
}

func (l *log) newline() { l.finish() }

// leave finishes a line that the cursor leaves without a line end.
func (l *log) leave() {
	if len(l.line) > 0 {
		l.finish()
	}
}

// back is a carriage return. What is written next replaces the line, unless it
// is its end.
func (l *log) back() { l.at, l.returned = 0, true }

func (l *log) move(by int) { l.at = max(l.at+by, 0) }

func (l *log) put(r rune) {
	if l.returned {
		l.leave()
		l.returned = false
	}
	for l.at > len(l.line) {
		l.line = append(l.line, ' ')
	}
	if l.at == len(l.line) {
		l.line = append(l.line, r)
	} else {
		l.line[l.at] = r
	}
	l.at++
}

// erase wipes the line from the cursor on.
func (l *log) erase() {
	if l.returned || l.at == 0 {
		l.leave()
		l.returned = false
		return
	}
	if l.at < len(l.line) {
		l.line = l.line[:l.at]
	}
}

// wipe wipes all of the line, and the cursor stays where it is.
func (l *log) wipe() {
	at := l.at
	l.leave()
	if !l.returned {
		l.at = at
	}
}
