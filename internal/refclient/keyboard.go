package refclient

import (
	"io"
	"unicode/utf8"
)

const (
	ctrlC  = 0x03
	escape = 0x1b

	// longestKey is more bytes than any key sends.
	longestKey = 32
)

// A keyboard stands between a terminal in raw mode and x/term's editor, and
// keeps from the editor what it does badly with:
//
//   - Ctrl-C: the editor calls it the end of input, like Ctrl-D. Here it is
//     ErrInterrupted, after everything typed before it.
//   - Bytes that are not UTF-8: the editor stops there, and holds back what
//     follows until the next key. They are dropped.
//   - A tab: the editor drops it, which joins two words of a pasted text. It
//     becomes a blank.
//   - The Escape key, or an escape sequence cut short: the editor swallows all
//     up to the next letter, and when its buffer is full it spins for ever.
//     The key is dropped, the sequence ended.
type keyboard struct {
	from  io.Reader
	ready []byte // for the editor
	cut   []byte // a character of which some bytes are still to come
	key   int    // bytes of an escape sequence so far; 0 outside, 1 after an Escape
	err   error  // comes after ready
}

// Read waits for a key and gives the editor what it can use.
func (k *keyboard) Read(p []byte) (int, error) {
	for len(k.ready) == 0 {
		if k.err != nil {
			return 0, k.err
		}
		var buf [256]byte
		n, err := k.from.Read(buf[:])
		k.err = err
		k.take(append(k.cut, buf[:n]...))
	}
	n := copy(p, k.ready)
	k.ready = k.ready[n:]
	return n, nil
}

// take moves typed bytes to ready.
func (k *keyboard) take(typed []byte) {
	k.cut = nil
	for len(typed) > 0 {
		if !utf8.FullRune(typed) {
			k.cut = typed
			return
		}
		r, n := utf8.DecodeRune(typed)
		switch {
		case r == ctrlC:
			k.err = ErrInterrupted
			return
		case r == '\t':
			k.press(" ")
		case r == utf8.RuneError:
		case 0x7f < r && r < 0xa0: // C1 controls, which some terminals obey when echoed
		default:
			k.press(string(typed[:n]))
		}
		typed = typed[n:]
	}
}

// press passes one character on, and sees that every escape sequence ends with
// what the editor takes for its end: a letter or a tilde.
func (k *keyboard) press(char string) {
	c := char[0]
	switch {
	case c == escape:
		k.end()
		k.key = 1
		return // held back until it is known to be more than the Escape key
	case k.key == 0:
	case k.key == 1 && c == '[':
		k.key = 2
		char = "\x1b["
	case k.key == 1:
		k.key = 0
	case c == '~' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z':
		k.key = 0
	case (' ' <= c && c < '@' || c == '[') && k.key < longestKey:
		k.key++
	default:
		k.end()
	}
	k.ready = append(k.ready, char...)
}

// end ends a sequence that has begun.
func (k *keyboard) end() {
	if k.key > 1 {
		k.ready = append(k.ready, '~')
	}
	k.key = 0
}
