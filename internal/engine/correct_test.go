package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/scenarios"
)

var framedSuite = sync.OnceValues(func() (*scenario.Suite, error) { return scenario.Load(scenarios.Files, "framed", scenarios.Files) })

func framed(t testing.TB) *scenario.Suite {
	t.Helper()
	suite, err := framedSuite()
	if err != nil {
		t.Fatal(err)
	}
	return suite
}

// correctRooms are servers that fulfil the protocol, each in its own way.
var correctRooms = []struct {
	name     string
	rules    rules
	settings []string // beside the plain ones
}{
	{name: "plain"},
	{name: "little-endian", rules: rules{little: true}, settings: []string{"byte_order", "little"}},
	{name: "echo", rules: rules{echo: true}, settings: []string{"echo", "yes"}},
	{name: "echo by queues", rules: rules{echo: true, style: queued}, settings: []string{"echo", "yes"}},
	{name: "a queue for each client", rules: rules{style: queued}},
	{name: "a thread for each message", rules: rules{style: perMessage}},
	{name: "a thread for each message, with echo", rules: rules{style: perMessage, echo: true}, settings: []string{"echo", "yes"}},
	{name: "far away", rules: rules{lag: 50 * time.Millisecond}},
	{name: "far away, by queues", rules: rules{lag: 50 * time.Millisecond, style: queued}},
	{name: "far away, a thread for each message", rules: rules{lag: 50 * time.Millisecond, style: perMessage}},
	{name: "byte by byte", rules: rules{chop: 1}},
	{name: "seven bytes by seven", rules: rules{chop: 7, style: queued}},
	{name: "welcomes", rules: rules{welcome: "Welcome! Who has joined may chat, who has left is gone. Say quit to exit.", tellSelf: true}},
	{name: "passes logins on", rules: rules{relayLogin: true}},
	{name: "passes logins on with echo", rules: rules{relayLogin: true, echo: true}, settings: []string{"echo", "yes"}},
	{name: "tells the history", rules: rules{history: 50}},
	{name: "sends lists", rules: rules{listEvery: 10 * time.Millisecond}},
	{name: "sends lists from far away", rules: rules{listEvery: 7 * time.Millisecond, lag: 20 * time.Millisecond, style: queued}},
	{name: "names all in its notices", rules: rules{namesAll: true, tellSelf: true}},
	{name: "notices under the user's name", rules: rules{asUser: true, tellSelf: true}},
	{name: "a name for two", rules: rules{allowTwice: true}, settings: []string{"duplicate_name", "allow"}},
	{name: "ignores who may not come in", rules: rules{silentRefusal: true}, settings: []string{"duplicate_name", "any"}},
	{name: "puts the right name", rules: rules{replaceName: true}},
	{name: "throws out liars", rules: rules{cutLiars: true}},
	{name: "announces late", rules: rules{lateNotice: 30 * time.Millisecond}},
	{name: "slow login", rules: rules{slowLogin: 30 * time.Millisecond}},
	{name: "slow to miss somebody", rules: rules{slowLeave: 60 * time.Millisecond}},
	{name: "all at once", rules: rules{
		lag: 30 * time.Millisecond, style: perMessage, echo: true, chop: 3, welcome: "hello, you have joined", tellSelf: true,
		relayLogin: true, history: 10, listEvery: 40 * time.Millisecond, namesAll: true, slowLogin: 20 * time.Millisecond,
	}, settings: []string{"echo", "yes"}},
}

// isHeavy tells the scenarios that are played against a few of the servers.
func isHeavy(sc *scenario.Scenario) bool {
	return len(sc.Clients) > 50 || slices.ContainsFunc(sc.Clients, func(c *scenario.Client) bool { return c.Stalls })
}

// TestCorrectServersPass plays the framed suite against servers that are right.
// Whatever is not a pass here is a false fail.
func TestCorrectServersPass(t *testing.T) {
	suite := framed(t)
	for _, server := range correctRooms {
		for _, shared := range []bool{false, true} {
			if shared && (server.rules.lag > 0 || raceDetector && server.name != "plain") {
				continue // much work, and nothing new
			}
			t.Run(fmt.Sprintf("%s/shared=%v", server.name, shared), func(t *testing.T) {
				t.Parallel()
				config := Config{Seed: 7, Strict: true, Shared: shared, Origin: transcript.Set}
				config.Settings = known(server.settings...)
				rules := server.rules
				rules.prints = func(r *room) string { return r.names() }
				rules.process = true
				synctest.Test(t, func(t *testing.T) {
					began := time.Now()
					if !shared {
						config.Slots = make(chan struct{}, 64)
					}
					s := &Session{Suite: suite, Launch: (&street{rules: rules}).launch, Config: config}
					if shared {
						r := rules.start()
						defer r.close()
						target := r.target()
						target.Close = func() {}
						target.Exited, target.Stop, target.Printed = nil, nil, nil
						s.Launch = always(target)
					}
					list := suite.Scenarios
					if server.name != "plain" && (raceDetector || !strings.HasPrefix(server.name, "a ")) || shared {
						list = slices.DeleteFunc(slices.Clone(list), isHeavy)
					}
					header, runs := s.Run(t.Context(), list)
					if header.Finding != "" {
						t.Errorf("finding: %s", header.Finding)
					}
					for _, run := range runs {
						switch run.Verdict {
						case transcript.Pass, transcript.Skip:
						default:
							t.Errorf("%s: %s %q %v\n%s", run.Scenario, run.Verdict, run.Reason, run.Notes, story(run))
						}
						if slices.ContainsFunc(run.Notes, func(n string) bool { return n != weakNote }) {
							t.Errorf("%s: %v", run.Scenario, run.Notes)
						}
					}
					t.Logf("%v in %v", transcript.Summarize(runs), time.Since(began))
				})
			})
		}
	}
}

// always is a [Launch] of a server that runs already.
func always(target *Target) Launch {
	return func(context.Context) (*Target, error) { return target, nil }
}
