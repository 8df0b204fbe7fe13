package refclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// A pty is a pseudo-terminal: the program has one end, and the test types at
// and looks at the other.
type pty struct {
	t       *testing.T
	master  *os.File // the test's end
	slave   *os.File // the program's
	columns int

	mu   sync.Mutex
	seen []byte // all that the program has written
}

// openPty makes a terminal with so many columns; 0 is one whose size nobody has
// set.
func openPty(t *testing.T, columns int) *pty {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: uint16(columns)}); err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &pty{t: t, master: os.NewFile(uintptr(fd), "ptmx"), slave: slave, columns: columns}
	var reader sync.WaitGroup
	reader.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, err := p.master.Read(buf)
			p.mu.Lock()
			p.seen = append(p.seen, buf[:n]...)
			p.mu.Unlock()
			if err != nil {
				return
			}
		}
	})
	t.Cleanup(func() {
		p.master.Close() // a program that still reads its end is told
		reader.Wait()
		p.slave.Close()
	})
	return p
}

func (p *pty) types(keys string) {
	p.t.Helper()
	if _, err := io.WriteString(p.master, keys); err != nil {
		p.t.Fatal(err)
	}
}

// mode is what the system does with keys and output.
func (p *pty) mode() unix.Termios {
	p.t.Helper()
	mode, err := unix.IoctlGetTermios(int(p.slave.Fd()), unix.TCGETS)
	if err != nil {
		p.t.Fatal(err)
	}
	return *mode
}

// screen is what a user would see, line by line.
func (p *pty) screen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return draw(string(p.seen), p.columns)
}

// wrote says whether the program has written this.
func (p *pty) wrote(text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Contains(string(p.seen), text)
}

// shows waits until the screen is exactly this.
func (p *pty) shows(want ...string) {
	p.t.Helper()
	whole := strings.Join(want, "\n")
	for start := time.Now(); p.screen() != whole; time.Sleep(time.Millisecond) {
		if time.Since(start) > patience {
			p.t.Fatalf("the screen is\n%s\n\nwant\n%s\n\nwritten %q", p.screen(), whole, p.seen)
		}
	}
}

