package wire

import "bytes"

// nameLimit is the length of the longest message whose text is searched for
// what a regular expression describes, only to name it. What is described like
// that are notices, and those are short.
const nameLimit = 4096

// Name is the first message in the order written that f can be, or nil. It is
// how a message is called in displays; a step asks [Message.Match] instead.
func (c *Codec) Name(f *Frame, from Side) *Message {
	d := c.of(from)
	l := look{frame: f, words: &d.words}
	long := len(f.Raw) > nameLimit
	for _, m := range d.messages {
		if m.Shape != f.Shape || m.First && !f.first || long && m.hasRegex() || m.words != 0 && !l.sees(m.words) {
			continue
		}
		if l.fits(m) {
			return m
		}
	}
	return nil
}

// bindNames notes the words of the expressions that name messages of a side.
// It is for codecs that read; one that only shows whether a file is right does
// not need it.
func (d *direction) bindNames() {
	for _, m := range d.messages {
		m.words = 0
		all := len(m.parts) == 0 // each alternative has words
		for _, w := range m.where {
			words := uint64(0)
			for i := range w {
				if p := w[i].pattern; p != nil && p.isRegex() && w[i].field.charset == nil {
					w[i].words = d.words.add(wordsOf(p.open.expr))
					words |= w[i].words
				}
			}
			m.words |= words
			all = all && words != 0
		}
		if !all {
			m.words = 0
		}
	}
}

// A look is one look at a frame. It says what [Message.Match] says without any
// argument, in less time.
type look struct {
	frame *Frame
	words *words
	seen  uint64 // words that stand in the frame
	done  bool   // seen is known
}

// fits says whether the frame, which has the shape of m, can be m.
func (l *look) fits(m *Message) bool {
	for _, w := range m.except {
		if l.all(w) {
			return false
		}
	}
	if len(m.parts) > 0 {
		return m.matchParts(l.frame, nil, nil)
	}
	for _, w := range m.where {
		if l.all(w) {
			return true
		}
	}
	return false
}

func (l *look) all(w where) bool {
	for i := range w {
		if !l.holds(&w[i]) {
			return false
		}
	}
	return true
}

func (l *look) holds(c *condition) bool {
	if c.words != 0 && !l.sees(c.words) {
		return false
	}
	v := l.frame.value(c.field)
	switch {
	case v == nil:
		return false
	case c.isFixed:
		return v.Number == c.number
	case c.json != nil || c.field.Type.isNumber():
		return c.match(l.frame, v, nil, nil)
	case c.pattern.isWhole():
		return true
	}
	return c.pattern.locate(l.frame.text(v), nil, nil)
}

// sees says that one of these words stands in the frame.
func (l *look) sees(words uint64) bool {
	if !l.done {
		l.seen, l.done = l.words.in(l.frame.Raw), true
	}
	return l.seen&words != 0
}

// isWhole says that the pattern is one parameter, which stands for all there is.
func (p *pattern) isWhole() bool {
	return len(p.parts) == 1 && p.parts[0].param != "" && p.regex == ""
}

// hasPrefix is bytes.HasPrefix for a text.
func hasPrefix(b []byte, text string) bool {
	return len(b) >= len(text) && string(b[:len(text)]) == text
}

// indexText is bytes.Index for a text. One of a single byte, as most that
// stand between parameters are, is found much faster.
func indexText(b []byte, text string) int {
	if len(text) == 1 {
		return bytes.IndexByte(b, text[0])
	}
	return bytes.Index(b, []byte(text))
}
