package main

import (
	"testing"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

func TestCombine(t *testing.T) {
	const pass, fail, skip = transcript.Pass, transcript.Fail, transcript.Skip
	for _, test := range []struct {
		verdicts []transcript.Verdict
		want     transcript.Verdict
		reason   string
	}{
		{[]transcript.Verdict{pass}, pass, ""},
		{[]transcript.Verdict{pass, pass, pass}, pass, ""},
		{[]transcript.Verdict{fail, fail}, fail, "fail 1"},
		{[]transcript.Verdict{skip, skip}, skip, "skip 1"},
		{[]transcript.Verdict{pass, pass, fail, pass}, transcript.Error, "flaky: of 4 times 3 pass, 1 fail; fail 3"},
		{[]transcript.Verdict{fail, pass}, transcript.Error, "flaky: of 2 times 1 fail, 1 pass; fail 1"},
		{[]transcript.Verdict{pass, transcript.Blocked, fail}, transcript.Error, "flaky: of 3 times 1 pass, 1 blocked, 1 fail; blocked 2"},
	} {
		var reports []*transcript.Report
		for i, v := range test.verdicts {
			run := transcript.Run{Suite: "framed", Scenario: "x", Verdict: v}
			if v != pass {
				run.Reason = string(v) + " " + string(rune('1'+i))
			}
			reports = append(reports, &transcript.Report{Suites: []transcript.Suite{{Name: "framed"}}, Runs: []transcript.Run{run}})
		}
		run := combine(reports).Runs[0]
		if run.Verdict != test.want || run.Reason != test.reason {
			t.Errorf("%v: %s %q, want %s %q", test.verdicts, run.Verdict, run.Reason, test.want, test.reason)
		}
	}
}

// What went wrong with the target as a whole is told, whenever it was.
func TestCombineKeepsFindings(t *testing.T) {
	report := func(finding string) *transcript.Report {
		return &transcript.Report{Suites: []transcript.Suite{{Name: "framed", Finding: finding}}}
	}
	if got := combine([]*transcript.Report{report(""), report("it is gone"), report("later")}).Suites[0].Finding; got != "it is gone" {
		t.Errorf("finding %q", got)
	}
}
