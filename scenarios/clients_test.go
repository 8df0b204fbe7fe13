package scenarios_test

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/screen"
	"github.com/chatprobe/chatprobe/internal/target"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/scenarios"
)

// The suites are also played with real client programs by other hands, which
// testdata/clients/README.md lists.

// clientArguments are what the client programs of a suite are told.
var clientArguments = map[string][]string{
	"framed":   {"{host}", "{port}", "{user}"},
	"lines":    {"{user}", "{url}"},
	"direct":   {"{host}", "{port}"},
	"datagram": {"{host}", "{port}"},
}

// clientSuite is what the built-in suite of that name asks of clients.
func clientSuite(t testing.TB, name string) *scenario.Suite {
	t.Helper()
	s, err := scenario.Load(scenarios.Files, name, scenarios.Files)
	if err != nil {
		t.Fatal(err)
	}
	s.Scenarios = slices.DeleteFunc(s.Scenarios, func(sc *scenario.Scenario) bool { return !sc.TestsClient })
	return s
}

// A visit is scenarios of a suite played with a client program. What the game
// calls its server is that program.
type visit struct {
	game
	pipes bool
}

// clientProgram is a program of testdata/clients, in any language.
func clientProgram(t *testing.T, file string, args ...string) (server, bool) {
	t.Helper()
	return program(t, filepath.Join("..", "clients", file), args...)
}

// play plays scenarios with a fresh start of the program for each. What should
// be is as binding as what must be.
func (v *visit) play(ctx context.Context, list []*scenario.Scenario) (transcript.Suite, []transcript.Run) {
	session := &engine.Session{
		Suite: v.suite,
		Program: func(ctx context.Context, how engine.Invocation) (*engine.Program, error) {
			return startClient(ctx, v.server.args, v.pipes || how.OnPipes, how)
		},
		Config: engine.Config{
			Timeout: v.server.timeout, Strict: true, Seed: 1, Slots: slots, NoTerminal: v.pipes, Sockets: socketTable(),
		},
	}
	for _, name := range scenario.Told {
		if strings.Contains(strings.Join(v.server.args, " "), "{"+name+"}") {
			session.Told = append(session.Told, name)
		}
	}
	return session.Run(ctx, list)
}

// playVisits plays several at once.
func playVisits(ctx context.Context, list []*visit) {
	var players sync.WaitGroup
	seats := make(chan struct{}, 16)
	for _, v := range list {
		seats <- struct{}{}
		players.Go(func() {
			defer func() { <-seats }()
			v.header, v.runs = v.play(ctx, v.list)
		})
	}
	players.Wait()
}

// startClient joins a client program and the engine.
func startClient(ctx context.Context, args []string, pipes bool, how engine.Invocation) (*engine.Program, error) {
	told := strings.NewReplacer("{host}", how.Host, "{port}", how.Port, "{user}", how.User, "{url}", how.URL)
	c := target.Command{Terminal: !pipes}
	for _, arg := range args {
		c.Args = append(c.Args, told.Replace(arg))
	}
	p, err := target.StartClient(ctx, c, how.Server, how.User)
	if err != nil {
		return nil, err
	}
	v := &view{process: p, screen: screen.New()}
	program := &engine.Program{
		Shown: v.shown,
		Printed: func(from int64) ([]byte, int64) {
			out := p.OutputSince(from)
			var text []byte
			for _, chunk := range out.Chunks {
				text = append(text, chunk.Bytes...)
			}
			return text, out.Size
		},
		Type: func(text string, enter bool) error {
			if enter {
				return p.Type(text)
			}
			return p.Write(text)
		},
		EndInput: p.EndInput,
		Stop: func(how string) error {
			if how == "interrupt" {
				return p.Interrupt()
			}
			return stop(p, how)
		},
		Exited: func() (engine.ProgramEnd, bool) {
			status, ended := p.Exited()
			return engine.ProgramEnd{How: status.String(), Status: status.Code}, ended
		},
		Rest:   p.AwaitRest,
		Notify: p.Notify,
		Close:  func() { _ = p.Stop() },
	}
	if !pipes {
		program.Echoes, program.TerminalChanged = p.Echoes, p.TerminalChanged
	}
	return program, nil
}

// A view is what a client program shows.
type view struct {
	process *target.Process

	mu     sync.Mutex
	screen *screen.Screen
	read   int64 // of the program's output
}

// shown is what has been shown from an offset on, and the offset of its end.
func (v *view) shown(from int) (string, int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := v.process.OutputSince(v.read)
	for _, chunk := range out.Chunks {
		v.screen.Write(chunk.Bytes)
	}
	v.read = out.Size
	return v.screen.Text(from)
}

