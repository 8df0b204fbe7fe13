package scenarios_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/sockets"
	"github.com/chatprobe/chatprobe/internal/target"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/scenarios"
)

// The suites are played against real programs by other hands, which
// testdata/servers/README.md lists: correct ones, which must pass everything,
// and wrong ones, which must not.

// A server is a program to play against, and what is known of it.
type server struct {
	name     string
	args     []string // its command, with {port}
	settings map[string]string
	timeout  time.Duration // 0: the usual one
	busy     func() bool   // whether to wait for longer than that; nil: never
}

// python is a server of testdata/servers. Without Python the test is skipped,
// loudly, and on CI it fails.
func python(t testing.TB, file string, args ...string) server {
	t.Helper()
	exe, err := interpreter()
	if err != nil {
		missing(t, "python3", err)
	}
	return newServer(file, append([]string{exe, filepath.Join("testdata", "servers", file)}, args...))
}

func newServer(file string, args []string) server {
	name := filepath.Base(file)
	return server{name: strings.TrimSuffix(name, filepath.Ext(name)), args: args}
}

// program is a server of testdata/servers in any language. Where that cannot be
// run, a test of its own says so and the server is left out.
func program(t *testing.T, file string, args ...string) (s server, ok bool) {
	t.Helper()
	var command []string
	var language string
	var err error
	path := filepath.Join("testdata", "servers", file)
	switch filepath.Ext(file) {
	case ".py":
		language = "python3"
		command = []string{"", path}
		command[0], err = interpreter()
	case ".js":
		language = "node"
		command = []string{"", path}
		command[0], err = exec.LookPath("node")
	case ".c":
		language = "gcc"
		if _, err = exec.LookPath("gcc"); err == nil {
			command = []string{compile(t, path)}
		}
	default:
		t.Fatalf("%s is in no language that is known here", path)
	}
	if err != nil {
		t.Run(filepath.Base(file), func(t *testing.T) { missing(t, language, err) })
		return server{}, false
	}
	return newServer(file, append(command, args...)), true
}

// compile compiles a C program.
func compile(t *testing.T, source string) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "server")
	if out, err := exec.Command("gcc", "-O", "-pthread", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// with is the same server with settings "name=value …" declared.
func (s server) with(settings string) server {
	s.settings = map[string]string{}
	for set := range strings.FieldsSeq(settings) {
		name, value, _ := strings.Cut(set, "=")
		s.settings[name] = value
	}
	return s
}

// choosing is the same server without a port given: it chooses one itself.
func (s server) choosing() server {
	s.name += " without a port"
	s.args = slices.DeleteFunc(slices.Clone(s.args), func(arg string) bool { return arg == "{port}" })
	return s
}

// interpreter is Python itself rather than a script that finds it, which may
// take longer than a scenario.
var interpreter = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	return strings.TrimSpace(string(out)), err
})

// needsTime leaves out, with -short, what plays against other programs for
// minutes. Nothing of it is of interest to the race detector.
func needsTime(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("plays against other programs for a while")
	}
}

func missing(t testing.TB, program string, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is needed on CI: %v", program, err)
	}
	t.Skipf("SKIPPED, and much is not tested without it: there is no %s (%v)", program, err)
}

// suite is the built-in suite of that name, without what it asks of clients.
func suite(t testing.TB, name string) *scenario.Suite {
	t.Helper()
	s, err := scenario.Load(scenarios.Files, name, scenarios.Files)
	if err != nil {
		t.Fatal(err)
	}
	s.Scenarios = slices.DeleteFunc(s.Scenarios, func(sc *scenario.Scenario) bool { return sc.TestsClient })
	return s
}

// every thins out what takes long: without it each correct server plays some
// of the scenarios, and some mistakes are made. For whoever changes scenarios:
//
//	go test ./scenarios -every 1 -timeout 1h
var every = flag.Int("every", 20, "play every n-th scenario against correct and naive servers, and every n-th mistake")

// share is every n-th scenario of a suite, others for each server, and all that
// only some servers are asked.
func share(suite *scenario.Suite, server int) []*scenario.Scenario {
	var list []*scenario.Scenario
	for i, sc := range suite.Scenarios {
		if (i+server)%max(*every, 1) == 0 || len(sc.When) > 0 {
			list = append(list, sc)
		}
	}
	return list
}

// choosesPort says that a scenario is about a server that is given no port.
func choosesPort(sc *scenario.Scenario) bool { return slices.Contains(sc.Needs, scenario.OwnPort) }

