package draft

import (
	"fmt"
	"io"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/chatprobe/chatprobe/internal/scenario"
)

// About says where a capture is from, for the head of the file.
type About struct {
	File     string            // as it was named; empty for standard input
	Protocol string            // as it was asked for; empty if it was found
	Settings map[string]string // that were given
	Port     int               // that was asked for, or 0
}

// A RefusedError says why no scenario can be made of a capture.
type RefusedError struct{ reason string }

// Error is the reason.
func (e *RefusedError) Error() string { return e.reason }

func refuse(format string, args ...any) error { return &RefusedError{fmt.Sprintf(format, args...)} }

// Write writes the scenario. suites are those whose protocols the codecs are
// of. The error is a *[RefusedError], or that of w.
func (c *Capture) Write(w io.Writer, suites []*scenario.Suite, about About) error {
	with, err := c.pick()
	if err != nil {
		return err
	}
	rec := c.record(with)
	if i := slices.IndexFunc(rec.talks, func(t *talk) bool { return t.lost > 0 }); i >= 0 {
		return refuse("bytes of %s are missing in the capture (%d), so nobody knows what it did; capture again, and whole packets: "+
			"tcpdump -s 0 -B 16384", rec.talks[i].client, rec.talks[i].lost)
	}
	s := &script{
		rec: rec, codec: rec.codec, suite: suiteOf(suites, rec.codec),
		spoken: map[string][]int{}, skip: map[int]bool{}, unsure: map[*talk]bool{}, open: map[int]bool{},
	}
	if s.suite == nil {
		return refuse("no suite is of the protocol %s", with.protocol)
	}
	s.write()
	switch {
	case len(s.steps) == 0:
		return refuse("the clients in the capture do nothing but log in, so there is nothing to play again")
	case len(s.steps) > maxSteps:
		return refuse("the scenario would have %d steps, and %d are the most: capture only what it is to be about", len(s.steps), maxSteps)
	}
	_, err = io.WriteString(w, s.file(about))
	return err
}

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

// nameFor is the name of a scenario that is made from a file.
func nameFor(file string) string {
	stem := path.Base(strings.ReplaceAll(file, `\`, "/"))
	for _, end := range []string{".gz", ".pcapng", ".pcap", ".cap"} {
		stem = strings.TrimSuffix(stem, end)
	}
	stem = strings.Trim(notInName.ReplaceAllString(strings.ToLower(stem), "-"), "-")
	switch {
	case stem == "" || file == "":
		return "captured"
	case strings.HasPrefix(stem, "captured"):
		return stem
	}
	return "captured-" + stem
}

// file is the scenario as it stands in a file.
func (s *script) file(about About) string {
	name := nameFor(about.File)
	var b strings.Builder
	s.head(&b, name, about)
	fmt.Fprintf(&b, "about: What clients did and a server answered, from %s.\nscenarios:\n", scalar(s.source(about)))
	fmt.Fprintf(&b, "  - name: %s\n    title: the server answers as it did in %s\n", name, scalar(s.source(about)))
	if r := s.requirement(); r != "" {
		fmt.Fprintf(&b, "    requirement: %s\n", r)
	}
	var listed []string
	for _, a := range s.actors {
		if a.listed {
			listed = append(listed, a.name)
		}
	}
	if len(listed) > 0 {
		fmt.Fprintf(&b, "    clients: [%s]\n", join(listed))
	}
	b.WriteString("    steps:\n")
	for _, st := range s.steps {
		st.write(&b)
	}
	b.WriteString("    hint: Another server, or this one at another time, has answered otherwise. Compare with chatprobe decode.\n")
	return b.String()
}

func (s *script) source(about About) string {
	if about.File == "" {
		return "a capture"
	}
	return path.Base(strings.ReplaceAll(about.File, `\`, "/"))
}

var plainArgument = regexp.MustCompile(`^[A-Za-z0-9_./+:@=~-]+$`)

// argument is a word as a shell takes it.
func argument(word string) string {
	if plainArgument.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// head says what the file is, and how it is played.
func (s *script) head(b *strings.Builder, name string, about About) {
	file, set, decode := about.File, "", "chatprobe decode "
	if file == "" {
		file = "-"
	}
	decode += argument(printable(file))
	if about.Protocol != "" {
		decode += " --protocol " + argument(printable(about.Protocol))
	}
	if about.Port != 0 {
		decode += fmt.Sprintf(" --port %d", about.Port)
	}
	for _, name := range slices.Sorted(maps.Keys(about.Settings)) {
		set += " --set " + argument(printable(name+"="+about.Settings[name]))
	}
	decode += set + " --scenario"
	fmt.Fprintf(b, "# Made by %s\n#\n", decode)
	if strings.ContainsAny(about.Protocol, `/\.`) {
		dir := argument(printable(about.Protocol))
		fmt.Fprintf(b, "# Put it into the folder %s and play it:\n#   chatprobe run %s --scenario %s%s -- COMMAND {port}\n", dir, dir, name, set)
	} else {
		fmt.Fprintf(b, "# To play it, put it into a folder of its own as %s.yaml, with a protocol.yaml\n# beside it that has these two lines:\n", name)
		fmt.Fprintf(b, "#   protocol: %s-more\n#   extends: %s\n", s.suite.Protocol.Name, s.suite.Name)
		fmt.Fprintf(b, "# Then, if the folder is called mine:\n#   chatprobe run ./mine --scenario %s%s -- COMMAND {port}\n", name, set)
	}
	for _, r := range s.remarks {
		fmt.Fprintf(b, "#\n# %s\n", r)
	}
	b.WriteString("\n")
}

func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if hidden(r) {
			return '?'
		}
		return r
	}, text)
}

// write writes a step as it stands in a file.
func (st *step) write(b *strings.Builder) {
	if st.remark != "" {
		fmt.Fprintf(b, "      # %s\n", st.remark)
	}
	names := make([]string, len(st.who))
	for i, a := range st.who {
		names[i] = a.name
	}
	verb := st.verb
	if len(names) > 1 {
		verb = plurals[verb]
	}
	fmt.Fprintf(b, "      - %s %s:", join(names), verb)
	if st.what != "" {
		b.WriteString(" " + st.what)
	}
	b.WriteString("\n")
	for _, o := range st.options {
		fmt.Fprintf(b, "        %s\n", o)
	}
}

// plurals are verbs for several clients.
var plurals = map[string]string{"receives": "receive", "receives no": "receive no", "is disconnected": "are disconnected"}

// requirement is what the scenario checks, as far as that is known: that what
// is said is passed on. A suite names common scenarios about that.
func (s *script) requirement() string {
	for _, k := range s.kinds {
		common := "every-other-client-hears"
		if k.message.Name == toldMessage {
			common = "private-text"
		}
		for _, r := range s.suite.Protocol.Requirements {
			if slices.Contains(r.Common, common) {
				return r.ID
			}
		}
	}
	return ""
}

// toldMessage is the standard name of a text for one client.
const toldMessage = "told"
