package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/chatprobe/chatprobe/internal/report"
	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

// runFlags are the flags of chatprobe run.
type runFlags struct {
	targetFlags
	scenarios  []string
	level      string
	set        []string
	timeout    time.Duration
	strict     bool
	jobs       int
	verbose    bool
	reports    []string
	record     string
	known      string
	writeKnown string
	watch      bool
	repeat     int
	shuffle    bool
	seed       uint64
}

func newRunCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [SUITE ...] [flags] [-- COMMAND ...]",
		Short: "Play scenarios against a server",
		Long: `Play the scenarios of a suite against a server and print a table of verdicts,
then what was expected and what came instead for each that did not pass.

SUITE is the name of a built-in suite (chatprobe list) or a folder with a suite
of your own. Without --target and without COMMAND, the built-in reference
server is tested. COMMAND starts your server: {port} and {host} in it are
replaced by the port and address to listen on; they are in its environment too,
as PORT and HOST. One that picks its port itself is found by the sockets on
which it listens. It is started afresh for each scenario and stopped afterwards,
with all that it has started. Several run at the same time, unless its port is
fixed.

With --client, COMMAND starts your client, and the probe plays the server, types,
and reads the screen: {host}, {port}, {user} and {url} (chat://HOST:PORT) are
what the client is told.

Exit status: 0 all that is required passed, 1 some of it did not, 2 wrong usage
or a wrong file, 3 the probe could not do its work, 130 interrupted.`,
		Example: `  chatprobe run
  chatprobe run framed -- python3 server.py {port}
  chatprobe run framed --target 127.0.0.1:4445
  chatprobe run lines --port 5000 -- java Server
  chatprobe run direct --client -- python3 client.py {host} {port}
  chatprobe run framed --scenario 'framed/frame-*' --verbose
  chatprobe run framed --set echo=no --strict --report junit=report.xml -- ./server {port}`,
		RunE: func(cmd *cobra.Command, args []string) error {
			names, command := args, []string(nil)
			if at := cmd.ArgsLenAtDash(); at >= 0 {
				names, command = args[:at], args[at:]
				if err := checkCommand(command, f.client); err != nil {
					return err
				}
			}
			if cmd.Flags().Changed("jobs") && f.jobs < 1 {
				return usage("--jobs must be at least 1")
			}
			if err := forgottenDashes(names, command); err != nil {
				return err
			}
			return f.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), names, command)
		},
	}
	flags := cmd.Flags()
	f.targetFlags.register(flags)
	flags.StringArrayVar(&f.scenarios, "scenario", nil, "play only scenarios that match `GLOB`, such as 'framed/frame-*' (may be repeated)")
	flags.StringVar(&f.level, "level", "may", "play only what binds at least so much: must, should or may")
	flags.StringArrayVar(&f.set, "set", nil, "say which choice the server made, as `NAME=VALUE` (may be repeated)")
	flags.DurationVar(&f.timeout, "timeout", 2*time.Second, "how long an expected message may take")
	flags.BoolVar(&f.strict, "strict", false, "what should be is required too: warnings are failures")
	flags.IntVar(&f.jobs, "jobs", 0, "how many scenarios to play at once (default: depends on processors and target)")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "show what is sent and received while it happens, one scenario at a time")
	flags.StringArrayVar(&f.reports, "report", nil, "write the result as `FORMAT=FILE`: json or junit; FILE - is standard output (may be repeated)")
	flags.StringVar(&f.record, "record", "", "write what was sent and received to `DIR`, a capture and a text for each scenario")
	flags.StringVar(&f.known, "known-failing", "", "a list of scenarios that are known to fail, in `FILE`: they are warnings, and failures once they pass")
	flags.StringVar(&f.writeKnown, "write-known-failing", "", "write a list of what fails now to `FILE`, for --known-failing")
	flags.BoolVar(&f.watch, "watch", false, "play again whenever a file of the server or of the suite changes; what failed comes first")
	flags.IntVar(&f.repeat, "repeat", 1, "play everything `N` times; a scenario whose verdict changes is flaky, which is an error")
	flags.BoolVar(&f.shuffle, "shuffle", false, "play scenarios in an order that the seed determines")
	flags.Uint64Var(&f.seed, "seed", 0, "repeat a run with the names and tokens of this seed (default: random)")
	return cmd
}

func (f *runFlags) run(ctx context.Context, stdout, stderr io.Writer, names, command []string) error {
	settings, err := parseSettings(f.set)
	if err != nil {
		return err
	}
	outputs, err := parseReports(f.reports)
	if err != nil {
		return err
	}
	if err := f.checkOutputs(); err != nil {
		return err
	}
	once := func(ctx context.Context, only []string) (*transcript.Report, error) {
		return f.once(ctx, stdout, stderr, names, command, settings, outputs, only)
	}
	if !f.watch {
		r, err := once(ctx, nil)
		if err != nil {
			return err
		}
		return verdict(ctx, r)
	}
	paths := watchPaths(names, command)
	if f.known != "" {
		paths = append(paths, f.known)
	}
	w, err := newWatcher(paths)
	if err != nil {
		return err
	}
	for _, o := range append(outputs, output{file: f.writeKnown}, output{file: f.record}) {
		if o.file != "" && o.file != "-" {
			w.ignore(o.file)
		}
	}
	return watchLoop(ctx, w, stdout, once)
}

