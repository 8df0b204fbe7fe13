package scenario

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/chatprobe/chatprobe/internal/golden"
	"github.com/chatprobe/chatprobe/internal/source"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// loadText loads a suite of the protocol in testdata and these scenario files.
func loadText(t testing.TB, files map[string]string) (*Suite, error) {
	t.Helper()
	protocol, err := os.ReadFile("testdata/protocol.yaml")
	if err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{ProtocolFile: {Data: protocol}}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return Load(fsys, ".", nil)
}

// play loads one scenario, of which text is everything but the name.
func play(t testing.TB, text string) *Scenario {
	t.Helper()
	suite, err := loadText(t, map[string]string{"play.yaml": "scenarios:\n  - name: play\n    " +
		strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")})
	if err != nil {
		t.Fatal(err)
	}
	return suite.Scenarios[0]
}

// Each wrong file has all its errors at once, as a user sees them.
func TestLoadErrors(t *testing.T) {
	for _, file := range golden.Glob(t, "testdata/wrong/*.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			suite, err := loadText(t, map[string]string{filepath.Base(file): string(text)})
			checkGolden(t, file, suite, err)
		})
	}
	for _, file := range golden.Glob(t, "testdata/wrong-protocol/*.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			suite, err := Load(fstest.MapFS{ProtocolFile: {Data: text}}, ".", nil)
			checkGolden(t, file, suite, err)
		})
	}
}

func checkGolden(t *testing.T, file string, suite *Suite, err error) {
	t.Helper()
	var list source.List
	if suite != nil || !errors.As(err, &list) {
		t.Fatalf("loaded: %v, %v", suite, err)
	}
	for _, e := range list {
		if e.Pos.Line == 0 {
			t.Errorf("an error without a line: %v", e)
		}
	}
	golden.Check(t, golden.Beside(file), err.Error()+"\n")
}

// Errors of several files come together, in the order of the files.
func TestLoadErrorsOfSeveralFiles(t *testing.T) {
	const one = "scenarios:\n  - name: one\n    steps: [alice connects: ]\n"
	_, err := loadText(t, map[string]string{"b.yaml": one, "a.yml": one, "c.yaml": "scenarios: []\nabuot: x\n"})
	want := []string{
		`b.yaml:2:11: the name "one" is used already, in a.yml:2`,
		`c.yaml:2:1: unknown key "abuot": did you mean "about"?`,
	}
	var got []string
	for line := range strings.Lines(err.Error()) {
		if !strings.HasPrefix(line, " ") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%v", err)
	}
}

func TestLoad(t *testing.T) {
	suite, err := loadText(t, map[string]string{
		"z.yaml":     "scenarios:\n  - name: last\n    steps: [alice connects: ]\n",
		"a.yml":      "about: All of it.\nscenarios:\n  - name: first-of-all\n    title: the first\n    requirement: C-2\n    tags: [x, y]\n    hint: >\n      Think.\n    when: {echo: [yes, no]}\n    after: [last]\n    steps: [alice connects: ]\n  - name: second\n    requirement: C-1\n    level: should\n    steps: [alice connects: ]\n",
		"notes.txt":  "this is no scenario",
		"old/a.yaml": "neither is this",
	})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, sc := range suite.Scenarios {
		names = append(names, sc.Name)
	}
	if got := strings.Join(names, " "); got != "first-of-all second last" {
		t.Errorf("the scenarios are %s", got)
	}
	if suite.Name != "chat" {
		t.Errorf("the suite is called %q", suite.Name)
	}
	first, second, last := suite.Scenarios[0], suite.Scenarios[1], suite.Scenarios[2]
	if first.Title != "the first" || first.About != "All of it." || first.Hint != "Think." || first.Level != wire.Should ||
		first.Requirement.ID != "C-2" || !slices.Equal(first.Tags, []string{"x", "y"}) || !slices.Equal(first.After, []string{"last"}) {
		t.Errorf("got %+v", first)
	}
	if second.Level != wire.Should || second.Requirement.ID != "C-1" {
		t.Errorf("a lowered level: %s", second.Level)
	}
	if last.Title != "last" || last.Level != wire.Must || last.Requirement != nil || last.About != "" {
		t.Errorf("got %+v", last)
	}
	if suite.Procedure("hello") == nil || suite.Procedure("hello").Settles() || !suite.Procedure("login").Settles() || suite.Procedure("x") != nil {
		t.Error("procedures are not found, or settle wrongly")
	}
	if suite.Fence == nil || suite.Fence.Token.Message != "say" || suite.Fence.Arrives.Message != "hear" {
		t.Errorf("the fence is %+v", suite.Fence)
	}
}

