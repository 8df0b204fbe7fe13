package decode

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"math"
	"slices"

	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/pcap"
)

// A seek looks for the next message of a direction behind bytes that are
// missing or malformed.
//
// Among lines that is what follows the next end of a line. Elsewhere every byte
// may be the beginning; it is one if enough messages follow from it, one after
// another, or if messages follow from it up to the very end of the stream. Of
// several such bytes it is the one whose messages are complete first, and of
// those the first, so that the outcome does not depend on how the stream is cut
// into packets.
type seek struct {
	why   string // what is wrong with the first byte; empty behind a gap
	start bool   // the capture begins in the middle of a connection: perhaps between two messages
	gone  gone   // bytes that have been passed over
	next  int    // every offset before it has been tried
	open  []try  // those of which more bytes will tell, in order
}

// gone are bytes that are not kept, but for the first and the last of them.
type gone struct {
	length     int
	head, tail []byte
	sum        hash.Hash
}

// A try is an offset at which a message may begin.
type try struct {
	at   int
	need int // bytes without which nothing more can be said
	wait int // bytes at which it is worth another look
}

// Limits on a search. A message that is longer than tryLimit is not recognized
// while one is looked for: so all that an offset costs is bounded.
const (
	enough   = 3       // messages that show where one begins
	tryLimit = 1 << 10 // bytes of each of these
)

// search says at which offset of b messages begin again, or -1 if that is not
// known yet. last says that no more bytes will come.
func (d *Decoder) search(codec *wire.Codec, k *seek, b []byte, from wire.Side, last bool) int {
	if end := codec.LineEnd(from); end != nil && !k.start {
		return d.searchLine(codec, k, b, from, end)
	}
	best, bestEnd := -1, math.MaxInt
	look := func(t *try) (keep bool) {
		end, need := d.follow(codec, k, b, t.at, from, last)
		switch {
		case end > 0 && (end < bestEnd || end == bestEnd && t.at < best):
			best, bestEnd = t.at, end
		case need > 0:
			// Often more is needed than can be said: it is looked at again
			// when there is twice as much.
			t.need, t.wait = need, max(need, len(b)+(len(b)-t.at))
			return true
		}
		return false
	}
	open := k.open[:0]
	for _, t := range k.open {
		if t.wait > len(b) && !last || look(&t) {
			open = append(open, t)
		}
	}
	for ; k.next < min(len(b), bestEnd); k.next++ {
		if t := (try{at: k.next}); look(&t) {
			open = append(open, t)
		}
	}
	k.open = open
	if best >= 0 && !last {
		for _, t := range open {
			if t.need <= len(b) {
				look(&t)
			}
		}
	}
	return best
}

// follow reads messages from an offset on. It returns where they end if they
// show that one begins there, or how many bytes are needed to say more; neither
// if none begins there. With last, what ends where b does is enough.
func (d *Decoder) follow(codec *wire.Codec, k *seek, b []byte, at int, from wire.Side, last bool) (end, need int) {
	begin, wanted, limit := at, enough, tryLimit
	if at == 0 && k.start {
		wanted, limit = 1, messageLimit
	}
	for n := range wanted {
		if last && n > 0 && at == len(b) {
			break
		}
		if begin > 0 && codec.Excludes(b[at:], from) {
			return 0, 0
		}
		size, err := codec.Decode(&d.frame, b[at:min(len(b), at+limit)], from)
		switch {
		case err == wire.ErrShort && (size > limit || len(b)-at >= limit) && limit == tryLimit:
			return 0, 0
		case err == wire.ErrShort:
			return 0, saturate(at, size)
		case err != nil:
			if begin == 0 && k.start {
				k.why = err.Error()
			}
			return 0, 0
		case !(begin == 0 && k.start) && !d.isLikely(codec, from):
			return 0, 0
		}
		at += size
	}
	return at, 0
}

