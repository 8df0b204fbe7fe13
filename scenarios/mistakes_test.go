package scenarios_test

import (
	"bufio"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/scenarios"
)

// For whoever changes scenarios, and takes an hour:
//
//	go test ./scenarios -run TestEveryMistakeIsFound -only framed -full -v -timeout 2h
var (
	only = flag.String("only", "", "make mistakes of this suite only")
	full = flag.Bool("full", false, "play every scenario against every mistake, and print which finds which")
)

// mistakesFile says of each mistake that testdata/servers/SUITE/wrong/wrong.py
// can make under which settings it is one, and which scenario names it.
func mistakesFile(suite string) string {
	if suite == "framed" {
		return filepath.Join("testdata", "mistakes.txt")
	}
	return filepath.Join("testdata", "mistakes-"+suite+".txt")
}

// A mistake is what lines of that file say about a server, and the game that
// is played against it.
type mistake struct {
	game
	named []string // the scenarios; none where the file says why
}

// readMistakes reads the file and holds it against what wrong.py says of itself.
func readMistakes(t *testing.T, suite *scenario.Suite, wrong server) []*mistake {
	t.Helper()
	about := mistakesOf(t, wrong)
	name := mistakesFile(suite.Name)
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var list []*mistake
	for in, n := bufio.NewScanner(file), 1; in.Scan(); n++ {
		if in.Text() == "" || strings.HasPrefix(in.Text(), "#") {
			continue
		}
		col := strings.Split(in.Text(), "\t")
		if len(col) != 3 && !(len(col) == 4 && col[2] == "-") {
			t.Fatalf("%s:%d: want mistake, settings, scenario, or - and a reason, with tabs between them", name, n)
		}
		if about[col[0]] == "" {
			t.Errorf("%s:%d: wrong.py does not make the mistake %s", name, n, col[0])
			continue
		}
		sc := scenarioOf(suite, col[2])
		if sc == nil && col[2] != "-" {
			t.Errorf("%s:%d: there is no scenario %s", name, n, col[2])
			continue
		}
		s := wrong.with(strings.TrimPrefix(col[1], "-"))
		if suite.Protocol.Setting("roster_within") != nil {
			s.settings["roster_within"] = "1s"
		}
		s.name = col[0]
		s.args = append(slices.Clone(wrong.args), append([]string{col[0], "{port}"}, arguments[suite.Name]...)...)
		s.timeout = 700 * time.Millisecond
		if sc != nil && choosesPort(sc) {
			s = s.choosing()
		}
		m := &mistake{game: game{suite: suite, server: s}}
		same := func(o *mistake) bool {
			return slices.Equal(o.server.args, s.args) && maps.Equal(o.server.settings, s.settings)
		}
		if i := slices.IndexFunc(list, same); i >= 0 {
			m = list[i]
		} else {
			list = append(list, m)
		}
		if sc != nil {
			m.named = append(m.named, sc.Name)
			m.list = append(m.list, sc)
		}
		delete(about, "seen "+col[0])
	}
	for text := range about {
		if unsaid, ok := strings.CutPrefix(text, "seen "); ok {
			t.Errorf("%s does not say which scenario finds %s: %s", name, unsaid, about[unsaid])
		}
	}
	return list
}

// mistakesOf is what wrong.py says about each of its mistakes, and again under
// "seen NAME" for those that are not yet seen in a file.
func mistakesOf(t *testing.T, wrong server) map[string]string {
	t.Helper()
	out, err := exec.Command(wrong.args[0], wrong.args[1], "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	about := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), "\t")
		about[name], about["seen "+name] = text, text
	}
	about["none"] = "the correct server, and a setting that it does not have"
	return about
}

func scenarioOf(suite *scenario.Suite, name string) *scenario.Scenario {
	i := slices.IndexFunc(suite.Scenarios, func(sc *scenario.Scenario) bool { return sc.Name == name })
	if i < 0 {
		return nil
	}
	return suite.Scenarios[i]
}

// TestEveryMistakeIsFound plays against servers with one mistake each the
// scenarios that name it.
func TestEveryMistakeIsFound(t *testing.T) {
	needsTime(t)
	var games []*game
	var played []*mistake
	for _, name := range scenarios.Names() {
		if *only != "" && name != *only {
			continue
		}
		list := readMistakes(t, suite(t, name), python(t, filepath.Join(name, "wrong", "wrong.py")))
		for i, m := range list {
			switch {
			case *full:
				m.list = m.suite.Scenarios
			case len(m.named) == 0 || i%max(*every, 1) != 0:
				continue
			}
			games, played = append(games, &m.game), append(played, m)
		}
	}
	playAll(t.Context(), games)
	for _, m := range played {
		t.Run(m.suite.Name+"/"+m.server.name, func(t *testing.T) { m.check(t) })
	}
	if *full {
		for _, name := range scenarios.Names() {
			matrix(suite(t, name), played)
		}
	}
}

func (m *mistake) check(t *testing.T) {
	t.Logf("settings %s; %s", inOrder(m.server.settings), m.header.Finding)
	for _, run := range m.runs {
		switch {
		case run.Verdict == transcript.Error:
			t.Error(inWords(run))
		case slices.Contains(m.named, run.Scenario) && run.Verdict != transcript.Fail:
			t.Errorf("not found by its scenario: %s", inWords(run))
		}
	}
}

// matrix prints which scenarios find which mistakes, and which find none.
func matrix(suite *scenario.Suite, list []*mistake) {
	finds := map[string][]string{}
	for _, m := range list {
		if m.suite.Name != suite.Name {
			continue
		}
		verdicts := map[transcript.Verdict][]string{}
		for _, run := range m.runs {
			verdicts[run.Verdict] = append(verdicts[run.Verdict], run.Scenario)
			if run.Verdict == transcript.Fail {
				finds[run.Scenario] = append(finds[run.Scenario], m.server.name)
			}
		}
		fmt.Printf("%s %s: %d pass, %d blocked, fail: %s\n", m.server.name, inOrder(m.server.settings),
			len(verdicts[transcript.Pass]), len(verdicts[transcript.Blocked]), strings.Join(verdicts[transcript.Fail], " "))
	}
	fmt.Println()
	for _, sc := range suite.Scenarios {
		mark := " "
		if len(finds[sc.Name]) == 0 && sc.Level == wire.Must {
			mark = "!"
		}
		fmt.Printf("%s %-6s %3d  %s: %s\n", mark, sc.Level, len(finds[sc.Name]), sc.Name, strings.Join(finds[sc.Name], " "))
	}
}
