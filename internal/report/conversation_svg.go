package report

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"io"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// Measures of a picture, in pixels.
const (
	svgMessages = 2000 // more than that nobody scrolls through
	svgPlaces   = 40
	svgPitch    = 240 // from one lifeline to the next
	svgRow      = 30
	svgLeft     = 96 // for the times
	svgBoxW     = 190
	svgBoxH     = 46
	svgColumn   = 6.7 // of a letter in an arrow's text
)

// svgStyle draws on white by day and on dark grey by night.
const svgStyle = `
    .paper { fill: #fff; }
    text { font: 11px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #1f2328; }
    .time { fill: #6e7781; text-anchor: end; }
    .label { text-anchor: middle; paint-order: stroke; stroke: #fff; stroke-width: 4px; stroke-linejoin: round; }
    .life { stroke: #afb8c1; stroke-dasharray: 3 4; }
    .box { fill: #f6f8fa; stroke: #8c959f; }
    .server .box { fill: #ddf4ff; stroke: #0969da; }
    .name { text-anchor: middle; font-weight: bold; font-size: 13px; }
    .address { text-anchor: middle; fill: #57606a; }
    .said { stroke: #0969da; fill: #0969da; }
    .heard { stroke: #1a7f37; fill: #1a7f37; }
    .wrong { stroke: #cf222e; fill: #cf222e; }
    .wrong-text { fill: #cf222e; }
    .note { fill: #57606a; }
    @media (prefers-color-scheme: dark) {
      .paper { fill: #0d1117; }
      text { fill: #e6edf3; }
      .label { stroke: #0d1117; }
      .time, .address, .note { fill: #8d96a0; }
      .life { stroke: #484f58; }
      .box { fill: #161b22; stroke: #6e7681; }
      .server .box { fill: #0c2d6b; stroke: #4493f8; }
      .said { stroke: #4493f8; fill: #4493f8; }
      .heard { stroke: #3fb950; fill: #3fb950; }
      .wrong { stroke: #f85149; fill: #f85149; }
      .wrong-text { fill: #f85149; }
    }
`

// messageSVG draws what [messageDiagram] does, as a picture in one file: no
// scripts, no fonts, nothing from elsewhere. The whole message is told where
// the pointer is.
func messageSVG(w io.Writer, v View) Messages {
	s := newScroll(svgMessages)
	add := func(m *transcript.Decoded) error {
		s.add(m, v.Scene)
		return nil
	}
	end := func() error {
		_, err := w.Write(newPicture(s).draw())
		return err
	}
	return Messages{Add: add, Close: end}
}

type picture struct {
	*scroll
	shown  []lifeline
	others int
	b      bytes.Buffer
}

func newPicture(s *scroll) *picture {
	p := &picture{scroll: s}
	p.shown, p.others = s.places(svgPlaces)
	return p
}

// x is where a lifeline stands.
func (p *picture) x(i int) int { return svgLeft + svgPitch/2 + i*svgPitch }

func (p *picture) draw() []byte {
	n := len(p.shown)
	if p.others > 0 {
		n++
	}
	const top = 16
	first := top + svgBoxH + svgRow
	last := first + len(p.rows)*svgRow
	width, height := svgLeft+n*svgPitch+16, last+svgBoxH+top
	note := ""
	if p.more > 0 {
		note = tooMany(p.more)
		height += svgRow
	}
	fmt.Fprintf(&p.b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">`+"\n", width, height, width, height)
	fmt.Fprintf(&p.b, "  <title>%s</title>\n  <style>%s  </style>\n", xmlText(count(len(p.rows), "message")), svgStyle)
	fmt.Fprintf(&p.b, `  <rect class="paper" width="%d" height="%d"/>`+"\n", width, height)
	for i := range n {
		fmt.Fprintf(&p.b, `  <line class="life" x1="%d" y1="%d" x2="%d" y2="%d"/>`+"\n", p.x(i), top+svgBoxH, p.x(i), last)
	}
	for i := range p.rows {
		p.row(&p.rows[i], first+i*svgRow)
	}
	for i := range n {
		p.box(i, top)
		p.box(i, last)
	}
	if note != "" {
		fmt.Fprintf(&p.b, `  <text class="note" x="16" y="%d">%s</text>`+"\n", height-top, xmlText(note))
	}
	p.b.WriteString("</svg>\n")
	return p.b.Bytes()
}

// box says whose lifeline it is.
func (p *picture) box(i, y int) {
	name, address, class := fmt.Sprintf("%d others", p.others), "", "client"
	if i < len(p.shown) {
		name, address = p.title(p.shown[i])
		if p.shown[i].isServer {
			class = "server"
		}
	}
	fmt.Fprintf(&p.b, `  <g class="%s"><rect class="box" x="%d" y="%d" width="%d" height="%d" rx="6"/>`,
		class, p.x(i)-svgBoxW/2, y, svgBoxW, svgBoxH)
	fmt.Fprintf(&p.b, `<text class="name" x="%d" y="%d">%s</text>`, p.x(i), y+20, xmlText(cutColumns(name, 22)))
	fmt.Fprintf(&p.b, `<text class="address" x="%d" y="%d">%s</text></g>`+"\n", p.x(i), y+36, xmlText(cutColumns(address, 27)))
}

// row draws one message, at the height of its arrow.
func (p *picture) row(r *scrollRow, y int) {
	from, to := p.x(p.place(r.from, len(p.shown))), p.x(p.place(r.to, len(p.shown)))
	class, text := "said", "label"
	if r.from.isServer {
		class = "heard"
	}
	if r.malformed {
		class, text = "wrong", "label wrong-text"
	}
	fmt.Fprintf(&p.b, "  <g><title>%s</title>", xmlText(r.whole))
	fmt.Fprintf(&p.b, `<text class="time" x="%d" y="%d">%s</text>`, svgLeft-12, y+4, xmlText(r.seconds))
	room := svgPitch - 40
	if from != to {
		room = max(from, to) - min(from, to) - 40
		tip := 8
		if to < from {
			tip = -8
		}
		fmt.Fprintf(&p.b, `<line class="%s" x1="%d" y1="%d" x2="%d" y2="%d"/>`, class, from, y, to-tip, y)
		fmt.Fprintf(&p.b, `<path class="%s" d="M%d %dl%d -4v8z"/>`, class, to, y, -tip)
	}
	label := cutColumns(r.label, int(float64(room)/svgColumn))
	fmt.Fprintf(&p.b, `<text class="%s" x="%d" y="%d">%s</text></g>`+"\n", text, (from+to)/2, y-5, xmlText(label))
}

// xmlText is text between two tags, or a blank where there is none.
func xmlText(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(cmp.Or(clean(s), " "))) // a buffer takes everything
	return b.String()
}
