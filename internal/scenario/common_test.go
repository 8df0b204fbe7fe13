package scenario

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/chatprobe/chatprobe/internal/wire"
)

// baseText is the protocol of a library. It ends with its requirements, so
// that a test may add some.
const baseText = `
protocol: base
framing: line
settings:
  echo: {default: any, one_of: [any, yes, no]}
messages:
  login: {from: client, line: 'LOGIN {user}'}
  say: {from: client, line: '{user}: {text...}'}
  hear: {from: server, line: '{user}: {text...}'}
procedures: {login: [client sends: login]}
fence: {token: {say: {text: $token}}, arrives: {hear: {user: $self, text: $token}}}
requirements:
  B-1: {level: must, text: one}
`

const commonText = `
scenarios:
  - name: all-hear
    clients: [alice, bob]
    steps:
      - alice sends: {say: {text: hi, colour: red}}
      - bob receives: {hear: {user: $alice, text: hi, mood: good}}
    after: [in-rooms, by-word]
  - name: by-word
    level: should
    clients: [alice, bob]
    steps: [alice closes: ]
  - name: in-rooms
    clients: [alice, bob]
    steps: [alice sends: {enter: {room: one}}]
  - name: with-moods
    needs: [hear.mood]
    clients: [alice, bob]
    steps: [alice closes: ]
  - name: with-colours
    when: {colour: red}
    clients: [alice, bob]
    steps: [alice closes: ]
  - name: in-a-tongue
    clients: [alice, bob]
    steps: [alice does: translate]
`

// loadCommon loads a suite of baseText with more requirements and a file of
// its own, beside the common scenarios.
func loadCommon(requirements, own string) (*Suite, error) {
	fsys := fstest.MapFS{"suite/" + ProtocolFile: {Data: []byte(baseText + requirements)}}
	if own != "" {
		fsys["suite/own.yaml"] = &fstest.MapFile{Data: []byte(own)}
	}
	return Load(fsys, "suite", fstest.MapFS{"common/all.yaml": {Data: []byte(commonText)}})
}

// summary is the scenarios of a suite with their levels, requirements and what
// they come after.
func summary(s *Suite) string {
	var list []string
	for _, sc := range s.Scenarios {
		text := sc.Name + " " + string(sc.Level)
		if sc.Requirement != nil {
			text += " " + sc.Requirement.ID
		}
		if len(sc.After) > 0 {
			text += " after " + strings.Join(sc.After, " ")
		}
		if sc.Common {
			text += " common"
		}
		list = append(list, text)
	}
	return strings.Join(list, "; ")
}

func TestCommon(t *testing.T) {
	const mine = "scenarios:\n  - name: by-word\n    requirement: B-1\n    steps: [alice connects: ]\n"
	for _, tt := range []struct{ name, requirements, own, want string }{
		{"all that fit", "", "", "all-hear must after by-word common; by-word should common"},
		{"one's own goes before", "", mine, "all-hear must after by-word common; by-word must B-1"},
		{"only those that a requirement takes", "  B-2: {level: must, text: two, common: [all-hear]}", "", "all-hear must B-2 common"},
		{"a requirement lowers", "  B-2: {level: may, text: two, common: [all-hear, by-word]}", "",
			"all-hear may B-2 after by-word common; by-word may B-2 common"},
		{"a requirement does not raise", "  B-2: {level: must, text: two, common: [by-word]}", "", "by-word should B-2 common"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			suite, err := loadCommon(tt.requirements, tt.own)
			if err != nil {
				t.Fatal(err)
			}
			if got := summary(suite); got != tt.want {
				t.Errorf("got %s\nwant %s", got, tt.want)
			}
		})
	}
}

// A parameter that a message of this protocol does not have is dropped.
func TestCommonDropsParameters(t *testing.T) {
	suite, err := loadCommon("", "")
	if err != nil {
		t.Fatal(err)
	}
	sc := suite.Scenarios[0]
	sent := sc.Steps[0].Do.(Send).Messages[0].Args
	heard := sc.Steps[1].Do.(Receive).Messages[0].Args
	if len(sent) != 1 || len(heard) != 2 || !sent["text"].IsSet() || !heard["user"].IsSet() || !heard["text"].IsSet() {
		t.Errorf("it sends %v and receives %v", sent, heard)
	}
	if _, err := loadCommon("", "scenarios:\n  - name: one\n    clients: [alice, bob]\n    steps: [{alice sends: {say: {text: hi, colour: red}}}]\n"); err == nil {
		t.Error("a scenario of the suite itself may not have such parameters")
	}
}

