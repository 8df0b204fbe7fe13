package engine

import (
	"bufio"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// deskText is a protocol by lines whose server answers what it is asked. The
// procedures and the fence are left to each test.
const deskText = `
protocol: desk
framing: line
settings:
  max_clients: {default: ""}
messages:
  login: {from: client, first: true, line: 'LOGIN {user}'}
  say: {from: client, line: 'SAY {text...}'}
  list: {from: client, line: LIST}
  pong: {from: client, line: 'PONG {word}'}
  welcome: {from: server, line: '200 {text...}'}
  refused: {from: server, line: '401 {text...}'}
  ok: {from: server, line: OK}
  ping: {from: server, line: 'PING {word}'}
  motd: {from: server, line: 'MOTD {text...}'}
  hear: {from: server, line: 'FROM {user} {text...}'}
  listed: {from: server, json: {users: '{users}'}}
answers: {ping: pong}
ignore: [motd]
`

const (
	mustWelcome = "procedures: {login: [client sends: login, client receives one of: [welcome, refused]]}\n"
	mayWelcome  = "procedures: {login: [client sends: login, {client receives: welcome, optional: yes}]}\n"
	byQuestion  = "fence: {question: list, answer: listed}\n"
	byToken     = "fence: {token: {say: {text: $token}}, arrives: {hear: {user: $self, text: $token}}}\n"
)

// A desk is how a server of that protocol behaves. Its zero value is correct.
type desk struct {
	greets  string        // what a login is answered, and what comes before that
	silent  bool          // a login is not answered at all
	stays   time.Duration // how long a name stays taken after its client has gone
	answers int           // how often a SAY is answered; 0: once
	also    []string      // who else is in every list
	dead    bool          // after a SAY, nothing is answered any more
	pings   bool          // a login is answered when a PING has been
	pong    string        // what the client has said to that; under room.mu
}

func (d *desk) serve(r *room, c *pipeConn) {
	defer c.Close()
	var me *member
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		verb, rest, _ := strings.Cut(lines.Text(), " ")
		r.mu.Lock()
		more := d.line(r, c, &me, verb, rest)
		r.mu.Unlock()
		if !more {
			return
		}
	}
	if me != nil {
		time.Sleep(d.stays)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.members = slices.DeleteFunc(r.members, func(m *member) bool { return m == me })
	}
}

// line answers one line; false ends the connection. r.mu is held.
func (d *desk) line(r *room, c *pipeConn, me **member, verb, rest string) bool {
	write := func(format string, args ...any) { fmt.Fprintf(c, format+"\n", args...) }
	switch {
	case verb == "LOGIN" && r.find(rest) != nil:
		write("401 %s is taken", rest)
		return false
	case verb == "LOGIN":
		*me = &member{conn: c, name: rest}
		r.members = append(r.members, *me)
		if d.pings {
			write("PING tick")
			return true
		}
		fallthrough
	case verb == "PONG":
		if verb == "PONG" {
			d.pong = rest
		}
		if d.greets != "" {
			write("%s", d.greets)
		}
		if !d.silent {
			write("200 welcome")
		}
	case d.dead && slices.ContainsFunc(r.said, func(f frame) bool { return f.text == "hello" }):
	case verb == "LIST":
		var names []string
		for _, m := range r.members {
			names = append(names, m.name)
		}
		write(`{"users": ["%s"]}`, strings.Join(slices.Concat(d.also, names), `", "`))
	case verb == "SAY" && *me != nil:
		r.said = append(r.said, frame{(*me).name, rest})
		for _, m := range r.members {
			if m != *me {
				fmt.Fprintf(m.conn, "FROM %s %s\n", (*me).name, rest)
			}
		}
		for range max(d.answers, 1) {
			write("OK")
		}
	}
	return true
}

// atDesk plays one scenario of deskText, to which more is added, at d.
func atDesk(t *testing.T, more, text string, config Config, d *desk) transcript.Run {
	t.Helper()
	suite := loadFiles(t, deskText+"requirements: {F-3: {level: must, text: it}}\n"+more, text)
	var runs []transcript.Run
	synctest.Test(t, func(t *testing.T) { _, runs = perform(t, suite, config, rules{serve: d.serve}) })
	return runs[0]
}

// deskConfig finds nothing out first, and keeps all events.
func deskConfig() Config { return Config{Trusted: true, Seed: 7, Transcripts: true} }

const aliceAsks = "alice sends: list\nuntil: {listed: {users: [$alice]}}"

