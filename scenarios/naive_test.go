package scenarios_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/scenarios"
)

// TestNaiveServers plays everything against servers as students hand them in.
// Which scenarios do not pass is fixed; what is wrong with a server stands at
// the top of its source.
func TestNaiveServers(t *testing.T) {
	needsTime(t)
	declared := map[string]string{"framed": "echo=no byte_order=big roster_within=8s", "lines": "end=lf"}
	var games []*game
	for _, name := range scenarios.Names() {
		suite := suite(t, name)
		files, err := filepath.Glob(filepath.Join("testdata", "servers", name, "naive", "*.*"))
		if err != nil || len(files) == 0 {
			t.Fatalf("there are no naive servers for %s", name)
		}
		for _, file := range files {
			if s, ok := program(t, filepath.Join(name, "naive", filepath.Base(file)), "{port}"); ok {
				s = s.with(declared[name])
				s.timeout = time.Second
				games = append(games, &game{suite: suite, server: s, list: share(suite, len(games))})
			}
		}
	}
	playAll(t.Context(), games)
	for _, g := range games {
		t.Run(g.suite.Name+"/"+g.server.name, func(t *testing.T) {
			checkFailures(t, g, filepath.Join("testdata", "naive", g.suite.Name, g.server.name+".txt"))
		})
	}
}

// checkFailures holds what did not pass against a file: a line for each
// scenario that never passes, and "? SCENARIO" for one that depends on luck,
// because the server has a race. "? *" stands for all others. What contradicts
// the file is played again, a few times: these servers do a thing now and then
// that they do not do as a rule.
func checkFailures(t *testing.T, g *game, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	luck := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		name, lucky := strings.CutPrefix(strings.TrimSpace(line), "? ")
		if name != "" && !strings.HasPrefix(name, "#") {
			luck[name] = lucky
		}
	}
	for _, run := range g.runs {
		lucky, listed := luck[run.Scenario]
		delete(luck, run.Scenario)
		if run.Verdict == transcript.Error {
			t.Error(inWords(run))
		}
		passed := passes(run)
		switch {
		case passed && listed && !lucky:
			if !g.sometimes(t, run.Scenario, false) {
				t.Errorf("%s says that it fails: %s", file, inWords(run))
			}
		case !passed && !listed && !luck["*"]:
			if !g.sometimes(t, run.Scenario, true) {
				t.Errorf("%s does not say that it fails: %s", file, inWords(run))
			}
		case !passed:
			t.Log(inWords(run))
		}
	}
	delete(luck, "*")
	for name := range luck {
		if scenarioOf(g.suite, name) == nil {
			t.Errorf("%s: there is no scenario %s", file, name)
		}
	}
}

func passes(run transcript.Run) bool {
	return run.Verdict == transcript.Pass || run.Verdict == transcript.Skip
}

// sometimes plays a scenario again and says whether it passes, or does not, at
// least once.
func (g *game) sometimes(t *testing.T, name string, pass bool) bool {
	for range 4 {
		_, runs := g.server.play(t.Context(), g.suite, []*scenario.Scenario{scenarioOf(g.suite, name)})
		if passes(runs[0]) == pass {
			return true
		}
	}
	return false
}
