package scenario

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/chatprobe/chatprobe/internal/source"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// A folder is where scenario files are.
type folder struct {
	fsys fs.FS
	dir  string
}

// findBase finds the folder of a protocol that another one in dir extends:
// one of the library, or one beside it.
func findBase(fsys fs.FS, dir string, library fs.FS, name string) (folder, error) {
	beside := folder{fsys, path.Join(path.Dir(dir), name)}
	if name == CommonDir {
		return folder{}, fmt.Errorf("%s is no protocol", name)
	}
	for _, f := range []folder{{nonNil(library), name}, beside} {
		if _, err := fs.Stat(f.fsys, path.Join(f.dir, ProtocolFile)); err == nil {
			return f, nil
		}
	}
	var known []string
	entries, _ := fs.ReadDir(nonNil(library), ".")
	for _, e := range entries {
		if e.IsDir() && e.Name() != CommonDir {
			known = append(known, e.Name())
		}
	}
	return folder{}, fmt.Errorf("there is no suite %q, neither built in nor beside this one: %s", name, source.DidYouMean(name, known))
}

// nonNil is fsys, or a file system without files.
func nonNil(fsys fs.FS) fs.FS {
	if fsys == nil {
		return embed.FS{}
	}
	return fsys
}

// files are the scenario files of a folder by name.
func (f folder) files() ([]string, error) {
	entries, err := fs.ReadDir(f.fsys, f.dir)
	if err != nil {
		return nil, fmt.Errorf("read suite: %w", err)
	}
	var names []string
	for _, entry := range entries {
		ext := path.Ext(entry.Name())
		if !entry.IsDir() && entry.Name() != ProtocolFile && (ext == ".yaml" || ext == ".yml") {
			names = append(names, path.Join(f.dir, entry.Name()))
		}
	}
	return names, nil
}

// loadFolder reads all scenario files of a folder.
func (s *Suite) loadFolder(f folder, errs *source.Errors) ([]*Scenario, error) {
	return s.eachFile(f, errs, func(n source.Node, file fileHead) []*Scenario {
		return s.loadScenarios(n, file, errs)
	})
}

// loadFit reads the scenarios of a folder that fit this suite: those whose
// messages, procedures and settings its protocol has.
func (s *Suite) loadFit(f folder, errs *source.Errors) ([]*Scenario, error) {
	return s.eachFile(f, errs, func(n source.Node, file fileHead) []*Scenario {
		var own source.Errors
		file.fitting, file.common = true, f.dir == CommonDir
		list := s.loadScenarios(n, file, &own)
		if err := own.Err(); err != nil {
			if s.unfit == nil {
				s.unfit = map[string]error{}
			}
			if name := n.Get("name").Raw(); name != "" {
				s.unfit[name] = err
			}
			return nil
		}
		return slices.DeleteFunc(list, func(sc *Scenario) bool {
			return sc.TestsClient && s.Procedure(ArriveProcedure) == nil ||
				sc.needsRoom() && (s.Procedure(loginName) == nil || s.Fence == nil)
		})
	})
}

// A fileHead is what a scenario file says about all its scenarios.
type fileHead struct {
	about       string
	testsClient bool
	fitting     bool // leave out what the protocol has not
	common      bool
}

func (s *Suite) eachFile(f folder, errs *source.Errors, read func(source.Node, fileHead) []*Scenario) ([]*Scenario, error) {
	names, err := f.files()
	if err != nil {
		return nil, err
	}
	var list []*Scenario
	for _, name := range names {
		data, err := fs.ReadFile(f.fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read suite: %w", err)
		}
		root := source.Parse(name, data, errs)
		if root.IsZero() {
			continue
		}
		keys := root.Keys(errs, "about", "tests", "scenarios")
		head := fileHead{about: keys["about"].Text(errs), testsClient: testsClient(keys["tests"], errs)}
		if !root.IsMap() {
			continue
		}
		switch list := keys["scenarios"]; {
		case list.IsNull():
			errs.Add(root.Pos(), "there are no scenarios in this file").Hint = "scenarios: and below it a list, each entry beginning with - name:"
			continue
		case !list.IsList():
			errs.Add(list.Pos(), "scenarios: is a list").Hint = "begin each scenario with - name:"
			continue
		}
		for _, n := range keys["scenarios"].Items() {
			list = append(list, read(n, head)...)
		}
	}
	return list, nil
}

func testsClient(n source.Node, errs *source.Errors) bool {
	if n.IsNull() {
		return false
	}
	if text := n.Text(errs); text != "client" && text != "server" {
		errs.Add(n.Pos(), "tests: is server or client, not %q", text)
	}
	return n.Raw() == "client"
}

// without is list less the scenarios that others has under the same name.
func without(list, others []*Scenario) []*Scenario {
	return slices.DeleteFunc(list, func(sc *Scenario) bool {
		return slices.ContainsFunc(others, func(o *Scenario) bool { return o.Base == sc.Base })
	})
}

// takeCommon gives each common scenario the requirement that names it. Where
// some requirement does so, those that none names are left out.
func (s *Suite) takeCommon(list []*Scenario, errs *source.Errors) []*Scenario {
	wanted := map[string]*wire.Requirement{}
	for _, r := range s.Protocol.Requirements {
		for _, name := range r.Common {
			fits := func(sc *Scenario) bool { return sc.Base == name }
			switch {
			case wanted[name] != nil:
				errs.Add(r.Pos, "the common scenario %s checks %s already", name, wanted[name].ID)
			case s.Protocol.Extends != "": // what it extends may have had what it lacks
			case !slices.ContainsFunc(list, fits) && s.unfit[name] != nil:
				errs.Add(r.Pos, "the common scenario %s does not fit this protocol: %v", name, s.unfit[name])
			case !slices.ContainsFunc(list, fits):
				errs.Add(r.Pos, "there is no common scenario %q", name)
			}
			wanted[name] = r
		}
	}
	if len(wanted) == 0 {
		return list
	}
	list = slices.DeleteFunc(list, func(sc *Scenario) bool { return wanted[sc.Base] == nil })
	for _, sc := range list {
		sc.Requirement = wanted[sc.Base]
		if sc.Level.Weaker(sc.Requirement.Level) {
			continue // it binds less by its own word
		}
		sc.Level = sc.Requirement.Level
	}
	return list
}

// dropDangling takes from after: what this suite has not, where a scenario was
// written for others too.
func (s *Suite) dropDangling() {
	have := map[string]bool{}
	for _, sc := range s.Scenarios {
		have[sc.Name], have[sc.Base] = true, true
	}
	for _, sc := range s.Scenarios {
		if sc.inherited {
			sc.After = slices.DeleteFunc(sc.After, func(name string) bool { return !have[name] })
		}
	}
}
