// Package scenario reads suites: a protocol.yaml and the scenario files beside
// it. What it returns is checked and resolved; the engine that plays it cannot
// meet a misspelt name.
//
// A suite is a folder:
//
//	suite, err := scenario.Load(os.DirFS("."), "mysuite")
//	for _, s := range suite.Scenarios {
//		fmt.Println(s.Name, s.Requirement.ID, len(s.Steps))
//	}
//
// A scenario reads as a play:
//
//   - name: every-other-client-hears
//     requirement: F-3
//     clients: [alice, bob, carol]
//     steps:
//   - alice sends: {say: {text: hello}}
//   - bob, carol receive: {hear: {user: $alice, text: hello}}
//
// Everything here is immutable once loaded and safe for concurrent use.
package scenario

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/chatprobe/chatprobe/internal/source"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// A Suite is a protocol and the scenarios that check it.
type Suite struct {
	Name       string
	Protocol   *wire.Protocol
	Scenarios  []*Scenario // in the order of files by name, and as written
	Procedures []*Procedure
	Fence      *FenceRule // nil if the protocol has none
}

// A Scenario is one play.
type Scenario struct {
	Name        string
	Title       string
	About       string // what the file says about itself
	Hint        string // the usual mistake
	Requirement *wire.Requirement
	Level       wire.Level
	Tags        []string
	When        []Condition // settings under which it applies
	After       []string    // scenarios whose failure makes this one pointless
	Clients     []*Client   // in order of first mention
	Steps       []*Step
	// Hidden says that a client that no step names is needed, to settle with
	// or as a witness.
	Hidden bool
	Pos    source.Pos
}

// A Condition is a setting and the values of it under which a scenario applies.
type Condition struct {
	Setting string
	Values  []string
}

// ProtocolFile is the name of the protocol file in a suite's folder.
const ProtocolFile = "protocol.yaml"

// Load reads the suite in folder dir of fsys. The error holds all that is
// wrong in all its files; it is a source.List unless a file could not be read.
func Load(fsys fs.FS, dir string) (*Suite, error) {
	protoName := path.Join(dir, ProtocolFile)
	data, err := fs.ReadFile(fsys, protoName)
	if err != nil {
		return nil, fmt.Errorf("read suite: %w (a suite is a folder with a %s)", err, ProtocolFile)
	}
	protocol, err := wire.Load(protoName, data)
	if err != nil {
		return nil, err
	}
	s := &Suite{Name: path.Base(dir), Protocol: protocol}
	if dir == "." {
		s.Name = protocol.Name
	}
	var errs source.Errors
	s.loadProtocolSteps(&errs)
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("read suite: %w", err)
	}
	for _, entry := range entries {
		ext := path.Ext(entry.Name())
		if entry.IsDir() || entry.Name() == ProtocolFile || ext != ".yaml" && ext != ".yml" {
			continue
		}
		file := path.Join(dir, entry.Name())
		data, err := fs.ReadFile(fsys, file)
		if err != nil {
			return nil, fmt.Errorf("read suite: %w", err)
		}
		s.loadFile(file, data, &errs)
	}
	s.checkNames(&errs)
	s.checkRoom(&errs)
	if err := errs.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Suite) checkNames(errs *source.Errors) {
	seen := map[string]*Scenario{}
	for _, sc := range s.Scenarios {
		if first, ok := seen[sc.Name]; ok {
			errs.Add(sc.Pos, "the name %q is used already, in %s:%d", sc.Name, first.Pos.Name(), first.Pos.Line)
		}
		seen[sc.Name] = sc
	}
	for _, sc := range s.Scenarios {
		for _, name := range sc.After {
			if seen[name] == nil {
				errs.Add(sc.Pos, "after: there is no scenario %q", name).Hint = source.DidYouMean(name, s.names())
			}
		}
	}
}

// checkRoom says what a scenario needs of the protocol file.
func (s *Suite) checkRoom(errs *source.Errors) {
	for _, sc := range s.Scenarios {
		switch {
		case !sc.needsRoom():
		case s.Procedure(loginName) == nil:
			errs.Add(sc.Pos, "%s has clients that log in, and %s has no procedure called login", sc.Name, ProtocolFile)
		case s.Fence == nil:
			errs.Add(sc.Pos, "%s has clients that log in, and %s has no fence:, which shows that the server is done with that", sc.Name, ProtocolFile)
		}
	}
}

