package refclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrShutDown is the end of a session by a server that says that it stops.
var ErrShutDown = errors.New("server shuts down")

// linesShutDown is what it says.
const linesShutDown = "DISCONNECT CHAT/1.0"

// Lines is a client of the line-based chat. Every message is one line over TCP,
// which ends in LF; a CR before it is ignored:
//
//	REGISTER alice CHAT/1.0      client, first
//	200 Registration successful  server; or 400, or 401, and it closes
//	@alice: hello                both
//	DISCONNECT alice CHAT/1.0    client, before it closes
//	DISCONNECT CHAT/1.0          server, before it stops
//
// A Lines is plain data and may be run many times.
type Lines struct {
	Addr string // host:port of the server
	User string // the name to register, without white space

	// MaxLine is the most bytes that a line may have, typed or received; 0
	// means the constant MaxMessage.
	MaxLine int
}

// Check says what is wrong with the fields, nil if nothing is; of Addr only
// connecting can tell. Run checks too.
func (l Lines) Check() error {
	switch {
	case l.User == "":
		return errors.New("user name is empty")
	case !utf8.ValidString(l.User):
		return fmt.Errorf("user name %q is not UTF-8", l.User)
	case strings.ContainsFunc(l.User, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return fmt.Errorf("user name %q has white space or control characters", l.User)
	case l.MaxLine < 0:
		return fmt.Errorf("line limit %d is negative", l.MaxLine)
	}
	return nil
}

func (l Lines) maxLine() int {
	if l.MaxLine == 0 {
		return MaxMessage
	}
	return l.MaxLine
}

// Run connects, registers, and then sends what is typed and shows what arrives:
// chat as it comes, "@name: text", and everything else as "* line". An empty
// line is not sent. What is typed waits for the answer to the registration, a
// second at most, because a server need not give one.
//
// When the input ends, the client sends its DISCONNECT, closes its half of the
// connection, goes on showing what arrives until the server closes too or has
// been quiet for a second, and Run returns nil. When it is interrupted or ctx
// is cancelled, it sends its DISCONNECT too, but waits only a moment; Run
// returns [ErrInterrupted] or the cause of ctx. Other ends are [ErrShutDown],
// [ErrClosed], [ErrReset], and a registration refused with status 400 or 401.
func (l Lines) Run(ctx context.Context, t *Terminal) error {
	if err := l.Check(); err != nil {
		return err
	}
	admitted := make(chan struct{})
	arrived := &linesReader{maxLine: l.maxLine(), admit: admitted}
	s := &session{
		addr:     l.Addr,
		maxLine:  l.maxLine(),
		hello:    fmt.Appendf(nil, "REGISTER %s CHAT/1.0\n", l.User),
		goodbye:  fmt.Appendf(nil, "DISCONNECT %s CHAT/1.0\n", l.User),
		admitted: admitted,
		compose: func(line string) ([]byte, error) {
			if line == "" {
				return nil, nil
			}
			return fmt.Appendf(nil, "@%s: %s\n", l.User, line), nil
		},
		arrived: func(piece []byte) ([]string, int, error) {
			texts, err := arrived.add(piece)
			return texts, 0, err
		},
		partial: func() string {
			if len(arrived.rest) == 0 {
				return ""
			}
			return fmt.Sprintf("line: %.100q", arrived.rest) // perhaps the server never ends one
		},
	}
	return s.run(ctx, t)
}

// A linesReader puts lines together from bytes that arrive in any pieces, and
// knows what they mean to this client.
type linesReader struct {
	maxLine int
	admit   chan<- struct{} // closed by the first line

	rest       []byte // the start of a line
	first      bool   // the first line has been read
	registered bool
}

// add gives what is to be shown of the lines that end in piece. An error is
// final, and comes with the lines up to it.
func (r *linesReader) add(piece []byte) ([]string, error) {
	var texts []string
	for {
		part, after, ended := bytes.Cut(piece, []byte("\n"))
		r.rest = append(r.rest, part...)
		if len(r.rest) > r.maxLine {
			r.rest = nil
			return texts, fmt.Errorf("read line: the server sends one of more than %d bytes", r.maxLine)
		}
		if !ended {
			return texts, nil
		}
		line := strings.TrimSuffix(string(r.rest), "\r")
		r.rest, piece = r.rest[:0], after
		texts = append(texts, lineText(line))
		if err := r.obey(line); err != nil {
			return texts, err
		}
	}
}

// obey does what a line asks of the client. An error ends the session.
func (r *linesReader) obey(line string) error {
	if !r.first {
		r.first = true
		close(r.admit)
	}
	status := statusOf(line)
	switch {
	case line == linesShutDown:
		return ErrShutDown
	case r.registered:
	case status == "200":
		r.registered = true
	case status == "400", status == "401":
		return fmt.Errorf("registration refused with status %s", status)
	}
	return nil
}

// statusOf is the three digits that a status line begins with, "" if line is
// not one. The words after them are the server's own.
func statusOf(line string) string {
	number, _, _ := strings.Cut(line, " ")
	if len(number) != 3 || strings.Trim(number, "0123456789") != "" {
		return ""
	}
	return number
}

// lineText is what the user sees of a line. Nobody can say what looks as if the
// server said it.
func lineText(line string) string {
	if strings.HasPrefix(line, "@") {
		return line
	}
	return "* " + line
}