func TestCommonErrors(t *testing.T) {
	for _, tt := range []struct{ name, requirements, want string }{
		{"there is none", "  B-2: {level: must, text: two, common: [all-heer]}", `suite/protocol.yaml:14:3: there is no common scenario "all-heer"`},
		{"a message is missing", "  B-2: {level: must, text: two, common: [in-rooms]}",
			`suite/protocol.yaml:14:3: the common scenario in-rooms does not fit this protocol: common/all.yaml:15:27: the protocol has no message "enter"`},
		{"a parameter is missing", "  B-2: {level: must, text: two, common: [with-moods]}",
			`suite/protocol.yaml:14:3: the common scenario with-moods does not fit this protocol: common/all.yaml:17:13: needs: the protocol has no "hear.mood"`},
		{"a setting is missing", "  B-2: {level: must, text: two, common: [with-colours]}",
			`suite/protocol.yaml:14:3: the common scenario with-colours does not fit this protocol: common/all.yaml:21:12: there is no setting "colour"`},
		{"a procedure is missing", "  B-2: {level: must, text: two, common: [in-a-tongue]}",
			`suite/protocol.yaml:14:3: the common scenario in-a-tongue does not fit this protocol: common/all.yaml:26:25: the protocol has no procedure "translate"`},
		{"it is taken twice", "  B-2: {level: must, text: two, common: [by-word]}\n  B-3: {level: must, text: three, common: [by-word]}",
			`suite/protocol.yaml:15:3: the common scenario by-word checks B-2 already`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := loadCommon(tt.requirements, "")
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
		})
	}
}

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

func one(name, requirement string) *fstest.MapFile {
	return file("scenarios:\n  - name: " + name + "\n    requirement: " + requirement + "\n    steps: [alice connects: ]\n")
}

// A variant has the scenarios of what it extends, unless it has one of the same
// name, and not those that do not fit it any more.
func TestExtends(t *testing.T) {
	library := fstest.MapFS{
		"base/protocol.yaml": file(baseText),
		"base/a.yaml":        one("first", "B-1"),
		"base/b.yaml":        one("second", "B-1"),
		"base/c.yaml":        file("scenarios:\n  - name: third\n    clients: [alice, bob]\n    steps: [{alice sends: {say: {text: x}}}]\n    after: [second]\n"),
		"mid/protocol.yaml":  file("protocol: mid\nextends: base\nrequirements: {M-1: {level: should, text: m}}\n"),
		"mid/a.yaml":         one("second", "M-1"),
	}
	for _, tt := range []struct {
		name, protocol, scenarios, want string
	}{
		{"nothing of its own", "protocol: mine\nextends: base\n", "", "first must B-1; second must B-1; third must after second"},
		{"one of its own", "protocol: mine\nextends: base\nrequirements: {X-1: {level: may, text: x}}\n", "first", "second must B-1; third must after second; first may X-1"},
		{"by way of another", "protocol: mine\nextends: mid\n", "", "first must B-1; third must after second; second should M-1"},
		{"a requirement changed", "protocol: mine\nextends: base\nrequirements: {B-1: {level: may}}\n", "", "first may B-1; second may B-1; third must after second"},
		{"a message less", "protocol: mine\nextends: base\nmessages: {say: }\nfence: {question: login, answer: hear}\n", "", "first must B-1; second must B-1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fsys := fstest.MapFS{"mine/protocol.yaml": file(tt.protocol)}
			if tt.scenarios != "" {
				fsys["mine/x.yaml"] = one(tt.scenarios, "X-1")
			}
			suite, err := Load(fsys, "mine", library)
			if err != nil {
				t.Fatal(err)
			}
			if got := summary(suite); got != tt.want {
				t.Errorf("got %s\nwant %s", got, tt.want)
			}
			if suite.Name != "mine" || suite.Protocol.Message("hear") == nil {
				t.Errorf("it is called %s and has the messages %v", suite.Name, suite.Protocol.Messages())
			}
		})
	}
}

