package mutant

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// ClientEquivalentsFile is what [EquivalentsFile] is for mutants of client
// programs.
const ClientEquivalentsFile = "equivalents-client.txt"

// A clientTrial tries mutants of the program of a Trial.
type clientTrial struct {
	Trial

	busy func() bool // Config.Busy, for what all hangs on
}

// patience is how long the correct program may take for something, whatever
// Config.Timeout says. The mutants then get as much time as it has needed at
// most, or the timeout, whichever is longer.
const patience = 3 * time.Second

// clients has mutants made of the trial's program.
func clients(trial Trial, codec *wire.Codec) stock {
	t := &clientTrial{Trial: trial, busy: trial.Config.Busy}
	usual := t.Config.Timeout
	t.Config.Timeout = max(patience, usual)
	var census ClientCensus
	var mutants []ClientMutant
	s := stock{of: wire.Client, asItIs: t.session(census.Count(t.Program, t.Suite, codec)), atOnce: t.AtOnce, try: t.try}
	s.mutants = func() (list []candidate) {
		mutants = AllClients(codec, &census, t.Config.Told)
		for _, m := range mutants {
			breed := func() *engine.Session { return t.session(m.Breed(t.Program, codec)) }
			list = append(list, candidate{name: m.Name, about: m.About, optional: m.optional, session: breed})
		}
		return list
	}
	s.watch = func(_ *scenario.Scenario, seen []atomic.Int64) *engine.Session {
		return t.session(watchedClient(t.Program, codec, mutants, seen))
	}
	s.took = func(longest time.Duration) {
		t.Config.Timeout = max(usual, longest*3/2)
		t.Config.Busy = nil // most of them wait in vain
	}
	for _, d := range DegenerateClients() {
		launch := func() *engine.Session { return t.session(d.Launch(t.Suite.Protocol.Transport)) }
		s.degenerates = append(s.degenerates, candidate{name: d.Name, about: d.About, session: launch})
	}
	return s
}

func (t *clientTrial) session(launch engine.ProgramLaunch) *engine.Session {
	return &engine.Session{Suite: t.Suite, Program: launch, Config: t.config()}
}

// unusable stands for all scenarios where a program cannot be used for any.
const unusable = "first-contact"

// try plays against one mutant.
func (t *clientTrial) try(ctx context.Context, m candidate) (transcript.Mutant, error) {
	r := transcript.Mutant{Caught: []string{}, Equivalent: t.Equivalents[m.name]}
	var list []*scenario.Scenario
	for rest := m.chances; len(rest) > 0 && len(r.Caught) == 0 && ctx.Err() == nil; {
		list, rest = t.next(rest)
		_, runs := m.session().Run(ctx, list)
		r.Played += len(list)
		r.Caught = caught(list, runs, transcript.Fail)
		if len(r.Caught) == 0 && len(caught(list, runs, transcript.Blocked)) > 0 {
			r.Caught = []string{unusable}
		}
		switch {
		case len(r.Caught) > 0 && r.Equivalent != "":
			r.Caught = t.confirmed(ctx, m, list, r.Caught, patience)
		case len(r.Caught) == 1:
			r.Caught = t.confirmed(ctx, m, list, r.Caught, 2*t.Config.Timeout)
		}
	}
	return r, nil
}

// confirmed are those of the scenarios that catch a mutant which also do so with
// more time: all hangs on them, and haste may have been the cause.
func (t *clientTrial) confirmed(ctx context.Context, m candidate, list []*scenario.Scenario, names []string, timeout time.Duration) []string {
	if names[0] != unusable {
		list = slices.DeleteFunc(list, func(sc *scenario.Scenario) bool { return !slices.Contains(names, sc.Name) })
	}
	again := m.session()
	again.Timeout, again.Busy = timeout, t.busy
	_, runs := again.Run(ctx, list)
	switch fails := caught(list, runs, transcript.Fail); {
	case len(fails) > 0:
		return fails
	case len(caught(list, runs, transcript.Blocked)) > 0:
		return []string{unusable}
	}
	return []string{}
}
