package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/source"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

// room is a suite with these scenarios, of which nothing but the names matters here.
func room(name string, scenarios ...string) *scenario.Suite {
	s := &scenario.Suite{Name: name}
	for _, name := range scenarios {
		base, _, _ := strings.Cut(name, "[")
		s.Scenarios = append(s.Scenarios, &scenario.Scenario{Name: name, Base: base})
	}
	return s
}

// Names of scenarios in the suite that these tests use.
const (
	once  = "framed/heard-once"
	twice = "framed/same-text-twice"
	chat  = "framed/two-clients-chat"
)

var knownSuites = []*scenario.Suite{room("framed", "two-clients-chat", "heard-once", "same-text-twice",
	"long-text[size=1000]", "long-text[size=1025]", "long-text[size=20000]", "odd[text=a: #]")}

func knownFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "known.txt")
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestReadKnownFindsWhatALineMeans(t *testing.T) {
	sizes := []string{"framed/long-text[size=1000]", "framed/long-text[size=1025]", "framed/long-text[size=20000]"}
	for _, test := range []struct {
		name, text string
		names      []string // nil: the file lists nothing
		expected   string
	}{
		{"nothing", "", nil, ""},
		{"a remark", "# all is well\n  # and more\n\n \t\n", nil, ""},
		{"a name", "heard-once\n", []string{"framed/heard-once"}, ""},
		{"a suite and a name", "  framed/heard-once\t\n", []string{"framed/heard-once"}, ""},
		{"no newline at the end", "framed/heard-once", []string{"framed/heard-once"}, ""},
		{"lines of Windows", "# one\r\nheard-once\r\n", []string{"framed/heard-once"}, ""},
		{"a byte order mark", "\ufeffheard-once\n", []string{"framed/heard-once"}, ""},
		{"a pattern", "two-clients-ch?t\n", []string{"framed/two-clients-chat"}, ""},
		{"a stem", "long-text", sizes, ""},
		{"one of several", "framed/long-text[size=1025]", sizes[1:2], ""},
		{"the same without the suite", "long-text[size=1025]: cut", sizes[1:2], "cut"},
		{"a remark behind a name", "heard-once   # by nobody", []string{"framed/heard-once"}, ""},
		{"a reason", "heard-once:  nothing came for bob \n", []string{"framed/heard-once"}, "nothing came for bob"},
		{"a reason close to the colon", "heard-once:nothing", []string{"framed/heard-once"}, "nothing"},
		{"a reason with colons", "heard-once: bob: nothing", []string{"framed/heard-once"}, "bob: nothing"},
		{"a reason and a remark", "heard-once: nothing # came", []string{"framed/heard-once"}, "nothing"},
		{"a # within a reason", "heard-once: room#1", []string{"framed/heard-once"}, "room#1"},
		{"an expression", "heard-once: /nothing|all/ \t", []string{"framed/heard-once"}, "/nothing|all/"},
		{"an expression and a remark", "heard-once: /a #1/ # b", []string{"framed/heard-once"}, "/a #1/"},
		{"slashes in a remark", "heard-once: /a/ # see b/c/ #1/", []string{"framed/heard-once"}, "/a/"},
		{"an expression with flags", "heard-once: /NOTHING/i", []string{"framed/heard-once"}, "/NOTHING/i"},
		{"slashes in an expression", "heard-once: /a/b/", []string{"framed/heard-once"}, "/a/b/"},
		{"what looks like a reason in a name", "odd[text=a: #]: no # yes", []string{"framed/odd[text=a: #]"}, "no"},
	} {
		t.Run(test.name, func(t *testing.T) {
			list, err := readKnown(knownFile(t, test.text), knownSuites)
			if err != nil {
				t.Fatal(err)
			}
			if test.names == nil {
				if len(list.lines) > 0 {
					t.Errorf("found %+v", list.lines)
				}
				return
			}
			if len(list.lines) != 1 {
				t.Fatalf("found %d lines: %+v", len(list.lines), list.lines)
			}
			if got := list.lines[0]; !slices.Equal(got.names, test.names) || got.expected != test.expected {
				t.Errorf("it means %q, because of %q\nwant %q, %q", got.names, got.expected, test.names, test.expected)
			}
		})
	}
}

