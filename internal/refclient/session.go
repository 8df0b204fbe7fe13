package refclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
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

	// admitWithin is how long what is typed waits for a server that may or may
	// not answer the login.
	admitWithin = time.Second

	// inTurnWithin is how long an error in a command waits for the answers to
	// the commands before it.
	inTurnWithin = 250 * time.Millisecond

	// farewellWithin is how long an interrupted client takes to say goodbye.
	farewellWithin = 250 * time.Millisecond
)

// errLeft is the end that the user wanted.
var errLeft = errors.New("left")

// A session is one run of a client over TCP. One goroutine sends, one receives,
// and one, the terminal's, reads what is typed. The first fields are what a
// protocol makes of it.
type session struct {
	addr    string
	maxLine int // most bytes of a line that is typed

	hello, goodbye []byte // sent before and after all that is typed; goodbye may be nil

	// compose says what a typed line sends, which may be nothing. An error is
	// shown to the user; errLeft is a wish to leave.
	compose func(line string) ([]byte, error)

	// arrived takes the next bytes from the server, gives what is to be shown,
	// and says how many answers to messages are in it. An error is final, and
	// comes with what is before it.
	arrived func(piece []byte) (texts []string, answers int, err error)

	// partial tells of the message that has begun and not ended; "" if none has.
	partial func() string

	// admitted is closed when the server has answered the login; nil if it
	// never does.
	admitted <-chan struct{}

	// answered says that every message that is composed has one answer. Where
	// that is not so, closing one's own half tells the server that nothing more
	// comes, and its own close that it has said all.
	answered bool

	conn     *net.TCPConn
	terminal *Terminal
	end      func(error)

	sending  sync.Mutex // held for one message at a time
	finished bool       // nothing can be sent any more

	unanswered atomic.Int64              // messages, if answered is set
	leaveBy    atomic.Pointer[time.Time] // set once all has been sent
	received   chan struct{}             // closed when nothing more will be received
}

// run connects and talks until the session ends; see the Run of the clients.
func (s *session) run(ctx context.Context, t *Terminal) error {
	conn, err := dial(ctx, "tcp", s.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := t.Start(); err != nil {
		return err
	}
	defer t.Close()

	// Whatever ends the session says so to end; the first one is the reason.
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)

	s.conn, s.terminal, s.end = conn.(*net.TCPConn), t, end
	s.received = make(chan struct{})
	go s.receive()
	go s.send(ctx)
	<-ctx.Done()
	s.hangUp() // and so ends reads and writes that wait
	return reason(ctx)
}

// dial connects. Its errors leave out what the user has typed anyway.
func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: connectWithin}
	conn, err := dialer.DialContext(ctx, network, addr)
	if err == nil {
		return conn, nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var dns *net.DNSError
	var timeout net.Error
	var number syscall.Errno
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return nil, fmt.Errorf("find host %s: no such host", dns.Name)
	case errors.As(err, &number):
		return nil, fmt.Errorf("connect to %s: %w", addr, number)
	case errors.As(err, &timeout) && timeout.Timeout():
		return nil, fmt.Errorf("connect to %s: no answer within %v", addr, connectWithin)
	}
	return nil, fmt.Errorf("connect to %s: %w", addr, err)
}

// reason is what Run returns once ctx is done.
func reason(ctx context.Context) error {
	if err := context.Cause(ctx); err != errLeft {
		return err
	}
	return nil
}

// send logs in and sends until the input or the session ends.
func (s *session) send(ctx context.Context) {
	defer s.terminal.Guard()
	// First, so that Ctrl-C is heard from the start.
	lines := s.terminal.Lines(ctx, s.maxLine, s.end)
	if !s.write(ctx, s.hello) || !s.enter(ctx) {
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
			if !s.take(ctx, line) {
				return
			}
		}
	}
}

// enter waits until the server has answered the login, or seems to be one that
// does not. It says whether there is still a session.
func (s *session) enter(ctx context.Context) bool {
	if s.admitted == nil {
		return true
	}
	select {
	case <-s.admitted:
	case <-time.After(admitWithin):
	case <-ctx.Done():
		return false
	}
	return true
}