// A folder with [ in its name is a folder, and a suite is called by its folder.
func TestLoadFolder(t *testing.T) {
	protocol, err := os.ReadFile("testdata/protocol.yaml")
	if err != nil {
		t.Fatal(err)
	}
	suite, err := Load(fstest.MapFS{
		"suites/my[1]/protocol.yaml": {Data: protocol},
		"suites/my[1]/a.yaml":        {Data: []byte("scenarios:\n  - name: one\n    steps: [alice connects: ]\n")},
	}, "suites/my[1]", nil)
	if err != nil || suite.Name != "my[1]" || len(suite.Scenarios) != 1 {
		t.Errorf("%+v, %v", suite, err)
	}
	if _, err := Load(fstest.MapFS{"x.yaml": {}}, ".", nil); !errors.Is(err, fs.ErrNotExist) ||
		!strings.Contains(err.Error(), "a suite is a folder with a protocol.yaml") {
		t.Errorf("without a protocol: %v", err)
	}
}

// What a scenario needs of its protocol file is said before it is played.
func TestLoadWithoutRoom(t *testing.T) {
	const head = "protocol: p\nframing: fields\nmessages:\n  say: {from: client, fields: [{name: L, type: u8}, {name: text, type: text, size: L}]}\n"
	for _, tt := range []struct{ protocol, steps, want string }{
		{head, "[alice connects: , alice sends: {say: {text: x}}]", ""},
		{head, "[alice connects: , alice stays connected: ]", "a.yaml:2:11: one has clients that log in, and protocol.yaml has no procedure called login"},
		{head + "procedures: {login: [client sends: {say: {text: $self}}]}\n", "[alice does: login]",
			"a.yaml:2:11: one has clients that log in, and protocol.yaml has no fence:, which shows that the server is done with that"},
	} {
		_, err := Load(fstest.MapFS{ProtocolFile: {Data: []byte(tt.protocol)}, "a.yaml": {Data: []byte("scenarios:\n  - name: one\n    steps: " + tt.steps)}}, ".", nil)
		got := ""
		if err != nil {
			got, _, _ = strings.Cut(err.Error(), "\n")
		}
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.steps, got, tt.want)
		}
	}
}

func TestEach(t *testing.T) {
	suite, err := loadText(t, map[string]string{"a.yaml": `
scenarios:
  - name: many
    title: the title
    each: {text: [a, 'b c', 10], size: [1, 2]}
    clients: [alice, bob]
    steps:
      - alice sends: {say: {text: $text}}
        pieces: $size
`})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, sc := range suite.Scenarios {
		send := sc.Steps[0].Do.(Send)
		text, _ := send.Messages[0].Args["text"].Text(nil)
		pieces, _ := send.How.Pieces.Int(nil)
		if want := "many[text=" + text + "][size=" + string(rune('0'+pieces)) + "]"; sc.Name != want || sc.Title != "the title" {
			t.Errorf("%s, %q plays %s", sc.Name, sc.Title, want)
		}
		got = append(got, sc.Name)
	}
	want := "many[text=a][size=1] many[text=a][size=2] many[text=b c][size=1] many[text=b c][size=2] many[text=10][size=1] many[text=10][size=2]"
	if strings.Join(got, " ") != want {
		t.Errorf("got %q", got)
	}
}
