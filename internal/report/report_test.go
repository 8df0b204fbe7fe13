package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/displaywidth"

	"github.com/chatprobe/chatprobe/internal/golden"
	"github.com/chatprobe/chatprobe/internal/report"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

type render func(io.Writer, *transcript.Report) error

func renderers() map[string]render {
	return map[string]render{
		"table-80":  report.Table{}.Write,
		"table-120": report.Table{Width: 120}.Write,
		"verbose":   report.Table{Verbose: true}.Write,
		"json":      report.JSON,
		"junit":     report.JUnit,
	}
}

func text(t testing.TB, f render, r *transcript.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := f(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	for name, f := range renderers() {
		t.Run(name, func(t *testing.T) {
			golden.Check(t, filepath.Join("testdata", name+".golden"), text(t, f, fixture()))
		})
	}
}

var hexRow = regexp.MustCompile(`^ {12}([0-9a-f]{2} )*[0-9a-f]{2} `)

func TestNothingIsWiderThanTheScreen(t *testing.T) {
	for _, width := range []int{60, 80, 100, 120} {
		for _, verbose := range []bool{false, true} {
			for line := range strings.Lines(text(t, report.Table{Width: width, Verbose: verbose}.Write, fixture())) {
				line = strings.TrimSuffix(line, "\n")
				if n := displaywidth.String(line); n > width && !(width < 80 && hexRow.MatchString(line)) {
					t.Errorf("width %d: a line of %d columns:\n%s", width, n, line)
				}
				if strings.HasSuffix(line, " ") {
					t.Errorf("width %d: blanks at the end of %q", width, line)
				}
			}
		}
	}
}

// Nothing that a target says may act on a terminal, a log or a document.
func TestNothingHostilePasses(t *testing.T) {
	for name, f := range renderers() {
		out := text(t, f, fixture())
		if !utf8.ValidString(out) {
			t.Errorf("%s is not valid UTF-8", name)
		}
		if name == "json" {
			continue // a reader of JSON gets the text itself; the file has no control characters
		}
		for _, r := range out {
			if r != '\n' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)) {
				t.Errorf("%s lets %U pass", name, r)
				break
			}
		}
		for line := range strings.Lines(out) {
			if trimmed := strings.TrimSpace(line); strings.HasPrefix(trimmed, "::") || strings.HasPrefix(trimmed, "##[") {
				t.Errorf("%s has a line that a CI system obeys: %q", name, line)
			}
		}
	}
}

func TestCommandsAreDisarmedWhereverALineBreaks(t *testing.T) {
	for pad := range 90 {
		r := fixture()
		r.Runs[2].Failure.Got = strings.Repeat("x", pad) + " ::error::owned ##[group]owned"
		for line := range strings.Lines(text(t, report.Table{}.Write, r)) {
			if trimmed := strings.TrimSpace(line); strings.HasPrefix(trimmed, "::") || strings.HasPrefix(trimmed, "##[") {
				t.Fatalf("after %d letters: %q", pad, line)
			}
		}
	}
}

func TestColour(t *testing.T) {
	plain := text(t, report.Table{}.Write, fixture())
	coloured := text(t, report.Table{Color: true}.Write, fixture())
	if strings.Contains(plain, "\x1b") {
		t.Error("colour without Color")
	}
	code := regexp.MustCompile("\x1b\\[[0-9;]+m")
	if code.ReplaceAllString(coloured, "") != plain {
		t.Error("colour changes more than colours")
	}
	r := fixture()
	explained := 7 // four fail or warn or pass with a note, three blocked or error
	if n := len(code.FindAllString(coloured, -1)); n != 2*(len(r.Runs)+explained) {
		t.Errorf("%d colour codes for %d rows and %d explanations", n, len(r.Runs), explained)
	}
	for _, v := range []string{"pass", "fail", "warn", "skip", "blocked", "error"} {
		if !regexp.MustCompile("  \x1b\\[[0-9;]+m" + v + "\x1b\\[0m ").MatchString(coloured) {
			t.Errorf("no row with a coloured %s", v)
		}
	}
}

