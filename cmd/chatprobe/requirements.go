package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/chatprobe/chatprobe/internal/explain"
)

func newRequirementsCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "requirements [SUITE ...]",
		Short: "Show what a protocol requires, and what checks it",
		Long: `Show each requirement of the built-in suites, or of the named ones (or folders):
how binding it is, what it says, and the scenarios that check it. Those that no
scenario checks are marked; so are those of client programs.`,
		Example: `  chatprobe requirements framed
  chatprobe requirements ./mysuite --format json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			suites, err := loadSuites(args)
			if err != nil {
				return err
			}
			list := make([]explain.Suite, len(suites))
			for i, s := range suites {
				list[i] = explain.Coverage(s)
			}
			out := cmd.OutOrStdout()
			if format == "json" {
				return writeJSON(out, map[string]any{"suites": list})
			}
			for i, s := range list {
				if i > 0 {
					fmt.Fprintln(out)
				}
				if err := explain.Requirements(out, s, screenWidth(out)); err != nil {
					return cannot("write requirements: %w", err)
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&format, "format", "table", "table or json")
	return cmd
}

// tableOrJSON are the formats of commands that list something.
var tableOrJSON = []string{"table", "json"}

func checkFormat(format string) error {
	if format != "table" && format != "json" {
		return usage("--format: %q is no format: table and json are", format)
	}
	return nil
}

func writeJSON(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return cannot("write: %w", err)
	}
	return nil
}
