package engine

import (
	"fmt"
	"unicode/utf8"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// A sweep is where the step that is cut everywhere is cut this time.
type sweep struct {
	at    int    // behind so many bytes; 0: not at all
	size  int    // how many bytes are sent
	where string // in words; empty as long as that step was not played
}

// cutFurther prepares to play all steps once more, with the cut one byte
// further on. It is false if there is nothing to be cut there.
func (p *play) cutFurther() bool {
	at := p.sweep.at + 1
	if at >= p.sweep.size {
		return false
	}
	p.sweep = sweep{at: at}
	for _, sc := range p.scenario.Clients {
		if sc.Listed {
			continue
		}
		// The server may not have noticed yet that the last one has gone, so
		// its name may not be free. New names are all of the same length.
		c := p.clients[sc]
		if c.conn != nil {
			p.close(c, transcript.Close)
			p.awaitNoticed(c) // or the cut would be blamed for what a departure does
		}
		c.name = fmt.Sprintf("%s%02d%s", c.label, at, p.suffix)
	}
	return true
}

// whereCut puts in front of what went wrong where the message was cut.
func (p *play) whereCut(f *failure) *failure {
	if p.sweep.where != "" && f.verdict == transcript.Fail {
		f.got = p.sweep.where + ": " + f.got
	}
	return f
}

// cutInWords says where b, which is made of these messages, is cut. It is empty
// where nothing is special.
func (p *play) cutInWords(b []byte, list []scenario.Outgoing) string {
	at := p.sweep.at
	switch {
	case at == 0 && len(list) > 1:
		return "all in one segment"
	case at == 0:
		return ""
	}
	start := 0
	for i, out := range list {
		var f wire.Frame
		n, err := p.codec.Decode(&f, b[start:], p.own)
		switch {
		case err != nil:
			return fmt.Sprintf("cut after byte %d", at)
		case at > start+n:
			start += n
			continue
		case at == start+n:
			return fmt.Sprintf("cut between messages %d and %d", i+1, i+2)
		}
		text := fmt.Sprintf("cut after byte %d", at-start)
		if len(list) > 1 {
			text += fmt.Sprintf(" of message %d (%s)", i+1, out.Message)
		}
		return text + p.amid(&f, p.codec.Message(out.Message), at-start)
	}
	return fmt.Sprintf("cut after byte %d", at)
}

// amid says between or within which fields of a message the byte at begins; in
// a line, what stands before it.
func (p *play) amid(f *wire.Frame, m *wire.Message, at int) string {
	if len(f.Values) == 1 && utf8.Valid(f.Raw[:at]) {
		return fmt.Sprintf(", behind %q", f.Raw[:at])
	}
	before, behind := "", ""
	for _, field := range f.Transcript(m, p.own).Fields {
		switch end := field.Start + field.Size; {
		case field.Start < at && at < end:
			return ", inside " + field.Name
		case end <= at:
			before = field.Name
		case behind == "":
			behind = field.Name
		}
	}
	switch {
	case before != "" && behind != "":
		return fmt.Sprintf(", between %s and %s", before, behind)
	case before != "":
		return ", behind " + before
	case behind != "":
		return ", in front of " + behind
	}
	return ""
}
