package refserver

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/chatprobe/chatprobe/internal/chat"
)

const defaultMaxMessage = 1 << 20

// Framed is a chat room with a standard binary header, over TCP. Every message is one frame, in both directions
// (F-2), with both lengths in bytes, most significant byte first:
//
//	UNameL    2 bytes   length of Username
//	MessageL  4 bytes   length of Message
//	Username  UNameL    who speaks
//	Message   MessageL  what is said
//
// The first frame's Username is the name that its client is known by; an empty Message is a login and nothing else,
// any other is a first message too. What a client says goes to all the others and not back to itself (F-3). Username
// "server" is ours: "alice has logged in" (F-4) to all but alice, "alice has left" (F-5). A message is relayed as it
// came, valid UTF-8 or not: a frame says how long its text is, so no text can harm it.
//
// A login is refused, with a reason from "server" before the connection is closed, under a name that is in use (F-13)
// or is "server", is empty, is longer than MaxName, is not UTF-8 or has control characters (F-11), since names are
// shown on terminals. A frame under a name other than the login's is dropped, and its client stays (F-12). A length
// over the limit costs the connection as soon as the header is there (F-10).
//
// The zero value is ready to use. Fields may not change while Serve runs.
type Framed struct {
	RosterEvery  time.Duration // between two lines of the roster (F-6); default 5s, negative: never
	MaxMessage   int           // longest Message in bytes (F-10); default 1 MiB
	MaxName      int           // longest Username in bytes; default 1024
	MaxClients   int           // connections at a time, logged in or not; default 10000
	LoginTimeout time.Duration // for the first frame to arrive whole; default 30s
	Outbox       int           // bytes that may wait for a client that reads slowly (F-14); default 8 MiB
	Roster       io.Writer     // receives the roster; nil: nobody sees it. Serve ends when a write to it ends
	Log          *slog.Logger  // nil: no log
}

// Choices says what this server does where the protocol leaves a choice: words such as echo=no with blanks between
// them, named as the settings of the suite are.
func (f Framed) Choices() string {
	return fmt.Sprintf("byte_order=big echo=no duplicate_name=refuse max_message=%d", cmp.Or(f.MaxMessage, defaultMaxMessage))
}

// Serve serves ln until ctx is done, then closes ln and every connection, and returns when every goroutine that it
// has started has ended. The error is nil then; otherwise ln does not accept connections any more.
func (f Framed) Serve(ctx context.Context, ln net.Listener) error {
	f.RosterEvery = cmp.Or(f.RosterEvery, 5*time.Second)
	f.MaxMessage = cmp.Or(f.MaxMessage, defaultMaxMessage)
	f.MaxName = cmp.Or(f.MaxName, 1024)
	f.MaxClients = cmp.Or(f.MaxClients, 10000)
	f.LoginTimeout = cmp.Or(f.LoginTimeout, 30*time.Second)
	f.Outbox = cmp.Or(f.Outbox, 8<<20)
	f.Log = cmp.Or(f.Log, slog.New(slog.DiscardHandler))

	room := chat.NewRoom(f.Outbox)
	// The room is closed first, or each connection that ends would be a departure to tell all the others about.
	accepting, stopAccepting := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAccepting()
	unhook := context.AfterFunc(ctx, func() { room.Close(); stopAccepting() })
	defer unhook()

	var roster sync.WaitGroup
	defer roster.Wait()
	ctx, stopRoster := context.WithCancel(ctx)
	defer stopRoster()
	if f.Roster != nil && f.RosterEvery > 0 {
		roster.Go(func() {
			if err := showRoster(ctx, f.Roster, f.RosterEvery, room); err != nil {
				f.Log.Error("the roster is shown no more", "error", err)
			}
		})
	}

	defer room.Close()
	return acceptAll(accepting, ln, f.MaxClients, f.Log, func(conn net.Conn) (stay func()) {
		s := &framedSession{Framed: &f, room: room, conn: conn, in: inbox{conn: conn}}
		return s.enter()
	})
}

// framedSession is one connection, served by one goroutine at a time.
type framedSession struct {
	*Framed
	room   *chat.Room
	conn   net.Conn
	in     inbox
	name   string       // as logged in
	member *chat.Member // under that name
	warned bool         // about frames under other names
}

// enter logs the client in. It returns what is to be done as long as the client stays, or nil if it may not.
func (s *framedSession) enter() (stay func()) {
	err := s.login()
	if err == nil {
		s.Log.Info("logged in", "user", s.name, "client", s.conn.RemoteAddr())
		return s.stay
	}
	s.Log.Warn("no login", "client", s.conn.RemoteAddr(), "error", err)
	if refused, ok := errors.AsType[refusal](err); ok {
		refuse(s.conn, notice("login refused: "+refused.Error()))
	}
	return nil
}