func TestAReportOfNothing(t *testing.T) {
	for name, f := range renderers() {
		if text(t, f, &transcript.Report{Schema: transcript.Schema}) == "" {
			t.Errorf("%s: nothing", name)
		}
	}
}

var errFull = errors.New("no space left")

// A full writer takes some bytes and then no more.
type full struct{ room int }

func (f *full) Write(p []byte) (int, error) {
	if len(p) > f.room {
		n := f.room
		f.room = 0
		return n, errFull
	}
	f.room -= len(p)
	return len(p), nil
}

func TestAWriterThatFails(t *testing.T) {
	for name, f := range renderers() {
		size := len(text(t, f, fixture()))
		for _, room := range []int{0, 1, 100, size / 2, size - 1} {
			if err := f(&full{room}, fixture()); !errors.Is(err, errFull) {
				t.Errorf("%s after %d bytes: %v", name, room, err)
			}
		}
	}
}

func TestJSONLosesNothing(t *testing.T) {
	r := fixture()
	r.Suites[1].Contact = &r.Runs[0]
	// What is no UTF-8 does not get through JSON; the transcript has none.
	r.Runs = r.Runs[:6]
	r.Runs[2].Output = "plain\n"
	r.Runs[2].Failure.Came[0].Fields[0].Value = uint64(1<<64 - 1)
	r.Runs[2].Failure.Came[1].Fields[0].Value = []any{"alice", uint64(1<<53 + 1), []any{}}
	again, err := report.ReadJSON(strings.NewReader(text(t, report.JSON, r)))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(r, again) {
		t.Errorf("wrote and read:\n%s\nwas:\n%s", text(t, report.JSON, again), text(t, report.JSON, r))
	}
	if a, b := text(t, report.Table{Verbose: true}.Write, r), text(t, report.Table{Verbose: true}.Write, again); a != b {
		t.Errorf("the table of what was read differs:\n%s\nand\n%s", b, a)
	}
}

func TestReadJSONRefuses(t *testing.T) {
	for input, want := range map[string]string{
		"":                             "read result: ",
		"{":                            "read result: ",
		`{"schema":"other/v9"}`:        `its schema is "other/v9"`,
		`{"schema":7}`:                 "read result: ",
		`{"runs":[{"seconds":"one"}]}`: "read result: ",
	} {
		if _, err := report.ReadJSON(strings.NewReader(input)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", input, err)
		}
	}
}

// What the readers of GitLab, Jenkins and GitHub actions need.
type junit struct {
	XMLName xml.Name `xml:"testsuites"`
	junitCounts
	Suites []junitSuite `xml:"testsuite"`
}

type junitCounts struct {
	T int `xml:"tests,attr"`
	F int `xml:"failures,attr"`
	E int `xml:"errors,attr"`
	S int `xml:"skipped,attr"`
}

type junitSuite struct {
	junitCounts
	Name   string       `xml:"name,attr"`
	Time   string       `xml:"timestamp,attr"`
	Nested []junitSuite `xml:"testsuite"`
	Cases  []struct {
		Class string `xml:"classname,attr"`
		Name  string `xml:"name,attr"`
		Time  string `xml:"time,attr"`
		Fail  *struct {
			Message string `xml:"message,attr"`
			Text    string `xml:",chardata"`
		} `xml:"failure"`
		Err *struct {
			Message string `xml:"message,attr"`
			Text    string `xml:",chardata"`
		} `xml:"error"`
		Skip *struct {
			Message string `xml:"message,attr"`
		} `xml:"skipped"`
	} `xml:"testcase"`
}

