package scenarios_test

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/scenarios"
)

// fewest is how many differently named scenarios a suite has at least, with
// those that it has in common with others; the values of each: do not count.
var fewest = map[string]int{"framed": 50, "lines": 50, "direct": 30, "datagram": 25}

// fewestOfAll is how many there are at least in all suites together.
const fewestOfAll = 100

func TestSuites(t *testing.T) {
	if len(scenarios.Names()) == 0 {
		t.Fatal("there are no suites: there is nothing to test")
	}
	names := map[string]bool{}
	for _, name := range scenarios.Names() {
		t.Run(name, func(t *testing.T) {
			suite, err := scenario.Load(scenarios.Files, name, scenarios.Files)
			if err != nil {
				t.Fatalf("does not load:\n%v", err)
			}
			if suite.Name != name || suite.Protocol.Name != name {
				t.Errorf("the suite is called %s, its protocol %s", suite.Name, suite.Protocol.Name)
			}
			checkScenarios(t, suite)
			checkProtocol(t, suite.Protocol)
			for _, sc := range suite.Scenarios {
				names[sc.Base] = true
			}
		})
	}
	if len(names) < fewestOfAll {
		t.Errorf("%d differently named scenarios in all suites, and at least %d are wanted", len(names), fewestOfAll)
	}
}

func checkScenarios(t *testing.T, suite *scenario.Suite) {
	names := map[string]bool{}
	checked := map[*wire.Requirement]bool{}
	for _, sc := range suite.Scenarios {
		names[sc.Base] = true
		checked[sc.Requirement] = true
		switch {
		case sc.Requirement == nil:
			t.Errorf("%s: %s has no requirement", sc.Pos, sc.Name)
		case sc.Requirement.OfClient && !sc.TestsClient:
			t.Errorf("%s: %s tests servers, and %s is of clients", sc.Pos, sc.Name, sc.Requirement.ID)
		}
		// Without a title of its own a scenario is called by its name.
		if sc.Title == strings.ReplaceAll(sc.Name, "-", " ") || sc.About == "" {
			t.Errorf("%s: %s has no title, or its file no about", sc.Pos, sc.Name)
		}
		checkHint(t, sc)
		if n := len([]rune(sc.Title)); n > 90 {
			t.Errorf("%s: the title of %s is %d characters long", sc.Pos, sc.Name, n)
		}
		if len(sc.Steps) == 0 {
			t.Errorf("%s: %s has no steps", sc.Pos, sc.Name)
		}
		if !slices.ContainsFunc(sc.Steps, judges) {
			t.Errorf("%s: %s cannot fail: no step expects anything", sc.Pos, sc.Name)
		}
	}
	if len(names) < fewest[suite.Name] || len(names) == 0 {
		t.Errorf("%d differently named scenarios, and at least %d are wanted", len(names), fewest[suite.Name])
	}
	for _, r := range suite.Protocol.Requirements {
		if !checked[r] && !r.OfClient {
			t.Errorf("nothing checks %s: %s", r.ID, r.Text)
		}
	}
}

// shortestHint is how many characters it takes to name a mistake and the way
// out of it.
const shortestHint = 40

// checkHint wants a hint that says more than the title does.
func checkHint(t *testing.T, sc *scenario.Scenario) {
	words := func(text string) string {
		return strings.Join(strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }), " ")
	}
	hint, title := words(sc.Hint), words(sc.Title)
	switch n := utf8.RuneCountInString(sc.Hint); {
	case n < shortestHint:
		t.Errorf("%s: the hint of %s has %d characters, and at least %d are wanted: %q", sc.Pos, sc.Name, n, shortestHint, sc.Hint)
	case strings.Contains(title, hint), strings.Contains(hint, title):
		t.Errorf("%s: the hint of %s repeats its title: %q", sc.Pos, sc.Name, sc.Hint)
	}
}

// judges says whether a step can fail because of what the server does.
func judges(step *scenario.Step) bool {
	switch do := step.Do.(type) {
	case scenario.Receive, scenario.ReceiveNo, scenario.ReceiveNothing, scenario.Disconnected,
		scenario.StaysConnected, scenario.Prints, scenario.Exits, scenario.IsUp,
		scenario.Shows, scenario.ProgramSends, scenario.ProgramSendsNothing, scenario.ProgramExits,
		scenario.PrintsNo, scenario.ProgramDisconnects, scenario.RestoresTerminal:
		return true
	case scenario.Send:
		return do.Until != nil
	case scenario.Do:
		return do.Until != nil || do.UntilSettled
	case scenario.ProgramDoes:
		return do.Procedure.Name == scenario.ProofProcedure
	}
	return false
}

func checkProtocol(t *testing.T, p *wire.Protocol) {
	for _, s := range p.Settings {
		if s.About == "" {
			t.Errorf("setting %s does not say what it is about", s.Name)
		}
	}
	if p.Title == "" || p.Port == 0 {
		t.Error("the protocol has no title or no port")
	}
}

// Every folder is a suite that is run, or what suites have in common, and every
// scenario in it is taken by a suite.
func TestNothingIsLeftOut(t *testing.T) {
	taken := map[string]bool{} // files, and scenarios as FILE NAME
	for _, name := range scenarios.Names() {
		suite, err := scenario.Load(scenarios.Files, name, scenarios.Files)
		if err != nil {
			t.Fatal(err)
		}
		taken[path.Join(name, scenario.ProtocolFile)] = true
		for _, sc := range suite.Scenarios {
			taken[sc.Pos.Name()], taken[sc.Pos.Name()+" "+sc.Base] = true, true
		}
	}
	files := 0
	err := fs.WalkDir(scenarios.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if strings.HasPrefix(path.Base(name), "equivalents") {
			return nil // of mutants, and read where they are bred
		}
		files++
		folder := path.Dir(name)
		switch {
		case folder != scenario.CommonDir && !slices.Contains(scenarios.Names(), folder):
			t.Errorf("%s is in no suite of Names", name)
		case !taken[name]:
			t.Errorf("no scenario comes from %s", name)
		}
		if folder != scenario.CommonDir {
			return nil
		}
		text, err := fs.ReadFile(scenarios.Files, name)
		if err != nil {
			return err
		}
		for _, found := range entry.FindAllSubmatch(text, -1) {
			if !taken[name+" "+string(found[1])] {
				t.Errorf("no suite takes %s of %s", found[1], name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files == 0 {
		t.Fatal("no files are embedded")
	}
}

// entry finds the names of scenarios in a file.
var entry = regexp.MustCompile(`(?m)^  - name: (\S+)`)
