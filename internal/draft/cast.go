package draft

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// An actor is a client of the play. It may have several talks, one after the
// other.
type actor struct {
	name  string // in the scenario
	wire  string // in the capture
	known bool   // that is known
	shown string // what $name stands for now
	// as says that it logs in under exactly the name of the capture, which
	// cannot be the name of a client, or is that of another.
	as     bool
	listed bool // it is in the room before the first step
	talks  []*talk

	now     *talk          // what is open
	room    bool           // it is in the room
	gone    bool           // it has left without a word, and nobody knows yet whether the server has noticed
	left    bool           // the same, also if it has said goodbye: its name may be free or not
	entered int            // the event of its last login
	changed int            // the event by which it came or went last
	stayed  bool           // it was in the room until its connection ended
	stopped bool           // it ended with the server
	got     map[string]int // what was relayed to it since it came in, and how often
}

// standIns are names for clients whose own cannot be used.
var standIns = []string{"alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "kim", "laura", "mike", "nina", "oscar"}

// Names that mean something else in a scenario, or to the engine.
var (
	taken      = []string{"server", "program", "others", "client", "self", "token", "disconnect", "zwtnss"}
	clientName = regexp.MustCompile(`^[a-z][a-z0-9]{0,23}$`)
	crowdName  = regexp.MustCompile(`^other[0-9]+$`)
)

// cast says who has which talk.
func (s *script) cast() {
	wires := map[string]bool{}
	for _, t := range s.rec.talks {
		name, _ := s.ownName(t)
		wires[name] = true
	}
	for _, t := range s.rec.talks {
		s.castOne(t, wires)
	}
}

// castOne finds the actor of a talk: somebody who comes back, or a new one.
func (s *script) castOne(t *talk, wires map[string]bool) {
	name, known := s.ownName(t)
	rival := false
	for _, a := range s.actors {
		if !known || !a.known || a.wire != name {
			continue
		}
		if last := a.talks[len(a.talks)-1]; last.end >= 0 && last.end < t.begins {
			t.actor, a.talks = a, append(a.talks, t)
			return
		}
		rival = true
	}
	a := &actor{wire: name, known: known, talks: []*talk{t}, entered: -1}
	lower := strings.ToLower(name)
	usable := clientName.MatchString(lower) && s.isFree(lower)
	if usable && !rival && (lower == name || !wires[lower]) {
		a.name = lower
	} else {
		a.name = s.standIn(wires)
		a.as = known && !s.isTaken(lower)
	}
	if !a.as {
		a.shown = name
	}
	t.actor = a
	s.actors = append(s.actors, a)
}

// standIn is a name that nobody has.
func (s *script) standIn(wires map[string]bool) string {
	for n := 0; ; n++ {
		name := fmt.Sprintf("guest%d", n)
		if n < len(standIns) {
			name = standIns[n]
		}
		if s.isFree(name) && !wires[name] {
			return name
		}
	}
}

func (s *script) isFree(name string) bool { return s.actor(name) == nil && !s.isTaken(name) }

func (s *script) isTaken(name string) bool {
	return slices.Contains(taken, name) || crowdName.MatchString(name) || s.suite.Protocol.Setting(name) != nil
}

// actor finds an actor by its name in the scenario, or nil.
func (s *script) actor(name string) *actor {
	for _, a := range s.actors {
		if a.name == name {
			return a
		}
	}
	return nil
}

// loginProcedure is the name of the procedure by which a client comes in, and
// userParam that of the parameter that says who somebody is.
const (
	loginProcedure = "login"
	userParam      = "user"
)

// ownName is under which name a client was known: that of the login by which
// it came in, or else under which it spoke.
func (s *script) ownName(t *talk) (name string, known bool) {
	for i := range t.bursts {
		n, user, named := s.loginAt(t, i)
		if n == 0 || !named || known && s.answer(t, i, n) == refused {
			continue
		}
		if name, known = user, true; s.answer(t, i, n) == letIn {
			return name, known
		}
	}
	for i := range t.bursts {
		for _, f := range t.bursts[i].messages {
			if m := s.codec.Name(f, wire.Client); m != nil && !known {
				args := wire.Args{}
				m.Match(f, nil, args)
				name, known = args[userParam].(string)
			}
		}
	}
	return name, known
}

// segmentSize is what a segment carries at least where a longer text is cut by
// the network and not by the client.
const segmentSize = 536

// cutOnPurpose says whether segments end where the network would not cut.
func (b *burst) cutOnPurpose() bool {
	last := 0
	for _, at := range b.splits {
		if at-last < segmentSize {
			return true
		}
		last = at
	}
	return false
}

// loginAt says how many bursts from i on are a login as the protocol's
// procedure has it, and under which name, if it has one; 0 if they are none.
func (s *script) loginAt(t *talk, i int) (bursts int, name string, named bool) {
	l, ok := t.logins[i]
	if !ok {
		l.bursts, l.name, l.named = s.findLogin(t, i)
		t.logins[i] = l
	}
	return l.bursts, l.name, l.named
}

func (s *script) findLogin(t *talk, i int) (bursts int, name string, named bool) {
	proc := s.suite.Procedure(loginProcedure)
	if proc == nil {
		return 0, "", false
	}
	var frames []*wire.Frame // of the burst that is being looked at
	for _, step := range proc.Steps {
		send, _ := step.Do.(scenario.Send)
		for _, out := range send.Messages {
			if len(frames) == 0 {
				if i+bursts == len(t.bursts) {
					return 0, "", false
				}
				b := &t.bursts[i+bursts]
				if len(b.messages) == 0 || b.cutOnPurpose() {
					return 0, "", false
				}
				frames = b.messages
				bursts++
			}
			args := wire.Args{}
			if !s.codec.Message(out.Message).Match(frames[0], nil, args) {
				return 0, "", false
			}
			if user, ok := args[userParam].(string); ok {
				name, named = user, true
			}
			frames = frames[1:]
		}
	}
	if len(frames) > 0 {
		return 0, "", false // more in the same segment
	}
	return bursts, name, named
}
