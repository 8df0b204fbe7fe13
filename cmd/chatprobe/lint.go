package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/chatprobe/chatprobe/internal/source"
	"github.com/chatprobe/chatprobe/scenarios"
)

func newLintCommand() *cobra.Command {
	var strict bool
	cmd := &cobra.Command{
		Use:   "lint DIR ...",
		Short: "Check the files of a suite without running anything",
		Long: `Say everything that is wrong in the files of a suite, and warn of what is not
wrong and probably not meant: a requirement that no scenario checks, a message
or a setting that nothing uses, a scenario that expects nothing or has no title
or hint. Nothing is started.

Exit status: 0 nothing is wrong, 2 there are errors, or with --strict warnings.`,
		Example: `  chatprobe lint ./mysuite
  chatprobe lint --strict suites/*`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("lint takes at least one folder with a suite, as in chatprobe lint ./mysuite")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			found := false
			for _, name := range args {
				errs, warnings, err := lint(cmd.OutOrStdout(), name)
				if err != nil {
					return err
				}
				found = found || errs > 0 || strict && warnings > 0
			}
			if found {
				return &exitError{code: exitUsage}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "warnings are errors")
	return cmd
}

// lint writes what it finds in one suite, and counts it.
func lint(w io.Writer, name string) (errs, warnings int, err error) {
	s, err := loadSuite(name)
	var wrong source.List
	switch {
	case errors.As(err, &wrong):
		fmt.Fprintln(w, wrong)
		fmt.Fprintf(w, "%s: %s\n", name, number(len(wrong), "error"))
		return len(wrong), 0, nil
	case err != nil:
		return 0, 0, err
	}
	fsys, dir, err := folderOf(name)
	if err != nil {
		return 0, 0, err
	}
	list, err := s.Lint(fsys, dir)
	if err != nil {
		return 0, 0, cannot("%w", err)
	}
	for _, warning := range list {
		marked := *warning
		marked.Text = "warning: " + marked.Text
		fmt.Fprintln(w, &marked)
	}
	count := "no warnings"
	if len(list) > 0 {
		count = number(len(list), "warning")
	}
	fmt.Fprintf(w, "%s: %s, no errors, %s\n", name, number(len(s.Scenarios), "scenario"), count)
	return 0, len(list), nil
}

// folderOf is where the files of a suite are that loadSuite has found.
func folderOf(name string) (fs.FS, string, error) {
	if slices.Contains(scenarios.Names(), name) {
		return scenarios.Files, name, nil
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, "", cannot("%w", err)
	}
	return os.DirFS(filepath.Dir(abs)), filepath.Base(abs), nil
}

// number is a count with its noun: 1 scenario, 2 scenarios.
func number(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
