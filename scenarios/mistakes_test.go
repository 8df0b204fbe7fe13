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
)

// full is for whoever changes scenarios, and takes a quarter of an hour:
//
//	go test ./scenarios -run TestEveryMistakeIsFound -full -v -timeout 1h
var full = flag.Bool("full", false, "play every scenario against every mistake, and print which finds which")

// mistakesFile says of each mistake that testdata/servers/framed/wrong/wrong.py
// can make under which settings it is one, and which scenario names it.
const mistakesFile = "testdata/mistakes.txt"

// A mistake is a line of that file.
type mistake struct {
	game
	scenario string // "-": none, and the file says why
}

// readMistakes reads the file and holds it against what wrong.py says of itself.
func readMistakes(t *testing.T, wrong server) []*mistake {
	t.Helper()
	out, err := exec.Command(wrong.args[0], wrong.args[1], "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	about := map[string]string{"none": "the correct server, and a setting that it does not have"}
	for line := range strings.Lines(string(out)) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), "\t")
		about[name] = text
	}
	file, err := os.Open(mistakesFile)
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
			t.Fatalf("%s:%d: want mistake, settings, scenario, or - and a reason, with tabs between them", mistakesFile, n)
		}
		if about[col[0]] == "" {
			t.Errorf("%s:%d: wrong.py does not make the mistake %s", mistakesFile, n, col[0])
			continue
		}
		settings := col[1]
		if settings == "-" {
			settings = ""
		}
		s := wrong.with(settings + " roster_within=1s")
		s.name = col[0]
		s.args = append(slices.Clone(wrong.args), col[0], "{port}", "--roster", "0.2")
		s.timeout = 700 * time.Millisecond
		list = append(list, &mistake{game: game{server: s}, scenario: col[2]})
	}
	for _, name := range slices.Sorted(maps.Keys(about)) {
		if !slices.ContainsFunc(list, func(m *mistake) bool { return m.server.name == name }) {
			t.Errorf("%s does not say which scenario finds %s: %s", mistakesFile, name, about[name])
		}
	}
	return list
}

// control is a scenario that passes wherever two clients can chat with each
// other: a mistake is to be told from a server that is simply not there.
const control = "two-clients-chat"

// TestEveryMistakeIsFound plays against servers with one mistake each the
// scenario that names it.
func TestEveryMistakeIsFound(t *testing.T) {
	framed := suite(t, "framed")
	list := readMistakes(t, python(t, filepath.Join("framed", "wrong", "wrong.py")))
	var games []*game
	for _, m := range list {
		switch {
		case *full:
		case m.scenario == "-":
			continue
		default:
			m.list = slices.DeleteFunc(slices.Clone(framed.Scenarios), func(sc *scenario.Scenario) bool {
				return sc.Name != m.scenario && sc.Name != control
			})
		}
		games = append(games, &m.game)
	}
	playAll(t.Context(), framed, games)
	for _, m := range list {
		t.Run(m.server.name, func(t *testing.T) { m.check(t) })
	}
	if *full {
		matrix(framed, list)
	}
}

func (m *mistake) check(t *testing.T) {
	t.Logf("settings %s; %s", inOrder(m.server.settings), m.header.Finding)
	if m.scenario == "-" {
		return
	}
	named := false
	for _, run := range m.runs {
		switch {
		case run.Verdict == transcript.Error:
			t.Error(inWords(run))
		case run.Scenario == m.scenario:
			named = true
			if run.Verdict != transcript.Fail {
				t.Errorf("not found by its scenario: %s", inWords(run))
			}
		case run.Scenario == control && m.header.Finding == "":
			if run.Verdict != transcript.Pass {
				t.Error(inWords(run))
			}
		}
	}
	if !named {
		t.Errorf("there is no scenario %s", m.scenario)
	}
}

// matrix prints which scenarios find which mistakes, and which find none.
func matrix(suite *scenario.Suite, list []*mistake) {
	finds := map[string][]string{}
	for _, m := range list {
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
