package scenarios_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/builtin"
	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/scenarios"
)

// TestSameVerdicts plays each suite against the built-in reference server again
// and again, and several times at once. All passes, the verdicts stay the same,
// and nothing is left running.
func TestSameVerdicts(t *testing.T) {
	for _, name := range scenarios.Names() {
		t.Run(name, func(t *testing.T) { sameVerdicts(t, suite(t, name)) })
	}
}

func sameVerdicts(t *testing.T, suite *scenario.Suite) {
	reference, ok := builtin.Named(suite.Protocol.Name)
	if !ok {
		t.Fatal("there is no built-in server")
	}
	want := verdicts(t.Context(), suite, reference, 0) // also starts what lives on
	for line := range strings.Lines(want) {
		if !strings.HasPrefix(line, "pass ") && !strings.HasPrefix(line, "skip ") {
			t.Fatal(want)
		}
	}
	before := runtime.NumGoroutine()
	for i := range 3 {
		if got := verdicts(t.Context(), suite, reference, uint64(i)); got != want {
			t.Errorf("run %d differs:\n%s\nthe first one was:\n%s", i+2, got, want)
		}
	}
	var at [3]string
	var players sync.WaitGroup
	for i := range at {
		players.Go(func() { at[i] = verdicts(t.Context(), suite, reference, uint64(100+i)) })
	}
	players.Wait()
	for _, got := range at {
		if got != want {
			t.Errorf("one of %d at once differs:\n%s\nthe first one was:\n%s", len(at), got, want)
		}
	}
	noLeaks(t, before)
}

// noLeaks waits until there are no more goroutines than before.
func noLeaks(t *testing.T, before int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, and %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// verdicts plays everything against a built-in server: a line for each.
func verdicts(ctx context.Context, suite *scenario.Suite, reference builtin.Server, seed uint64) string {
	session := &engine.Session{
		Suite:  suite,
		Launch: reference.Launch,
		Config: engine.Config{
			Settings: reference.Settings,
			Origin:   transcript.Declared, Trusted: true, Strict: true, Seed: seed + 1,
			Slots: make(chan struct{}, 8*runtime.GOMAXPROCS(0)), Sockets: socketTable(),
			// All passes, so nothing is waited for in vain, and what is late for want of a processor comes.
			Busy: func() bool { return true },
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
