package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/source"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/scenarios"
)

// loadSuites finds suites by the names of built-in ones or by folders. Without
// names it is all that are built in.
func loadSuites(names []string) ([]*scenario.Suite, error) {
	if len(names) == 0 {
		names = scenarios.Names()
	}
	var suites []*scenario.Suite
	for _, name := range names {
		s, err := loadSuite(name)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(suites, func(o *scenario.Suite) bool { return o.Name == s.Name }) {
			return nil, usage("suite %q is named twice", s.Name)
		}
		suites = append(suites, s)
	}
	return suites, nil
}

func loadSuite(name string) (*scenario.Suite, error) { return loadWith(scenario.Load, name) }

// loadProtocols is [loadSuites] for who needs nothing but the protocols.
func loadProtocols(names []string) ([]*wire.Protocol, error) {
	if len(names) == 0 {
		names = scenarios.Names()
	}
	var list []*wire.Protocol
	for _, name := range names {
		p, err := loadWith(scenario.LoadProtocol, name)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// loadWith loads a suite, or its protocol, by the name of a built-in one or by
// its folder.
func loadWith[T any](load func(fsys fs.FS, dir string, library fs.FS) (*T, error), name string) (*T, error) {
	if slices.Contains(scenarios.Names(), name) {
		s, err := load(scenarios.Files, name, scenarios.Files)
		if err != nil {
			return nil, fmt.Errorf("load built-in suite %s: %w", name, err)
		}
		return s, nil
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !strings.ContainsRune(name, filepath.Separator):
		if hint, ok := didYouMean(name, scenarios.Names()); ok {
			return nil, usage("there is no suite %q: %s", name, hint)
		}
		return nil, usage("there is no suite %q: %s; a suite of your own is a folder, and there is none of that name",
			name, source.DidYouMean(name, scenarios.Names()))
	case errors.Is(err, fs.ErrNotExist):
		return nil, usage("there is no folder %s with a suite", name)
	case err != nil:
		return nil, usage("read suite: %w", err)
	case !info.IsDir():
		return nil, usage("%s is not a folder: a suite is a folder with a %s", name, scenario.ProtocolFile)
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, usage("read suite: %w", err)
	}
	if _, err := os.Stat(filepath.Join(name, scenario.ProtocolFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, usage("%s is no suite: there is no %s in that folder", name, scenario.ProtocolFile)
	}
	s, err := load(os.DirFS(filepath.Dir(abs)), filepath.Base(abs), scenarios.Files)
	var files source.List
	if err != nil && !errors.As(err, &files) {
		return nil, usage("%w", err)
	}
	return s, err
}
