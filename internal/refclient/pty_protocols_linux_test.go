package refclient

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// L-6, L-7.
func TestTerminalLines(t *testing.T) {
	p := openPty(t, 60)
	cooked := p.mode()
	admitted := make(chan *net.TCPConn, 1)
	heard := make(chan string, 10)
	addr := serve(t, func(conn *net.TCPConn) {
		from := admit(conn)
		admitted <- conn
		for line := readLine(from); line != ""; line = readLine(from) {
			heard <- line
		}
	})
	end, _ := runAt(t, p, Lines{Addr: addr, User: "alice"})
	p.shows("* 200 Registration successful", "> ")
	conn := <-admitted
	p.types("hello, w")
	p.shows("* 200 Registration successful", "> hello, w")
	io.WriteString(conn, "@bob: in the middle\r\n@bob: \x1b[2J")
	p.shows("* 200 Registration successful", "@bob: in the middle", "> hello, w")
	io.WriteString(conn, "\n")
	p.shows("* 200 Registration successful", "@bob: in the middle", `@bob: \x1b[2J`, "> hello, w")
	p.types("orld\r")
	if got, want := next(t, heard), "@alice: hello, world\n"; got != want {
		t.Errorf("the server hears %q, want %q", got, want)
	}
	p.shows("* 200 Registration successful", "@bob: in the middle", `@bob: \x1b[2J`, "> hello, world", "> ")
	p.types("half a line\x03")
	if got, want := next(t, heard), "DISCONNECT alice CHAT/1.0\n"; got != want {
		t.Errorf("the server hears %q, want %q", got, want)
	}
	if err := endOf(t, end); !errors.Is(err, ErrInterrupted) {
		t.Error(err)
	}
	if p.mode() != cooked {
		t.Error("the terminal is not as it was")
	}
}

// next is the next line of a server or a terminal.
func next(t *testing.T, lines <-chan string) string {
	t.Helper()
	select {
	case line := <-lines:
		return line
	case <-time.After(patience):
		t.Fatal("there is none")
		return ""
	}
}

// L-8: the server's end gives the terminal back.
func TestTerminalLinesShutDown(t *testing.T) {
	p := openPty(t, 60)
	cooked := p.mode()
	stop := make(chan struct{})
	addr := serve(t, func(conn *net.TCPConn) {
		from := admit(conn)
		<-stop
		io.WriteString(conn, "DISCONNECT CHAT/1.0\n")
		io.ReadAll(from)
	})
	end, _ := runAt(t, p, Lines{Addr: addr, User: "alice"})
	p.shows("* 200 Registration successful", "> ")
	close(stop)
	if err := endOf(t, end); !errors.Is(err, ErrShutDown) {
		t.Error(err)
	}
	p.shows("* 200 Registration successful", "* DISCONNECT CHAT/1.0", "> ")
	if p.mode() != cooked {
		t.Error("the terminal is not as it was")
	}
}

// D-10, D-11.
func TestTerminalDirect(t *testing.T) {
	p := openPty(t, 60)
	cooked := p.mode()
	conns := make(chan *net.TCPConn, 1)
	heard := make(chan string, 10)
	addr := serve(t, func(conn *net.TCPConn) {
		conns <- conn
		buf := make([]byte, 100)
		for n, err := conn.Read(buf); err == nil; n, err = conn.Read(buf) {
			heard <- string(buf[:n])
		}
	})
	end, _ := runAt(t, p, Direct{Addr: addr})
	p.shows("> ")
	conn := <-conns
	p.types("login alice bob\r")
	p.shows("> login alice bob", "Bad username", "> ")
	p.types("login alice\r")
	if got := next(t, heard); got != "\x01\x05alice" {
		t.Errorf("the server hears %q", got)
	}
	io.WriteString(conn, "\x06\x00")
	p.shows("> login alice bob", "Bad username", "> login alice", "Success", "> ")
	p.types("sendto b")
	p.shows("> login alice bob", "Bad username", "> login alice", "Success", "> sendto b")
	io.WriteString(conn, "\x07\x03bob\x00\x0din the ")
	io.WriteString(conn, "middle\x05\x00\x01\x07a\x1b[2J\r\n")
	p.shows("> login alice bob", "Bad username", "> login alice", "Success", "bob: in the middle",
		`users (1): a\x1b[2J\r\n`, "> sendto b")
	if p.mode() == cooked {
		t.Error("the terminal is not in raw mode")
	}
	p.types("ob hi\rexit\r")
	if got := next(t, heard); got != "\x03\x03bob\x00\x02hi" {
		t.Errorf("the server hears %q", got)
	}
	io.WriteString(conn, "\x06\x01")
	if err := endOf(t, end); err != nil {
		t.Error(err)
	}
	if p.mode() != cooked {
		t.Error("the terminal is not as it was")
	}
}

// U-7.
func TestTerminalDatagram(t *testing.T) {
	p := openPty(t, 60)
	cooked := p.mode()
	server := openPost(t, "127.0.0.1")
	end, _ := runAt(t, p, Datagram{Addr: server.addr()})
	p.shows("] ")
	server.hears("GREETING")
	p.types("hello, w")
	p.shows("] hello, w")
	server.says("INCOMING 10.0.0.1 99 in the \x1b[2Jmiddle")
	p.shows(`<From 10.0.0.1:99>: in the \x1b[2Jmiddle`, "] hello, w")
	p.types("orld\r")
	server.hears("MESSAGE hello, world")
	p.shows(`<From 10.0.0.1:99>: in the \x1b[2Jmiddle`, "] hello, world", "] ")
	p.types(strings.Repeat("x", 100))
	server.says("INCOMING [::1] 99 你好吗")
	p.shows(`<From 10.0.0.1:99>: in the \x1b[2Jmiddle`, "] hello, world", "<From [::1]:99>: 你好吗",
		"] "+strings.Repeat("x", 58), strings.Repeat("x", 42))
	p.types("\x03")
	if err := endOf(t, end); !errors.Is(err, ErrInterrupted) {
		t.Error(err)
	}
	if p.mode() != cooked {
		t.Error("the terminal is not as it was")
	}
	server.silent()
}

func TestTerminalDatagramNobodyThere(t *testing.T) {
	p := openPty(t, 80)
	server := openPost(t, "127.0.0.1")
	server.conn.Close()
	end, _ := runAt(t, p, Datagram{Addr: server.addr()})
	complaint := "nobody answers at " + server.addr() + ": connection refused"
	p.shows(complaint, "] ")
	p.types("hello\r")
	p.shows(complaint, "] hello", "] ")
	p.types("\x04")
	if err := endOf(t, end); err != nil {
		t.Error(err)
	}
}

// A session that has ended before the prompt is there: it does not come later.
func TestTerminalNoPromptAfterClose(t *testing.T) {
	p := openPty(t, 80)
	terminal := NewTerminal(p.slave, p.slave, p.slave)
	if err := terminal.Start(); err != nil {
		t.Fatal(err)
	}
	if err := terminal.Close(); err != nil {
		t.Fatal(err)
	}
	lines := terminal.Lines(t.Context(), 100, func(error) {})
	for range 2 {
		p.types("hello\n")
		if line := next(t, lines); line != "hello" {
			t.Errorf("line %q", line)
		}
	}
	if p.wrote(prompt) {
		t.Errorf("written %q", p.screen())
	}
}
