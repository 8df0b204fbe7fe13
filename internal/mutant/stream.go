package mutant

import (
	"errors"

	"github.com/chatprobe/chatprobe/internal/wire"
)

// mostHeld is how much of a message is held back until it is whole. What claims
// to be longer passes as it is.
const mostHeld = 2 << 20

// A stream takes one direction of a connection apart into messages.
type stream struct {
	partial []byte // the beginning of a message
	any     bool   // a message has come
	raw     bool   // nothing can be read here any more
	need    int
}

// take has each whole message go to whole, and what can be no message to other,
// which may be nil.
func (s *stream) take(codec *wire.Codec, from wire.Side, b []byte, whole func(*message), other func([]byte)) {
	if s.raw {
		if other != nil {
			other(b)
		}
		return
	}
	datagram := codec.IsDatagram(from)
	if datagram || codec.Unframed(from) {
		s.partial = nil
	}
	s.partial = append(s.partial, b...)
	if len(s.partial) < s.need && s.need <= mostHeld {
		return
	}
	for len(s.partial) > 0 || datagram {
		var f wire.Frame
		decode := codec.Decode
		if codec.Unframed(from) {
			decode = codec.DecodeQuiet
		}
		n, err := decode(&f, s.partial, from)
		if errors.Is(err, wire.ErrShort) {
			s.need = n
			if n > mostHeld {
				s.giveUp(whole)
			}
			return
		}
		if err != nil {
			s.giveUp(whole)
			return
		}
		f.SetFirst(!s.any)
		s.any, s.need = true, 0
		m := &message{frame: &f, raw: s.partial[:n:n], kind: codec.Name(&f, from), args: wire.Args{}}
		if m.kind != nil {
			m.kind.Match(&f, nil, m.args)
		}
		s.partial = s.partial[n:]
		whole(m)
		if datagram {
			return
		}
	}
}

// giveUp stops reading, because of a message that is too long to wait for: it
// is as good as none.
func (s *stream) giveUp(to func(*message)) {
	b := s.partial
	s.raw, s.partial = true, nil
	to(&message{raw: b})
}

// rest gives away what is left of a message that will not be completed.
func (s *stream) rest(to func([]byte)) {
	if len(s.partial) > 0 {
		to(s.partial)
	}
	s.partial, s.need = nil, 0
}

// isBegun says that the beginning of a message has come, and its end has not.
func (s *stream) isBegun() bool { return len(s.partial) > 0 && !s.raw }
