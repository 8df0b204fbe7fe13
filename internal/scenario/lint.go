package scenario

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/chatprobe/chatprobe/internal/source"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// Lint says what is not wrong in the files of a suite, and probably not meant.
// The suite was loaded from folder dir of fsys; what it has from elsewhere is
// not looked at.
func (s *Suite) Lint(fsys fs.FS, dir string) (source.List, error) {
	name := path.Join(dir, ProtocolFile)
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("read suite: %w", err)
	}
	var ignored source.Errors // it was loaded: there are none
	root := source.Parse(name, data, &ignored)
	l := &linter{suite: s, used: map[string]bool{}, settings: map[string]bool{}}
	l.collect()
	if !root.Has("title") && s.Protocol.Title == "" {
		l.warnings.Add(root.Pos(), "the protocol has no title").Hint = "title: what it is, in a few words"
	}
	l.checkRequirements(root.Get("requirements").Pairs(&ignored))
	l.checkSettings(root.Get("settings").Pairs(&ignored))
	l.checkMessages(root.Get("messages").Pairs(&ignored))
	for _, sc := range s.Scenarios {
		if first := s.Scenarios[slices.IndexFunc(s.Scenarios, func(o *Scenario) bool { return o.Base == sc.Base })]; first == sc && !sc.inherited {
			l.checkScenario(sc)
		}
	}
	var list source.List
	errors.As(l.warnings.Err(), &list)
	return list, nil
}

// Names that mean the same in every protocol. What has one may be there for
// the common scenarios, or for whoever reads a capture.
var (
	standardMessages = []string{"login", "say", "hear", "joined", "left", "leave", "list", "listed", "tell", "told", "ok", "refused", "closing"}
	standardSettings = []string{"echo", "duplicate_name", "ungreeted", "stop", "max_message", "max_name", "max_clients"}
)

// A linter collects what is used in a suite, and then warns.
type linter struct {
	suite    *Suite
	used     map[string]bool // messages
	settings map[string]bool // that bytes, steps or conditions depend on
	tags     map[string]int  // how many scenarios have them
	warnings source.Errors
}

// collect finds out what is used.
func (l *linter) collect() {
	p := l.suite.Protocol
	for _, name := range standardMessages {
		l.used[name] = true
	}
	for _, name := range standardSettings {
		l.settings[name] = true
	}
	for question, answer := range p.Answers {
		l.used[question], l.used[answer] = true, true
	}
	for _, name := range p.Ignore {
		l.used[name] = true
	}
	if f := l.suite.Fence; f != nil {
		if f.Question != nil {
			l.outgoing(*f.Question)
			l.expected(f.Answer)
		}
		l.outgoing(f.Token)
		l.expected(f.Arrives)
	}
	for _, proc := range l.suite.Procedures {
		l.steps(proc.Steps)
	}
	l.tags = map[string]int{}
	for _, sc := range l.suite.Scenarios {
		l.steps(sc.Steps)
		for _, c := range sc.When {
			l.settings[c.Setting] = true
		}
		for _, tag := range sc.Tags {
			l.tags[tag]++
		}
	}
	for _, s := range p.Settings {
		l.settings[s.Name] = l.settings[s.Name] || s.OnWire
	}
}

func (l *linter) steps(steps []*Step) {
	for _, step := range steps {
		switch do := step.Do.(type) {
		case Do:
			l.values(do.As)
			l.until(do.Until)
		case Send:
			l.outgoing(do.Messages...)
			l.cutting(do.How)
			l.values(do.Times)
			l.until(do.Until)
		case SendBytes:
			l.values(do.Data)
			l.cutting(do.How)
		case Receive:
			l.expected(do.Messages...)
			l.values(do.Times)
		case ReceiveNo:
			l.expected(do.Message)
		case Prints:
			for _, text := range do.Texts {
				l.values(text.Text)
			}
			l.values(do.Times, do.Within)
		case Stop:
			l.values(do.How)
		case Types:
			l.values(do.Text)
		case Shows:
			l.values(do.Text.Text)
		case PrintsNo:
			l.values(do.Text)
		case ProgramSends:
			l.expected(do.Messages...)
			l.values(do.Times)
		case ProgramStarts:
			l.arguments(do.With)
		case ProgramStop:
			l.values(do.How)
		case ServerSends:
			l.outgoing(do.Messages...)
			l.cutting(do.How)
		case ServerSendsBytes:
			l.values(do.Data)
			l.cutting(do.How)
		}
	}
}

func (l *linter) outgoing(list ...Outgoing) {
	for _, o := range list {
		l.used[o.Message] = true
		l.arguments(o.Args)
		l.arguments(o.Set)
	}
}

func (l *linter) expected(list ...Expected) {
	for _, x := range list {
		l.used[x.Message] = true
		l.arguments(x.Args)
	}
}

func (l *linter) until(x *Expected) {
	if x != nil {
		l.expected(*x)
	}
}

func (l *linter) arguments(args map[string]Value) {
	for _, v := range args {
		l.values(v)
	}
}

func (l *linter) cutting(c Cutting) {
	l.values(c.Pieces, c.Cut)
	l.values(c.Split...)
}

