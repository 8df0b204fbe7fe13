package draft

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/chatprobe/chatprobe/internal/wire"
)

// hears notes what a client has received with event i.
func (s *script) hears(a *actor, e *event, i int) {
	r, ok := s.understand(e.frame)
	switch {
	case !ok || s.passesOver(r.message):
	case !s.isExplained(r) || s.isTooLate(a, e, i, r):
		s.open[i] = true
	case s.unsure[e.talk] && r.rank != relay:
		s.remark("What was answered about a client that had just gone is left out: it depends on what the server noticed first.")
		s.open[i] = true
	default:
		x := &expected{actor: a, times: 1}
		x.text, x.remark = s.expectation(a, r)
		s.open[i] = x.remark != ""
		if r.rank == relay {
			x.relay = true
			s.addKind(a, r)
		}
		s.pending = append(s.pending, x)
	}
}

// closingMessage is the standard name of what a server says when it is stopped.
const closingMessage = "closing"

// isTooLate says that a message might as well not have come: it was on its way
// when its receiver came or was about to go.
func (s *script) isTooLate(a *actor, e *event, i int, r reading) bool {
	switch {
	case r.message.Name == closingMessage:
		s.remark("The server was stopped while the capture was made. That is left out.")
		return true
	case r.rank == notice:
		o := s.byWire(r.args[userParam].(string))
		return o != nil && o != a && o.changed < a.entered
	case r.rank != relay:
		return false
	case s.saidSince(r, a.entered) <= a.hadBefore(r.message.Describe(r.args)):
		s.remark("What was said before a client came in, and reached it nevertheless, is left out.")
		return true
	}
	t := e.talk
	if t.end < 0 || t.half || s.rec.events[t.end].what != cutOff || !s.othersGoOn(t) {
		return false
	}
	last := 0
	for _, b := range t.bursts {
		last = b.events[len(b.events)-1]
	}
	return last < i && s.saidSince(r, last) > 0
}

// saidSince is how often what a client hears was said after an event.
func (s *script) saidSince(r reading, event int) int {
	for name, v := range r.args {
		if text, ok := v.(string); ok && name != userParam && len(s.spoken[text]) > 0 {
			i, _ := slices.BinarySearch(s.spoken[text], event+1)
			return len(s.spoken[text]) - i
		}
	}
	return 0
}

// hadBefore counts a relay that a client has heard, and is how often it had
// heard the same since it came in.
func (a *actor) hadBefore(text string) int {
	if a.got == nil {
		a.got = map[string]int{}
	}
	a.got[text]++
	return a.got[text] - 1
}

// passesOver says that a message means nothing, or that chatprobe answers it
// by itself.
func (s *script) passesOver(m *wire.Message) bool {
	p := s.suite.Protocol
	_, answered := p.Answers[m.Name]
	return answered || slices.Contains(p.Ignore, m.Name)
}

// isExplained says that what came has its cause in the capture. Where that
// begins in the middle, others may have spoken who are not in it.
func (s *script) isExplained(r reading) bool {
	user, ok := r.args[userParam].(string)
	if !ok || r.rank == notice || !slices.ContainsFunc(s.rec.talks, func(t *talk) bool { return !t.opened }) {
		return true
	}
	for _, v := range values(r.args) {
		if s.mentions(v) > 0 {
			return true
		}
	}
	s.remark("What " + short(user) + " said is left out: the capture does not have that connection.")
	return false
}

// flush makes steps of what was received since the last thing that a client
// did. What several have received is one step.
func (s *script) flush() {
	var list []*expected
	for _, x := range s.pending {
		i := slices.IndexFunc(list, func(o *expected) bool { return o.actor == x.actor && o.text == x.text })
		if i >= 0 {
			list[i].times++
			continue
		}
		list = append(list, x)
	}
	s.pending = nil
	// What is left open could be taken for something else: it comes last.
	slices.SortStableFunc(list, func(a, b *expected) int { return min(len(a.remark), 1) - min(len(b.remark), 1) })
	for i, x := range list {
		if x.times == 0 {
			continue
		}
		st := &step{verb: "receives", what: x.text, remark: x.remark, relay: x.relay}
		if x.times > 1 {
			st.options = []string{"times: " + strconv.Itoa(x.times)}
		}
		for _, o := range list[i:] {
			if o.text == x.text && o.times == x.times && (o == x || o.actor != x.actor) {
				st.who = append(st.who, o.actor)
				if o != x {
					o.times = 0
				}
			}
		}
		s.steps = append(s.steps, st)
	}
}

// addKind notes whose words are relayed, and how.
func (s *script) addKind(a *actor, r reading) {
	k := relayed{message: r.message, args: maps.Clone(r.args)}
	maps.DeleteFunc(k.args, func(name string, v any) bool {
		text, ok := v.(string)
		return !ok || name != userParam && len(s.spoken[text]) > 0
	})
	k.text = s.message(a, k.message, k.args, true)
	if !slices.ContainsFunc(s.kinds, func(o relayed) bool { return o.text == k.text }) {
		s.kinds = append(s.kinds, k)
	}
}

// A relayed is a kind of message by which the server passes on what one client
// says.
type relayed struct {
	message *wire.Message
	args    wire.Args // which say who
	text    string
}

