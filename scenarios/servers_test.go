package scenarios_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
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
}

// python is a server of testdata/servers. Without Python the test is skipped,
// loudly, and on CI it fails.
func python(t testing.TB, file string, args ...string) server {
	t.Helper()
	exe, err := interpreter()
	if err != nil {
		missing(t, "python3", err)
	}
	return server{
		name: strings.TrimSuffix(filepath.Base(file), ".py"),
		args: append([]string{exe, filepath.Join("testdata", "servers", file)}, args...),
	}
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

// interpreter is Python itself rather than a script that finds it, which may
// take longer than a scenario.
var interpreter = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	return strings.TrimSpace(string(out)), err
})

func missing(t testing.TB, program string, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is needed on CI: %v", program, err)
	}
	t.Skipf("SKIPPED, and much is not tested without it: there is no %s (%v)", program, err)
}

// suite is the built-in suite of that name.
func suite(t testing.TB, name string) *scenario.Suite {
	t.Helper()
	s, err := scenario.Load(scenarios.Files, name, scenarios.Files)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// slots bounds how many scenarios are played at once by all tests together.
var slots = make(chan struct{}, 2*runtime.GOMAXPROCS(0))

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
	session := &engine.Session{
		Suite: suite,
		Launch: func(ctx context.Context) (*engine.Target, error) {
			return launch(ctx, target.Command{Args: s.args, ReadyWithin: 30 * time.Second})
		},
		Config: engine.Config{
			Settings: s.settings, Origin: transcript.Set, Timeout: s.timeout, Strict: true, Seed: 1,
			Slots: slots, Sockets: socketTable(),
		},
	}
	return session.Run(ctx, list)
}

// launch joins a program and the engine.
func launch(ctx context.Context, c target.Command) (*engine.Target, error) {
	p, err := target.Start(ctx, c)
	if err != nil {
		return nil, err
	}
	return &engine.Target{
		Dial: engine.DialTCP(p.Addr().String()),
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
		Stop:   func(string) error { return errors.New("no scenario stops its server yet") },
		Notify: p.Notify,
		Close:  func() { p.Stop() },
	}, nil
}

// A game is scenarios played against a server.
type game struct {
	server server
	list   []*scenario.Scenario // nil: all
	header transcript.Suite
	runs   []transcript.Run
}

// playAll plays several games at once. Most of the time of one that is lost is
// spent waiting.
func playAll(ctx context.Context, suite *scenario.Suite, games []*game) {
	var players sync.WaitGroup
	seats := make(chan struct{}, 24)
	for _, g := range games {
		seats <- struct{}{}
		players.Go(func() {
			defer func() { <-seats }()
			list := g.list
			if list == nil {
				list = suite.Scenarios
			}
			g.header, g.runs = g.server.play(ctx, suite, list)
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

// TestRightServers plays everything against the correct servers: all must pass
// that applies, whether their choices are declared or not.
func TestRightServers(t *testing.T) {
	framed := suite(t, "framed")
	for _, right := range []struct{ file, settings string }{
		{"threads.py", "echo=no duplicate_name=refuse byte_order=big max_message=1048576"},
		{"queues.py", "echo=yes duplicate_name=allow byte_order=big max_message=1048576"},
		{"selectloop.py", "echo=no duplicate_name=refuse byte_order=big max_message=1048576"},
	} {
		s := python(t, filepath.Join("framed", "right", right.file), "{port}", "--roster", "0.2")
		for _, s := range []server{s, s.with(right.settings)} {
			t.Run(s.name+" "+inOrder(s.settings), func(t *testing.T) {
				header, runs := s.play(t.Context(), framed, framed.Scenarios)
				if header.Finding != "" {
					t.Error(header.Finding)
				}
				for _, run := range runs {
					sc := framed.Scenarios[slices.IndexFunc(framed.Scenarios, func(sc *scenario.Scenario) bool { return sc.Name == run.Scenario })]
					switch {
					case run.Verdict == transcript.Skip && len(sc.When) > 0:
					case run.Verdict != transcript.Pass || len(run.Notes) > 0:
						t.Error(inWords(run))
					}
				}
			})
		}
	}
}

// TestDegenerateServers plays everything against servers that speak no
// protocol at all. Nothing may pass.
func TestDegenerateServers(t *testing.T) {
	framed := suite(t, "framed")
	var games []*game
	for _, name := range []string{"silent", "closer", "echo", "noise", "flood"} {
		s := python(t, filepath.Join("degenerate", name+".py"), "{port}")
		s.timeout = 300 * time.Millisecond
		games = append(games, &game{server: s}, &game{server: s.with("byte_order=big echo=yes duplicate_name=allow")})
	}
	playAll(t.Context(), framed, games)
	for _, g := range games {
		t.Run(g.server.name+" "+inOrder(g.server.settings), func(t *testing.T) {
			if g.header.Finding == "" {
				t.Error("nothing is said about the server as a whole")
			}
			for _, run := range g.runs {
				switch run.Verdict {
				case transcript.Fail, transcript.Blocked, transcript.Skip:
				default:
					t.Error(inWords(run))
				}
			}
		})
	}
}
