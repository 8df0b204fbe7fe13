package draft

import (
	"bytes"
	"slices"

	"github.com/chatprobe/chatprobe/internal/wire"
)

// list finds the clients that are in the room before the first step: those
// who come in before anybody does anything else.
func (s *script) list() {
	for _, t := range s.rec.talks {
		if !t.opened && !s.hasLogin(t) {
			s.remark("The capture begins in the middle: who was there already is in the room before the first step.")
			t.actor.listed = !t.actor.as
			if t.actor.listed {
				s.enter(t)
			}
		}
	}
	i := slices.IndexFunc(s.rec.events, s.endsSetup)
	if i < 0 {
		i = len(s.rec.events)
	}
	s.dropSetup(i)
}

// endsSetup has a client come in, if that is what an event is about; anything
// else that a client does is the first step.
func (s *script) endsSetup(e event) bool {
	t := e.talk
	if e.what == heard || t.dropped {
		return false
	}
	if e.what != said || t.actor.as {
		return true
	}
	i := t.burst[e.index]
	if s.skip[e.index] {
		return false
	}
	n, _, _ := s.loginAt(t, i)
	if n == 0 || t.actor.now != nil || s.isSilentBefore(e.index) || s.answer(t, i, n) != letIn {
		return true
	}
	t.actor.listed = true
	s.enter(t)
	s.consume(t, i, n)
	return false
}

// isSilentBefore says that somebody who does not log in has connected by then.
func (s *script) isSilentBefore(i int) bool {
	return slices.ContainsFunc(s.rec.talks, func(t *talk) bool {
		return t.opened && !t.dropped && t.begins < i && !s.hasLogin(t)
	})
}

func (s *script) hasLogin(t *talk) bool {
	return slices.ContainsFunc(t.bursts, func(b burst) bool {
		n, _, _ := s.loginAt(t, t.burst[b.events[0]])
		return n > 0
	})
}

func (s *script) enter(t *talk) {
	t.actor.now, t.actor.room, t.actor.gone = t, true, false
	t.actor.entered, t.actor.changed = t.first, t.first
}

// dropSetup leaves out what has come before the event i, and what comes a
// little later because the listed clients came in.
func (s *script) dropSetup(end int) {
	if end == 0 {
		return
	}
	joined := s.codec.Message(joinedMessage)
	for i := range s.rec.events {
		e := &s.rec.events[i]
		if e.what == heard && e.talk.actor.listed && (i < end || joined != nil && s.greets(joined, e.frame, i)) {
			s.skip[i] = true
		}
	}
}

// greets says that a message is about the arrival of a listed client, before
// that has come for a second time.
func (s *script) greets(joined *wire.Message, f *wire.Frame, i int) bool {
	return slices.ContainsFunc(s.actors, func(a *actor) bool {
		return a.listed && bytes.Contains(f.Raw, []byte(a.wire)) && (len(a.talks) == 1 || a.talks[1].begins > i) &&
			joined.Match(f, wire.Args{userParam: a.wire}, nil)
	})
}

// joinedMessage is the standard name of the notice that somebody has come.
const joinedMessage = "joined"

// connects opens the connection of a client that never logs in.
func (s *script) connects(t *talk) {
	silent := len(t.bursts) == 0
	switch {
	case t.dropped || t.actor.now == t || s.startsWithLogin(t):
		return
	case silent && (!t.opened || s.codec.IsDatagram(wire.Client)):
		return
	case !t.opened:
		// It was in the room, under a name that cannot stand in clients:.
		s.act(step{who: []*actor{t.actor}, verb: "does", what: loginProcedure, options: []string{"as: " + scalar(t.actor.wire)}})
		s.enter(t)
		return
	}
	s.act(step{who: []*actor{t.actor}, verb: "connects"})
	t.actor.now, t.actor.room = t, false
}

func (s *script) startsWithLogin(t *talk) bool {
	n, _, _ := s.loginAt(t, 0)
	return n > 0
}
