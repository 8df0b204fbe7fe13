package engine

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

const three = "clients: [alice, bob, carol]"

// repeats says hello to bob once more after a while, although it should not.
func repeats(d time.Duration) rules {
	return rules{relay: func(r *room, m *member, f frame) bool {
		if f.text != "hello" {
			return false
		}
		if bob := r.find("bob"); d == 0 {
			r.send(bob, f)
		} else {
			after(r, d, bob, f)
		}
		return false
	}}
}

func TestSilence(t *testing.T) {
	once := []string{hello[0], hello[1], "bob receives no: {hear: {user: $alice, text: hello}}"}
	more := append(slices.Clone(once), "alice sends: {say: {text: on}}", "carol receives: {hear: {text: on}}", "carol closes:", "bob receives: {left: {user: $carol}}")
	for name, test := range map[string]struct {
		rules rules
		steps []string
		fails bool
	}{
		"it does not come":                       {rules{}, once, false},
		"it comes before the fence":              {repeats(0), once, true},
		"it comes within the settle wait":        {repeats(4 * time.Millisecond), once, true},
		"it comes before the end":                {rules{relay: repeats(0).relay, style: perMessage}, more, true},
		"it comes when the play is over":         {repeats(time.Minute), once, false},
		"something else comes":                   {rules{joined: func(r *room, m *member) { r.tell(nil, frame{"server", "hello"}) }}, once, false},
		"no causer, no witness but the hidden":   {rules{}, []string{"alice, bob, carol receive nothing:"}, false},
		"a receiver acted":                       {rules{}, []string{"bob sends: {say: {text: hello}}", "bob receives no: {hear: {text: hello}}"}, false},
		"a receiver acted and hears itself":      {rules{echo: true}, []string{"bob sends: {say: {text: hello}}", "bob receives no: {hear: {text: hello}}"}, true},
		"everybody acted":                        {rules{}, []string{"alice, bob, carol send: {say: {text: hi}}", "alice receives no: {hear: {user: $alice}}"}, false},
		"nobody is left but the receiver":        {rules{}, []string{"alice closes:", "carol closes:", "bob receives no: {hear: {user: $alice}}"}, false},
		"the receiver is disconnected":           {rules{}, []string{"mallory does: login\nas: $bob\nsettle: no", "mallory receives no: {hear: {user: $alice}}"}, false},
		"the receiver has not logged in":         {rules{}, []string{"dora connects:", "alice sends: {say: {text: hello}}", "dora receives no: {hear: {text: hello}}"}, false},
		"the receiver hears before it logged in": {rules{relay: everybody}, []string{"dora connects:", "alice sends: {say: {text: hello}}", "dora receives no: {hear: {text: hello}}"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			run := playOne(t, steps(three, test.steps...), trusted(), test.rules)
			if !test.fails {
				check(t, run, transcript.Pass, "")
				return
			}
			check(t, run, transcript.Fail, "~received one")
			if run.Failure == nil || !strings.Contains(run.Failure.Step, "receives no") {
				t.Errorf("failure: %+v", run.Failure)
			}
		})
	}
}

// everybody passes f on to all that are connected.
func everybody(r *room, m *member, f frame) bool {
	for _, c := range r.conns {
		if c != m.conn {
			_, _ = c.Write(f.bytes(r.order))
		}
	}
	return true
}

// TestSilenceAtTheEnd has what should not come arrive after its fence.
func TestSilenceAtTheEnd(t *testing.T) {
	late := rules{relay: func(r *room, m *member, f frame) bool {
		if f.text == "now" {
			r.send(r.find("bob"), frame{"alice", "hello"})
		}
		return false
	}}
	lines := []string{"bob receives no: {hear: {user: $alice, text: hello}}", "carol sends: {say: {text: now}}", "bob receives: {hear: {text: now}}"}
	run := playOne(t, steps(three, lines...), trusted(), late)
	check(t, run, transcript.Fail, "bob received one")
	if !strings.Contains(run.Failure.Step, "receives no") || len(run.Failure.Came) != 1 {
		t.Errorf("failure: %+v", run.Failure)
	}
}

