package target

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
)

// someServer is where the client programs of the tests would connect to; they do not.
var someServer = netip.MustParseAddrPort("127.0.0.1:54321")

// clientWays are the ways to talk with a client program.
var clientWays = []Command{{}, {Terminal: runtime.GOOS == "linux"}}

func wayName(c Command) string {
	if c.Terminal {
		return "terminal"
	}
	return "pipes"
}

// startClient starts client_modes.py in one of its modes. At the end of the test it is stopped, and nothing may be left.
func startClient(t *testing.T, c Command, mode string, args ...string) *Process {
	t.Helper()
	c.Args = append(script(t, "client_modes.py").Args[:2], append([]string{mode}, args...)...)
	clean(t)
	p, err := StartClient(t.Context(), c, someServer, "alice")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// hasPrinted waits until the program has printed a text.
func hasPrinted(t *testing.T, p *Process, text string) {
	t.Helper()
	eventually(t, "it prints "+text, func() bool { return strings.Contains(p.Output().Text(), text) })
}

func exits(t *testing.T, p *Process) Status {
	t.Helper()
	eventually(t, "it ends", func() bool { _, ended := p.Exited(); return ended })
	status, _ := p.Exited()
	return status
}

func TestClientOnPipes(t *testing.T) {
	p := startClient(t, Command{}, "lines")
	hasPrinted(t, p, "ready\n")
	if p.Echoes() || p.TerminalChanged() != "" {
		t.Errorf("pipes echo %v and are changed %q", p.Echoes(), p.TerminalChanged())
	}
	long := strings.Repeat("x", 60_000)
	for _, err := range []error{p.Type("one"), p.Write("tw"), p.Write("o\n"), p.Type(long), p.Write("half"), p.EndInput()} {
		if err != nil {
			t.Error(err)
		}
	}
	if s := exits(t, p); s.Code != 0 {
		t.Error(s)
	}
	if got, want := p.Output().Text(), "ready\nread one\nread two\nread "+long+"\nread half\nend of input\n"; got != want {
		t.Errorf("it printed %.200q, want %.200q", got, want)
	}
}

func TestClientIsToldWhereAndWho(t *testing.T) {
	for _, test := range []struct{ server, want string }{
		{"127.0.0.1:54321", "['127.0.0.1', '54321', 'alice', 'chat://127.0.0.1:54321', 'a54321b'] 127.0.0.1 54321 xterm"},
		{"[::1]:8", "['::1', '8', 'alice', 'chat://[::1]:8', 'a8b'] ::1 8 xterm"},
	} {
		c := Command{Type: []string{"I am {user} at {host} {port} {url}"}}
		c.Args = append(script(t, "client_modes.py").Args[:2], "arguments", "{host}", "{port}", "{user}", "{url}", "a{port}b")
		clean(t)
		server := netip.MustParseAddrPort(test.server)
		p, err := StartClient(t.Context(), c, server, "alice")
		if err != nil {
			t.Fatal(err)
		}
		host, port, _ := net.SplitHostPort(test.server)
		hasPrinted(t, p, test.want+"\n")
		hasPrinted(t, p, "read I am alice at "+host+" "+port+" chat://"+test.server+"\n")
		if p.Addr() != server {
			t.Errorf("its server is %v", p.Addr())
		}
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	}
}

func TestClientCannotStart(t *testing.T) {
	for _, test := range []struct {
		c    Command
		want string
	}{
		{Command{}, "no program is given"},
		{Command{Args: []string{"no-such-program-anywhere"}}, "not found"},
		{Command{Args: []string{"sh"}, Dir: "no such folder"}, "no directory"},
	} {
		for _, test.c.Terminal = range []bool{false, true} {
			clean(t)
			p, err := StartClient(t.Context(), test.c, someServer, "alice")
			if _, ok := errors.AsType[*StartError](err); !ok || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%+v: process %v, error %v; want a StartError with %q", test.c, p, err, test.want)
			}
		}
	}
}

func TestClientThatNeverReads(t *testing.T) {
	for _, c := range clientWays {
		t.Run(wayName(c), func(t *testing.T) {
			p := startClient(t, c, "deaf")
			hasPrinted(t, p, "ready")
			line := strings.Repeat("x", 1000)
			var err error
			for range 10_000 {
				if err = p.Type(line); err != nil {
					break
				}
			}
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("10 MB were typed, error %v", err)
			}
		})
	}
}

// What is printed right before the end is there when the end is known.
func TestClientLastWords(t *testing.T) {
	for _, c := range clientWays {
		t.Run(wayName(c), func(t *testing.T) {
			c.OutputLimit = 4 << 20
			p := startClient(t, c, "last_words")
			if s := exits(t, p); s.Code != 5 {
				t.Error(s)
			}
			got := strings.ReplaceAll(p.Output().Text(), "\r\n", "\n")
			if want := strings.Repeat("x", 999_999) + "\nthe very end\n"; got != want {
				t.Errorf("%d bytes that end with %q, want %d", len(got), got[max(len(got)-30, 0):], len(want))
			}
			if err := p.Type("anybody there?"); err == nil && !c.Terminal {
				t.Error("it could be typed into after its end")
			}
		})
	}
}
