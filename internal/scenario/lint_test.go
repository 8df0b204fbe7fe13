package scenario

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/chatprobe/chatprobe/scenarios"
)

// lintText lints a suite of which these are the parts that matter.
func lintText(t *testing.T, protocol, scenarios string) []string {
	t.Helper()
	fsys := fstest.MapFS{
		"x/" + ProtocolFile: {Data: []byte("protocol: x\ntitle: X\nframing: line\n" + protocol)},
		"x/x.yaml":          {Data: []byte("scenarios:\n" + scenarios)},
	}
	s, err := Load(fsys, "x", nil)
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.Lint(fsys, "x")
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, e := range list {
		texts = append(texts, e.Text)
	}
	return texts
}

// A suite that nothing is to be said about. Each test spoils it in one way.
const (
	soundProtocol = `
settings:
  colour: {default: any, one_of: [any, red, green], about: of the room}
requirements:
  R-1: {level: must, text: heard}
  R-2: {level: must, text: shown, of: client}
messages:
  talk: {from: client, line: 'talk {words}'}
  heard: {from: server, line: 'heard {words}'}
`
	soundScenario = `
  - name: heard
    title: what is said is heard
    requirement: R-1
    hint: Write to all.
    when: {colour: red}
    steps:
      - alice connects:
      - alice sends: {talk: {words: hello}}
      - alice receives: {heard: {words: hello}}
`
)

func TestLint(t *testing.T) {
	second := func(rest string) string {
		return soundScenario + strings.Replace(soundScenario, "name: heard", rest, 1)
	}
	tests := []struct {
		name                string
		protocol, scenarios string
		want                []string
	}{
		{"sound", soundProtocol, soundScenario, nil},
		{"requirement without a scenario", strings.Replace(soundProtocol, "  R-2", "  R-9: {level: may, text: x}\n  R-2", 1), soundScenario,
			[]string{"no scenario checks requirement R-9"}},
		{"requirement checked less strictly", soundProtocol, strings.Replace(soundScenario, "hint:", "level: should\n    hint:", 1),
			[]string{"requirement R-1 is a must, and all scenarios that check it are should"}},
		{"one strict scenario is enough", soundProtocol, second("name: other\n    level: should"), nil},
		{"setting without use", soundProtocol, strings.Replace(soundScenario, "    when: {colour: red}\n", "", 1),
			[]string{"nothing depends on the setting colour"}},
		{"setting used in a message", strings.Replace(soundProtocol, "'talk ", "'$colour ", 1), strings.Replace(soundScenario, "    when: {colour: red}\n", "", 1), nil},
		{"setting used in a value", soundProtocol, strings.NewReplacer("    when: {colour: red}\n", "", "{talk: {words: hello}}", "{talk: {words: 'so $colour'}}").Replace(soundScenario), nil},
		{"setting used in a repetition", strings.Replace(soundProtocol, "default: any, one_of: [any, red, green]", "default: 3", 1),
			strings.NewReplacer("    when: {colour: red}\n", "", "{talk: {words: hello}}", "{talk: {words: {repeat: x, times: $colour}}}").Replace(soundScenario), nil},
		{"setting used in an option", strings.Replace(soundProtocol, "default: any, one_of: [any, red, green]", "default: 3", 1),
			strings.NewReplacer("    when: {colour: red}\n", "", "{talk: {words: hello}}", "{talk: {words: hello}}\n        pieces: $colour").Replace(soundScenario), nil},
		{"setting without a word", strings.Replace(soundProtocol, ", about: of the room", "", 1), soundScenario,
			[]string{"nobody is told what the setting colour means"}},
		{"message without use", strings.Replace(soundProtocol, "messages:", "messages:\n  wink: {from: client, line: ';-)'}", 1), soundScenario,
			[]string{"the message wink is never sent and never expected"}},
		{"message that the probe answers with", strings.Replace(soundProtocol, "messages:", "answers: {nudge: wink}\nmessages:\n  nudge: {from: server, line: nudge}\n  wink: {from: client, line: ';-)'}", 1), soundScenario, nil},
		{"message that is passed over", strings.Replace(soundProtocol, "messages:", "ignore: [news]\nmessages:\n  news: {from: server, line: news}", 1), soundScenario, nil},
		{"message under a standard name", strings.Replace(soundProtocol, "messages:", "messages:\n  closing: {from: server, line: bye}", 1), soundScenario, nil},
		{"scenario that says nothing about itself", soundProtocol, strings.NewReplacer("    title: what is said is heard\n", "", "    requirement: R-1\n", "", "    hint: Write to all.\n", "").Replace(soundScenario),
			[]string{"no scenario checks requirement R-1", "heard has no title, no requirement, no hint"}},
		{"scenario that expects nothing", soundProtocol, second("name: idle")[:strings.LastIndex(second("name: idle"), "      - alice receives")],
			[]string{"idle expects nothing: it passes whatever the server does"}},
		{"condition that always holds", soundProtocol, strings.Replace(soundScenario, "{colour: red}", "{colour: [any, red, green]}", 1),
			[]string{"when: colour applies always: these are all values that it can have"}},
		{"tag that is a level", soundProtocol, strings.Replace(soundScenario, "hint:", "tags: [should]\n    hint:", 1),
			[]string{"the tag should does not say how binding heard is"}},
		{"tag misspelt", soundProtocol, strings.Replace(soundScenario, "hint:", "tags: [basics]\n    hint:", 1) +
			strings.NewReplacer("name: heard", "name: b", "hint:", "tags: [basics]\n    hint:").Replace(soundScenario) +
			strings.NewReplacer("name: heard", "name: c", "hint:", "tags: [basic]\n    hint:").Replace(soundScenario),
			[]string{`the tag "basic" is used less than one like it`}},
		{"several runs are one scenario", soundProtocol, strings.NewReplacer("    hint: Write to all.\n", "    each: {n: [a, b]}\n", "hello", "$n").Replace(soundScenario),
			[]string{"heard has no hint"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := lintText(t, test.protocol, test.scenarios); !slices.Equal(got, test.want) {
				t.Errorf("warnings %q, want %q", got, test.want)
			}
		})
	}
}

// What a variant has from elsewhere is not its author's concern.
func TestLintVariant(t *testing.T) {
	fsys := fstest.MapFS{"x/" + ProtocolFile: {Data: []byte("extends: lines\nprotocol: x\nmessages:\n  wink: {from: client, line: ';-)'}\n")}}
	s, err := Load(fsys, "x", scenarios.Files)
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.Lint(fsys, "x")
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].Text != "the message wink is never sent and never expected" || list[0].Pos.Line != 4 {
		t.Errorf("warnings %v, want one about wink in line 4", list)
	}
}

// Nothing is to be said about the built-in suites.
func TestLintBuiltIn(t *testing.T) {
	for _, name := range scenarios.Names() {
		s, err := Load(scenarios.Files, name, scenarios.Files)
		if err != nil {
			t.Fatal(err)
		}
		list, err := s.Lint(scenarios.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, warning := range list {
			t.Error(warning)
		}
	}
}
