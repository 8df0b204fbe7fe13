package main

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/refserver"
)

// The reference clients and the reference servers understand each other.
func TestFramedWithReferenceServer(t *testing.T) {
	present := make(roster, 1)
	port, stop := serveTCP(t, refserver.Framed{Roster: present, RosterEvery: 5 * time.Millisecond})

	alice := start("framed", "127.0.0.1", port, "alice")
	present.shows(t, "alice")
	bob := start("framed", "127.0.0.1", port, "bob")
	alice.shows(t, "* bob has logged in")
	bob.types("grüß 你好\n" + strings.Repeat("x", 64<<10) + "\n")
	alice.shows(t, "bob: grüß 你好")
	alice.shows(t, "bob: "+strings.Repeat("x", 64<<10))
	alice.types("hello\n")
	bob.shows(t, "alice: hello")

	second := start("framed", "127.0.0.1", port, "bob")
	second.ends(t, 1) // the name is in use

	bob.types("last")
	bob.typing.Close()
	bob.ends(t, 0)
	alice.shows(t, "bob: last")
	alice.shows(t, "* bob has left")

	stop()
	alice.ends(t, 1)
	alice.complains(t, "refclient: server closed the connection\n")
}

// serveTCP runs a server until stop is called or the test ends.
func serveTCP(t *testing.T, server interface {
	Serve(context.Context, net.Listener) error
}) (port string, stop func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop = background(t, func(ctx context.Context) error { return server.Serve(ctx, listener) })
	_, port, _ = net.SplitHostPort(listener.Addr().String())
	return port, stop
}

// background serves until stop is called or the test ends.
func background(t *testing.T, serve func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- serve(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func TestLinesWithReferenceServer(t *testing.T) {
	port, stop := serveTCP(t, refserver.Lines{})
	alice := start("lines", "alice", "chat://127.0.0.1:"+port)
	alice.shows(t, "* 200 Registration successful")
	bob := start("lines", "bob", "chat://127.0.0.1:"+port)
	bob.shows(t, "* 200 Registration successful")
	bob.types("grüß 你好\nplease do not DISCONNECT me\n" + strings.Repeat("x", 65000) + "\n")
	alice.shows(t, "@bob: grüß 你好")
	alice.shows(t, "@bob: please do not DISCONNECT me")
	alice.shows(t, "@bob: "+strings.Repeat("x", 65000))
	alice.types("hello\n")
	bob.shows(t, "@alice: hello")

	second := start("lines", "bob", "chat://127.0.0.1:"+port)
	second.shows(t, "* 401 Client already registered")
	second.ends(t, 1)
	second.complains(t, "refclient: registration refused with status 401\n")
	colon := start("lines", "b:ob", "chat://127.0.0.1:"+port)
	colon.shows(t, "* 400 Invalid registration")
	colon.ends(t, 1)

	bob.types("last")
	bob.typing.Close()
	bob.ends(t, 0)
	alice.shows(t, "@bob: last")
	bob = start("lines", "bob", "chat://127.0.0.1:"+port) // the name is free at once
	bob.shows(t, "* 200 Registration successful")

	stop()
	for _, client := range []*program{alice, bob} {
		client.shows(t, "* DISCONNECT CHAT/1.0")
		client.ends(t, 1)
		client.complains(t, "refclient: server shuts down\n")
	}
}

func TestDirectWithReferenceServer(t *testing.T) {
	port, stop := serveTCP(t, refserver.Direct{})
	alice, bob := start("direct", "127.0.0.1", port), start("direct", "127.0.0.1", port)
	alice.types("login alice\n")
	alice.shows(t, "Success")
	bob.types("login alice\n")
	bob.shows(t, "Failure")
	bob.types("sendto alice hello\n")
	bob.shows(t, "Failure")
	bob.types("login bob\nlist\n")
	bob.shows(t, "Success")
	bob.shows(t, "users (2): alice, bob")

	longest := strings.Repeat("x", 65535)
	bob.types("sendto alice " + longest + "\nsendto alice " + longest + "x\nsendto carol hello\n")
	bob.shows(t, "Success")
	bob.shows(t, "Bad message")
	bob.shows(t, "Failure")
	alice.shows(t, "bob: "+longest)
	alice.types("sendto bob grüß 你好\nlogout\nlogout\nlist")
	alice.typing.Close()
	alice.shows(t, "Success")
	alice.shows(t, "Success")
	alice.shows(t, "Failure")
	alice.shows(t, "users (1): bob")
	alice.ends(t, 0)
	bob.shows(t, "alice: grüß 你好")

	stop()
	bob.ends(t, 1)
	bob.complains(t, "refclient: server closed the connection\n")
}

func TestDatagramWithReferenceServer(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		t.Run(host, func(t *testing.T) {
			port := serveUDP(t, host)
			alice, bob := start("datagram", host, port), start("datagram", host, port)
			alice.types("first\n")
			first := alice.next(t)
			from, text, _ := strings.Cut(first, ">: ")
			want := "<From " + strings.TrimSuffix(net.JoinHostPort(host, "x"), "x")
			if !strings.HasPrefix(from, want) || text != "first" {
				t.Errorf("alice shows %q", first)
			}
			bob.types("grüß 你好")
			bob.typing.Close()
			got := bob.next(t)
			if got == first { // bob may have greeted before alice spoke, or after
				got = bob.next(t)
			}
			if !strings.HasSuffix(got, ">: grüß 你好") || strings.HasPrefix(got, from) {
				t.Errorf("bob shows %q", got)
			}
			if got := alice.next(t); !strings.HasSuffix(got, ">: grüß 你好") {
				t.Errorf("alice shows %q", got)
			}
			bob.ends(t, 0)
			alice.typing.Close()
			alice.ends(t, 0)
		})
	}
}

// serveUDP runs a server until the test ends.
func serveUDP(t *testing.T, host string) (port string) {
	t.Helper()
	conn, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Skipf("no such address here: %v", err)
	}
	background(t, func(ctx context.Context) error { return refserver.Datagram{}.Serve(ctx, conn) })
	_, port, _ = net.SplitHostPort(conn.LocalAddr().String())
	return port
}