// needsRoom says whether somebody logs in, or is needed as a witness.
func (sc *Scenario) needsRoom() bool {
	for _, step := range sc.Steps {
		if do, ok := step.Do.(Do); ok && do.Procedure != nil && do.Procedure.Settles() || step.Fence != nil {
			return true
		}
	}
	return sc.Hidden || sc.Listed() > 0
}

func (s *Suite) names() []string {
	names := make([]string, len(s.Scenarios))
	for i, sc := range s.Scenarios {
		names[i] = sc.Name
	}
	return names
}

// Procedure finds a procedure by its name, or nil.
func (s *Suite) Procedure(name string) *Procedure {
	for _, p := range s.Procedures {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// loader reads one scenario, or the steps of the protocol file.
type loader struct {
	suite    *Suite
	scenario *Scenario // nil in the protocol file
	errs     *source.Errors
	each     map[string]string // values of each:
	bound    map[string]bool   // names bound by ?x so far
	used     map[string]bool   // names of each: that steps use
	// inProtocol allows $self and $token, and the client called "client".
	inProtocol bool
}

func (s *Suite) loadProtocolSteps(errs *source.Errors) {
	l := &loader{suite: s, errs: errs, bound: map[string]bool{}, inProtocol: true}
	for _, p := range s.Protocol.Procedures {
		proc := &Procedure{Name: p.Name}
		for _, n := range p.Steps.Items() {
			if step := l.step(n); step != nil {
				proc.Steps = append(proc.Steps, step)
			}
		}
		s.Procedures = append(s.Procedures, proc)
	}
	if s.Protocol.Fence.IsNull() {
		return
	}
	keys := s.Protocol.Fence.Keys(errs, "token", "arrives")
	if keys["token"].IsNull() || keys["arrives"].IsNull() {
		errs.Add(s.Protocol.Fence.Pos(), "a fence needs token: (what is sent) and arrives: (how the others receive it)")
		return
	}
	before := errs.Len()
	f := &FenceRule{Token: l.outgoing(keys["token"]), Arrives: l.expected(keys["arrives"])}
	if errs.Len() == before && !(carriesToken(f.Token.Args) && carriesToken(f.Arrives.Args)) {
		errs.Add(s.Protocol.Fence.Pos(), "token: and arrives: must both contain $token").Hint =
			"token: {say: {text: $token}}, arrives: {hear: {user: $self, text: $token}}"
	}
	s.Fence = f
}

func carriesToken(args map[string]Value) bool {
	for _, v := range args {
		if v.refersTo(TokenText) {
			return true
		}
	}
	return false
}

func (s *Suite) loadFile(name string, data []byte, errs *source.Errors) {
	root := source.Parse(name, data, errs)
	if root.IsZero() {
		return
	}
	keys := root.Keys(errs, "about", "scenarios")
	about := keys["about"].Text(errs)
	if !root.IsMap() {
		return
	}
	switch list := keys["scenarios"]; {
	case list.IsNull():
		errs.Add(root.Pos(), "there are no scenarios in this file").Hint = "scenarios: and below it a list, each entry beginning with - name:"
	case !list.IsList():
		errs.Add(list.Pos(), "scenarios: is a list").Hint = "begin each scenario with - name:"
		return
	}
	for _, n := range keys["scenarios"].Items() {
		s.Scenarios = append(s.Scenarios, s.loadScenarios(n, about, errs)...)
	}
}

// Applies says whether the scenario is to be played under these settings, or
// why not.
func (sc *Scenario) Applies(settings map[string]string) (bool, string) {
	for _, c := range sc.When {
		value := settings[c.Setting]
		if slices.Contains(c.Values, value) {
			continue
		}
		if value == wire.Any {
			return false, fmt.Sprintf("only where it is known what the target does: --set %s=%s", c.Setting, c.Values[0])
		}
		return false, fmt.Sprintf("only with %s=%s, and here it is %s", c.Setting, strings.Join(c.Values, " or "), value)
	}
	return true, ""
}

// Uses says whether the scenario needs to see what the server prints, and to
// stop it or see its end.
func (sc *Scenario) Uses() (output, process bool) {
	for _, step := range sc.Steps {
		switch step.Do.(type) {
		case Prints:
			output = true
		case Stop, Exits:
			process = true
		}
	}
	return output, process
}

// Listed counts the clients that are in the room before the first step.
func (sc *Scenario) Listed() int {
	n := 0
	for _, c := range sc.Clients {
		if c.Listed {
			n++
		}
	}
	return n
}
