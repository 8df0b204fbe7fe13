package report_test

import (
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/clipperhouse/displaywidth"

	"github.com/chatprobe/chatprobe/internal/report"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

// Standard output is not replaced by a file where it goes to one.
func TestWriteFileToRedirectedOutput(t *testing.T) {
	name := filepath.Join(t.TempDir(), "out")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func(old *os.File) { os.Stdout = old }(os.Stdout)
	os.Stdout = f
	if _, err := f.WriteString("table\n"); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"/dev/stdout", "-"} {
		if err := report.WriteFile(to, func(w io.Writer) error { _, err := io.WriteString(w, "report\n"); return err }); err != nil {
			t.Error(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(name); err != nil || string(got) != "table\nreport\nreport\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// Escapes in JSON strings mean the same, and nothing acts on a terminal.
func TestJSONIsPrintable(t *testing.T) {
	r := &transcript.Report{Schema: transcript.Schema, Target: "\x1b \x7f \u009b2J \u202e \U000e0001 <name> 漢字", Runs: []transcript.Run{}}
	out := text(t, report.JSON, r)
	for _, char := range out {
		if char != '\n' && !unicode.IsPrint(char) {
			t.Errorf("%q in %s", char, out)
		}
	}
	again, err := report.ReadJSON(strings.NewReader(out))
	if err != nil || again.Target != r.Target || !strings.Contains(out, "<name> 漢字") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestReadJSONIsStrict(t *testing.T) {
	const head = `{"schema":"chatprobe/result/v1"`
	for _, input := range []string{head + `,"colour":1}`, head + `} {}`, head + `,"runs":[{"wine":1}]}`} {
		if _, err := report.ReadJSON(strings.NewReader(input)); err == nil {
			t.Errorf("%s is read without an error", input)
		}
	}
}

// A name that was made unique does not collide with one that was so before.
func TestJUnitNamesAreUnique(t *testing.T) {
	runs := []transcript.Run{{Suite: "s", Scenario: "a"}, {Suite: "s", Scenario: "a (2)"}, {Suite: "s", Scenario: "a"}}
	var all struct {
		Cases []struct {
			Name string `xml:"name,attr"`
		} `xml:"testsuite>testcase"`
	}
	if err := xml.Unmarshal([]byte(text(t, report.JUnit, &transcript.Report{Runs: runs})), &all); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range all.Cases {
		if seen[c.Name] {
			t.Errorf("%s twice", c.Name)
		}
		seen[c.Name] = true
	}
}

func TestNothingIsWiderAfterAll(t *testing.T) {
	body := transcript.NewBody([]byte("HELLO WORLD, this is no frame\r\n"))
	run := transcript.Run{
		Suite: "framed", Scenario: strings.Repeat("long-name-", 9), Verdict: transcript.Fail,
		Failure: &transcript.Failure{Got: strings.Repeat("y", 68) + " ::error::" + strings.Repeat("z", 59), Partial: &body},
		Events:  []transcript.Event{{Kind: transcript.Remark, Text: "x"}},
	}
	r := &transcript.Report{Runs: []transcript.Run{run}}
	for _, columns := range []int{60, 80} {
		out := text(t, report.Table{Width: columns, Verbose: true}.Write, r)
		for line := range strings.Lines(out) {
			if n := displaywidth.String(strings.TrimSuffix(line, "\n")); n > columns {
				t.Errorf("%d columns of %d: %s", n, columns, line)
			}
		}
	}
}
