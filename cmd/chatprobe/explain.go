package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/chatprobe/chatprobe/internal/explain"
	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/scenarios"
)

func newExplainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain SUITE[/SCENARIO]",
		Short: "Say in words what a scenario asks, and why",
		Long: `Say in words what a scenario does and expects, step by step, with the bytes that
are sent; which requirement it checks; what usually goes wrong; and when it is
skipped. Of a whole suite: the messages of its protocol as they look on the
wire, its settings, and how clients log in. Nothing is played.`,
		Example: `  chatprobe explain framed
  chatprobe explain framed/frame-byte-by-byte
  chatprobe explain ./mysuite/everybody-hears`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("explain takes one name: SUITE or SUITE/SCENARIO, such as framed/frame-byte-by-byte")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			suite, name := suiteAndScenario(args[0])
			s, err := loadSuite(suite)
			if err != nil {
				return scenarioAlone(args[0], err)
			}
			out := cmd.OutOrStdout()
			if name == "" {
				err = explain.Protocol(out, s, screenWidth(out))
			} else {
				var runs []*scenario.Scenario
				if runs, err = findScenario(s, suite, name); err != nil {
					return err
				}
				err = explain.Scenario(out, s, runs, screenWidth(out))
			}
			if err != nil {
				return cannot("write explanation: %w", err)
			}
			return nil
		},
	}
}

// suiteAndScenario splits SUITE/SCENARIO. A folder that is a suite stands for
// itself.
func suiteAndScenario(text string) (suite, name string) {
	stem, values, _ := strings.Cut(text, "[")
	at := strings.LastIndex(stem, "/")
	if at < 0 || isSuite(text) {
		return text, ""
	}
	if name = stem[at+1:]; values != "" {
		name += "[" + values
	}
	return text[:at], name
}

// isSuite says whether loadSuite would look into a folder of this name.
func isSuite(name string) bool {
	_, err := openFile(strings.TrimSuffix(name, "/") + "/" + scenario.ProtocolFile)
	return err == nil
}

// findScenario finds a scenario of the suite that is called suite on the
// command line: all of its runs, or one of them.
func findScenario(s *scenario.Suite, suite, name string) ([]*scenario.Scenario, error) {
	var runs []*scenario.Scenario
	var known []string
	for _, sc := range s.Scenarios {
		if sc.Name == name || sc.Base == name {
			runs = append(runs, sc)
		}
		if !slices.Contains(known, sc.Base) {
			known = append(known, sc.Base)
		}
	}
	if len(runs) > 0 {
		return runs, nil
	}
	stem, _, _ := strings.Cut(name, "[")
	if hint, ok := didYouMean(stem, known); ok {
		return nil, usage("suite %s has no scenario %q: %s", s.Name, name, hint)
	}
	return nil, usage("suite %s has no scenario %q (chatprobe list %s shows all)", s.Name, name, suite)
}

// scenarioAlone says which suite a scenario belongs to, where somebody named
// it alone; else it is err.
func scenarioAlone(name string, err error) error {
	for _, suite := range scenarios.Names() {
		s, loadErr := loadSuite(suite)
		if loadErr != nil {
			continue
		}
		if _, notFound := findScenario(s, suite, name); notFound == nil {
			return usage("there is no suite %q: did you mean %s/%s?", name, suite, name)
		}
	}
	return err
}
