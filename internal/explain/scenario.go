package explain

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/chatprobe/chatprobe/internal/scenario"
)

// Scenario tells a scenario as a story: what is asked, why, what usually goes
// wrong, and when it is skipped. It is played once for each of runs, which
// differ in values only; the first is told.
func Scenario(w io.Writer, s *scenario.Suite, runs []*scenario.Scenario, width int) error {
	n, err := newNarrator(s)
	if err != nil {
		return err
	}
	sc := runs[0]
	p := &page{width: width}
	title := s.Name + "/" + sc.Name
	if sc.Title != "" {
		title += ": " + sc.Title
	}
	p.paragraph(0, title)
	if len(runs) > 1 {
		p.paragraph(0, fmt.Sprintf("The first of %d that differ in a value: %s.", len(runs), values(runs)))
	}
	n.why(p, sc)
	n.play(p, sc)
	if sc.Hint != "" {
		p.heading("The usual mistake")
		p.paragraph(2, sc.Hint)
	}
	if notes := n.conditions(sc); len(notes) > 0 {
		p.heading("When it is not played")
		for _, note := range notes {
			p.paragraph(2, sentence(note))
		}
	}
	return p.writeTo(w)
}

// values are what makes runs of a scenario differ.
func values(runs []*scenario.Scenario) string {
	var list []string
	for _, sc := range runs {
		list = append(list, strings.TrimPrefix(sc.Name, sc.Base))
	}
	if len(list) > 8 {
		list = append(list[:7], "…")
	}
	return strings.Join(list, " ")
}

func (n *narrator) why(p *page, sc *scenario.Scenario) {
	p.heading("Why")
	switch r := sc.Requirement; {
	case r == nil:
		p.paragraph(2, fmt.Sprintf("It checks no requirement, and binds as a %s.", sc.Level))
	case sc.Level.Weaker(r.Level):
		p.item("  "+r.ID+"  ", fmt.Sprintf("%s: %s Here it binds less, as a %s.", r.Level, sentence(r.Text), sc.Level))
	default:
		p.item("  "+r.ID+"  ", fmt.Sprintf("%s: %s", r.Level, sentence(r.Text)))
	}
	if sc.About != "" {
		p.paragraph(2, sc.About)
	}
}

func (n *narrator) play(p *page, sc *scenario.Scenario) {
	p.heading("What happens")
	if listed := slices.DeleteFunc(slices.Clone(sc.Clients), func(c *scenario.Client) bool { return !c.Listed }); len(listed) > 0 {
		p.item("   0. ", fmt.Sprintf("%s %s connected, logged in and known to the server.", who(listed), verb(listed, "is", "are")))
	}
	if sc.Hidden {
		p.item("      ", "So is a hidden client, which no step names.")
	}
	for i, step := range sc.Steps {
		p.item(fmt.Sprintf("  %2d. ", i+1), n.step(step))
		n.rename(step)
		n.sent(p, step)
		if step.Fence == nil {
			continue
		}
		if proof := n.fence(step.Fence); len(proof) > 0 {
			p.paragraph(6, "This is proved, not waited for:")
			for _, line := range proof {
				p.item("      - ", line)
			}
		}
	}
}

// sent shows what a step sends, as far as that is fixed.
func (n *narrator) sent(p *page, step *scenario.Step) {
	const indent = 6
	switch do := step.Do.(type) {
	case scenario.Send:
		if len(step.Who) == 0 {
			return
		}
		for _, o := range do.Messages {
			if b, m, err := n.bytes(step.Who[0], o); err == nil {
				n.dump(p, indent, b, m)
			}
		}
	case scenario.ServerSends:
		for _, o := range do.Messages {
			if b, m, err := n.bytes(nil, o); err == nil {
				n.dump(p, indent, b, m)
			}
		}
	case scenario.SendBytes:
		if b, err := do.Data.Text(n.refBytes); err == nil && !isPlain([]byte(b)) {
			n.dump(p, indent, []byte(b), nil)
		}
	}
}

// conditions say when a scenario is skipped or blocked.
func (n *narrator) conditions(sc *scenario.Scenario) []string {
	var notes []string
	if sc.TestsClient {
		notes = append(notes, "It tests a client program, and is not played against a server")
	}
	for _, c := range sc.When {
		now := ""
		if set := n.suite.Protocol.Setting(c.Setting); set != nil && !slices.Contains(c.Values, set.Default) {
			now = fmt.Sprintf("; it is %q where nothing else is said", set.Default)
		}
		notes = append(notes, fmt.Sprintf("Skipped unless the setting %s is %s%s", c.Setting, or(c.Values), now))
	}
	if slices.Contains(sc.Needs, "own_port") {
		notes = append(notes, "Skipped where the server is told its port: it has to choose one itself")
	}
	output, process := sc.Uses()
	switch {
	case output && process:
		notes = append(notes, "Skipped with --target: what the server prints must be seen, and it must be one that was started for this")
	case output:
		notes = append(notes, "Skipped with --target: what the server prints must be seen")
	case process:
		notes = append(notes, "Skipped with --target: the server must be one that was started for this")
	}
	if len(sc.After) > 0 {
		notes = append(notes, fmt.Sprintf("Blocked, and not failed, where %s has failed", or(sc.After)))
	}
	return notes
}
