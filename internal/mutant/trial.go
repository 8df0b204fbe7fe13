package mutant

import (
	"cmp"
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

// slowPause is that of plays which are repeated slowly: the servers are quick,
// and so are their mutants.
const slowPause = 10 * time.Millisecond

// calm is how many scenarios are played at once against the server as it is,
// which must pass them.
const calm = 4

// A Trial plays a suite against mutants of a correct server.
type Trial struct {
	Suite     *scenario.Suite
	Scenarios []*scenario.Scenario // of the suite
	Launch    engine.Launch        // the correct server
	// Config is how it is judged; its settings are complete.
	Config engine.Config
	// Equivalents says of mutants by name why they are correct too.
	Equivalents map[string]string
	// Only leaves out all mutants for which it is false; nil leaves out none.
	Only func(name string) bool
	// Most is how many scenarios a mutant is played in at first, of those that
	// give it occasion to be wrong; 0 means all. Only where these do not catch
	// it, the others are played too.
	Most int
	// Known says of mutants by name which scenario is known to catch them: it is
	// played in any case. It may be nil.
	Known map[string]string
	// AtOnce is how many mutants are tried at the same time.
	AtOnce int
	// Done, unless nil, is told of each mutant that has been tried, one at a time.
	Done func(tried, all int)
}

// Run plays. It is an error if the server as it is does not pass everything:
// nothing can be said about mutants of a wrong server.
func (t Trial) Run(ctx context.Context) (*transcript.MutantTable, error) {
	began := time.Now()
	values, err := t.Suite.Protocol.Settle(t.Config.Settings)
	if err != nil {
		return nil, fmt.Errorf("read the settings: %w", err)
	}
	codec, err := t.Suite.Protocol.Bind(values)
	if err != nil {
		return nil, fmt.Errorf("read the protocol: %w", err)
	}
	var census Census
	_, runs := t.patient(census.Count(t.Launch, codec)).Run(ctx, t.Scenarios)
	list, err := passed(t.Scenarios, runs)
	if err != nil || ctx.Err() != nil {
		return nil, orEnded(ctx, err)
	}
	table := &transcript.MutantTable{Suite: t.Suite.Name, Of: string(wire.Server), Scenarios: len(list), Useless: []string{}}
	mutants := All(t.Suite, codec, &census)
	t.findStale(table, mutants)
	if t.Only != nil {
		mutants = slices.DeleteFunc(mutants, func(m Mutant) bool { return !t.Only(m.Name) })
	}
	chances, err := t.occasions(ctx, mutants, codec, list)
	if err != nil || ctx.Err() != nil {
		return nil, orEnded(ctx, err)
	}
	for i := len(mutants) - 1; i >= 0; i-- {
		if mutants[i].optional && len(chances[i]) == 0 {
			mutants, chances = slices.Delete(mutants, i, i+1), slices.Delete(chances, i, i+1)
		}
	}
	if err := t.tryAll(ctx, table, mutants, codec, chances); err != nil {
		return nil, orEnded(ctx, err)
	}
	if t.Only == nil {
		t.tryDegenerates(ctx, table, list)
		t.findUseless(ctx, table, mutants, codec, chances, list)
	}
	table.Seconds = time.Since(began).Seconds()
	return table, ctx.Err()
}

func orEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func (t Trial) session(launch engine.Launch) *engine.Session {
	c := t.Config
	c.Trusted, c.Strict, c.SlowPause = true, true, slowPause
	return &engine.Session{Suite: t.Suite, Launch: launch, Config: c}
}

// A chance is a scenario in which a mutant would be wrong, and how many mutants
// would be.
type chance struct {
	scenario *scenario.Scenario
	number   int // in the order of the suite
	crowd    int
}

// occasions says for each mutant which scenarios give it the occasion to be
// wrong: first those that do so for the fewest mutants.
func (t Trial) occasions(ctx context.Context, mutants []Mutant, codec *wire.Codec, list []*scenario.Scenario) ([][]chance, error) {
	chances := make([][]chance, len(mutants))
	seen := make([][]atomic.Int64, len(list))
	var failed error
	var mu sync.Mutex
	var work sync.WaitGroup
	turns := make(chan struct{}, calm)
	for i, sc := range list {
		seen[i] = make([]atomic.Int64, len(mutants))
		turns <- struct{}{}
		work.Go(func() {
			defer func() { <-turns }()
			_, runs := t.patient(watched(t.Launch, codec, mutants, seen[i])).Run(ctx, []*scenario.Scenario{sc})
			if _, err := passed([]*scenario.Scenario{sc}, runs); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = cmp.Or(failed, err)
			}
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
				chances[j] = append(chances[j], chance{sc, i, crowd})
			}
		}
	}
	for _, list := range chances {
		slices.SortStableFunc(list, func(a, b chance) int { return a.crowd - b.crowd })
	}
	return chances, failed
}

// patient is a session that never fails because the machine has other things
// to do.
func (t Trial) patient(launch engine.Launch) *engine.Session {
	s := t.session(launch)
	s.Timeout = max(s.Timeout, 10*time.Second)
	s.Slots = make(chan struct{}, calm)
	return s
}

