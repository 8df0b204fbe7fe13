// Package explain says in words what a suite asks of a server: its protocol,
// its requirements, and each scenario step by step.
//
//	explain.Protocol(os.Stdout, suite, 80)
//	explain.Requirements(os.Stdout, explain.Coverage(suite), 80)
//	explain.Scenario(os.Stdout, suite, runs, 80)
//
// Nothing is played for that. What is known only while a scenario is played,
// such as a value that a server chose, is named and not shown.
package explain

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/clipperhouse/displaywidth"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// deadline is how long an expected message may take, where nobody says
// otherwise.
const deadline = "within 2\u00a0s"

// A page is text that is broken into lines of a width.
type page struct {
	strings.Builder
	width int
}

// writeTo writes the page.
func (p *page) writeTo(w io.Writer) error {
	_, err := io.WriteString(w, p.String())
	return err
}

// item writes text behind a label; its further lines stand below its first.
func (p *page) item(label, text string) {
	indent := displaywidth.String(label)
	for i, line := range wrap(text, max(20, p.width-indent)) {
		if i > 0 {
			label = strings.Repeat(" ", indent)
		}
		p.WriteString(strings.TrimRight(label+line, " ") + "\n")
	}
}

// paragraph writes text, all its lines indented.
func (p *page) paragraph(indent int, text string) { p.item(strings.Repeat(" ", indent), text) }

// heading begins a part of the page.
func (p *page) heading(text string) { p.WriteString("\n" + text + "\n") }

// wrap breaks text into lines of at most limit columns: at blanks, and a word
// that is longer than a line anywhere.
func wrap(text string, limit int) []string {
	lines := []string{""}
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\n' }) {
		for displaywidth.String(word) > limit {
			head := displaywidth.TruncateString(word, limit, "")
			lines = append(lines, head)
			word = strings.TrimPrefix(word, head)
		}
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case displaywidth.String(*last)+1+displaywidth.String(word) <= limit:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	for i, line := range lines {
		lines[i] = strings.ReplaceAll(line, "\u00a0", " ") // it has kept words together
	}
	return slices.DeleteFunc(lines, func(line string) bool { return line == "" })
}

// A narrator tells about one suite, under its default settings.
type narrator struct {
	suite *scenario.Suite
	codec *wire.Codec
	// names are those of clients that have logged in under another one.
	names map[*scenario.Client]string
}

func newNarrator(s *scenario.Suite) (*narrator, error) {
	codec, err := s.Protocol.Bind(nil)
	if err != nil {
		return nil, fmt.Errorf("explain %s: %w", s.Name, err)
	}
	return &narrator{suite: s, codec: codec, names: map[*scenario.Client]string{}}, nil
}

// and joins words: alice, bob and carol.
func and(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// or joins words: alice, bob or carol.
func or(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// count is a number with its noun: 1 scenario, 2 scenarios.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// sentence ends text with a period, if nothing ends it.
func sentence(text string) string {
	text = strings.TrimSpace(text)
	if text == "" || strings.ContainsAny(text[len(text)-1:], ".!?") {
		return text
	}
	return text + "."
}
