package report

import (
	"cmp"
	"strings"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// A scroll is what is kept for a picture of who speaks with whom, in which
// everybody has a line of their own.
type scroll struct {
	most    int // messages
	rows    []scrollRow
	lines   map[lifeline]int
	servers []lifeline
	clients map[string][]lifeline // of a server
	names   map[lifeline]string
	bytes   int
	more    int
}

// A lifeline stands for one who speaks: a server, or a client on a connection.
type lifeline struct {
	link     link
	isServer bool
}

type scrollRow struct {
	seconds   string // since the beginning of the capture
	from, to  lifeline
	label     string // the message in few words
	whole     string // all of it
	malformed bool
}

func newScroll(most int) *scroll {
	return &scroll{most: most, lines: map[lifeline]int{}, clients: map[string][]lifeline{}, names: map[lifeline]string{}}
}

func (s *scroll) add(m *transcript.Decoded, scene *Scene) {
	l := linkOf(m)
	client, server := lifeline{link: l}, lifeline{link: link{server: l.server}, isServer: true}
	before, isKnown := s.names[client]
	isFull := len(s.rows) >= s.most || s.bytes >= maxKeptBytes
	if isKnown || !isFull {
		if _, ok := s.names[server]; !ok {
			s.servers = append(s.servers, server)
			s.names[server] = ""
		}
		if !isKnown {
			s.clients[l.server] = append(s.clients[l.server], client)
		}
		s.names[client] = cmp.Or(shortName(scene.Name(m)), before)
	}
	if isFull {
		s.more++
		return
	}
	if m.From == "server" {
		before = ""
	}
	name, parts := decodedParts(m)
	row := scrollRow{
		seconds: string(transcript.AppendSeconds(nil, m.Time, scene.begin(m))), from: client, to: server,
		label: inFewWords(m, before), whole: strings.TrimRight(name+" "+oneLine(parts), " "), malformed: m.Malformed != "",
	}
	if m.From == "server" {
		row.from, row.to = row.to, row.from
	}
	s.bytes += len(row.label) + len(row.whole)
	s.rows = append(s.rows, row)
}

// inFewWords is the name of a message and its texts. Numbers are left out, most
// of which are lengths, and so is the name of who says it.
func inFewWords(m *transcript.Decoded, speaker string) string {
	if m.Malformed != "" {
		return malformedName + " " + clean(m.Malformed)
	}
	words := []string{clean(cmp.Or(m.Name, "(no name)"))}
	for _, f := range m.Fields {
		switch v := f.Value.(type) {
		case uint64, float64:
			if f.Note != "" {
				words = append(words, clean(f.Note))
			}
		case string:
			if v != "" && v != speaker {
				words = append(words, clean(value(f)))
			}
		default:
			words = append(words, clean(value(f)))
		}
	}
	return strings.Join(words, " ")
}

// places puts at most so many lifelines beside each other, each server between
// its clients. Those for whom there is no room share the last place; others is
// how many they are.
func (s *scroll) places(most int) (shown []lifeline, others int) {
	room := most
	if len(s.names) > most {
		room--
	}
	for _, server := range s.servers {
		if room == 0 {
			break
		}
		clients := s.clients[server.link.server]
		clients = clients[:min(len(clients), room-1)]
		room -= len(clients) + 1
		half := (len(clients) + 1) / 2
		shown = append(append(append(shown, clients[:half]...), server), clients[half:]...)
	}
	for i, l := range shown {
		s.lines[l] = i
	}
	return shown, len(s.names) - len(shown)
}

// place is where a lifeline stands among so many that are shown.
func (s *scroll) place(l lifeline, shown int) int {
	if i, ok := s.lines[l]; ok {
		return i
	}
	return shown // the last place, which is shared
}

// title is what a lifeline is called: a name, if there is one, and an address.
func (s *scroll) title(l lifeline) (name, address string) {
	if l.isServer {
		return "server", clean(l.link.server)
	}
	return cmp.Or(s.names[l], "client"), clean(l.link.client)
}
