package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// several makes a file of scenarios out of name, header and lines.
func several(list ...[]string) string {
	text := "scenarios:\n"
	for _, s := range list {
		one := steps(s[1], s[2:]...)
		text += strings.Replace(strings.TrimPrefix(one, "scenarios:\n"), "name: it", "name: "+s[0], 1)
	}
	return text
}

func verdicts(runs []transcript.Run) string {
	var list []string
	for _, r := range runs {
		list = append(list, string(r.Verdict))
	}
	return strings.Join(list, " ")
}

func TestContact(t *testing.T) {
	text := several([]string{"listed", two, hello[0], hello[1]}, []string{"unlisted", "", "alice does: login", "bob does: login"})
	ignored := func(*room, *member, frame) bool { return true }
	for name, test := range map[string]struct {
		rules    rules
		set      []string
		found    string // the byte order
		origin   transcript.Origin
		verdicts string
		finding  string
		within   time.Duration
	}{
		"big":          {rules{}, nil, "big", transcript.Found, "pass pass", "", time.Millisecond},
		"little":       {rules{little: true}, nil, "little", transcript.Found, "pass pass", "", searchTimeout + time.Millisecond},
		"slow big":     {rules{lag: 50 * time.Millisecond}, nil, "big", transcript.Found, "pass pass", "", 2 * time.Second},
		"given little": {rules{little: true}, []string{"byte_order", "little"}, "little", transcript.Set, "pass pass", "", time.Millisecond},
		"given any":    {rules{little: true}, []string{"byte_order", "any"}, "little", transcript.Found, "pass pass", "", searchTimeout + time.Millisecond},
		"given wrong": {rules{little: true}, []string{"byte_order", "big"}, "big", transcript.Set, "blocked fail",
			"the target does not seem to speak framed with these settings, but it does with byte_order=little", time.Minute},
		"mute": {rules{relay: ignored}, nil, "big", transcript.Default, "blocked fail",
			"~the target does not seem to speak framed: two clients could not chat with each other. What bob said after its login reached nobody. It sent", time.Minute},
		"silent": {rules{serve: func(*room, *pipeConn) {}}, nil, "big", transcript.Default, "blocked fail", "~It sent nothing at all.", time.Minute},
		"talks of something else": {rules{serve: func(_ *room, c *pipeConn) { c.Write([]byte("220 mail.example.org ESMTP\r\n")) }}, nil, "big", transcript.Default, "blocked fail",
			`~It sent "220 mail.example.org ESMTP\r\n" (28 bytes, no whole message).`, time.Minute},
		"refused": {rules{refused: true}, nil, "big", transcript.Default, "blocked blocked",
			"the target cannot be reached: the connection was refused: nothing listens at that address", time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			suite := load(t, text)
			synctest.Test(t, func(t *testing.T) {
				config := trusted()
				config.Trusted = false
				config.Settings = map[string]string{}
				for i := 0; i < len(test.set); i += 2 {
					config.Settings[test.set[i]] = test.set[i+1]
				}
				began := time.Now()
				header, runs := perform(t, suite, config, test.rules)
				if d := time.Since(began); d > test.within {
					t.Errorf("it took %v", d)
				}
				if part, ok := strings.CutPrefix(test.finding, "~"); ok && !strings.Contains(header.Finding, part) || !ok && header.Finding != test.finding {
					t.Errorf("finding %q, want %q", header.Finding, test.finding)
				}
				if (header.Contact != nil) != (test.finding != "") {
					t.Errorf("contact: %+v", header.Contact)
				}
				for _, s := range header.Settings {
					if s.Name == "byte_order" && (s.Value != test.found || s.Origin != test.origin || (s.Warning != "") != (s.Value == "little")) {
						t.Errorf("setting %+v", s)
					}
				}
				if got := verdicts(runs); got != test.verdicts {
					t.Errorf("%s, want %s: %s; %s", got, test.verdicts, runs[0].Reason, runs[1].Reason)
				}
				if runs[0].Verdict == transcript.Blocked && !strings.HasPrefix(runs[0].Reason, "no two clients could chat") && !test.rules.refused {
					t.Errorf("blocked, since %q", runs[0].Reason)
				}
			})
		})
	}
}