func TestJUnitForItsReaders(t *testing.T) {
	r := fixture()
	twin := r.Runs[0]
	bare := transcript.Run{Suite: "nowhere", Scenario: "bare", Verdict: transcript.Fail}
	r.Runs = append(r.Runs, twin, bare)
	r.Summary = transcript.Summarize(r.Runs)
	var all junit
	if err := xml.Unmarshal([]byte(text(t, report.JUnit, r)), &all); err != nil {
		t.Fatal(err)
	}
	want := junitCounts{len(r.Runs), r.Summary.Fail + r.Summary.Blocked, r.Summary.Error, r.Summary.Skip}
	if all.junitCounts != want {
		t.Errorf("counts %+v, want %+v", all.junitCounts, want)
	}
	var sum junitCounts
	names := map[string]bool{}
	for _, s := range all.Suites {
		if s.Name == "" || len(s.Nested) > 0 {
			t.Errorf("suite %q: no name, or suites inside", s.Name)
		}
		var got junitCounts
		for _, c := range s.Cases {
			got.T++
			if c.Name == "" || c.Class == "" || names[c.Class+"\x00"+c.Name] {
				t.Errorf("%s %s: empty, or twice", c.Class, c.Name)
			}
			names[c.Class+"\x00"+c.Name] = true
			if !regexp.MustCompile(`^\d+\.\d{3}$`).MatchString(c.Time) {
				t.Errorf("%s: time %q", c.Name, c.Time)
			}
			for _, d := range []*struct {
				Message string `xml:"message,attr"`
				Text    string `xml:",chardata"`
			}{c.Fail, c.Err} {
				if d != nil && (strings.TrimSpace(d.Text) == "" || d.Message == "") {
					t.Errorf("%s: a failure without a message or a text", c.Name)
				}
			}
			switch {
			case c.Fail != nil:
				got.F++
			case c.Err != nil:
				got.E++
			case c.Skip != nil:
				got.S++
				if c.Skip.Message == "" {
					t.Errorf("%s: skipped without a reason", c.Name)
				}
			}
		}
		if got != s.junitCounts {
			t.Errorf("suite %s counts %+v and has %+v", s.Name, s.junitCounts, got)
		}
		sum = junitCounts{sum.T + got.T, sum.F + got.F, sum.E + got.E, sum.S + got.S}
	}
	if sum != all.junitCounts {
		t.Errorf("suites add up to %+v, the whole says %+v", sum, all.junitCounts)
	}
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "out.json")
	say := func(s string) func(io.Writer) error {
		return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
	}
	check := func(want string) {
		t.Helper()
		got, err := os.ReadFile(name)
		if err != nil || string(got) != want {
			t.Errorf("it holds %q, %v", got, err)
		}
		if files, _ := os.ReadDir(dir); len(files) != 1 {
			t.Errorf("%d files in the folder", len(files))
		}
	}
	if err := report.WriteFile(name, say("one")); err != nil {
		t.Fatal(err)
	}
	check("one")
	failing := func(w io.Writer) error { fmt.Fprint(w, "half"); return errFull }
	if err := report.WriteFile(name, failing); !errors.Is(err, errFull) {
		t.Errorf("a renderer that fails: %v", err)
	}
	check("one")
	if err := report.WriteFile(name, say("two")); err != nil {
		t.Fatal(err)
	}
	check("two")
	link := filepath.Join(t.TempDir(), "link.json")
	if err := os.Symlink(name, link); err == nil {
		if err := report.WriteFile(link, say("three")); err != nil {
			t.Fatal(err)
		}
		check("three")
	}
	if err := report.WriteFile(os.DevNull, say("nothing")); err != nil {
		t.Errorf("a device: %v", err)
	}
	missing := filepath.Join(dir, "no", "such", "out.json")
	err := report.WriteFile(missing, say("x"))
	if err == nil || !strings.Contains(err.Error(), "there is no folder "+filepath.Dir(missing)) {
		t.Errorf("a missing folder: %v", err)
	}
	if err := report.WriteFile(dir, say("x")); err == nil {
		t.Error("a folder was written")
	}
}

func TestWriteFileToStandardOutput(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stdout
	os.Stdout = w
	err = report.WriteFile("-", func(w io.Writer) error { return json.NewEncoder(w).Encode(1) })
	os.Stdout = old
	w.Close()
	got, _ := io.ReadAll(r)
	if err != nil || string(got) != "1\n" {
		t.Errorf("%q, %v", got, err)
	}
}