func (l *linter) values(list ...Value) {
	for _, v := range list {
		for _, r := range v.parts {
			if r.Kind == Setting {
				l.settings[r.Name] = true
			}
		}
		l.values(v.list...)
		l.values(v.row...)
		if v.repeat != nil {
			l.values(*v.repeat, *v.times)
		}
	}
}

// checkRequirements finds those that nothing checks, or nothing as strictly
// as it says.
func (l *linter) checkRequirements(declared []source.Pair) {
	for _, pair := range declared {
		r := l.suite.Protocol.Requirement(pair.Key.Raw())
		if r == nil || r.OfClient {
			continue
		}
		strictest := wire.Level("")
		for _, sc := range l.suite.Scenarios {
			if sc.Requirement != nil && sc.Requirement.ID == r.ID && (strictest == "" || strictest.Weaker(sc.Level)) {
				strictest = sc.Level
			}
		}
		switch {
		case strictest == "":
			l.warnings.Add(pair.Key.Pos(), "no scenario checks requirement %s", r.ID).Hint = "requirement: " + r.ID + " in one, or of: client here"
		case strictest.Weaker(r.Level):
			l.warnings.Add(pair.Key.Pos(), "requirement %s is a %s, and all scenarios that check it are %s", r.ID, r.Level, strictest)
		}
	}
}

func (l *linter) checkSettings(declared []source.Pair) {
	for _, pair := range declared {
		name := pair.Key.Raw()
		if !l.settings[name] {
			l.warnings.Add(pair.Key.Pos(), "nothing depends on the setting %s", name).Hint = "$" + name + " in a message or a step, or when: in a scenario"
		}
		if s := l.suite.Protocol.Setting(name); s != nil && s.About == "" {
			l.warnings.Add(pair.Key.Pos(), "nobody is told what the setting %s means", name).Hint = "about: a few words"
		}
	}
}

// checkMessages finds messages that are never sent, never expected, and no
// part or shape of others.
func (l *linter) checkMessages(declared []source.Pair) {
	var ignored source.Errors
	for _, pair := range declared {
		for _, part := range pair.Value.Get("parts").Items() {
			l.used[part.Text(&ignored)] = true
		}
		if is := pair.Value.Get("is"); !is.IsNull() {
			l.used[is.Text(&ignored)] = true
		}
	}
	for _, pair := range declared {
		if name := pair.Key.Raw(); !l.used[name] && l.suite.Protocol.Message(name) != nil {
			l.warnings.Add(pair.Key.Pos(), "the message %s is never sent and never expected", name)
		}
	}
}

func (l *linter) checkScenario(sc *Scenario) {
	var missing []string
	if sc.Title == strings.ReplaceAll(sc.Name, "-", " ") { // what it is given where it has none
		missing = append(missing, "title")
	}
	if sc.Requirement == nil && len(l.suite.Protocol.Requirements) > 0 {
		missing = append(missing, "requirement")
	}
	if sc.Hint == "" {
		missing = append(missing, "hint")
	}
	if len(missing) > 0 {
		l.warnings.Add(sc.Pos, "%s has no %s", sc.Base, strings.Join(missing, ", no "))
	}
	if !slices.ContainsFunc(sc.Steps, canFail) {
		l.warnings.Add(sc.Pos, "%s expects nothing: it passes whatever the server does", sc.Base).Hint = "bob receives: {hear: {text: hello}}"
	}
	for _, c := range sc.When {
		if s := l.suite.Protocol.Setting(c.Setting); s != nil && len(s.OneOf) > 0 && !slices.ContainsFunc(s.OneOf, func(v string) bool { return !slices.Contains(c.Values, v) }) {
			l.warnings.Add(sc.Pos, "when: %s applies always: these are all values that it can have", c.Setting)
		}
	}
	l.checkTags(sc)
}

// canFail says that a step expects something.
func canFail(step *Step) bool {
	switch do := step.Do.(type) {
	case Receive, ReceiveNo, ReceiveNothing, Disconnected, StaysConnected, Prints, Exits, IsUp, ListensAsTold,
		Shows, PrintsNo, ProgramConnects, ProgramSends, ProgramSendsNothing, ProgramDisconnects, ProgramExits, RestoresTerminal:
		return true
	case Send:
		return do.Until != nil
	case ProgramDoes:
		return slices.ContainsFunc(do.Procedure.Steps, func(s *Step) bool { return !s.Optional && canFail(s) })
	case Do:
		return do.Until != nil || do.Procedure.Settles() && !do.Unsettled ||
			slices.ContainsFunc(do.Procedure.Steps, func(s *Step) bool { return !s.Optional && canFail(s) })
	}
	return false
}

// checkTags finds tags that look like other ones misspelt.
func (l *linter) checkTags(sc *Scenario) {
	for _, tag := range sc.Tags {
		if _, err := wire.ParseLevel(tag); err == nil {
			l.warnings.Add(sc.Pos, "the tag %s does not say how binding %s is", tag, sc.Base).Hint = "level: " + tag
			continue
		}
		var better []string
		for other, n := range l.tags {
			if n > l.tags[tag] && len(tag) > 3 {
				better = append(better, other)
			}
		}
		if hint := source.DidYouMean(tag, better); strings.HasPrefix(hint, "did you mean") {
			l.warnings.Add(sc.Pos, "the tag %q is used less than one like it", tag).Hint = hint
		}
	}
}