func TestQuestionSettlesAlone(t *testing.T) {
	run := atDesk(t, mustWelcome+byQuestion, steps("clients: [alice]", "alice receives nothing:"), deskConfig(), &desk{})
	check(t, run, transcript.Pass, "")
	took(t, run, settleWait)
	if asked := count(run, transcript.Send, "alice", transcript.Token); asked != 2 || count(run, transcript.Connect, hiddenName, transcript.Setup) != 0 {
		t.Errorf("alice asked %d times, and not once to settle and once for the fence\n%s", asked, story(run))
	}
	if slices.Contains(run.Notes, weakNote) {
		t.Errorf("notes: %v", run.Notes)
	}
	// A server that is silent after the login settles nobody.
	run = atDesk(t, mustWelcome+byQuestion, steps("clients: [alice]", "alice receives nothing:"), deskConfig(), &desk{pings: true, silent: true})
	if run.Verdict != transcript.Blocked {
		t.Errorf("%s %q", run.Verdict, run.Reason)
	}
}

// TestExactlyOneAnswer: a question proves that there is no second one.
func TestExactlyOneAnswer(t *testing.T) {
	text := steps("clients: [alice]", "alice sends: {say: {text: hello}}", "alice receives: ok", "alice receives nothing:")
	check(t, atDesk(t, mustWelcome+byQuestion, text, deskConfig(), &desk{}), transcript.Pass, "")
	run := atDesk(t, mustWelcome+byQuestion, text, deskConfig(), &desk{answers: 2})
	check(t, run, transcript.Fail, "alice received one")
	if run.Failure.Expected != "alice receives no message at all" || len(run.Failure.Came) != 1 || run.Failure.Came[0].Name != "ok" {
		t.Errorf("failure: %+v", run.Failure)
	}
}

func TestStopsAnswering(t *testing.T) {
	for _, line := range []string{"alice receives no: ok", "bob receives nothing:", "alice stays connected:"} {
		run := atDesk(t, mustWelcome+byQuestion, steps(two, "alice sends: {say: {text: hello}}", line), deskConfig(), &desk{dead: true})
		check(t, run, transcript.Fail, "the server stopped answering: alice asked something, and nothing came within 3s")
		if run.Failure.Expected != "the server still answers what alice asks" {
			t.Errorf("failure: %+v", run.Failure)
		}
	}
}

// TestUntil asks again after 20, 40, 80 ms … for what the server needs a
// moment to notice.
func TestUntil(t *testing.T) {
	text := steps(two, "bob closes:", aliceAsks, "alice receives nothing:")
	run := atDesk(t, mustWelcome+byQuestion, text, deskConfig(), &desk{stays: 100 * time.Millisecond})
	check(t, run, transcript.Pass, "")
	took(t, run, 245*time.Millisecond) // asked at 0, 20, 60 and 140; then bob's end, which nothing shows, and the fence
	if n := count(run, transcript.Send, "alice", ""); n != 4 {
		t.Errorf("alice asked %d times\n%s", n, story(run))
	}
	run = atDesk(t, mustWelcome+byQuestion, text, deskConfig(), &desk{stays: time.Hour})
	check(t, run, transcript.Fail, "every answer was another one")
	if want := `alice receives listed with users "alice" within 2s`; run.Failure.Expected != want {
		t.Errorf("it expected %s, want %s", run.Failure.Expected, want)
	}
	took(t, run, 2*time.Second)
	run = atDesk(t, mustWelcome+byQuestion, steps(two, "bob sends: {say: {text: hello}}", "bob receives: ok", aliceAsks), deskConfig(), &desk{dead: true})
	check(t, run, transcript.Fail, "one other message came for alice, and not this one within 2.3s") // bob's
}

// TestLoginUntilAnswered logs in on a new connection each time that it is
// refused.
func TestLoginUntilAnswered(t *testing.T) {
	text := steps(two, "alice closes:", "alice does: login\nuntil: welcome", "alice sends: {say: {text: hello}}", "bob receives: {hear: {user: $alice, text: hello}}")
	run := atDesk(t, mustWelcome+byQuestion, text, deskConfig(), &desk{stays: 100 * time.Millisecond})
	check(t, run, transcript.Pass, "")
	if n := count(run, transcript.Connect, "alice", ""); n != 4 {
		t.Errorf("alice connected %d times\n%s", n, story(run))
	}
	run = atDesk(t, mustWelcome+byQuestion, text, deskConfig(), &desk{stays: time.Hour})
	check(t, run, transcript.Fail, "every answer was another one")
	took(t, run, 2*time.Second)
}

func TestRefusedLogin(t *testing.T) {
	run := atDesk(t, mustWelcome+byQuestion, steps(two, "mallory does: login\nas: $alice"), deskConfig(), &desk{})
	check(t, run, transcript.Fail, `the server refused it: "401 alice is taken"`)
	if run.Failure.Expected != "the server lets mallory in" {
		t.Errorf("failure: %+v", run.Failure)
	}
	// With settle: no, what the server said is left for the steps that follow.
	run = atDesk(t, mustWelcome+byQuestion, steps(two, "mallory does: login\nas: $alice\nsettle: no",
		"mallory receives: {refused: {text: ?why}}\nnext: true", "mallory is disconnected:", "alice receives nothing:"), deskConfig(), &desk{})
	check(t, run, transcript.Pass, "")
	run = atDesk(t, mustWelcome+byQuestion, steps(two, "mallory does: login\nsettle: no", "mallory receives: welcome\nnext: true"), deskConfig(), &desk{})
	check(t, run, transcript.Pass, "")
}

