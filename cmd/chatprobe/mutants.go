package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/mutant"
	"github.com/chatprobe/chatprobe/internal/report"
	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/scenarios"
)

// mutantsFlags are the flags of chatprobe mutants.
type mutantsFlags struct {
	runFlags
	format string
	only   []string
	most   int
}

func newMutantsCommand() *cobra.Command {
	var f mutantsFlags
	cmd := &cobra.Command{
		Use:   "mutants [SUITE ...] [flags] [-- COMMAND ...]",
		Short: "Find out whether a suite catches wrong servers",
		Long: `Make a correct server wrong in one way after another, and see which scenarios
notice: it forgets a departure, gives the sender an echo, takes half a message
for a whole one, dies of garbage. A mutant that no scenario fails has survived;
then the suite has a hole. Scenarios that catch no mutant are named too, and
what servers pass that do not speak the protocol at all.

With --client, mutants are made of a client program, and the scenarios are those
about clients.

The correct program is the built-in one, or COMMAND. What is broken is found in
the suite's protocol.yaml, so this works for any suite. A mutant that is correct
too stands in ` + mutant.EquivalentsFile + ` in the folder of the suite, with the reason:
NAME: why no scenario can catch it.

Exit status: 0 all are caught, 1 some survived or a list is wrong, 2 wrong usage,
3 the server does not pass its own suite, 130 interrupted.`,
		Example: `  chatprobe mutants framed
  chatprobe mutants framed --client
  chatprobe mutants lines --only 'drop/*' --format csv
  chatprobe mutants ./mysuite -- python3 server.py {port}`,
		RunE: func(cmd *cobra.Command, args []string) error {
			flags := cmd.Flags()
			switch {
			case f.most < 0:
				return usage("--most must not be less than 0")
			case flags.Changed("jobs") && f.jobs < 1:
				return usage("--jobs must be at least 1")
			case f.client && !flags.Changed("most"):
				f.most = clientMost
			}
			names, command := args, []string(nil)
			if at := cmd.ArgsLenAtDash(); at >= 0 {
				names, command = args[:at], args[at:]
				if err := checkCommand(command, f.client); err != nil {
					return err
				}
			}
			if err := forgottenDashes(names, command); err != nil {
				return err
			}
			return f.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), names, command)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.client, "client", false, "make a client program wrong: the built-in one, or COMMAND")
	flags.StringArrayVar(&f.only, "only", nil, "try only mutants that match `GLOB`, such as 'drop/*' (may be repeated)")
	flags.StringArrayVar(&f.scenarios, "scenario", nil, "play only scenarios that match `GLOB` (may be repeated)")
	flags.StringVar(&f.format, "format", "table", "table, json or csv")
	flags.StringArrayVar(&f.set, "set", nil, "say which choice the server made, as `NAME=VALUE` (may be repeated)")
	flags.DurationVar(&f.timeout, "timeout", 250*time.Millisecond, "how long an expected message may take")
	flags.IntVar(&f.jobs, "jobs", 0, "how many scenarios to play at once (default: depends on processors and target)")
	flags.IntVar(&f.most, "most", 24, "play a mutant in no more than `N` scenarios, unless these do not catch it; 0 means in all (with --client 8)")
	f.level, f.repeat, f.isolate, f.ready = "may", 1, perScenario, 10*time.Second
	return cmd
}

func (f *mutantsFlags) run(ctx context.Context, stdout, stderr io.Writer, names, command []string) error {
	if !slices.Contains([]string{"table", "json", "csv"}, f.format) {
		return usage("--format: %q is no format: table, json and csv are", f.format)
	}
	settings, err := parseSettings(f.set)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		names = scenarios.Names()
	}
	suites, err := loadSuites(names)
	if err != nil {
		return err
	}
	if err := f.checkPatterns(names, suites); err != nil {
		return err
	}
	equivalents := map[*scenario.Suite]map[string]string{}
	for i, s := range suites {
		if equivalents[s], err = readEquivalents(names[i], f.client); err != nil {
			return err
		}
		s.Scenarios = slices.DeleteFunc(s.Scenarios, func(sc *scenario.Scenario) bool { return sc.TestsClient != f.client })
	}
	if f.jobs == 0 && command == nil {
		f.jobs = 64 * runtime.NumCPU() // most of them wait in vain
	}
	p, err := f.plan(suites, settings, command, nil)
	if err != nil {
		return err
	}
	defer p.end()
	if p.config.Sockets != nil {
		defer p.config.Sockets.Close()
	}
	var tables []*transcript.MutantTable
	sound := true
	for i := range p.parts {
		table, err := f.try(ctx, stderr, p, &p.parts[i], equivalents[p.parts[i].suite])
		if err != nil {
			if len(tables) > 0 {
				_ = f.write(stdout, tables) // what is done is shown
			}
			return err
		}
		if len(table.Mutants) == 0 {
			return usage("no mutant of %s matches --only %s", table.Suite, strings.Join(f.only, " "))
		}
		tables = append(tables, table)
		sound = sound && table.Sound()
	}
	if err := f.write(stdout, tables); err != nil {
		return cannot("write mutants: %w", err)
	}
	if !sound {
		return &exitError{code: exitFailed}
	}
	return nil
}

