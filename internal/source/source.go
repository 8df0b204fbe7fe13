// Package source knows the files that a user writes: it reads YAML into nodes
// that remember where they stand, and it makes errors that show the line.
//
// A loader collects everything that is wrong before it gives up, so that a
// user sees all mistakes of a file at once:
//
//	var errs source.Errors
//	root := source.Parse("login.yaml", data, &errs)
//	keys := root.Keys(&errs, "about", "scenarios")
//	title := keys["about"].Text(&errs)
//	return errs.Err()
//
// and the error reads
//
//	login.yaml:3:5: unknown key "stpes": did you mean "steps"?
//	    3 |     stpes:
//	      |     ^^^^^
package source

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/clipperhouse/displaywidth"
)

// A File is one file's name and text. It is immutable.
type File struct {
	Name  string
	lines []string
}

// lineEnds are what YAML takes for the end of a line.
var lineEnds = regexp.MustCompile(`\r\n|[\r\n\x{85}\x{2028}\x{2029}]`)

// NewFile keeps the lines of a file for later errors.
func NewFile(name string, data []byte) *File {
	text := strings.TrimPrefix(string(data), "\ufeff")
	return &File{Name: name, lines: lineEnds.Split(text, -1)}
}

// Pos is a place in a file. Line and Col count from 1, Col in characters; a
// zero Line means the file as a whole.
type Pos struct {
	File      *File
	Line, Col int
	width     int // characters to underline, at least 1
}

// String is file:line:column.
func (p Pos) String() string {
	switch {
	case p.File == nil:
		return "?"
	case p.Line == 0:
		return p.File.Name
	}
	return fmt.Sprintf("%s:%d:%d", p.File.Name, p.Line, p.Col)
}

// Name is the file's name, empty where there is no file.
func (p Pos) Name() string {
	if p.File == nil {
		return ""
	}
	return p.File.Name
}

// An Error is one thing that is wrong, where it stands, and perhaps what was
// meant.
type Error struct {
	Pos  Pos
	Text string // one sentence, lower case, without a period
	Hint string // what was probably meant; may be empty
}

// Error is the place, the sentence, the hint, and the line itself underlined.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Pos, e.Text)
	if e.Hint != "" {
		fmt.Fprintf(&b, ": %s", e.Hint)
	}
	if e.Pos.File == nil || e.Pos.Line < 1 || e.Pos.Line > len(e.Pos.File.lines) {
		return b.String()
	}
	shown, from, to := window(e.Pos.File.lines[e.Pos.Line-1], e.Pos.Col-1, e.Pos.width)
	fmt.Fprintf(&b, "\n%5d | %s\n      | %s%s", e.Pos.Line, shown, strings.Repeat(" ", from), strings.Repeat("^", max(1, to-from)))
	return b.String()
}

// window is the part of a line around column col that fits a screen, made
// printable, and between which columns of the screen width characters from col
// on stand in it: some characters take two columns, some none.
func window(line string, col, width int) (shown string, from, to int) {
	const limit = 100
	runes := []rune(line)
	for i, r := range runes {
		if !unicode.IsPrint(r) {
			runes[i] = ' '
		}
	}
	col = max(0, min(col, len(runes)))
	start, end := 0, len(runes)
	if end > limit {
		start = max(0, min(col-limit/2, end-limit))
		end = start + limit
	}
	part := slices.Clone(runes[start:end])
	if start > 0 {
		part[0] = '…'
	}
	if end < len(runes) {
		part[len(part)-1] = '…'
	}
	col -= start
	from = displaywidth.String(string(part[:col]))
	to = displaywidth.String(string(part[:max(col, min(col+width, len(part)))]))
	return string(part), from, to
}

// Errors collects errors. The zero value is ready to use.
type Errors struct {
	list []*Error
}

// Add notes that something is wrong at pos and returns the error, so that a
// hint can be set on it.
func (e *Errors) Add(pos Pos, format string, args ...any) *Error {
	err := &Error{Pos: pos, Text: fmt.Sprintf(format, args...)}
	e.list = append(e.list, err)
	return err
}

// Len says how many errors there are.
func (e *Errors) Len() int { return len(e.list) }

// Err is nil when nothing is wrong, else an error of type [List]. What was
// found twice, in two readings of the same place, is in it once.
func (e *Errors) Err() error {
	if len(e.list) == 0 {
		return nil
	}
	var list []*Error
	seen := map[Error]bool{}
	for _, err := range e.list {
		if key := (Error{Pos: err.Pos, Text: err.Text}); !seen[key] {
			seen[key] = true
			list = append(list, err)
		}
	}
	slices.SortStableFunc(list, func(a, b *Error) int {
		return cmp.Or(
			strings.Compare(a.Pos.Name(), b.Pos.Name()),
			cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Col, b.Pos.Col))
	})
	return List(list)
}

// List is all that is wrong in some files, in order of place.
type List []*Error

// Error is the errors one below the other.
func (l List) Error() string {
	parts := make([]string, len(l))
	for i, e := range l {
		parts[i] = e.Error()
	}
	return strings.Join(parts, "\n")
}

// Unwrap gives the single errors to errors.As.
func (l List) Unwrap() []error {
	errs := make([]error, len(l))
	for i, e := range l {
		errs[i] = e
	}
	return errs
}

// DidYouMean is a hint that names the candidate nearest to word, or one that
// lists them all where nothing is near and they are few.
func DidYouMean(word string, candidates []string) string {
	best, distance := "", len(word)/3+1
	for _, c := range candidates {
		if word == "" {
			break
		}
		if d := editDistance(word, c); d < distance || d == distance && best == "" && d <= 2 {
			best, distance = c, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %q?", best)
	case len(candidates) > 0 && len(candidates) <= 16:
		sorted := slices.Clone(candidates)
		slices.Sort(sorted)
		if len(sorted) == 1 {
			return "the only one is " + sorted[0]
		}
		return "known are " + strings.Join(sorted, ", ")
	}
	return ""
}

// editDistance counts the insertions, deletions, substitutions and swaps of
// neighbours that turn a into b.
func editDistance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
