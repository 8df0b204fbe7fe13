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

// A Trial plays a suite against mutants of a correct server or client program.
type Trial struct {
	Suite     *scenario.Suite
	Scenarios []*scenario.Scenario // of the suite
	Launch    engine.Launch        // the correct server
	// Program is the correct client program, where mutants are made of that one.
	// Launch is not used then.
	Program engine.ProgramLaunch
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

// A stock is a correct program that mutants are made of, and how they are tried.
type stock struct {
	of wire.Side
	// asItIs counts what is said, and mutants are those that this makes.
	asItIs  *engine.Session
	mutants func() []candidate
	// watch plays a scenario with the program as it is, and has seen count for
	// each mutant whether it would have been wrong. atOnce is how many play at
	// the same time, and took, unless nil, is told how long the longest did.
	watch  func(sc *scenario.Scenario, seen []atomic.Int64) *engine.Session
	atOnce int
	took   func(longest time.Duration)
	try    func(ctx context.Context, c candidate) (transcript.Mutant, error)
	// degenerates speak no protocol at all.
	degenerates []candidate
}

// Run plays. It is an error if the program as it is does not pass everything:
// nothing can be said about mutants of a wrong one.
func (t Trial) Run(ctx context.Context) (*transcript.MutantTable, error) {
	began := time.Now()
	codec, err := t.codec()
	if err != nil {
		return nil, err
	}
	made := servers
	if t.Program != nil {
		made = clients
	}
	s := made(t, codec)
	_, runs := s.asItIs.Run(ctx, t.Scenarios)
	list, err := passed(s.of, t.Scenarios, runs)
	if err != nil || ctx.Err() != nil {
		return nil, orEnded(ctx, err)
	}
	candidates := s.mutants()
	if err := s.occasions(ctx, candidates, list); err != nil || ctx.Err() != nil {
		return nil, orEnded(ctx, err)
	}
	candidates = slices.DeleteFunc(candidates, candidate.isBesides)
	table := t.table(s.of, candidates, list)
	if t.Only != nil {
		candidates = slices.DeleteFunc(candidates, func(c candidate) bool { return !t.Only(c.name) })
	}
	if err := t.tryAll(ctx, table, candidates, s.try); err != nil {
		return nil, orEnded(ctx, err)
	}
	if t.Only == nil {
		for _, d := range s.degenerates {
			_, runs := d.session().Run(ctx, list)
			passes := caught(list, runs, transcript.Pass)
			table.Degenerates = append(table.Degenerates, transcript.Degenerate{Name: d.name, About: d.about, Passed: passes})
		}
		t.findUseless(ctx, table, candidates, list)
	}
	table.Seconds = time.Since(began).Seconds()
	return table, ctx.Err()
}

// servers has mutants made of the trial's server.
func servers(t Trial, codec *wire.Codec) stock {
	var census Census
	var mutants []Mutant
	s := stock{of: wire.Server, asItIs: t.patient(census.Count(t.Launch, codec)), atOnce: calm, try: t.try}
	s.mutants = func() (list []candidate) {
		mutants = All(t.Suite, codec, &census)
		for _, m := range mutants {
			breed := func() *engine.Session { return t.session(m.Breed(t.Launch, codec)) }
			list = append(list, candidate{name: m.Name, about: m.About, optional: m.optional, session: breed})
		}
		return list
	}
	s.watch = func(sc *scenario.Scenario, seen []atomic.Int64) *engine.Session {
		return t.patient(watched(t.Launch, codec, mutants, seen, hasReset(sc)))
	}
	for _, d := range Degenerates() {
		launch := func() *engine.Session { return t.session(d.Launch(t.Suite.Protocol.Transport)) }
		s.degenerates = append(s.degenerates, candidate{name: d.Name, about: d.About, session: launch})
	}
	return s
}

// hasReset says that a client resets its connection in the scenario.
func hasReset(sc *scenario.Scenario) bool {
	return slices.ContainsFunc(sc.Steps, func(step *scenario.Step) bool {
		_, ok := step.Do.(scenario.Reset)
		return ok
	})
}

func orEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// codec is how the protocol is read under the settings of the trial.
func (t Trial) codec() (*wire.Codec, error) {
	values, err := t.Suite.Protocol.Settle(t.Config.Settings)
	if err != nil {
		return nil, fmt.Errorf("read the settings: %w", err)
	}
	codec, err := t.Suite.Protocol.Bind(values)
	if err != nil {
		return nil, fmt.Errorf("read the protocol: %w", err)
	}
	return codec, nil
}

func (t Trial) config() engine.Config {
	c := t.Config
	c.Trusted, c.Strict, c.SlowPause = true, true, slowPause
	return c
}

func (t Trial) session(launch engine.Launch) *engine.Session {
	return &engine.Session{Suite: t.Suite, Launch: launch, Config: t.config()}
}

// A candidate is a mutant that is to be tried, of a server or of a client
// program.
type candidate struct {
	name, about string
	optional    bool
	// session makes one that plays against the mutant.
	session func() *engine.Session
	chances []chance // those first that few mutants have
}

// isBesides says that the suite does not ask for what the mutant is about.
func (c candidate) isBesides() bool { return c.optional && len(c.chances) == 0 }

// has says that a scenario gives the mutant the occasion to be wrong.
func (c candidate) has(sc *scenario.Scenario) bool {
	return slices.ContainsFunc(c.chances, func(o chance) bool { return o.scenario == sc })
}

// A chance is a scenario in which a mutant would be wrong, and how many mutants
// would be.
type chance struct {
	scenario *scenario.Scenario
	number   int // in the order of the suite
	crowd    int
}

// occasions finds the scenarios that give each mutant the occasion to be wrong.
func (s stock) occasions(ctx context.Context, candidates []candidate, list []*scenario.Scenario) error {
	seen := make([][]atomic.Int64, len(list))
	var longest float64
	var failed error
	var mu sync.Mutex
	var work sync.WaitGroup
	turns := make(chan struct{}, max(s.atOnce, 1))
	for i, sc := range list {
		seen[i] = make([]atomic.Int64, len(candidates))
		turns <- struct{}{}
		work.Go(func() {
			defer func() { <-turns }()
			one := []*scenario.Scenario{sc}
			_, runs := s.watch(sc, seen[i]).Run(ctx, one)
			_, err := passed(s.of, one, runs)
			mu.Lock()
			defer mu.Unlock()
			longest, failed = max(longest, runs[0].Seconds), cmp.Or(failed, err)
		})
	}
	work.Wait()
	for i, sc := range list {
		crowd := 0
		for j := range candidates {
			if seen[i][j].Load() > 0 {
				crowd++
			}
		}
		for j := range candidates {
			if seen[i][j].Load() > 0 {
				candidates[j].chances = append(candidates[j].chances, chance{sc, i, crowd})
			}
		}
	}
	for _, c := range candidates {
		slices.SortStableFunc(c.chances, func(a, b chance) int { return a.crowd - b.crowd })
	}
	if s.took != nil {
		s.took(time.Duration(longest * float64(time.Second)))
	}
	return failed
}

// patient is a session that never fails because the machine has other things
// to do.
func (t Trial) patient(launch engine.Launch) *engine.Session {
	s := t.session(launch)
	s.Timeout = max(s.Timeout, 10*time.Second)
	s.Slots = make(chan struct{}, calm)
	return s
}

// tryAll fills in what became of each mutant, which try finds out.
func (t Trial) tryAll(ctx context.Context, table *transcript.MutantTable, candidates []candidate, try func(context.Context, candidate) (transcript.Mutant, error)) error {
	table.Mutants = make([]transcript.Mutant, len(candidates))
	var work sync.WaitGroup
	var mu sync.Mutex
	var failed error
	tried := 0
	turns := make(chan struct{}, max(t.AtOnce, 1))
	for i, c := range candidates {
		turns <- struct{}{}
		work.Go(func() {
			defer func() { <-turns }()
			began := time.Now()
			r, err := try(ctx, c)
			r.Name, r.About, r.Occasions, r.Seconds = c.name, c.about, len(c.chances), time.Since(began).Seconds()
			mu.Lock()
			defer mu.Unlock()
			failed = cmp.Or(failed, err)
			table.Mutants[i] = r
			tried++
			if t.Done != nil {
				t.Done(tried, len(candidates))
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

// next splits off the chances to be taken next, and names their scenarios in
// the order of the suite.
func (t Trial) next(chances []chance) (list []*scenario.Scenario, rest []chance) {
	part := chances
	if t.Most > 0 && len(part) > t.Most {
		part = part[:t.Most]
	}
	for _, c := range slices.SortedFunc(slices.Values(part), func(a, b chance) int { return a.number - b.number }) {
		list = append(list, c.scenario)
	}
	return list, chances[len(part):]
}

// try plays against one mutant.
func (t Trial) try(ctx context.Context, m candidate) (transcript.Mutant, error) {
	r := transcript.Mutant{Caught: []string{}, Equivalent: t.Equivalents[m.name]}
	rest := m.chances
	if i := slices.IndexFunc(rest, func(c chance) bool { return c.scenario.Name == t.Known[m.name] }); i > 0 {
		rest[0], rest[i] = rest[i], rest[0]
	}
	var list []*scenario.Scenario
	for len(rest) > 0 && len(r.Caught) == 0 && ctx.Err() == nil {
		list, rest = t.next(rest)
		_, runs := m.session().Run(ctx, list)
		r.Played += len(list)
		for _, run := range runs {
			if run.Verdict == transcript.Error && ctx.Err() == nil {
				return r, fmt.Errorf("play %s against %s: %s", run.Scenario, m.name, run.Reason)
			}
		}
		r.Caught = caught(list, runs, transcript.Fail)
		if len(rest) == 0 && len(r.Caught) == 0 {
			r.Caught = caught(list, runs, transcript.Blocked)
		}
		if len(r.Caught) == 1 || r.Equivalent != "" {
			// All hangs on these, and haste may have been the cause.
			list = slices.DeleteFunc(list, func(sc *scenario.Scenario) bool { return !slices.Contains(r.Caught, sc.Name) })
			again := m.session()
			again.Timeout = 4 * t.Config.Timeout
			_, runs = again.Run(ctx, list)
			r.Caught = append(caught(list, runs, transcript.Fail), caught(list, runs, transcript.Blocked)...)
		}
	}
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

// table is one that nothing has been tried for yet. It names what is said to be
// equivalent and is no mutant.
func (t Trial) table(of wire.Side, candidates []candidate, list []*scenario.Scenario) *transcript.MutantTable {
	table := &transcript.MutantTable{Suite: t.Suite.Name, Of: string(of), Scenarios: len(list), Useless: []string{}}
	for name := range t.Equivalents {
		if !slices.ContainsFunc(candidates, func(c candidate) bool { return c.name == name }) {
			table.Stale = append(table.Stale, name)
		}
	}
	slices.Sort(table.Stale)
	return table
}

// findUseless names the scenarios that catch nothing. Those that have caught
// nothing so far are played against all mutants that they may catch.
func (t Trial) findUseless(ctx context.Context, table *transcript.MutantTable, candidates []candidate, list []*scenario.Scenario) {
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
		for i, m := range candidates {
			mu.Lock()
			useful := catches[sc.Name]
			mu.Unlock()
			if useful || ctx.Err() != nil {
				break
			}
			if table.Mutants[i].Equivalent != "" || !m.has(sc) {
				continue
			}
			turns <- struct{}{}
			work.Go(func() {
				defer func() { <-turns }()
				_, runs := m.session().Run(ctx, []*scenario.Scenario{sc})
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

// passed are the scenarios that say something about the program.
func passed(of wire.Side, list []*scenario.Scenario, runs []transcript.Run) ([]*scenario.Scenario, error) {
	var good []*scenario.Scenario
	for i, run := range runs {
		switch run.Verdict {
		case transcript.Pass:
			good = append(good, list[i])
		case transcript.Skip:
		default:
			return nil, fmt.Errorf("%s does not pass with the %s as it is (%s): mutants are made of correct %[2]ss", list[i].Name, of, run.Reason)
		}
	}
	return good, nil
}
