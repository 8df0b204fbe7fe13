package mutant

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/chatprobe/chatprobe/internal/wire"
)

// segmenting are mutants that take a segment for a message. They make sense
// only where messages have ends.
func (s *subject) segmenting() []Mutant {
	if s.codec.IsDatagram(wire.Client) || s.codec.Unframed(wire.Client) {
		return nil
	}
	list := []Mutant{
		s.wholes("first-of-segment", "takes the first message of each segment and loses the others", func(n, of int) bool { return n == 0 }),
		s.wholes("last-of-segment", "takes the last message of each segment and loses the others", func(n, of int) bool { return n == of-1 }),
		s.wholes("two-of-segment", "takes two messages of each segment and loses the others", func(n, of int) bool { return n < 2 }),
		s.wholes("nine-of-segment", "takes nine messages of each segment and loses the others", func(n, of int) bool { return n < 9 }),
		s.reversing(),
		s.withLogin(),
		s.broken("piece-lost", "throws away the unfinished message at the end of a segment", func(l *link, b []byte, rest, _ int) []byte {
			l.room.shows()
			return b[:len(b)-rest]
		}),
		s.broken("piece-ends-connection", "closes the connection where a segment ends in the middle of a message", func(l *link, _ []byte, _, _ int) []byte {
			l.room.shows()
			l.cut(false)
			return nil
		}),
		s.broken("piece-kills", "dies where a segment ends in the middle of a message", func(l *link, _ []byte, _, _ int) []byte {
			l.room.shows()
			l.room.die(crash)
			return nil
		}),
		s.pieceBlocks(),
		s.oneBuffer(),
	}
	if end := s.lineEnd(); end != nil {
		list = append(list, s.broken("piece-is-line", "takes what comes in one segment for a line, whether its end has come or not", func(l *link, b []byte, _, _ int) []byte {
			l.room.shows()
			return append(b, end...)
		}))
	}
	for _, size := range []int{64, 256, 1024, 4096} {
		list = append(list, s.segmentCut(size))
	}
	for at := 1; at <= s.headSize(); at++ {
		list = append(list, s.broken(fmt.Sprintf("cut-after-%d", at), fmt.Sprintf("loses a message that is cut after its byte %d", at), func(l *link, b []byte, rest, have int) []byte {
			if have != at {
				return b
			}
			l.room.shows()
			return b[:len(b)-rest]
		}))
	}
	return list
}

// headSize is how many bytes stand in front of what a message is about, at
// least 1 and at most 12.
func (s *subject) headSize() int {
	size := 1
	for _, k := range s.said(wire.Client) {
		n := 0
		for _, f := range k.Lengths() {
			if !f.Type.IsInteger() {
				break
			}
			n += int(map[wire.Type]int{wire.U8: 1, wire.U16: 2, wire.U24: 3, wire.U32: 4, wire.U64: 8}[f.Type])
		}
		size = max(size, n)
	}
	return min(size, 12)
}

// lineEnd is what ends a line of a client, or nil where lines are no messages.
func (s *subject) lineEnd() []byte {
	for _, k := range s.said(wire.Client) {
		b, err := s.codec.Example(k, wire.Args{"user": "a", "text": "a", "to": "a"})
		if err == nil && bytes.HasSuffix(b, []byte("\n")) {
			if bytes.HasSuffix(b, []byte("\r\n")) {
				return []byte("\r\n")
			}
			return []byte("\n")
		}
	}
	return nil
}

// wholes lets only some of the whole messages of each segment through.
func (s *subject) wholes(name, about string, keep func(n, of int) bool) Mutant {
	return s.make(name, about, func(r *room) behaviour {
		return behaviour{segment: func(l *link, b []byte) []byte {
			pieces, rest := l.writes.split(r.codec, b)
			if len(pieces) < 2 {
				return b
			}
			var kept []byte
			for i, piece := range pieces {
				if keep(i, len(pieces)) {
					kept = append(kept, piece...)
				} else {
					r.shows()
				}
			}
			return append(kept, rest...)
		}}
	})
}

