package explain

import (
	"fmt"
	"io"
	"strings"

	"github.com/chatprobe/chatprobe/internal/scenario"
)

// List writes the scenarios of a suite one below the other, with the
// requirement that each checks. With titles, each has its title below it;
// those that differ in a value only share one.
func List(w io.Writer, s *scenario.Suite, titles bool, width int) error {
	p := &page{width: width}
	fmt.Fprintf(p, "%s: %s (%s, %s)\n", s.Name, s.Protocol.Title, s.Protocol.Transport, count(len(s.Scenarios), "scenario"))
	ids, levels := 0, 0
	for _, sc := range s.Scenarios {
		ids, levels = max(ids, len(requirementID(sc))), max(levels, len(sc.Level))
	}
	for i, sc := range s.Scenarios {
		label := fmt.Sprintf("  %-*s  %-*s  ", ids, requirementID(sc), levels, sc.Level)
		p.WriteString(label + sc.Name + "\n")
		last := i+1 == len(s.Scenarios) || s.Scenarios[i+1].Base != sc.Base
		if titles && last && sc.Title != "" {
			p.item(strings.Repeat(" ", len(label)+2), sc.Title)
		}
	}
	return p.writeTo(w)
}

// requirementID is empty for a scenario without a requirement.
func requirementID(sc *scenario.Scenario) string {
	if sc.Requirement == nil {
		return ""
	}
	return sc.Requirement.ID
}
