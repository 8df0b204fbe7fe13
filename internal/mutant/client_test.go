package mutant_test

import (
	"path"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/builtin"
	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/mutant"
	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/scenarios"
)

// clientTrial is what tries mutants of the built-in client of a protocol.
func clientTrial(t *testing.T, name string) mutant.Trial {
	t.Helper()
	suite, err := scenario.Load(scenarios.Files, name, scenarios.Files)
	if err != nil {
		t.Fatal(err)
	}
	suite.Scenarios = slices.DeleteFunc(suite.Scenarios, func(sc *scenario.Scenario) bool { return !sc.TestsClient })
	b, ok := builtin.ClientNamed(name)
	if !ok {
		t.Fatalf("there is no built-in client for %s", name)
	}
	equivalents, err := mutant.ReadEquivalents(scenarios.Files, path.Join(name, mutant.ClientEquivalentsFile))
	if err != nil {
		t.Fatal(err)
	}
	return mutant.Trial{
		Suite: suite, Scenarios: suite.Scenarios, Program: b.Launch, Equivalents: equivalents, Most: 8, AtOnce: 64 * runtime.NumCPU(),
		Config: engine.Config{
			Settings: b.Settings, Told: b.Told, NoTerminal: true, Trusted: true, Seed: 1, Timeout: 250 * time.Millisecond,
			Slots: make(chan struct{}, 64*runtime.NumCPU()),
		},
	}
}

// play plays all scenarios with a program, and names those that end in a way.
func play(t *testing.T, trial mutant.Trial, launch engine.ProgramLaunch, end transcript.Verdict, timeout time.Duration) []string {
	t.Helper()
	config := trial.Config
	config.Timeout, config.Slots = timeout, make(chan struct{}, 16)
	s := &engine.Session{Suite: trial.Suite, Program: launch, Config: config}
	_, runs := s.Run(t.Context(), trial.Scenarios)
	var names []string
	for i, run := range runs {
		if run.Verdict == end {
			names = append(names, trial.Scenarios[i].Name+" "+run.Reason)
		}
	}
	return names
}

func TestProgramThatNothingIsWrongWithPasses(t *testing.T) {
	t.Parallel()
	for _, name := range scenarios.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trial := clientTrial(t, name)
			values, err := trial.Suite.Protocol.Settle(trial.Config.Settings)
			if err != nil {
				t.Fatal(err)
			}
			codec, err := trial.Suite.Protocol.Bind(values)
			if err != nil {
				t.Fatal(err)
			}
			var census mutant.ClientCensus
			around := census.Count(trial.Program, trial.Suite, codec)
			for what, launch := range map[string]engine.ProgramLaunch{"as it is": trial.Program, "with a visit around it": around} {
				for _, end := range []transcript.Verdict{transcript.Fail, transcript.Blocked, transcript.Error} {
					if names := play(t, trial, launch, end, 3*time.Second); len(names) > 0 {
						t.Errorf("%s: %s: %s", what, end, strings.Join(names, "; "))
					}
				}
				if len(play(t, trial, launch, transcript.Pass, 3*time.Second)) < 30 {
					t.Errorf("%s: hardly anything passes", what)
				}
			}
		})
	}
}

func TestClientMutantsAreCaughtByWhatIsMadeForThem(t *testing.T) {
	t.Parallel()
	for i, test := range []struct{ suite, mutant, scenario string }{
		{"framed", "typed-twice", "program-sends-what-is-typed"},
		{"framed", "half-line-lost", "program-keeps-what-was-typed"},
		{"framed", "piece-lost", "program-shows-a-byte-at-a-time"},
		{"framed", "first-of-segment", "program-shows-two-in-one-segment"},
		{"framed", "passes-controls", "program-passes-no-control-characters"},
		{"framed", "host-fixed", "program-obeys-the-host"},
		{"framed", "shows-user-lost", "program-shows-who-spoke"},
		{"framed", "silent/no-server", "program-finds-no-server"},
		{"lines", "obeys-within/closing", "program-takes-text-for-text"},
		{"lines", "drop/leave", "program-says-goodbye-on-interrupt"},
		{"direct", "says/Failure/Success", "program-logs-in"},
		{"direct", "answers/list", "program-answers-no-private-text"},
		{"datagram", "dies-of/garbage", "program-lives-on-other-datagrams[bytes=HELLO you]"},
		{"datagram", "shows-port-other", "program-shows-address-and-port"},
	} {
		t.Run(test.suite+"/"+test.mutant, func(t *testing.T) {
			if !*all && i%4 > 0 {
				t.Skip("every fourth without -all")
			}
			t.Parallel()
			trial := clientTrial(t, test.suite)
			trial.Most = 0
			trial.Only = func(name string) bool { return name == test.mutant }
			table, err := trial.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(table.Mutants) != 1 {
				t.Fatalf("there are %d mutants of that name", len(table.Mutants))
			}
			if m := table.Mutants[0]; !slices.Contains(m.Caught, test.scenario) {
				t.Errorf("caught by %v, want %s among them", m.Caught, test.scenario)
			}
		})
	}
}

func TestDegenerateClientsPassNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for what never comes")
	}
	t.Parallel()
	for _, name := range scenarios.Names() {
		for _, d := range mutant.DegenerateClients() {
			t.Run(name+"/"+d.Name, func(t *testing.T) {
				t.Parallel()
				trial := clientTrial(t, name)
				if names := play(t, trial, d.Launch(trial.Suite.Protocol.Transport), transcript.Pass, 250*time.Millisecond); len(names) > 0 {
					t.Errorf("passes %s", strings.Join(names, ", "))
				}
			})
		}
	}
}

// TestNoClientMutantSurvives tries all mutants of the built-in clients.
func TestNoClientMutantSurvives(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	for _, name := range scenarios.Names() {
		t.Run(name, func(t *testing.T) {
			if !*all && name != "direct" {
				t.Skip("waits half a minute for the client: -all does it")
			}
			trial := clientTrial(t, name)
			table, err := trial.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d mutants, %.1f s", len(table.Mutants), table.Seconds)
			for _, fault := range table.Faults() {
				t.Error(fault)
			}
			for _, sc := range trial.Scenarios {
				if slices.Contains(table.Useless, sc.Name) && sc.Level == wire.Must {
					t.Errorf("%s must be, and catches nothing", sc.Name)
				}
			}
			t.Logf("useless: %v", table.Useless)
		})
	}
}