// TestRightClients plays the suites with the correct client programs: all must
// pass that applies, on a terminal and on pipes.
func TestRightClients(t *testing.T) {
	needsTime(t)
	var visits []*visit
	passed := map[string]map[string]bool{}
	for _, name := range scenarios.Names() {
		suite := clientSuite(t, name)
		passed[name] = map[string]bool{}
		files, err := filepath.Glob(filepath.Join("testdata", "clients", name, "right", "*.*"))
		if err != nil || len(files) == 0 {
			t.Fatalf("there are no correct clients for %s", name)
		}
		files = append(files, filepath.Join("wrong", "client.py")) // correct if it is not told to make a mistake
		for i, file := range files {
			folder := filepath.Base(filepath.Dir(file))
			s, ok := clientProgram(t, filepath.Join(name, folder, filepath.Base(file)), clientArguments[name]...)
			if !ok {
				continue
			}
			for _, onPipes := range []bool{false, true} {
				if *every > 1 && onPipes == (i%2 == 0) {
					continue
				}
				s := s
				s.name = filepath.Base(file) + map[bool]string{false: " on a terminal", true: " on pipes"}[onPipes]
				v := &visit{game: game{suite: suite, server: s, list: share(suite, len(visits))}, pipes: onPipes}
				visits = append(visits, v)
			}
		}
	}
	playVisits(t.Context(), visits)
	for _, v := range visits {
		t.Run(v.suite.Name+"/"+v.server.name, func(t *testing.T) { checkRight(t, &v.game, passed[v.suite.Name]) })
	}
	for _, name := range scenarios.Names() {
		for _, sc := range clientSuite(t, name).Scenarios {
			if *every == 1 && len(passed[name]) > 0 && !passed[name][sc.Name] {
				t.Errorf("%s/%s was passed by no correct client", name, sc.Name)
			}
		}
	}
}

// firstContact stands in the lists for a mistake with which a program cannot
// be used at all, and the report says why.
const firstContact = "first-contact"

// always are mistakes that are made however many are left out.
var always = map[string][]string{
	"framed": {
		"splits-long-line", "loses-half-typed", "answers-messages", "prints-controls-raw", "hangs-when-closed",
		"hangs-when-reset",
	},
	"lines":    {"no-goodbye-at-end", "no-goodbye-on-interrupt"},
	"direct":   {"says-it-and-sends", "prints-no-success"},
	"datagram": {"answers-messages"},
}

// readClientMistakes reads the file that says which scenario finds a mistake,
// and holds it against what client.py says of itself.
func readClientMistakes(t *testing.T, suite *scenario.Suite, wrong server) []*clientMistake {
	t.Helper()
	about := mistakesOf(t, wrong)
	delete(about, "none")
	name := filepath.Join("testdata", "mistakes-client-"+suite.Name+".txt")
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	named := map[string]bool{}
	var list []*clientMistake
	for in, n := bufio.NewScanner(file), 1; in.Scan(); n++ {
		if in.Text() == "" || strings.HasPrefix(in.Text(), "#") {
			continue
		}
		col := strings.Split(in.Text(), "  ")
		if len(col) != 3 && !(len(col) == 4 && col[1] == "-") {
			t.Fatalf("%s:%d: want mistake, scenario, what it does, and after - a reason, with two blanks between them", name, n)
		}
		sc := scenarioOf(suite, col[1])
		switch {
		case about[col[0]] == "":
			t.Errorf("%s:%d: client.py does not make the mistake %s", name, n, col[0])
			continue
		case about[col[0]] != col[2]:
			t.Errorf("%s:%d: client.py says of %s: %s", name, n, col[0], about[col[0]])
		case col[1] == "-" && len(col) == 3:
			t.Errorf("%s:%d: there is no reason why nothing finds %s", name, n, col[0])
		case sc == nil && col[1] != "-" && col[1] != firstContact:
			t.Errorf("%s:%d: there is no client scenario %s", name, n, col[1])
			continue
		}
		delete(about, "seen "+col[0])
		named[col[1]] = true
		if col[1] == "-" && !*full {
			continue
		}
		s := wrong
		s.name = col[0]
		s.args = slices.Concat(wrong.args, []string{"--mistake", col[0]}, clientArguments[suite.Name])
		s.timeout = 700 * time.Millisecond
		m := &clientMistake{visit: visit{game: game{suite: suite, server: s}}, unusable: col[1] == firstContact}
		if sc != nil {
			m.named, m.list = []string{sc.Name}, []*scenario.Scenario{sc}
		}
		list = append(list, m)
	}
	for text := range about {
		if unsaid, ok := strings.CutPrefix(text, "seen "); ok {
			t.Errorf("%s does not say which scenario finds %s", name, unsaid)
		}
	}
	for _, sc := range suite.Scenarios {
		base, _, _ := strings.Cut(sc.Name, "[")
		if !slices.ContainsFunc(suite.Scenarios, func(o *scenario.Scenario) bool {
			b, _, _ := strings.Cut(o.Name, "[")
			return b == base && named[o.Name]
		}) {
			t.Errorf("%s: no mistake is found by %s", name, base)
		}
	}
	return list
}

// A clientMistake is what a line of that file says.
type clientMistake struct {
	visit
	named    []string // the scenario that finds it
	unusable bool     // the first contact does
}