// checkOutputs looks whether what the run writes can be written.
func (f *runFlags) checkOutputs() error {
	if f.repeat < 1 {
		return usage("--repeat must be at least 1")
	}
	if f.repeat > 1 && (f.record != "" || f.watch) {
		return usage("--repeat does not go together with --record or --watch")
	}
	if f.writeKnown == "" {
		return nil
	}
	if info, err := os.Stat(f.writeKnown); err == nil && info.IsDir() {
		return usage("--write-known-failing %s: it is a folder", f.writeKnown)
	}
	if _, err := os.Stat(filepath.Dir(f.writeKnown)); err != nil {
		return usage("--write-known-failing %s: there is no folder %s", f.writeKnown, filepath.Dir(f.writeKnown))
	}
	return nil
}

// once plays everything once, or only the scenarios with these names, and
// reports. Files are written only when everything was played.
func (f *runFlags) once(ctx context.Context, stdout, stderr io.Writer, names, command []string, settings map[string]string, outputs []output, only []string) (*transcript.Report, error) {
	started := time.Now()
	suites, err := loadSuites(names)
	if err != nil {
		return nil, err
	}
	if err := f.checkPatterns(names, suites); err != nil {
		return nil, err
	}
	known := knownList{}
	if f.known != "" {
		if known, err = readKnown(f.known, suites); err != nil {
			return nil, err
		}
	}
	var rounds []*transcript.Report
	for len(rounds) < f.repeat {
		r, err := f.round(ctx, stdout, suites, settings, command, only, len(rounds))
		if err != nil {
			return nil, err
		}
		if ctx.Err() != nil && len(rounds) > 0 {
			break // what was cut short says nothing about those before
		}
		rounds = append(rounds, r)
	}
	r := combine(rounds)
	r.Started, r.Seconds = started, time.Since(started).Seconds()
	known.apply(r)
	if only != nil {
		outputs = nil
	}
	if err := f.report(r, outputs, stdout, stderr); err != nil {
		return nil, err
	}
	if f.writeKnown != "" && only == nil {
		if err := report.WriteFile(f.writeKnown, func(w io.Writer) error { return writeKnown(w, r) }); err != nil {
			return nil, cannot("%w", err)
		}
	}
	return r, nil
}

// round plays everything that is selected one time.
func (f *runFlags) round(ctx context.Context, stdout io.Writer, suites []*scenario.Suite, settings map[string]string, command, only []string, number int) (*transcript.Report, error) {
	plan, err := f.plan(suites, settings, command, only)
	if err != nil {
		return nil, err
	}
	defer plan.end()
	if number > 0 {
		plan.config.Seed += uint64(number)
		for i := range plan.parts {
			plan.parts[i].config.Seed = plan.config.Seed
		}
	}
	r := &transcript.Report{
		Schema: transcript.Schema, Version: version(), Target: plan.target, Seed: plan.config.Seed, Strict: f.strict,
	}
	if f.verbose {
		plan.narrate(stdout)
	}
	recorded, err := plan.record(f.record)
	if err != nil {
		return nil, err
	}
	plan.play(ctx, r)
	return r, recorded()
}

// report prints the table and writes all other outputs. The table makes way
// for an output that goes to standard output.
func (f *runFlags) report(r *transcript.Report, outputs []output, stdout, stderr io.Writer) error {
	screen := stdout
	if slices.ContainsFunc(outputs, func(o output) bool { return o.file == "-" }) {
		screen = stderr
	}
	table := report.Table{Width: screenWidth(screen), Color: isTerminal(screen) && os.Getenv("NO_COLOR") == "", Verbose: f.verbose}
	if err := table.Write(screen, r); err != nil {
		return cannot("write the table: %w", err)
	}
	var errs []error
	for _, o := range outputs {
		if o.file == "-" {
			errs = append(errs, o.write(stdout, r))
		} else {
			errs = append(errs, report.WriteFile(o.file, func(w io.Writer) error { return o.write(w, r) }))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return cannot("%w", err)
	}
	return nil
}

// verdict turns a report into an exit code.
func verdict(ctx context.Context, r *transcript.Report) error {
	s := r.Summary
	switch {
	case ctx.Err() != nil:
		return &exitError{code: exitInterrupted}
	case s.Error > 0:
		return &exitError{code: exitCannot}
	case s.Fail > 0 || s.Blocked > 0:
		return &exitError{code: exitFailed}
	}
	if r.Strict {
		for _, suite := range r.Suites {
			for _, set := range suite.Settings {
				if set.Warning != "" {
					return &exitError{code: exitFailed}
				}
			}
		}
	}
	return nil
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// screenWidth is the width of the terminal, within reason, else 80.
func screenWidth(w io.Writer) int {
	if file, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width >= 60 {
			return min(width, 160)
		}
	}
	return 80
}