// What is extended may lie beside the suite as well as in the library.
func TestExtendsBeside(t *testing.T) {
	fsys := fstest.MapFS{
		"suites/base/protocol.yaml": file(baseText),
		"suites/base/a.yaml":        one("first", "B-1"),
		"suites/mine/protocol.yaml": file("protocol: mine\nextends: base\n"),
	}
	suite, err := Load(fsys, "suites/mine", nil)
	if err != nil || summary(suite) != "first must B-1" || suite.Scenarios[0].Level != wire.Must {
		t.Errorf("%+v, %v", suite, err)
	}
}

func TestExtendsErrors(t *testing.T) {
	library := fstest.MapFS{
		"base/protocol.yaml":  file(baseText),
		"other/protocol.yaml": file(baseText),
		"ring/protocol.yaml":  file("protocol: ring\nextends: rang\n"),
		"rang/protocol.yaml":  file("protocol: rang\nextends: ring\n"),
		"common/x.yaml":       file(commonText),
	}
	for _, tt := range []struct{ name, extends, want string }{
		{"misspelt", "bace", `mine/protocol.yaml:2:10: there is no suite "bace", neither built in nor beside this one: did you mean "base"?`},
		{"unknown", "zebra", `mine/protocol.yaml:2:10: there is no suite "zebra", neither built in nor beside this one: known are base, other, rang, ring`},
		{"in a ring", "ring", `rang/protocol.yaml:2:10: ring extends itself, by way of rang`},
		{"itself", "mine", "mine/protocol.yaml:2:10: mine extends itself"},
		{"no protocol", "common", "mine/protocol.yaml:2:10: common is no protocol"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(fstest.MapFS{"mine/protocol.yaml": file("protocol: mine\nextends: " + tt.extends + "\n")}, "mine", library)
			if err == nil {
				t.Fatal("it loads")
			}
			lines := slices.Collect(strings.Lines(err.Error()))
			if !slices.Contains(lines, tt.want+"\n") {
				t.Errorf("got\n%v\nwant %s", err, tt.want)
			}
		})
	}
}

// A value in JSON is sent as what it is written as.
func TestJSONParameters(t *testing.T) {
	const protocol = `
protocol: json
framing: line
messages:
  say: {from: client, json: {id: '{id}', text: '{user}: {text}'}}
  hear: {from: server, json: {id: '{id}'}}
`
	for written, want := range map[string]any{
		"5": wire.Raw("5"), "-1.5e3": wire.Raw("-1.5e3"), "true": wire.Raw("true"), "null": wire.Raw("null"),
		"'5'": "5", `"true"`: "true", "five": "five", "05": "05", "5x": "5x", "'$$5'": "$5",
	} {
		sc := playIn(t, protocol, "steps:\n  - alice connects:\n  - alice sends: {say: {id: "+written+", user: a, text: '7'}}")
		args := sc.Steps[1].Do.(Send).Messages[0].Args
		got, err := args["id"].Expand(nil)
		if err != nil || got != want {
			t.Errorf("%s is sent as %T %v, %v", written, got, got, err)
		}
		if text, _ := args["text"].Expand(nil); text != "7" {
			t.Errorf("a part of a text is sent as %T %v", text, text)
		}
	}
	list := playIn(t, protocol, "steps:\n  - alice connects:\n  - alice sends: {say: {id: [a, b], user: a, text: x}}").Steps[1].Do.(Send).Messages[0].Args["id"]
	if got, err := list.Expand(nil); err != nil || len(got.([]any)) != 2 {
		t.Errorf("a list is sent as %v, %v", got, err)
	}
}

// Where what is extended cannot be had, that is all that is said: whatever is
// missing in the file may stand there.
func TestExtendsNothing(t *testing.T) {
	_, err := Load(fstest.MapFS{"mine/protocol.yaml": file("protocol: mine\nextends: base\n")}, "mine", nil)
	if err == nil || strings.Contains(err.Error(), "a protocol needs") || !strings.Contains(err.Error(), `there is no suite "base"`) {
		t.Errorf("got %v", err)
	}
}
