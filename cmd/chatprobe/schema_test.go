package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/source"
	"github.com/chatprobe/chatprobe/scenarios"
)

func loadSchema(t *testing.T, name string) map[string]any {
	t.Helper()
	text, err := schema(name)
	if err != nil {
		t.Fatal(err)
	}
	var s map[string]any
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// at follows keys, and numbers of a list, into a schema.
func at(t *testing.T, s any, path ...any) map[string]any {
	t.Helper()
	for _, step := range path {
		switch step := step.(type) {
		case string:
			s = s.(map[string]any)[step]
		case int:
			s = s.([]any)[step]
		}
	}
	found, ok := s.(map[string]any)
	if !ok {
		t.Fatalf("the schema has nothing at %v", path)
	}
	return found
}

// keys are the properties that schemas have.
func keys(t *testing.T, list ...map[string]any) []string {
	t.Helper()
	var names []string
	for _, s := range list {
		for name := range at(t, s, "properties") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// testProtocol is a protocol file, of which the pieces before | are replaced.
const testProtocol = `protocol: x
framing: fields
settings:
  size: {default: 1}
requirements:
  R-1: {level: must, text: heard}
messages:
  frame: {fields: [{name: Length, type: u8}, {name: Text, type: text, size: Length}]}
  talk: {is: frame, from: client, where: {Text: '{text}'}}
  heard: {is: frame, from: server, where: {Text: '{text}'}}
procedures:
  enter: [client sends: {talk: {text: hello}}]
fence: {token: {talk: {text: $token}}, arrives: {heard: {text: $token}}}
`

// known loads a suite in which zz stands somewhere, and returns what the
// loader says could stand there.
func known(t *testing.T, protocol, scenarios string) []string {
	t.Helper()
	fsys := fstest.MapFS{"x/" + scenario.ProtocolFile: {Data: []byte(protocol)}}
	if scenarios != "" {
		fsys["x/x.yaml"] = &fstest.MapFile{Data: []byte(scenarios)}
	}
	_, err := scenario.Load(fsys, "x", nil)
	var list source.List
	errors.As(err, &list)
	for _, e := range list {
		if !strings.Contains(e.Text, `"zz"`) {
			continue
		}
		for _, before := range []string{"known are ", "the only one is "} {
			if words, ok := strings.CutPrefix(e.Hint, before); ok {
				names := strings.Split(words, ", ")
				slices.Sort(names)
				return names
			}
		}
		if e.Hint == "it takes none" {
			return nil
		}
	}
	t.Fatalf("the loader does not say what could stand instead of zz in\n%s%s\n%v", protocol, scenarios, err)
	return nil
}

// TestSchemaKeys asks the loader for its keys: a schema has the same.
func TestSchemaKeys(t *testing.T) {
	protocol, scen := loadSchema(t, "protocol"), loadSchema(t, "scenario")
	with := func(old, new string) string {
		if !strings.Contains(testProtocol, old) {
			t.Fatalf("there is no %q in the protocol", old)
		}
		return strings.Replace(testProtocol, old, new, 1)
	}
	steps := func(text string) string {
		return "scenarios:\n  - name: x\n    clients: [alice]\n    steps:\n    - " + text + "\n"
	}
	defs := func(name string) map[string]any { return at(t, protocol, "$defs", name) }
	framing := func(i int) map[string]any { return at(t, protocol, "$defs", "framing", "anyOf", i) }
	tests := []struct {
		name             string
		inSchema, loader []string
	}{
		{"protocol.yaml", keys(t, protocol), known(t, testProtocol+"zz: 1\n", "")},
		{"a setting", keys(t, defs("setting")), known(t, with("{default", "{zz: 1, default"), "")},
		{"a requirement", keys(t, defs("requirement")), known(t, with("{level", "{zz: 1, level"), "")},
		{"a message", keys(t, defs("kind")), known(t, with("talk: {", "talk: {zz: 1, "), "")},
		{"a field", keys(t, defs("field")), known(t, with("{name: Length", "{zz: 1, name: Length"), "")},
		{"the fence", keys(t, defs("fence")), known(t, with("fence: {", "fence: {zz: 1, "), "")},
		{"framing", keys(t, framing(1), framing(2)), known(t, with("framing: fields", "framing: {length: u8, zz: 1}"), "")},
		{"the end of a line", keys(t, at(t, framing(1), "properties", "line")), known(t, with("framing: fields", "framing: {line: {end: lf, zz: 1}}"), "")},
		{"a scenario file", keys(t, scen), known(t, testProtocol, "zz: 1\nscenarios: []\n")},
		{"a scenario", keys(t, at(t, scen, "$defs", "scenario")), known(t, testProtocol, "scenarios:\n  - {name: x, zz: 1, steps: []}\n")},
		{"a value", keys(t, at(t, scen, "$defs", "value", "anyOf", 2), at(t, scen, "$defs", "value", "anyOf", 3)),
			known(t, testProtocol, steps("alice sends: {talk: {text: {zz: 1}}}"))},
		{"what is printed", keys(t, at(t, scen, "$defs", "step", "patternProperties", "^server (prints)$", "anyOf", 1)),
			known(t, testProtocol, steps("server prints: {zz: 1}"))},
	}
	for _, test := range tests {
		if !slices.Equal(test.inSchema, test.loader) {
			t.Errorf("%s: the schema has the keys\n%v\nand the loader takes\n%v", test.name, test.inSchema, test.loader)
		}
	}
	if !reflect.DeepEqual(at(t, protocol, "$defs", "step"), at(t, scen, "$defs", "step")) {
		t.Error("a step of a procedure looks different from one of a scenario")
	}
}

var alternatives = regexp.MustCompile(`\(([a-z |-]+)\)\$$`)

// TestSchemaVerbs does the same for verbs and their options.
func TestSchemaVerbs(t *testing.T) {
	step := at(t, loadSchema(t, "scenario"), "$defs", "step")
	verbs := map[string][]string{} // by who
	for pattern := range at(t, step, "patternProperties") {
		m := alternatives.FindStringSubmatch(pattern)
		if m == nil {
			t.Fatalf("%s names no verbs", pattern)
		}
		who := "alice"
		for _, name := range []string{"server", "program"} {
			if strings.HasPrefix(pattern, "^"+name) {
				who = name
			}
		}
		verbs[who] = append(verbs[who], strings.Split(m[1], "|")...)
		for _, verb := range strings.Split(m[1], "|") {
			if !regexp.MustCompile(pattern).MatchString(who + " " + verb) {
				t.Errorf("%s does not match %s %s", pattern, who, verb)
			}
		}
	}
	options := map[string]bool{}
	for _, who := range []string{"alice", "server", "program"} {
		head := "scenarios:\n  - name: x\n    clients: [alice]\n    steps:\n    - "
		if who == "program" {
			head = "tests: client\n" + head
		}
		for _, verb := range known(t, testProtocol, head+who+" zz:\n") {
			if !slices.Contains(verbs[who], verb) {
				t.Errorf("the schema does not know %s %s", who, verb)
			}
		}
		for _, verb := range verbs[who] {
			text := head
			if slices.Contains([]string{"sends", "closes", "resets"}, verb) && who == "server" {
				text = "tests: client\n" + head
			}
			for _, option := range known(t, testProtocol, text+who+" "+verb+": x\n      zz: 1\n") { // fails where there is no such verb
				options[option] = true
			}
		}
	}
	for _, option := range keys(t, step) {
		if !options[option] {
			t.Errorf("the schema has the option %s, and no verb takes it", option)
		}
		delete(options, option)
	}
	for option := range options {
		t.Errorf("the schema does not know the option %s", option)
	}
}

// TestSchemaTakesFiles validates every file that loads.
func TestSchemaTakesFiles(t *testing.T) {
	files := 0
	check := func(fsys fs.FS) {
		err := fs.WalkDir(fsys, ".", func(name string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(name) != ".yaml" {
				return err
			}
			data, err := fs.ReadFile(fsys, name)
			if err != nil {
				return err
			}
			files++
			for _, complaint := range validate(t, kindOf(name), data) {
				t.Errorf("%s: %s", name, complaint)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	check(scenarios.Files)
	check(os.DirFS("../../scenarios/testdata/suites"))
	check(newSuite)
	if files < 20 {
		t.Errorf("only %d files were found", files)
	}
}

// kindOf is which schema a file is for.
func kindOf(name string) string {
	if filepath.Base(name) == scenario.ProtocolFile {
		return "protocol"
	}
	return "scenario"
}

// TestSchemaRefuses validates files with what an editor should mark.
func TestSchemaRefuses(t *testing.T) {
	for _, test := range []struct{ kind, text string }{
		{"protocol", testProtocol + "zz: 1\n"},
		{"protocol", "title: neither a name nor messages\n"},
		{"protocol", strings.Replace(testProtocol, "must", "most", 1)},
		{"protocol", strings.Replace(testProtocol, "u8", "u9", 1)},
		{"protocol", strings.Replace(testProtocol, "from: client", "from: clinet", 1)},
		{"protocol", strings.Replace(testProtocol, "framing: fields", "framing: {length: u8, zz: 1}", 1)},
		{"protocol", strings.Replace(testProtocol, "framing: fields", "port: 70000\nframing: fields", 1)},
		{"protocol", strings.Replace(testProtocol, "client sends", "client sendz", 1)},
		{"scenario", "about: nothing\n"},
		{"scenario", "scenarios:\n  - {name: x}\n"},
		{"scenario", "scenarios:\n  - {name: Not a name, steps: []}\n"},
		{"scenario", "scenarios:\n  - {name: x, stpes: [], steps: []}\n"},
		{"scenario", "scenarios:\n  - {name: x, level: most, steps: []}\n"},
		{"scenario", "scenarios:\n  - {name: x, steps: [alice sayz: hello]}\n"},
		{"scenario", "scenarios:\n  - {name: x, steps: [{alice sends: talk, tmies: 2}]}\n"},
		{"scenario", "scenarios:\n  - {name: x, steps: [{alice sends: {talk: {text: a}, heard: {text: b}}}]}\n"},
		{"scenario", "scenarios:\n  - {name: x, steps: [alice sends]}\n"},
	} {
		if complaints := validate(t, test.kind, []byte(test.text)); len(complaints) == 0 {
			t.Errorf("the schema takes this %s:\n%s", test.kind, test.text)
		}
	}
	for _, name := range []string{"../../internal/scenario/testdata/wrong/keys.yaml", "../../internal/wire/testdata/wrong/keys.yaml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		kind := "scenario"
		if strings.Contains(name, "wire") {
			kind = "protocol"
		}
		if len(validate(t, kind, data)) == 0 {
			t.Errorf("the schema takes %s, which has wrong keys", name)
		}
	}
}