func TestReadKnownSaysWhatIsWrongAndWhere(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"a misspelt name", "\nheard-onec", `:2:1: no scenario is called heard-onec: did you mean "heard-once"?`},
		{"the same with its suite", "framed/heard-onec", `:1:1: no scenario is called framed/heard-onec: did you mean "framed/heard-once"?`},
		{"a wrong number", "long-text[size=1026]", `did you mean "long-text[size=1025]"?`},
		{"a misspelt suite", "farmed/heard-once", `did you mean "framed/heard-once"?`},
		{"a pattern for nothing", "frame/*", ":1:1: no scenario matches frame/*\n"},
		{"no pattern", "[a", `:1:1: "[a" is no pattern: * stands for anything`},
		{"a line twice", "heard-once\n\n  heard-once: nothing", ":3:3: heard-once stands here a second time; the first is in line 1: one of several reasons"},
		{"no name", "# one\n: nothing came", ":2:1: there is no scenario before the colon"},
		{"no colon", "heard-once nothing came", `:1:1: "heard-once nothing came" is no name of a scenario: a line is SCENARIO`},
		{"no reason", "heard-once:   # later", ":1:15: there is no reason behind the colon"},
		{"an open expression", "heard-once: /nothing", ":1:13: this regular expression has no end: it stands between two slashes"},
		{"words behind an expression", "heard-once: /nothing/ came", ":1:13: this regular expression has no end"},
		{"an empty expression", "heard-once: //", ":1:13: this regular expression is empty"},
		{"a wrong expression", "heard-once: /(nothing/", ":1:13: this regular expression is wrong: missing closing ): `(nothing`"},
		{"no text", "heard-once: \xff", ":1:1: this line is not UTF-8 text"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := knownFile(t, test.text)
			_, err := readKnown(file, knownSuites)
			if _, ok := errors.AsType[source.List](err); !ok {
				t.Fatalf("error %v, want a list", err)
			}
			want := test.want
			if strings.HasPrefix(want, ":") {
				want = file + want
			}
			if !strings.Contains(err.Error(), want) {
				t.Errorf("it says\n%v\nwant\n%s", err, want)
			}
		})
	}
	t.Run("all mistakes at once", func(t *testing.T) {
		_, err := readKnown(knownFile(t, "one\nheard-once\ntwo\n"), knownSuites)
		list, _ := errors.AsType[source.List](err)
		if len(list) != 2 {
			t.Errorf("%d errors, want 2: %v", len(list), err)
		}
	})
	t.Run("no such file", func(t *testing.T) {
		_, err := readKnown(filepath.Join(t.TempDir(), "nowhere"), nil)
		exit, ok := errors.AsType[*exitError](err)
		if !ok || exit.code != exitUsage {
			t.Errorf("error %v, want one about usage", err)
		}
	})
}

// One list does for all suites, whichever is played.
func TestReadKnownChecksBuiltInSuitesThatAreNotPlayed(t *testing.T) {
	if _, err := loadSuites([]string{"direct"}); err != nil {
		t.Fatal(err)
	}
	list, err := readKnown(knownFile(t, "direct/ten-lists-in-one-segment\nheard-once\n"), knownSuites)
	if err != nil || len(list.lines) != 2 {
		t.Errorf("%d lines, error %v", len(list.lines), err)
	}
	_, err = readKnown(knownFile(t, "direct/ten-list-in-one-segment\n"), knownSuites)
	if want := `did you mean "direct/ten-lists-in-one-segment"?`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one with %s", err, want)
	}
}

// played is a report of runs that are written "suite/scenario verdict reason".
func played(lines ...string) *transcript.Report {
	r := &transcript.Report{Target: "a server"}
	for _, line := range lines {
		fields := strings.SplitN(line, " ", 3)
		suite, name, _ := strings.Cut(fields[0], "/")
		run := transcript.Run{Suite: suite, Scenario: name, Verdict: transcript.Verdict(fields[1]), Hint: "think"}
		if len(fields) > 2 {
			run.Reason = fields[2]
			run.Failure = &transcript.Failure{Got: fields[2]}
		}
		r.Runs = append(r.Runs, run)
	}
	r.Summary = transcript.Summarize(r.Runs)
	return r
}

