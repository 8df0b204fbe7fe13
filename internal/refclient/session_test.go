package refclient

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestSessionBytes(t *testing.T) {
	sent := make(chan string, 1)
	addr := serve(t, func(conn *net.TCPConn) {
		all, _ := io.ReadAll(conn)
		sent <- string(all)
	})
	c := run(t, Framed{Addr: addr, User: "alice"})
	c.types("hello\r\n\n\ngrüß \xff\nno line end")
	c.typing.Close()
	if err := c.ends(); err != nil {
		t.Error(err)
	}
	want := "\x00\x05\x00\x00\x00\x00alice" +
		"\x00\x05\x00\x00\x00\x05alicehello" +
		"\x00\x05\x00\x00\x00\x08alicegr\xc3\xbc\xc3\x9f \xff" +
		"\x00\x05\x00\x00\x00\x0baliceno line end"
	if got := <-sent; got != want {
		t.Errorf("sent %q\nwant %q", got, want)
	}
	if c.out.String() != "" || c.err.String() != "" {
		t.Errorf("output %q, errors %q", c.out.String(), c.err.String())
	}
}

func TestSessionLoginText(t *testing.T) {
	addr := serve(t, func(conn *net.TCPConn) {
		if user, text, _ := read(conn); user != "alice" || text != "hi there" {
			t.Errorf("login %q, %q", user, text)
		}
	})
	if err := run(t, Framed{Addr: addr, User: "alice", LoginText: "hi there"}).ends(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestSessionShows(t *testing.T) {
	for _, piece := range []int{1, 3, 1 << 20} {
		long := strings.Repeat("é", min(piece*1000, 64<<10))
		addr := serve(t, func(conn *net.TCPConn) {
			read(conn) // what is unread at a close resets the connection
			say(conn, "server", "bob has logged in", piece)
			say(conn, "bob", "grüß 你好 👋", piece)
			say(conn, "bob", "x\nserver: evil\x1b[2J", piece)
			say(conn, "* eve", "", piece)
			say(conn, "", "nobody", piece)
			say(conn, "bob", long, piece)
		})
		c := run(t, Framed{Addr: addr, User: "alice"})
		err := c.ends()
		if !errors.Is(err, ErrClosed) {
			t.Errorf("pieces of %d: %v", piece, err)
		}
		want := "* bob has logged in\nbob: grüß 你好 👋\nbob: x\\nserver: evil\\x1b[2J\n\\x2a eve: \n: nobody\nbob: " + long + "\n"
		if got := c.out.String(); got != want {
			t.Errorf("pieces of %d: output %.200q\nwant %.200q", piece, got, want)
		}
	}
}

func TestSessionLongLines(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 64<<10/16*3) // 192 KiB
	heard := make(chan []string, 1)
	addr := serve(t, func(conn *net.TCPConn) {
		var texts []string
		for {
			_, text, ok := read(conn)
			if !ok {
				heard <- texts
				return
			}
			texts = append(texts, text)
		}
	})
	c := run(t, Framed{Addr: addr, User: "alice", MaxMessage: len(long)})
	c.types(long + "\n" + long + "x\nshort\n" + long)
	c.typing.Close()
	if err := c.ends(); err != nil {
		t.Error(err)
	}
	got := <-heard
	if len(got) != 4 || got[1] != long || got[2] != "short" || got[3] != long {
		t.Errorf("%d messages %.20q", len(got), got)
	}
	if want := "not sent: the line has more than 196608 bytes\n"; c.err.String() != want {
		t.Errorf("errors %q", c.err.String())
	}
}

// The server answers what was typed last only after the input has ended.
func TestSessionShowsAfterEndOfInput(t *testing.T) {
	addr := serve(t, func(conn *net.TCPConn) {
		for {
			_, text, ok := read(conn)
			if !ok {
				break
			}
			if text != "" {
				defer say(conn, "bob", "you said "+text, 2)
			}
		}
		time.Sleep(20 * time.Millisecond)
	})
	c := run(t, Framed{Addr: addr, User: "alice"})
	c.types("one\ntwo")
	c.typing.Close()
	if err := c.ends(); err != nil {
		t.Error(err)
	}
	if want := "bob: you said two\nbob: you said one\n"; c.out.String() != want {
		t.Errorf("output %q", c.out.String())
	}
}

func TestSessionEndOfInputAndServerStays(t *testing.T) {
	release := make(chan struct{})
	addr := serve(t, func(conn *net.TCPConn) {
		io.ReadAll(conn)
		say(conn, "bob", "still here", 100)
		<-release
	})
	defer close(release)
	c := run(t, Framed{Addr: addr, User: "alice"})
	start := time.Now()
	c.typing.Close()
	if err := c.ends(); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took < lingerQuiet || took > lingerInAll {
		t.Errorf("waited %v for a server that says nothing more", took)
	}
	if c.out.String() != "bob: still here\n" {
		t.Errorf("output %q", c.out.String())
	}
}

func TestSessionServerGoes(t *testing.T) {
	tests := []struct {
		name string
		play func(*net.TCPConn)
		out  string
		want string
		is   error
	}{
		{"closes", func(conn *net.TCPConn) {
			say(conn, "server", "bye", 100)
		}, "* bye\n", "server closed the connection", ErrClosed},
		{"resets", func(conn *net.TCPConn) {
			conn.SetLinger(0)
		}, "", "connection reset", ErrReset},
		{"closes in a header", func(conn *net.TCPConn) {
			io.WriteString(conn, "\x00\x03\x00")
		}, "", "server closed the connection in the middle of a frame", ErrClosed},
		{"closes in a message", func(conn *net.TCPConn) {
			io.WriteString(conn, "\x00\x03\x00\x00\x00\x05bobhell")
		}, "", "server closed the connection in the middle of a frame", ErrClosed},
		{"announces too much", func(conn *net.TCPConn) {
			say(conn, "bob", "hi", 100)
			io.WriteString(conn, "\x00\x03\x7f\xff\xff\xff")
			read(conn) // until the client goes
		}, "bob: hi\n", "read frame: the server announces a message of 2147483647 bytes, the limit is 1048576", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			addr := serve(t, func(conn *net.TCPConn) {
				read(conn)
				tt.play(conn)
			})
			c := run(t, Framed{Addr: addr, User: "alice"})
			err := c.ends()
			if err == nil || err.Error() != tt.want || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v, want %s", err, tt.want)
			}
			if c.out.String() != tt.out {
				t.Errorf("output %q, want %q", c.out.String(), tt.out)
			}
		})
	}
}

