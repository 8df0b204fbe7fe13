package refclient

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// Ends of a session that the server is the reason for.
var (
	ErrClosed = errors.New("server closed the connection")
	ErrReset  = errors.New("connection reset")
)

const (
	connectWithin = 10 * time.Second

	// After the end of the input the server is given this long to say more,
	// counted from the last that it said, and in all.
	lingerQuiet = time.Second
	lingerInAll = 10 * time.Second

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
	dialer := net.Dialer{Timeout: connectWithin}
	conn, err := dialer.DialContext(ctx, "tcp", f.Addr)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return connectError(f.Addr, err)
	}
	defer conn.Close()
	if err := t.Start(); err != nil {
		return err
	}
	defer t.Close()

	// Whatever ends the session says so to end; the first one is the reason.
	// Closing the connection then ends reads and writes that wait.
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	defer context.AfterFunc(ctx, func() { conn.Close() })()

	s := &framedSession{Framed: f, conn: conn.(*net.TCPConn), terminal: t, end: end}
	go s.receive()
	s.send(ctx)
	<-ctx.Done()
	if err := context.Cause(ctx); err != errLeft {
		return err
	}
	return nil
}

// connectError leaves out of a dial error what the user has typed anyway.
func connectError(addr string, err error) error {
	var dns *net.DNSError
	var timeout net.Error
	var number syscall.Errno
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Errorf("find host %s: no such host", dns.Name)
	case errors.As(err, &number):
		return fmt.Errorf("connect to %s: %w", addr, number)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("connect to %s: no answer within %v", addr, connectWithin)
	}
	return fmt.Errorf("connect to %s: %w", addr, err)
}

// errLeft is the end that the user wanted.
var errLeft = errors.New("left")

// A framedSession is one run of a Framed: one goroutine sends, one receives,
// and one, the terminal's, reads what is typed.
type framedSession struct {
	Framed
	conn     *net.TCPConn
	terminal *Terminal
	end      func(error)

	leaveBy atomic.Pointer[time.Time] // set once all has been sent
}

// send logs in and sends until the input or the session ends.
func (s *framedSession) send(ctx context.Context) {
	// First, so that Ctrl-C is heard from the start.
	lines := s.terminal.Lines(ctx, s.maxMessage(), s.end)
	if !s.write(ctx, s.LoginText) {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case line, ok := <-lines:
			if !ok {
				s.leave()
				return
			}
			if line != "" && !s.write(ctx, line) {
				return
			}
		}
	}
}

// write sends one frame and says whether it could.
func (s *framedSession) write(ctx context.Context, text string) bool {
	_, err := s.conn.Write(frame{s.User, text}.append(nil))
	if err == nil {
		return true
	}
	// The server has gone. What it said before is on its way to the screen,
	// and the receiver will find the end, and which end it was.
	select {
	case <-ctx.Done():
	case <-time.After(lingerQuiet):
		s.end(lost("send", err))
	}
	return false
}

// leave closes the client's half. Closing all of it would make the system
// reset the connection when something unread arrives, and the server could
// lose the last messages over it.
func (s *framedSession) leave() {
	// Known before the server can answer: its close is no loss then.
	s.leaveBy.Store(new(time.Now().Add(lingerInAll)))
	s.conn.SetReadDeadline(time.Now().Add(lingerQuiet))
	if err := s.conn.CloseWrite(); err != nil {
		s.end(lost("send", err))
	}
}

// receive shows what arrives, until the session ends.
func (s *framedSession) receive() {
	defer s.terminal.Guard()
	s.end(s.showAll())
}

func (s *framedSession) showAll() error {
	arrived := frames{maxMessage: s.maxMessage()}
	buf := make([]byte, 64<<10)
	for {
		n, err := s.conn.Read(buf)
		leaveBy := s.leaveBy.Load()
		if leaveBy != nil {
			quiet := time.Now().Add(lingerQuiet)
			if quiet.After(*leaveBy) {
				quiet = *leaveBy
			}
			s.conn.SetReadDeadline(quiet)
		}
		whole, bad := arrived.add(buf[:n])
		if err := s.show(whole); err != nil {
			return err
		}
		closed := errors.Is(err, io.EOF)
		switch {
		case bad != nil:
			return bad
		case err == nil:
		case closed && arrived.partial():
			return fmt.Errorf("%w in the middle of a frame", ErrClosed)
		case leaveBy != nil && (closed || errors.Is(err, os.ErrDeadlineExceeded)):
			return errLeft
		default:
			return lost("receive", err)
		}
	}
}

func (s *framedSession) show(whole []frame) error {
	if len(whole) == 0 {
		return nil
	}
	texts := make([]string, len(whole))
	for i, f := range whole {
		if f.user == framedServer {
			texts[i] = "* " + f.text
		} else {
			texts[i] = speaker(f.user) + ": " + f.text
		}
	}
	return s.terminal.Show(texts...)
}

// lost names the two ways in which a connection usually ends.
func lost(doing string, err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return ErrClosed
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return ErrReset
	}
	return fmt.Errorf("%s: %w", doing, err)
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
