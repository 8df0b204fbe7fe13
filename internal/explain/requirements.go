package explain

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// A Suite is the requirements of a suite, and what checks them.
type Suite struct {
	Name         string        `json:"suite"`
	Title        string        `json:"title"`
	Requirements []Requirement `json:"requirements"`
	// Others are the scenarios that check no requirement.
	Others []Check `json:"others,omitempty"`
}

// A Requirement is one sentence, and the scenarios that check it.
type Requirement struct {
	ID     string     `json:"id"`
	Level  wire.Level `json:"level"`
	Of     wire.Side  `json:"of"`
	Text   string     `json:"text"`
	Checks []Check    `json:"scenarios"`
}

// A Check is a scenario, which may be played several times, with different
// values.
type Check struct {
	Name  string     `json:"name"`
	Runs  int        `json:"runs"`
	Level wire.Level `json:"level"`
}

// String is the name of the scenario, and how often it is played.
func (c Check) String() string {
	if c.Runs == 1 {
		return c.Name
	}
	return fmt.Sprintf("%s[…] ×%d", c.Name, c.Runs)
}

// Coverage finds the scenarios of each requirement.
func Coverage(s *scenario.Suite) Suite {
	list := Suite{Name: s.Name, Title: s.Protocol.Title, Requirements: []Requirement{}}
	for _, r := range s.Protocol.Requirements {
		of := wire.Server
		if r.OfClient {
			of = wire.Client
		}
		list.Requirements = append(list.Requirements, Requirement{
			ID: r.ID, Level: r.Level, Of: of, Text: r.Text,
			Checks: checks(s, func(sc *scenario.Scenario) bool { return sc.Requirement != nil && sc.Requirement.ID == r.ID }),
		})
	}
	list.Others = checks(s, func(sc *scenario.Scenario) bool { return sc.Requirement == nil })
	return list
}

func checks(s *scenario.Suite, wanted func(*scenario.Scenario) bool) []Check {
	list := []Check{}
	for _, sc := range s.Scenarios {
		if !wanted(sc) {
			continue
		}
		i := slices.IndexFunc(list, func(c Check) bool { return c.Name == sc.Base })
		if i < 0 {
			list = append(list, Check{Name: sc.Base, Runs: 1, Level: sc.Level})
			continue
		}
		list[i].Runs++
	}
	return list
}

// Requirements writes the requirements of a suite one below the other, each
// with the scenarios that check it.
func Requirements(w io.Writer, s Suite, width int) error {
	p := &page{width: width}
	p.paragraph(0, s.Name+": "+s.Title)
	p.paragraph(0, s.summary())
	column := 0
	for _, r := range s.Requirements {
		column = max(column, len(r.ID))
	}
	for _, r := range s.Requirements {
		p.WriteString("\n")
		label := fmt.Sprintf("%-*s  %-6s  ", column, r.ID, r.Level)
		p.item(label, r.Text)
		p.paragraph(len(label), r.checked())
	}
	if len(s.Others) > 0 {
		p.heading("without a requirement")
		p.paragraph(2, join(s.Others, ""))
	}
	return p.writeTo(w)
}

// summary counts what is checked.
func (s Suite) summary() string {
	checked, missing, clients := 0, 0, 0
	for _, r := range s.Requirements {
		switch {
		case len(r.Checks) > 0:
			checked++
		case r.Of == wire.Client:
			clients++
		default:
			missing++
		}
	}
	text := count(len(s.Requirements), "requirement")
	if checked > 0 {
		text += fmt.Sprintf(", %d checked", checked)
	}
	if clients > 0 {
		text += fmt.Sprintf(", %d of client programs, not checked", clients)
	}
	if missing > 0 {
		text += fmt.Sprintf(", %d WITHOUT A SCENARIO", missing)
	}
	return text
}

// checked says which scenarios check r.
func (r Requirement) checked() string {
	switch {
	case len(r.Checks) > 0 && r.Of == wire.Client:
		return "of client programs, checked by " + join(r.Checks, r.Level)
	case len(r.Checks) > 0:
		return "checked by " + join(r.Checks, r.Level)
	case r.Of == wire.Client:
		return "of client programs: no scenario checks it"
	}
	return "NO SCENARIO CHECKS IT"
}

// join lists checks; a level is told where it is not the usual one.
func join(list []Check, usual wire.Level) string {
	words := make([]string, len(list))
	for i, c := range list {
		words[i] = c.String()
		if usual != "" && c.Level != usual {
			words[i] += fmt.Sprintf(" (%s)", c.Level)
		}
	}
	return strings.Join(words, ", ")
}