// isLikely says that what has been decoded is a message and not something that
// looks like one by chance: it has a name, and no control characters in texts.
func (d *Decoder) isLikely(codec *wire.Codec, from wire.Side) bool {
	return !hasControl(d.frame.Raw, d.frame.Values) && codec.Name(&d.frame, from) != nil
}

func hasControl(raw []byte, values []wire.Value) bool {
	for i := range values {
		v := &values[i]
		if v.Field.Type == wire.Text {
			for _, c := range raw[v.Start : v.Start+v.Size] {
				if c < ' ' && c != '\n' && c != '\r' && c != '\t' {
					return true
				}
			}
		}
		for _, entry := range v.Entries {
			if hasControl(raw, entry) {
				return true
			}
		}
	}
	return false
}

// searchLine is search among lines: the next one begins behind the end of this
// one, unless this one, as far as it is there, is a message with a name.
func (d *Decoder) searchLine(codec *wire.Codec, k *seek, b []byte, from wire.Side, end []byte) int {
	if k.next == 0 && k.gone.length == 0 {
		switch _, err := codec.Decode(&d.frame, b, from); {
		case err == wire.ErrShort:
			return -1
		case err == nil:
			if m := codec.Name(&d.frame, from); m != nil && !m.IsCatchAll() && m.CanSend() == nil {
				return 0
			}
		}
	}
	at := max(k.next-len(end), 0)
	if i := bytes.Index(b[at:], end); i >= 0 {
		return at + i + len(end)
	}
	k.next = len(b)
	return -1
}

// junk is how many of the first bytes have turned out to begin no message.
func (k *seek) junk() int {
	if len(k.open) > 0 {
		return k.open[0].at
	}
	return k.next
}

// mayBegin says that the first byte of a capture that begins in the middle of a
// connection may still be that of a message.
func (k *seek) mayBegin() bool { return k.start && len(k.open) > 0 && k.open[0].at == 0 }

// pass passes over bytes in which no message begins, and returns how many of b
// these are. It leaves them where they are as long as they are few.
func (k *seek) pass(b []byte) int {
	const few, half = 8 << 10, 1 // in the rest may be the first half of the end of a line
	n := k.junk() - half
	if n < few {
		return 0
	}
	k.gone.add(b[:n])
	k.next -= n
	for i := range k.open {
		k.open[i].at -= n
		k.open[i].need -= n
		k.open[i].wait -= n
	}
	return n
}

// shown is how many bytes of each end of what is gone are kept.
const shown = 1024

func (g *gone) add(b []byte) {
	if g.sum == nil {
		g.sum = sha256.New()
		g.head = bytes.Clone(b[:min(shown, len(b))])
	}
	g.length += len(b)
	g.sum.Write(b)
	g.tail = append(g.tail, b[max(len(b)-shown, 0):]...)
	g.tail = slices.Delete(g.tail, 0, max(len(g.tail)-shown, 0))
}

// skipped tells of the bytes that have been passed over, and of b, which follows
// them and ends the search. found says that a message follows.
func (d *Decoder) skipped(c *conn, s *pcap.Source, k *seek, b []byte, found bool) {
	n := k.gone.length + len(b)
	if n == 0 {
		return
	}
	why := plural(n, "byte") + " skipped"
	switch {
	case k.why != "":
		why = k.why + "; " + why
	case !found:
		why += ", in which no message was found"
	case k.start:
		why += " before the first message"
	default:
		why += " before the next message"
	}
	body := transcript.NewBody(b)
	if g := &k.gone; g.length > 0 {
		g.add(b)
		body = transcript.Body{Length: g.length, Head: g.head, Tail: g.tail, SHA256: hex.EncodeToString(g.sum.Sum(nil))}
	}
	d.add(c, s, &transcript.Message{From: string(speaker(s)), Bytes: body, Malformed: why})
}

// malformed tells of bytes that are no message.
func (d *Decoder) malformed(c *conn, s *pcap.Source, b []byte, why string) {
	d.add(c, s, &transcript.Message{From: string(speaker(s)), Bytes: transcript.NewBody(b), Malformed: why})
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
