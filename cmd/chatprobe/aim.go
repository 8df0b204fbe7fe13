package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"github.com/chatprobe/chatprobe/internal/builtin"
	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/target"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

// targetFlags say what is tested, and how it is started.
type targetFlags struct {
	address  string
	client   bool
	port     int
	portFrom string
	stdin    []string
	answers  []string
	isolate  string
	workdir  string
	pipes    bool
	ready    time.Duration

	// What portFrom and answers mean, set by checkTarget.
	portExpression *regexp.Regexp
	replies        []answer
}

// Choices of --isolate.
const (
	perScenario = "scenario"
	perSuite    = "suite"
)

func (f *targetFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.address, "target", "", "test the server that runs at `HOST:PORT`")
	flags.BoolVar(&f.client, "client", false, "COMMAND is a client: play the server for it, type, and read its screen (without COMMAND: for the built-in client)")
	flags.IntVar(&f.port, "port", 0, "`PORT` on which COMMAND always listens")
	flags.StringVar(&f.portFrom, "port-from", "", "find the port in what COMMAND prints, by `REGEX`, such as 'port (\\d+)'")
	flags.StringArrayVar(&f.stdin, "stdin", nil, "type `TEXT` and Enter into COMMAND when it starts; {port} and the like are replaced (may be repeated)")
	flags.StringArrayVar(&f.answers, "answer", nil, "with --client: type a text when something is shown, as `REGEX=TEXT`, such as 'name:={user}' (may be repeated)")
	flags.StringVar(&f.isolate, "isolate", perScenario, "start COMMAND afresh for each `UNIT`, scenario or suite")
	flags.StringVar(&f.workdir, "workdir", "", "run COMMAND in a fresh copy of `DIR` each time")
	flags.BoolVar(&f.pipes, "no-pty", false, "give COMMAND pipes, and not a terminal")
	flags.DurationVar(&f.ready, "ready-within", 10*time.Second, "how long COMMAND may take until it listens")
}

