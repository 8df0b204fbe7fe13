package scenario

import (
	"strings"
	"testing"
	"testing/fstest"
)

// askingText is a protocol whose server answers a question, so that nobody
// needs a witness.
const askingText = `
protocol: asking
framing: fields
messages:
  login: {from: client, fields: [{name: T, type: u8, contents: 1}, {name: L, type: u8}, {name: user, type: text, size: L}]}
  list: {from: client, fields: [{name: T, type: u8, contents: 2}]}
  leave: {from: client, fields: [{name: T, type: u8, contents: 4}]}
  listed: {from: server, fields: [{name: T, type: u8, contents: 5}, {name: N, type: u8}, {repeat: N, name: users, fields: [{name: L, type: u8}, {name: user, type: text, size: L}]}]}
  ok: {from: server, fields: [{name: T, type: u8, contents: 6}]}
procedures: {login: [client sends: login, {client receives: ok, optional: yes}]}
fence: {question: list, answer: listed}
`

// udpText is a protocol of datagrams.
const udpText = `
protocol: datagrams
transport: udp
messages:
  login: {from: client, text: HELLO}
  say: {from: client, text: 'SAY {text...}'}
  hear: {from: server, text: 'HEAR {text...}'}
procedures: {login: [client sends: login]}
fence: {token: {say: {text: $token}}, arrives: {hear: {text: $token}}}
`

// partingText is a protocol by lines with a word of goodbye.
const partingText = `
protocol: parting
framing: line
messages:
  login: {from: client, line: 'LOGIN {user}'}
  say: {from: client, line: '{user}: {text...}'}
  leave: {from: client, line: 'BYE'}
  hear: {from: server, line: '{user}: {text...}'}
procedures: {login: [client sends: login]}
fence: {token: {say: {text: $token}}, arrives: {hear: {user: $self, text: $token}}}
`

// loadIn loads one scenario of a protocol; text is all but its name.
func loadIn(protocol, text string) (*Suite, error) {
	return Load(fstest.MapFS{
		ProtocolFile: {Data: []byte(protocol)},
		"play.yaml":  {Data: []byte("scenarios:\n  - name: play\n    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    "))},
	}, ".", nil)
}

func playIn(t testing.TB, protocol, text string) *Scenario {
	t.Helper()
	suite, err := loadIn(protocol, text)
	if err != nil {
		t.Fatal(err)
	}
	return suite.Scenarios[0]
}

// What proves silence depends on what the protocol has.
func TestFencesOfOtherProtocols(t *testing.T) {
	const ab, abc = "alice, bob", "alice, bob, carol"
	for _, tt := range []struct {
		name, protocol, clients, steps string
		want                           []string
		hidden                         bool
	}{
		{"the sender and the receiver ask", askingText, abc, "alice sends: list | bob receives no: ok",
			[]string{"alice by question to carol; bob asks"}, false},
		{"one alone asks", askingText, "alice", "alice sends: list | alice receives nothing:",
			[]string{"alice by question to hidden; alice asks"}, false},
		{"each receiver asks", askingText, ab, "alice, bob receive nothing:", []string{"alice bob asks"}, false},
		{"an answer proves nothing about answers", askingText, ab, "alice sends: list | bob receives no: listed",
			[]string{"alice by question to bob; alice tells bob"}, false},
		{"not logged in, asks too", askingText, "", "mallory connects: | mallory sends: list | mallory receives no: ok",
			[]string{"mallory by question to hidden; mallory asks"}, false},
		{"said goodbye, asks still", askingText, "alice", "alice sends: leave | alice receives no: ok",
			[]string{"alice by question to hidden; alice asks"}, false},
		{"gone, and nobody is told", askingText, "alice, bob", "alice closes: | bob receives nothing:",
			[]string{"alice by departure to bob; bob asks"}, false},
		{"half-closed cannot ask", askingText, ab, "alice half-closes: | bob receives nothing:",
			[]string{"alice by end to bob; bob asks"}, false},
		{"stays connected", askingText, ab, "alice stays connected:", []string{"alice by question to bob; nobody is told"}, false},
		{"is up", askingText, "", "server is up:", nil, false},
		{"one listed", askingText, "alice", "alice closes:", nil, false},

		{"a datagram and a token", udpText, abc, "alice sends: {say: {text: x}} | bob receives no: hear",
			[]string{"alice by token to carol; alice tells bob"}, false},
		{"never greeted", udpText, ab, "mallory connects: | mallory sends: {say: {text: x}} | bob receives nothing:",
			[]string{"mallory by witness to alice; alice tells bob"}, false},
		{"a socket closed", udpText, abc, "alice sends: {say: {text: x}} | alice closes: | bob receives nothing:",
			[]string{"alice by witness to carol; carol tells bob"}, false},
		{"a socket closed, and nobody left", udpText, "alice", "alice closes: | mallory connects: | mallory receives nothing:",
			[]string{"alice by witness to hidden; hidden tells mallory"}, true},

		{"said goodbye", partingText, abc, "alice sends: leave | bob receives no: hear",
			[]string{"alice by end to carol; carol tells bob"}, false},
		{"said goodbye and came back", partingText, abc, "alice sends: leave | alice closes: | alice does: login | bob receives no: hear",
			[]string{"alice by departure, alice by token to carol; alice tells bob"}, false},
		{"a cut goodbye is none", partingText, abc, "alice sends: leave, cut: 1 | bob receives no: hear",
			[]string{"alice by token to carol; alice tells bob"}, false},
		{"said goodbye, is no witness", partingText, ab, "alice sends: leave | bob receives no: hear",
			[]string{"alice by end to bob; hidden tells bob"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checkFences(t, playIn(t, tt.protocol, fenceSteps(tt.clients, tt.steps)), tt.want, tt.hidden)
		})
	}
}

