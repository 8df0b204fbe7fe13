package refserver

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/chatprobe/chatprobe/internal/chat"
)

const (
	defaultMaxLine = 64 << 10

	longestUser = 60 // bytes; longer than anybody's name, and short enough to repeat with every message

	// goodbye is how long the clients of a server that stops may take to read that it does, and goneWithin how long
	// one who has read it may take to hang up.
	goodbye    = 300 * time.Millisecond
	goneWithin = 50 * time.Millisecond
)

// What the server says. All else that a client receives was said by another.
const (
	registered        = "200 Registration successful\n"
	invalid           = "400 Invalid registration\n"
	alreadyRegistered = "401 Client already registered\n"
	disconnect        = "DISCONNECT CHAT/1.0\n"
)

// Lines is a line-based chat over TCP. A line ends in LF; a CR before it is ignored. A client says, one line each:
//
//	REGISTER <user> CHAT/1.0     first
//	@<user>: <text>              to all the others
//	DISCONNECT <user> CHAT/1.0   before it closes
//
// A registration is answered 200 (L-9). Under a name that is in use it is answered 401, and any other first line 400;
// then the connection is closed. A user's name is UTF-8 of 1 to 60 bytes without white space, control characters and
// colons, since a colon is where it ends in a message.
//
// A message goes to every other registered client as it came (L-4, L-5), and what its text says is nothing to us
// (L-13). A line that is neither a message nor a DISCONNECT under the client's own name is dropped, and its client stays
// (L-12). One that is longer than MaxLine, is not UTF-8 or has a NUL costs the connection (L-13). After a DISCONNECT, or
// without (L-14), the client is dropped and its name is free; nobody is told, the protocol has no words for it.
//
// Clients that are not registered say and hear nothing (L-11). When the server stops, all that are registered are told
// DISCONNECT CHAT/1.0 (L-8).
//
// The zero value is ready to use. Fields may not change while Serve runs.
type Lines struct {
	MaxLine      int           // longest line in bytes, without its end (L-13); default 64 KiB
	MaxClients   int           // connections at a time, registered or not; default 10000
	LoginTimeout time.Duration // for the registration to arrive whole; default 30s
	Outbox       int           // bytes that may wait for a client that reads slowly (L-15); default 8 MiB
	Log          *slog.Logger  // nil: no log
}

// Choices says what this server does where the protocol leaves a choice, in the words of Framed.Choices.
func (l Lines) Choices() string {
	return fmt.Sprintf("end=lf stop=interrupt max_line=%d", cmp.Or(l.MaxLine, defaultMaxLine))
}

// Serve serves ln until ctx is done, then tells the clients, closes ln and every connection, and returns when every
// goroutine that it has started has ended, within a second. The error is nil then; otherwise ln does not accept
// connections any more.
func (l Lines) Serve(ctx context.Context, ln net.Listener) error {
	l.MaxLine = cmp.Or(l.MaxLine, defaultMaxLine)
	l.MaxClients = cmp.Or(l.MaxClients, 10000)
	l.LoginTimeout = cmp.Or(l.LoginTimeout, 30*time.Second)
	l.Outbox = cmp.Or(l.Outbox, 8<<20)
	l.Log = cmp.Or(l.Log, slog.New(slog.DiscardHandler))

	room := chat.NewRoom(l.Outbox)
	defer room.Close()
	// The connections stay until everybody has been told.
	accepting, stopAccepting := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAccepting()
	unhook := context.AfterFunc(ctx, func() {
		room.Farewell([]byte(disconnect), goodbye)
		stopAccepting()
	})
	defer unhook()
	return acceptAll(accepting, ln, l.MaxClients, l.Log, func(conn net.Conn) (stay func()) {
		s := &linesSession{Lines: &l, member: room.Meet(conn), conn: conn, in: inbox{conn: conn}}
		return s.enter()
	})
}

// linesSession is one connection, served by one goroutine at a time.
type linesSession struct {
	*Lines
	member *chat.Member
	conn   net.Conn
	in     inbox
	user   string // as registered
	warned bool   // about lines that are dropped
}

// Why a line, or its client, is refused.
var (
	errNoRegistration = errors.New("the first line is no valid registration")
	errLineTooLong    = errors.New("the line is too long")
	errBinary         = errors.New("the line has a NUL or is not UTF-8")
	errDisconnect     = errors.New("said DISCONNECT")
)

// enter registers the client. It returns what is to be done as long as the client stays, or nil if it may not.
func (s *linesSession) enter() (stay func()) {
	err := s.register()
	if err == nil {
		s.Log.Info("registered", "user", s.user, "client", s.conn.RemoteAddr())
		return s.stay
	}
	s.Log.Warn("no registration", "client", s.conn.RemoteAddr(), "error", err)
	switch {
	case errors.Is(err, errNoRegistration):
		refuse(s.conn, []byte(invalid))
	case errors.Is(err, chat.ErrNameInUse):
		refuse(s.conn, []byte(alreadyRegistered))
	}
	return nil
}

