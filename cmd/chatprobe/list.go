package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func newListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list [SUITE ...]",
		Short: "Show suites and their scenarios",
		Long:  "Show the built-in suites, or the named ones (or folders), with their scenarios and the requirement that each checks.",
		Example: `  chatprobe list
  chatprobe list framed`,
		RunE: func(cmd *cobra.Command, args []string) error {
			suites, err := loadSuites(args)
			if err != nil {
				return err
			}
			for i, s := range suites {
				if i > 0 {
					fmt.Fprintln(cmd.OutOrStdout())
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s (%s, %d scenarios)\n", s.Name, s.Protocol.Title, s.Protocol.Transport, len(s.Scenarios))
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				for _, sc := range s.Scenarios {
					id := ""
					if sc.Requirement != nil {
						id = sc.Requirement.ID
					}
					fmt.Fprintf(w, "  %s\t%s\t%s\n", id, sc.Level, sc.Name)
				}
				if err := w.Flush(); err != nil {
					return fmt.Errorf("write list: %w", err)
				}
			}
			return nil
		},
	}
}
