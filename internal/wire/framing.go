package wire

import (
	"bytes"
	"fmt"
	"math"
	"strconv"

	"github.com/chatprobe/chatprobe/internal/source"
)

// A framing is how the bytes of one direction split into frames.
type framing struct {
	kind   framingKind
	end    lineEnd
	length *Field // the number in front of each frame of byLength
	whole  bool   // that number counts itself too
}

type framingKind int

const (
	byFields   framingKind = iota // a message ends with its last field
	byLine                        // at the end of a line
	byLength                      // a number in front says how long it is
	byJSON                        // one JSON value after another
	byDatagram                    // a datagram is a message
	byChunk                       // nothing says it: what one write sent
)

var framingNames = []string{"fields", "line", "length", "json", "datagram", "chunk"}

// A lineEnd is how a line ends: what is sent, and what is looked for.
type lineEnd struct {
	sent, sought []byte
	anyCR        bool // a CR before it does not belong to the line
}

var lineEnds = map[string]lineEnd{
	"lf":    {sent: []byte("\n"), sought: []byte("\n"), anyCR: true},
	"crlf":  {sent: []byte("\r\n"), sought: []byte("\n"), anyCR: true},
	"nul":   {sent: []byte{0}, sought: []byte{0}},
	"blank": {sent: []byte("\n\n"), sought: []byte("\n\n")},
}

// lineEndNames are the ends of lines, in the order in which they are explained.
var lineEndNames = []string{"lf", "crlf", "nul", "blank", "none"}

// Limits on what has no end of its own: a peer that never ends a line must not
// be searched again and again.
const (
	lineLimit = 8 << 20
	jsonLimit = 4 << 20
)

// framing of each side, as declared.
func (p *Protocol) loadFraming(n source.Node, errs *source.Errors) {
	if n.IsNull() {
		return // over UDP there is one way only
	}
	client, server := n, n
	for _, pair := range pairsOf(n, errs) {
		if key := pair.Key.Raw(); key == string(Client) || key == string(Server) {
			sides := n.Keys(errs, string(Client), string(Server))
			client, server = sides[string(Client)], sides[string(Server)]
			for _, side := range []Side{Client, Server} {
				if sides[string(side)].IsNull() {
					errs.Add(n.Pos(), "framing: says nothing about the %s", side).Hint = "framing: {client: line, server: line}"
					return
				}
			}
			break
		}
	}
	p.framing = map[Side]source.Node{Client: client, Server: server}
}

// bindFraming reads the framing of one side.
func (b *binder) bindFraming(n source.Node) framing {
	if n.IsZero() {
		return framing{kind: byDatagram}
	}
	if !n.IsMap() {
		return b.namedFraming(n, n.Text(b.errs))
	}
	keys := n.Keys(b.errs, "line", "length", "order", "width", "pad", "terminator", "counts")
	switch {
	case !keys["line"].IsNull():
		end := keys["line"].Keys(b.errs, "end")["end"]
		return b.lineFraming(end, b.substitute(end.Text(b.errs), end.Pos()))
	case !keys["length"].IsNull():
		return b.lengthFraming(keys)
	}
	b.errs.Add(n.Pos(), "this is no framing").Hint = "such as line, {line: {end: crlf}} or {length: u32}"
	return framing{}
}

// namedFraming is a framing without details.
func (b *binder) namedFraming(n source.Node, name string) framing {
	switch name = b.substitute(name, n.Pos()); name {
	case "fields":
		return framing{kind: byFields}
	case "line":
		return framing{kind: byLine, end: lineEnds["lf"]}
	case "json":
		return framing{kind: byJSON}
	case "datagram":
		return framing{kind: byDatagram}
	case "chunk":
		return framing{kind: byChunk}
	case "length":
		b.errs.Add(n.Pos(), "a length needs a type").Hint = "framing: {length: u32}"
	default:
		b.errs.Add(n.Pos(), "%q is no framing", name).Hint = source.DidYouMean(name, framingNames)
	}
	return framing{}
}

