package draft

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// outcome is what became of a login.
type outcome int

const (
	letIn outcome = iota
	refused
)

// refusedMessage is the standard name of the answer to a login that says no.
const refusedMessage = "refused"

// replies are the events that answer the login at burst i of t, which takes n
// bursts, and whether it was refused.
func (s *script) replies(t *talk, i, n int) (events []int, how outcome) {
	l := t.logins[i]
	if !l.judged {
		l.events, l.how = s.judge(t, i, n)
		l.judged = true
		t.logins[i] = l
	}
	return slices.Clone(l.events), l.how
}

func (s *script) judge(t *talk, i, n int) (events []int, how outcome) {
	from := t.bursts[i].events[0]
	next := from
	for _, step := range s.suite.Procedure(loginProcedure).Steps {
		receive, ok := step.Do.(scenario.Receive)
		if !ok {
			continue
		}
		e, name := s.replyTo(t, receive, next)
		switch {
		case name == refusedMessage:
			how = refused
		case e < 0 && !step.Optional:
			how = refused // whatever was said instead
		}
		if e >= 0 {
			events = append(events, e)
			next = e + 1
		}
	}
	if t.end >= 0 && s.rec.events[t.end].what == cutOff && !t.half && s.heardBy(t) < wordy && s.othersGoOn(t) && !s.isHeard(t, i+n) {
		how = refused
	}
	return events, how
}

// replyTo is the first event of t from next on that a step of the procedure
// waits for, and what it is; -1 if there is none.
func (s *script) replyTo(t *talk, receive scenario.Receive, next int) (event int, name string) {
	for i := next; i < len(s.rec.events); i++ {
		e := &s.rec.events[i]
		if e.talk != t || e.what != heard {
			continue
		}
		for _, x := range receive.Messages {
			if !x.Disconnect && s.codec.Message(x.Message).Match(e.frame, nil, nil) {
				return i, x.Message
			}
		}
	}
	return -1, ""
}

// othersGoOn says that somebody was still connected when the server ended t.
func (s *script) othersGoOn(t *talk) bool {
	return slices.ContainsFunc(s.rec.talks, func(o *talk) bool {
		return o != t && o.begins < t.end && (o.end < 0 || o.end > t.end && s.rec.events[o.end].what != cutOff)
	})
}

// wordy is more than a server says to a client that it does not let in.
const wordy = 3

func (s *script) heardBy(t *talk) int {
	n := 0
	for i := range s.rec.events {
		if e := &s.rec.events[i]; e.talk == t && e.what == heard {
			n++
		}
	}
	return n
}

// isHeard says that somebody else has received something that a client said
// with burst i or later.
func (s *script) isHeard(t *talk, i int) bool {
	for _, b := range t.bursts[i:] {
		for _, f := range b.messages {
			_, args := s.sent(f)
			for name, v := range args {
				if text, _ := v.(string); name != userParam && text != "" && s.anybodyHears(t, b.events[0], text) {
					return true
				}
			}
		}
	}
	return false
}

func (s *script) anybodyHears(t *talk, from int, text string) bool {
	for i := from; i < len(s.rec.events); i++ {
		if e := &s.rec.events[i]; e.talk != t && e.what == heard && bytes.Contains(e.frame.Raw, []byte(text)) {
			return true
		}
	}
	return false
}

// answer says whether a login was let in.
func (s *script) answer(t *talk, i, n int) outcome {
	_, how := s.replies(t, i, n)
	return how
}

// consume leaves out what belongs to a login that was let in.
func (s *script) consume(t *talk, i, n int) {
	events, _ := s.replies(t, i, n)
	for _, b := range t.bursts[i : i+n] {
		events = append(events, b.events...)
	}
	for _, e := range events {
		s.skip[e] = true
	}
}

// dropRefused leaves out attempts to come back that the server refused as long
// as it had not noticed that the client was gone.
func (s *script) dropRefused(t *talk) {
	i := slices.Index(t.actor.talks, t)
	if i < 1 || i == len(t.actor.talks)-1 {
		return
	}
	if n, _, _ := s.loginAt(t, 0); n == 0 || s.answer(t, 0, n) == refused {
		t.dropped = true
	}
}

