package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// JSON writes s as one object.
func (s *Stats) JSON(w io.Writer) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("write json: %w", err)
	}
	_, err = w.Write(append(escapeUnprintable(b), '\n'))
	return err
}

// maxRows is how many clients a table has.
const maxRows = 100

// Table writes s for people: messages by kind, messages by client, and what
// became of the packets.
func (s *Stats) Table(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s, %s%s\n", count(s.Messages, "message"), count(s.Bytes, "byte"), s.period())
	if s.Messages > 0 {
		rows := [][]string{{"message", "from", "#count", "#bytes"}}
		for _, k := range s.Kinds {
			rows = append(rows, []string{k.name(len(s.protocols()) > 1), k.From, fmt.Sprint(k.Count), fmt.Sprint(k.Bytes)})
		}
		b.WriteByte('\n')
		columns(&b, rows)
	}
	servers := s.servers()
	for i := range servers[:min(len(servers), maxRows)] {
		servers[i].table(&b)
	}
	if len(servers) > maxRows {
		fmt.Fprintf(&b, "\nand %s\n", count(len(servers)-maxRows, "more server"))
	}
	if s.More > 0 {
		fmt.Fprintf(&b, "\n%s of more connections than are counted one by one\n", count(s.More, "message"))
	}
	c := &s.Capture
	fmt.Fprintf(&b, "\nthe capture: %s (%d TCP, %d UDP, %d other), %s\n", count(c.Packets, "packet"), c.TCP, c.UDP, c.Other, count(c.Connections, "TCP connection"))
	fmt.Fprintf(&b, "  malformed  %s\n", count(s.Malformed, "message"))
	fmt.Fprintf(&b, "  missing    %s in %s\n", count(int(c.Missing), "byte"), count(c.Gaps, "gap"))
	if c.Dropped > 0 {
		fmt.Fprintf(&b, "  dropped    %s that came too fast\n", count(c.Dropped, "packet"))
	}
	fmt.Fprintf(&b, "  repeated   %s, %d with other contents\n", count(c.Repeated, "packet"), c.Conflict)
	_, err := w.Write(noCommands(b.Bytes()))
	return err
}

// A serverStats is a server and its clients.
type serverStats struct {
	server  string
	clients []*ConnStats
}

// servers are those who speak, in order of appearance.
func (s *Stats) servers() []serverStats {
	var list []serverStats
	known := map[string]int{}
	for i := range s.Clients {
		c := &s.Clients[i]
		at, ok := known[c.Server]
		if !ok {
			at = len(list)
			known[c.Server] = at
			list = append(list, serverStats{server: c.Server})
		}
		list[at].clients = append(list[at].clients, c)
	}
	return list
}

func (s *serverStats) table(b *bytes.Buffer) {
	rows := [][]string{{"#connection", "client", "name", "#sent", "#received", "#bytes", "#malformed"}}
	for _, c := range s.clients[:min(len(s.clients), maxRows)] {
		rows = append(rows, []string{
			fmt.Sprint(c.Conn), clean(c.Client), cmp.Or(shortName(c.User), "-"),
			fmt.Sprint(c.Sent), fmt.Sprint(c.Received), fmt.Sprint(c.Bytes), fmt.Sprint(c.Malformed),
		})
	}
	fmt.Fprintf(b, "\nclients of %s (%s)\n", clean(s.server), clean(s.clients[0].Protocol))
	columns(b, rows)
	if more := len(s.clients) - maxRows; more > 0 {
		fmt.Fprintf(b, "and %s\n", count(more, "more client"))
	}
}

// name is what a kind of message is called.
func (k *KindStats) name(withProtocol bool) string {
	name := cmp.Or(clean(k.Name), "(no name)")
	if k.Malformed {
		name = malformedName
	}
	if withProtocol {
		return clean(k.Protocol) + "/" + name
	}
	return name
}

// protocols are those that are spoken.
func (s *Stats) protocols() []string {
	var list []string
	for _, k := range s.Kinds {
		list = append(list, clean(k.Protocol))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// period is the time in which the messages came.
func (s *Stats) period() string {
	if s.Begin.IsZero() {
		return ""
	}
	const second = "2006-01-02 15:04:05"
	begin, end := s.Begin.UTC(), s.End.UTC()
	text := fmt.Sprintf(" in %.3f s, %s", end.Sub(begin).Seconds(), begin.Format(second))
	switch {
	case begin.Truncate(24*time.Hour) != end.Truncate(24*time.Hour):
		text += " to " + end.Format(second)
	case begin.Format(second) != end.Format(second):
		text += " to " + end.Format("15:04:05")
	}
	return text + " UTC"
}

// columns writes rows, each column as wide as needed. One whose heading begins
// with # holds numbers.
func columns(b *bytes.Buffer, rows [][]string) {
	isNumber, widths := make([]bool, len(rows[0])), make([]int, len(rows[0]))
	for i, heading := range rows[0] {
		rows[0][i], isNumber[i] = strings.CutPrefix(heading, "#")
	}
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], width(cell))
		}
	}
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			blanks := strings.Repeat(" ", widths[i]-width(cell))
			if isNumber[i] {
				line += blanks + cell + "  "
				continue
			}
			line += cell + blanks + "  "
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}
