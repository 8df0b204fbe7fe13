package mutant

import (
	"context"
	"slices"
	"sync"
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

// A ClientTrial plays a suite against mutants of a correct client program. Of
// its Trial, Launch is not used.
type ClientTrial struct {
	Trial
	Program engine.ProgramLaunch // the correct program

	busy func() bool // Config.Busy, for what all hangs on
}

// patience is how long the correct program may take for something, whatever
// Config.Timeout says. The mutants then get as much time as it has needed at
// most, or the timeout, whichever is longer.
const patience = 3 * time.Second

// Run plays. It is an error if the program as it is does not pass everything:
// nothing can be said about mutants of a wrong program.
func (t ClientTrial) Run(ctx context.Context) (*transcript.MutantTable, error) {
	began := time.Now()
	codec, err := t.codec()
	if err != nil {
		return nil, err
	}
	var census ClientCensus
	usual := t.Config.Timeout
	t.Config.Timeout = max(patience, usual)
	_, runs := t.session(census.Count(t.Program, t.Suite, codec)).Run(ctx, t.Scenarios)
	list, err := passed(t.Scenarios, runs)
	if err != nil || ctx.Err() != nil {
		return nil, orEnded(ctx, err)
	}
	mutants := AllClients(codec, &census, t.Config.Told)
	var candidates []candidate
	for _, m := range mutants {
		candidates = append(candidates, candidate{
			name: m.Name, about: m.About, optional: m.optional,
			session: func() *engine.Session { return t.session(m.Breed(t.Program, codec)) },
		})
	}
	longest := t.occasions(ctx, mutants, candidates, codec, list)
	candidates = slices.DeleteFunc(candidates, candidate.isBesides)
	t.Config.Timeout = max(usual, longest*3/2)
	t.busy, t.Config.Busy = t.Config.Busy, nil // most of them wait in vain

	table := t.table(wire.Client, candidates, list)
	if t.Only != nil {
		candidates = slices.DeleteFunc(candidates, func(c candidate) bool { return !t.Only(c.name) })
	}
	_ = t.tryAll(ctx, table, candidates, t.try) // which never fails
	if t.Only == nil {
		for _, d := range DegenerateClients() {
			t.tryDegenerate(ctx, table, d.Name, d.About, t.session(d.Launch(t.Suite.Protocol.Transport)), list)
		}
		t.findUseless(ctx, table, candidates, list)
	}
	table.Seconds = time.Since(began).Seconds()
	return table, ctx.Err()
}

func (t ClientTrial) session(launch engine.ProgramLaunch) *engine.Session {
	return &engine.Session{Suite: t.Suite, Program: launch, Config: t.config()}
}

// occasions finds the scenarios that give each mutant the occasion to be wrong.
// It returns how long the longest play has taken.
func (t ClientTrial) occasions(ctx context.Context, mutants []ClientMutant, candidates []candidate, codec *wire.Codec, list []*scenario.Scenario) time.Duration {
	seen := make([][]atomic.Int64, len(list))
	took := make([]float64, len(list))
	var work sync.WaitGroup
	turns := make(chan struct{}, max(t.AtOnce, 1))
	for i, sc := range list {
		seen[i] = make([]atomic.Int64, len(mutants))
		turns <- struct{}{}
		work.Go(func() {
			defer func() { <-turns }()
			_, runs := t.session(watchedClient(t.Program, codec, mutants, seen[i])).Run(ctx, []*scenario.Scenario{sc})
			took[i] = runs[0].Seconds
		})
	}
	work.Wait()
	giveChances(candidates, list, seen)
	return time.Duration(slices.Max(append(took, 0)) * float64(time.Second))
}

// unusable stands for all scenarios where a program cannot be used for any.
const unusable = "first-contact"

// try plays against one mutant.
func (t ClientTrial) try(ctx context.Context, m candidate) (transcript.Mutant, error) {
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
func (t ClientTrial) confirmed(ctx context.Context, m candidate, list []*scenario.Scenario, names []string, timeout time.Duration) []string {
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
