package target

import (
	"context"
	"os/exec"
	"regexp"
	"runtime"
	"sync"
	"testing"
	"time"
)

// afterClose starts a server that does something when its client has left, and returns it when that is so.
func afterClose(t *testing.T, how string) *Process {
	t.Helper()
	p := start(t, script(t, "spins.py", how))
	dial(t, p)
	eventually(t, "the client has left", func() bool { return p.Output().Text() == "left\n" })
	return p
}

var spinSentence = regexp.MustCompile(`^the program spins: after all clients had left, (a thread of it|\d of its threads) used a processor for \d+ % of the time$`)

func TestSpins(t *testing.T) {
	for _, how := range []string{"reads", "threads", "loop", "child"} {
		t.Run(how, func(t *testing.T) {
			p := afterClose(t, how)
			if how == "child" || how == "threads" {
				time.Sleep(20 * time.Millisecond) // they are started after it has printed
			}
			for range 2 { // it is the same every time
				if got := p.Spins(t.Context()); !spinSentence.MatchString(got) {
					t.Errorf("it says %q", got)
				}
			}
		})
	}
}

func TestSpinsNot(t *testing.T) {
	for _, how := range []string{"sleeps", "works", "wakes"} {
		t.Run(how, func(t *testing.T) {
			p := afterClose(t, how)
			for range 5 {
				if got := p.Spins(t.Context()); got != "" {
					t.Errorf("it says %q", got)
				}
			}
		})
	}
}

// burn keeps every processor busy, several times over, until the end of the test.
func burn(t *testing.T) {
	t.Helper()
	python, err := python()
	if err != nil {
		t.Skip(err)
	}
	for range 3 * runtime.NumCPU() {
		cmd := exec.Command(python, "-c", "print(flush=True)\nwhile True: pass")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			cmd.Process.Kill()
			cmd.Wait()
		})
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
}

// On a machine that has more to do than it can, the same is true.
func TestSpinsOnBusyMachine(t *testing.T) {
	for _, test := range []struct {
		how   string
		spins bool
	}{{"reads", true}, {"threads", true}, {"loop", true}, {"sleeps", false}, {"works", false}, {"wakes", false}} {
		t.Run(test.how, func(t *testing.T) {
			p := afterClose(t, test.how)
			burn(t)
			if got := p.Spins(t.Context()); (got != "") != test.spins {
				t.Errorf("it says %q", got)
			}
		})
	}
}

// Who asks is not kept when the program ends, or the time is up.
func TestSpinsEnds(t *testing.T) {
	t.Run("context", func(t *testing.T) {
		p := afterClose(t, "reads")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if got := p.Spins(ctx); got != "" {
			t.Errorf("it says %q", got)
		}
	})
	t.Run("program", func(t *testing.T) {
		p := afterClose(t, "reads")
		var wg sync.WaitGroup
		wg.Go(func() {
			if got := p.Spins(t.Context()); got != "" && !spinSentence.MatchString(got) {
				t.Errorf("it says %q", got)
			}
		})
		p.Stop()
		wg.Wait()
		if got := p.Spins(t.Context()); got != "" {
			t.Errorf("after its end: %q", got)
		}
	})
}

// What looking costs where nothing spins: mostly sleep.
func BenchmarkSpins(b *testing.B) {
	p, err := Start(b.Context(), script(b, "spins.py", "sleeps"))
	if err != nil {
		b.Fatal(err)
	}
	defer p.Stop()
	for b.Loop() {
		if got := p.Spins(b.Context()); got != "" {
			b.Fatal(got)
		}
	}
}
