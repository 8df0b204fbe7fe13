package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// maxNamed is how many of several things a summary names.
const maxNamed = 6

// Summary writes in a few sentences what there is in the capture that is called
// name: what was spoken, who with whom, and what went wrong.
func (s *Stats) Summary(w io.Writer, name string, width int) error {
	var b bytes.Buffer
	v := View{Width: width}
	c := &s.Capture
	packets := count(c.Packets, "packet") + ", " + count(c.Connections, "TCP connection")
	if c.UDP > 0 {
		packets += ", " + count(c.UDP, "UDP datagram")
	}
	v.sentence(&b, "%s: %s.", clean(name), packets)
	if s.Messages == 0 {
		v.sentence(&b, "There is no message in it.")
	} else {
		protocols, noun := s.protocols(), "protocol"
		if len(protocols) > 1 {
			noun = "protocols"
		}
		v.sentence(&b, "%s of the %s %s%s.", count(s.Messages, "message"), noun, and(protocols, maxNamed), s.period())
	}
	servers := s.servers()
	for i := range servers[:min(len(servers), maxNamed)] {
		servers[i].sentence(&b, v)
	}
	if more := len(servers) - maxNamed; more > 0 {
		v.sentence(&b, "And there are clients of %s.", count(more, "more server"))
	}
	for _, from := range []string{"client", "server"} {
		var kinds []string
		for _, k := range s.Kinds {
			if k.From == from {
				kinds = append(kinds, fmt.Sprintf("%d %s", k.Count, strings.TrimSuffix(k.name(len(s.protocols()) > 1), "!")))
			}
		}
		if len(kinds) > 0 {
			v.sentence(&b, "From the %s: %s.", map[string]string{"client": "clients", "server": "server"}[from], and(kinds, 2*maxNamed))
		}
	}
	s.troubles(&b, v)
	_, err := w.Write(noCommands(b.Bytes()))
	return err
}

// sentence says who spoke with a server.
func (s *serverStats) sentence(b *bytes.Buffer, v View) {
	var clients []string
	for _, c := range s.clients {
		text := clean(c.Client)
		if c.User != "" {
			text = shortName(c.User) + " (" + text + ")"
		}
		clients = append(clients, text)
	}
	v.sentence(b, "%s spoke with the server %s: %s.", count(len(clients), "client"), clean(s.server), and(clients, maxNamed))
}

// troubles says what went wrong.
func (s *Stats) troubles(b *bytes.Buffer, v View) {
	c := &s.Capture
	said := b.Len()
	if s.Malformed > 0 {
		v.sentence(b, "Malformed: %s. The first is number %d: %s.", count(s.Malformed, "message"), s.Trouble.Number, strings.TrimRight(s.Trouble.Reason, "."))
	}
	if c.Missing > 0 {
		v.sentence(b, "Missing in the capture: %s in %s.", count(int(c.Missing), "byte"), count(c.Gaps, "gap"))
	}
	if c.Dropped > 0 {
		v.sentence(b, "%s came too fast to be captured.", count(c.Dropped, "packet"))
	}
	if c.Conflict > 0 {
		v.sentence(b, "%s repeated bytes with other contents; the first ones count.", count(c.Conflict, "packet"))
	}
	for _, doubt := range c.Doubts {
		v.sentence(b, "Perhaps another protocol is spoken: %s.", strings.TrimRight(clean(doubt), "."))
	}
	for _, stranger := range c.Strangers {
		v.sentence(b, "%s.", strings.TrimRight(clean(stranger), "."))
	}
	if c.Error != "" {
		v.sentence(b, "The file is damaged: %s.", strings.TrimPrefix(clean(c.Error), "read capture: "))
	}
	if b.Len() == said && s.Messages > 0 {
		v.sentence(b, "Nothing is malformed, and nothing is missing.")
	}
}

// sentence writes a sentence on lines of its own.
func (v View) sentence(b *bytes.Buffer, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if v.Width == 0 {
		b.WriteString(text + "\n")
		return
	}
	for _, line := range wrap(text, v.Width) {
		b.WriteString(line + "\n")
	}
}

// and joins the first few of some words.
func and(words []string, most int) string {
	if len(words) > most {
		words = append(words[:most:most], fmt.Sprintf("%d more", len(words)-most))
	}
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