// checkTarget finds what does not go together, and reads what the flags hold.
func (f *targetFlags) checkTarget(command []string) error {
	if f.ready <= 0 {
		return usage("--ready-within must be more than nothing")
	}
	if f.address != "" && command != nil {
		return usage("--target and a command after -- exclude each other")
	}
	if f.isolate != perScenario && f.isolate != perSuite {
		return usage("--isolate is %s or %s, not %q", perScenario, perSuite, f.isolate)
	}
	for _, needs := range []struct {
		given bool
		flag  string
	}{
		{f.client && f.address != "", "--client"}, {f.port != 0, "--port"}, {f.portFrom != "", "--port-from"}, {len(f.stdin) > 0, "--stdin"},
		{len(f.answers) > 0, "--answer"}, {f.isolate != perScenario, "--isolate"}, {f.workdir != "", "--workdir"}, {f.pipes, "--no-pty"},
	} {
		if needs.given && command == nil {
			return usage("%s is about a command, which stands behind --, as in -- python3 server.py {port}", needs.flag)
		}
	}
	for _, of := range []struct {
		given bool
		flag  string
	}{{f.port != 0, "--port"}, {f.portFrom != "", "--port-from"}, {f.isolate != perScenario, "--isolate"}} {
		if of.given && f.client {
			return usage("%s is about servers, and with --client the command is a client", of.flag)
		}
	}
	switch {
	case len(f.answers) > 0 && !f.client:
		return usage("--answer is about clients: it goes with --client; what a server asks at its start is answered by --stdin")
	case f.port < 0 || f.port > 65535:
		return usage("--port %d: a port is a number from 1 to 65535", f.port)
	case f.port != 0 && f.portFrom != "":
		return usage("--port says which port it is, and --port-from that it has to be found out: give one of them")
	}
	if f.workdir != "" {
		if info, err := os.Stat(f.workdir); err != nil || !info.IsDir() {
			return usage("--workdir %s: there is no such folder", f.workdir)
		}
	}
	var err error
	if f.portFrom != "" {
		if f.portExpression, err = regexp.Compile(f.portFrom); err != nil {
			return usage("--port-from %q is no regular expression: %s", f.portFrom, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
	}
	f.replies, err = parseAnswers(f.answers)
	return err
}

// slots is how many scenarios are played at once.
func (f *runFlags) slots(command []string) int {
	switch {
	case f.jobs > 0:
		return f.jobs
	case f.verbose:
		return 1
	case command != nil:
		return 6 * runtime.NumCPU()
	}
	return 8 * runtime.NumCPU()
}

// aim says how a fresh target for a suite is had, and what is known of it.
func (f *runFlags) aim(p *plan, s *scenario.Suite, command []string) (part, error) {
	config := p.config
	config.Settings = of(s, p.config.Settings)
	switch {
	case command != nil:
		p.target = strings.Join(command, " ")
		c := target.Command{
			Args: command, Network: s.Protocol.Transport, ReadyWithin: f.ready, Port: f.port, PortFrom: f.portExpression, Type: f.stdin,
			User: "alice", Dir: f.workdir, Copy: f.workdir != "", Terminal: !f.pipes,
		}
		if f.client {
			config.Told, config.NoTerminal = told(command, f.stdin, f.answers), f.pipes
			return part{program: launchProgram(c, f.replies), config: config}, nil
		}
		fleet := target.NewFleet(c)
		launch := launchFleet(fleet, c)
		p.manner = func() string { return f.describe(fleet) }
		if f.isolate == perSuite {
			config.Shared = true
			var end func()
			launch, end = onceForAll(launch)
			p.ends = append(p.ends, end)
		}
		return part{launch: launch, config: config}, nil
	case f.address != "":
		addr, err := address(f.address, s.Protocol.Port)
		if err != nil {
			return part{}, err
		}
		p.target = addr
		p.manner = func() string {
			return fmt.Sprintf("one scenario after another, with names of their own in each (--seed %d gives the same)", config.Seed)
		}
		config.Shared = true
		return part{launch: launchAddress(s.Protocol.Transport, addr), config: config}, nil
	}
	if f.client {
		return p.builtinClient(s)
	}
	b, ok := builtin.Named(s.Protocol.Name)
	if !ok {
		return part{}, usage("there is no built-in server for %s: say what to test, with --target HOST:PORT or -- COMMAND", s.Protocol.Name)
	}
	p.target = "built-in reference server"
	config.Trusted, config.Origin, config.OwnPort = true, transcript.Declared, b.OwnPort
	config.Settings = of(s, b.Settings)
	maps.Copy(config.Settings, of(s, p.config.Settings))
	return part{launch: b.Launch, config: config}, nil
}

// describe says how the program was found and started, where that is not what
// one would expect.
func (f *targetFlags) describe(fleet *target.Fleet) string {
	var words []string
	switch own := fleet.OwnPort(); {
	case own == 0:
	case f.portFrom != "":
		words = append(words, fmt.Sprintf("its port is what it printed, such as %d", own))
	case fleet.Alone() && f.isolate == perSuite:
		words = append(words, fmt.Sprintf("it always listens on port %d", own))
	case fleet.Alone():
		words = append(words, fmt.Sprintf("it always listens on port %d, so one scenario is played at a time", own))
	default:
		words = append(words, fmt.Sprintf("it picks a port itself, such as %d", own))
	}
	if f.isolate == perSuite {
		words = append(words, "it was started once for all scenarios")
	}
	if lacks := target.Lacks(); lacks != "" {
		words = append(words, lacks)
	}
	return strings.Join(words, "; ")
}

// told are the placeholders that a client program is told something by.
func told(lists ...[]string) []string {
	var names []string
	for _, list := range lists {
		for _, text := range list {
			for _, name := range scenario.Told {
				if strings.Contains(text, "{"+name+"}") && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
	}
	return names
}

// onceForAll gives the same target to all, and a new one once it has ended or
// was told to. Those who have it must not overlap.
func onceForAll(launch engine.Launch) (again engine.Launch, end func()) {
	var mu sync.Mutex
	var running *engine.Target
	var stopped bool
	again = func(ctx context.Context) (*engine.Target, error) {
		mu.Lock()
		defer mu.Unlock()
		if running != nil {
			if _, ended := running.Exited(); ended || stopped {
				running.Close()
				running = nil
			}
		}
		if running == nil {
			t, err := launch(ctx)
			if err != nil {
				return nil, err
			}
			running, stopped = t, false
		}
		shared, stop := *running, running.Stop
		shared.Stop = func(how string) error {
			mu.Lock()
			stopped = true
			mu.Unlock()
			return stop(how)
		}
		shared.Close, shared.Spins = func() {}, nil
		return &shared, nil
	}
	end = func() {
		mu.Lock()
		defer mu.Unlock()
		if running != nil {
			running.Close()
		}
		running = nil
	}
	return again, end
}

// An answer is what is typed when a program shows something.
type answer struct {
	asked *regexp.Regexp
	text  string
}

func parseAnswers(list []string) ([]answer, error) {
	var answers []answer
	for _, s := range list {
		asked, text, ok := strings.Cut(s, "=")
		if !ok || asked == "" {
			return nil, usage("--answer %q: it is written REGEX=TEXT, such as 'name:={user}'", s)
		}
		re, err := regexp.Compile(asked)
		if err != nil {
			return nil, usage("--answer %q: what stands before = is no regular expression: %s", s, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
		answers = append(answers, answer{re, text})
	}
	return answers, nil
}
