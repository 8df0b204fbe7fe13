package refclient

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

const registered = "200 Registration successful\n"

// readLine is the next line as a server reads it. It is not the decoder under
// test.
func readLine(from *bufio.Reader) string {
	line, _ := from.ReadString('\n')
	return line
}

// admit plays the start of a session that the server agrees to.
func admit(conn net.Conn) *bufio.Reader {
	from := bufio.NewReader(conn)
	readLine(from)
	io.WriteString(conn, registered)
	return from
}

// inPiecesOfLines is what a client shows of these segments.
func inPiecesOfLines(maxLine int, pieces ...string) ([]string, error) {
	r := &linesReader{maxLine: maxLine, admit: make(chan struct{})}
	var all []string
	for _, piece := range pieces {
		texts, err := r.add([]byte(piece))
		all = append(all, texts...)
		if err != nil {
			return all, err
		}
	}
	if len(r.rest) > 0 {
		return all, fmt.Errorf("%q left", r.rest)
	}
	return all, nil
}

func TestLinesAtEverySplit(t *testing.T) {
	stream := "200 ok\r\n@bob: grüß\n\n@bob: a\rb\r\r\n@: \n401 no\nbye\n"
	want := []string{"* 200 ok", "@bob: grüß", "* ", "@bob: a\rb\r", "@: ", "* 401 no", "* bye"}
	for i := range len(stream) + 1 {
		for j := i; j <= len(stream); j++ {
			got, err := inPiecesOfLines(64, stream[:i], stream[i:j], stream[j:])
			if !slices.Equal(got, want) || err != nil {
				t.Fatalf("split at %d and %d: %q, %v", i, j, got, err)
			}
		}
	}
	got, err := inPiecesOfLines(64, strings.Split(stream, "")...)
	if !slices.Equal(got, want) || err != nil {
		t.Fatalf("byte by byte: %q, %v", got, err)
	}
}

func TestLinesMeaning(t *testing.T) {
	tests := []struct{ name, stream, err string }{
		{"registered", "200 Registration successful\n", ""},
		{"its words are free", "200\n", ""},
		{"malformed", "400 Invalid registration\n", "registration refused with status 400"},
		{"taken", "401 Client already registered\n", "registration refused with status 401"},
		{"taken, without words", "401\r\n", "registration refused with status 401"},
		{"taken, after a greeting", "welcome\n401 taken\n", "registration refused with status 401"},
		{"401 after 200", "200 ok\n401 is my number\n", ""},
		{"no status", "4011 x\n401x\n40 1\n", ""},
		{"status in a text", "@bob: 401\n@401 : \n", ""},
		{"server stops", "200 ok\nDISCONNECT CHAT/1.0\n", "server shuts down"},
		{"server stops at once", "DISCONNECT CHAT/1.0\r\n", "server shuts down"},
		{"text about it", "200 ok\n@bob: DISCONNECT CHAT/1.0\n", ""},
		{"somebody's goodbye", "200 ok\nDISCONNECT bob CHAT/1.0\n", ""},
		{"as long as may be", strings.Repeat("x", 64) + "\n", ""},
		{"too long", strings.Repeat("x", 65) + "\n", "read line: the server sends one of more than 64 bytes"},
		{"without end", strings.Repeat("x", 65), "read line: the server sends one of more than 64 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := inPiecesOfLines(64, tt.stream)
			if (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
				t.Errorf("error %v, want %s", err, tt.err)
			}
		})
	}
}

func TestLinesCheck(t *testing.T) {
	tests := []struct {
		name string
		chat Lines
		want string
	}{
		{"good", Lines{User: "josé"}, ""},
		{"no name", Lines{}, "user name is empty"},
		{"two words", Lines{User: "al ice"}, `user name "al ice" has white space or control characters`},
		{"two lines", Lines{User: "al\nice"}, `user name "al\nice" has white space or control characters`},
		{"control", Lines{User: "al\x00"}, `user name "al\x00" has white space or control characters`},
		{"not UTF-8", Lines{User: "al\xff"}, `user name "al\xff" is not UTF-8`},
		{"limit", Lines{User: "alice", MaxLine: -1}, "line limit -1 is negative"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.chat.Check()
			if (err == nil) != (tt.want == "") || err != nil && err.Error() != tt.want {
				t.Errorf("%v, want %s", err, tt.want)
			}
			if tt.want != "" && tt.chat.Run(t.Context(), nil) == nil {
				t.Error("it runs")
			}
		})
	}
}