// TestEveryClientMistakeIsFound plays with client programs that make one
// mistake each the scenario that names it.
func TestEveryClientMistakeIsFound(t *testing.T) {
	needsTime(t)
	var visits []*visit
	var played []*clientMistake
	for _, name := range scenarios.Names() {
		if *only != "" && name != *only {
			continue
		}
		suite := clientSuite(t, name)
		wrong := python(t, filepath.Join("..", "clients", name, "wrong", "client.py"))
		for i, m := range readClientMistakes(t, suite, wrong) {
			switch {
			case *full:
				m.list = suite.Scenarios
			case i%max(*every, 1) != 0 && !slices.Contains(always[name], m.server.name):
				continue
			}
			visits, played = append(visits, &m.visit), append(played, m)
		}
	}
	playVisits(t.Context(), visits)
	var list []*mistake // for the matrix
	for _, m := range played {
		// Half a line is not always read before the message comes that is to find it.
		for range 3 {
			if m.found() {
				break
			}
			m.header, m.runs = m.play(t.Context(), m.list)
		}
		t.Run(m.suite.Name+"/"+m.server.name, func(t *testing.T) { m.check(t) })
		list = append(list, &mistake{game: m.game, named: m.named})
	}
	if *full {
		for _, name := range scenarios.Names() {
			matrix(clientSuite(t, name), list)
		}
	}
}

func (m *clientMistake) found() bool {
	return m.unusable || len(m.named) == 0 || slices.ContainsFunc(m.runs, func(run transcript.Run) bool {
		return run.Scenario == m.named[0] && run.Verdict == transcript.Fail
	})
}

func (m *clientMistake) check(t *testing.T) {
	t.Log(m.header.Finding)
	if m.unusable != (m.header.Finding != "") {
		t.Errorf("unusable: %t, but what is said of the program as a whole is %q", m.unusable, m.header.Finding)
	}
	(&mistake{game: m.game, named: m.named}).check(t)
}

// TestNaiveClients plays the suites with client programs as students hand them
// in. Which scenarios do not pass is fixed; what is wrong with a client stands
// at the top of its source.
func TestNaiveClients(t *testing.T) {
	needsTime(t)
	var visits []*visit
	for _, name := range scenarios.Names() {
		suite := clientSuite(t, name)
		files, err := filepath.Glob(filepath.Join("testdata", "clients", name, "naive", "*.py"))
		if err != nil || len(files) == 0 {
			t.Fatalf("there are no naive clients for %s", name)
		}
		for _, file := range files {
			s, ok := clientProgram(t, filepath.Join(name, "naive", filepath.Base(file)), clientArguments[name]...)
			if ok {
				s.timeout = time.Second
				visits = append(visits, &visit{game: game{suite: suite, server: s, list: share(suite, len(visits))}})
			}
		}
	}
	playVisits(t.Context(), visits)
	for _, v := range visits {
		t.Run(v.suite.Name+"/"+v.server.name, func(t *testing.T) {
			checkNaive(t, v, filepath.Join("testdata", "naive", "clients", v.suite.Name, v.server.name+".txt"))
		})
	}
}

// checkNaive plays again, a few times, what contradicts the file, and then
// holds the last of it against the file.
func checkNaive(t *testing.T, v *visit, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			listed[line] = true
			if scenarioOf(v.suite, strings.TrimPrefix(line, "? ")) == nil {
				t.Errorf("%s: there is no client scenario %s", file, line)
			}
		}
	}
	for _, run := range v.runs {
		if run.Verdict == transcript.Error {
			t.Error(inWords(run))
		}
		if listed["? "+run.Scenario] {
			continue // depends on luck
		}
		said := run
		for range 4 {
			if passes(run) != listed[run.Scenario] {
				break
			}
			_, again := v.play(t.Context(), []*scenario.Scenario{scenarioOf(v.suite, run.Scenario)})
			run = again[0]
		}
		switch {
		case passes(run) == listed[run.Scenario]:
			t.Errorf("%s says otherwise (fails: %t): %s", file, listed[run.Scenario], inWords(said))
		case !passes(run):
			t.Log(inWords(run))
		}
	}
}

// TestDegenerateClients plays the suites with client programs that speak no
// protocol at all. Nothing may pass.
func TestDegenerateClients(t *testing.T) {
	needsTime(t)
	var visits []*visit
	for _, name := range scenarios.Names() {
		suite := clientSuite(t, name)
		for _, file := range []string{"silent", "exits", "echo", "noise", "flood"} {
			args := clientArguments[name]
			if suite.Protocol.Transport == "udp" {
				args = append([]string{"--udp"}, args...)
			}
			s := python(t, filepath.Join("..", "clients", "degenerate", file+".py"), args...)
			s.timeout = 300 * time.Millisecond
			visits = append(visits, &visit{game: game{suite: suite, server: s, list: suite.Scenarios}})
		}
	}
	playVisits(t.Context(), visits)
	for _, v := range visits {
		t.Run(v.suite.Name+"/"+v.server.name, func(t *testing.T) { checkDegenerate(t, &v.game) })
	}
}
