//go:build linux

package target

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var onPortLine = regexp.MustCompile(`port (\d+)`)

// The port that a program prints is the one, whatever else it listens on, and however it prints it.
func TestPortFrom(t *testing.T) {
	for _, test := range []struct {
		how        string
		expression string
		terminal   bool
	}{
		{"stdout", `port (\d+)`, false},
		{"stdout", `port (\d+)`, true},
		{"stdout", `\d+`, false},                                      // all of the match
		{"stdout", `(?m)^listening.*port\s(?:([a-z]+)|(\d+))`, false}, // the group that has matched
		{"stderr", `port (\d+)`, false},
		{"stderr", `port (\d+)`, true},
		{"late", `port (\d+)`, false},
		{"pieces", `port (\d+)`, false},
		{"coloured", `port (\d+)`, true},
		{"buffers", `port (\d+)`, true},
		{"tells", `port (\d+)`, false}, // although it listens on the one that it is told, too
	} {
		name := test.how + " " + test.expression
		if test.terminal {
			name += " on a terminal"
		}
		t.Run(name, func(t *testing.T) {
			c := untold(t, "prints.py", test.how)
			c.PortFrom, c.Terminal = regexp.MustCompile(test.expression), test.terminal
			p := start(t, c)
			// Of the two ports of its own, the other is printed as such.
			eventually(t, "both are printed", func() bool { return strings.HasSuffix(p.Output().Text(), "\n") })
			other := regexp.MustCompile(`other (\d+)`).FindStringSubmatch(p.Output().Text())
			port := strconv.Itoa(int(p.Addr().Port()))
			if other == nil || port == other[1] || !strings.Contains(p.Output().Text(), port) || !p.Found {
				t.Errorf("address %v, found %v; it printed %q", p.Addr(), p.Found, p.Output().Text())
			}
			dial(t, p)
		})
	}
}

// A program may print its port without having chosen it.
func TestPortFromTold(t *testing.T) {
	c := script(t, "prints_told.py")
	c.PortFrom = onPortLine
	if p := start(t, c); p.Found {
		t.Errorf("address %v is called its own choice", p.Addr())
	}
}

func TestPortFromFails(t *testing.T) {
	for _, test := range []struct {
		how      string
		terminal bool
		want     string // a regular expression
	}{
		{"nothing", false, `^the program printed no port within .* \(it is still running\): nothing in its output matches "port \(\\d\+\)"; it listens on .* instead; it printed: ready$`},
		{"elsewhere", false, `^the program printed port \d+ but did not listen on it within .*; it printed: listening on port \d+$`},
		{"large", false, `^the program printed "70000", which is not a port \(a number from 1 to 65535\) within `},
		{"word", true, `^the program printed "seven", which is not a port \(a number from 1 to 65535\) within `},
		{"buffers", false, `^the program printed no port within .*; it may have to flush its output.*; it printed nothing$`},
	} {
		t.Run(test.how, func(t *testing.T) {
			c := untold(t, "prints.py", test.how)
			c.PortFrom, c.Terminal = onPortLine, test.terminal
			if test.how == "word" {
				c.PortFrom = regexp.MustCompile(`port (\w+)`)
			}
			err := doesNotListen(t, c, func(e *ListenError) bool {
				return len(e.Others) == 2 && (test.how == "buffers" || e.Output.Size > 0)
			})
			if text := err.Error(); !regexp.MustCompile(test.want).MatchString(text) {
				t.Errorf("error %q\nwant  %s", text, test.want)
			}
		})
	}
	t.Run("ends", func(t *testing.T) {
		c := untold(t, "crashes.py")
		c.PortFrom = onPortLine
		err := fails(t, c)
		if exit, ok := errors.AsType[*ExitError](err); !ok || exit.Port != 0 || !strings.HasPrefix(err.Error(), "the program exited with status 1 before it listened; ") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("another program's port", func(t *testing.T) {
		other := start(t, script(t, "listens.py"))
		defer other.Stop()
		c := untold(t, "prints_any.py", strconv.Itoa(int(other.Addr().Port())))
		c.PortFrom = onPortLine
		err := doesNotListen(t, c, func(e *ListenError) bool { return e.Output.Size > 0 })
		if !err.Taken || !strings.Contains(err.Error(), "; another program listens there") {
			t.Errorf("error %v", err)
		}
	})
}

// What is typed at the start may tell the port; the input stays open for more.
func TestTypeAtTheStart(t *testing.T) {
	for name, terminal := range map[string]bool{"pipe": false, "terminal": true} {
		t.Run(name, func(t *testing.T) {
			c := untold(t, "asks.py")
			c.Type, c.Terminal = []string{"{port}", "at {host}:{port} for {user}"}, terminal
			c.User = "alice"
			p := start(t, c)
			if p.Found {
				t.Errorf("address %v, which it was not told", p.Addr())
			}
			want := "typed: at 127.0.0.1:" + strconv.Itoa(int(p.Addr().Port())) + " for alice\n"
			eventually(t, "it has read both lines", func() bool { return strings.HasSuffix(p.Output().Text(), want) })
			if err := p.Type("more"); err != nil {
				t.Error(err)
			}
			eventually(t, "it has read the third", func() bool { return strings.HasSuffix(p.Output().Text(), "typed: more\n") })
		})
	}
}

// A program that does not read what is typed at the start, or has ended, is not waited for.
func TestTypeAtTheStartUnread(t *testing.T) {
	t.Run("does not read", func(t *testing.T) {
		c := script(t, "listens.py")
		c.Type = []string{strings.Repeat("x", 1<<20)}
		dial(t, start(t, c))
	})
	t.Run("has ended", func(t *testing.T) {
		c := untold(t, "crashes.py")
		c.Type = []string{"{port}"}
		if _, ok := errors.AsType[*ExitError](fails(t, c)); !ok {
			t.Error("not an ExitError")
		}
	})
}

func TestListensVeryLate(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two seconds")
	}
	began := time.Now()
	p := start(t, script(t, "listens.py", "127.0.0.1", "2"))
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("ready after %v, before it listens", took)
	}
	dial(t, p)
}
