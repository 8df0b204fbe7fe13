package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// MutantsPage writes the table of a suite for a page of the documentation, in
// Markdown: each mutant, what it does, and a scenario that catches it or the
// reason why none can.
func MutantsPage(w io.Writer, t *transcript.MutantTable) error {
	var b strings.Builder
	b.WriteString("| mutant | it | caught by |\n| --- | --- | --- |\n")
	for _, m := range t.Mutants {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", m.Name, inCell(m.About), inCell(fateOf(m)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// fateOf is what became of a mutant, in a cell.
func fateOf(m transcript.Mutant) string {
	switch {
	case m.Survived():
		return "**nothing**"
	case len(m.Caught) == 0:
		return "equivalent: " + m.Equivalent
	}
	return "`" + m.Caught[0] + "`"
}

func inCell(text string) string { return strings.ReplaceAll(clean(text), "|", `\|`) }
