package scenarios_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/builtin"
	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/golden"
	"github.com/chatprobe/chatprobe/internal/mutant"
	"github.com/chatprobe/chatprobe/internal/report"
	"github.com/chatprobe/chatprobe/internal/sockets"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/scenarios"
)

// TestNoMutantSurvives tries all mutants of the built-in servers, as chatprobe
// mutants does, and holds the outcome against the tables in docs.
func TestNoMutantSurvives(t *testing.T) {
	needsTime(t)
	for _, name := range scenarios.Names() {
		if *only != "" && name != *only {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they mostly wait
			page, said := readPage(t, name)
			table := tryMutants(t, name, said)
			checkTable(t, table)
			comparePage(t, table, page, said)
		})
	}
}

func tryMutants(t *testing.T, name string, known map[string]string) *transcript.MutantTable {
	t.Helper()
	s := suite(t, name)
	b, _ := builtin.Named(name)
	equivalents, err := mutant.ReadEquivalents(scenarios.Files, path.Join(name, mutant.EquivalentsFile))
	if err != nil {
		t.Fatal(err)
	}
	trial := mutant.Trial{
		Suite: s, Scenarios: s.Scenarios, Launch: b.Launch, Equivalents: equivalents, Known: known, Most: 6, AtOnce: 8 * runtime.NumCPU(),
		Config: engine.Config{
			Settings: b.Settings, OwnPort: b.OwnPort, Timeout: 250 * time.Millisecond, Seed: 1, Busy: sockets.Busy,
			Slots: make(chan struct{}, 64*runtime.NumCPU()),
		},
	}
	table, err := trial.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	caught, all := table.Score()
	t.Logf("%d of %d mutants caught, in %.1f s", caught, all, table.Seconds)
	return table
}

// checkTable: all that can be caught is, every must scenario catches something,
// and no degenerate passes anything.
func checkTable(t *testing.T, table *transcript.MutantTable) {
	t.Helper()
	for _, fault := range table.Faults() {
		t.Error(fault)
	}
	for _, name := range table.Useless {
		if sc := scenarioOf(suite(t, table.Suite), name); sc.Level == wire.Must {
			t.Errorf("%s catches no mutant", name)
		}
	}
	if len(table.Degenerates) != 5 {
		t.Errorf("there are %d degenerates, want 5", len(table.Degenerates))
	}
}

func pageOf(suite string) string { return filepath.Join("..", "docs", "mutants-"+suite+".md") }

// readPage reads the page of a suite, and which scenario catches which mutant
// according to it.
func readPage(t *testing.T, suite string) (page string, said map[string]string) {
	t.Helper()
	b, err := os.ReadFile(pageOf(suite))
	if err != nil && !golden.Updating() {
		t.Fatal(err)
	}
	said = map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| .* \\| `([^`]+)` \\|$").FindAllSubmatch(b, -1) {
		said[string(row[1])] = string(row[2])
	}
	return string(b), said
}

// comparePage holds a table against its page. Which of the scenarios that catch
// a mutant the page names is free: some catch it only now and then.
func comparePage(t *testing.T, table *transcript.MutantTable, page string, said map[string]string) {
	t.Helper()
	s := suite(t, table.Suite)
	for i, m := range table.Mutants {
		if len(m.Caught) > 0 && scenarioOf(s, said[m.Name]) != nil {
			table.Mutants[i].Caught[0] = said[m.Name]
		}
	}
	var want bytes.Buffer
	fmt.Fprintf(&want, "# Mutants of %s\n\nWhat each of them does wrong, and a scenario that catches it. [Mutants](mutants.md) says what this is about.\n\n", table.Suite)
	if err := report.MutantsPage(&want, table); err != nil {
		t.Fatal(err)
	}
	if golden.Updating() {
		if err := os.WriteFile(pageOf(table.Suite), want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, expected := strings.Split(page, "\n"), strings.Split(want.String(), "\n")
	for _, line := range expected {
		if !slices.Contains(got, line) {
			t.Errorf("not on the page (write it anew with -update):\n%s", line)
		}
	}
	for _, line := range got {
		if !slices.Contains(expected, line) {
			t.Errorf("on the page and no longer true (write it anew with -update):\n%s", line)
		}
	}
}
