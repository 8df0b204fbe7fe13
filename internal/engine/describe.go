package engine

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// cameLimit is how many messages a failure shows.
const cameLimit = 6

// crashed finds a fault in what a program prints although it goes on.
// It knows the words of Python, Go, Java, C#, Node, Rust, Ruby, and of the
// sanitizers and libraries of C.
var crashed = regexp.MustCompile(`(?m)Traceback \(most recent call last\)|^(panic: |Exception in thread |fatal error: |` +
	`Unhandled [Ee]xception|[A-Z]\w*Error: .*\n    at |Uncaught |thread '.*' panicked at |\S+:\d+:in .*\((\w+Error|Errno::\w+)\)|` +
	`=+\d+=+ ?ERROR: \w+Sanitizer|\*\*\* (stack smashing|buffer overflow) detected|free\(\): |malloc\(\): |double free)`)

// describe puts the events of the play into the run.
func (p *play) describe(run *transcript.Run, f *failure) {
	if p.target.Printed != nil {
		out, _ := p.target.Printed(0)
		if crashed.Match(out) {
			p.note("the program printed the trace of an error")
		}
		if f != nil || crashed.Match(out) {
			run.Output = transcript.PrintableLines(tail(out, 4096))
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	run.Notes = p.notes
	run.Dropped = p.dropped
	if f == nil && !p.session.Transcripts {
		return
	}
	run.Events = p.eventsInWords(run)
	if f == nil || f.client == nil || run.Failure == nil {
		return
	}
	mangled := false
	for _, d := range slices.Backward(f.client.inbox) {
		if len(run.Failure.Came) == cameLimit {
			break
		}
		again := d.mangled && mangled // the same token said again
		mangled = mangled || d.mangled
		if !d.skip() || d.mangled && !again {
			run.Failure.Came = append(run.Failure.Came, *d.frame.Transcript(p.codec.Name(d.frame, p.peer), p.peer))
		}
	}
	slices.Reverse(run.Failure.Came)
	if len(f.client.partial) > 0 {
		body := transcript.NewBody(f.client.partial)
		run.Failure.Partial = &body
	}
}

// shownEvents is how many events of a failing play are shown. To put a message
// into words takes a hundred times as long as to receive it.
const shownEvents = 4000

// eventsInWords makes the transcript. p.mu is held.
func (p *play) eventsInWords(run *transcript.Run) []transcript.Event {
	list := p.events
	if n := len(list) - shownEvents; n > 0 && !p.session.Transcripts {
		head, tail := list[:shownEvents/4], list[shownEvents/4+n:]
		gap := event{Event: transcript.Event{Kind: transcript.Remark, Text: fmt.Sprintf("%d events are left out here", n)}, when: tail[0].when}
		list = slices.Concat(head, []event{gap}, tail)
		run.Dropped += n
	}
	out := make([]transcript.Event, len(list))
	for i, e := range list {
		out[i] = p.eventInWords(e)
	}
	return out
}

func (p *play) eventInWords(e event) transcript.Event {
	out := e.Event
	out.At = e.when.Sub(p.began).Seconds()
	if e.frame != nil {
		out.Message = p.inWords(e.frame, e.from, e.Purpose)
	}
	return out
}

// inWords names a message. A token is what the fence says it is, which saves
// the search.
func (p *play) inWords(f *wire.Frame, from wire.Side, purpose transcript.Purpose) *transcript.Message {
	if fence := p.session.Suite.Fence; purpose == transcript.Token && fence != nil && fence.HasToken() {
		name := fence.Token.Message
		if from == wire.Server {
			name = fence.Arrives.Message
		}
		if m := p.codec.Message(name); m.Match(f, nil, nil) {
			return f.Transcript(m, from)
		}
	}
	return f.Transcript(p.codec.Name(f, from), from)
}

// tail is the end of b, from the beginning of a line where there is one.
func tail(b []byte, limit int) []byte {
	if len(b) <= limit {
		return b
	}
	b = b[len(b)-limit:]
	for i, octet := range b[:min(len(b), 200)] {
		if octet == '\n' {
			return b[i+1:]
		}
	}
	return b
}
