package mutant

import (
	"context"
	"fmt"
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
	values, err := t.Suite.Protocol.Settle(t.Config.Settings)
	if err != nil {
		return nil, fmt.Errorf("read the settings: %w", err)
	}
	codec, err := t.Suite.Protocol.Bind(values)
	if err != nil {
		return nil, fmt.Errorf("read the protocol: %w", err)
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
	tries := make([]clientTry, len(mutants))
	for i, m := range mutants {
		tries[i] = clientTry{ClientMutant: m}
	}
	longest := t.occasions(ctx, tries, codec, list)
	tries = slices.DeleteFunc(tries, func(m clientTry) bool { return m.optional && len(m.chances) == 0 })
	t.Config.Timeout = max(usual, longest*3/2)
	t.busy, t.Config.Busy = t.Config.Busy, nil // most of them wait in vain

	table := &transcript.MutantTable{Suite: t.Suite.Name, Of: string(wire.Client), Scenarios: len(list), Useless: []string{}}
	table.Stale = t.stale(tries)
	if t.Only != nil {
		tries = slices.DeleteFunc(tries, func(m clientTry) bool { return !t.Only(m.Name) })
	}
	t.tryAll(ctx, table, tries, codec)
	if t.Only == nil {
		t.tryDegenerates(ctx, table, list)
		t.findUseless(ctx, table, tries, codec, list)
	}
	table.Seconds = time.Since(began).Seconds()
	return table, ctx.Err()
}

// A clientTry is a mutant with the scenarios in which it would be wrong.
type clientTry struct {
	ClientMutant
	chances []chance
}

func (t ClientTrial) session(launch engine.ProgramLaunch) *engine.Session {
	c := t.Config
	c.Trusted, c.Strict, c.SlowPause = true, true, slowPause
	return &engine.Session{Suite: t.Suite, Program: launch, Config: c}
}

// occasions finds the scenarios that give each mutant the occasion to be wrong:
// first those that do so for the fewest mutants. It returns how long the longest
// play has taken.
func (t ClientTrial) occasions(ctx context.Context, tries []clientTry, codec *wire.Codec, list []*scenario.Scenario) time.Duration {
	mutants := make([]ClientMutant, len(tries))
	for i, m := range tries {
		mutants[i] = m.ClientMutant
	}
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
	for i, sc := range list {
		crowd := 0
		for j := range mutants {
			if seen[i][j].Load() > 0 {
				crowd++
			}
		}
		for j := range mutants {
			if seen[i][j].Load() > 0 {
				tries[j].chances = append(tries[j].chances, chance{sc, i, crowd})
			}
		}
	}
	for _, m := range tries {
		slices.SortStableFunc(m.chances, func(a, b chance) int { return a.crowd - b.crowd })
	}
	return time.Duration(slices.Max(append(took, 0)) * float64(time.Second))
}

// tryAll fills in what became of each mutant.
func (t ClientTrial) tryAll(ctx context.Context, table *transcript.MutantTable, tries []clientTry, codec *wire.Codec) {
	table.Mutants = make([]transcript.Mutant, len(tries))
	var work sync.WaitGroup
	var mu sync.Mutex
	tried := 0
	turns := make(chan struct{}, max(t.AtOnce, 1))
	for i, m := range tries {
		turns <- struct{}{}
		work.Go(func() {
			defer func() { <-turns }()
			r := t.try(ctx, m, codec)
			mu.Lock()
			defer mu.Unlock()
			table.Mutants[i] = r
			tried++
			if t.Done != nil {
				t.Done(tried, len(tries))
			}
		})
	}
	work.Wait()
	for _, m := range table.Mutants {
		if m.Equivalent != "" && len(m.Caught) > 0 {
			table.Stale = append(table.Stale, m.Name)
		}
	}
}

// unusable stands for all scenarios where a program cannot be used for any.
const unusable = "first-contact"

// try plays against one mutant.
func (t ClientTrial) try(ctx context.Context, m clientTry, codec *wire.Codec) transcript.Mutant {
	began := time.Now()
	r := transcript.Mutant{Name: m.Name, About: m.About, Caught: []string{}, Occasions: len(m.chances), Equivalent: t.Equivalents[m.Name]}
	launch := m.Breed(t.Program, codec)
	for rest := m.chances; len(rest) > 0 && len(r.Caught) == 0 && ctx.Err() == nil; {
		part := rest
		if t.Most > 0 && len(part) > t.Most {
			part = part[:t.Most]
		}
		rest = rest[len(part):]
		part = slices.SortedFunc(slices.Values(part), func(a, b chance) int { return a.number - b.number })
		list := make([]*scenario.Scenario, len(part))
		for i, c := range part {
			list[i] = c.scenario
		}
		_, runs := t.session(launch).Run(ctx, list)
		r.Played += len(list)
		r.Caught = caught(list, runs, transcript.Fail)
		if len(r.Caught) == 0 && len(caught(list, runs, transcript.Blocked)) > 0 {
			r.Caught = []string{unusable}
		}
		switch {
		case len(r.Caught) > 0 && r.Equivalent != "":
			r.Caught = t.confirmed(ctx, launch, list, r.Caught, patience)
		case len(r.Caught) == 1:
			r.Caught = t.confirmed(ctx, launch, list, r.Caught, 2*t.Config.Timeout)
		}
	}
	r.Seconds = time.Since(began).Seconds()
	return r
}

// confirmed are those of the scenarios that catch a mutant which also do so with
// more time: all hangs on them, and haste may have been the cause.
func (t ClientTrial) confirmed(ctx context.Context, launch engine.ProgramLaunch, list []*scenario.Scenario, names []string, timeout time.Duration) []string {
	if names[0] != unusable {
		list = slices.DeleteFunc(list, func(sc *scenario.Scenario) bool { return !slices.Contains(names, sc.Name) })
	}
	again := t.session(launch)
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

// tryDegenerates fills in what programs pass that speak no protocol.
func (t ClientTrial) tryDegenerates(ctx context.Context, table *transcript.MutantTable, list []*scenario.Scenario) {
	for _, d := range DegenerateClients() {
		r := transcript.Degenerate{Name: d.Name, About: d.About, Passed: []string{}}
		_, runs := t.session(d.Launch(t.Suite.Protocol.Transport)).Run(ctx, list)
		for i, run := range runs {
			if run.Verdict == transcript.Pass {
				r.Passed = append(r.Passed, list[i].Name)
			}
		}
		table.Degenerates = append(table.Degenerates, r)
	}
}

// stale names what is said to be equivalent and is no mutant.
func (t ClientTrial) stale(mutants []clientTry) []string {
	var names []string
	for name := range t.Equivalents {
		if !slices.ContainsFunc(mutants, func(m clientTry) bool { return m.Name == name }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// findUseless names the scenarios that catch nothing. Those that have caught
// nothing so far are played against all mutants that have not met them yet.
func (t ClientTrial) findUseless(ctx context.Context, table *transcript.MutantTable, tries []clientTry, codec *wire.Codec, list []*scenario.Scenario) {
	catches := map[string]bool{}
	for _, m := range table.Mutants {
		for _, name := range m.Caught {
			catches[name] = true
		}
	}
	var work sync.WaitGroup
	var mu sync.Mutex
	turns := make(chan struct{}, max(t.AtOnce, 1))
	for _, sc := range list {
		for i, m := range tries {
			mu.Lock()
			useful := catches[sc.Name]
			mu.Unlock()
			if useful || ctx.Err() != nil {
				break
			}
			if table.Mutants[i].Equivalent != "" || !slices.ContainsFunc(m.chances, func(c chance) bool { return c.scenario == sc }) {
				continue
			}
			turns <- struct{}{}
			work.Go(func() {
				defer func() { <-turns }()
				_, runs := t.session(m.Breed(t.Program, codec)).Run(ctx, []*scenario.Scenario{sc})
				mu.Lock()
				defer mu.Unlock()
				catches[sc.Name] = catches[sc.Name] || runs[0].Verdict == transcript.Fail
			})
		}
	}
	work.Wait()
	for _, sc := range list {
		if !catches[sc.Name] {
			table.Useless = append(table.Useless, sc.Name)
		}
	}
}
