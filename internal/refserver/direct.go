package refserver

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/chatprobe/chatprobe/internal/chat"
)

// Direct lets clients log in, list who is logged in, send to one user, and log out, over TCP. A packet begins with its
// type; numbers have their most significant byte first:
//
//	LOGIN     1, u8 length of name, name
//	LIST      2
//	SENDTO    3, u8 length of name, destination, u16 length of text, text
//	LOGOUT    4
//
// Each is answered by one packet (D-1), in the order in which they come:
//
//	LIST      5, u16 count, then for each user logged in: u8 length of name, name
//	RESPONSE  6, u8: 0 ok, 1 failure, 2 malformed packet
//
// And what somebody else sends arrives as
//
//	SENDTO    7, u8 length of name, sender, u16 length of text, text
//
// A name has 1 to 20 characters of valid UTF-8, none of them white space or a control character; it is in use while
// somebody is logged in under it, and one connection has one name at a time (D-2). LIST names the users in the order
// of their names, also to who is not logged in (D-3). A text goes to its destination only, byte for byte, and may be
// empty; one may write to oneself. It fails where there is no such user and for a sender who is not logged in (D-4).
// After LOGOUT the connection is as good as new (D-6).
//
// An unknown type, and the end of a client's bytes inside a packet, are malformed; the connection is then closed (D-7).
//
// The zero value is ready to use. Fields may not change while Serve runs.
type Direct struct {
	MaxClients int          // connections at a time, logged in or not; default 10000, at most 65535
	Outbox     int          // bytes that may wait for a client that reads slowly (D-12); default 8 MiB
	Log        *slog.Logger // nil: no log
}

// Serve serves ln until ctx is done, then closes ln and every connection, and returns when every goroutine that it
// has started has ended. The error is nil then; otherwise ln does not accept connections any more.
func (d Direct) Serve(ctx context.Context, ln net.Listener) error {
	d.MaxClients = min(cmp.Or(d.MaxClients, 10000), math.MaxUint16) // or a LIST could not count them
	d.Outbox = cmp.Or(d.Outbox, 8<<20)
	d.Log = cmp.Or(d.Log, slog.New(slog.DiscardHandler))

	room := chat.NewRoom(d.Outbox)
	defer room.Close()
	return acceptAll(ctx, ln, d.MaxClients, d.Log, func(conn net.Conn) (stay func()) {
		s := &directSession{Direct: &d, room: room, member: room.Meet(conn), conn: conn, in: inbox{conn: conn}}
		return s.enter()
	})
}

// directSession is one connection, served by one goroutine at a time.
type directSession struct {
	*Direct
	room   *chat.Room
	member *chat.Member
	conn   net.Conn
	in     inbox
	name   string // under which the client is logged in; "": it is not
	noted  int    // lines in the log
}

// Types of packets.
const (
	typeLogin = 1 + iota
	typeList
	typeSend
	typeLogout
	typeUsers
	typeResponse
	typeDelivery
)

// The three responses.
var (
	succeeded = []byte{typeResponse, 0}
	failed    = []byte{typeResponse, 1}
	malformed = []byte{typeResponse, 2}
)

// longestName is in characters.
const longestName = 20

// mostNotes bounds the lines that one client can have logged before it leaves: it may log in and out as often as it
// likes, but the log is not for a client to fill.
const mostNotes = 20

// errMalformed is why a client is disconnected whose bytes are no packet.
var errMalformed = errors.New("malformed packet")

// enter answers the client until it has logged in. It returns what is to be done then, or nil if the client has gone.
func (s *directSession) enter() (stay func()) {
	if err := s.answerWhile(func() bool { return s.name == "" }); err != nil {
		s.leave(err)
		return nil
	}
	return func() { s.leave(s.answerWhile(func() bool { return true })) }
}

// leave ends the session, for the reason err.
func (s *directSession) leave(err error) {
	if hungUp := s.member.Err(); hungUp != nil {
		err = hungUp // and err is only how the reader was told
	}
	switch {
	case errors.Is(err, errMalformed):
		s.member.Part(malformed, farewell)
		linger(s.conn, farewell)
	case errors.Is(err, io.EOF): // it may have stopped talking and not listening
		s.member.Part(nil, farewell)
	case errors.Is(err, chat.ErrOutboxFull):
		abort(s.conn)
	}
	s.member.Leave(nil)
	if !errors.Is(err, net.ErrClosed) { // or it leaves with everybody else
		s.Log.Info("left", "user", s.name, "client", s.conn.RemoteAddr(), "reason", err)
	}
}

