package docs_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/scenarios"
)

// suitePages are the suites; docs has a page for each, all built alike.
var suitePages = []string{"framed", "lines", "direct", "datagram"}

var (
	// scenarioSyntax is a name of two words or more: a scenario.
	scenarioSyntax = regexp.MustCompile("`([a-z0-9]+(-[a-z0-9]+)+)`")
	// playedSyntax is what a command on a page plays.
	playedSyntax = regexp.MustCompile(`--scenario '?([a-z0-9*-]+)`)
)

// TestPagesOfSuites holds each page against its suite: requirements, settings
// and the names of scenarios.
func TestPagesOfSuites(t *testing.T) {
	for _, name := range suitePages {
		t.Run(name, func(t *testing.T) {
			suite, err := scenario.Load(scenarios.Files, name, scenarios.Files)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Join(readPage(t, name+".md").lines, "\n")
			rows := len(regexp.MustCompile(`(?m)^\| [A-Z]-\d+ \|`).FindAllString(text, -1))
			if n := len(suite.Protocol.Requirements); rows != n {
				t.Errorf("the page has %d rows of requirements, and the protocol %d", rows, n)
			}
			for _, r := range suite.Protocol.Requirements {
				if row := fmt.Sprintf("| %s | %s | %s |", r.ID, r.Level, r.Text); !strings.Contains(text, row) {
					t.Errorf("the page lacks the row\n%s", row)
				}
			}
			for _, s := range suite.Protocol.Settings {
				row := regexp.MustCompile("(?m)^\\| `" + s.Name + "` \\|.*").FindString(text)
				if row == "" {
					t.Errorf("the page has no row for the setting %s", s.Name)
				}
				for _, value := range s.OneOf {
					if !strings.Contains(row, "`"+value+"`") {
						t.Errorf("the row of the setting %s lacks its value %s", s.Name, value)
					}
				}
			}
			checkNames(t, suite, text)
		})
	}
}

// checkNames looks for scenarios that a page names and the suite does not have.
func checkNames(t *testing.T, suite *scenario.Suite, text string) {
	t.Helper()
	var names []string
	for _, sc := range suite.Scenarios {
		stem, _, _ := strings.Cut(sc.Name, "[")
		names = append(names, stem)
	}
	found := scenarioSyntax.FindAllStringSubmatch(text, -1)
	played := playedSyntax.FindAllStringSubmatch(text, -1)
	if len(found) == 0 || len(played) == 0 {
		t.Errorf("the page names %d scenarios and plays %d: it must do both", len(found), len(played))
	}
	for _, m := range slices.Concat(found, played) {
		start, pattern := strings.CutSuffix(m[1], "*")
		if !slices.ContainsFunc(names, func(name string) bool {
			return name == m[1] || pattern && strings.HasPrefix(name, start)
		}) {
			t.Errorf("the page names %s, and there is no such scenario", m[1])
		}
	}
}

// TestPagesOfSuitesAreAlike sees to it that who knows one page finds its way on
// the others.
func TestPagesOfSuitesAreAlike(t *testing.T) {
	headings := func(name string) []string {
		var list []string
		for _, line := range readPage(t, name+".md").prose(t) {
			if strings.HasPrefix(line, "## ") {
				list = append(list, line)
			}
		}
		return list
	}
	first := headings(suitePages[0])
	if len(first) == 0 {
		t.Fatal("the first page has no headings")
	}
	for _, name := range suitePages[1:] {
		if got := headings(name); !slices.Equal(got, first) {
			t.Errorf("docs/%s.md has the headings\n%q\nand docs/%s.md\n%q", name, got, suitePages[0], first)
		}
	}
	readme := strings.Join(readPage(t, "../README.md").lines, "\n")
	for _, name := range suitePages {
		if !strings.Contains(readme, "(docs/"+name+".md)") {
			t.Errorf("README.md has no link to docs/%s.md", name)
		}
	}
}