// slots bounds how many scenarios are played at once by all tests together.
var slots = make(chan struct{}, 3*runtime.GOMAXPROCS(0))

// socketTable is shared by all plays, as it is in the program.
var socketTable = sync.OnceValue(func() *sockets.Table {
	table, err := sockets.Open()
	if err != nil {
		return nil // where there is none
	}
	return table
})

// play plays scenarios of a suite against a server, a fresh one for each.
// What should be is as binding as what must be.
func (s server) play(ctx context.Context, suite *scenario.Suite, list []*scenario.Scenario) (transcript.Suite, []transcript.Run) {
	command := target.Command{Args: s.args, Network: suite.Protocol.Transport, ReadyWithin: 30 * time.Second}
	session := &engine.Session{
		Suite:  suite,
		Launch: func(ctx context.Context) (*engine.Target, error) { return launch(ctx, command) },
		Config: engine.Config{
			Settings: s.settings, Origin: transcript.Set, Timeout: s.timeout, Strict: true, Seed: 1,
			Slots: slots, Sockets: socketTable(), Busy: s.busy,
		},
	}
	return session.Run(ctx, list)
}

// launch joins a program and the engine.
func launch(ctx context.Context, c target.Command) (*engine.Target, error) {
	p, err := target.Start(ctx, c)
	var exited *target.ExitError
	var silent *target.ListenError
	switch {
	case errors.As(err, &exited), errors.As(err, &silent):
		return nil, &engine.TargetError{Err: err}
	case err != nil:
		return nil, err
	}
	return &engine.Target{
		Dial: dialer(c.Network, p.Addr().String()),
		Printed: func(from int64) ([]byte, int64) {
			out := p.OutputSince(from)
			var text []byte
			for _, chunk := range out.Chunks {
				text = append(text, chunk.Bytes...)
			}
			return text, out.Size
		},
		Exited: func() (string, bool) {
			status, ended := p.Exited()
			return status.String(), ended
		},
		Stop:    func(how string) error { return stop(p, how) },
		Notify:  p.Notify,
		Close:   func() { p.Stop() },
		OwnPort: !slices.ContainsFunc(c.Args, func(arg string) bool { return strings.Contains(arg, "{port}") }),
		Strayed: p.Found,
	}, nil
}

func dialer(network, addr string) func(context.Context, int) (net.Conn, error) {
	if network == "udp" {
		return engine.DialUDP(addr)
	}
	return engine.DialTCP(addr)
}

func stop(p *target.Process, how string) error {
	switch how {
	case "interrupt":
		return p.Signal(os.Interrupt)
	case "terminate":
		return p.Signal(syscall.SIGTERM)
	}
	text, ok := strings.CutPrefix(how, "type:")
	if !ok {
		return fmt.Errorf("there is no way to stop a program that is called %q", how)
	}
	return p.Type(text)
}

// A game is scenarios of a suite played against a server.
type game struct {
	suite  *scenario.Suite
	server server
	list   []*scenario.Scenario
	header transcript.Suite
	runs   []transcript.Run
}

// playAll plays several games at once. Most of the time of one that is lost is
// spent waiting.
func playAll(ctx context.Context, games []*game) {
	var players sync.WaitGroup
	seats := make(chan struct{}, 32)
	for _, g := range games {
		seats <- struct{}{}
		players.Go(func() {
			defer func() { <-seats }()
			g.header, g.runs = g.server.play(ctx, g.suite, g.list)
		})
	}
	players.Wait()
}

// inWords is a run in a line, or in many where it did not pass.
func inWords(run transcript.Run) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", run.Verdict, run.Scenario)
	if run.Reason != "" {
		fmt.Fprintf(&b, ": %s", run.Reason)
	}
	if f := run.Failure; f != nil {
		fmt.Fprintf(&b, "\n\tstep: %s\n\texpected: %s\n\tgot: %s", f.Step, f.Expected, f.Got)
	}
	for _, n := range run.Notes {
		fmt.Fprintf(&b, "\n\tnote: %s", n)
	}
	for _, line := range strings.Split(strings.TrimSpace(run.Output), "\n") {
		if line != "" {
			fmt.Fprintf(&b, "\n\t| %s", line)
		}
	}
	return b.String()
}

// inOrder is settings in words, for a message.
func inOrder(settings map[string]string) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		list = append(list, name+"="+settings[name])
	}
	return strings.Join(list, " ")
}
