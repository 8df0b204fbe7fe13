package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/chatprobe/chatprobe/internal/explain"
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
			out := cmd.OutOrStdout()
			for i, s := range suites {
				if i > 0 {
					fmt.Fprintln(out)
				}
				if err := explain.List(out, s, len(args) > 0, screenWidth(out)); err != nil {
					return cannot("write list: %w", err)
				}
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
		id := ""
		if sc.Requirement != nil {
			id = sc.Requirement.ID
		}
		list.Scenarios = append(list.Scenarios, listedScenario{
			Name: sc.Name, Title: sc.Title, Requirement: id, Level: sc.Level, Tests: tests, Points: sc.Points, Tags: sc.Tags,
		})
	}
	return list
}
