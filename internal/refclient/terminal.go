// Package refclient holds the reference clients: one file per protocol, and
// the one terminal that they share. Each is written by hand, straight from its
// protocol, so that it is a reading of its own and not the probe's.
//
// A client connects, logs in, and then does two things at once: what is typed
// is sent, what arrives is shown. It is the same client at a terminal, where
// the prompt and what has been typed so far stay whole while messages arrive,
// and on pipes, where a line in is a message and a message is a line out:
//
//	terminal := refclient.NewTerminal(os.Stdin, os.Stdout, os.Stderr)
//	room := refclient.Framed{Addr: "127.0.0.1:4445", User: "alice"}
//	err := room.Run(ctx, terminal)
//
// Run returns nil when the user has ended the session, and otherwise the
// reason: [ErrInterrupted], [ErrClosed], [ErrReset], [ErrShutDown], or what went
// wrong.
package refclient

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"golang.org/x/term"
)

// ErrInterrupted is the end of a session by Ctrl-C at a terminal. (Without a
// terminal in raw mode an interrupt is a signal, and the caller's affair: it
// cancels the context.)
var ErrInterrupted = errors.New("interrupted")

const (
	prompt = "> "

	// editorLimit is where x/term's editor stops taking characters, without a
	// word. A line this long may have lost its end.
	editorLimit = 4096

	// typeAhead is how many lines wait at a terminal while the server does not
	// read. Past it Ctrl-C waits too, so it is more than anybody types.
	typeAhead = 1024
)

// A Terminal is where the user types and reads.
//
// Its methods may be called from several goroutines. Nothing that it shows can
// act on the user's screen: see [Terminal.Show].
type Terminal struct {
	in       io.Reader
	out, err io.Writer

	lines  *bufio.Reader  // input by lines; nil where there is an editor
	mu     sync.Mutex     // guards out and err
	editor *term.Terminal // nil on pipes

	fd, outFd int         // of the terminal: its mode, its size
	saved     *term.State // the mode to go back to; nil before Start
	closing   sync.Once
	closed    atomic.Bool
}

// NewTerminal makes a terminal of three streams. The prompt and line editing
// are there if both in and out are terminals, and else in is read and out
// written by lines.
func NewTerminal(in io.Reader, out, err io.Writer) *Terminal {
	t := &Terminal{in: in, out: out, err: err}
	var inTTY, outTTY bool
	t.fd, inTTY = ttyOf(in)
	t.outFd, outTTY = ttyOf(out)
	if inTTY && outTTY {
		t.editor = term.NewTerminal(struct {
			io.Reader
			io.Writer
		}{&keyboard{from: in}, (*screen)(t)}, prompt)
	} else {
		t.lines = bufio.NewReaderSize(in, 64<<10)
	}
	return t
}

// A screen is where a terminal's editor writes. It has nothing to say there once
// the terminal has been given back.
type screen Terminal

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return len(b), nil
	}
	return s.out.Write(b)
}

func ttyOf(stream any) (fd int, ok bool) {
	f, ok := stream.(*os.File)
	if !ok {
		return 0, false
	}
	fd = int(f.Fd())
	return fd, term.IsTerminal(fd)
}

// setPrompt changes the prompt, where there is one.
func (t *Terminal) setPrompt(to string) {
	if t.editor != nil {
		t.editor.SetPrompt(to)
	}
}

// Start takes the terminal over: what is typed is no longer echoed by the
// system but by the editor. On pipes it does nothing. Whoever calls Start
// defers [Terminal.Close], and starts every goroutine with a deferred
// [Terminal.Guard].
func (t *Terminal) Start() error {
	if t.editor == nil {
		return nil
	}
	saved, err := term.MakeRaw(t.fd)
	if err != nil {
		return fmt.Errorf("prepare terminal: %w", err)
	}
	t.saved = saved
	return nil
}

// Close gives the terminal back as it was; nothing is shown afterwards. A
// second call does nothing. It does not end a read that waits for input: on
// most systems nothing can, and that goroutine ends with the program.
func (t *Terminal) Close() error {
	var err error
	t.closing.Do(func() {
		t.closed.Store(true)
		if t.saved == nil {
			return
		}
		if err = term.Restore(t.fd, t.saved); err != nil {
			err = fmt.Errorf("restore terminal: %w", err)
		}
		// What comes next, a shell's prompt perhaps, has a line of its own.
		t.mu.Lock()
		defer t.mu.Unlock()
		io.WriteString(t.out, "\n")
	})
	return err
}

// Guard gives the terminal back before a panic ends the program. It is to be
// deferred in each goroutine, since a Close that another has deferred does not
// run then.
func (t *Terminal) Guard() {
	if p := recover(); p != nil {
		t.Close()
		panic(p)
	}
}

