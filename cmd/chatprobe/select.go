package main

import (
	"path"
	"slices"
	"strings"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/source"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// selected are the scenarios of a suite that --scenario and --level choose.
func (f *runFlags) selected(s *scenario.Suite) ([]*scenario.Scenario, error) {
	level, err := wire.ParseLevel(f.level)
	if err != nil {
		return nil, usage("--level: %w", err)
	}
	var list []*scenario.Scenario
	for _, sc := range s.Scenarios {
		if sc.TestsClient != f.client {
			continue // the target is the other side
		}
		ok := len(f.scenarios) == 0
		for _, glob := range f.scenarios {
			match, err := matches(glob, s.Name, sc.Name)
			if err != nil {
				return nil, err
			}
			ok = ok || match
		}
		if ok && !sc.Level.Weaker(level) {
			list = append(list, sc)
		}
	}
	return list, nil
}

// nothingSelected says why no scenario of the suites is selected.
func (f *runFlags) nothingSelected(suites []*scenario.Suite) error {
	what := "no scenario"
	if len(f.scenarios) > 0 {
		what = "no scenario that matches --scenario " + strings.Join(f.scenarios, " ")
	}
	weaker := *f
	weaker.level = string(wire.May)
	for _, s := range suites {
		if list, err := weaker.selected(s); err != nil || len(list) > 0 {
			return usage("nothing is selected: %s binds as much as --level %s", what, f.level)
		}
	}
	about := "servers, and --client is not given"
	if f.client {
		about = "client programs, and --client is given"
	}
	return usage("nothing is selected: %s is about %s", what, about)
}

// matches compares a pattern with suite/name and with the name alone, and for
// one of several runs of a scenario, name[size=1000], also with its stem.
func matches(glob, suite, name string) (bool, error) {
	stem, _, _ := strings.Cut(name, "[")
	for _, candidate := range []string{suite + "/" + name, name, suite + "/" + stem, stem} {
		if glob == candidate {
			return true, nil
		}
		ok, err := path.Match(glob, candidate)
		if err != nil {
			return false, usage("--scenario %q is no pattern: * stands for anything, [ab] for one of some letters", glob)
		}
		if ok {
			return true, nil
		}
	}
	return false, nil
}

// checkPatterns finds patterns that match nothing: they are misspelt, also
// where others match. Suites were named by names.
func (f *runFlags) checkPatterns(names []string, suites []*scenario.Suite) error {
	for _, glob := range f.scenarios {
		var known []string
		found := false
		for _, s := range suites {
			for _, sc := range s.Scenarios {
				match, err := matches(glob, s.Name, sc.Name)
				if err != nil {
					return err
				}
				found = found || match
				stem, _, _ := strings.Cut(sc.Name, "[")
				if strings.Contains(glob, "/") {
					stem = s.Name + "/" + stem
				}
				if !slices.Contains(known, stem) {
					known = append(known, stem)
				}
			}
		}
		if found {
			continue
		}
		meant := ""
		if !strings.ContainsAny(glob, "*?") {
			if hint, ok := didYouMean(glob, known); ok {
				meant = ": " + hint
			}
		}
		list := strings.Join(append([]string{"chatprobe list"}, names...), " ")
		return usage("no scenario matches --scenario %s%s (%s shows them all)", glob, meant, list)
	}
	return nil
}

// didYouMean is a hint, if there is a candidate like word.
func didYouMean(word string, candidates []string) (string, bool) {
	hint := source.DidYouMean(word, candidates)
	return hint, strings.HasPrefix(hint, "did you mean")
}
