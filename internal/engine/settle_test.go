package engine

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// saidAt are the times at which client sent tokens with the same text as its
// first one, in milliseconds.
func saidAt(run transcript.Run, client string) []int {
	var list []int
	first := ""
	for _, e := range run.Events {
		if e.Kind != transcript.Send || e.Client != client || e.Purpose != transcript.Token {
			continue
		}
		text := e.Message.Fields[3].Value.(string)
		if first == "" {
			first = text
		}
		if text == first {
			list = append(list, int(e.At*1000+0.5))
		}
	}
	return list
}

// lose has the room lose the first n messages of every client.
func lose(n int) func(*room, *member, frame) bool {
	lost := map[string]int{}
	return func(_ *room, m *member, _ frame) bool {
		lost[m.name]++
		return lost[m.name] <= n
	}
}

func TestTokensAreRepeated(t *testing.T) {
	config := trusted()
	config.Transcripts = true
	for n, want := range [][]int{{0}, {0, 20}, {0, 20, 60}, {0, 20, 60, 140}, {0, 20, 60, 140, 300}} {
		run := playOne(t, steps(two, hello...), config, rules{relay: func() func(*room, *member, frame) bool {
			lost := 0
			return func(_ *room, m *member, _ frame) bool {
				lost++
				return lost <= n
			}
		}()})
		check(t, run, transcript.Pass, "")
		if got := saidAt(run, "bob"); !slices.Equal(got, want) {
			t.Errorf("with %d lost, bob says its token at %v ms, want %v", n, got, want)
		}
		took(t, run, time.Duration(want[len(want)-1])*time.Millisecond)
	}
	// Five are lost: there is no sixth.
	run := playOne(t, steps(two, hello...), config, rules{relay: lose(5)})
	if got, want := saidAt(run, "bob"), []int{0, 20, 60, 140, 300}; !slices.Equal(got, want) {
		t.Errorf("bob says its token at %v ms, want %v", got, want)
	}
	check(t, run, transcript.Blocked, "what bob said after its login reached nobody")
}

// TestDuplicatesOfTokens has every token arrive late and several times.
func TestDuplicatesOfTokens(t *testing.T) {
	run := playOne(t, steps(two, "alice sends: {say: {text: hello}}", "bob receives: {hear: {user: $alice}}\nnext: true", "bob receives nothing:"),
		trusted(), rules{lag: 50 * time.Millisecond})
	check(t, run, transcript.Pass, "")
}

func TestUnsettled(t *testing.T) {
	silent := rules{relay: func(*room, *member, frame) bool { return true }}
	onlyUp := rules{relay: func(r *room, m *member, f frame) bool { return m.name == "alice" }}
	toNotice := rules{relay: func(r *room, m *member, f frame) bool {
		// An unframed server takes what comes with the login for a part of the name.
		r.notice(&member{name: m.name + f.text}, " has joined", false)
		return true
	}}
	for name, test := range map[string]struct {
		rules  rules
		reason string
	}{
		"silent":    {silent, "what bob said after its login reached nobody"},
		"half deaf": {onlyUp, "bob was heard by alice, but did not receive what alice said then"},
		"a notice":  {toNotice, "what bob said after its login reached alice as another message than it should be"},
		"closes": {rules{joined: func(r *room, m *member) {
			if m.name == "bob" {
				m.conn.Close()
			}
		}}, "the server closed the connection of bob"},
		"closes all": {rules{serve: func(r *room, c *pipeConn) { c.Close() }}, "~the server closed the connection of "},
		"resets all": {rules{serve: func(r *room, c *pipeConn) { c.Reset() }}, "~the server reset the connection of "},
		"exits": {rules{process: true, joined: func(r *room, m *member) {
			if m.name == "bob" {
				r.end("exited with status 1")
			}
		}}, "the program exited with status 1"},
	} {
		t.Run(name, func(t *testing.T) {
			run := playOne(t, steps(two, hello...), trusted(), test.rules)
			check(t, run, transcript.Blocked, test.reason)
			if want := "before the first step, the clients of the scenario log in"; run.Failure.Step != want {
				t.Errorf("step %q, want %q", run.Failure.Step, want)
			}
			// A scenario about logging in fails instead.
			run = playOne(t, steps("", "alice does: login", "bob does: login"), trusted(), test.rules)
			if run.Verdict != transcript.Fail || run.Failure.Step == "" {
				t.Errorf("in a step: %s %q %+v", run.Verdict, run.Reason, run.Failure)
			}
			if strings.Contains(run.Reason+run.Failure.Expected, hiddenName) {
				t.Errorf("the hidden client is named: %q, %q", run.Failure.Expected, run.Reason)
			}
		})
	}
}