// draw is a terminal as small as the test needs: text that wraps at the last
// column and is wide where it is Chinese, CR, LF, cursor movement, clearing.
func draw(written string, columns int) string {
	const wideTail = -1 // second cell of a wide character
	if columns == 0 {
		columns = 80
	}
	rows := [][]rune{nil}
	x, y := 0, 0
	put := func(r rune) {
		if x >= columns {
			x, y = 0, y+1
		}
		for len(rows) <= y {
			rows = append(rows, nil)
		}
		for len(rows[y]) <= x {
			rows[y] = append(rows[y], ' ')
		}
		rows[y][x] = r
		x++
	}
	for len(written) > 0 {
		r, n := utf8.DecodeRuneInString(written)
		var count int
		var command rune
		if k, err := fmt.Sscanf(written, "\x1b[%d%c", &count, &command); err == nil && k == 2 {
			n = strings.IndexRune(written, command) + 1
		} else if k, err := fmt.Sscanf(written, "\x1b[%c", &command); err == nil && k == 1 {
			count, n = 1, len("\x1b[K")
		}
		written = written[n:]
		switch {
		case command == 'A':
			y = max(0, y-count)
		case command == 'B':
			y += count
		case command == 'C':
			x += count
		case command == 'D':
			x = max(0, x-count)
		case command == 'K':
			if y < len(rows) && x < len(rows[y]) {
				rows[y] = rows[y][:x]
			}
		case command != 0:
			return fmt.Sprintf("unknown command %c", command)
		case r == '\r':
			x = 0
		case r == '\n':
			y++
			for len(rows) <= y {
				rows = append(rows, nil)
			}
		case unicode.Is(unicode.Han, r):
			put(r)
			put(wideTail)
		default:
			put(r)
		}
	}
	lines := make([]string, len(rows))
	for i, row := range rows {
		lines[i] = strings.ReplaceAll(string(row), string(rune(wideTail)), "")
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// A room is a server with one client that the test speaks for: what it hears,
// and what it says.
type room struct {
	heard chan string
	conn  chan *net.TCPConn
}

func openRoom(t *testing.T) (addr string, r *room) {
	r = &room{heard: make(chan string, 100), conn: make(chan *net.TCPConn, 1)}
	return serve(t, func(conn *net.TCPConn) {
		r.conn <- conn
		for {
			_, text, ok := read(conn)
			if !ok {
				return
			}
			if text != "" {
				r.heard <- text
			}
		}
	}), r
}

func (r *room) hears(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-r.heard:
		if got != want {
			t.Errorf("the server hears %.100q, want %.100q", got, want)
		}
	case <-time.After(patience):
		t.Fatalf("the server does not hear %.100q", want)
	}
}

// runAt starts a client at a terminal.
func runAt(t *testing.T, p *pty, protocol runner) (end <-chan error, stop context.CancelCauseFunc) {
	ctx, stop := context.WithCancelCause(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- protocol.Run(ctx, NewTerminal(p.slave, p.slave, p.slave)) }()
	t.Cleanup(func() { stop(errors.New("test over")) })
	return ended, stop
}

func endOf(t *testing.T, end <-chan error) error {
	t.Helper()
	select {
	case err := <-end:
		return err
	case <-time.After(patience):
		t.Fatal("the client goes on")
		return nil
	}
}

func TestTerminalKeepsWhatIsTyped(t *testing.T) {
	before := runtime.NumGoroutine()
	// Registered first and so run last, after the terminal is gone too.
	t.Cleanup(func() {
		eventually(t, "all goroutines end", func() bool { return runtime.NumGoroutine() <= before })
	})
	p := openPty(t, 40)
	cooked := p.mode()
	addr, server := openRoom(t)
	end, _ := runAt(t, p, Framed{Addr: addr, User: "alice"})
	p.shows("> ")
	if p.mode() == cooked {
		t.Error("the terminal is not in raw mode")
	}

	p.types("hello, w")
	p.shows("> hello, w")
	conn := <-server.conn
	say(conn, "bob", "in the middle", 3)
	p.shows("bob: in the middle", "> hello, w")
	say(conn, "bob", "\x1b[2J\r\nagain", 100)
	p.shows("bob: in the middle", `bob: \x1b[2J\r\nagain`, "> hello, w")
	p.types("orld\r")
	server.hears(t, "hello, world")
	p.shows("bob: in the middle", `bob: \x1b[2J\r\nagain`, "> hello, world", "> ")

	// A message while a line of several rows is edited in its middle.
	text := strings.Repeat("0123456789", 9)
	p.types(text + "\x1b[D\x1b[D")
	p.shows("bob: in the middle", `bob: \x1b[2J\r\nagain`, "> hello, world",
		"> "+text[:38], text[38:78], text[78:])
	say(conn, "server", "carol has logged in", 100)
	p.shows("bob: in the middle", `bob: \x1b[2J\r\nagain`, "> hello, world", "* carol has logged in",
		"> "+text[:38], text[38:78], text[78:])
	p.types("X\r")
	server.hears(t, text[:88]+"X"+text[88:])

	p.types("\x04")
	if err := endOf(t, end); err != nil {
		t.Error(err)
	}
	if p.mode() != cooked {
		t.Error("the terminal is not as it was")
	}
}

func TestTerminalText(t *testing.T) {
	p := openPty(t, 0)
	addr, server := openRoom(t)
	end, _ := runAt(t, p, Framed{Addr: addr, User: "alice"})
	p.shows("> ")
	conn := <-server.conn

	for _, b := range []byte("grüß 你好") {
		p.types(string([]byte{b}))
		time.Sleep(time.Millisecond)
	}
	p.shows("> grüß 你好")
	say(conn, "bob", "你好吗", 1)
	p.shows("bob: 你好吗", "> grüß 你好")
	p.types("\r")
	server.hears(t, "grüß 你好")

	p.types("\r\na\tb\n")
	server.hears(t, "a b")
	p.types(strings.Repeat("x", editorLimit-1) + "\r")
	server.hears(t, strings.Repeat("x", editorLimit-1))
	p.types(strings.Repeat("x", editorLimit) + "y\r")
	p.types("after\r")
	server.hears(t, "after")
	eventually(t, "a complaint", func() bool {
		return p.wrote("not sent: the line has more than 4095 characters; through a pipe it can be longer")
	})
	conn.Close()
	if err := endOf(t, end); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestTerminalIsGivenBack(t *testing.T) {
	reason := errors.New("a signal")
	tests := []struct {
		name string
		do   func(p *pty, conn *net.TCPConn, stop context.CancelCauseFunc)
		want error
	}{
		{"end of input", func(p *pty, _ *net.TCPConn, _ context.CancelCauseFunc) { p.types("\x04") }, nil},
		{"Ctrl-C", func(p *pty, _ *net.TCPConn, _ context.CancelCauseFunc) { p.types("\x03") }, ErrInterrupted},
		{"Ctrl-C in a line", func(p *pty, _ *net.TCPConn, _ context.CancelCauseFunc) { p.types("hel\x03lo\r") }, ErrInterrupted},
		{"signal", func(_ *pty, _ *net.TCPConn, stop context.CancelCauseFunc) { stop(reason) }, reason},
		{"server closes", func(_ *pty, conn *net.TCPConn, _ context.CancelCauseFunc) { conn.Close() }, ErrClosed},
		{"server resets", func(_ *pty, conn *net.TCPConn, _ context.CancelCauseFunc) {
			conn.SetLinger(0)
			conn.Close()
		}, ErrReset},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := openPty(t, 80)
			cooked := p.mode()
			addr, server := openRoom(t)
			end, stop := runAt(t, p, Framed{Addr: addr, User: "alice"})
			p.shows("> ")
			tt.do(p, <-server.conn, stop)
			if err := endOf(t, end); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
			if p.mode() != cooked {
				t.Error("the terminal is not as it was")
			}
			eventually(t, "a line of its own for what comes next", func() bool {
				return p.wrote("> \r\n") || p.wrote("> hel\r\n")
			})
		})
	}
}