func (b *binder) lineFraming(n source.Node, end string) framing {
	switch known, ok := lineEnds[end]; {
	case end == "none":
		return framing{kind: byChunk, end: lineEnds["lf"]}
	case end == "" || end == Any:
		return framing{kind: byLine, end: lineEnds["lf"]}
	case !ok:
		b.errs.Add(n.Pos(), "%q is no end of a line", end).Hint = source.DidYouMean(end, lineEndNames)
		return framing{}
	default:
		return framing{kind: byLine, end: known}
	}
}

func (b *binder) lengthFraming(keys map[string]source.Node) framing {
	typ := typeNamed(keys["length"].Text(b.errs))
	if typ < 0 || !typ.isNumber() || typ.isSum() {
		b.errs.Add(keys["length"].Pos(), "a length is a number").Hint = "such as {length: u32} or {length: digits, width: 10}"
		return framing{}
	}
	d := &fieldDecl{pos: keys["length"].Pos(), orderPos: keys["order"].Pos()}
	d.field = Field{Name: "Length", Type: typ, framing: true}
	d.order = keys["order"].Text(b.errs)
	d.loadDigits(keys, b.errs)
	f := d.field
	f.Little = b.order(d)
	fr := framing{kind: byLength, length: &f}
	if counts := keys["counts"]; !counts.IsNull() {
		fr.whole = oneOf(counts, b.errs, "body", "all") == "all"
	}
	return fr
}

