package refclient

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
)

const (
	framedHeader = 2 + 4

	// framedServer is the user name under which a server speaks.
	framedServer = "server"
)

// Framed is a client of the framed chat room. Every message, in both
// directions, is one frame over TCP, its numbers big-endian:
//
//	UNameL   2 bytes   length of Username
//	MessageL 4 bytes   length of Message
//	Username           who speaks
//	Message            what is said
//
// The first frame logs in. A Framed is plain data and may be run many times.
type Framed struct {
	Addr string // host:port of the server
	User string // the name to log in with, 1 to 65,535 bytes

	// LoginText is the Message of the login frame. It is empty, unless the
	// server takes an empty message for the end of the connection.
	LoginText string

	// MaxMessage is the most bytes that a Message may have, typed or received;
	// 0 means the constant of that name.
	MaxMessage int
}

// MaxMessage is the usual limit: 1 MiB.
const MaxMessage = 1 << 20

// Check says what is wrong with the fields, nil if nothing is; of Addr only
// connecting can tell. Run checks too.
func (f Framed) Check() error {
	most := f.maxMessage()
	switch {
	case f.User == "":
		return errors.New("user name is empty")
	case len(f.User) > math.MaxUint16:
		return fmt.Errorf("user name has %d bytes, a frame holds %d", len(f.User), math.MaxUint16)
	case most < 1 || uint64(most) > math.MaxUint32:
		return fmt.Errorf("message limit %d is not between 1 and %d", most, uint32(math.MaxUint32))
	case len(f.LoginText) > most:
		return fmt.Errorf("login text has %d bytes, the limit is %d", len(f.LoginText), most)
	}
	return nil
}

func (f Framed) maxMessage() int {
	if f.MaxMessage == 0 {
		return MaxMessage
	}
	return f.MaxMessage
}

// Run connects, logs in, and then sends what is typed and shows what arrives:
// chat as "name: text", a notice of the server as "* text". An empty line is
// not sent, because an empty message is no chat in this protocol.
//
// When the input ends, everything typed has been sent; the client says that it
// is done by closing its half of the connection, goes on showing what arrives
// until the server closes too or has been quiet for a second, and Run returns
// nil. It returns ErrClosed or ErrReset when the server goes first, and the
// cause of ctx when that is cancelled.
func (f Framed) Run(ctx context.Context, t *Terminal) error {
	if err := f.Check(); err != nil {
		return err
	}
	arrived := frames{maxMessage: f.maxMessage()}
	s := &session{
		addr:    f.Addr,
		maxLine: f.maxMessage(),
		hello:   frame{f.User, f.LoginText}.append(nil),
		compose: func(line string) ([]byte, error) {
			if line == "" {
				return nil, nil
			}
			return frame{f.User, line}.append(nil), nil
		},
		arrived: func(piece []byte) ([]string, int, error) {
			whole, err := arrived.add(piece)
			return framedTexts(whole), 0, err
		},
		partial: func() string {
			if arrived.partial() {
				return "frame"
			}
			return ""
		},
	}
	return s.run(ctx, t)
}

// framedTexts is what the user sees of frames.
func framedTexts(whole []frame) []string {
	texts := make([]string, len(whole))
	for i, f := range whole {
		if f.user == framedServer {
			texts[i] = "* " + f.text
		} else {
			texts[i] = speaker(f.user) + ": " + f.text
		}
	}
	return texts
}

// A frame is one message of the protocol.
type frame struct{ user, text string }

func (f frame) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(f.user)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(f.text)))
	b = append(b, f.user...)
	return append(b, f.text...)
}

// frames puts frames together from bytes that arrive in any pieces. Its memory
// is what has arrived, never what a length claims.
type frames struct {
	maxMessage int
	rest       []byte // the start of a frame
	err        error
}

// add gives the frames that end in piece. An error is final, and comes with
// the frames before it.
func (d *frames) add(piece []byte) ([]frame, error) {
	if d.err != nil {
		return nil, d.err
	}
	var whole []frame
	d.rest = append(d.rest, piece...)
	unread := d.rest
	for {
		f, n, err := decodeFrame(unread, d.maxMessage)
		if err != nil {
			d.rest, d.err = nil, err
			return whole, err
		}
		if n == 0 {
			break
		}
		whole = append(whole, f)
		unread = unread[n:]
	}
	d.rest = append(d.rest[:0], unread...)
	return whole, nil
}

// partial says whether a frame has begun and not ended.
func (d *frames) partial() bool { return len(d.rest) > 0 }

// decodeFrame reads the frame that b starts with and says how many bytes it
// has; none, if not all of them are there yet.
func decodeFrame(b []byte, maxMessage int) (f frame, n int, err error) {
	if len(b) < framedHeader {
		return frame{}, 0, nil
	}
	user := int(binary.BigEndian.Uint16(b))
	length := binary.BigEndian.Uint32(b[2:])
	if uint64(length) > uint64(maxMessage) {
		return frame{}, 0, tooLong(length, maxMessage)
	}
	text := framedHeader + user
	n = text + int(length)
	if len(b) < n {
		return frame{}, 0, nil
	}
	return frame{string(b[framedHeader:text]), string(b[text:n])}, n, nil
}

// tooLong guesses at the usual reason for a length beyond all measure.
func tooLong(length uint32, maxMessage int) error {
	hint := ""
	if swapped := bits.ReverseBytes32(length); swapped <= uint32(maxMessage) {
		hint = fmt.Sprintf("; or are its numbers little-endian? This one would be %d then", swapped)
	}
	return fmt.Errorf("read frame: the server announces a message of %d bytes, the limit is %d%s", length, maxMessage, hint)
}
