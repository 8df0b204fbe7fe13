package explain

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/clipperhouse/displaywidth"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/scenarios"
)

const screen = 80

func builtIn(t *testing.T) []*scenario.Suite {
	t.Helper()
	var suites []*scenario.Suite
	for _, name := range scenarios.Names() {
		s, err := scenario.Load(scenarios.Files, name, scenarios.Files)
		if err != nil {
			t.Fatal(err)
		}
		suites = append(suites, s)
	}
	return suites
}

// goType is what is told of a step that nobody has words for.
var goType = regexp.MustCompile(`scenario\.[A-Z]`)

// checkPage finds what must not be on any page.
func checkPage(t *testing.T, name, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if displaywidth.String(line) > screen {
			t.Errorf("%s: this is wider than a screen: %s", name, line)
		}
		if strings.Contains(line, "%!") || goType.MatchString(line) || strings.HasSuffix(line, " ") || strings.Contains(line, "\u00a0") {
			t.Errorf("%s: this is no sentence: %q", name, line)
		}
	}
}

// Every scenario of the built-in suites can be told, on a screen.
func TestEverythingIsTold(t *testing.T) {
	for _, s := range builtIn(t) {
		var b strings.Builder
		if err := Protocol(&b, s, screen); err != nil {
			t.Fatal(err)
		}
		checkPage(t, s.Name, b.String())
		for _, m := range s.Protocol.Messages() {
			if m.From != "" && !strings.Contains(b.String(), "\n    "+m.Name) {
				t.Errorf("explain %s does not name the message %s", s.Name, m.Name)
			}
		}
		for _, set := range s.Protocol.Settings {
			if !strings.Contains(b.String(), "\n  "+set.Name+"=") {
				t.Errorf("explain %s does not name the setting %s", s.Name, set.Name)
			}
		}
		for _, sc := range s.Scenarios {
			var b strings.Builder
			if err := Scenario(&b, s, []*scenario.Scenario{sc}, screen); err != nil {
				t.Fatal(err)
			}
			checkPage(t, sc.Name, b.String())
			words := strings.Join(strings.Fields(b.String()), " ")
			for _, part := range []string{sc.Title, sc.Requirement.ID, sc.Requirement.Text, sc.Hint} {
				if part = strings.Join(strings.Fields(part), " "); !strings.Contains(words, part) {
					t.Errorf("explain %s/%s lacks %q", s.Name, sc.Name, part)
				}
			}
		}
	}
}

// Each scenario stands at one requirement, and all are counted.
func TestCoverageIsWhole(t *testing.T) {
	for _, s := range builtIn(t) {
		coverage := Coverage(s)
		runs := 0
		for _, r := range coverage.Requirements {
			if len(r.Checks) == 0 && r.Of == "server" {
				t.Errorf("no scenario of %s checks %s", s.Name, r.ID)
			}
			for _, c := range r.Checks {
				runs += c.Runs
			}
		}
		if runs != len(s.Scenarios) || len(coverage.Others) > 0 {
			t.Errorf("%s: %d of %d scenarios check a requirement, and these do not: %v", s.Name, runs, len(s.Scenarios), coverage.Others)
		}
		var b strings.Builder
		if err := Requirements(&b, coverage, screen); err != nil {
			t.Fatal(err)
		}
		checkPage(t, s.Name, b.String())
	}
}

const room = `
protocol: room
title: A room
framing: fields
settings:
  size: {default: 3, about: of a word}
messages:
  frame:
    fields:
      - {name: NameL, type: u8}
      - {name: TextL, type: u8}
      - {name: Name, type: text, size: NameL}
      - {name: Text, type: text, size: TextL}
  login: {is: frame, from: client, first: true, where: {Name: '{user}', Text: ''}}
  say: {is: frame, from: client, where: {Name: '{user}', Text: '{text}'}}
  hear: {is: frame, from: server, where: {Name: '{user}', Text: '{text}'}}
  left: {is: frame, from: server, where: {Name: '{user}', Text: bye}}
commands: {say: '{text}'}
procedures:
  arrive:
    - program sends: login
  proof:
    - program types: {say: {text: $token}}
    - program sends: {say: {text: $token}}
  login: [client sends: login]
  greet: [client sends: {say: {text: hi}}]
fence:
  token: {say: {text: $token}}
  arrives: {hear: {user: $self, text: $token}}
`

