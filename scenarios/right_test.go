package scenarios_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/sockets"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/scenarios"
)

// arguments are what the servers of a suite take behind their port.
var arguments = map[string][]string{
	"framed": {"--roster", "0.2"},
}

// A choice is a way to run a correct server, and what may be declared of it
// then.
type choice struct {
	args     []string
	settings string
}

// choices are the choices of correct servers, by their files below
// testdata/servers. One that is not here is played with nothing declared.
var choices = map[string][]choice{
	"framed/right/threads.py":    {{}, {settings: "echo=no duplicate_name=refuse byte_order=big max_message=1048576"}},
	"framed/right/queues.py":     {{settings: "echo=yes duplicate_name=allow byte_order=big max_message=1048576"}},
	"framed/right/selectloop.py": {{settings: "echo=no duplicate_name=refuse byte_order=big max_message=1048576"}},
	"framed/right/asyncio_.py": {
		{args: []string{"--bytewise"}, settings: "echo=no duplicate_name=refuse byte_order=big max_message=65536"},
		{args: []string{"--gather", "0.02"}, settings: "echo=no duplicate_name=refuse byte_order=big max_message=1048576"},
		{args: []string{"--delay", "0.05"}, settings: "echo=no duplicate_name=refuse byte_order=big max_message=1048576"},
	},
	"lines/right/threads.py":     {{}, {settings: "end=lf stop=terminate"}},
	"lines/right/asyncio_.py":    {{settings: "end=lf"}, {args: []string{"--crlf"}, settings: "end=crlf"}, {args: []string{"--delay", "0.1"}, settings: "end=lf"}},
	"lines/right/noend.py":       {{}, {settings: "end=none"}},
	"direct/right/asyncio_.py":   {{}, {args: []string{"--delay", "0.1"}}},
	"datagram/right/threads.py":  {{}, {settings: "ungreeted=any"}},
	"datagram/right/asyncio_.py": {{settings: "ungreeted=ignore"}},
}

// TestRightServers plays everything against the correct servers: all must pass
// that applies, whether their choices are declared or not, and nothing may be
// in a suite that applies to none of them.
func TestRightServers(t *testing.T) {
	needsTime(t)
	for _, name := range scenarios.Names() {
		t.Run(name, func(t *testing.T) {
			suite := suite(t, name)
			passed := map[string]bool{}
			for _, g := range rightGames(t, suite) {
				t.Run(g.server.name+" "+inOrder(g.server.settings), func(t *testing.T) {
					playAll(t.Context(), []*game{g})
					checkRight(t, g, passed)
				})
			}
			for _, sc := range suite.Scenarios {
				if *every == 1 && len(passed) > 0 && !passed[sc.Name] {
					t.Errorf("%s was passed by no correct server", sc.Name)
				}
			}
		})
	}
}

// rightGames are games against all correct servers of a suite; wrong.py is one
// if it makes no mistake.
func rightGames(t *testing.T, suite *scenario.Suite) []*game {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "servers", suite.Name, "right", "*.*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no correct servers for %s", suite.Name)
	}
	var games []*game
	var chooses []*scenario.Scenario
	for _, sc := range suite.Scenarios {
		if choosesPort(sc) {
			chooses = append(chooses, sc)
		}
	}
	add := func(s server, c choice) {
		s.args, s.busy = append(s.args, c.args...), sockets.Busy
		if c.settings != "" {
			s = s.with(c.settings)
		}
		games = append(games, &game{suite: suite, server: s, list: share(suite, len(games))})
	}
	for _, file := range files {
		file, err := filepath.Rel(filepath.Join("testdata", "servers"), file)
		if err != nil {
			t.Fatal(err)
		}
		s, ok := program(t, file, append([]string{"{port}"}, arguments[suite.Name]...)...)
		if !ok {
			continue
		}
		list := choices[filepath.ToSlash(file)]
		if list == nil {
			list = []choice{{}}
		}
		for _, c := range list {
			add(s, c)
		}
		if len(chooses) > 0 {
			games = append(games, &game{suite: suite, server: s.choosing(), list: chooses})
		}
	}
	if s, ok := program(t, filepath.Join(suite.Name, "wrong", "wrong.py"), append([]string{"none", "{port}"}, arguments[suite.Name]...)...); ok {
		add(s, choice{})
	}
	return games
}

// checkRight fails for whatever did not pass, and notes what did. Where nothing
// ends a message, two of them are one whenever the server is slow to read: then
// it is enough that most passes.
func checkRight(t *testing.T, g *game, passed map[string]bool) {
	if g.header.Finding != "" {
		t.Error(g.header.Finding)
	}
	unsound := slices.ContainsFunc(g.header.Settings, func(s transcript.Setting) bool { return s.Name == "end" && s.Value == "none" })
	played, lost := 0, 0
	for _, run := range g.runs {
		hurried := slices.ContainsFunc(run.Notes, func(note string) bool { return strings.HasPrefix(note, "only when not rushed") })
		switch {
		case run.Verdict == transcript.Skip:
			t.Logf("skip %s: %s", run.Scenario, run.Reason)
			continue
		case run.Verdict == transcript.Pass && (unsound || !hurried):
			passed[run.Scenario] = true
		case unsound:
			t.Log(inWords(run))
			lost++
		default:
			t.Error(inWords(run))
		}
		played++
	}
	if 4*lost > played {
		t.Errorf("%d of %d scenarios are lost", lost, played)
	}
}

// TestDegenerateServers plays everything against servers that speak no
// protocol at all. Nothing may pass.
func TestDegenerateServers(t *testing.T) {
	needsTime(t)
	declared := map[string]string{
		"framed":   "byte_order=big echo=yes duplicate_name=allow",
		"lines":    "end=lf",
		"datagram": "ungreeted=ignore",
	}
	var games []*game
	for _, name := range scenarios.Names() {
		suite := suite(t, name)
		folder := "degenerate"
		if suite.Protocol.Transport == "udp" {
			folder = filepath.Join(folder, "udp")
		}
		for _, file := range []string{"silent", "closer", "echo", "noise", "flood"} {
			s := python(t, filepath.Join(folder, file+".py"), "{port}").with(declared[name])
			s.timeout = 300 * time.Millisecond
			games = append(games, &game{suite: suite, server: s, list: suite.Scenarios})
		}
	}
	playAll(t.Context(), games)
	for _, g := range games {
		t.Run(g.suite.Name+"/"+g.server.name, func(t *testing.T) { checkDegenerate(t, g) })
	}
}

func checkDegenerate(t *testing.T, g *game) {
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
}