// answerWhile answers packets as long as more says so, or until the connection ends or what comes is no packet, which is
// the error.
func (s *directSession) answerWhile(more func() bool) error {
	for more() {
		p, size, err := parsePacket(s.in.unused())
		switch {
		case err != nil:
			return err
		case size > 0:
			if answer := s.answer(p); answer != nil {
				s.member.Send(answer)
			}
			s.in.use(size)
			continue
		}
		err = s.in.fill()
		if err == io.EOF && len(s.in.unused()) > 0 {
			return fmt.Errorf("%w: it ends after %d bytes", errMalformed, len(s.in.unused()))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// answer does what p asks for and returns the answer; nil if that has been sent already.
func (s *directSession) answer(p packet) []byte {
	ok := false
	switch p.kind {
	case typeLogin:
		err := s.login(p.name)
		if err == nil {
			return nil
		}
		s.note(slog.LevelWarn, "no login", "error", err)
	case typeList:
		return userList(s.room.Names())
	case typeSend:
		ok = s.name != "" && s.room.SendTo(p.name, delivery(s.name, p.text)) == nil
	case typeLogout:
		ok = s.logout()
	}
	if !ok {
		return failed
	}
	return succeeded
}

// login makes the client a member under name, and has it told so before it can hear anything else as one.
func (s *directSession) login(name string) error {
	if s.name != "" {
		return fmt.Errorf("%q is logged in as %q already", name, s.name)
	}
	if err := checkUser(name); err != nil {
		return err
	}
	if err := s.member.Enter(name, succeeded, nil); err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	s.name = name
	s.note(slog.LevelInfo, "logged in", "user", s.name)
	return nil
}

// logout makes the client a guest again, and reports whether it was logged in.
func (s *directSession) logout() bool {
	if s.name == "" {
		return false
	}
	s.member.Exit()
	s.note(slog.LevelInfo, "logged out", "user", s.name)
	s.name = ""
	return true
}

// note logs what the client does, as long as that is not too often.
func (s *directSession) note(level slog.Level, what string, more ...any) {
	if s.noted++; s.noted > mostNotes {
		return
	}
	if s.noted == mostNotes {
		what += "; what comes after is not logged"
	}
	s.Log.Log(context.Background(), level, what, append(more, "client", s.conn.RemoteAddr())...)
}

// userList returns the answer to a LIST.
func userList(names []string) []byte {
	b := binary.BigEndian.AppendUint16([]byte{typeUsers}, uint16(len(names)))
	for _, name := range names {
		b = append(append(b, byte(len(name))), name...)
	}
	return b
}

// delivery returns the packet in which text from sender arrives.
func delivery(sender string, text []byte) []byte {
	b := make([]byte, 0, 1+1+len(sender)+2+len(text))
	b = append(b, typeDelivery, byte(len(sender)))
	b = append(b, sender...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(text)))
	return append(b, text...)
}

// packet is what a client sends. Its text is valid as long as the bytes that it was parsed from.
type packet struct {
	kind byte
	name string // LOGIN: whose; SENDTO: to whom
	text []byte
}

// parsePacket reads the packet at the head of b, of size bytes; 0 if it is not whole.
func parsePacket(b []byte) (p packet, size int, err error) {
	if len(b) == 0 {
		return packet{}, 0, nil
	}
	p.kind = b[0]
	switch p.kind {
	case typeList, typeLogout:
		return p, 1, nil
	case typeLogin, typeSend:
	default:
		return packet{}, 0, fmt.Errorf("%w: unknown type %d", errMalformed, p.kind)
	}
	rest := b[1:]
	if len(rest) < 1 || len(rest) < 1+int(rest[0]) {
		return packet{}, 0, nil
	}
	n := 1 + int(rest[0])
	p.name, rest = string(rest[1:n]), rest[n:]
	if p.kind == typeLogin {
		return p, 1 + n, nil
	}
	if len(rest) < 2 || len(rest) < 2+int(binary.BigEndian.Uint16(rest)) {
		return packet{}, 0, nil
	}
	p.text = rest[2 : 2+int(binary.BigEndian.Uint16(rest))]
	return p, 1 + n + 2 + len(p.text), nil
}

// checkUser refuses the names that nobody may log in under.
func checkUser(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty")
	case !utf8.ValidString(name):
		return errors.New("the name is not valid UTF-8")
	case utf8.RuneCountInString(name) > longestName:
		return fmt.Errorf("the name %q is longer than %d characters", name, longestName)
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return fmt.Errorf("the name %q has white space or control characters", name)
	}
	return nil
}