// logsIn writes a login that begins with burst i of t.
func (s *script) logsIn(t *talk, i, n int) {
	a := t.actor
	st := step{who: []*actor{a}, verb: "does", what: loginProcedure}
	_, name, named := s.loginAt(t, i)
	owner := s.owner(name)
	replies, how := s.replies(t, i, n)
	switch {
	case how == refused && owner != nil && owner.left:
		t.dropped = true // the server had not noticed yet that the name was free
		return
	case owner != nil && owner != a && owner.now != nil && len(replies) == 0 && !s.isHeard(t, i+n):
		how = refused // who knows
	}
	if named && name != a.shown || a.as && a.shown == "" {
		as := scalar(name)
		if owner != nil && owner != a && !owner.as {
			as = "$" + owner.name
		}
		st.options = append(st.options, "as: "+as)
		a.shown = name
	}
	a.entered, a.changed = t.bursts[i].events[0], t.bursts[i].events[0]
	a.room, a.got = how == letIn, nil
	switch {
	case a.room:
		s.consume(t, i, n)
		if owner != nil && owner.left {
			st.options = append(st.options, "until: settled")
			owner.left = false
		}
	default:
		st.options = append(st.options, "settle: no")
		for _, b := range t.bursts[i : i+n] {
			for _, e := range b.events {
				s.skip[e] = true
			}
		}
	}
	s.flush()
	s.firstSettles(a)
	s.act(st)
	a.now, a.gone = t, false
}

// firstSettles has who came into an empty room be there before a newcomer is.
// Two logins in a row would settle with each other, in any order.
func (s *script) firstSettles(newcomer *actor) {
	fence := s.suite.Fence
	if len(s.steps) == 0 || fence == nil || fence.Question != nil || s.codec.IsDatagram(wire.Client) {
		return
	}
	last := s.steps[len(s.steps)-1]
	first := last.who[0]
	isThere := func(a *actor) bool {
		return a != newcomer && a != first && a.room && a.now != nil && !a.now.half
	}
	if last.verb == "does" && first != newcomer && first.room && !slices.ContainsFunc(s.actors, isThere) {
		s.act(step{who: []*actor{first}, verb: "stays connected"})
	}
}

// owner is who has had a name before, or nil.
func (s *script) owner(name string) *actor {
	for _, a := range s.actors {
		if a.known && a.wire == name && a.entered >= 0 {
			return a
		}
	}
	return nil
}

// asksAfterwards writes a question to the server after somebody has gone: it
// is asked until the server has noticed. The questions in the capture that
// came too early are left out.
func (s *script) asksAfterwards(t *talk, b *burst, st *step) bool {
	fence := s.suite.Fence
	if fence == nil || fence.Question == nil || !slices.ContainsFunc(s.actors, func(a *actor) bool { return a.gone }) {
		return false
	}
	question, answer := s.codec.Message(fence.Question.Message), s.codec.Message(fence.Answer.Message)
	if len(b.messages) != 1 || !question.Match(b.messages[0], nil, nil) || len(st.options) > 0 {
		return false
	}
	var last *wire.Frame
	var seen []int
	for i := b.events[0] + 1; i < len(s.rec.events); i++ {
		e := &s.rec.events[i]
		if e.what != heard && e.what != cutOff && e.talk != t {
			break
		}
		if e.talk != t {
			continue
		}
		if e.what == said {
			next := &t.bursts[t.burst[i]]
			if len(next.messages) != 1 || !question.Match(next.messages[0], nil, nil) {
				break
			}
			seen = append(seen, i)
			continue
		}
		if e.what != heard {
			break
		}
		if !answer.Match(e.frame, nil, nil) {
			continue
		}
		last = e.frame
		seen = append(seen, i)
		args := wire.Args{}
		answer.Match(e.frame, nil, args)
		if !slices.ContainsFunc(values(args), s.departed) {
			break
		}
	}
	if last == nil {
		return false
	}
	args := wire.Args{}
	answer.Match(last, nil, args)
	for _, v := range values(args) {
		if s.departed(v) || s.strangers(v) {
			return false
		}
	}
	for _, i := range seen {
		s.skip[i] = true
	}
	st.options = append(st.options, fmt.Sprintf("until: %s", s.message(t.actor, answer, args, true)))
	s.act(*st)
	for _, a := range s.actors {
		a.gone = false
	}
	return true
}