// claimSilence adds that nobody hears more of what was said than the capture
// shows: no echo, nothing twice, nothing meant for somebody else. That stands
// before the clients leave at the end.
func (s *script) claimSilence() {
	if s.suite.Fence == nil {
		return
	}
	at := len(s.steps)
	for at > 0 && (s.steps[at-1].ends || s.steps[at-1].verb == "receives" && !s.steps[at-1].relay) {
		at--
	}
	for at < len(s.steps) && !s.steps[at].ends {
		at++
	}
	var there []*actor
	for _, a := range s.actors {
		leaves := slices.ContainsFunc(s.steps[at:], func(st *step) bool { return st.ends && st.who[0] == a })
		if a.room && a.now != nil || a.stayed && (leaves || a.stopped) {
			there = append(there, a)
		}
	}
	var claims []*step
	for _, k := range s.kinds[:min(len(s.kinds), maxClaims)] {
		st, p := &step{verb: "receives no", what: k.text}, s.proofOf(k)
		for _, a := range there {
			if s.isProved(a, p) && !s.cameAsIsSaid(a, k, p) {
				st.who = append(st.who, a)
			}
		}
		if len(st.who) > 0 {
			claims = append(claims, st)
		}
	}
	s.steps = slices.Insert(s.steps, at, claims...)
}

// maxClaims is how many kinds of messages are claimed not to have come again.
const maxClaims = 30

// A proof is what the capture shows about a kind of messages.
type proof struct {
	said, heard int            // the last events, -1 if there is none
	last        map[*actor]int // how often each has heard the last of them
	most        int
	all         map[*actor][]int // and when it heard any of them
	open        map[*actor]bool
	later       int // when somebody spoke after all that
}

func (s *script) proofOf(k relayed) proof {
	p := proof{said: -1, heard: -1, last: map[*actor]int{}, all: map[*actor][]int{}, open: map[*actor]bool{}, later: len(s.rec.events)}
	for i := range s.rec.events {
		switch e := &s.rec.events[i]; {
		case e.what == said && s.speaksFor(e.talk.actor, k):
			p.said = i
		case e.what != heard || !k.message.Match(e.frame, k.args, nil):
		default:
			p.heard = i
			p.all[e.talk.actor] = append(p.all[e.talk.actor], i)
			p.open[e.talk.actor] = p.open[e.talk.actor] || s.open[i]
		}
	}
	for i := range s.rec.events {
		if e := &s.rec.events[i]; p.heard >= 0 && e.what == heard && bytes.Equal(e.frame.Raw, s.rec.events[p.heard].frame.Raw) {
			p.last[e.talk.actor]++
			p.most = max(p.most, p.last[e.talk.actor])
		}
	}
	for i := len(s.rec.events) - 1; i > max(p.said, p.heard); i-- {
		if s.rec.events[i].what == said {
			p.later = i
		}
	}
	return p
}

// isProved says that the capture shows that a client did not hear more of a
// kind of messages than there are steps for: it heard what others heard last,
// or something after somebody had spoken later, or nothing for a while.
func (s *script) isProved(a *actor, p proof) bool {
	if p.open[a] || p.missed(a) || slices.ContainsFunc(a.talks, func(t *talk) bool { return t.heard.bad }) {
		return false
	}
	if p.said < p.heard && (p.last[a] == p.most || s.lastHeard(a) > p.later) {
		return true
	}
	until := s.rec.until
	if t := a.talks[len(a.talks)-1]; t.end >= 0 {
		until = s.rec.events[t.end].time
	}
	return until.Sub(s.rec.events[max(p.said, p.heard, 0)].time) > silentTime
}

// missed says that a client has heard some of what others heard since it came
// in, and not all: it had stopped reading, perhaps.
func (p proof) missed(a *actor) bool {
	since := func(o *actor) int {
		i, _ := slices.BinarySearch(p.all[o], a.entered+1)
		return len(p.all[o]) - i
	}
	for o := range p.all {
		if n := since(a); n > 0 && n < since(o) {
			return true
		}
	}
	return false
}

// cameAsIsSaid says that a client hears none of what others hear shortly after
// its login, before it hears anything: another time the server may have let it
// in before that was said.
func (s *script) cameAsIsSaid(a *actor, k relayed, p proof) bool {
	own, got := a.known && k.args[userParam] == any(a.wire), p.all[a]
	if own || a.entered < 0 || len(got) > 0 && got[len(got)-1] > a.entered {
		return false
	}
	came := s.rec.events[a.entered].time
	for i := a.entered + 1; i < len(s.rec.events); i++ {
		switch e := &s.rec.events[i]; {
		case e.time.Sub(came) >= silentTime || e.what == heard && e.talk.actor == a:
			return false
		case e.what == heard && slices.Contains(p.all[e.talk.actor], i):
			return true
		}
	}
	return false
}

// lastHeard is the last event by which a client heard something, or -1.
func (s *script) lastHeard(a *actor) int {
	last := -1
	for _, t := range a.talks {
		last = max(last, t.lastHeard)
	}
	return last
}

// silentTime is how long after a message nothing more is expected to come of it.
const silentTime = 200 * time.Millisecond

// speaksFor says that what an actor says may arrive as messages of a kind.
func (s *script) speaksFor(a *actor, k relayed) bool {
	user, ok := k.args[userParam].(string)
	return !ok || a.known && a.wire == user
}

// values are those of a message.
func values(args wire.Args) []any {
	var list []any
	for _, v := range args {
		list = append(list, v)
	}
	return list
}

func join(list []string) string { return strings.Join(list, ", ") }

// readable tells text that is nicer to read than its bytes.
func readable(b []byte) bool {
	return utf8.Valid(b) && !strings.ContainsFunc(string(b), func(r rune) bool {
		return !unicode.IsPrint(r) && r != '\n' && r != '\r'
	})
}