// take does what a typed line asks for and says whether there may be another.
func (s *session) take(ctx context.Context, line string) bool {
	message, err := s.compose(line)
	switch {
	case errors.Is(err, errLeft):
		s.leave()
		return false
	case err != nil:
		s.waitForTurn(ctx)
		if err := s.terminal.Show(err.Error()); err != nil {
			s.end(err)
			return false
		}
		return true
	case len(message) == 0:
		return true
	}
	s.unanswered.Add(1)
	return s.write(ctx, message)
}

// settled says whether it is known that the server has nothing more to say.
func (s *session) settled() bool { return s.answered && s.unanswered.Load() <= 0 }

// waitForTurn lets the answers to earlier commands come first, so that what is
// shown of a file of commands is in their order.
func (s *session) waitForTurn(ctx context.Context) {
	for by := time.Now().Add(inTurnWithin); s.answered && !s.settled() && time.Now().Before(by); {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// write sends one message and says whether it could.
func (s *session) write(ctx context.Context, message []byte) bool {
	s.sending.Lock()
	_, err := s.conn.Write(message)
	s.finished = s.finished || err != nil
	s.sending.Unlock()
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

// leave ends the session as soon as the server has said all that it has to say.
func (s *session) leave() {
	// Known before the server can answer: its close is no loss then.
	s.leaveBy.Store(new(time.Now().Add(lingerInAll)))
	if s.settled() {
		s.end(errLeft)
		return
	}
	s.conn.SetReadDeadline(time.Now().Add(lingerQuiet))
	if !s.answered {
		if err := s.closeHalf(); err != nil {
			s.end(lost("send", err))
		}
	}
}

// closeHalf says goodbye and that nothing comes after it. Closing all of the
// connection would make the system reset it when something unread arrives, and
// the server could lose the last messages over it.
func (s *session) closeHalf() error {
	s.sending.Lock()
	defer s.sending.Unlock()
	if s.finished {
		return nil
	}
	s.finished = true
	if len(s.goodbye) > 0 {
		if _, err := s.conn.Write(s.goodbye); err != nil {
			return err
		}
	}
	return s.conn.CloseWrite()
}

// hangUp closes the connection, after a goodbye if there is one in the protocol
// and the server is still there to hear it.
func (s *session) hangUp() {
	defer s.conn.Close()
	if len(s.goodbye) == 0 {
		return
	}
	select {
	case <-s.received:
		return
	default:
	}
	by := time.Now().Add(farewellWithin)
	s.conn.SetWriteDeadline(by) // also of a message that waits to be sent
	if s.closeHalf() != nil {
		return
	}
	select {
	case <-s.received: // the server has heard it, and has closed too
	case <-time.After(time.Until(by)):
	}
}

// receive shows what arrives, until the session ends.
func (s *session) receive() {
	defer s.terminal.Guard()
	err := s.showAll()
	close(s.received) // before hangUp can look
	s.end(err)
}

func (s *session) showAll() error {
	buf := make([]byte, 64<<10)
	for {
		n, err := s.conn.Read(buf)
		texts, answers, bad := s.arrived(buf[:n])
		if len(texts) > 0 {
			if err := s.terminal.Show(texts...); err != nil {
				return err
			}
		}
		// In this order, and leave in the other: one of the two finds that all
		// is settled.
		s.unanswered.Add(-int64(answers))
		leaveBy := s.leaveBy.Load()
		closed := errors.Is(err, io.EOF)
		switch {
		case bad != nil && leaveBy != nil && errors.Is(bad, ErrShutDown):
			return errLeft
		case bad != nil:
			return bad
		case leaveBy != nil && s.settled():
			return errLeft
		case err == nil:
			s.wait(leaveBy)
		case closed && s.partial() != "":
			return fmt.Errorf("%w in the middle of a %s", ErrClosed, s.partial())
		case leaveBy != nil && (closed || errors.Is(err, os.ErrDeadlineExceeded)):
			return errLeft
		default:
			return lost("receive", err)
		}
	}
}

// wait sets how long to wait for more, once all has been sent.
func (s *session) wait(leaveBy *time.Time) {
	if leaveBy == nil {
		return
	}
	quiet := time.Now().Add(lingerQuiet)
	if quiet.After(*leaveBy) {
		quiet = *leaveBy
	}
	s.conn.SetReadDeadline(quiet)
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