// A roster is the last list of users that the server has displayed.
type roster chan string

func (r roster) Write(b []byte) (int, error) {
	select {
	case <-r:
	default:
	}
	r <- string(b)
	return len(b), nil
}

// within is how long a test waits for something before it fails.
const within = 30 * time.Second

func (r roster) shows(t *testing.T, user string) {
	t.Helper()
	for deadline := time.After(within); ; {
		select {
		case list := <-r:
			if strings.Contains(list, user) {
				return
			}
		case <-deadline:
			t.Fatalf("%s is not among the users", user)
		}
	}
}

// A program is a client that runs, with what it shows by lines.
type program struct {
	typing *io.PipeWriter
	lines  chan string
	err    strings.Builder
	code   chan int
}

func start(args ...string) *program {
	in, typing := io.Pipe()
	p := &program{typing: typing, lines: make(chan string, 100), code: make(chan int, 1)}
	go func() { p.code <- run(args, in, p, &p.err) }()
	return p
}

// Write takes what the client shows: whole lines, one or more.
func (p *program) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		p.lines <- strings.TrimSuffix(line, "\n")
	}
	return len(b), nil
}

func (p *program) types(text string) { io.WriteString(p.typing, text) }

func (p *program) shows(t *testing.T, want string) {
	t.Helper()
	if got := p.next(t); got != want {
		t.Errorf("the client shows %.100q, want %.100q", got, want)
	}
}

// next is the next line that the client shows.
func (p *program) next(t *testing.T) string {
	t.Helper()
	select {
	case line := <-p.lines:
		return line
	case <-time.After(within):
		t.Fatal("the client shows nothing more")
		return ""
	}
}

// complains requires these errors of a client that has ended.
func (p *program) complains(t *testing.T, want string) {
	t.Helper()
	if got := p.err.String(); got != want {
		t.Errorf("errors %q, want %q", got, want)
	}
}

func (p *program) ends(t *testing.T, want int) {
	t.Helper()
	select {
	case got := <-p.code:
		if got != want {
			t.Errorf("exit code %d, want %d; %s", got, want, p.err.String())
		}
	case <-time.After(within):
		t.Fatal("the client goes on")
	}
	p.typing.Close()
}
