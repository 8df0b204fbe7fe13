// Package scenario reads suites: a protocol.yaml and the scenario files beside
// it. What it returns is checked and resolved; the engine that plays it cannot
// meet a misspelt name.
//
// A suite is a folder:
//
//	suite, err := scenario.Load(os.DirFS("."), "mysuite", scenarios.Files)
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
	Commands   []*Command // what is typed into a client program

	unfit map[string]error // why common scenarios do not fit, by name
}

// A Scenario is one play.
type Scenario struct {
	Name        string
	Base        string // Name without what each: adds to it
	Title       string
	About       string // what the file says about itself
	Hint        string // the usual mistake
	Requirement *wire.Requirement
	Level       wire.Level
	Tags        []string
	Points      int         // what it counts in a grade; 0 where nothing is said
	When        []Condition // settings under which it applies
	Needs       []string    // what else it does not apply without: own_port
	After       []string    // scenarios whose failure makes this one pointless
	Clients     []*Client   // in order of first mention
	Steps       []*Step
	// Hidden says that a client that no step names is needed, to settle with
	// or as a witness.
	Hidden bool
	// TestsClient says that the target is a client program, and the probe is
	// the server.
	TestsClient bool
	// OnPipes says that the program is tested without a terminal.
	OnPipes bool
	// Common says that it is written for every protocol that has what it needs.
	Common bool
	Pos    source.Pos

	inherited bool // written for another protocol, or for all
}

// A Condition is a setting and the values of it under which a scenario applies.
type Condition struct {
	Setting string
	Values  []string
}

// ProtocolFile is the name of the protocol file in a suite's folder.
const ProtocolFile = "protocol.yaml"

// CommonDir is the folder of the library that holds the scenarios for every
// protocol.
const CommonDir = "common"

// Load reads the suite in folder dir of fsys. What it extends, and the
// scenarios that all suites have in common, are looked for in library, which
// may be nil. The error holds all that is wrong in all its files; it is a
// source.List unless a file could not be read.
func Load(fsys fs.FS, dir string, library fs.FS) (*Suite, error) {
	protocol, bases, err := loadProtocol(fsys, dir, library)
	if err != nil {
		return nil, err
	}
	s := &Suite{Name: path.Base(dir), Protocol: protocol}
	if dir == "." {
		s.Name = protocol.Name
	}
	var errs source.Errors
	s.loadProtocolSteps(&errs)
	own, err := s.loadFolder(folder{fsys, dir}, &errs)
	if err != nil {
		return nil, err
	}
	for _, base := range bases {
		inherited, err := s.loadFit(base, &errs)
		if err != nil {
			return nil, err
		}
		own = append(without(inherited, own), own...)
	}
	if _, err := fs.Stat(nonNil(library), CommonDir); err == nil {
		common, err := s.loadFit(folder{library, CommonDir}, &errs)
		if err != nil {
			return nil, err
		}
		own = append(s.takeCommon(without(common, own), &errs), own...)
	}
	s.Scenarios = own
	s.dropDangling()
	s.checkNames(&errs)
	s.checkRoom(&errs)
	if err := errs.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

// LoadProtocol reads only the protocol of the suite in folder dir of fsys, which
// takes a tenth of the time that [Load] does.
func LoadProtocol(fsys fs.FS, dir string, library fs.FS) (*wire.Protocol, error) {
	protocol, _, err := loadProtocol(fsys, dir, library)
	return protocol, err
}

// loadProtocol reads a protocol, and says which folders it extends, nearest first.
func loadProtocol(fsys fs.FS, dir string, library fs.FS) (*wire.Protocol, []folder, error) {
	protoName := path.Join(dir, ProtocolFile)
	data, err := fs.ReadFile(fsys, protoName)
	if err != nil {
		return nil, nil, fmt.Errorf("read suite: %w (a suite is a folder with a %s)", err, ProtocolFile)
	}
	var bases []folder
	open := func(name string) (string, []byte, error) {
		f, err := findBase(fsys, dir, library, name)
		if err != nil {
			return "", nil, err
		}
		bases = append(bases, f)
		file := path.Join(f.dir, ProtocolFile)
		data, err := fs.ReadFile(f.fsys, file)
		return file, data, err
	}
	protocol, err := wire.Load(protoName, data, open)
	return protocol, bases, err
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
			if seen[name] == nil && !slices.ContainsFunc(s.Scenarios, func(o *Scenario) bool { return o.Base == name }) {
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
		case Stop, Exits, ListensAsTold:
			process = true
		}
	}
	return output, process
}

// CutsUp says whether the scenario is about messages in pieces, or several in
// one segment.
func (sc *Scenario) CutsUp() bool {
	for _, step := range sc.Steps {
		switch do := step.Do.(type) {
		case Send:
			if !do.How.IsWhole() || len(do.Messages) > 1 {
				return true
			}
		case SendBytes:
			if !do.How.IsWhole() {
				return true
			}
		}
	}
	return false
}

// LongestText is the length in bytes of the longest text that a client sends
// under these settings. What is known only while the scenario is played does
// not count.
func (sc *Scenario) LongestText(settings map[string]string) int {
	lookup := func(r Ref) (string, error) {
		if r.Kind == Setting {
			return settings[r.Name], nil
		}
		return "", nil
	}
	longest := 0
	for _, step := range sc.Steps {
		send, _ := step.Do.(Send)
		for _, out := range send.Messages {
			for _, v := range out.Args {
				if text, err := v.Text(lookup); err == nil {
					longest = max(longest, len(text))
				}
			}
		}
	}
	return longest
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
