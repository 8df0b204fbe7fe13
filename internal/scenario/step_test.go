package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/chatprobe/chatprobe/internal/wire"
)

func clientNames(list []*Client) string {
	var names []string
	for _, c := range list {
		names = append(names, c.Name)
	}
	return strings.Join(names, " ")
}

func TestClients(t *testing.T) {
	tests := []struct{ name, play, want string }{ // +: listed, ~: stalls
		{"listed", "clients: [alice, bob]\nsteps: [alice closes: ]", "+alice +bob"},
		{"by connecting", "clients: [alice]\nsteps: [bob connects: , carol does: login]", "+alice bob carol"},
		{"several at once", "steps:\n  - alice, bob connect:\n  - bob,alice close:", "alice bob"},
		{"crowd", "clients: [alice, 3 others]\nsteps: [others close: ]", "+alice +other1 +other2 +other3"},
		{"one of the crowd", "clients: [alice, 3 others]\nsteps: [other2 closes: ]", "+alice +other1 +other2 +other3"},
		{"stalled", "clients: [alice, bob]\nsteps: [bob stops reading: ]", "+alice +~bob"},
		{"stalled later", "clients: [alice]\nsteps: [bob does: login, bob stops reading: ]", "+alice ~bob"},
		{"stalled crowd", "clients: [alice, 2 others]\nsteps: [others stop reading: ]", "+alice +~other1 +~other2"},
		{"no crowd by name", "clients: [otherwise, alice, 1 others]\nsteps: [others stop reading: ]", "+otherwise +alice +~other1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sc := play(t, tt.play)
			var got []string
			listed := 0
			for _, c := range sc.Clients {
				mark := ""
				if c.Listed {
					mark = "+"
					listed++
				}
				if c.Stalls {
					mark += "~"
				}
				got = append(got, mark+c.Name)
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %s, want %s", strings.Join(got, " "), tt.want)
			}
			if sc.Listed() != listed {
				t.Errorf("Listed is %d", sc.Listed())
			}
		})
	}
	sc := play(t, "clients: [alice, bob, 2 others]\nsteps:\n  - alice, others close:\n  - bob,  other1 receive: hear")
	if got := clientNames(sc.Steps[0].Who); got != "alice other1 other2" {
		t.Errorf("alice and the others are %s", got)
	}
	if got := clientNames(sc.Steps[1].Who); got != "bob other1" {
		t.Errorf("bob and one of the others are %s", got)
	}
}

