package main

import (
	"fmt"
	"strings"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// combine makes one report of several of the same scenarios. A scenario that
// had the same verdict each time keeps it; one whose verdict changed is an
// error, whatever else it was: nobody can rely on it.
func combine(reports []*transcript.Report) *transcript.Report {
	r := reports[0]
	if len(reports) == 1 {
		return r
	}
	for i := range r.Runs {
		plays := make([]*transcript.Run, len(reports))
		for n, other := range reports {
			plays[n] = &other.Runs[i]
		}
		r.Runs[i] = combined(plays)
	}
	for _, other := range reports[1:] {
		for i, s := range other.Suites {
			if r.Suites[i].Finding == "" {
				r.Suites[i].Finding, r.Suites[i].Contact = s.Finding, s.Contact
			}
		}
	}
	return r
}

// combined makes one run of several plays of a scenario: of those that agree
// the first, and else one that did not pass.
func combined(plays []*transcript.Run) transcript.Run {
	run := *plays[0]
	counts := map[transcript.Verdict]int{}
	var order []transcript.Verdict
	for _, play := range plays {
		if counts[play.Verdict]++; counts[play.Verdict] == 1 {
			order = append(order, play.Verdict)
		}
		if run.Verdict == transcript.Pass && play.Verdict != transcript.Pass {
			run = *play
		}
	}
	if len(order) == 1 {
		return run
	}
	words := make([]string, len(order))
	for i, v := range order {
		words[i] = fmt.Sprintf("%d %s", counts[v], v)
	}
	reason := fmt.Sprintf("flaky: of %d times %s", len(plays), strings.Join(words, ", "))
	if run.Reason != "" {
		reason += "; " + run.Reason
	}
	run.Verdict, run.Reason = transcript.Error, reason
	return run
}
