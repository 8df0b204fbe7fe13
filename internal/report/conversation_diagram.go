package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/clipperhouse/displaywidth"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// Measures of a diagram, in columns.
const (
	diagramWidth = 80 // where the screen has none
	timeColumns  = 12
	edge         = 8  // left and right of the outermost lifelines, for their names
	leastPitch   = 16 // from one lifeline to the next
	mostPitch    = 40
)

// messageDiagram draws a line for everybody who speaks, and for each message an
// arrow from one to another:
//
//	              alice            server            bob
//	          127.0.0.1:50001  127.0.0.1:4445  127.0.0.1:50002
//	                 |                |               |
//	0.000000         |---- login ---->|               |
//
// A bounded number of messages is kept until all who speak are known.
func messageDiagram(w io.Writer, v View) Messages {
	s := newScroll(maxKeptMessages)
	add := func(m *transcript.Decoded) error {
		s.add(m, v.Scene)
		return nil
	}
	end := func() error {
		if len(s.rows) == 0 {
			return nil
		}
		var b bytes.Buffer
		newDiagram(s, v.Width).draw(&b)
		_, err := w.Write(noCommands(b.Bytes()))
		return err
	}
	return Messages{Add: add, Close: end}
}

// A diagram is a scroll and where its lifelines stand.
type diagram struct {
	*scroll
	width  int
	shown  []lifeline
	others int
	at     []int // the column of each lifeline; the last one may be that of others
	pitch  int
}

func newDiagram(s *scroll, width int) *diagram {
	if width == 0 {
		width = diagramWidth
	}
	d := &diagram{scroll: s, width: width}
	d.shown, d.others = s.places(max((width-timeColumns-2*edge)/leastPitch+1, 2))
	n := len(d.shown)
	if d.others > 0 {
		n++
	}
	d.pitch = min((width-timeColumns-2*edge)/max(n-1, 1), mostPitch)
	for i := range n {
		d.at = append(d.at, timeColumns+edge+i*d.pitch)
	}
	return d
}

func (d *diagram) draw(b *bytes.Buffer) {
	d.heads(b)
	for i := range d.rows {
		d.row(b, &d.rows[i])
	}
	d.line(b, d.lifelines())
	v := View{Width: d.width}
	if d.others > 0 {
		b.WriteByte('\n')
		v.sentence(b, "%d who speak share the last line: --client and --conversation choose one.", d.others)
	}
	if d.more > 0 {
		b.WriteByte('\n')
		v.sentence(b, "%s.", tooMany(d.more))
	}
}

// heads says whose lifelines they are.
func (d *diagram) heads(b *bytes.Buffer) {
	var names, addresses canvas
	for i, at := range d.at {
		name, address := "others", ""
		if i < len(d.shown) {
			name, address = d.title(d.shown[i])
		}
		names.centre(at, name, d.pitch-1)
		addresses.centre(at, address, d.pitch-1)
	}
	d.line(b, names)
	d.line(b, addresses)
	d.line(b, d.lifelines())
}

func (d *diagram) line(b *bytes.Buffer, c canvas) {
	b.WriteString(strings.TrimRight(c.text(), " ") + "\n")
}

func (d *diagram) lifelines() canvas {
	var c canvas
	for _, at := range d.at {
		c.put(at, "|")
	}
	return c
}

// row draws one message.
func (d *diagram) row(b *bytes.Buffer, r *scrollRow) {
	c := d.lifelines()
	c.put(0, fmt.Sprintf("%10s", r.seconds))
	from, to := d.at[d.place(r.from, len(d.shown))], d.at[d.place(r.to, len(d.shown))]
	if from == to { // both share the last place
		label := cutColumns(r.label, max(d.width-timeColumns-2, 8))
		c.put(max(from-1-width(label), timeColumns), label)
		d.line(b, c)
		return
	}
	left, right := min(from, to), max(from, to)
	c.put(left+1, strings.Repeat("-", right-left-1))
	head, at := ">", right-1
	if to < from {
		head, at = "<", left+1
	}
	if r.malformed {
		head = "x"
	}
	c.put(at, head)
	label := cutColumns(r.label, right-left-1-4)
	c.put(left+1+(right-left-1-width(label)-2)/2, " "+label+" ")
	d.line(b, c)
}

// A canvas is a line that is written in any order. A character of two columns
// is followed by an empty cell.
type canvas struct{ cells []string }

// put writes text from a column on.
func (c *canvas) put(column int, text string) {
	for g := displaywidth.StringGraphemes(text); g.Next(); {
		for len(c.cells) < column+g.Width() {
			c.cells = append(c.cells, " ")
		}
		for i := range g.Width() {
			c.cells[column+i] = ""
		}
		if g.Width() > 0 {
			c.cells[column] = g.Value()
		}
		column += g.Width()
	}
}

// centre writes text, cut where it is wider than most, around a column.
func (c *canvas) centre(column int, text string, most int) {
	text = cutColumns(text, most)
	c.put(max(column-width(text)/2, 0), text)
}

func (c *canvas) text() string { return strings.Join(c.cells, "") }
