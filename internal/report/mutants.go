package report

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// Mutants renders which wrong programs a suite catches: survivors first, then
// the others with how many scenarios catch each and the first of them, what is
// equivalent and why, and what is wrong with the suite.
func (t Table) Mutants(w io.Writer, m *transcript.MutantTable) error {
	if t.Width == 0 {
		t.Width = 80
	}
	var b bytes.Buffer
	t.paragraph(&b, 0, fmt.Sprintf("%s: %s against mutants of %s", clean(m.Suite), count(m.Scenarios, "scenario"), clean(m.Target)))
	b.WriteByte('\n')
	rows := slices.Clone(m.Mutants)
	slices.SortStableFunc(rows, func(a, b transcript.Mutant) int { return rank(a) - rank(b) })
	table := newGrid(&b)
	table.Header("mutant", " caught by", "the first of them")
	for _, r := range rows {
		by, first := fmt.Sprintf("%d of %d", len(r.Caught), r.Played), ""
		switch {
		case r.Survived():
			by, first = "SURVIVED", fate(r)
		case len(r.Caught) == 0:
			by, first = "equivalent", ""
		default:
			first = r.Caught[0]
		}
		if err := table.Append(clean(r.Name), fmt.Sprintf("%10s", by), clean(first)); err != nil {
			return fmt.Errorf("render mutants: %w", err)
		}
	}
	if err := table.Render(); err != nil {
		return fmt.Errorf("render mutants: %w", err)
	}
	trimmed := trimLines(b.Bytes())
	b.Reset()
	b.Write(trimmed)
	t.mutantFindings(&b, m)
	_, err := w.Write(noCommands(b.Bytes()))
	return err
}

// fate is how a mutant has survived.
func fate(m transcript.Mutant) string {
	if m.Occasions == 0 {
		return "no scenario gives it the occasion"
	}
	return "it was wrong, and nothing noticed"
}

// rank puts survivors first, then what was caught, then what is equivalent.
func rank(m transcript.Mutant) int {
	switch {
	case m.Survived():
		return 0
	case len(m.Caught) > 0:
		return 1
	}
	return 2
}

// mutantFindings says what the table does not.
func (t Table) mutantFindings(b *bytes.Buffer, m *transcript.MutantTable) {
	list := func(title string, each func(item func(name, text string))) {
		first := true
		each(func(name, text string) {
			if first {
				b.WriteByte('\n')
				t.paragraph(b, 0, title)
				first = false
			}
			t.paragraph(b, 2, clean(name))
			if text != "" {
				t.paragraph(b, 4, clean(text))
			}
		})
	}
	list("Survivors, which the suite takes for correct:", func(item func(name, text string)) {
		for _, r := range m.Mutants {
			if r.Survived() {
				item(r.Name, r.About)
			}
		}
	})
	list("Equivalent to a correct one:", func(item func(name, text string)) {
		for _, r := range m.Mutants {
			if r.Equivalent != "" && len(r.Caught) == 0 {
				item(r.Name, r.Equivalent)
			}
		}
	})
	list("Said to be equivalent, and are not:", func(item func(name, text string)) {
		for _, name := range m.Stale {
			why := "is no mutant of this suite"
			if i := slices.IndexFunc(m.Mutants, func(r transcript.Mutant) bool { return r.Name == name }); i >= 0 {
				why = "is caught by " + strings.Join(m.Mutants[i].Caught, ", ")
			}
			item(name, why)
		}
	})
	list("Scenarios that catch no mutant:", func(item func(name, text string)) {
		for _, name := range m.Useless {
			item(name, "")
		}
	})
	if len(m.Degenerates) > 0 {
		b.WriteByte('\n')
		t.paragraph(b, 0, "Programs that do not speak the protocol at all:")
		for _, d := range m.Degenerates {
			text := "passes nothing"
			if len(d.Passed) > 0 {
				text = d.About + ", and PASSES " + strings.Join(d.Passed, ", ")
			}
			t.paragraph(b, 2, clean(d.Name+": "+text))
		}
	}
	caught, all := m.Score()
	b.WriteByte('\n')
	t.paragraph(b, 0, fmt.Sprintf("%d of %d mutants caught (%s), %d equivalent · %.1f s", caught, all, percent(caught, all), len(m.Mutants)-all, m.Seconds))
}

// percent never rounds up to 100.
func percent(n, of int) string {
	if of == 0 {
		return "none"
	}
	return strconv.Itoa(n*100/of) + " %"
}

func trimLines(b []byte) []byte {
	var out []byte
	for line := range bytes.Lines(b) {
		out = append(append(out, bytes.TrimRight(line, " \n")...), '\n')
	}
	return out
}

// MutantsCSV writes a line for each mutant: suite, mutant, what it does, how
// many scenarios catch it of how many that were played and how many in which it
// had the occasion to be wrong, the names of those, and why nothing can catch
// it, if so.
func MutantsCSV(w io.Writer, tables []*transcript.MutantTable) error {
	c := csv.NewWriter(w)
	_ = c.Write([]string{"suite", "mutant", "about", "caught", "played", "occasions", "scenarios", "equivalent"})
	for _, t := range tables {
		for _, m := range t.Mutants {
			_ = c.Write([]string{t.Suite, m.Name, m.About, strconv.Itoa(len(m.Caught)), strconv.Itoa(m.Played), strconv.Itoa(m.Occasions), strings.Join(m.Caught, " "), m.Equivalent})
		}
	}
	c.Flush()
	if err := c.Error(); err != nil {
		return fmt.Errorf("write mutants: %w", err)
	}
	return nil
}
