package main

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/refserver"
)

// The reference client and the reference server understand each other.
func TestWithReferenceServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	present := make(roster, 1)
	server := refserver.Framed{Roster: present, RosterEvery: 5 * time.Millisecond}
	go func() { served <- server.Serve(ctx, listener) }()

	alice := start(port, "alice")
	present.shows(t, "alice")
	bob := start(port, "bob")
	alice.shows(t, "* bob has logged in")
	bob.types("grüß 你好\n" + strings.Repeat("x", 64<<10) + "\n")
	alice.shows(t, "bob: grüß 你好")
	alice.shows(t, "bob: "+strings.Repeat("x", 64<<10))
	alice.types("hello\n")
	bob.shows(t, "alice: hello")

	second := start(port, "bob")
	second.ends(t, 1) // the name is in use

	bob.types("last")
	bob.typing.Close()
	bob.ends(t, 0)
	alice.shows(t, "bob: last")
	alice.shows(t, "* bob has left")

	stop()
	alice.ends(t, 1)
	if complaint := "refclient: server closed the connection\n"; alice.err.String() != complaint {
		t.Errorf("errors %q", alice.err.String())
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
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

func (r roster) shows(t *testing.T, user string) {
	t.Helper()
	for deadline := time.After(5 * time.Second); ; {
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

func start(port, user string) *program {
	in, typing := io.Pipe()
	p := &program{typing: typing, lines: make(chan string, 100), code: make(chan int, 1)}
	go func() { p.code <- run([]string{"framed", "127.0.0.1", port, user}, in, p, &p.err) }()
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
	select {
	case got := <-p.lines:
		if got != want {
			t.Errorf("the client shows %.100q, want %.100q", got, want)
		}
	case <-time.After(5 * time.Second):
		t.Fatalf("the client does not show %.100q", want)
	}
}

func (p *program) ends(t *testing.T, want int) {
	t.Helper()
	select {
	case got := <-p.code:
		if got != want {
			t.Errorf("exit code %d, want %d; %s", got, want, p.err.String())
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the client goes on")
	}
	p.typing.Close()
}