// L-2, L-4, L-7: registration, prefix, goodbye, byte for byte.
func TestLinesBytes(t *testing.T) {
	long := strings.Repeat("é", 65535)
	sent := make(chan string, 1)
	addr := serve(t, func(conn *net.TCPConn) {
		first := bufio.NewReader(conn)
		registration := readLine(first)
		io.WriteString(conn, registered)
		rest, _ := io.ReadAll(first)
		sent <- registration + string(rest)
	})
	c := run(t, Lines{Addr: addr, User: "alice"})
	c.types("hello\r\n\n\ngrüß \xff\n" + long + "\nno line end")
	c.typing.Close()
	if err := c.ends(); err != nil {
		t.Error(err)
	}
	want := "REGISTER alice CHAT/1.0\n" +
		"@alice: hello\n@alice: grüß \xff\n@alice: " + long + "\n@alice: no line end\n" +
		"DISCONNECT alice CHAT/1.0\n"
	if got := <-sent; got != want {
		t.Errorf("sent %.200q\nwant %.200q", got, want)
	}
	if c.out.String() != "* "+registered || c.err.String() != "" {
		t.Errorf("output %q, errors %q", c.out.String(), c.err.String())
	}
}

func TestLinesWaitsForAnswer(t *testing.T) {
	addr := serve(t, func(conn *net.TCPConn) {
		from := bufio.NewReader(conn)
		readLine(from)
		conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := from.ReadByte(); err == nil {
			t.Error("the client speaks before it is registered")
		}
		conn.SetReadDeadline(time.Now().Add(patience))
		io.WriteString(conn, registered)
		if line := readLine(from); line != "@alice: hello\n" {
			t.Errorf("once registered: %q", line)
		}
	})
	c := run(t, Lines{Addr: addr, User: "alice"})
	c.types("hello\n")
	if err := c.ends(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestLinesWithoutAnswer(t *testing.T) {
	addr := serve(t, func(conn *net.TCPConn) {
		from := bufio.NewReader(conn)
		readLine(from)
		if line := readLine(from); line != "@alice: hello\n" {
			t.Errorf("to a server without statuses: %q", line)
		}
		if line := readLine(from); line != "DISCONNECT alice CHAT/1.0\n" {
			t.Errorf("at the end: %q", line)
		}
	})
	c := run(t, Lines{Addr: addr, User: "alice"})
	c.types("hello\n")
	c.typing.Close()
	if err := c.ends(); err != nil {
		t.Error(err)
	}
}

// L-6.
func TestLinesShows(t *testing.T) {
	for _, piece := range []int{1, 3, 1 << 20} {
		long := strings.Repeat("é", min(piece*1000, 64<<10))
		addr := serve(t, func(conn *net.TCPConn) {
			readLine(bufio.NewReader(conn))
			stream := []byte("200 welcome\r\n@bob: grüß 你好 👋\n@bob: x\x1b[2J\x00\n* not a notice\n@bob: " + long + "\n")
			for part := range slices.Chunk(stream, piece) {
				conn.Write(part)
			}
		})
		c := run(t, Lines{Addr: addr, User: "alice"})
		if err := c.ends(); !errors.Is(err, ErrClosed) {
			t.Errorf("pieces of %d: %v", piece, err)
		}
		want := "* 200 welcome\n@bob: grüß 你好 👋\n@bob: x\\x1b[2J\\x00\n* * not a notice\n@bob: " + long + "\n"
		if got := c.out.String(); got != want {
			t.Errorf("pieces of %d: output %.200q\nwant %.200q", piece, got, want)
		}
	}
}

// L-8, L-9, and worse ends. A client that the server has sent away does not
// say goodbye.
func TestLinesServerGoes(t *testing.T) {
	tests := []struct {
		name string
		says string
		do   func(*testing.T, *net.TCPConn)
		out  string
		want string
		is   error
	}{
		{"400", "400 Invalid registration\n", waitForClose, "* 400 Invalid registration\n", "registration refused with status 400", nil},
		{"401", "401 \x1b[2J\n", waitForClose, "* 401 \\x1b[2J\n", "registration refused with status 401", nil},
		{"stops", registered + "DISCONNECT CHAT/1.0\n", waitForClose, "* " + registered + "* DISCONNECT CHAT/1.0\n", "server shuts down", ErrShutDown},
		{"closes", registered, nil, "* " + registered, "server closed the connection", ErrClosed},
		{"closes in a line", "200 \x1b", nil, "", `server closed the connection in the middle of a line: "200 \x1b"`, ErrClosed},
		{"resets", "", func(_ *testing.T, conn *net.TCPConn) { conn.SetLinger(0) }, "", "connection reset", ErrReset},
		{"never ends a line", registered + strings.Repeat("x", 2000), nil, "* " + registered,
			"read line: the server sends one of more than 1000 bytes", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			addr := serve(t, func(conn *net.TCPConn) {
				readLine(bufio.NewReader(conn))
				io.WriteString(conn, tt.says)
				if tt.do != nil {
					tt.do(t, conn)
				}
			})
			c := run(t, Lines{Addr: addr, User: "alice", MaxLine: 1000})
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

// waitForClose requires that the client closes without a word.
func waitForClose(t *testing.T, conn *net.TCPConn) {
	if rest, err := io.ReadAll(conn); len(rest) > 0 || err != nil {
		t.Errorf("the client says %q, %v", rest, err)
	}
}

// L-7: interrupt and terminate come as a cancelled context.
func TestLinesInterrupted(t *testing.T) {
	for _, closes := range []bool{true, false} {
		rest := make(chan string, 1)
		release := make(chan struct{})
		addr := serve(t, func(conn *net.TCPConn) {
			all, _ := io.ReadAll(admit(conn))
			rest <- string(all)
			if !closes {
				<-release
			}
		})
		c := run(t, Lines{Addr: addr, User: "alice"})
		c.types("hello\n")
		eventually(t, "registration", func() bool { return c.out.String() == "* "+registered })
		start := time.Now()
		reason := errors.New("enough")
		c.stop(reason)
		if err := c.ends(); err != reason {
			t.Error(err)
		}
		if took := time.Since(start); took >= 8*farewellWithin {
			t.Errorf("the goodbye took %v", took)
		}
		close(release)
		if got := <-rest; got != "@alice: hello\nDISCONNECT alice CHAT/1.0\n" && got != "DISCONNECT alice CHAT/1.0\n" {
			t.Errorf("sent %q", got)
		}
	}
}

func TestLinesInterruptedWhileSending(t *testing.T) {
	release := make(chan struct{})
	addr := serve(t, func(conn *net.TCPConn) {
		admit(conn)
		<-release
	})
	defer close(release)
	c := run(t, Lines{Addr: addr, User: "alice"})
	go func() {
		line := strings.Repeat("x", 1<<19) + "\n"
		for {
			if _, err := io.WriteString(c.typing, line); err != nil {
				return
			}
		}
	}()
	time.Sleep(50 * time.Millisecond) // the buffers fill up
	reason := errors.New("enough")
	start := time.Now()
	c.stop(reason)
	if err := c.ends(); err != reason {
		t.Error(err)
	}
	if took := time.Since(start); took >= 8*farewellWithin {
		t.Errorf("a server that does not read delays the end by %v", took)
	}
	c.typing.Close()
}

func TestLinesInterruptedInFlood(t *testing.T) {
	goodbye := make(chan string, 1)
	addr := serve(t, func(conn *net.TCPConn) {
		from := admit(conn)
		go func() { goodbye <- readLine(from) }()
		flood := []byte(strings.Repeat("@bob: again and again\n", 1000))
		for {
			if _, err := conn.Write(flood); err != nil {
				return
			}
		}
	})
	c := run(t, Lines{Addr: addr, User: "alice"})
	eventually(t, "the flood is shown", func() bool { return len(c.out.String()) > 1<<20 })
	reason := errors.New("enough")
	start := time.Now()
	c.stop(reason)
	if err := c.ends(); err != reason {
		t.Error(err)
	}
	if took := time.Since(start); took >= 8*farewellWithin {
		t.Errorf("the flood delays the end by %v", took)
	}
	if got := <-goodbye; got != "DISCONNECT alice CHAT/1.0\n" {
		t.Errorf("the server hears %q", got)
	}
}

// A server that stops just when the client leaves is no failure.
func TestLinesBothLeave(t *testing.T) {
	addr := serve(t, func(conn *net.TCPConn) {
		from := admit(conn)
		readLine(from)
		io.WriteString(conn, "@bob: bye\nDISCONNECT CHAT/1.0\n")
	})
	c := run(t, Lines{Addr: addr, User: "alice"})
	c.typing.Close()
	if err := c.ends(); err != nil {
		t.Error(err)
	}
	if want := "* " + registered + "@bob: bye\n* DISCONNECT CHAT/1.0\n"; c.out.String() != want {
		t.Errorf("output %q", c.out.String())
	}
}

// Any split reads alike, and costs no more memory than the limit.
func FuzzLines(f *testing.F) {
	f.Add([]byte("200 ok\r\n@bob: hi\nDISCONNECT CHAT/1.0\n"), uint16(3), uint16(9))
	f.Add([]byte("401\n"), uint16(1), uint16(2))
	f.Add([]byte(strings.Repeat("x", 300)), uint16(100), uint16(200))
	f.Fuzz(func(t *testing.T, stream []byte, i, j uint16) {
		first := min(int(i), len(stream))
		second := min(max(int(j), first), len(stream))
		s := string(stream)
		whole, wholeErr := inPiecesOfLines(200, s)
		pieces, piecesErr := inPiecesOfLines(200, s[:first], s[first:second], s[second:])
		if !slices.Equal(whole, pieces) || fmt.Sprint(wholeErr) != fmt.Sprint(piecesErr) {
			t.Fatalf("at once %q, %v; in pieces %q, %v", whole, wholeErr, pieces, piecesErr)
		}
		if len(whole) > strings.Count(s, "\n") {
			t.Errorf("%d lines of %q", len(whole), s)
		}
	})
}