var verbSteps = []struct{ step, want string }{
	{"alice connects:", "scenario.Connect"},
	{"alice, bob connect:", "scenario.Connect"},
	{"alice does: login", "scenario.Do"},
	{"alice does: login\n    until: settled", "scenario.Do until settled"},
	{"alice does: login\n    as: $bob\n    settle: no", "scenario.Do as bob unsettled"},
	{"alice does: login\n    settle: yes", "scenario.Do"},
	{"alice, bob do: hello", "scenario.Do"},
	{"alice sends: {say: {text: x}}", "scenario.Send say"},
	{"alice sends: [login, {say: {text: x}}]", "scenario.Send login say"},
	{"alice sends: [login, {say: {text: x}}]\n    split: everywhere", "scenario.Send login say everywhere"},
	{"alice, bob send: {say: {text: x}}\n    set: {TextL: 9}\n    times: 3", "scenario.Send say set TextL=9 times 3"},
	{"alice sends: login\n    until: {listed: {users: [$alice]}}", "scenario.Send login until listed"},
	{"alice does: hello\n    until: {hear: {user: $bob}}", "scenario.Do until hear"},
	{"alice does: login\n    as: $bob\n    until: answer", "scenario.Do as bob until answer"},
	{"alice sends bytes: '00 05'", `scenario.SendBytes "\x00\x05"`},
	{"alice, bob send bytes: '00 05'", `scenario.SendBytes "\x00\x05"`},
	{`alice sends text: "x\n$$"`, `scenario.SendBytes "x\n$"`},
	{"alice, bob send text: x", `scenario.SendBytes "x"`},
	{"alice receives: hear", "scenario.Receive all hear"},
	{"alice, bob receive: hear\n    times: 2\n    next: yes", "scenario.Receive all hear times 2 next"},
	{"alice receives all of: [hear, left]", "scenario.Receive all hear left"},
	{"alice, bob receive all of: [hear]", "scenario.Receive all hear"},
	{"alice receives one of: [hear, disconnect]", "scenario.Receive one hear disconnect"},
	{"alice, bob receive one of: [hear]", "scenario.Receive one hear"},
	{"alice receives no: hear", "scenario.ReceiveNo"},
	{"alice, bob receive no: hear", "scenario.ReceiveNo"},
	{"alice receives nothing:", "scenario.ReceiveNothing"},
	{"alice, bob receive nothing:", "scenario.ReceiveNothing"},
	{"alice is disconnected:", "scenario.Disconnected"},
	{"alice, bob are disconnected:", "scenario.Disconnected"},
	{"alice stays connected:", "scenario.StaysConnected"},
	{"alice, bob stay connected:", "scenario.StaysConnected"},
	{"alice closes:", "scenario.Close"},
	{"alice, bob close:", "scenario.Close"},
	{"alice half-closes:", "scenario.HalfClose"},
	{"alice, bob half-close:", "scenario.HalfClose"},
	{"alice resets:", "scenario.Reset"},
	{"alice, bob reset:", "scenario.Reset"},
	{"alice stops reading:", "scenario.StopReading"},
	{"alice, bob stop reading:", "scenario.StopReading"},
	{"server prints: $alice\n    times: 2\n    within: 3s\n    since: start", "scenario.Prints alice times 2 within 3s since start"},
	{"server prints: /^al.ce/i", "scenario.Prints /(?mi)^al.ce/"},
	{"server prints: {all of: [$alice, $bob]}", "scenario.Prints alice bob"},
	{"server stops: $stop", "scenario.Stop interrupt"},
	{"server stops: terminate", "scenario.Stop terminate"},
	{"server stops: 'type:quit'", "scenario.Stop type:quit"},
	{"server exits:", "scenario.Exits"},
	{"server is up:", "scenario.IsUp"},
	{"server listens on the given port:", "scenario.ListensAsTold"},
	{"alice sends the rest:", "scenario.SendRest"},
	{"alice, bob send the rest:", "scenario.SendRest"},
	{"alice reads again:", "scenario.ReadAgain"},
	{"alice, bob read again:", "scenario.ReadAgain"},
	{"program types: $program", "scenario.Types program"},
	{"program types: ''\n    enter: no", "scenario.Types without enter"},
	{"program types: x\n    enter: yes", "scenario.Types x"},
	{"program shows: $server.port", "scenario.Shows 4445"},
	{"program shows: /^a.*$/s", "scenario.Shows /(?ms)^a.*$/"},
	{"program sends: {say: {user: $program, text: x}}", "scenario.ProgramSends say"},
	{"program sends nothing:", "scenario.ProgramSendsNothing"},
	{"program input ends:", "scenario.InputEnds"},
	{"program is stopped: $stop", "scenario.ProgramStop interrupt"},
	{"program exits:", "scenario.ProgramExits"},
	{"program exits: success", "scenario.ProgramExits success"},
	{"program exits: failure", "scenario.ProgramExits failure"},
	{"program exits: cleanly", "scenario.ProgramExits cleanly"},
	{"program sends: {say: {text: x}}\n    times: 3\n    next: yes", "scenario.ProgramSends say times 3 next"},
	{"program sends one of: [login, {say: {text: x}}]", "scenario.ProgramSends one of login say"},
	{"program types: {say: {text: {repeat: ab, times: 2}}}", "scenario.Types say abab"},
	{"program types: {repeat: x, times: 3}", "scenario.Types xxx"},
	{"program shows: {repeat: x, times: 3}", "scenario.Shows xxx"},
	{"program prints no: \"\\e[2J\"", "scenario.PrintsNo \x1b[2J"},
	{"program does: arrive", "scenario.ProgramDoes arrive"},
	{"program starts: {user: bob, host: nowhere.example}", "scenario.ProgramStarts host nowhere.example user bob"},
	{"program connects:", "scenario.ProgramConnects"},
	{"program disconnects:", "scenario.ProgramDisconnects"},
	{"program restores the terminal:", "scenario.RestoresTerminal"},
	{"server sends bytes: '00 01'\n    pieces: 1", "scenario.ServerSendsBytes \x00\x01 in pieces"},
	{"server sends text: x", "scenario.ServerSendsBytes x"},
	{"server sends: {hear: {user: bob, text: x}}\n    pieces: 1", "scenario.ServerSends hear in pieces"},
	{"server sends: [{hear: {user: bob, text: x}}, {answer: {code: ok}}]", "scenario.ServerSends hear answer"},
	{"server closes:", "scenario.ServerCloses"},
	{"server resets:", "scenario.ServerResets"},
}