func (s *subject) reversing() Mutant {
	return s.make("segment-reversed", "takes the messages of a segment in the wrong order", func(r *room) behaviour {
		return behaviour{segment: func(l *link, b []byte) []byte {
			pieces, rest := l.writes.split(r.codec, b)
			if l.writes.isBegun() || len(pieces) < 2 {
				return b
			}
			r.shows()
			var all []byte
			for i := len(pieces) - 1; i >= 0; i-- {
				all = append(all, pieces[i]...)
			}
			return append(all, rest...)
		}}
	})
}

// withLogin loses what comes in the segment of the login.
func (s *subject) withLogin() Mutant {
	return s.make("lost-behind-login", "loses what comes in the same segment as the login", func(r *room) behaviour {
		return behaviour{segment: func(l *link, b []byte) []byte {
			pieces, rest := l.writes.split(r.codec, b)
			if l.entered || len(pieces) == 0 || len(pieces) == 1 && len(rest) == 0 {
				return b
			}
			r.shows()
			return pieces[0]
		}}
	})
}

// broken does something at the end of each segment that is no end of a message.
// f is given the segment, how much of it is the beginning of that message, and
// how many bytes of the message have come so far; it returns what the server
// gets.
func (s *subject) broken(name, about string, f func(l *link, b []byte, rest, have int) []byte) Mutant {
	return s.make(name, about, func(r *room) behaviour {
		return behaviour{segment: func(l *link, b []byte) []byte {
			pieces, rest := l.writes.split(r.codec, b)
			if len(rest) == 0 {
				return b
			}
			have := len(rest)
			if len(pieces) == 0 {
				have += len(l.writes.partial)
			}
			return f(l, b, len(rest), have)
		}}
	})
}

// pieceBlocks has everybody wait while half a message of somebody has come.
func (s *subject) pieceBlocks() Mutant {
	return s.make("piece-blocks-all", "waits for the rest of a message, and serves nobody else until it has come", func(r *room) behaviour {
		return behaviour{waits: func(l *link) bool {
			for _, o := range r.links {
				if o != l && o.writes.isBegun() && !o.left {
					r.shows()
					return true
				}
			}
			return false
		}}
	})
}

// oneBuffer has all clients share the buffer for what is not whole yet.
func (s *subject) oneBuffer() Mutant {
	return s.make("one-buffer", "keeps unfinished messages of all clients in the same buffer", func(r *room) behaviour {
		var shared []byte
		var owner *link
		return behaviour{segment: func(l *link, b []byte) []byte {
			if len(shared) > 0 && owner != l {
				r.shows()
			}
			all := append(shared, b...)
			at := 0
			for at < len(all) {
				var f wire.Frame
				n, err := r.codec.Decode(&f, all[at:], wire.Client)
				if errors.Is(err, wire.ErrShort) && n < mostHeld {
					break
				}
				if err != nil {
					n = len(all) - at
				}
				at += n
			}
			shared, owner = bytes.Clone(all[at:]), l
			return all[:at]
		}}
	})
}

// segmentCut loses what is behind the first bytes of a segment.
func (s *subject) segmentCut(size int) Mutant {
	return s.make(fmt.Sprintf("segment-cut-at-%d", size), fmt.Sprintf("takes %d bytes of each segment and loses the others", size), func(r *room) behaviour {
		return behaviour{segment: func(l *link, b []byte) []byte {
			if len(b) <= size {
				return b
			}
			r.shows()
			return b[:size]
		}}
	})
}

// split says which whole messages a segment completes, as pieces of it, and
// what is left. It changes nothing.
func (s *stream) split(codec *wire.Codec, b []byte) (pieces [][]byte, rest []byte) {
	if s.raw {
		return nil, nil
	}
	have := len(s.partial)
	all := append(bytes.Clone(s.partial), b...)
	at := 0
	for at < len(all) {
		var f wire.Frame
		n, err := codec.Decode(&f, all[at:], wire.Client)
		if err != nil {
			break
		}
		piece := all[at : at+n]
		if at < have {
			piece = all[have : at+n]
		}
		pieces = append(pieces, piece)
		at += n
	}
	return pieces, all[max(at, have):]
}
