package scenarios_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/scenarios"
)

// userSuite is a suite as a user writes it, in a folder of testdata/suites.
func userSuite(t testing.TB, name string) *scenario.Suite {
	t.Helper()
	s, err := scenario.Load(os.DirFS(filepath.Join("testdata", "suites")), name, scenarios.Files)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// length is the number of lines of a protocol file that say something.
func length(t testing.TB, name string) (lines int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "suites", name, scenario.ProtocolFile))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			lines++
		}
	}
	return lines
}

// passesAll plays a suite against a server, which must pass all that applies.
func passesAll(t *testing.T, s server, suite *scenario.Suite, atLeast int) {
	t.Helper()
	header, runs := s.play(t.Context(), suite, suite.Scenarios)
	if header.Finding != "" {
		t.Error(header.Finding)
	}
	passed := 0
	for _, run := range runs {
		switch run.Verdict {
		case transcript.Pass:
			passed++
		case transcript.Skip:
			t.Logf("skip %s: %s", run.Scenario, run.Reason)
		default:
			t.Error(inWords(run))
		}
	}
	if passed < atLeast {
		t.Errorf("%d scenarios of %d pass, want at least %d", passed, len(runs), atLeast)
	}
}

// A variant of lines takes a few lines, and everything that lines asks is
// asked of it.
func TestVariants(t *testing.T) {
	needsTime(t)
	for _, name := range []string{"words", "digits", "jsonlines"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if n := length(t, name); n > 10 {
				t.Errorf("it takes %d lines to say what is different", n)
			}
			passesAll(t, python(t, "variants.py", name, "{port}"), userSuite(t, name), 30)
		})
	}
}

// A server that nobody here wrote, of a protocol that nobody here thought of.
func TestIRC(t *testing.T) {
	needsTime(t)
	t.Parallel()
	if _, err := exec.LookPath("ngircd"); err != nil {
		missing(t, "ngircd", err)
	}
	if n := length(t, "irc"); n > 80 {
		t.Errorf("it takes %d lines to describe IRC", n)
	}
	s := server{name: "ngircd", args: []string{filepath.Join("testdata", "servers", "irc", "ngircd.sh"), "{port}", t.TempDir()}}
	passesAll(t, s, userSuite(t, "irc"), 20)
}