// TestSlowPlay counts the performances: there is a second, slow one exactly
// when the clients could not chat with each other.
func TestSlowPlay(t *testing.T) {
	hasty := func(pause time.Duration) func(*room, *pipeConn) {
		// It loses what comes too soon after what the same client sent before.
		return func(r *room, c *pipeConn) {
			f, err := r.take(c)
			if err != nil {
				return
			}
			m := r.join(c, f.user)
			for last := time.Now(); ; last = time.Now() {
				if f, err = r.take(c); err != nil {
					break
				}
				if time.Since(last) >= pause {
					r.heard(m, f)
				}
			}
			r.depart(m)
		}
	}
	fence := append(slices.Clone(hello), "alice receives no: {hear: {text: hello}}")
	mutedLater := rules{relay: func(r *room, m *member, f frame) bool { return r.said[len(r.said)-1].text != "hello" && heardHello(r) }}
	for name, test := range map[string]struct {
		text    string
		rules   rules
		plays   int
		verdict transcript.Verdict
		reason  string
		note    string
	}{
		"passes":            {steps(two, hello...), rules{}, 1, transcript.Pass, "", ""},
		"a message is lost": {steps(two, hello...), rules{relay: mute(nil)}, 1, transcript.Fail, "nothing came for bob within 2s", ""},
		"only when not rushed": {steps(two, hello...), rules{serve: hasty(200 * time.Millisecond)}, 2, transcript.Pass, "",
			"only when not rushed: at full speed what bob said after its login reached nobody"},
		"never settles": {steps(two, hello...), rules{relay: func(*room, *member, frame) bool { return true }}, 2, transcript.Blocked, "what bob said after its login reached nobody", ""},
		"never settles in a step": {steps("", "alice does: login"), rules{relay: func(*room, *member, frame) bool { return true }}, 2, transcript.Fail,
			"what alice said after its login reached nobody", ""},
		"a broken fence": {steps(two, fence...), mutedLater, 2, transcript.Fail, "~the server stopped relaying", ""},
		"is heard":       {steps(two, append(hello, "bob receives no: {hear: {text: hello}}")...), rules{relay: twice}, 1, transcript.Fail, "bob received one", ""},
		"refuses":        {steps(two, hello...), rules{refused: true}, 1, transcript.Blocked, "the connection was refused: nothing listens at that address", ""},
	} {
		t.Run(name, func(t *testing.T) {
			suite := load(t, test.text)
			synctest.Test(t, func(t *testing.T) {
				street := &street{rules: test.rules}
				s := &Session{Suite: suite, Launch: street.launch, Config: trusted()}
				_, runs := s.Run(t.Context(), suite.Scenarios)
				check(t, runs[0], test.verdict, test.reason)
				if len(street.rooms) != test.plays {
					t.Errorf("it was played %d times, want %d", len(street.rooms), test.plays)
				}
				if got := strings.Join(runs[0].Notes, "; "); got != test.note {
					t.Errorf("notes %q, want %q", got, test.note)
				}
			})
		})
	}
}

func heardHello(r *room) bool {
	return slices.ContainsFunc(r.said, func(f frame) bool { return f.text == "hello" })
}

// twice passes on everything two times.
func twice(r *room, m *member, f frame) bool {
	r.tell(m, f)
	r.tell(m, f)
	return true
}

func TestSlowPlayIsBounded(t *testing.T) {
	lines := []string{"alice stops reading:", "bob sends: {say: {text: {repeat: w, times: 60000}}}\ntimes: 80", "dave does: login", "dave sends: {say: {text: hello}}", "bob receives: {hear: {user: $dave}}"}
	run := playOne(t, steps("clients: [alice, bob, carol]", lines...), trusted(), rules{small: true})
	if run.Verdict != transcript.Fail || run.Seconds > 12 {
		t.Errorf("%s %q after %.1f s", run.Verdict, run.Reason, run.Seconds)
	}
}

// TestLoginUntilSettled is about names that are taken for a while longer.
func TestLoginUntilSettled(t *testing.T) {
	text := steps(two, "alice closes:", "alice does: login\nuntil: settled", hello[0], hello[1])
	for _, silent := range []bool{false, true} {
		run := playOne(t, text, trusted(), rules{slowLeave: 150 * time.Millisecond, silentRefusal: silent})
		check(t, run, transcript.Pass, "")
		if run.Seconds < 0.15 || run.Seconds > 1 {
			t.Errorf("took %.3f s", run.Seconds)
		}
	}
	run := playOne(t, text, trusted(), rules{slowLeave: time.Hour, process: true})
	check(t, run, transcript.Fail, "the server closed the connection of alice")
}

func TestReconnect(t *testing.T) {
	// A second connection ends the first one, and the reader of that.
	run := playOne(t, steps(two, "alice connects:", "bob receives: {left: {user: $alice}}", "alice does: login", hello[0], hello[1]), trusted(), rules{})
	check(t, run, transcript.Pass, "")
	// A login after the server has ended the connection is a new one.
	run = playOne(t, steps(two, "mallory does: login\nas: $alice\nsettle: no", "mallory is disconnected:", "mallory does: login\nas: dora", "mallory sends: {say: {text: hi}}", "bob receives: {hear: {user: dora}}"),
		trusted(), rules{})
	check(t, run, transcript.Pass, "")
}