// TestSlowTarget: who takes long to greet is given more time for everything.
func TestSlowTarget(t *testing.T) {
	suite := load(t, steps(two, hello...))
	late := rules{lag: 150 * time.Millisecond, relay: mute(func(r *room, bob *member) { after(r, 4*time.Second, bob, frame{"alice", "hello"}) })}
	synctest.Test(t, func(t *testing.T) {
		config := trusted()
		config.Trusted = false
		_, runs := perform(t, suite, config, late)
		check(t, runs[0], transcript.Pass, "")
	})
}

func TestLaunchFails(t *testing.T) {
	suite := load(t, several([]string{"a", two, hello[0]}, []string{"b", "", "alice connects:"}))
	for _, test := range []struct {
		err     error
		verdict string
		reason  string
	}{
		{&TargetError{errors.New("the program exited with status 1 before it listened")}, "blocked blocked", notStarted},
		{errors.New("no such file"), "error error", "no such file"},
	} {
		for _, trust := range []bool{false, true} {
			config := trusted()
			config.Trusted = trust
			s := &Session{Suite: suite, Launch: func(context.Context) (*Target, error) { return nil, test.err }, Config: config}
			header, runs := s.Run(t.Context(), suite.Scenarios)
			if got := verdicts(runs); got != test.verdict || trust && (runs[0].Reason != test.reason || runs[0].Failure.Got != test.err.Error()) {
				t.Errorf("%v: %s %q", test.err, got, runs[0].Reason)
			}
			if !trust && header.Finding != test.err.Error() {
				t.Errorf("finding %q", header.Finding)
			}
		}
	}
}

func TestLevels(t *testing.T) {
	var list [][]string
	for _, level := range []string{"must", "should", "may"} {
		list = append(list, []string{"passes-" + level, "level: " + level + "\n" + two, hello[0], hello[1]},
			[]string{"fails-" + level, "level: " + level + "\n" + two, hello[0], "bob receives no: {hear: {text: hello}}"},
			[]string{"blocked-" + level, "level: " + level + "\nclients: [alice, zoe]", hello[0]})
	}
	suite := load(t, several(list...))
	noZoe := rules{joined: func(r *room, m *member) {
		if m.name == "zoe" {
			m.conn.Close()
		}
	}}
	for strict, want := range map[bool]string{
		false: "pass fail blocked pass warn blocked pass skip blocked",
		true:  "pass fail blocked pass fail blocked pass skip blocked",
	} {
		synctest.Test(t, func(t *testing.T) {
			config := trusted()
			config.Strict = strict
			_, runs := perform(t, suite, config, noZoe)
			if got := verdicts(runs); got != want {
				t.Errorf("strict=%v: %s, want %s", strict, got, want)
			}
			check(t, runs[7], transcript.Skip, "this target chose otherwise: bob received one")
			if runs[7].Failure == nil || runs[0].Failure != nil {
				t.Error("who did not hold must say why, and who held must not")
			}
		})
	}
}

func TestAfter(t *testing.T) {
	fails := "bob receives no: {hear: {text: hello}}"
	suite := load(t, several(
		[]string{"a", two, hello[0], fails},
		[]string{"b", "after: [a]\n" + two, hello[0], fails},
		[]string{"c", "after: [b]\n" + two, hello[0], fails},
		[]string{"d", "after: [a]\n" + two, hello[0], hello[1]},
		[]string{"e", "after: [d]\n" + two, hello[0], fails},
	))
	synctest.Test(t, func(t *testing.T) {
		_, runs := perform(t, suite, trusted(), rules{})
		if got, want := verdicts(runs), "fail blocked blocked pass fail"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		check(t, runs[1], transcript.Blocked, "needs a, which did not pass")
		// What was not selected does not count.
		s := &Session{Suite: suite, Launch: (&street{}).launch, Config: trusted()}
		_, runs = s.Run(t.Context(), suite.Scenarios[1:2])
		check(t, runs[0], transcript.Fail, "bob received one")
	})
}

