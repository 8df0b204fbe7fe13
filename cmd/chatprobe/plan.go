package main

import (
	"context"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/report"
	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/sockets"
	"github.com/chatprobe/chatprobe/internal/source"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

// A plan is what is going to be played, and against what.
type plan struct {
	target string
	parts  []part
	config engine.Config
	ends   []func()      // what is to be ended when all is played
	manner func() string // how the target was started, known when all is played
}

type part struct {
	suite     *scenario.Suite
	scenarios []*scenario.Scenario
	launch    engine.Launch
	program   engine.ProgramLaunch
	config    engine.Config
}

// end stops what is still running.
func (p *plan) end() {
	for _, end := range p.ends {
		end()
	}
}

// plan says what is played: everything that the flags select, or of that only
// the scenarios with these names, suite/scenario.
func (f *runFlags) plan(suites []*scenario.Suite, settings map[string]string, command, only []string) (*plan, error) {
	p := &plan{config: engine.Config{
		Settings: settings, Origin: transcript.Set, Timeout: f.timeout, Strict: f.strict, Busy: sockets.Busy, Seed: f.seed, Shuffle: f.shuffle,
	}}
	if p.config.Seed == 0 {
		p.config.Seed = rand.Uint64() >> 11 // JSON readers keep 53 bits
	}
	if f.timeout <= 0 {
		return nil, usage("--timeout must be more than nothing")
	}
	// What shows a conversation shows those that went well too.
	p.config.Transcripts = f.record != "" || slices.ContainsFunc(f.reports, func(s string) bool { return strings.HasPrefix(s, "json=") })
	if table, err := sockets.Open(); err == nil {
		p.config.Sockets = table
	}
	p.config.Slots = make(chan struct{}, f.slots(command))
	if err := f.checkTarget(command); err != nil {
		return nil, err
	}
	if (f.address != "" || command != nil) && len(suites) != 1 {
		return nil, usage("a server speaks one protocol: name one suite, as in chatprobe run %s", suites[0].Name)
	}
	if err := settled(suites, settings); err != nil {
		return nil, err
	}
	for _, s := range suites {
		selected, err := f.selected(s)
		if err != nil {
			return nil, err
		}
		if only != nil {
			selected = slices.DeleteFunc(selected, func(sc *scenario.Scenario) bool { return !slices.Contains(only, s.Name+"/"+sc.Name) })
		}
		if len(selected) == 0 {
			continue
		}
		part, err := f.aim(p, s, command)
		if err != nil {
			return nil, err
		}
		part.suite, part.scenarios = s, selected
		p.parts = append(p.parts, part)
	}
	if len(p.parts) == 0 && only == nil {
		return nil, f.nothingSelected(suites)
	}
	return p, nil
}

// settled checks settings: each is one of at least one of the suites.
func settled(suites []*scenario.Suite, settings map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		var names, known []string
		found := false
		for _, s := range suites {
			names, known = append(names, s.Protocol.Name), append(known, s.Protocol.SettingNames()...)
			if s.Protocol.Setting(name) == nil {
				continue
			}
			found = true
			if _, err := s.Protocol.Settle(map[string]string{name: settings[name]}); err != nil {
				return usage("%w", err)
			}
		}
		switch hint := source.DidYouMean(name, known); {
		case found:
		case len(names) == 1:
			return usage("protocol %s has no setting %q: %s", names[0], name, hint)
		default:
			return usage("no protocol has a setting %q: %s", name, hint)
		}
	}
	return nil
}

// of are those settings that the protocol of s has.
func of(s *scenario.Suite, settings map[string]string) map[string]string {
	own := maps.Clone(settings)
	maps.DeleteFunc(own, func(name, _ string) bool { return s.Protocol.Setting(name) == nil })
	return own
}

// play fills the report. All suites share the slots.
func (p *plan) play(ctx context.Context, r *transcript.Report) {
	if p.config.Sockets != nil {
		defer p.config.Sockets.Close()
	}
	headers := make([]transcript.Suite, len(p.parts))
	runs := make([][]transcript.Run, len(p.parts))
	var sessions sync.WaitGroup
	for i, part := range p.parts {
		sessions.Go(func() {
			s := &engine.Session{Suite: part.suite, Launch: part.launch, Program: part.program, Config: part.config}
			headers[i], runs[i] = s.Run(ctx, part.scenarios)
			for j, set := range headers[i].Settings {
				if _, ok := p.config.Settings[set.Name]; ok && set.Origin == transcript.Declared {
					headers[i].Settings[j].Origin = transcript.Set // over what the built-in server declares
				}
			}
		})
	}
	sessions.Wait()
	if p.manner != nil {
		r.Manner = p.manner()
	}
	r.Suites = headers
	for _, list := range runs {
		r.Runs = append(r.Runs, list...)
	}
}

// narrate has everything that happens told on a screen while it happens.
func (p *plan) narrate(screen io.Writer) {
	n := report.Narrator{W: screen, Table: report.Table{Width: screenWidth(screen)}}
	for i := range p.parts {
		p.parts[i].config.Watch = n.Tell
	}
}