// TestOptional waits once for an answer that a server leaves out, and hardly
// at all after that.
func TestOptional(t *testing.T) {
	text := steps("clients: [alice, bob, carol]", "alice sends: {say: {text: hello}}", "bob receives: hear")
	for _, tt := range []struct {
		desk desk
		took time.Duration
	}{
		{desk{}, 0},
		{desk{silent: true}, optionalWait + 2*absentWait},
	} {
		run := atDesk(t, mayWelcome+byToken, text, deskConfig(), &tt.desk)
		check(t, run, transcript.Pass, "")
		took(t, run, tt.took)
	}
}

// TestAnswers: what the protocol says that a client answers, it answers by
// itself, and what it says to ignore matches no step.
func TestAnswers(t *testing.T) {
	d := &desk{pings: true, greets: "MOTD be nice"}
	run := atDesk(t, mustWelcome+byQuestion, steps("", "alice does: login", "alice receives nothing:"), deskConfig(), d)
	if d.pong != "tick" || count(run, transcript.Receive, "alice", "") != 3 {
		t.Errorf("the PING was answered %q", d.pong)
	}
	check(t, run, transcript.Pass, "")
	d = &desk{greets: "MOTD be nice", silent: true}
	run = atDesk(t, mayWelcome+byQuestion, steps("", "alice does: login", "alice receives nothing:"), deskConfig(), d)
	check(t, run, transcript.Pass, "")
	run = atDesk(t, mayWelcome+byQuestion, steps("", "alice does: login", "alice receives nothing:"), deskConfig(), &desk{greets: "OK", silent: true})
	check(t, run, transcript.Fail, "alice received one")
}

// TestLists compares them in any order and without those whom no step names.
func TestLists(t *testing.T) {
	shared := deskConfig()
	shared.Shared = true
	for name, test := range map[string]struct {
		fence  string
		config Config
		header string
		users  string
		also   []string
		fails  bool
	}{
		"alone":                      {byQuestion, deskConfig(), "clients: [alice]", "[$alice]", nil, false},
		"in another order":           {byQuestion, deskConfig(), two, "[$bob, $alice]", nil, false},
		"one is missing":             {byQuestion, deskConfig(), two, "[$alice, $bob, carol]", nil, true},
		"one too many":               {byQuestion, deskConfig(), two, "[$alice, $bob]", []string{"ghost"}, true},
		"twice":                      {byQuestion, deskConfig(), two, "[$alice, $bob]", []string{"bob"}, true},
		"the hidden client is there": {byToken, deskConfig(), "clients: [alice]", "[$alice]", nil, false},
		"it and a ghost":             {byToken, deskConfig(), "clients: [alice]", "[$alice]", []string{"ghost"}, true},
		"strangers on a shared one":  {byQuestion, shared, two, "[$alice, $bob]", []string{"ghost", "old-alice"}, false},
		"missing on a shared one":    {byQuestion, shared, two, "[$alice, $bob, carol]", []string{"ghost"}, true},
		"a stranger who is expected": {byQuestion, shared, two, "[$alice, $bob, ghost]", []string{"ghost", "other"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			text := steps(test.header, "alice sends: list", "alice receives: {listed: {users: "+test.users+"}}")
			run := atDesk(t, mustWelcome+test.fence, text, test.config, &desk{also: test.also})
			if test.fails {
				check(t, run, transcript.Fail, "one other message came for alice, and not this one within 2s")
				return
			}
			check(t, run, transcript.Pass, "")
		})
	}
}

// TestUnsuited skips what cannot be asked of a target, and says why.
func TestUnsuited(t *testing.T) {
	few := deskConfig()
	few.Settings = map[string]string{"max_clients": "2"}
	check(t, atDesk(t, mustWelcome+byQuestion, steps(two, "alice receives nothing:"), few, &desk{}), transcript.Pass, "")
	check(t, atDesk(t, mustWelcome+byQuestion, steps(three, "alice receives nothing:"), few, &desk{}), transcript.Skip, "needs 3 clients, and max_clients is 2")
	// The hidden client counts too.
	few.Settings = map[string]string{"max_clients": "1"}
	check(t, atDesk(t, mustWelcome+byToken, steps("clients: [alice]", "alice sends: list"), few, &desk{}), transcript.Skip, "needs 2 clients, and max_clients is 1")
	stranger := deskConfig()
	stranger.Trusted = false
	check(t, atDesk(t, mustWelcome+byQuestion, steps("needs: [own_port]", "alice connects:"), stranger, &desk{}), transcript.Skip,
		"the server was given a port, so it has none to choose")
	check(t, atDesk(t, mustWelcome+byQuestion, steps("tests: client", "program types: x"), deskConfig(), &desk{}), transcript.Skip,
		"tests a client program, and this target is a server")
}