// try tries the mutants of one suite.
func (f *mutantsFlags) try(ctx context.Context, stderr io.Writer, p *plan, part *part, equivalents map[string]string) (*transcript.MutantTable, error) {
	config := part.config
	if !config.Trusted {
		if err := f.findSettings(ctx, part, &config); err != nil {
			return nil, err
		}
	}
	trial := mutant.Trial{
		Suite: part.suite, Scenarios: part.scenarios, Launch: part.launch, Program: part.program, Config: config, Equivalents: equivalents,
		AtOnce: 8 * runtime.NumCPU(), Most: f.most,
	}
	if f.client {
		trial.AtOnce = cap(config.Slots)
	}
	if len(f.only) > 0 {
		trial.Only = func(name string) bool {
			return slices.ContainsFunc(f.only, func(glob string) bool {
				// A star stands for the slash too.
				ok, _ := path.Match(strings.ReplaceAll(glob, "/", ":"), strings.ReplaceAll(name, "/", ":"))
				return ok
			})
		}
	}
	if isTerminal(stderr) {
		trial.Done = func(tried, all int) {
			fmt.Fprintf(stderr, "\r%s: %d of %d mutants\x1b[K", part.suite.Name, tried, all)
		}
		defer fmt.Fprint(stderr, "\r\x1b[K")
	}
	table, err := trial.Run(ctx)
	switch {
	case ctx.Err() != nil:
		return nil, &exitError{exitInterrupted, fmt.Errorf("interrupted before all mutants of %s were tried", part.suite.Name)}
	case err != nil:
		return nil, cannot("%w", err)
	}
	table.Target = p.target
	if f.scenarios != nil {
		table.Useless = nil // other scenarios may say otherwise
		table.Stale = slices.DeleteFunc(table.Stale, func(name string) bool {
			return !slices.ContainsFunc(table.Mutants, func(m transcript.Mutant) bool { return m.Name == name })
		})
	}
	return table, nil
}

// findSettings finds out which choices the target made, as a run does, and with
// no less time.
func (f *mutantsFlags) findSettings(ctx context.Context, part *part, config *engine.Config) error {
	s := &engine.Session{Suite: part.suite, Launch: part.launch, Program: part.program, Config: *config}
	s.Timeout = max(s.Timeout, 2*time.Second)
	header, _ := s.Run(ctx, nil)
	if header.Finding != "" {
		return cannot("%s", header.Finding)
	}
	config.Settings = maps.Clone(config.Settings)
	for _, set := range header.Settings {
		config.Settings[set.Name] = set.Value
	}
	return nil
}

func (f *mutantsFlags) write(w io.Writer, tables []*transcript.MutantTable) error {
	switch f.format {
	case "json":
		return writeJSON(w, map[string]any{"suites": tables})
	case "csv":
		return report.MutantsCSV(w, tables)
	}
	for i, table := range tables {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := (report.Table{Width: screenWidth(w)}).Mutants(w, table); err != nil {
			return err
		}
	}
	return nil
}

// readEquivalents reads which mutants of a suite are correct too, and why. name
// is that of a built-in suite, or a folder.
func readEquivalents(name string, ofClient bool) (map[string]string, error) {
	fsys := os.DirFS(name)
	file := mutant.EquivalentsFile
	if ofClient {
		file = mutant.ClientEquivalentsFile
	}
	if slices.Contains(scenarios.Names(), name) {
		fsys, file = scenarios.Files, path.Join(name, file)
	}
	list, err := mutant.ReadEquivalents(fsys, file)
	if err != nil {
		return nil, usage("%s: %w", name, err)
	}
	return list, nil
}