func TestApplyKnown(t *testing.T) {
	for _, test := range []struct {
		name, list string
		runs       []string
		want       []string // the verdict and the reason of each
	}{
		{"nothing is listed", "", []string{once + " fail nothing came"}, []string{"fail nothing came"}},
		{"it fails", "heard-once", []string{once + " fail nothing came"}, []string{"warn known to fail: nothing came"}},
		{"it warns", "heard-once", []string{once + " warn nothing came"}, []string{"warn known to fail: nothing came"}},
		{"it is blocked", "heard-once", []string{once + " blocked no target"}, []string{"warn known to fail: no target"}},
		{"it is skipped", "heard-once", []string{once + " skip chose otherwise"}, []string{"skip chose otherwise"}},
		{"it could not be judged", "heard-once", []string{once + " error interrupted"}, []string{"error interrupted"}},
		{"it passes", "#\nheard-once", []string{once + " pass"},
			[]string{"fail listed in FILE:2 as known to fail, and it passes: take it out of the list"}},
		{"it is not played", "heard-once", []string{twice + " pass"}, []string{"pass "}},
		{"another one fails", "heard-once", []string{once + " fail a", twice + " fail b"}, []string{"warn known to fail: a", "fail b"}},
		{"as expected", "heard-once: came for", []string{once + " fail nothing came for bob"}, []string{"warn known to fail: nothing came for bob"}},
		{"for another reason", "heard-once: was reset", []string{once + " fail nothing came"},
			[]string{"fail nothing came; FILE:1 knows it to fail for another reason: was reset"}},
		{"a warning for another reason", "heard-once: was reset", []string{once + " warn nothing came"},
			[]string{"warn nothing came; FILE:1 knows it to fail for another reason: was reset"}},
		{"as an expression says", "heard-once: /^nothing .* (bob|carol)$/", []string{once + " fail nothing came for bob"},
			[]string{"warn known to fail: nothing came for bob"}},
		{"not as an expression says", "heard-once: /^came/", []string{once + " fail nothing came"},
			[]string{"fail nothing came; FILE:1 knows it to fail for another reason: /^came/"}},
		{"one of two lines fits", "heard-once: reset\nframed/heard-once: came", []string{once + " fail nothing came"},
			[]string{"warn known to fail: nothing came"}},
		{"a pattern, of which all fail", "framed/*", []string{once + " fail a", twice + " fail b"},
			[]string{"warn known to fail: a", "warn known to fail: b"}},
		{"a pattern, of which one fails", "framed/*", []string{once + " fail a", twice + " pass"},
			[]string{"warn known to fail: a", "pass "}},
		{"a pattern, of which one fails otherwise", "framed/*: b", []string{once + " fail a", twice + " pass"},
			[]string{"fail a; FILE:1 knows it to fail for another reason: b", "pass "}},
		{"a pattern, of which some were not played", "framed/*", []string{once + " pass", twice + " pass"}, []string{"pass ", "pass "}},
		{"a pattern, of which all pass", "heard-onc[a-z]", []string{once + " pass", twice + " pass"},
			[]string{"fail listed in FILE:1 as known to fail, and it passes: take it out of the list", "pass "}},
		{"a name beside a pattern", "heard-once\nframed/*", []string{once + " pass", twice + " fail b"},
			[]string{"fail listed in FILE:1 as known to fail, and it passes: take it out of the list", "warn known to fail: b"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := knownFile(t, test.list)
			list, err := readKnown(file, knownSuites)
			if err != nil {
				t.Fatal(err)
			}
			r := played(test.runs...)
			list.apply(r)
			for i, run := range r.Runs {
				got := string(run.Verdict) + " " + run.Reason
				for _, note := range run.Notes {
					if !strings.HasPrefix(note, "listed in") {
						got += "; " + note
					}
				}
				if got = strings.ReplaceAll(got, file, "FILE"); got != test.want[i] {
					t.Errorf("%s: %s\nwant %s", run.Scenario, got, test.want[i])
				}
				if strings.HasPrefix(run.Reason, knownPrefix) && (run.Failure == nil || !slices.Contains(run.Notes, "listed in "+file+":"+line(list, run))) {
					t.Errorf("%s: what failed is lost: %+v", run.Scenario, run)
				}
			}
			if want := transcript.Summarize(r.Runs); r.Summary != want {
				t.Errorf("summary %+v, want %+v", r.Summary, want)
			}
		})
	}
}

// line is the number of the first line that lists a run and fits.
func line(list knownList, run transcript.Run) string {
	run.Reason = strings.TrimPrefix(run.Reason, knownPrefix)
	for _, k := range list.lines {
		if slices.Contains(k.names, run.Suite+"/"+run.Scenario) && k.fits(&run) {
			return string(rune('0' + k.number))
		}
	}
	return "none"
}