// tell loads a scenario with these steps, and returns how each is told.
func tell(t *testing.T, head, steps string) string {
	t.Helper()
	fsys := fstest.MapFS{
		"room/protocol.yaml": {Data: []byte(room)},
		"room/x.yaml":        {Data: []byte(head + "\n    steps:\n      " + strings.ReplaceAll(strings.TrimSpace(steps), "\n", "\n      "))},
	}
	s, err := scenario.Load(fsys, "room", nil)
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNarrator(s)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, step := range s.Scenarios[0].Steps {
		lines = append(lines, strings.ReplaceAll(n.step(step), "\u00a0", " "))
	}
	return strings.Join(lines, "\n")
}

func TestSteps(t *testing.T) {
	tests := []struct{ name, head, steps, want string }{
		{"connections", "scenarios:\n  - name: x\n    clients: [alice, bob, carol, 3 others]", `
- mallory connects:
- mallory closes:
- mallory does: login
  as: $alice
  settle: no
- mallory is disconnected:
- trudy does: login
- alice does: greet
- alice, bob half-close:
- carol resets:
- carol does: login
  until: settled
- carol does: login
  until: {hear: {text: welcome}}
- trudy stops reading:
- trudy reads again:
- carol stays connected:
- others close:
`, `
mallory connects and says nothing.
mallory closes the connection.
mallory tries to log in under the name of alice; the server may refuse that.
the server must end the connection of mallory within 2 s.
trudy logs in.
alice does: greet.
alice and bob close the sending side of the connection, and still read.
carol ends the connection with a reset, as a crash does.
carol logs in, again and again until it works, which must be within 2 s.
carol logs in, again and again until this comes, which must be within 2 s: hear (text "welcome").
trudy stops reading: what arrives stays in the socket.
trudy reads again.
the connection of carol must still work.
3 others close the connection.
`},
		{"messages", "scenarios:\n  - name: x\n    clients: [alice, bob, carol]", `
- alice sends: {say: {text: hello}}
- alice sends: {say: {text: {repeat: ab, times: 60}}}
  times: 1200
- alice sends: [{say: {text: one}}, {say: {text: two}}]
  pieces: 1
- alice sends: {say: {text: hello}}
  split: [3, $size]
- alice sends: {say: {text: hello}}
  set: {TextL: 4}
- alice sends: {say: {text: hello}}
  until: left
- alice sends: {say: {text: hello}}
  cut: 4
- alice sends the rest:
- alice sends bytes: '00 ff'
  pieces: 2
- alice sends text: "hello\n"
- bob, carol receive: {hear: {user: $alice, text: 'hello $bob'}}
- bob receives: hear
  times: 3
- bob receives: {hear: {user: ?who}}
  next: yes
- bob receives all of: [{left: {user: $alice}}, hear]
- bob receives one of: [left, disconnect]
- bob receives: {hear: {text: 'again $who'}}
- bob receives no: {hear: {user: $alice}}
- bob, carol receive nothing:
`, `
alice says "hello".
alice says "abababababababababababababababababababab"… (120 bytes), 1,200 times.
alice sends say (text "one") and say (text "two"), all in one segment, one byte at a time.
alice says "hello", cut behind byte 3 and 3.
alice says "hello", but with TextL 4, which is wrong.
alice says "hello", again and again until this comes, which must be within 2 s: left.
alice says "hello", but only the first 4 of its bytes; the rest is held back.
alice sends the bytes that were held back.
alice sends these 2 bytes, raw, 2 bytes at a time.
alice sends "hello\n", raw.
bob and carol must each hear "hello bob" from alice within 2 s.
bob must receive hear, 3 times, within 2 s.
bob must receive hear (user anything, called who from here on) within 2 s, and nothing else before it.
bob must receive in any order left (user alice) and hear within 2 s.
bob must receive either left or the end of the connection within 2 s.
bob must hear "again <who, as received before>" within 2 s.
bob must receive no hear (user alice).
bob and carol must each receive nothing that is not told here.
`},
		{"a sweep", "scenarios:\n  - name: x\n    clients: [alice, bob]", `
- alice sends: {say: {text: hello}}
  split: everywhere
- bob receives: hear
`, `
alice says "hello", first in one segment and then, with all steps again each time, cut in two behind each byte.
bob must receive hear within 2 s.
`},
		{"the server", "scenarios:\n  - name: x", `
- server prints: ready
  since: start
- server prints: /port $server.port/i
  within: 15s
- server prints: {all of: [one, two]}
  times: 2
- server is up:
- server listens on the given port:
- server stops: interrupt
- server exits:
`, `
the server must print "ready" (what it has printed before counts too) within 2 s.
the server must print something like /port <the server's port>/i within 15s.
the server must print "one" and "two", 2 times, within 2 s.
one more client must be able to log in.
the server must listen where it was told to.
the server is stopped from outside: interrupt.
the server must end within 2 s.
`},
		{"a program", "tests: client\nscenarios:\n  - name: x", `
- program sends: {login: {user: $program}}
- server sends: {hear: {user: bob, text: hello}}
  pieces: 1
- program shows: /hello/
- program types: good day
- program types: half
  enter: no
- program sends nothing:
- program does: arrive
- program types: {say: {text: hello}}
- program prints no: "\e[2J"
- program sends one of: [login, {say: {text: x}}]
- program connects:
- program disconnects:
- program exits: success
- program exits: failure
- program exits: cleanly
- program restores the terminal:
- server sends text: x
- program input ends:
- program is stopped: terminate
- program exits:
- server closes:
- server resets:
`, `
the program must send login (user program) within 2 s.
the server sends hear (user "bob", text "hello"), one byte at a time.
the program must show something like /hello/ within 2 s.
"good day" is typed, and Enter.
"half" is typed, without Enter.
the program must send nothing.
arrive: the program must send login within 2 s.
"hello" is typed, and Enter.
the program must never pass on the bytes "\x1b[2J" as they are.
the program must send either login or say (text "x") within 2 s.
the program must connect within 2 s.
the program must end its connection within 2 s.
the program must end within 2 s, with status 0.
the program must end within 2 s, with a status that is not 0.
the program must end within 2 s, without the trace of an error.
the program must leave the terminal as it found it.
the server sends "x", raw.
the input of the program ends.
the program is stopped from outside: terminate.
the program must end within 2 s.
the server closes the connection.
the server ends the connection with a reset.
`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, want := strings.Split(tell(t, test.head, test.steps), "\n"), strings.Split(strings.TrimSpace(test.want), "\n")
			for i := range max(len(got), len(want)) {
				switch {
				case i >= len(got):
					t.Errorf("missing: %s", want[i])
				case i >= len(want) || got[i] != want[i]:
					t.Errorf("step %d is told as\n\t%s", i+1, got[i])
				}
			}
		})
	}
}

