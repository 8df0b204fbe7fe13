package draft

import (
	"fmt"
	"slices"
	"time"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// A script is a scenario that is being written.
type script struct {
	rec    *record
	codec  *wire.Codec
	suite  *scenario.Suite
	actors []*actor
	steps  []*step

	spoken  map[string][]int // what clients have said, and with which events
	skip    map[int]bool     // events that another step stands for
	unsure  map[*talk]bool   // what is answered there depends on whether somebody's end was noticed
	pending []*expected      // since the last thing that a client did
	remarks []string         // for the head of the file
	open    map[int]bool     // events of which a step says less than came, or nothing
	kinds   []relayed        // what the server passes on, in order of appearance
}

// A step is a step of the scenario.
type step struct {
	who     []*actor
	verb    string // for one client
	what    string
	options []string
	remark  string
	ends    bool // a connection
	relay   bool // what is received is what somebody has said
}

// An expected is a message that a client has received.
type expected struct {
	actor  *actor
	text   string
	remark string
	times  int
	relay  bool
}

// write goes through the events.
func (s *script) write() {
	s.cast()
	for _, t := range s.rec.talks {
		s.dropRefused(t)
	}
	s.list()
	next := 0 // talk, in order of appearance
	for i := range s.rec.events {
		for ; next < len(s.rec.talks) && s.rec.talks[next].begins <= i; next++ {
			s.connects(s.rec.talks[next])
		}
		if e := &s.rec.events[i]; !s.skip[i] && !e.talk.dropped {
			s.happens(i, e)
		}
	}
	for _, t := range s.rec.talks[next:] {
		s.connects(t)
	}
	s.flush()
	s.claimSilence()
	for _, t := range s.rec.talks {
		if t.heard.torn {
			s.remark("Some of what " + t.actor.name + " received is missing in the capture. What came behind that is left out.")
		}
	}
}

// happens makes of event i what belongs into the play.
func (s *script) happens(i int, e *event) {
	t, a := e.talk, e.talk.actor
	if e.what != said && a.now != t {
		return // that connection is over, for the play
	}
	switch e.what {
	case said:
		s.says(t, i)
	case heard:
		s.hears(a, e, i)
	case closed, reset:
		st := step{who: []*actor{a}, verb: "closes", ends: true}
		if e.what == reset {
			st.verb = "resets"
		} else if t.half {
			st.verb = "half-closes"
		}
		s.act(st)
		if e.what == closed && t.half {
			return
		}
		a.gone, a.left, a.changed = a.room, a.room || a.left, i
		a.now, a.room, a.stayed = nil, false, a.room
	case cutOff:
		a.now, a.room, a.stayed = nil, false, a.room
		a.changed = i
		if a.stopped = s.isShutdown(i); a.stopped {
			return
		}
		s.flush()
		s.steps = append(s.steps, &step{who: []*actor{a}, verb: "is disconnected", ends: true})
	}
}

// isShutdown says that the server has ended all connections that were open at
// about the same time: it was stopped, and not because of what a client did.
func (s *script) isShutdown(i int) bool {
	since := s.rec.events[i].time.Add(-time.Second)
	n := 0
	for _, t := range s.rec.talks {
		switch {
		case t.begins > i || t.end >= 0 && s.rec.events[t.end].time.Before(since):
		case t.end >= 0 && s.rec.events[t.end].what == cutOff:
			n++
		case t.end < 0 || t.end > i:
			return false // somebody stayed
		}
	}
	if n < 2 {
		return false
	}
	s.remark("At the end of the capture the server ends all connections. It was stopped, it seems; that is left out.")
	return true
}

func (s *script) remark(text string) {
	if !slices.Contains(s.remarks, text) {
		s.remarks = append(s.remarks, text)
	}
}

// act adds a step in which a client does something.
func (s *script) act(st step) {
	s.flush()
	s.steps = append(s.steps, &st)
}

// says does what a client says with one segment.
func (s *script) says(t *talk, i int) {
	a := t.actor
	index := t.burst[i]
	b := &t.bursts[index]
	if a.now != nil && a.now != t || a.now == nil && !s.startsAt(t, i) {
		return // the connection is over for the play
	}
	if i == b.events[0] && !a.room {
		if n, _, _ := s.loginAt(t, index); n > 0 {
			s.logsIn(t, index, n)
			return
		}
	}
	if a.now == nil {
		return
	}
	switch first, last := i == b.events[0], i == b.events[len(b.events)-1]; {
	case first:
		s.sends(t, b)
	case last && s.cutAt(t, b) > 0:
		s.act(step{who: []*actor{a}, verb: "sends the rest"})
	}
}

func (s *script) startsAt(t *talk, i int) bool {
	return len(t.bursts) > 0 && t.bursts[0].events[0] == i
}

// cutAt is how many bytes of a burst were sent before somebody else did
// something; 0 if all were.
func (s *script) cutAt(t *talk, b *burst) int {
	for k, at := range b.splits {
		for i := b.events[k] + 1; i < b.events[k+1]; i++ {
			if e := &s.rec.events[i]; e.what != heard && e.what != cutOff && e.talk != t && !e.talk.dropped {
				return at
			}
		}
	}
	return 0
}

// sends writes what a client sends.
func (s *script) sends(t *talk, b *burst) {
	a := t.actor
	delete(s.unsure, t)
	st := step{who: []*actor{a}, verb: "sends"}
	var list []string
	leaves := false
	for _, f := range b.messages {
		m, args := s.sent(f)
		if m == nil {
			list = nil
			break
		}
		if s.answersByItself(m) {
			return
		}
		s.remember(args, b.events[0])
		s.unsure[t] = s.unsure[t] || slices.ContainsFunc(s.actors, func(o *actor) bool {
			return o.gone && slices.ContainsFunc(values(args), func(v any) bool { return v == any(o.wire) })
		})
		leaves = leaves || m.Name == leaveMessage
		list = append(list, s.message(a, m, args, false))
	}
	switch {
	case len(list) == 1:
		st.what = list[0]
	case len(list) > 1:
		st.what = "[" + join(list) + "]"
	default:
		st.verb, st.what = s.bytes(a, b.data)
		if b.messages == nil && !s.codec.IsDatagram(wire.Client) {
			st.remark = "no message of the protocol, or not all of one"
		}
	}
	if cut := s.cutAt(t, b); cut > 0 {
		st.options = append(st.options, fmt.Sprintf("cut: %d", cut))
	} else if b.cutOnPurpose() {
		st.options = append(st.options, splits(b))
	}
	if len(list) == 1 && s.asksAfterwards(t, b, &st) {
		return
	}
	s.act(st)
	if leaves {
		a.room, a.left = false, true
	}
	if len(list) > 0 && s.isLoginByHand(t, b) {
		a.room = true
		if s.suite.Fence != nil && !s.codec.IsDatagram(wire.Client) && s.hearsNext(t, b) {
			s.act(step{who: []*actor{a}, verb: "stays connected"})
		}
	}
}

// leaveMessage and loginMessage are standard names.
const (
	leaveMessage = "leave"
	loginMessage = "login"
)

// splits says where segments begin, or how long they are.
func splits(b *burst) string {
	n := b.splits[0]
	even := len(b.data)-b.splits[len(b.splits)-1] <= n
	for i, at := range b.splits {
		even = even && at == n*(i+1)
	}
	if even {
		return fmt.Sprintf("pieces: %d", n)
	}
	list := make([]string, len(b.splits))
	for i, at := range b.splits {
		list[i] = fmt.Sprint(at)
	}
	return "split: [" + join(list) + "]"
}

// bytes writes what is no message.
func (s *script) bytes(a *actor, b []byte) (verb, what string) {
	if readable(b) {
		return "sends text", folded(s.refer(a, string(b), false))
	}
	return "sends bytes", "'" + hexDigits(b) + "'"
}

// sent is the message that a client has sent, if sending that gives the same bytes.
func (s *script) sent(f *wire.Frame) (*wire.Message, wire.Args) {
	for _, m := range s.codec.Messages() {
		args := wire.Args{}
		if m.From != wire.Client || m.CanSend() != nil || !m.Match(f, nil, args) {
			continue
		}
		if b, err := s.codec.Encode(m, args, nil); err == nil && string(b) == string(f.Raw) {
			return m, args
		}
	}
	return nil, nil
}

// answersByItself says that chatprobe sends that without being told.
func (s *script) answersByItself(m *wire.Message) bool {
	for _, answer := range s.suite.Protocol.Answers {
		if answer == m.Name {
			return true
		}
	}
	return false
}

// isLoginByHand says that a burst has the message of a login.
func (s *script) isLoginByHand(t *talk, b *burst) bool {
	m := s.codec.Message(loginMessage)
	return m != nil && slices.ContainsFunc(b.messages, func(f *wire.Frame) bool { return m.Match(f, nil, nil) })
}

// hearsNext says that after a burst the client hears something before it says
// something, and that others have spoken.
func (s *script) hearsNext(t *talk, b *burst) bool {
	others := false
	for i := b.events[len(b.events)-1] + 1; i < len(s.rec.events); i++ {
		e := &s.rec.events[i]
		switch {
		case e.talk != t:
			others = others || e.what == said
		case e.what == heard && !others:
		default:
			return e.what == heard
		}
	}
	return false
}