// Show writes each text as a line above the prompt. A text stays one line and
// is made of visible characters only, whoever wrote it: control characters,
// line ends and direction marks appear as \x1b, \n, \u202e, and bytes that are
// not UTF-8 as \xff.
func (t *Terminal) Show(texts ...string) error {
	return t.write(t.out, texts)
}

// Complain tells the user of an error that does not end the session: on the
// error stream, or above the prompt where there is one.
func (t *Terminal) Complain(problem error) error {
	return t.write(t.err, []string{problem.Error()})
}

// write is one write for all texts, so that many messages in one segment are
// not as many redrawn prompts.
func (t *Terminal) write(to io.Writer, texts []string) error {
	if t.closed.Load() {
		return fmt.Errorf("write output: %w", os.ErrClosed)
	}
	var b strings.Builder
	if t.editor != nil {
		// The editor goes back to the prompt's first column by counting
		// characters, and stops short after wide ones. This goes all the way.
		b.WriteString("\r\x1b[K")
	}
	for _, text := range texts {
		b.WriteString(visible(text))
		b.WriteByte('\n')
	}
	var err error
	if t.editor != nil {
		t.resize()
		_, err = t.editor.Write([]byte(b.String()))
	} else {
		t.mu.Lock()
		_, err = io.WriteString(to, b.String())
		t.mu.Unlock()
	}
	if err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// resize tells the editor the width of the window. It is asked for whenever it
// matters, since not every system has a signal for its change.
func (t *Terminal) resize() {
	width, height, err := term.GetSize(t.outFd)
	// A terminal that nobody gave a size says 0.
	if err == nil && width > 0 {
		t.editor.SetSize(width, height)
	}
}

// Lines gives what is typed, a line at a time and without its end. The channel
// is closed when the input ends: all lines, the last one without a line end
// included, have been received by then. A line of more than limit bytes is
// complained about and left out. A failure, such as [ErrInterrupted], is
// passed to end, at once and not after the lines that wait. The goroutine
// behind it ends with ctx, or when the read it waits for returns.
func (t *Terminal) Lines(ctx context.Context, limit int, end func(error)) <-chan string {
	waiting := 0
	if t.editor != nil {
		waiting = typeAhead // Ctrl-C must be read even while a message cannot be sent
	}
	lines := make(chan string, waiting)
	go func() {
		defer t.Guard()
		for {
			line, err := t.readLine(limit)
			var long *lineTooLong
			switch {
			case errors.As(err, &long):
				if err := t.Complain(err); err != nil {
					end(err)
					return
				}
				continue
			case errors.Is(err, io.EOF):
				close(lines)
				return
			case err != nil:
				end(err)
				return
			}
			select {
			case lines <- line:
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}

// lineTooLong is a line that was typed and will not be sent.
type lineTooLong struct {
	limit int
	unit  string
	hint  string
}

func (e *lineTooLong) Error() string {
	return fmt.Sprintf("not sent: the line has more than %d %s%s", e.limit, e.unit, e.hint)
}

func (t *Terminal) readLine(limit int) (string, error) {
	var line string
	var err error
	if t.editor != nil {
		line, err = t.editLine()
	} else {
		line, err = t.plainLine(limit)
	}
	if err == nil && len(line) > limit {
		err = &lineTooLong{limit: limit, unit: "bytes"}
	}
	if err != nil {
		return "", err
	}
	return line, nil
}

// editLine reads a line at the prompt.
func (t *Terminal) editLine() (string, error) {
	t.resize()
	line, err := t.editor.ReadLine()
	switch {
	case errors.Is(err, term.ErrPasteIndicator), err == nil:
	case errors.Is(err, io.EOF), errors.Is(err, ErrInterrupted):
		return "", err
	default:
		return "", fmt.Errorf("read terminal: %w", err)
	}
	if utf8.RuneCountInString(line) == editorLimit {
		return "", &lineTooLong{limit: editorLimit - 1, unit: "characters", hint: "; through a pipe it can be longer"}
	}
	return line, nil
}

// plainLine reads up to a line feed or the end. Of a line beyond the limit it
// keeps no more than the limit, so a stream without line ends costs no memory.
func (t *Terminal) plainLine(limit int) (string, error) {
	const ending = len("\r\n")
	var line []byte
	long := false
	for {
		part, err := t.lines.ReadSlice('\n')
		if len(line)+len(part) > limit+ending {
			long, line = true, nil
		}
		if !long {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && (len(line) > 0 || long):
			// The last line has no end; the next call says that it was the last.
		case errors.Is(err, io.EOF):
			return "", io.EOF
		case err != nil:
			return "", fmt.Errorf("read input: %w", err)
		}
		if long {
			return "", &lineTooLong{limit: limit, unit: "bytes"}
		}
		return trimEnding(string(line)), nil
	}
}

// trimEnding takes off one line end, LF or CR LF.
func trimEnding(line string) string {
	if rest, ok := strings.CutSuffix(line, "\n"); ok {
		return strings.TrimSuffix(rest, "\r")
	}
	return line
}