// register reads the first line and makes the client a member under the name in it.
func (s *linesSession) register() error {
	s.conn.SetReadDeadline(time.Now().Add(s.LoginTimeout))
	for {
		line, size, err := s.line(s.in.unused())
		if err != nil {
			return fmt.Errorf("%w: %w", errNoRegistration, err)
		}
		if size == 0 {
			if err := s.in.fill(); err != nil {
				return err
			}
			continue
		}
		user, ok := controlLine(line, "REGISTER")
		if !ok || !validUser(user) {
			return fmt.Errorf("%w: %.100q", errNoRegistration, line)
		}
		s.conn.SetReadDeadline(time.Time{}) // before the room can hang up by setting one
		s.user = user
		s.in.use(size)
		if err := s.member.Enter(user, []byte(registered), nil); err != nil {
			return fmt.Errorf("%q: %w", user, err)
		}
		return nil
	}
}

// stay relays what the client says, until it leaves or is made to.
func (s *linesSession) stay() {
	err := s.relay()
	if hungUp := s.member.Err(); hungUp != nil {
		err = hungUp // and err is only how the reader was told
	}
	switch {
	case errors.Is(err, net.ErrClosed): // it has been told that the server stops
		linger(s.conn, goneWithin)
	case errors.Is(err, errDisconnect), errors.Is(err, io.EOF): // it may have stopped talking and not listening
		s.member.Part(nil, farewell)
	case errors.Is(err, chat.ErrOutboxFull):
		abort(s.conn)
	}
	s.member.Leave(nil)
	if !errors.Is(err, chat.ErrClosed) && !errors.Is(err, net.ErrClosed) { // or it leaves with everybody else
		s.Log.Info("left", "user", s.user, "client", s.conn.RemoteAddr(), "reason", err)
	}
}

// relay passes on what the client says until its connection ends, which is the error.
func (s *linesSession) relay() error {
	for {
		said, size, err := s.scan(s.in.unused())
		if len(said) > 0 {
			s.member.Say(said)
		}
		s.in.use(size)
		if err != nil {
			return err
		}
		if size == 0 {
			if err := s.in.fill(); err != nil {
				return err
			}
		}
	}
}

// scan takes the lines at the head of arrived that are whole, size bytes altogether, and returns those that are to be
// relayed. They are moved together at the head of arrived, and so can go out at once. The error is why the client may
// not stay.
func (s *linesSession) scan(arrived []byte) (said []byte, size int, err error) {
	said = arrived[:0]
	for size < busyInbox {
		line, n, err := s.line(arrived[size:])
		if n == 0 || err != nil {
			return said, size, err
		}
		size += n
		if s.isMessage(line) {
			said = append(append(said, line...), '\n')
			continue
		}
		if user, ok := controlLine(line, "DISCONNECT"); ok && user == s.user {
			return said, size, errDisconnect
		}
		s.warn()
	}
	return said, size, nil
}

// isMessage reports whether line is a message under the client's own name.
func (s *linesSession) isMessage(line []byte) bool {
	rest, at := bytes.CutPrefix(line, []byte("@"))
	text, own := bytes.CutPrefix(rest, []byte(s.user))
	return at && own && bytes.HasPrefix(text, []byte(": "))
}

// warn logs that a line has been dropped; once, because the log is not for a client to fill.
func (s *linesSession) warn() {
	if !s.warned {
		s.warned = true
		s.Log.Warn("lines that are no messages of the user's own are dropped", "user", s.user, "client", s.conn.RemoteAddr())
	}
}

// line returns the line at the head of arrived without its end, and its size with it, which is 0 if the line is not
// whole. The error is one that costs the client its connection.
func (s *linesSession) line(arrived []byte) (line []byte, size int, err error) {
	end := bytes.IndexByte(arrived, '\n')
	if end < 0 {
		if len(arrived) > s.MaxLine+len("\r") {
			return nil, 0, errLineTooLong
		}
		return nil, 0, nil
	}
	line = bytes.TrimSuffix(arrived[:end], []byte("\r"))
	switch {
	case len(line) > s.MaxLine:
		return nil, 0, errLineTooLong
	case bytes.IndexByte(line, 0) >= 0, !utf8.Valid(line):
		return nil, 0, errBinary
	}
	return line, end + 1, nil
}

// controlLine returns the user in a line of this verb, and reports whether it is one: VERB <user> CHAT/1.0
func controlLine(line []byte, verb string) (user string, ok bool) {
	rest, isVerb := strings.CutPrefix(string(line), verb+" ")
	user, versioned := strings.CutSuffix(rest, " CHAT/1.0")
	return user, isVerb && versioned
}

// validUser reports whether a client may register under this name.
func validUser(user string) bool {
	return user != "" && len(user) <= longestUser && !strings.ContainsFunc(user, func(r rune) bool {
		return r == ':' || unicode.IsSpace(r) || unicode.IsControl(r)
	})
}
