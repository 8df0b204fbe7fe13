package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// What is kept of messages that cannot be written before all are known.
const (
	maxKeptMessages = 10_000
	maxKeptBytes    = 8 << 20 // of their texts
)

// messageDialogue writes each connection as a dialogue, one after another: the
// client's words to the left, the server's further to the right. Of a message
// there are its name and its texts. Times are those since the first message.
//
//	connection 1: alice, 127.0.0.1:50001, with 127.0.0.1:4445 (framed)
//
//	  0.000000  alice: login "alice"
//	  0.472677          server: joined "server" "bob has logged in"
//
// Of several connections a bounded number of messages is kept; a single one is
// written as it comes.
func messageDialogue(w io.Writer, v View) Messages {
	d := dialogue{w: w, view: v, turns: map[link]*turns{}}
	return Messages{Add: d.add, Close: d.close}
}

type dialogue struct {
	w     io.Writer
	view  View
	turns map[link]*turns
	order []*turns
	kept  int // messages
	bytes int
	more  int    // messages that are not kept
	last  *turns // of whom was told last
	b     bytes.Buffer
}

// turns are what is said on one connection.
type turns struct {
	first transcript.Decoded // without its contents
	name  string             // of the user, once it is known
	list  []turn
}

type turn struct {
	at         string
	fromServer bool
	text       string
}

func (d *dialogue) add(m *transcript.Decoded) error {
	at := linkOf(m)
	t := d.turns[at]
	isFull := d.kept >= maxKeptMessages || d.bytes >= maxKeptBytes
	if t == nil && !isFull {
		t = &turns{first: *m}
		t.first.Message = transcript.Message{From: m.From}
		d.turns[at] = t
		d.order = append(d.order, t)
	}
	speaker := ""
	if t != nil {
		if m.From != "server" {
			speaker = t.name
		}
		t.name = cmp.Or(shortName(d.view.Scene.Name(m)), t.name)
	}
	if isFull {
		d.more++
		return nil
	}
	said := turn{string(transcript.AppendSeconds(nil, m.Time, t.first.Time)), m.From == "server", inFewWords(m, speaker)}
	if d.view.One {
		d.b.Reset()
		d.begin(t)
		d.say(t, said)
		return d.flush()
	}
	d.kept++
	d.bytes += len(said.text)
	t.list = append(t.list, said)
	return nil
}

// shortName is a name as it stands before what somebody says.
func shortName(name string) string { return cutColumns(name, 24) }

// begin says whose conversation follows.
func (d *dialogue) begin(t *turns) {
	if t == d.last {
		return
	}
	if d.last != nil {
		d.b.WriteByte('\n')
	}
	d.last = t
	at := linkOf(&t.first)
	who := clean(at.client)
	if t.name != "" {
		who = t.name + ", " + who
	}
	d.view.wrapped(&d.b, 0, fmt.Sprintf("connection %d: %s, with %s (%s)", t.first.Conn, who, clean(at.server), clean(t.first.Protocol)))
	d.b.WriteByte('\n')
}

func (d *dialogue) say(t *turns, said turn) {
	const aside = 8 // columns to the right of the client's words
	who, indent := cmp.Or(t.name, "client"), 0
	if said.fromServer {
		who, indent = "server", aside
	}
	before := fmt.Sprintf("%10s  %*s", said.at, indent, "")
	lines := []string{who + ": " + said.text}
	if d.view.Width > 0 {
		lines = wrapVerbatim(lines[0], d.view.Width-len(before)-2)
	}
	for _, line := range lines {
		d.b.WriteString(before + line + "\n")
		before = strings.Repeat(" ", 12+indent+2)
	}
}

func (d *dialogue) flush() error {
	_, err := d.w.Write(noCommands(d.b.Bytes()))
	return err
}

func (d *dialogue) close() error {
	for _, t := range d.order {
		if d.view.One {
			break // all of it is written
		}
		d.b.Reset()
		d.begin(t)
		for _, said := range t.list {
			d.say(t, said)
		}
		if err := d.flush(); err != nil {
			return err
		}
	}
	if d.more == 0 {
		return nil
	}
	d.b.Reset()
	d.b.WriteByte('\n')
	d.view.sentence(&d.b, "%s.", tooMany(d.more))
	return d.flush()
}

// tooMany says that messages are left out, and what to do about it.
func tooMany(n int) string {
	return fmt.Sprintf("… and %s more, for which there is no room: choose by --conversation N, --client or --time", count(n, "message"))
}