func TestTerminalIsGivenBackAfterPanic(t *testing.T) {
	p := openPty(t, 80)
	cooked := p.mode()
	terminal := NewTerminal(p.slave, p.slave, p.slave)
	if err := terminal.Start(); err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() { recover() }()
		defer terminal.Guard()
		panic("our bug")
	}()
	if p.mode() != cooked {
		t.Error("the terminal is not as it was")
	}
}

// Ctrl-C works although the client waits for a server that does not read.
func TestTerminalInterruptWhileSending(t *testing.T) {
	p := openPty(t, 80)
	release := make(chan struct{})
	accepted := make(chan struct{})
	addr := serve(t, func(conn *net.TCPConn) {
		conn.SetReadBuffer(1)
		close(accepted)
		<-release
	})
	defer close(release)
	terminal := NewTerminal(p.slave, p.slave, p.slave)
	end := make(chan error, 1)
	// A login text larger than all buffers stands for much typing.
	login := strings.Repeat("x", 32<<20)
	go func() {
		end <- Framed{Addr: addr, User: "alice", LoginText: login, MaxMessage: len(login)}.Run(t.Context(), terminal)
	}()
	<-accepted
	time.Sleep(20 * time.Millisecond)
	p.types("these\rlines\rwait\r\x03")
	if err := endOf(t, end); !errors.Is(err, ErrInterrupted) {
		t.Error(err)
	}
}