// TestProofs looks at how long the proofs take and which are weak.
func TestProofs(t *testing.T) {
	noNotice := rules{left: func(*room, *member) bool { return true }}
	deaf := rules{silentRefusal: true}
	for name, test := range map[string]struct {
		rules rules
		steps []string
		time  time.Duration
		weak  bool
	}{
		"token":              {rules{}, []string{"alice sends: {say: {text: hello}}", "bob receives no: {hear: {user: $carol}}"}, 0, false},
		"token, slow server": {rules{relay: slowly(30 * time.Millisecond)}, []string{"alice sends: {say: {text: hello}}", "bob receives no: {hear: {user: $carol}}"}, 30 * time.Millisecond, false},
		"login":              {rules{}, []string{"dora connects:", "dora sends bytes: ''", "bob receives no: {hear: {user: $carol}}"}, 0, false},
		"login refused":      {deaf, []string{"mallory does: login\nas: $alice\nsettle: no", "bob receives no: {hear: {user: $carol}}"}, departureWait, true},
		"cut off":            {rules{}, []string{"mallory does: login\nas: $alice\nsettle: no", "bob receives no: {hear: {user: $carol}}"}, 0, false},
		"departure":          {rules{}, []string{"alice closes:", "bob receives no: {hear: {user: $alice}}"}, 0, false},
		"slow departure":     {rules{slowLeave: 100 * time.Millisecond}, []string{"alice closes:", "bob receives no: {hear: {user: $alice}}"}, 100 * time.Millisecond, false},
		"no notice":          {noNotice, []string{"alice closes:", "bob receives no: {hear: {user: $alice}}"}, departureWait, true},
		"end":                {rules{}, []string{"dora connects:", "dora closes:", "bob receives no: {hear: {user: $alice}}"}, quietWindow, true},
		"half-close":         {rules{}, []string{"alice half-closes:", "bob receives no: {hear: {user: $alice}}"}, quietWindow, true},
		"half a message":     {rules{}, []string{"alice sends: {say: {text: hello}}\ncut: 9", "bob receives no: {hear: {user: $alice}}"}, quietWindow, true},
		"a false length":     {rules{}, []string{"alice sends: {say: {text: hello}}\nset: {MessageL: 400}", "bob receives no: {hear: {user: $alice}}"}, quietWindow, true},
		"other bytes":        {rules{}, []string{"alice sends text: hello", "bob receives no: {hear: {user: $alice}}"}, quietWindow, true},
		"the rest": {rules{}, []string{"alice sends: {say: {text: hello}}\ncut: 9", "alice sends the rest:",
			"bob receives: {hear: {text: hello}}", "bob receives no: {hear: {user: $alice}}"}, 0, false},
		"a second departure": {rules{slowLeave: 100 * time.Millisecond}, []string{"alice closes:", "bob receives: {left: {user: $alice}}",
			"alice does: login", "alice closes:", "bob receives no: {hear: {user: $alice}}"}, 200 * time.Millisecond, false},
	} {
		t.Run(name, func(t *testing.T) {
			run := playOne(t, steps(three, test.steps...), trusted(), test.rules)
			check(t, run, transcript.Pass, "")
			took(t, run, test.time+settleWait)
			if weak := slices.Contains(run.Notes, weakNote); weak != test.weak {
				t.Errorf("notes: %v", run.Notes)
			}
		})
	}
}

// slowly has the room take a while for what the play is about.
func slowly(d time.Duration) func(*room, *member, frame) bool {
	return func(r *room, m *member, f frame) bool {
		if f.text == "hello" {
			time.Sleep(d)
		}
		return false
	}
}

// TestBrokenFence is a finding of its own, and never silence.
func TestBrokenFence(t *testing.T) {
	lines := []string{"alice sends: {say: {text: hello}}", "bob receives no: {hear: {text: hello}}"}
	for name, test := range map[string]struct {
		rules  rules
		reason string
	}{
		"nothing is relayed any more": {rules{relay: func(r *room, m *member, f frame) bool { return heardHello(r) }},
			"the server stopped relaying: alice said something, and it did not reach carol within 3s"},
		"all are cut off": {rules{relay: func(r *room, m *member, f frame) bool {
			if heardHello(r) {
				for _, c := range r.conns {
					c.Close()
				}
			}
			return false
		}}, "the server has ended the connections of all others"},
		"it exits": {rules{process: true, relay: func(r *room, m *member, f frame) bool {
			if heardHello(r) {
				r.work.Go(func() { r.exit("was killed by a signal") })
			}
			return heardHello(r)
		}}, "the program was killed by a signal"},
	} {
		t.Run(name, func(t *testing.T) {
			run := playOne(t, steps(three, lines...), trusted(), test.rules)
			check(t, run, transcript.Fail, test.reason)
		})
	}
}

// TestHiddenClient: nothing that the probe does for itself matches a step.
func TestHiddenClient(t *testing.T) {
	config := trusted()
	config.Transcripts = true
	lines := []string{"bob does: login", "alice receives: {notice: {user: $bob}}", "alice receives no: notice", "alice, bob receive nothing:"}
	run := playOne(t, steps("clients: [alice]", lines...), config, rules{tellSelf: false})
	check(t, run, transcript.Pass, "")
	if count(run, transcript.Send, hiddenName, transcript.Setup) == 0 {
		t.Errorf("there was no hidden client\n%s", story(run))
	}
	// Lists that name it belong to nobody; a notice that ends in one belongs
	// to whom it is about.
	list := func(r *room, m *member) { r.tell(nil, frame{"server", "and " + hiddenName + " is there"}) }
	run = playOne(t, steps("clients: [alice]", lines...), config, rules{joined: list})
	check(t, run, transcript.Pass, "")
	run = playOne(t, steps("clients: [alice]", lines[:2]...), config, rules{namesAll: true})
	check(t, run, transcript.Pass, "")
}