// header is what stands before the steps of a table of steps.
func header(step string) string {
	who, verb := splitKey(strings.TrimSuffix(strings.SplitN(step, ":", 2)[0], ":"))
	if who[0] == programWho || who[0] == serverWho && slices.Contains([]string{"sends", "sends bytes", "sends text", "closes", "resets"}, verb) {
		return "tests: client"
	}
	return "clients: [alice, bob]"
}

// Every verb of the language, singular and plural, with all its options.
func TestVerbs(t *testing.T) {
	for _, tt := range verbSteps {
		sc := play(t, header(tt.step)+"\nsteps:\n  - "+before(tt.step)+tt.step)
		if got := describe(sc.Steps[len(sc.Steps)-1].Do); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.step, got, tt.want)
		}
	}
}

// before is what must have happened before a step.
func before(step string) string {
	for _, s := range []struct{ verb, first string }{
		{"the rest", "alice, bob send: {say: {text: x}}\n    cut: 3\n  - "},
		{"again", "alice, bob stop reading:\n  - "},
	} {
		if strings.Contains(step, s.verb) {
			return s.first
		}
	}
	return ""
}

func describe(a Action) string {
	parts := []string{fmt.Sprintf("%T", a)}
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	value := func(name string, v Value) {
		if v.IsSet() {
			text, err := v.Text(func(r Ref) (string, error) {
				switch r.Kind {
				case Setting:
					return "interrupt", nil
				case ServerPort:
					return "4445", nil
				}
				return r.Client.Name, nil
			})
			add("%s%s", name, text)
			if err != nil {
				add("%v", err)
			}
		}
	}
	until := func(x *Expected) {
		if x != nil {
			add("until %s", x.Message)
		}
	}
	printed := func(p Printed) {
		if !p.IsRegex {
			value("", p.Text)
			return
		}
		re, _ := p.Compile(nil)
		add("/%s/", re)
	}
	switch a := a.(type) {
	case Do:
		value("as ", a.As)
		if a.HasAs != a.As.IsSet() || a.Procedure == nil {
			add("contradictory")
		}
		if a.UntilSettled {
			add("until settled")
		}
		if a.Unsettled {
			add("unsettled")
		}
		until(a.Until)
	case Send:
		for _, m := range a.Messages {
			add("%s", m.Message)
			for name, v := range m.Set {
				value("set "+name+"=", v)
			}
		}
		value("times ", a.Times)
		if a.How.Everywhere {
			add("everywhere")
		}
		until(a.Until)
	case SendBytes:
		text, _ := a.Data.Text(nil)
		add("%q", text)
	case Receive:
		add("%s", map[Which]string{AllOf: "all", OneOf: "one"}[a.Which])
		for _, m := range a.Messages {
			if m.Disconnect {
				add("disconnect")
			} else {
				add("%s", m.Message)
			}
		}
		value("times ", a.Times)
		if a.Next {
			add("next")
		}
	case Prints:
		for _, p := range a.Texts {
			printed(p)
		}
		value("times ", a.Times)
		value("within ", a.Within)
		if a.SinceStart {
			add("since start")
		}
	case Stop:
		value("", a.How)
	case Types:
		if a.Command != "" {
			add("%s", a.Command)
		}
		value("", a.Text)
		if a.NoEnter {
			add("without enter")
		}
	case Shows:
		printed(a.Text)
	case PrintsNo:
		value("", a.Text)
	case ProgramDoes:
		add("%s", a.Procedure.Name)
	case ProgramStarts:
		for _, name := range slices.Sorted(maps.Keys(a.With)) {
			value(name+" ", a.With[name])
		}
	case ProgramSends:
		if a.Which == OneOf {
			add("one of")
		}
		for _, m := range a.Messages {
			add("%s", m.Message)
		}
		value("times ", a.Times)
		if a.Next {
			add("next")
		}
	case ProgramExits:
		if a.Status != "" {
			add("%s", string(a.Status))
		}
	case ServerSendsBytes:
		value("", a.Data)
		if !a.How.IsWhole() {
			add("in pieces")
		}
	case ProgramStop:
		value("", a.How)
	case ServerSends:
		for _, m := range a.Messages {
			add("%s", m.Message)
		}
		if !a.How.IsWhole() {
			add("in pieces")
		}
	}
	return strings.Join(parts, " ")
}