// While much is being typed the writer finds the loss before the reader does:
// what the server said last is shown all the same.
func TestSessionServerGoesWhileTyping(t *testing.T) {
	addr := serve(t, func(conn *net.TCPConn) {
		read(conn)
		say(conn, "server", "bye", 100)
	})
	c := run(t, Framed{Addr: addr, User: "alice"})
	go func() {
		for {
			if _, err := io.WriteString(c.typing, "hello\n"); err != nil {
				return
			}
		}
	}()
	err := c.ends()
	if !errors.Is(err, ErrClosed) && !errors.Is(err, ErrReset) {
		t.Error(err)
	}
	if c.out.String() != "* bye\n" {
		t.Errorf("output %q", c.out.String())
	}
}

func TestSessionServerNeverReads(t *testing.T) {
	release := make(chan struct{})
	addr := serve(t, func(conn *net.TCPConn) {
		say(conn, "bob", "not listening", 100)
		<-release
	})
	defer close(release)
	c := run(t, Framed{Addr: addr, User: "alice"})
	go func() {
		line := strings.Repeat("x", 1<<19) + "\n"
		for {
			if _, err := io.WriteString(c.typing, line); err != nil {
				return
			}
		}
	}()
	eventually(t, "what arrives is shown although nothing can be sent", func() bool {
		return c.out.String() == "bob: not listening\n"
	})
	time.Sleep(50 * time.Millisecond) // the buffers fill up
	reason := errors.New("enough")
	c.stop(reason)
	if err := c.ends(); err != reason {
		t.Error(err)
	}
	c.typing.Close()
}

func TestSessionCancelled(t *testing.T) {
	addr := serve(t, func(conn *net.TCPConn) { io.ReadAll(conn) })
	c := run(t, Framed{Addr: addr, User: "alice"})
	c.types("hello\n")
	reason := errors.New("enough")
	c.stop(reason)
	if err := c.ends(); err != reason {
		t.Error(err)
	}
}

func TestSessionOutputGone(t *testing.T) {
	addr := serve(t, func(conn *net.TCPConn) {
		say(conn, "bob", "hi", 100)
		io.ReadAll(conn)
	})
	in, typing := io.Pipe()
	defer typing.Close()
	out, shut := io.Pipe()
	out.Close()
	err := Framed{Addr: addr, User: "alice"}.Run(t.Context(), NewTerminal(in, shut, io.Discard))
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

func TestSessionNoServer(t *testing.T) {
	// The near end of a connection is a port that nobody listens on, and that
	// nobody else is given.
	taken, err := net.Dial("tcp", serve(t, func(conn *net.TCPConn) { io.ReadAll(conn) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	addr := taken.LocalAddr().String()
	err = run(t, Framed{Addr: addr, User: "alice"}).ends()
	if !errors.Is(err, syscall.ECONNREFUSED) || err.Error() != "connect to "+addr+": connection refused" {
		t.Error(err)
	}
	// Not a host name, so that no resolver is asked.
	err = run(t, Framed{Addr: "no..host:1", User: "alice"}).ends()
	if err == nil || err.Error() != "find host no..host: no such host" {
		t.Error(err)
	}
}
