package scenarios_test

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/refserver"
	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

// TestSameVerdicts plays the suite against the reference server again and
// again, and several times at once. The verdicts stay the same, and nothing is
// left running.
func TestSameVerdicts(t *testing.T) {
	framed := suite(t, "framed")
	want := verdicts(t.Context(), framed, 0) // also starts what lives on
	if strings.Contains(want, "fail") || strings.Contains(want, "warn") || strings.Contains(want, "blocked") || strings.Contains(want, "error") {
		t.Fatal(want)
	}
	before := runtime.NumGoroutine()
	for i := range 4 {
		if got := verdicts(t.Context(), framed, uint64(i)); got != want {
			t.Errorf("run %d differs:\n%s\nthe first one was:\n%s", i+2, got, want)
		}
	}
	var at [4]string
	var players sync.WaitGroup
	for i := range at {
		players.Go(func() { at[i] = verdicts(t.Context(), framed, uint64(100+i)) })
	}
	players.Wait()
	for _, got := range at {
		if got != want {
			t.Errorf("one of four at once differs:\n%s\nthe first one was:\n%s", got, want)
		}
	}
	noLeaks(t, before)
}

// noLeaks waits until there are no more goroutines than before.
func noLeaks(t *testing.T, before int) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, and %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// verdicts plays everything against the reference server: a line for each.
func verdicts(ctx context.Context, suite *scenario.Suite, seed uint64) string {
	session := &engine.Session{
		Suite:  suite,
		Launch: launchReference,
		Config: engine.Config{
			Settings: map[string]string{
				"byte_order": "big", "echo": "no", "duplicate_name": "refuse", "max_message": "1048576",
			},
			Origin: transcript.Declared, Trusted: true, Strict: true, Seed: seed + 1,
			Slots: make(chan struct{}, 8*runtime.GOMAXPROCS(0)), Sockets: socketTable(),
		},
	}
	_, runs := session.Run(ctx, suite.Scenarios)
	var b strings.Builder
	for _, run := range runs {
		fmt.Fprintln(&b, run.Verdict, run.Scenario, strings.Join(run.Notes, "; "))
		if run.Verdict != transcript.Pass && run.Verdict != transcript.Skip {
			fmt.Fprintln(&b, inWords(run))
		}
	}
	return b.String()
}

// launchReference starts a reference server in this process.
func launchReference(context.Context) (*engine.Target, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	out := new(printed)
	done := make(chan error, 1)
	go func() {
		done <- refserver.Framed{RosterEvery: 50 * time.Millisecond, Roster: out}.Serve(ctx, ln)
	}()
	return &engine.Target{
		Dial:    engine.DialTCP(ln.Addr().String()),
		Printed: out.since,
		Exited:  func() (string, bool) { return "", false },
		Stop:    func(string) error { stop(); return nil },
		Notify:  out.notify,
		Close: func() {
			stop()
			<-done
		},
	}, nil
}

// printed is what a server in this process has printed.
type printed struct {
	mu   sync.Mutex
	text []byte
	tell func()
}

func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	p.text = append(p.text, b...)
	tell := p.tell
	p.mu.Unlock()
	if tell != nil {
		tell()
	}
	return len(b), nil
}

func (p *printed) since(from int64) ([]byte, int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	end := int64(len(p.text))
	return p.text[min(from, end):end:end], end
}

func (p *printed) notify(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tell = f
}
