package decode

import (
	"encoding/binary"
	"io"
	"strconv"
	"time"

	"github.com/chatprobe/chatprobe/internal/report"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/pcap"
)

// A text writes messages as [report.AppendText] does. Most messages are made of
// numbers and plain texts, and their lines are made of the bytes at once: that
// takes a tenth of the time that a transcript.Decoded would.
type text struct {
	w      io.Writer
	buf    []byte
	begin  time.Time // of the first message, if that is known
	number []byte    // of the latest message, in digits
	count  int       // the same as a number
	pieces []wire.Piece
	forms  map[*wire.Message]*form
	latest [2]*form // by side: the next message is often of the same kind
}

// A form is what is the same in the lines of all messages of a kind.
type form struct {
	message *wire.Message
	plain   bool
	before  []string // before each value
}

// textBuffer is how much is written at once.
const textBuffer = 64 << 10

// NewText is [New] for a decoder that writes a line for each message to w, the
// same as [report.AppendText]. [Decoder.Flush] must be called at the end; it is
// also done when nothing more may come for a while. The error of a write is
// that of [Decoder.Err].
func NewText(codecs []*wire.Codec, port int, w io.Writer) *Decoder {
	t := &text{w: w, buf: make([]byte, 0, textBuffer+4096), forms: map[*wire.Message]*form{}}
	d := New(codecs, port, t.add)
	d.text = t
	return d
}

// Flush tells of all messages that have been kept back, and writes the lines of
// a decoder that was made by [NewText]. It returns what [Decoder.Err] does.
func (d *Decoder) Flush() error {
	d.goOnAll()
	if d.text != nil && d.err == nil {
		d.err = d.text.flush()
	}
	return d.err
}

func (t *text) flush() error {
	_, err := t.w.Write(t.buf)
	t.buf = t.buf[:0]
	return err
}

// add writes a message of any kind.
func (t *text) add(m *transcript.Decoded) error {
	if t.begin.IsZero() {
		t.begin = m.Time
	}
	return t.put(report.AppendText(t.buf, m, t.begin))
}

// put takes the buffer to which a line has been added.
func (t *text) put(b []byte) error {
	t.buf = b
	if len(b) < textBuffer {
		return nil
	}
	return t.flush()
}

// frame writes a message that is made of numbers and texts. It is false for
// any other: then nothing has been written.
func (t *text) frame(number int, at time.Time, ends []byte, f *wire.Frame, m *wire.Message) (bool, error) {
	if f.Shape == nil {
		return false, nil
	}
	if t.begin.IsZero() {
		t.begin = at
	}
	b := append(append(t.buf, t.digits(number)...), ' ')
	b = transcript.AppendSeconds(b, at, t.begin)
	b = append(b, ends...)
	if m != nil {
		if form := t.form(f, m); form.plain {
			for i := range f.Values {
				v := &f.Values[i]
				b = append(b, form.before[i]...)
				if v.Field.Type.IsNumber() {
					b = strconv.AppendUint(b, v.Number, 10)
				} else {
					b = appendText(b, f.Raw[v.Start:v.Start+v.Size])
				}
			}
			return true, t.put(append(b, '\n'))
		}
	}
	b, ok := t.appendPieces(b, f, m)
	if !ok {
		return false, nil
	}
	return true, t.put(append(b, '\n'))
}

// form finds the form of a message.
func (t *text) form(f *wire.Frame, m *wire.Message) *form {
	latest := &t.latest[0]
	if m.From == wire.Client {
		latest = &t.latest[1]
	}
	if *latest != nil && (*latest).message == m {
		return *latest
	}
	o := t.forms[m]
	if o == nil {
		o = &form{message: m, plain: m.IsPlain()}
		for i := range f.Values {
			o.before = append(o.before, " "+f.Values[i].Field.Name+"=")
		}
		if len(o.before) > 0 {
			o.before[0] = m.Name + o.before[0]
		}
		t.forms[m] = o
	}
	*latest = o
	return o
}

// appendPieces appends the name of a message and its fields, if these are
// numbers and texts.
func (t *text) appendPieces(b []byte, f *wire.Frame, m *wire.Message) ([]byte, bool) {
	var ok bool
	if t.pieces, ok = f.Pieces(t.pieces[:0], m); !ok {
		return b, false
	}
	if m == nil {
		b = append(b, '?')
	} else {
		b = append(b, m.Name...)
	}
	for i := range t.pieces {
		p := &t.pieces[i]
		b = append(b, ' ')
		b = append(b, p.Name...)
		b = append(b, '=')
		if p.IsNumber {
			b = strconv.AppendUint(b, p.Number, 10)
		} else {
			b = appendText(b, p.Text)
		}
		if p.Note == "" {
			continue
		}
		if !isSimple([]byte(p.Note)) {
			return b, false
		}
		b = append(append(append(b, '('), p.Note...), ')')
	}
	return b, true
}

// digits is a number in digits. Mostly it is one more than the latest.
func (t *text) digits(n int) []byte {
	last := len(t.number) - 1
	if n == t.count+1 && last >= 0 && t.number[last] < '9' {
		t.number[last]++
	} else {
		t.number = strconv.AppendInt(t.number[:0], int64(n), 10)
	}
	t.count = n
	return t.number
}

// ends are the two addresses between blanks.
func (c *conn) ends(s *pcap.Source) []byte {
	h := c.side(s)
	if h.ends == nil {
		h.ends = appendEnds(nil, s)
	}
	return h.ends
}

func appendEnds(b []byte, s *pcap.Source) []byte {
	b = s.From.AppendTo(append(b, ' '))
	return append(s.To.AppendTo(append(b, ' ')), ' ')
}

// appendText appends a text of the network in quotes.
func appendText(dst, text []byte) []byte {
	whole := len(text)
	text = text[:min(whole, wire.TextLimit)]
	if isSimple(text) {
		dst = append(append(append(dst, '"'), text...), '"')
	} else {
		dst = transcript.AppendQuoted(dst, transcript.Printable(text))
	}
	if whole > wire.TextLimit {
		dst = append(dst, '(')
		dst = strconv.AppendInt(dst, int64(whole), 10)
		dst = append(dst, " bytes, cut here)"...)
	}
	return dst
}

// isSimple says that a text is printable ASCII without quotes and backslashes.
// Eight bytes are looked at as one number.
func isSimple(b []byte) bool {
	const (
		ones = 0x0101010101010101
		high = 0x8080808080808080
	)
	zero := func(x uint64) uint64 { return (x - ones) &^ x } // a high bit where there is a zero byte, if any
	odd := uint64(0)
	look := func(x uint64) {
		odd |= x | (x - ones*' ') | (x + ones) | zero(x^ones*'"') | zero(x^ones*'\\')
	}
	if len(b) >= 8 {
		look(binary.LittleEndian.Uint64(b[len(b)-8:]))
		for ; len(b) >= 8; b = b[8:] {
			look(binary.LittleEndian.Uint64(b))
		}
		return odd&high == 0
	}
	for _, c := range b {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
