package main

import (
	"context"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/chatprobe/chatprobe/internal/builtin"
	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/report"
	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/sockets"
	"github.com/chatprobe/chatprobe/internal/source"
	"github.com/chatprobe/chatprobe/internal/target"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

// runFlags are the flags of chatprobe run.
type runFlags struct {
	target    string
	scenarios []string
	level     string
	set       []string
	timeout   time.Duration
	strict    bool
	jobs      int
	verbose   bool
	reports   []string
	seed      uint64
	ready     time.Duration
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
replaced by the port and address to listen on. It is started afresh for each
scenario and stopped afterwards, with all that it has started. Several run at
the same time, but for a command without {port}: its port may be fixed.

Exit status: 0 all that is required passed, 1 some of it did not, 2 wrong usage
or a wrong file, 3 the probe could not do its work, 130 interrupted.`,
		Example: `  chatprobe run
  chatprobe run framed -- python3 server.py {port}
  chatprobe run framed --target 127.0.0.1:4445
  chatprobe run framed --scenario 'framed/frame-*' --verbose
  chatprobe run framed --set echo=no --strict --report junit=report.xml -- ./server {port}`,
		RunE: func(cmd *cobra.Command, args []string) error {
			names, command := args, []string(nil)
			if at := cmd.ArgsLenAtDash(); at >= 0 {
				names, command = args[:at], args[at:]
				if err := checkCommand(command); err != nil {
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
	flags.StringVar(&f.target, "target", "", "test the server that runs at `HOST:PORT`")
	flags.StringArrayVar(&f.scenarios, "scenario", nil, "play only scenarios that match `GLOB`, such as 'framed/frame-*' (may be repeated)")
	flags.StringVar(&f.level, "level", "may", "play only what binds at least so much: must, should or may")
	flags.StringArrayVar(&f.set, "set", nil, "say which choice the server made, as `NAME=VALUE` (may be repeated)")
	flags.DurationVar(&f.timeout, "timeout", 2*time.Second, "how long an expected message may take")
	flags.DurationVar(&f.ready, "ready-within", 10*time.Second, "how long the command may take until it listens")
	flags.BoolVar(&f.strict, "strict", false, "what should be is required too: warnings are failures")
	flags.IntVar(&f.jobs, "jobs", 0, "how many scenarios to play at once (default: depends on processors and target)")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "print what was sent and received in every scenario")
	flags.StringArrayVar(&f.reports, "report", nil, "write the result as `FORMAT=FILE`: json or junit; FILE - is standard output (may be repeated)")
	flags.Uint64Var(&f.seed, "seed", 0, "repeat a run with the names and tokens of this seed (default: random)")
	return cmd
}

func (f *runFlags) run(ctx context.Context, stdout, stderr io.Writer, names, command []string) error {
	started := time.Now()
	settings, err := parseSettings(f.set)
	if err != nil {
		return err
	}
	outputs, err := parseReports(f.reports)
	if err != nil {
		return err
	}
	suites, err := loadSuites(names)
	if err != nil {
		return err
	}
	if err := f.checkPatterns(names, suites); err != nil {
		return err
	}
	plan, err := f.plan(suites, settings, command)
	if err != nil {
		return err
	}
	r := &transcript.Report{
		Schema: transcript.Schema, Version: version(), Target: plan.target, Seed: plan.config.Seed,
		Strict: f.strict, Started: started,
	}
	plan.play(ctx, r)
	r.Seconds = time.Since(started).Seconds()
	r.Summary = transcript.Summarize(r.Runs)
	if err := f.report(r, outputs, stdout, stderr); err != nil {
		return err
	}
	return verdict(ctx, r)
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

// A plan is what is going to be played, and against what.
type plan struct {
	target string
	parts  []part
	config engine.Config
}

type part struct {
	suite     *scenario.Suite
	scenarios []*scenario.Scenario
	launch    engine.Launch
	config    engine.Config
}

func (f *runFlags) plan(suites []*scenario.Suite, settings map[string]string, command []string) (*plan, error) {
	p := &plan{config: engine.Config{
		Settings: settings, Origin: transcript.Set, Timeout: f.timeout, Strict: f.strict, Busy: busy, Seed: f.seed,
	}}
	if p.config.Seed == 0 {
		p.config.Seed = rand.Uint64() >> 11 // JSON readers keep 53 bits
	}
	if f.timeout <= 0 || f.ready <= 0 {
		return nil, usage("--timeout and --ready-within must be more than nothing")
	}
	// What shows a conversation shows those that went well too.
	p.config.Transcripts = f.verbose || slices.ContainsFunc(f.reports, func(s string) bool { return strings.HasPrefix(s, "json=") })
	if table, err := sockets.Open(); err == nil {
		p.config.Sockets = table
	}
	p.config.Slots = make(chan struct{}, f.slots(command))
	if f.target != "" && command != nil {
		return nil, usage("--target and a command after -- exclude each other")
	}
	if (f.target != "" || command != nil) && len(suites) != 1 {
		return nil, usage("a server speaks one protocol: name one suite, as in chatprobe run %s", suites[0].Name)
	}
	if err := settled(suites, settings); err != nil {
		return nil, err
	}
	for _, s := range suites {
		selected, err := f.selected(s)
		if err != nil {
			return nil, err
		}
		if len(selected) == 0 {
			continue
		}
		launch, config, err := f.aim(p, s, command)
		if err != nil {
			return nil, err
		}
		p.parts = append(p.parts, part{s, selected, launch, config})
	}
	if len(p.parts) == 0 {
		what := "there is no scenario"
		if len(f.scenarios) > 0 {
			what = "no scenario that matches --scenario " + strings.Join(f.scenarios, " ")
		}
		return nil, usage("nothing is selected: %s binds as much as --level %s", what, f.level)
	}
	return p, nil
}

// settled checks settings: each is one of at least one of the suites.
func settled(suites []*scenario.Suite, settings map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		var names, known []string
		found := false
		for _, s := range suites {
			names, known = append(names, s.Protocol.Name), append(known, s.Protocol.SettingNames()...)
			if s.Protocol.Setting(name) == nil {
				continue
			}
			found = true
			if _, err := s.Protocol.Settle(map[string]string{name: settings[name]}); err != nil {
				return usage("%w", err)
			}
		}
		switch hint := source.DidYouMean(name, known); {
		case found:
		case len(names) == 1:
			return usage("protocol %s has no setting %q: %s", names[0], name, hint)
		default:
			return usage("no protocol has a setting %q: %s", name, hint)
		}
	}
	return nil
}

// of are those settings that the protocol of s has.
func of(s *scenario.Suite, settings map[string]string) map[string]string {
	own := maps.Clone(settings)
	maps.DeleteFunc(own, func(name, _ string) bool { return s.Protocol.Setting(name) == nil })
	return own
}

// slots is how many scenarios are played at once.
func (f *runFlags) slots(command []string) int {
	switch {
	case f.jobs > 0:
		return f.jobs
	case command != nil:
		return 6 * runtime.NumCPU()
	}
	return 8 * runtime.NumCPU()
}

// aim says how a fresh target for a suite is had, and what is known of it.
func (f *runFlags) aim(p *plan, s *scenario.Suite, command []string) (engine.Launch, engine.Config, error) {
	config := p.config
	config.Settings = of(s, p.config.Settings)
	switch {
	case command != nil:
		p.target = strings.Join(command, " ")
		launch := launchCommand(target.Command{Args: command, Network: s.Protocol.Transport, ReadyWithin: f.ready})
		if !takesPort(command) && f.jobs == 0 {
			launch = oneByOne(launch)
		}
		return launch, config, nil
	case f.target != "":
		addr, err := address(f.target, s.Protocol.Port)
		if err != nil {
			return nil, config, err
		}
		p.target = addr
		config.Shared = true
		return launchAddress(s.Protocol.Transport, addr), config, nil
	}
	b, ok := builtin.Named(s.Protocol.Name)
	if !ok {
		return nil, config, usage("there is no built-in server for %s: say what to test, with --target HOST:PORT or -- COMMAND", s.Protocol.Name)
	}
	p.target = "built-in reference server"
	config.Trusted, config.Origin, config.OwnPort = true, transcript.Declared, b.OwnPort
	config.Settings = of(s, b.Settings)
	maps.Copy(config.Settings, of(s, p.config.Settings))
	return b.Launch, config, nil
}

// play fills the report. All suites share the slots.
func (p *plan) play(ctx context.Context, r *transcript.Report) {
	if p.config.Sockets != nil {
		defer p.config.Sockets.Close()
	}
	headers := make([]transcript.Suite, len(p.parts))
	runs := make([][]transcript.Run, len(p.parts))
	var sessions sync.WaitGroup
	for i, part := range p.parts {
		sessions.Go(func() {
			s := &engine.Session{Suite: part.suite, Launch: part.launch, Config: part.config}
			headers[i], runs[i] = s.Run(ctx, part.scenarios)
			for j, set := range headers[i].Settings {
				if _, ok := p.config.Settings[set.Name]; ok && set.Origin == transcript.Declared {
					headers[i].Settings[j].Origin = transcript.Set // over what the built-in server declares
				}
			}
		})
	}
	sessions.Wait()
	r.Suites = headers
	for _, list := range runs {
		r.Runs = append(r.Runs, list...)
	}
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
