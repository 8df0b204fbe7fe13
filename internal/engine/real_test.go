package engine

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/refserver"
	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/sockets"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

// paper is what a server prints on.
type paper struct {
	mu   sync.Mutex
	text bytes.Buffer
	tell func()
}

func (p *paper) Write(b []byte) (int, error) {
	p.mu.Lock()
	p.text.Write(b)
	tell := p.tell
	p.mu.Unlock()
	if tell != nil {
		tell()
	}
	return len(b), nil
}

func (p *paper) since(from int64) ([]byte, int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Clone(p.text.Bytes()[from:]), int64(p.text.Len())
}

func (p *paper) notify(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tell = f
}

// launchReference starts the reference server on a real socket.
func launchReference(context.Context) (*Target, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	out := &paper{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = refserver.Framed{RosterEvery: 50 * time.Millisecond, Roster: out}.Serve(ctx, ln)
	}()
	return &Target{
		Dial:    DialTCP(ln.Addr().String()),
		Printed: out.since,
		Notify:  out.notify,
		Stop:    func(string) error { stop(); return nil },
		Close:   func() { stop(); <-done },
	}, nil
}

// real is a session with the reference server.
func real(t testing.TB, seed uint64) *Session {
	table, err := sockets.Open()
	if err == nil {
		t.Cleanup(func() { table.Close() })
	} else {
		table = nil // then the pace is kept by pauses
	}
	return &Session{Suite: framed(t), Launch: launchReference, Config: Config{
		Settings: known("max_message", "1048576", "roster_within", "5s"),
		Trusted:  true, Strict: true, Seed: seed, Sockets: table, Slots: make(chan struct{}, 8),
		// The server shares the processors with all that is tested at the same time: what it is late with comes.
		Busy: func() bool { return true },
	}}
}

// descriptors counts the open files of this process, or is 0 where that is
// not known.
func descriptors() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list)
}

// settledCount waits until count is at most want again, and returns it.
func settledCount(count func() int, want int) int {
	n := count()
	for range 200 {
		if n <= want {
			break
		}
		time.Sleep(5 * time.Millisecond)
		n = count()
	}
	return n
}

// TestReference plays the whole suite five times in a row and then four times
// at once. The verdicts are the same, and nothing is left behind.
func TestReference(t *testing.T) {
	suite := framed(t)
	goroutines, files := runtime.NumGoroutine(), 0
	var first []transcript.Run
	config := real(t, 0).Config
	play := func(seed uint64) []transcript.Run {
		s := &Session{Suite: suite, Launch: launchReference, Config: config}
		s.Seed = seed
		_, runs := s.Run(context.Background(), suite.Scenarios)
		return runs
	}
	compare := func(t *testing.T, runs []transcript.Run) {
		for i, run := range runs {
			if run.Verdict != transcript.Pass && run.Verdict != transcript.Skip || run.Verdict != first[i].Verdict {
				t.Errorf("%s: %s %q %v", run.Scenario, run.Verdict, run.Reason, run.Notes)
			}
			if slices.ContainsFunc(run.Notes, func(n string) bool { return strings.HasPrefix(n, "only when") }) {
				t.Errorf("%s: %v", run.Scenario, run.Notes)
			}
		}
	}
	t.Run("in a row", func(t *testing.T) {
		for i := range 5 {
			runs := play(uint64(i))
			if first == nil {
				first, files = runs, descriptors()
			}
			compare(t, runs)
		}
		if n := settledCount(descriptors, files); n > files {
			t.Errorf("%d files are open after the last run, %d after the first", n, files)
		}
	})
	t.Run("at once", func(t *testing.T) {
		for i := range 4 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				compare(t, play(uint64(i)))
			})
		}
	})
	if n := settledCount(runtime.NumGoroutine, goroutines); n > goroutines {
		t.Errorf("%d goroutines are left, there were %d", n, goroutines)
	}
}

// BenchmarkScenario is the mean over all scenarios that pass, one at a time.
// The one that waits for the server's own clock is left out.
func BenchmarkScenario(b *testing.B) {
	s := real(b, 1)
	list := slices.DeleteFunc(slices.Clone(s.Suite.Scenarios), func(sc *scenario.Scenario) bool {
		output, _ := sc.Uses()
		ok, _ := sc.Applies(s.Settings)
		return output || !ok || isHeavy(sc)
	})
	how := manner{codec: s.bind(s.Settings), deadline: defaultTimeout}
	n := 0
	for b.Loop() {
		sc := list[n%len(list)]
		if run, _ := s.playOnce(b.Context(), sc, how); run.Verdict != transcript.Pass {
			b.Fatalf("%s: %s %s", sc.Name, run.Verdict, run.Reason)
		}
		n++
	}
}

// benchPlay plays lines once for each iteration on one target, and reports
// only the time of what is repeated.
func benchPlay(b *testing.B, repeat func(p *play) *failure) {
	s := real(b, 1)
	s.Suite = load(b, steps(two, "alice receives nothing:"))
	target, err := s.Launch(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer target.Close()
	p := s.newPlay(b.Context(), s.Suite.Scenarios[0], &transcript.Run{}, target, manner{codec: s.bind(s.Settings), deadline: defaultTimeout})
	if f := p.bringIn(); f != nil {
		b.Fatal(f.got)
	}
	for b.Loop() {
		if f := repeat(p); f != nil {
			b.Fatal(f.got)
		}
		p.mu.Lock()
		p.events = p.events[:0]
		for _, c := range p.all() {
			c.inbox = c.inbox[:0]
		}
		p.mu.Unlock()
	}
	p.leave()
	p.readers.Wait()
}

// BenchmarkFence proves silence, without the wait after it.
func BenchmarkFence(b *testing.B) {
	benchPlay(b, func(p *play) *failure {
		alice, bob := p.clients[p.scenario.Clients[0]], p.clients[p.scenario.Clients[1]]
		for _, c := range []*client{alice, bob} {
			witness := bob
			if c == bob {
				witness = alice
			}
			if f := p.flushCauser(c, scenario.ByToken, witness); f != nil {
				return f
			}
		}
		return nil
	})
}

// BenchmarkSettle has a client connect, log in, settle and leave.
func BenchmarkSettle(b *testing.B) {
	n := 0
	benchPlay(b, func(p *play) *failure {
		n++
		c := p.newClient(fmt.Sprintf("visitor%d", n), false)
		f := p.login(c, nil)
		p.close(c, transcript.Reset)
		return f
	})
}
