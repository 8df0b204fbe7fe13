//go:build linux

package target

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// untold returns the command that runs a script of testdata which nobody tells a port.
func untold(t *testing.T, name string, args ...string) Command {
	t.Helper()
	c := script(t, name)
	c.Args = append(c.Args[:2:2], args...)
	return c
}

// fixed returns the command of a server that has its port written in it, and that port, which is free.
func fixed(t *testing.T, how ...string) (Command, int) {
	t.Helper()
	port, err := ports.reserve("tcp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ports.release(port) })
	return untold(t, "fixed.py", append([]string{strconv.Itoa(port)}, how...)...), port
}

// started returns how many programs have been started up to now.
func started() int {
	theLauncher.mu.Lock()
	defer theLauncher.mu.Unlock()
	return theLauncher.count
}

// launch starts an instance, which the end of the test stops.
func launch(t *testing.T, f *Fleet) *Process {
	t.Helper()
	p, err := f.Start(t.Context())
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

// Programs that can have any port run at the same time, however they come to it.
func TestFleetManyAtOnce(t *testing.T) {
	asks := untold(t, "asks.py")
	asks.Type = []string{"{port}"}
	printed := untold(t, "prints.py", "stdout")
	printed.PortFrom = onPortLine
	environment := untold(t, "environment.py")
	environment.Env = []string{"GREETING=hello"}
	for _, test := range []struct {
		name    string
		command Command
		found   bool
		trials  int
	}{
		{"told by an argument", script(t, "listens.py"), false, 0},
		{"told by what is typed", asks, false, 0},
		{"told by the environment", environment, false, 0},
		{"picks a port", untold(t, "own.py"), true, 1},
		{"prints a port", printed, true, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			clean(t)
			const many = 12
			f, before := NewFleet(test.command), started()
			var running [many]*Process
			var wg sync.WaitGroup
			for i := range running {
				wg.Go(func() {
					p, err := f.Start(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					running[i] = p
				})
			}
			wg.Wait() // all of them run
			seen := map[uint16]bool{}
			for _, p := range running {
				if p == nil {
					continue
				}
				defer p.Stop()
				if p.Found != test.found {
					t.Errorf("found %v, want %v", p.Found, test.found)
				}
				seen[p.Addr().Port()] = true
				dial(t, p)
			}
			if len(seen) != many {
				t.Errorf("%d instances have %d ports", many, len(seen))
			}
			if n := started() - before; n != many+test.trials {
				t.Errorf("%d programs were started, want %d", n, many+test.trials)
			}
			if f.Alone() || (f.OwnPort() != 0) != test.found {
				t.Errorf("alone %v, own port %d", f.Alone(), f.OwnPort())
			}
		})
	}
}

// Programs with a port of their own run one at a time. That is found out only where nobody has said it.
func TestFleetOneAtATime(t *testing.T) {
	known, port := fixed(t)
	known.Port = port
	found, _ := fixed(t)
	shared, _ := fixed(t, "share")
	udp := untold(t, "udp.py", found.Args[2])
	udp.Network = "udp"
	for _, test := range []struct {
		name    string
		command Command
		trials  int
	}{
		{"port given", known, 0},
		{"port found", found, 1},
		{"port that others may listen on too", shared, 1},
		{"UDP", udp, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			clean(t)
			f, before := NewFleet(test.command), started()
			if f.Alone() != (test.trials == 0) {
				t.Errorf("at first: alone %v", f.Alone())
			}
			const many = 4
			var running atomic.Int32
			var wg sync.WaitGroup
			for range many {
				wg.Go(func() {
					p, err := f.Start(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					if n := running.Add(1); n != 1 {
						t.Errorf("%d run at the same time", n)
					}
					if want := test.command.Args[2]; strconv.Itoa(int(p.Addr().Port())) != want {
						t.Errorf("address %v, want port %s", p.Addr(), want)
					}
					time.Sleep(10 * time.Millisecond) // for others to be there too soon
					running.Add(-1)
					if err := p.Stop(); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if !f.Alone() {
				t.Error("at the end it is not alone")
			}
			if n := started() - before; n != many+test.trials {
				t.Errorf("%d programs were started, want %d", n, many+test.trials)
			}
		})
	}
}

// What is started to find out whether it can be leaves the first instance as it was.
func TestFleetTrialDisturbsNobody(t *testing.T) {
	for _, how := range []string{"", "share"} {
		t.Run("fixed"+how, func(t *testing.T) {
			clean(t)
			c, _ := fixed(t, how)
			p := launch(t, NewFleet(c))
			if left := marked(); len(left) != 1 || left[0] != p.PID() {
				t.Errorf("processes %v, want only %d", left, p.PID())
			}
			const clients = 5
			for range clients {
				conn, err := net.Dial("tcp", p.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				conn.Close()
			}
			want := strings.Repeat("connected\n", clients) // and nothing of the trial
			eventually(t, "it has served every client", func() bool { return p.Output().Text() == want })
			if s, ended := p.Exited(); ended {
				t.Errorf("it has %v", s)
			}
		})
	}
}

// A Start that waits for the one before ends with its context, and takes nothing away from others.
func TestFleetContext(t *testing.T) {
	clean(t)
	c, port := fixed(t)
	c.Port = port
	f := NewFleet(c)
	p := launch(t, f)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := f.Start(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while another runs: %v", err)
	}
	if s, ended := p.Exited(); ended {
		t.Fatalf("the other has %v", s)
	}
	p.Stop()
	p.Stop() // a second call does not give a second place
	launch(t, f)
	if _, err := f.Start(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while the next one runs: %v", err)
	}
}

// An instance is over when its context is, also for the one that waits.
func TestFleetContextStops(t *testing.T) {
	clean(t)
	c, _ := fixed(t)
	f := NewFleet(c)
	ctx, cancel := context.WithCancel(t.Context())
	first, err := f.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Stop()
	var wg sync.WaitGroup
	wg.Go(func() {
		p, err := f.Start(t.Context())
		if err != nil {
			t.Error(err)
			return
		}
		if _, ended := first.Exited(); !ended {
			t.Error("the second runs while the first does")
		}
		p.Stop()
	})
	cancel()
	wg.Wait()
}

// Who waits while it is found out how many can run can give up, and does not have to wait for the slow start.
func TestFleetContextWhileFinding(t *testing.T) {
	clean(t)
	c := untold(t, "never.py")
	c.ReadyWithin = time.Minute
	f := NewFleet(c)
	first, cancelFirst := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	before := started()
	wg.Go(func() {
		if _, err := f.Start(first); !errors.Is(err, context.Canceled) {
			t.Errorf("the first: %v", err)
		}
	})
	eventually(t, "the first has been started", func() bool { return started() > before })
	second, cancelSecond := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancelSecond()
	if _, err := f.Start(second); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the second: %v", err)
	}
	if f.Alone() || f.OwnPort() != 0 {
		t.Error("it is known already") // and these do not wait
	}
	cancelFirst()
	wg.Wait()
}

// A start that fails does not keep the next from being tried, and its error says why.
func TestFleetFails(t *testing.T) {
	clean(t)
	dir := t.TempDir()
	c := untold(t, "fixed.py")
	b, err := os.ReadFile(c.Args[1])
	if err != nil {
		t.Fatal(err)
	}
	free, _ := fixed(t)
	c.Args = []string{c.Args[0], "server.py", free.Args[2]}
	c.Dir = dir
	for _, port := range []int{0, must(t, free.Args[2])} {
		c.Port = port
		f := NewFleet(c)
		for range 2 {
			if _, ok := errors.AsType[*ExitError](failing(t, f)); !ok {
				t.Errorf("without a server: not an ExitError")
			}
		}
		name := filepath.Join(dir, "server.py")
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
		launch(t, f).Stop()
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		failing(t, f)
		if !f.Alone() {
			t.Error("not alone")
		}
	}
}

func failing(t *testing.T, f *Fleet) error {
	t.Helper()
	p, err := f.Start(t.Context())
	if err == nil {
		p.Stop()
		t.Fatal("it was started")
	}
	return err
}

func must(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Somebody else has the port: that is said at once, and nobody is waited for.
func TestFleetPortInUse(t *testing.T) {
	c, port := fixed(t)
	clean(t)
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c.Port = port
	f := NewFleet(c)
	for range 2 {
		if _, ok := errors.AsType[*PortError](failing(t, f)); !ok {
			t.Error("not a PortError")
		}
	}
}

// An instance that ends by itself makes room when it is stopped, and does not take the fleet with it.
func TestFleetInstanceDies(t *testing.T) {
	c, _ := fixed(t)
	f := NewFleet(c)
	clean(t)
	for range 3 {
		p := launch(t, f)
		if err := p.Signal(os.Kill); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it has ended", func() bool { _, ended := p.Exited(); return ended })
		if err := p.Stop(); err != nil {
			t.Fatal(err)
		}
	}
}

// A server that closes first leaves its port to the system, which keeps it from servers that do not set SO_REUSEADDR.
func TestLingersAfterClose(t *testing.T) {
	for _, test := range []struct {
		how    string
		starts bool // again, at once
	}{{"closes", false}, {"reuse and closes", true}} {
		t.Run(test.how, func(t *testing.T) {
			clean(t)
			c, port := fixed(t, test.how)
			p := launch(t, NewFleet(c))
			if lingers("tcp", port) {
				t.Error("it lingers while the program listens")
			}
			conn, err := net.Dial("tcp", p.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("the server does not close the connection: %v", err)
			}
			conn.Close()
			p.Stop()
			if !lingers("tcp", port) {
				t.Error("nothing lingers")
			}
			if !test.starts {
				return // what then happens takes a minute
			}
			c.Port = port
			if again := launch(t, NewFleet(c)); again.Lingered != 0 {
				t.Errorf("it was waited for %v", again.Lingered)
			}
		})
	}
}