// No kind of step is forgotten.
func TestEveryActionIsTold(t *testing.T) {
	actions, err := os.ReadFile("../scenario/step.go")
	if err != nil {
		t.Fatal(err)
	}
	told, err := os.ReadFile("steps.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^func \((\w+)\) +action\(\)`).FindAllSubmatch(actions, -1)
	for _, m := range found {
		if !strings.Contains(string(told), "case scenario."+string(m[1])+":") {
			t.Errorf("steps.go has no sentence for %s", m[1])
		}
	}
	if len(found) < 30 {
		t.Errorf("only %d kinds of steps were found", len(found))
	}
}

func TestFences(t *testing.T) {
	tests := []struct{ name, suite, scenario, want string }{
		{"by a token", "lines", "heard-once", "alice says a random word, and "},
		{"by a question", "direct", "login-is-answered-once", "asks for list: what has come before the answer is all there is."},
		{"by a departure", "framed", "cut-off-frame", "bob is told that alice left: the server is done with what alice did before."},
		{"by a hidden client", "framed", "cut-off-frame", "So is a hidden client, which no step names."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := scenario.Load(scenarios.Files, test.suite, scenarios.Files)
			if err != nil {
				t.Fatal(err)
			}
			for _, sc := range s.Scenarios {
				if sc.Name != test.scenario {
					continue
				}
				var b strings.Builder
				if err := Scenario(&b, s, []*scenario.Scenario{sc}, screen); err != nil {
					t.Fatal(err)
				}
				if words := strings.Join(strings.Fields(b.String()), " "); !strings.Contains(words, test.want) {
					t.Errorf("this lacks %q:\n%s", test.want, &b)
				}
				return
			}
			t.Fatalf("there is no scenario %s/%s", test.suite, test.scenario)
		})
	}
}

func TestWrap(t *testing.T) {
	tests := []struct {
		text  string
		limit int
		want  string
	}{
		{"", 10, ""},
		{"one two three", 7, "one two|three"},
		{"one two three", 6, "one|two|three"},
		{"a bcdefghijk l", 4, "a|bcde|fghi|jk l"},
		{"within 2\u00a0s", 8, "within|2 s"},
		{"你好 你好", 8, "你好|你好"},
		{"你好你好", 4, "你好|你好"},
	}
	for _, test := range tests {
		if got := strings.Join(wrap(test.text, test.limit), "|"); got != test.want {
			t.Errorf("wrap(%q, %d) is %q, want %q", test.text, test.limit, got, test.want)
		}
	}
}