func TestApplyKnownToAllPlaysOfAScenario(t *testing.T) {
	var names []string
	for _, sc := range knownSuites[0].Scenarios {
		if sc.Base == "long-text" {
			names = append(names, "framed/"+sc.Name)
		}
	}
	verdicts := func(of ...string) []string {
		lines := slices.Clone(names)
		for i := range lines {
			lines[i] += " " + of[min(i, len(of)-1)]
		}
		return lines
	}
	for _, test := range []struct {
		name  string
		runs  []string
		wrong int // how many count against the target
	}{
		{"one fails", verdicts("fail it was cut", "pass"), 0},
		{"one is skipped, the others pass", verdicts("skip too long", "pass"), len(names) - 1},
		{"all pass", verdicts("pass"), len(names)},
		{"all are skipped", verdicts("skip too long"), 0},
		{"one could not be judged", verdicts("error interrupted", "pass"), 0},
		{"one is not played", verdicts("pass")[1:], 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			list, err := readKnown(knownFile(t, "long-text\n"), knownSuites)
			if err != nil {
				t.Fatal(err)
			}
			r := played(test.runs...)
			list.apply(r)
			if r.Summary.Fail != test.wrong {
				t.Errorf("%d failures, want %d: %+v", r.Summary.Fail, test.wrong, r.Runs)
			}
			for _, run := range r.Runs {
				if run.Verdict == transcript.Fail && (!strings.Contains(run.Reason, "lists long-text as known to fail, and none of them does") || run.Hint != "") {
					t.Errorf("reason %q, hint %q", run.Reason, run.Hint)
				}
			}
		})
	}
}

// A blocked scenario has failed too, and the list may know how.
func TestApplyKnownLooksAtTheFailureOfABlockedOne(t *testing.T) {
	list, err := readKnown(knownFile(t, "heard-once: nothing came"), knownSuites)
	if err != nil {
		t.Fatal(err)
	}
	r := played(once + " blocked nothing came")
	r.Runs[0].Reason = "needs two-clients-chat, which did not pass"
	list.apply(r)
	if got := r.Runs[0]; got.Verdict != transcript.Warn {
		t.Errorf("%s: %s", got.Verdict, got.Reason)
	}
}

func TestWriteKnown(t *testing.T) {
	r := played(
		twice+" fail the line\x1b[31m is\nred # or so",
		"framed/two-senders pass",
		"framed/users-are-listed warn no list came",
		"framed/sender-hears-itself skip chose otherwise",
		"framed/connect-and-go error interrupted",
		chat+" blocked no target",
		"framed/long-text[size=1025] fail it was cut",
		once+" fail nothing came",
	)
	var b bytes.Buffer
	if err := writeKnown(&b, r); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(b.String()) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	want := []string{
		"framed/heard-once  # nothing came\n",
		"framed/long-text[size=1025]  # it was cut\n",
		"framed/same-text-twice  # the line\\x1b[31m is\\nred # or so\n",
		"framed/two-clients-chat  # no target\n",
	}
	if !slices.Equal(lines, want) {
		t.Fatalf("it is\n%s\nwant\n%s", strings.Join(lines, ""), strings.Join(want, ""))
	}

	// With this list, the same run is no failure, and gives the same list.
	list, err := readKnown(knownFile(t, b.String()), knownSuites)
	if err != nil {
		t.Fatal(err)
	}
	list.apply(r)
	if r.Summary.Fail+r.Summary.Blocked > 0 {
		t.Errorf("summary %+v", r.Summary)
	}
	var again bytes.Buffer
	if err := writeKnown(&again, r); err != nil {
		t.Fatal(err)
	}
	if again.String() != b.String() {
		t.Errorf("with the list it is\n%s\nwant\n%s", &again, &b)
	}
}

func TestWriteKnownLeavesOutWhatPassesThoughItIsListed(t *testing.T) {
	list, err := readKnown(knownFile(t, "heard-once"), knownSuites)
	if err != nil {
		t.Fatal(err)
	}
	r := played(once + " pass")
	list.apply(r)
	if r.Summary.Fail != 1 {
		t.Fatalf("summary %+v", r.Summary)
	}
	var b bytes.Buffer
	if err := writeKnown(&b, r); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "heard-once") || !strings.Contains(b.String(), "# Nothing does.") {
		t.Errorf("it is\n%s", &b)
	}
}

func TestWriteKnownSaysThatItCannot(t *testing.T) {
	if err := writeKnown(failingWriter{}, played()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("error %v", err)
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }
