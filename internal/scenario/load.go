package scenario

import (
	"slices"
	"strings"

	"github.com/chatprobe/chatprobe/internal/source"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// loadScenarios reads one entry: one scenario, or one for each value of each:.
func (s *Suite) loadScenarios(n source.Node, file fileHead, errs *source.Errors) []*Scenario {
	keys := n.Keys(errs, "name", "title", "requirement", "level", "clients", "steps",
		"hint", "tags", "points", "when", "needs", "after", "each", "tests", "terminal")
	switch steps := keys["steps"]; {
	case !n.IsMap():
		return nil
	case keys["name"].IsNull() || steps.IsNull():
		errs.Add(n.Pos(), "a scenario needs a name and steps")
		return nil
	case !steps.IsList():
		errs.Add(steps.Pos(), "steps: is a list").Hint = "begin each step with - and a blank"
		return nil
	}
	combinations := []map[string]string{nil}
	suffix := []string{""}
	for _, pair := range keys["each"].Pairs(errs) {
		if len(pair.Value.Items()) == 0 {
			errs.Add(pair.Key.Pos(), "each: %s has no values, so the scenario would never run", pair.Key.Raw()).Hint =
				"each: {" + pair.Key.Raw() + ": [1, 2, 3]}"
			continue
		}
		if !eachSyntax.MatchString(pair.Key.Raw()) {
			errs.Add(pair.Key.Pos(), "%q cannot be used as $%s: a name is letters, digits and _", pair.Key.Raw(), pair.Key.Raw())
		}
		var next []map[string]string
		var nextSuffix []string
		for i, c := range combinations {
			for _, v := range pair.Value.Items() {
				m := map[string]string{pair.Key.Raw(): v.Text(errs)}
				for k, old := range c {
					m[k] = old
				}
				next = append(next, m)
				nextSuffix = append(nextSuffix, suffix[i]+"["+pair.Key.Raw()+"="+v.Raw()+"]")
			}
		}
		combinations, suffix = next, nextSuffix
	}
	var list []*Scenario
	for i, c := range combinations {
		l := &loader{suite: s, errs: errs, each: c, bound: map[string]bool{}, used: map[string]bool{}, fitting: file.fitting}
		list = append(list, l.loadScenario(keys, file, suffix[i]))
		for _, pair := range keys["each"].Pairs(errs) {
			if name := pair.Key.Raw(); !l.used[name] && len(pair.Value.Items()) > 0 {
				errs.Add(pair.Key.Pos(), "each: no step uses $%s", name)
			}
		}
	}
	return list
}

func (l *loader) loadScenario(keys map[string]source.Node, file fileHead, suffix string) *Scenario {
	sc := &Scenario{
		Name:  keys["name"].Text(l.errs),
		Title: keys["title"].Text(l.errs),
		About: strings.TrimSpace(file.about),
		Hint:  strings.TrimSpace(keys["hint"].Text(l.errs)),
		Tags:  keys["tags"].Texts(l.errs),
		After: keys["after"].Texts(l.errs),
		Level: wire.Must,
		Pos:   keys["name"].Pos(),

		TestsClient: file.testsClient || testsClient(keys["tests"], l.errs),
		Common:      file.common,
		inherited:   file.fitting,
	}
	if n := keys["points"]; !n.IsNull() {
		sc.Points = n.Int(l.errs, 0, 1_000_000)
	}
	if !nameSyntax.MatchString(sc.Name) {
		l.errs.Add(sc.Pos, "a scenario's name is lower-case words with hyphens between them")
	}
	sc.Base = sc.Name
	sc.Name += suffix
	if sc.Title == "" {
		sc.Title = strings.ReplaceAll(sc.Name, "-", " ")
	}
	l.scenario = sc
	before := l.errs.Len()
	if n := keys["terminal"]; !n.IsNull() {
		if sc.OnPipes = !n.Bool(l.errs); !sc.TestsClient {
			l.errs.Add(n.Pos(), "terminal: is for scenarios that test a client program")
		}
	}
	l.loadRequirement(keys["requirement"], keys["level"])
	for _, p := range keys["when"].Pairs(l.errs) {
		name := p.Key.Raw()
		set := l.suite.Protocol.Setting(name)
		if set == nil {
			l.errs.Add(p.Key.Pos(), "there is no setting %q", name).Hint = source.DidYouMean(name, l.suite.Protocol.SettingNames())
			continue
		}
		values := p.Value.Texts(l.errs)
		if len(values) == 0 {
			l.errs.Add(p.Key.Pos(), "when: %s has no value", name).Hint = "when: {" + name + ": " + strings.Join(set.Choices(), " or ") + "}"
			continue
		}
		for _, v := range values {
			if err := set.Check(v); err != nil {
				l.errs.Add(p.Value.Pos(), "%v", err)
			}
		}
		sc.When = append(sc.When, Condition{name, values})
	}
	l.loadNeeds(keys["needs"])
	l.loadClients(keys["clients"])
	l.declareClients(keys["steps"])
	for _, n := range keys["steps"].Items() {
		if step := l.step(n); step != nil {
			sc.Steps = append(sc.Steps, step)
		}
	}
	l.checkTransport()
	l.checkProgram()
	l.checkSweep()
	if l.errs.Len() == before && !sc.TestsClient {
		l.planFences()
	}
	return sc
}

func (l *loader) loadRequirement(id, level source.Node) {
	sc, p := l.scenario, l.suite.Protocol
	if !id.IsNull() {
		sc.Requirement = p.Requirement(id.Text(l.errs))
		if sc.Requirement == nil {
			var ids []string
			for _, r := range p.Requirements {
				ids = append(ids, r.ID)
			}
			l.errs.Add(id.Pos(), "there is no requirement %q", id.Raw()).Hint = source.DidYouMean(id.Raw(), ids)
			return
		}
		sc.Level = sc.Requirement.Level
	}
	if level.IsNull() {
		return
	}
	given, err := wire.ParseLevel(level.Text(l.errs))
	switch {
	case err != nil:
		l.errs.Add(level.Pos(), "%v", err)
	case sc.Level.Weaker(given) && sc.Requirement != nil:
		l.errs.Add(level.Pos(), "a scenario may bind less than its requirement, not more: %s is a %s", sc.Requirement.ID, sc.Level)
	default:
		sc.Level = given
	}
}

// What needs: says about the port: the target must choose it itself, or must
// have been given one.
const (
	OwnPort   = "own_port"
	GivenPort = "given_port"
	Terminal  = "terminal" // for a client program
)

// loadNeeds reads what a scenario does not apply without: messages, parameters
// such as hear.user, settings. They are known by now, so a scenario that is
// this suite's own has no use for most of them; one that is common to several
// protocols does not fit where one is missing.
func (l *loader) loadNeeds(n source.Node) {
	p := l.suite.Protocol
	for _, item := range n.Items() {
		need := item.Text(l.errs)
		message, param, isParam := strings.Cut(need, ".")
		m := p.Message(message)
		switch {
		case need == OwnPort || need == GivenPort || need == Terminal:
			l.scenario.Needs = append(l.scenario.Needs, need)
		case isParam && m != nil && slices.Contains(m.Params(), param):
		case !isParam && (m != nil || p.Setting(need) != nil):
		default:
			l.errs.Add(item.Pos(), "needs: the protocol has no %q", need).Hint = "a message, a parameter such as hear.user, a setting, " + OwnPort + ", " + GivenPort + " or " + Terminal
		}
	}
}

// checkTransport finds steps that UDP cannot have.
func (l *loader) checkTransport() {
	if l.suite.Protocol.Transport != "udp" {
		return
	}
	started := !l.scenario.StartsLater()
	for _, step := range l.scenario.Steps {
		var why string
		if _, ok := step.Do.(ProgramStarts); ok {
			started = true
		}
		switch do := step.Do.(type) {
		case HalfClose, Reset, Disconnected, StaysConnected, StopReading, ReadAgain:
			why = "UDP has no connections"
		case SendRest:
			why = "a datagram is sent as a whole"
		case Send:
			if !do.How.IsWhole() || len(do.Messages) > 1 {
				why = "a datagram is one message, and sent as a whole"
			}
		case SendBytes:
			if !do.How.IsWhole() {
				why = "a datagram is sent as a whole"
			}
		case ServerResets, ProgramDisconnects:
			if started {
				why = "UDP has no connections"
			}
		case ServerSends:
			if !do.How.IsWhole() || len(do.Messages) > 1 {
				why = "a datagram is one message, and sent as a whole"
			}
		case ServerSendsBytes:
			if !do.How.IsWhole() {
				why = "a datagram is sent as a whole"
			}
		}
		if why != "" {
			l.errs.Add(step.Pos, "%s", why)
		}
	}
}
