package engine

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/scenarios"
)

// load reads scenarios of the framed protocol from text.
func load(t testing.TB, text string) *scenario.Suite {
	t.Helper()
	protocol, err := fs.ReadFile(scenarios.Files, "framed/protocol.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return loadFiles(t, string(protocol), text)
}

func loadFiles(t testing.TB, protocol, text string) *scenario.Suite {
	t.Helper()
	suite, err := scenario.Load(fstest.MapFS{
		"framed/protocol.yaml": {Data: []byte(protocol)},
		"framed/test.yaml":     {Data: []byte(text)},
	}, "framed", nil)
	if err != nil {
		t.Fatal(err)
	}
	return suite
}

// steps makes a file of one scenario; header may hold clients: and more.
func steps(header string, lines ...string) string {
	var b strings.Builder
	b.WriteString("scenarios:\n  - name: it\n    requirement: F-3\n")
	if header != "" {
		for line := range strings.Lines(header) {
			b.WriteString("    " + strings.TrimRight(line, "\n") + "\n")
		}
	}
	b.WriteString("    steps:\n")
	for _, line := range lines {
		b.WriteString("      - " + strings.ReplaceAll(line, "\n", "\n        ") + "\n")
	}
	return b.String()
}

// known are the choices of a plain room.
func known(more ...string) map[string]string {
	m := map[string]string{"byte_order": "big", "echo": "no", "duplicate_name": "refuse", "roster_within": "1s"}
	for i := 0; i < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	return m
}

// trusted is a configuration under which nothing is found out first.
func trusted() Config {
	return Config{Trusted: true, Settings: known(), Origin: transcript.Set, Seed: 7}
}

// perform plays all scenarios of a suite against rooms with these rules.
func perform(t testing.TB, suite *scenario.Suite, config Config, rules rules) (transcript.Suite, []transcript.Run) {
	t.Helper()
	s := &Session{Suite: suite, Launch: (&street{rules: rules}).launch, Config: config}
	return s.Run(context.Background(), suite.Scenarios)
}

// playOne plays the only scenario of text in a bubble of its own.
func playOne(t *testing.T, text string, config Config, rules rules) transcript.Run {
	t.Helper()
	suite := load(t, text)
	var runs []transcript.Run
	synctest.Test(t, func(t *testing.T) { _, runs = perform(t, suite, config, rules) })
	if len(runs) != 1 {
		t.Fatalf("%d runs", len(runs))
	}
	return runs[0]
}

// check compares what is said about a run with what should be. A reason that
// begins with ~ need only be contained.
func check(t *testing.T, run transcript.Run, verdict transcript.Verdict, reason string) {
	t.Helper()
	ok := run.Reason == reason
	if part, found := strings.CutPrefix(reason, "~"); found {
		ok = strings.Contains(run.Reason, part)
	}
	if run.Verdict != verdict || !ok {
		t.Errorf("%s: %s %q %v, want %s %q\n%s", run.Scenario, run.Verdict, run.Reason, run.Notes, verdict, reason, story(run))
	}
}

// took compares the time of a run.
func took(t *testing.T, run transcript.Run, want time.Duration) {
	t.Helper()
	if got := time.Duration(math.Round(run.Seconds*1e6)) * time.Microsecond; got != want {
		t.Errorf("%s took %v, want %v\n%s", run.Scenario, got, want, story(run))
	}
}

// story is a run's transcript for people who have to mend something.
func story(run transcript.Run) string {
	var b strings.Builder
	for i, e := range run.Events {
		if i > 80 {
			b.WriteString("…\n")
			break
		}
		fmt.Fprintf(&b, "%9.4f %-8s %-10s %-7s", e.At, e.Client, e.Kind, e.Purpose)
		if e.Message != nil {
			fmt.Fprintf(&b, " %s", e.Message.Name)
			for _, f := range e.Message.Fields {
				if s, ok := f.Value.(string); ok {
					fmt.Fprintf(&b, " %.60q", s)
				}
			}
		}
		if e.Body != nil {
			fmt.Fprintf(&b, " %d bytes", e.Body.Length)
		}
		fmt.Fprintf(&b, " %s\n", e.Text)
	}
	return b.String()
}

// count counts the events of a run.
func count(run transcript.Run, kind transcript.Kind, client string, purpose transcript.Purpose) (n int) {
	for _, e := range run.Events {
		if e.Kind == kind && e.Client == client && e.Purpose == purpose {
			n++
		}
	}
	return n
}
