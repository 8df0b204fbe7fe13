package mutant

import (
	"fmt"

	"github.com/chatprobe/chatprobe/internal/engine"
)

// ending are mutants that end in the wrong way, or not at all.
func (s *subject) ending(census *ClientCensus) []ClientMutant {
	words := []struct {
		why    ending
		when   string
		status bool // is told from others
		says   bool // is to be said
	}{
		{byItself, "when it has a reason of its own to end", true, true},
		{byClose, "when the server has closed the connection", false, true},
		{byReset, "when the connection was reset", false, false},
		{byInput, "at the end of its input", true, false},
		{byInterrupt, "when it is interrupted", false, false},
		{byNoServer, "when there is no server", true, true},
	}
	var list []ClientMutant
	for _, w := range words {
		if !census.ends[w.why] {
			continue
		}
		why, when := w.why, w.when
		list = append(list,
			s.client("never-ends/"+string(why), "goes on "+when, func(v *visit) habit {
				return habit{ends: func(end engine.ProgramEnd) (engine.ProgramEnd, bool) { return end, v.why != why }}
			}),
			s.client("trace/"+string(why), "ends with the trace of an error "+when, func(v *visit) habit {
				return habit{ends: func(end engine.ProgramEnd) (engine.ProgramEnd, bool) {
					if v.why != why {
						return end, true
					}
					v.last = trace
					return engine.ProgramEnd{How: "exited with status 1", Status: 1}, true
				}}
			}))
		if w.status {
			list = append(list, s.client("other-status/"+string(why), "exits with status 0 for a failure, and with 1 for none, "+when, func(v *visit) habit {
				return habit{ends: func(end engine.ProgramEnd) (engine.ProgramEnd, bool) {
					if v.why != why {
						return end, true
					}
					status := 0
					if end.Status == 0 {
						status = 1
					}
					return engine.ProgramEnd{How: fmt.Sprintf("exited with status %d", status), Status: status}, true
				}}
			}))
		}
		if w.says {
			list = append(list, s.client("silent/"+string(why), "prints nothing more "+when, func(v *visit) habit {
				return habit{shows: func(line string) {
					if v.why == why && (why != byItself || v.ending()) {
						v.counts()
						return
					}
					v.show(line)
				}}
			}))
		}
		if census.terminal {
			list = append(list, s.client("terminal-changed/"+string(why), "leaves the terminal without echo "+when, func(v *visit) habit {
				return habit{terminal: func(how string) string {
					if v.why == why {
						v.counts()
						return "what is typed is not shown"
					}
					return how
				}}
			}))
		}
	}
	return append(list,
		s.client("never-ends/while-typing", "goes on, whatever happens, while a line is half typed", func(v *visit) habit {
			return habit{ends: func(end engine.ProgramEnd) (engine.ProgramEnd, bool) { return end, !v.half }}
		}).ifAny(),
		s.client("ignores-interrupt", "does not notice an interrupt", func(*visit) habit {
			return habit{stopped: func(string) bool { return false }}
		}),
		s.client("ignores-end-of-input", "does not notice the end of its input", func(*visit) habit {
			return habit{inputEnds: func() bool { return false }}
		}),
		s.client("ignores-close", "does not notice that the server has closed the connection", func(v *visit) habit {
			return habit{left: func() bool { return v.why != byClose }}
		}).ifAny(),
		s.client("ignores-reset", "does not notice that the connection was reset", func(v *visit) habit {
			return habit{left: func() bool { return v.why != byReset }}
		}).ifAny(),
	)
}

// ending says that the program has ended. mu is held.
func (v *visit) ending() bool {
	if v.isShadow {
		return true
	}
	_, ended := v.program.Exited()
	return ended
}
