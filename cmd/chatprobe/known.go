package main

import (
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/source"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/scenarios"
)

// A knownList says which scenarios are known to fail, so that a run tells what
// is new from what is not. The zero value lists none. It is read from a file
// with a line for each:
//
//	# until the room has a lock
//	framed/second-client-same-name
//	framed/frame-*: nothing came    # its reason must contain this text
//	long-text: /closed|was reset/   # or fit this expression
//
// A line names scenarios as --scenario does, and may match several. It is of
// use as long as one of them fails; when all that it matches have been played
// and none failed, those that pass are failures, so that no line outlives the
// fault that it is about.
type knownList struct {
	file  string
	lines []knownLine
}

// A knownLine is one line of the file.
type knownLine struct {
	number  int    // from 1
	pattern string // as written
	// expected is what the reason must contain, as written; empty where any
	// reason will do. With slashes around it, it stands in regex too.
	expected string
	regex    *regexp.Regexp
	names    []string // suite/scenario of all that it matches
}

// What apply makes of reasons.
const (
	knownPrefix = "known to fail: "
	staleSuffix = "take it out of the list"
)

// readKnown reads a list and finds the scenarios that it means among suites, or
// in a built-in suite that it names. The error holds all that is wrong in the
// file.
func readKnown(file string, suites []*scenario.Suite) (knownList, error) {
	f, err := openFile(file)
	if err != nil {
		return knownList{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return knownList{}, cannot("read %s: %w", file, err)
	}
	list := knownList{file: file}
	var errs source.Errors
	text := source.NewFile(file, data)
	data = []byte(strings.TrimPrefix(string(data), "\ufeff"))
	first := map[string]int{} // line of a pattern
	for i, line := range lineEnd.Split(string(data), -1) {
		at := source.Pos{File: text, Line: i + 1, Col: utf8.RuneCountInString(line) - utf8.RuneCountInString(strings.TrimLeft(line, " \t")) + 1}
		if !utf8.ValidString(line) {
			errs.Add(at, "this line is not UTF-8 text").Hint = "save the file as UTF-8"
			continue
		}
		known, ok := parseKnown(line, at, &errs)
		if !ok {
			continue
		}
		if before := first[known.pattern]; before > 0 {
			errs.Add(at, "%s stands here a second time; the first is in line %d", known.pattern, before).Hint =
				"one of several reasons is written /one|another/"
			continue
		}
		first[known.pattern] = known.number
		if suites, err = alsoNamed(known.pattern, suites); err != nil {
			return knownList{}, err
		}
		if known.find(suites, at, &errs) {
			list.lines = append(list.lines, known)
		}
	}
	return list, errs.Err()
}

var lineEnd = regexp.MustCompile(`\r\n|\r|\n`)

// parseKnown reads one line; at is where its text begins. It is not ok when
// there is nothing in the line, or a mistake.
func parseKnown(line string, at source.Pos, errs *source.Errors) (known knownLine, ok bool) {
	name, rest, colon := cutName(strings.TrimLeft(line, " \t"))
	stem, _, _ := strings.Cut(name, "[")
	known = knownLine{number: at.Line, pattern: name}
	if name == "" && !colon {
		return known, false
	}
	reason := strings.TrimLeft(rest, " \t")
	place := at
	place.Col += utf8.RuneCountInString(strings.TrimLeft(line, " \t")) - utf8.RuneCountInString(reason)
	switch {
	case name == "":
		errs.Add(at, "there is no scenario before the colon").Hint = "a line is SCENARIO, or SCENARIO: REASON"
		return known, false
	case strings.ContainsAny(stem, " \t"):
		errs.Add(at, "%q is no name of a scenario", name).Hint = "a line is SCENARIO, or SCENARIO: REASON, and a remark begins with a blank and #"
		return known, false
	case !colon:
		return known, true
	case strings.HasPrefix(reason, "/"):
		return known, known.expression(reason, place, errs)
	}
	known.expected = withoutRemark(reason)
	if known.expected == "" {
		errs.Add(place, "there is no reason behind the colon").Hint = "leave out the colon where any reason will do"
		return known, false
	}
	return known, true
}

// cutName cuts a line behind the name of a scenario. What stands in brackets
// belongs to the name, whatever it is. rest is what follows the colon, if there
// is one.
func cutName(line string) (name, rest string, colon bool) {
	isInside := false
	for i := range len(line) {
		after := line[i+1:]
		switch c := line[i]; {
		case c == '[':
			isInside = strings.Contains(after, "]")
		case c == ']':
			isInside = false
		case isInside:
		case c == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t'):
			return strings.TrimRight(line[:i], " \t"), "", false
		case c == ':':
			return strings.TrimRight(line[:i], " \t"), after, true
		}
	}
	return strings.TrimRight(line, " \t"), "", false
}

// withoutRemark cuts off what begins with a blank and #.
func withoutRemark(text string) string {
	if at := remark.FindStringIndex(text); at != nil {
		text = text[:at[0]]
	}
	return strings.TrimRight(text, " \t")
}

var (
	remark     = regexp.MustCompile(`(^|[ \t]+)#`)
	knownRegex = regexp.MustCompile(`^/(.*)/([ims]*)[ \t]*$`)
)

// expression reads /regex/, with flags or without. It ends with the first slash
// that nothing but a remark follows.
func (k *knownLine) expression(text string, at source.Pos, errs *source.Errors) bool {
	ends := append(remark.FindAllStringIndex(text, -1), []int{len(text)})
	var m []string
	for i := 0; i < len(ends) && m == nil; i++ {
		m = knownRegex.FindStringSubmatch(text[:ends[i][0]])
	}
	if m == nil {
		errs.Add(at, "this regular expression has no end").Hint = "it stands between two slashes, /like this/"
		return false
	}
	if m[1] == "" {
		errs.Add(at, "this regular expression is empty").Hint = "leave out the colon where any reason will do"
		return false
	}
	flags := ""
	if m[2] != "" {
		flags = "(?" + m[2] + ")"
	}
	var err error
	if k.regex, err = regexp.Compile(flags + m[1]); err != nil {
		errs.Add(at, "this regular expression is wrong: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		return false
	}
	k.expected = strings.TrimRight(m[0], " \t")
	return true
}

// alsoNamed adds the built-in suite that a pattern names, so that one list does
// for all suites, and is checked as a whole whichever of them is played.
func alsoNamed(pattern string, suites []*scenario.Suite) ([]*scenario.Suite, error) {
	name, _, ok := strings.Cut(pattern, "/")
	isThere := func(s *scenario.Suite) bool { return s.Name == name }
	if !ok || !slices.Contains(scenarios.Names(), name) || slices.ContainsFunc(suites, isThere) {
		return suites, nil
	}
	s, err := loadSuite(name)
	if err != nil {
		return nil, err
	}
	return append(slices.Clone(suites), s), nil
}

// find notes what the pattern matches.
func (k *knownLine) find(suites []*scenario.Suite, at source.Pos, errs *source.Errors) bool {
	var candidates []string
	for _, s := range suites {
		for _, sc := range s.Scenarios {
			name := s.Name + "/" + sc.Name
			if k.pattern == name || k.pattern == sc.Name {
				k.names = append(k.names, name)
			}
			if !strings.Contains(k.pattern, "/") {
				name = sc.Name
			}
			stem, _, _ := strings.Cut(name, "[")
			candidates = append(candidates, stem)
			if strings.Contains(k.pattern, "[") {
				candidates = append(candidates, name)
			}
		}
	}
	if k.names != nil {
		return true // the brackets of such a name are no pattern
	}
	if _, err := path.Match(k.pattern, ""); err != nil {
		errs.Add(at, "%q is no pattern", k.pattern).Hint = "* stands for anything, [ab] for one of some letters"
		return false
	}
	for _, s := range suites {
		for _, sc := range s.Scenarios {
			if ok, _ := matches(k.pattern, s.Name, sc.Name); ok {
				k.names = append(k.names, s.Name+"/"+sc.Name)
			}
		}
	}
	if k.names != nil {
		return true
	}
	wrong := errs.Add(at, "no scenario is called %s", k.pattern)
	if strings.ContainsAny(k.pattern, "*?") {
		wrong.Text = "no scenario matches " + k.pattern
		return false
	}
	slices.Sort(candidates)
	if hint, ok := didYouMean(k.pattern, slices.Compact(candidates)); ok {
		wrong.Hint = hint
	}
	return false
}

// fits says whether a run failed as the line says.
func (k *knownLine) fits(run *transcript.Run) bool {
	reasons := []string{run.Reason}
	if run.Failure != nil {
		reasons = append(reasons, run.Failure.Got) // a blocked one has another reason
	}
	return slices.ContainsFunc(reasons, func(reason string) bool {
		if k.regex != nil {
			return k.regex.MatchString(reason)
		}
		return strings.Contains(reason, k.expected)
	})
}

// apply changes the verdicts of what is listed, and the summary. What failed, or
// was blocked, for a reason that fits becomes a warning, also under --strict;
// for another reason it stays what it is, with a note. What passes though it is
// listed becomes a failure. What was skipped, or could not be judged, stays as
// it is. A report must be given to it once only, before anything is made of it.
func (l knownList) apply(r *transcript.Report) {
	runs := map[string]*transcript.Run{}
	for i := range r.Runs {
		runs[r.Runs[i].Suite+"/"+r.Runs[i].Scenario] = &r.Runs[i]
	}
	stale := make([]bool, len(l.lines)) // all are found before a verdict changes
	lines := map[string][]int{}
	for i := range l.lines {
		stale[i] = l.lines[i].isStale(runs)
		for _, name := range l.lines[i].names {
			lines[name] = append(lines[name], i)
		}
	}
	// Where nothing could be tested at all, that is not what was known.
	useless := map[string]bool{}
	for _, s := range r.Suites {
		useless[s.Name] = s.Finding != ""
	}
	for name, run := range runs {
		if useless[run.Suite] {
			continue
		}
		switch run.Verdict {
		case transcript.Fail, transcript.Warn, transcript.Blocked:
			l.excuse(run, lines[name])
		case transcript.Pass:
			for _, i := range lines[name] {
				if stale[i] {
					l.blame(run, &l.lines[i])
					break
				}
			}
		}
	}
	r.Summary = transcript.Summarize(r.Runs)
}

// isStale says that nothing fails any more of all that the line matches. What
// was not played might.
func (k *knownLine) isStale(runs map[string]*transcript.Run) bool {
	passed := false
	for _, name := range k.names {
		run := runs[name]
		switch {
		case run == nil:
			return false
		case run.Verdict == transcript.Pass:
			passed = true
		case run.Verdict != transcript.Skip:
			return false
		}
	}
	return passed
}

// excuse deals with a run that did not pass.
func (l knownList) excuse(run *transcript.Run, lines []int) {
	var notes []string
	for _, i := range lines {
		k := &l.lines[i]
		if k.fits(run) {
			run.Verdict, run.Reason = transcript.Warn, knownPrefix+run.Reason
			run.Notes = append(slices.Clip(run.Notes), fmt.Sprintf("listed in %s:%d", l.file, k.number))
			return
		}
		notes = append(notes, fmt.Sprintf("%s:%d knows it to fail for another reason: %s", l.file, k.number, k.expected))
	}
	run.Notes = append(slices.Clip(run.Notes), notes...)
}

// blame deals with a run that passes, though a line says that it does not.
func (l knownList) blame(run *transcript.Run, k *knownLine) {
	run.Verdict = transcript.Fail
	run.Hint = "" // it is about a mistake that the target does not make
	run.Reason = fmt.Sprintf("listed in %s:%d as known to fail, and it passes: %s", l.file, k.number, staleSuffix)
	if len(k.names) > 1 {
		run.Reason = fmt.Sprintf("%s:%d lists %s as known to fail, and none of them does: %s", l.file, k.number, k.pattern, staleSuffix)
	}
}

// writeKnown writes the list of what fails or is blocked in a report, in the
// form that readKnown reads, with the reasons as remarks. Warnings are not in
// it, as no run fails because of them; those that stand for what was known
// before are.
func writeKnown(w io.Writer, r *transcript.Report) error {
	var lines []string
	for i := range r.Runs {
		run := &r.Runs[i]
		reason, known := strings.CutPrefix(run.Reason, knownPrefix)
		switch run.Verdict {
		case transcript.Fail, transcript.Blocked:
			if run.Failure == nil && strings.HasSuffix(reason, staleSuffix) {
				continue
			}
		case transcript.Warn:
			if !known {
				continue
			}
		default:
			continue
		}
		lines = append(lines, fmt.Sprintf("%s/%s  # %s\n", run.Suite, run.Scenario, transcript.Printable([]byte(reason))))
	}
	slices.Sort(lines)
	head := fmt.Sprintf(`# What fails against %s,
# to be given to chatprobe run as --known-failing. A line may say why it fails,
# as in SCENARIO: nothing came
`, transcript.Printable([]byte(r.Target)))
	if len(lines) == 0 {
		head += "# Nothing does.\n"
	}
	_, err := io.WriteString(w, head+strings.Join(lines, ""))
	if err != nil {
		return fmt.Errorf("write known failures: %w", err)
	}
	return nil
}