// split finds the first frame of b: its body, what it is called in front of
// it, and its length as a whole. quiet says that nothing more has come for a
// while.
func (fr *framing) split(b []byte) (body [2]int, header []Value, n int, err error) {
	switch fr.kind {
	case byLine:
		body, n, err = fr.splitLine(b)
	case byLength:
		return fr.splitLength(b)
	case byJSON:
		body, n, err = splitJSON(b)
	default: // byDatagram, byChunk
		body, n = [2]int{0, len(b)}, len(b)
		if n == 0 && fr.kind == byChunk {
			return body, nil, 1, ErrShort
		}
		if fr.end.anyCR { // a line after all, from a sender that ends some
			body[1] = len(bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r")))
		}
	}
	return body, nil, n, err
}

func (fr *framing) splitLine(b []byte) (body [2]int, n int, err error) {
	i := bytes.Index(b, fr.end.sought)
	switch {
	case i < 0 && len(b) > lineLimit:
		return body, 0, &MalformedError{lineLimit, fmt.Sprintf("a line does not end within %d MiB", lineLimit>>20)}
	case i < 0:
		return body, len(b) + 1, ErrShort
	}
	end := i
	if fr.end.anyCR && end > 0 && b[end-1] == '\r' {
		end--
	}
	return [2]int{0, end}, i + len(fr.end.sought), nil
}

func (fr *framing) splitLength(b []byte) (body [2]int, header []Value, n int, err error) {
	d := decoder{b: b}
	if err := d.fields([]*Field{fr.length}); err != nil {
		return body, nil, d.need, err
	}
	size := d.values[0].Number
	if fr.whole {
		if size < uint64(d.at) {
			return body, nil, 0, &MalformedError{0, fmt.Sprintf("a Length of %d does not even cover itself", size)}
		}
		size -= uint64(d.at)
	}
	if size > uint64(len(b)-d.at) {
		return body, nil, int(min(uint64(d.at)+min(size, math.MaxInt64), math.MaxInt)), ErrShort
	}
	end := d.at + int(size)
	return [2]int{d.at, end}, d.values, end, nil
}

// splitJSON finds the end of the JSON value that b begins with. White space
// before it belongs to it.
func splitJSON(b []byte) (body [2]int, n int, err error) {
	begin := len(b) - len(bytes.TrimLeft(b, " \t\r\n"))
	depth, inString, escaped := 0, false, false
	for i := begin; i < len(b); i++ {
		switch c := b[i]; {
		case escaped:
			escaped = false
		case inString:
			escaped = c == '\\'
			inString = c != '"'
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			depth++
			continue
		case c == '}' || c == ']':
			depth--
		}
		if depth < 0 || depth == 0 && !inString && b[begin] != '"' && b[begin] != '{' && b[begin] != '[' {
			return body, 0, &MalformedError{begin, "no JSON object begins here"}
		}
		if depth == 0 && !inString && !escaped {
			return [2]int{begin, i + 1}, i + 1, nil
		}
	}
	if len(b) > jsonLimit {
		return body, 0, &MalformedError{jsonLimit, fmt.Sprintf("a JSON value does not end within %d MiB", jsonLimit>>20)}
	}
	return body, len(b) + 1, ErrShort
}

// wrap makes a frame of a body. set may falsify the Length.
func (fr *framing) wrap(body []byte, set Args) ([]byte, error) {
	switch fr.kind {
	case byLine:
		if fr.holdsEnd(body) {
			return nil, fmt.Errorf("a line cannot hold what ends it (%q)", fr.end.sought)
		}
		return append(body, fr.end.sent...), nil
	case byLength:
		f := fr.length
		size := uint64(len(body))
		if text, ok := set[f.Name].(string); ok {
			n, err := f.number(text)
			if err != nil {
				return nil, err
			}
			header, err := f.appendNumber(nil, n)
			return append(header, body...), err
		}
		header, err := f.appendNumber(nil, size)
		if err == nil && fr.whole {
			// A varint may grow when its own bytes are counted.
			for range 2 {
				header, err = f.appendNumber(nil, size+uint64(len(header)))
			}
		}
		if err != nil {
			return nil, fmt.Errorf("the message is %d bytes long: %w", size, err)
		}
		return append(header, body...), nil
	case byDatagram:
		if len(body) > maxDatagram {
			return nil, fmt.Errorf("the message is %d bytes long, and a datagram holds at most %d", len(body), maxDatagram)
		}
	}
	return body, nil
}

// maxDatagram is the longest payload of a UDP datagram over IPv4 (RFC 768: 65,535
// less the two headers).
const maxDatagram = 65507

func (fr *framing) holdsEnd(body []byte) bool {
	return fr.kind == byLine && bytes.Contains(body, fr.end.sought)
}

// loadDigits reads what only the type digits has: width and pad, or terminator.
func (d *fieldDecl) loadDigits(keys map[string]source.Node, errs *source.Errors) {
	f := &d.field
	for _, key := range []string{"width", "pad"} {
		if n := keys[key]; !n.IsNull() && f.Type != Digits {
			errs.Add(n.Pos(), "only digits have a %s", key)
		}
	}
	if f.Type != Digits {
		return
	}
	if n := keys["terminator"]; !n.IsNull() {
		f.Terminator = []byte(n.Text(errs))
	}
	if n := keys["width"]; !n.IsNull() {
		f.Size = n.Int(errs, 1, 20)
	}
	if n := keys["pad"]; !n.IsNull() {
		f.Pad = Pad(oneOf(n, errs, string(Zeros), string(Left), string(Right)))
	}
	if (f.Size > 0) == (len(f.Terminator) > 0) {
		errs.Add(d.pos, "digits need either a width: or a terminator:").Hint = "{type: digits, width: 10} or {type: digits, terminator: ' '}"
	}
}

// longestNumber is the number of digits of the largest number.
const longestNumber = 20

// Pad is how a number of fixed width in digits is filled up.
type Pad string

// The ways to fill up. Zeros stand in front; Left puts blanks in front, Right
// behind. All three are understood whichever is sent.
const (
	Zeros Pad = "zeros"
	Left  Pad = "left"
	Right Pad = "right"
)

// digits writes n with f's width or terminator.
func (f *Field) digits(n uint64) ([]byte, error) {
	text := strconv.FormatUint(n, 10)
	if f.Size == 0 {
		return append([]byte(text), f.Terminator...), nil
	}
	if len(text) > f.Size {
		return nil, fmt.Errorf("%s cannot be %d: it has %d digits", f.Name, n, f.Size)
	}
	switch f.Pad {
	case Left:
		return fmt.Appendf(nil, "%*s", f.Size, text), nil
	case Right:
		return fmt.Appendf(nil, "%-*s", f.Size, text), nil
	}
	return fmt.Appendf(nil, "%0*d", f.Size, n), nil
}

// pairsOf are the entries of a mapping; anything else has none.
func pairsOf(n source.Node, errs *source.Errors) []source.Pair {
	if !n.IsMap() {
		return nil
	}
	return n.Pairs(errs)
}