func TestSkips(t *testing.T) {
	suite := load(t, several(
		[]string{"output", two, "server prints: alice"},
		[]string{"process", two, "server stops: interrupt"},
		[]string{"end", two, "server exits:"},
		[]string{"echo", "when: {echo: yes}\n" + two, hello[0]},
		[]string{"unknown", "when: {duplicate_name: [refuse, allow]}\n" + two, hello[0]},
	))
	config := trusted()
	config.Trusted = false
	config.Settings["duplicate_name"] = "any"
	synctest.Test(t, func(t *testing.T) {
		_, runs := perform(t, suite, config, rules{})
		for i, reason := range []string{
			"needs to see what the server prints, and this target is only an address",
			"needs to stop the server, and this target is only an address",
			"needs to stop the server, and this target is only an address",
			"only with echo=yes, and here it is no",
			"only where it is known what the target does: --set duplicate_name=refuse",
		} {
			check(t, runs[i], transcript.Skip, reason)
		}
	})
}

// TestPrints is about the server's own clock.
func TestPrints(t *testing.T) {
	for name, test := range map[string]struct {
		step    string
		verdict transcript.Verdict
		reason  string
		time    time.Duration
	}{
		"twice":  {"server prints: {all of: [$alice, $bob]}\ntimes: 2\nwithin: 1s", transcript.Pass, "", 100 * time.Millisecond},
		"regex":  {"server prints: /^alice, bob$/", transcript.Pass, "", 50 * time.Millisecond},
		"since":  {"server prints: alice\nsince: start", transcript.Pass, "", 50 * time.Millisecond},
		"never":  {"server prints: zoe\nwithin: 1s", transcript.Fail, "it printed nothing of that within 1s", time.Second},
		"seldom": {"server prints: bob\ntimes: 30\nwithin: 1s", transcript.Fail, "it did so 19 times", time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			run := playOne(t, steps(two, test.step), trusted(), rules{prints: (*room).names})
			if test.verdict == transcript.Pass {
				check(t, run, test.verdict, test.reason)
			} else if run.Verdict != test.verdict || !strings.HasPrefix(run.Reason, strings.TrimSuffix(test.reason, "19 times")) {
				t.Errorf("%s %q", run.Verdict, run.Reason)
			}
			took(t, run, test.time)
			if run.Output == "" && run.Failure != nil {
				t.Error("a failure does not show what the program printed")
			}
		})
	}
}

// TestShared has all plays on one server that was there before.
func TestShared(t *testing.T) {
	suite := load(t, several(
		[]string{"a", two, hello[0], hello[1]},
		[]string{"b", three, "alice closes:", "bob, carol receive: {left: {user: $alice}}"},
		[]string{"c", "", "alice does: login", "bob does: login"},
	))
	synctest.Test(t, func(t *testing.T) {
		most, now := 0, map[string]bool{}
		var names []string
		r := rules{joined: func(r *room, m *member) {
			names = append(names, m.name)
			suffix := m.name[len(m.name)-4:]
			now[suffix] = true
			for _, o := range r.members {
				if !strings.HasSuffix(o.name, suffix) {
					most++
				}
			}
		}}.start()
		defer r.close()
		target := r.target()
		target.Close = func() {}
		config := trusted()
		config.Shared, config.Transcripts = true, true
		config.Slots = make(chan struct{}, 16)
		s := &Session{Suite: suite, Launch: always(target), Config: config}
		_, runs := s.Run(t.Context(), suite.Scenarios)
		if got := verdicts(runs); got != "pass pass pass" {
			t.Errorf("%s", got)
		}
		if most > 0 {
			t.Error("two plays were in the same room at the same time")
		}
		if len(now) != 3 || slices.Contains(names, "alice") {
			t.Errorf("names: %v", names)
		}
		for _, c := range r.conns {
			if !c.in.ended {
				t.Error("a connection was left open")
			}
		}
	})
}