// tryAll fills in what became of each mutant.
func (t Trial) tryAll(ctx context.Context, table *transcript.MutantTable, mutants []Mutant, codec *wire.Codec, chances [][]chance) error {
	table.Mutants = make([]transcript.Mutant, len(mutants))
	var work sync.WaitGroup
	var mu sync.Mutex
	var failed error
	tried := 0
	turns := make(chan struct{}, max(t.AtOnce, 1))
	for i, m := range mutants {
		turns <- struct{}{}
		work.Go(func() {
			defer func() { <-turns }()
			r, err := t.try(ctx, m, codec, chances[i])
			mu.Lock()
			defer mu.Unlock()
			failed = cmp.Or(failed, err)
			table.Mutants[i] = r
			tried++
			if t.Done != nil {
				t.Done(tried, len(mutants))
			}
		})
	}
	work.Wait()
	for _, m := range table.Mutants {
		if m.Equivalent != "" && len(m.Caught) > 0 {
			table.Stale = append(table.Stale, m.Name)
		}
	}
	return failed
}

// try plays against one mutant.
func (t Trial) try(ctx context.Context, m Mutant, codec *wire.Codec, chances []chance) (transcript.Mutant, error) {
	began := time.Now()
	r := transcript.Mutant{Name: m.Name, About: m.About, Caught: []string{}, Occasions: len(chances), Equivalent: t.Equivalents[m.Name]}
	launch := m.Breed(t.Launch, codec)
	if i := slices.IndexFunc(chances, func(c chance) bool { return c.scenario.Name == t.Known[m.Name] }); i > 0 {
		chances[0], chances[i] = chances[i], chances[0]
	}
	for len(chances) > 0 && len(r.Caught) == 0 && ctx.Err() == nil {
		part := chances
		if t.Most > 0 && len(part) > t.Most {
			part = part[:t.Most]
		}
		chances = chances[len(part):]
		slices.SortFunc(part, func(a, b chance) int { return a.number - b.number })
		list := make([]*scenario.Scenario, len(part))
		for i, c := range part {
			list[i] = c.scenario
		}
		_, runs := t.session(launch).Run(ctx, list)
		r.Played += len(list)
		for _, run := range runs {
			if run.Verdict == transcript.Error && ctx.Err() == nil {
				return r, fmt.Errorf("play %s against %s: %s", run.Scenario, m.Name, run.Reason)
			}
		}
		r.Caught = caught(list, runs, transcript.Fail)
		if len(chances) == 0 && len(r.Caught) == 0 {
			r.Caught = caught(list, runs, transcript.Blocked)
		}
		if len(r.Caught) == 1 || r.Equivalent != "" {
			// All hangs on these, and haste may have been the cause.
			list = slices.DeleteFunc(list, func(sc *scenario.Scenario) bool { return !slices.Contains(r.Caught, sc.Name) })
			again := t.session(launch)
			again.Timeout = 4 * t.Config.Timeout
			_, runs = again.Run(ctx, list)
			r.Caught = append(caught(list, runs, transcript.Fail), caught(list, runs, transcript.Blocked)...)
		}
	}
	r.Seconds = time.Since(began).Seconds()
	return r, nil
}

// caught are the scenarios with a verdict. What fails catches a mutant; where
// nothing fails, what cannot even begin does.
func caught(list []*scenario.Scenario, runs []transcript.Run, v transcript.Verdict) []string {
	names := []string{}
	for i, run := range runs {
		if run.Verdict == v {
			names = append(names, list[i].Name)
		}
	}
	return names
}

// tryDegenerates fills in what servers pass that speak no protocol.
func (t Trial) tryDegenerates(ctx context.Context, table *transcript.MutantTable, list []*scenario.Scenario) {
	for _, d := range Degenerates() {
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

// findStale names what is said to be equivalent and is no mutant.
func (t Trial) findStale(table *transcript.MutantTable, mutants []Mutant) {
	for name := range t.Equivalents {
		if !slices.ContainsFunc(mutants, func(m Mutant) bool { return m.Name == name }) {
			table.Stale = append(table.Stale, name)
		}
	}
	slices.Sort(table.Stale)
}

// findUseless names the scenarios that catch nothing. Those that have caught
// nothing so far are played against all mutants that have not met them yet.
func (t Trial) findUseless(ctx context.Context, table *transcript.MutantTable, mutants []Mutant, codec *wire.Codec, chances [][]chance, list []*scenario.Scenario) {
	catches := map[string]bool{}
	for _, m := range table.Mutants {
		for _, name := range m.Caught {
			catches[name] = true
		}
	}
	var mu sync.Mutex
	var work sync.WaitGroup
	turns := make(chan struct{}, max(t.AtOnce, 1))
	for _, sc := range list {
		for i, m := range mutants {
			mu.Lock()
			caughtOne := catches[sc.Name]
			mu.Unlock()
			if caughtOne {
				break
			}
			if table.Mutants[i].Equivalent != "" || table.Mutants[i].Played == len(chances[i]) ||
				!slices.ContainsFunc(chances[i], func(c chance) bool { return c.scenario == sc }) {
				continue
			}
			turns <- struct{}{}
			work.Go(func() {
				defer func() { <-turns }()
				_, runs := t.session(m.Breed(t.Launch, codec)).Run(ctx, []*scenario.Scenario{sc})
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

// passed are the scenarios that say something about the server.
func passed(list []*scenario.Scenario, runs []transcript.Run) ([]*scenario.Scenario, error) {
	var good []*scenario.Scenario
	for i, run := range runs {
		switch run.Verdict {
		case transcript.Pass:
			good = append(good, list[i])
		case transcript.Skip:
		default:
			return nil, fmt.Errorf("%s does not pass with the server as it is (%s): mutants are made of correct servers", list[i].Name, run.Reason)
		}
	}
	return good, nil
}