// The table above misses no verb.
func TestVerbsAreAllTested(t *testing.T) {
	var names []string
	for _, v := range verbs {
		for _, name := range v.names {
			names = append(names, v.who+" "+name)
			who := []string{v.who + " " + name + ":"}
			if v.who == "" {
				who = []string{"alice " + name + ":", "alice, bob " + name + ":"}
			}
			if !slices.ContainsFunc(verbSteps, func(tt struct{ step, want string }) bool {
				return slices.ContainsFunc(who, func(begin string) bool { return strings.HasPrefix(tt.step, begin) })
			}) {
				t.Errorf("no step in the table above is %s:", who[0])
			}
		}
	}
	slices.Sort(names)
	if len(slices.Compact(names)) != len(names) {
		t.Error("two verbs have the same name")
	}
}

func TestApplies(t *testing.T) {
	sc := play(t, "when: {echo: [yes, no], stop: interrupt}\nsteps: [alice connects: ]")
	for _, tt := range []struct{ echo, stop, want string }{
		{"yes", "interrupt", ""},
		{"no", "interrupt", ""},
		{wire.Any, "interrupt", "only where it is known what the target does: --set echo=yes"},
		{"yes", "terminate", "only with stop=interrupt, and here it is terminate"},
		{"yes", "", "only with stop=interrupt, and here it is "},
	} {
		ok, reason := sc.Applies(map[string]string{"echo": tt.echo, "stop": tt.stop})
		if ok != (tt.want == "") || reason != tt.want {
			t.Errorf("echo=%s stop=%s: %v, %q; want %q", tt.echo, tt.stop, ok, reason, tt.want)
		}
	}
	if ok, _ := play(t, "steps: [alice connects: ]").Applies(nil); !ok {
		t.Error("a scenario without conditions does not apply")
	}
}

func TestUses(t *testing.T) {
	for step, want := range map[string][2]bool{
		"alice connects:":         {false, false},
		"server prints: x":        {true, false},
		"server stops: interrupt": {false, true},
		"server exits:":           {false, true},
		"server is up:":           {false, false},
	} {
		output, process := play(t, "steps:\n  - alice connects:\n  - "+step).Uses()
		if got := [2]bool{output, process}; got != want {
			t.Errorf("%s uses output, process: %v, want %v", step, got, want)
		}
	}
}
