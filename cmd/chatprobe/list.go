package main

import (
	"bufio"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/wire"
)

func newListCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "list [SUITE ...]",
		Short: "Show suites and their scenarios",
		Long: `Show the built-in suites, or the named ones (or folders), with their scenarios
and the requirement that each checks; for named ones, with their titles.`,
		Example: `  chatprobe list
  chatprobe list framed
  chatprobe list ./mysuite --format json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			suites, err := loadSuites(args)
			if err != nil {
				return err
			}
			if format == "json" {
				list := make([]listedSuite, len(suites))
				for i, s := range suites {
					list[i] = listed(s)
				}
				return writeJSON(cmd.OutOrStdout(), map[string]any{"suites": list})
			}
			b := bufio.NewWriter(cmd.OutOrStdout())
			for i, s := range suites {
				if i > 0 {
					fmt.Fprintln(b)
				}
				writeList(b, s, len(args) > 0)
			}
			if err := b.Flush(); err != nil {
				return cannot("write list: %w", err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&format, "format", "table", "table or json")
	return cmd
}

// A listedSuite is a suite as list --format json has it.
type listedSuite struct {
	Name      string           `json:"suite"`
	Title     string           `json:"title"`
	Transport string           `json:"transport"`
	Scenarios []listedScenario `json:"scenarios"`
}

type listedScenario struct {
	Name        string     `json:"name"`
	Title       string     `json:"title,omitempty"`
	Requirement string     `json:"requirement,omitempty"`
	Level       wire.Level `json:"level"`
	Tests       wire.Side  `json:"tests"`
	Points      int        `json:"points,omitempty"`
	Tags        []string   `json:"tags,omitempty"`
}

func listed(s *scenario.Suite) listedSuite {
	list := listedSuite{Name: s.Name, Title: s.Protocol.Title, Transport: s.Protocol.Transport, Scenarios: []listedScenario{}}
	for _, sc := range s.Scenarios {
		tests := wire.Server
		if sc.TestsClient {
			tests = wire.Client
		}
		list.Scenarios = append(list.Scenarios, listedScenario{
			Name: sc.Name, Title: sc.Title, Requirement: requirementID(sc), Level: sc.Level, Tests: tests, Points: sc.Points, Tags: sc.Tags,
		})
	}
	return list
}

// requirementID is empty for a scenario without a requirement.
func requirementID(sc *scenario.Scenario) string {
	if sc.Requirement == nil {
		return ""
	}
	return sc.Requirement.ID
}

// writeList writes a suite's scenarios, those that differ in a value only
// with one title.
func writeList(w io.Writer, s *scenario.Suite, titles bool) {
	fmt.Fprintf(w, "%s: %s (%s, %s)\n", s.Name, s.Protocol.Title, s.Protocol.Transport, number(len(s.Scenarios), "scenario"))
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, sc := range s.Scenarios {
		fmt.Fprintf(tw, "  %s\t%s\t%s\n", requirementID(sc), sc.Level, sc.Name)
		last := i+1 == len(s.Scenarios) || s.Scenarios[i+1].Base != sc.Base
		if titles && last && sc.Title != "" {
			fmt.Fprintf(tw, "  \t\t  %s\n", sc.Title)
		}
	}
	_ = tw.Flush() // w keeps its error
}
