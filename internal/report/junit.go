package report

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// The JUnit format has two levels and no standard; what is written here is
// what the readers of GitLab, Jenkins and GitHub actions have in common.

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Timestamp  string          `xml:"timestamp,attr"`
	Properties []junitProperty `xml:"properties>property,omitempty"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Class   string       `xml:"classname,attr"`
	Name    string       `xml:"name,attr"`
	File    string       `xml:"file,attr,omitempty"`
	Line    int          `xml:"line,attr,omitempty"`
	Time    string       `xml:"time,attr"`
	Failure *junitDetail `xml:"failure"`
	Error   *junitDetail `xml:"error"`
	Skipped *junitDetail `xml:"skipped"`
	Out     string       `xml:"system-out,omitempty"`
}

type junitDetail struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// JUnit writes JUnit XML. A blocked scenario is a failure, so that it does not
// count as passed; a warning is a pass with a remark.
func JUnit(w io.Writer, r *transcript.Report) error {
	all := junitSuites{Name: "chatprobe", Time: seconds(r.Seconds)}
	names := map[[2]string]bool{}
	for _, s := range suites(r) {
		suite := junitSuite{Name: clean(s.Name), Timestamp: r.Started.UTC().Format(time.RFC3339)}
		suite.Properties = []junitProperty{
			{"chatprobe.target", clean(r.Target)},
			{"chatprobe.seed", fmt.Sprint(r.Seed)},
			{"chatprobe.version", clean(r.Version)},
		}
		for _, set := range s.Settings {
			suite.Properties = append(suite.Properties, junitProperty{"chatprobe.setting." + set.Name, clean(set.Value)})
		}
		total := 0.0
		for i := range r.Runs {
			run := &r.Runs[i]
			if run.Suite != s.Name {
				continue
			}
			c := junitTest(run)
			// Readers take two of the same class and name for one.
			for name, n := c.Name, 2; names[[2]string{c.Class, c.Name}]; n++ {
				c.Name = fmt.Sprintf("%s (%d)", name, n)
			}
			names[[2]string{c.Class, c.Name}] = true
			suite.Tests++
			total += run.Seconds
			switch {
			case c.Failure != nil:
				suite.Failures++
			case c.Error != nil:
				suite.Errors++
			case c.Skipped != nil:
				suite.Skipped++
			}
			suite.Cases = append(suite.Cases, c)
		}
		suite.Time = seconds(total)
		all.Tests += suite.Tests
		all.Failures += suite.Failures
		all.Errors += suite.Errors
		all.Skipped += suite.Skipped
		all.Suites = append(all.Suites, suite)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("write junit: %w", err)
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return fmt.Errorf("write junit: %w", err)
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return fmt.Errorf("write junit: %w", err)
	}
	return nil
}

// suites are those of the header, and those that only runs name.
func suites(r *transcript.Report) []transcript.Suite {
	all := slices.Clone(r.Suites)
	for i := range r.Runs {
		if !slices.ContainsFunc(all, func(s transcript.Suite) bool { return s.Name == r.Runs[i].Suite }) {
			all = append(all, transcript.Suite{Name: r.Runs[i].Suite})
		}
	}
	return all
}

func junitTest(run *transcript.Run) junitCase {
	class := run.Suite
	if run.Requirement != "" {
		class += "." + run.Requirement
	}
	c := junitCase{
		Class: clean(class), Name: clean(run.Scenario), File: clean(run.File), Line: run.Line, Time: seconds(run.Seconds),
	}
	switch run.Verdict {
	case transcript.Fail, transcript.Blocked:
		c.Failure = junitText(run)
	case transcript.Error:
		c.Error = junitText(run)
	case transcript.Skip:
		c.Skipped = &junitDetail{Message: clean(cmp.Or(run.Reason, "does not apply"))}
	case transcript.Warn:
		c.Out = junitText(run).Text
	case transcript.Pass:
		c.Out = clean(strings.Join(run.Notes, "; "))
	}
	return c
}

// junitText is the explanation of the table as text; never empty.
func junitText(run *transcript.Run) *junitDetail {
	var b bytes.Buffer
	t := Table{Width: 100}
	t.failure(&b, run)
	return &junitDetail{
		Message: clean(cmp.Or(run.Reason, run.Title, run.Scenario)),
		Type:    string(run.Verdict),
		Text:    transcript.PrintableLines(bytes.TrimSpace(b.Bytes())) + "\n",
	}
}

func seconds(s float64) string { return fmt.Sprintf("%.3f", s) }
