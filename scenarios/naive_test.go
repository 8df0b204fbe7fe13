package scenarios_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// TestNaiveServers plays everything against servers as students hand them in.
// Which scenarios do not pass is fixed; what is wrong with a server stands at
// the top of its source.
func TestNaiveServers(t *testing.T) {
	games := []*game{
		{server: python(t, filepath.Join("framed", "naive", "recv1024.py"), "{port}")},
		{server: python(t, filepath.Join("framed", "naive", "selectnaive.py"), "{port}")},
	}
	if program := compile(t, filepath.Join("testdata", "servers", "framed", "naive", "naive.c")); program != "" {
		games = append(games, &game{server: server{name: "naive", args: []string{program, "{port}"}}})
	}
	for _, g := range games {
		g.server = g.server.with("echo=no byte_order=big roster_within=8s")
		g.server.timeout = time.Second
	}
	playAll(t.Context(), suite(t, "framed"), games)
	for _, g := range games {
		t.Run(g.server.name, func(t *testing.T) { checkFailures(t, g) })
	}
}

// checkFailures holds what did not pass against testdata/naive/NAME.txt: a line
// for each scenario that never passes, and "? SCENARIO" for one that depends on
// luck, because the server has a race. "? *" stands for all others.
func checkFailures(t *testing.T, g *game) {
	file := filepath.Join("testdata", "naive", g.server.name+".txt")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	luck := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		name, lucky := strings.CutPrefix(strings.TrimSpace(line), "? ")
		if name != "" && !strings.HasPrefix(name, "#") {
			luck[name] = lucky
		}
	}
	for _, run := range g.runs {
		lucky, listed := luck[run.Scenario]
		delete(luck, run.Scenario)
		switch run.Verdict {
		case transcript.Pass, transcript.Skip:
			if listed && !lucky {
				t.Errorf("%s says that it fails: %s", file, inWords(run))
			}
		case transcript.Error:
			t.Error(inWords(run))
		default:
			t.Log(inWords(run))
			if !listed && !luck["*"] {
				t.Errorf("%s does not say that it fails: %s", file, inWords(run))
			}
		}
	}
	delete(luck, "*")
	for name := range luck {
		t.Errorf("%s: there is no scenario %s", file, name)
	}
}

// compile compiles a C program, where there is a compiler.
func compile(t *testing.T, source string) (program string) {
	t.Helper()
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Run(filepath.Base(source), func(t *testing.T) { missing(t, "gcc", err) })
		return ""
	}
	program = filepath.Join(t.TempDir(), "server")
	if out, err := exec.Command(gcc, "-O", "-pthread", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}