// Over UDP there are no connections, and a datagram is sent as a whole.
func TestTransport(t *testing.T) {
	for step, want := range map[string]string{
		"alice closes:":                                 "",
		"alice sends: {say: {text: x}}":                 "",
		"alice sends text: x":                           "",
		"alice half-closes:":                            "UDP has no connections",
		"alice resets:":                                 "UDP has no connections",
		"alice is disconnected:":                        "UDP has no connections",
		"alice stays connected:":                        "UDP has no connections",
		"alice stops reading:":                          "UDP has no connections",
		"alice sends: {say: {text: x}}\n    pieces: 1":  "a datagram is one message, and sent as a whole",
		"alice sends: {say: {text: x}}\n    split: [2]": "a datagram is one message, and sent as a whole",
		"alice sends: {say: {text: x}}\n    cut: 2":     "a datagram is one message, and sent as a whole",
		"alice sends: [{say: {text: x}}, login]":        "a datagram is one message, and sent as a whole",
		"alice sends text: x\n    pieces: 1":            "a datagram is sent as a whole",
		"alice sends the rest:":                         "a datagram is sent as a whole",
	} {
		_, err := loadIn(udpText, "clients: [alice, bob]\nsteps:\n  - "+step)
		got := ""
		if err != nil {
			got, _, _ = strings.Cut(err.Error(), "\n")
		}
		if want != "" {
			want = "play.yaml:5:9: " + want
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", step, got, want)
		}
	}
}

// What a procedure may leave out is marked, and only there.
func TestOptional(t *testing.T) {
	suite, err := loadIn(askingText, "clients: [alice]\nsteps: [alice closes: ]")
	if err != nil {
		t.Fatal(err)
	}
	login := suite.Procedure("login").Steps
	if len(login) != 2 || login[0].Optional || !login[1].Optional {
		t.Errorf("the steps of the login are %+v, %+v", login[0], login[1])
	}
	if f := suite.Fence; f.HasToken() || f.Question.Message != "list" || f.Answer.Message != "listed" {
		t.Errorf("the fence is %+v", f)
	}
}

func TestNeedsAndPoints(t *testing.T) {
	sc := play(t, "needs: [own_port, hear.user, left, echo]\npoints: 3\nsteps: [alice connects: ]")
	if len(sc.Needs) != 1 || sc.Needs[0] != OwnPort || sc.Points != 3 {
		t.Errorf("needs %v, points %d: what the protocol has is known when the file is loaded", sc.Needs, sc.Points)
	}
	if sc = play(t, "steps: [alice connects: ]"); sc.Points != 0 || sc.Needs != nil {
		t.Errorf("without saying so: needs %v, points %d", sc.Needs, sc.Points)
	}
}
