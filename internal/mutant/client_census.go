package mutant

import (
	"bytes"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// A ClientCensus is what was seen when the suite was played with the client
// program as it is. It is filled by the programs of [ClientCensus.Count] and
// complete when they are closed.
type ClientCensus struct {
	Census
	mu       sync.Mutex
	lines    map[string]bool // that the program printed by itself
	ends     map[ending]bool // why it has ended
	terminal bool            // it has a terminal
	asked    string          // what scenarios want to be shown
}

// Count gives programs that are as they are, and counts what they say and what
// they are told.
func (c *ClientCensus) Count(launch engine.ProgramLaunch, suite *scenario.Suite, codec *wire.Codec) engine.ProgramLaunch {
	c.kinds = map[wire.Side]map[string]int{wire.Client: {}, wire.Server: {}}
	c.lines, c.ends = map[string]bool{}, map[ending]bool{}
	for _, sc := range suite.Scenarios {
		for _, step := range sc.Steps {
			if _, ok := step.Do.(scenario.Shows); ok {
				c.asked += step.Text + "\n"
			}
		}
	}
	return ClientMutant{occasions: new(atomic.Int64), new: func(v *visit) habit {
		return habit{
			sends: func(m *message) {
				c.count(wire.Client, m)
				v.pass(m.raw)
			},
			hears: func(m *message) {
				c.count(wire.Server, m)
				v.deliver(m.raw)
			},
			shows: func(line string) {
				c.mu.Lock()
				defer c.mu.Unlock()
				if ownWords.MatchString(line) && strings.Contains(c.asked, line) && !v.hasHeard(line) {
					c.lines[line] = true
				}
				v.show(line)
			},
			ends: func(end engine.ProgramEnd) (engine.ProgramEnd, bool) {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.ends[v.why] = true
				c.terminal = c.terminal || v.program.TerminalChanged != nil
				return end, true
			},
		}
	}}.Breed(launch, codec)
}

func (c *ClientCensus) count(from wire.Side, m *message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.kind != nil {
		c.kinds[from][m.kind.Name]++
	}
}

// ownWords are such as are asked for letter by letter.
var ownWords = regexp.MustCompile(`^[A-Za-z]+( [A-Za-z]+){0,2}$`)

// hasHeard says that some bytes stand in the last messages of the server. mu is
// held.
func (v *visit) hasHeard(text string) bool {
	return slices.ContainsFunc(v.said, func(m *message) bool { return bytes.Contains(m.raw, []byte(text)) })
}

// words are whole lines that the program has printed by itself, and that
// scenarios ask for.
func (c *ClientCensus) words() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.lines))
}

// AllClients are the mutants of client programs that make sense for a protocol
// and for what was seen when the suite was played. told are the things that the
// program is told at its start.
func AllClients(codec *wire.Codec, census *ClientCensus, told []string) []ClientMutant {
	s := &subject{codec: codec, census: &census.Census}
	return slices.Concat(s.telling(told), s.typing(), s.sending(), s.hearing(), s.showing(census), s.ending(census))
}

// watchedClient gives programs as launch does, and has occasions count for each
// mutant whether it would have been wrong. The first program is left out: it
// is only to find out whether there is one.
func watchedClient(launch engine.ProgramLaunch, codec *wire.Codec, mutants []ClientMutant, occasions []atomic.Int64) engine.ProgramLaunch {
	var started atomic.Int64
	plain := ClientMutant{occasions: new(atomic.Int64), new: func(v *visit) habit {
		if started.Add(1) == 1 {
			return habit{}
		}
		for i, m := range mutants {
			s := newVisit(codec, &occasions[i])
			s.isShadow = true
			s.habit = m.new(s)
			v.shadows = append(v.shadows, s)
		}
		// Messages are read as a mutant reads them, and nothing is changed.
		return habit{shows: v.show}
	}}
	return plain.Breed(launch, codec)
}