func TestBinding(t *testing.T) {
	lines := []string{"alice sends: {say: {text: hello}}", "bob receives: {hear: {user: ?who, text: ?what}}",
		`bob sends: {say: {text: "$who said $what"}}`, "alice receives: {hear: {user: $bob, text: alice said hello}}"}
	check(t, playOne(t, steps(two, lines...), trusted(), rules{}), transcript.Pass, "")
}

func TestReceives(t *testing.T) {
	say := func(text string) string { return "alice sends: {say: {text: " + text + "}}" }
	for name, test := range map[string]struct {
		steps  []string
		reason string
	}{
		"times":                    {[]string{say("a"), say("a"), "bob receives: {hear: {text: a}}\ntimes: 2"}, ""},
		"not so many times":        {[]string{say("a"), say("a"), "bob receives: {hear: {text: a}}\ntimes: 3"}, "2 of 3 came; then nothing came for bob within 2s"},
		"each is taken once":       {[]string{say("a"), "bob receives: {hear: {text: a}}", "bob receives: {hear: {text: a}}"}, "nothing came for bob within 2s"},
		"in any order":             {[]string{say("a"), say("b"), "bob receives: {hear: {text: b}}", "bob receives: {hear: {text: a}}"}, ""},
		"next":                     {[]string{say("a"), say("b"), "bob receives: {hear: {text: a}}\nnext: true", "bob receives: {hear: {text: b}}\nnext: true"}, ""},
		"not next":                 {[]string{say("a"), say("b"), "bob receives: {hear: {text: b}}\nnext: true"}, "another message came first"},
		"all of":                   {[]string{say("a"), say("b"), "bob receives all of: [{hear: {text: b}}, {hear: {text: a}}]"}, ""},
		"not all of":               {[]string{say("a"), "bob receives all of: [{hear: {text: b}}, {hear: {text: a}}]"}, "1 of 2 came; then nothing came for bob within 2s"},
		"all of, twice the same":   {[]string{say("a"), "bob receives all of: [{hear: {text: a}}, {hear: {text: a}}]"}, "1 of 2 came; then nothing came for bob within 2s"},
		"one of":                   {[]string{say("a"), "bob receives one of: [{hear: {text: b}}, {hear: {text: a}}]", "bob receives no: {hear: {text: a}}"}, ""},
		"none of":                  {[]string{say("c"), "bob receives one of: [{hear: {text: b}}, {hear: {text: a}}, disconnect]"}, "one other message came for bob, and not this one within 2s"},
		"one of, disconnect":       {[]string{"dora does: login\nas: $bob\nsettle: no", "dora receives one of: [{hear: {text: b}}, disconnect]"}, ""},
		"all of, with disconnect":  {[]string{"dora does: login\nas: $bob\nsettle: no", "dora receives all of: [{hear: {user: server}}, disconnect]"}, ""},
		"a message and the end":    {[]string{"dora does: login\nas: $bob\nsettle: no", "dora receives: {hear: {user: server}}"}, ""},
		"the end and no message":   {[]string{"dora does: login\nas: $bob\nsettle: no", "dora receives: {hear: {user: bob}}"}, "the server closed the connection of dora"},
		"who has closed itself":    {[]string{"alice closes:", "alice receives: notice"}, "alice has closed its connection"},
		"two clients, one misses":  {[]string{say("a"), "bob, carol receive: {hear: {text: a}}", "alice, bob receive: {hear: {text: a}}"}, "nothing came for alice within 2s"},
		"nothing, but there was":   {[]string{say("a"), "bob receives nothing:"}, "bob received one"},
		"nothing more":             {[]string{say("a"), "bob receives: {hear: {text: a}}", "bob receives nothing:"}, ""},
		"what somebody else heard": {[]string{"bob sends: {say: {text: a}}", "alice receives: {hear: {text: a}}", "bob receives no: {hear: {text: a}}"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			run := playOne(t, steps(three, test.steps...), trusted(), rules{})
			verdict := transcript.Fail
			if test.reason == "" {
				verdict = transcript.Pass
			}
			check(t, run, verdict, test.reason)
		})
	}
}