// stay relays what the client says, until it leaves or is made to.
func (s *framedSession) stay() {
	err := s.relay()
	if hungUp := s.member.Err(); hungUp != nil {
		err = hungUp // and err is only how the reader was told
	}
	s.member.Leave(notice(s.name + " has left"))
	switch {
	case errors.Is(err, chat.ErrClosed):
		return // with everybody else
	case errors.Is(err, chat.ErrOutboxFull):
		abort(s.conn)
	}
	s.Log.Info("left", "user", s.name, "client", s.conn.RemoteAddr(), "reason", err)
}

// refusal is an error that the client is told.
type refusal struct{ error }

// login reads the first frame and makes the client a member under its Username.
func (s *framedSession) login() error {
	s.conn.SetReadDeadline(time.Now().Add(s.LoginTimeout))
	var head header
	for {
		arrived := s.in.unused()
		var ok bool
		if head, ok = parseHeader(arrived); ok {
			if err := s.check(head); err != nil {
				return refusal{err}
			}
			if int64(len(arrived)) >= head.size() {
				break
			}
		}
		if err := s.in.fill(); err != nil {
			return err
		}
	}
	s.conn.SetReadDeadline(time.Time{}) // before the room can hang up by setting one

	frame := s.in.unused()[:head.size()]
	s.name = string(frame[headerSize:][:head.name])
	if err := checkName(s.name); err != nil {
		return refusal{err}
	}
	var err error
	if s.member, err = s.room.Join(s.name, s.conn, notice(s.name+" has logged in")); err != nil {
		return refusal{fmt.Errorf("%q: %w", s.name, err)}
	}
	if head.message == 0 {
		s.in.use(len(frame))
	} // otherwise it is the first message too, and relay meets it again
	return nil
}

// check refuses lengths that are over a limit, while only the header needs to have arrived.
func (s *framedSession) check(head header) error {
	if head.name > int64(s.MaxName) {
		return fmt.Errorf("a name of %d bytes is longer than %d", head.name, s.MaxName)
	}
	if head.message > int64(s.MaxMessage) {
		return fmt.Errorf("a message of %d bytes is longer than %d", head.message, s.MaxMessage)
	}
	return nil
}

// checkName refuses names that others could not show, or could take for the server's.
func checkName(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return errors.New("the name is empty")
	case name == serverName:
		return fmt.Errorf("the name %q is taken by the server itself", name)
	case !utf8.ValidString(name):
		return errors.New("the name is not valid UTF-8")
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("the name %q has control characters", name)
	}
	return nil
}

// relay passes on what the client says until its connection ends, which is the error.
func (s *framedSession) relay() error {
	for {
		arrived := s.in.unused()
		own, other, err := s.scan(arrived)
		if own > 0 {
			s.member.Say(arrived[:own])
		}
		if other > 0 {
			s.warn()
		}
		s.in.use(own + other)
		if err != nil {
			return err
		}
		if own+other == 0 {
			if err := s.in.fill(); err != nil {
				return err
			}
		}
	}
}

// warn logs that a frame under another name has been dropped; once, because the log is not for a client to fill.
func (s *framedSession) warn() {
	if !s.warned {
		s.warned = true
		s.Log.Warn("frames under another name are dropped", "user", s.name, "client", s.conn.RemoteAddr())
	}
}

// scan finds the frames at the head of arrived that are whole: own bytes of frames under the client's own name, which
// can be relayed as they are and in one go, then other bytes of one frame under another name. It stops where a frame
// is not whole, with an error if its lengths are over the limit.
func (s *framedSession) scan(arrived []byte) (own, other int, err error) {
	for own < busyInbox {
		rest := arrived[own:]
		head, ok := parseHeader(rest)
		if !ok {
			break
		}
		if err := s.check(head); err != nil {
			return own, 0, err
		}
		if int64(len(rest)) < head.size() {
			break
		}
		size := int(head.size())
		if string(rest[headerSize:][:head.name]) != s.name {
			return own, size, nil
		}
		own += size
	}
	return own, 0, nil
}

const (
	headerSize = 6        // bytes
	serverName = "server" // Username of notices
)

// header is the head of a frame: the lengths of Username and Message in bytes. Their sum overflows an int on machines
// of 32 bits.
type header struct{ name, message int64 }

// size is the length of the whole frame in bytes.
func (h header) size() int64 { return headerSize + h.name + h.message }

// parseHeader reads the header at the start of b, and reports whether it is all there.
func parseHeader(b []byte) (h header, ok bool) {
	if len(b) < headerSize {
		return header{}, false
	}
	return header{name: int64(binary.BigEndian.Uint16(b)), message: int64(binary.BigEndian.Uint32(b[2:]))}, true
}

// notice returns the frame in which the server itself says text.
func notice(text string) []byte {
	b := make([]byte, 0, headerSize+len(serverName)+len(text))
	b = binary.BigEndian.AppendUint16(b, uint16(len(serverName)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
	b = append(b, serverName...)
	return append(b, text...)
}
