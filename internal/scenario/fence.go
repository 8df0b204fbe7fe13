package scenario

import "slices"

// A Fence is how a step proves silence: everything that its causers did has
// been dealt with by the server, and everything that this caused has reached
// the receivers.
//
// First each causer says a token, and a witness sees it: the server has dealt
// with whatever that causer did before. A causer that has left is done when a
// witness has seen its departure, one that the server cut off when the
// connection has ended. Then somebody says a token that reaches all receivers:
// what stands before it in their streams is all there is.
//
// Where the protocol has a question that the server answers, a causer or a
// receiver asks it, and its answer is the proof; nobody else is needed.
//
// Over UDP the server has one socket, and reads datagrams in the order in
// which they came: a witness's token proves for everybody.
type Fence struct {
	Causers []Cause
	// ByQuestion has each receiver ask for itself.
	ByQuestion bool
	// Witness is nil for the hidden client.
	Witness *Client
	// Receivers are the clients of the step.
	Receivers []*Client
	// Teller says the token that reaches the receivers; nil: the hidden client.
	Teller *Client
}

// A Cause is a client that acted, and how it is known that the server is done
// with that.
type Cause struct {
	Client *Client
	Proof  Proof
}

// Proof is how it is known that the server is done with a client's acts.
type Proof int

// The proofs, best first.
const (
	// ByToken: its token arrives at the witness, or its connection ends.
	ByToken Proof = iota
	// ByLogin: as ByToken, but it has to log in for that, as its last act.
	ByLogin
	// ByDeparture: the witness is told that it left.
	ByDeparture
	// ByEnd: the server has closed its side of the connection.
	ByEnd
	// ByQuestion: it asks, and is answered, or its connection ends.
	ByQuestion
	// ByWitness: a token that a witness says after it arrives.
	ByWitness
)

// String says the proof in words.
func (p Proof) String() string {
	return [...]string{
		"its token reaches a witness",
		"it logs in and its token reaches a witness",
		"a witness is told that it left",
		"the server ends its connection",
		"its question is answered",
		"what a witness says after it arrives",
	}[p]
}

// state is what is known of a client before a step, when a file is loaded.
type state struct {
	connected bool // the connection is open, as far as the play goes
	settled   bool // it is in the room
	stalled   bool // it does not read
	halfOpen  bool // it cannot send any more
	left      bool // it was in the room and has gone
	acted     bool // since the last fence
	// ghosts are proofs about connections before this one, on which it acted
	// since the last fence: what it says now proves nothing about those.
	ghosts   []Proof
	doubtful bool // the server may have ended its connection
	held     bool // a part of what it sent is held back
	met      bool // it has been connected at some time
	leaving  bool // it has said goodbye
}

// connect is the state behind a new connection.
func (s state) connect() state {
	proof := ByEnd
	if s.left {
		proof = ByDeparture
	}
	if s.acted && !slices.Contains(s.ghosts, proof) {
		s.ghosts = append(s.ghosts, proof)
	}
	return state{connected: true, met: true, ghosts: s.ghosts}
}

// planFences decides for every step that claims silence how that is proved,
// and whether the play needs a hidden client.
func (l *loader) planFences() {
	sc := l.scenario
	states := map[*Client]*state{}
	listed, named := 0, 0
	for _, c := range sc.Clients {
		s := &state{}
		if c.Listed {
			s.connected, s.settled, s.met = true, true, true
			listed++
			if !c.Crowd {
				named++
			}
		}
		states[c] = s
	}
	// One alone has nobody to settle with, unless the server answers it; and a
	// crowd needs somebody who has settled.
	sc.Hidden = listed > 0 && named <= 1 && !l.asks()
	before := l.errs.Len()
	for i, step := range sc.Steps {
		if !l.asks() {
			markFirst(sc.Steps[i:], states)
		}
		l.planStep(step, states)
	}
	if !sc.Sweeps() || l.errs.Len() > before {
		return
	}
	// What can be done a second time can be done any number of times.
	for c, s := range states {
		if !c.Listed {
			*s = state{}
		}
	}
	for _, step := range sc.Steps {
		l.planStep(step, states)
	}
}

// markFirst marks a login into an empty room, where the next step is the login
// of another client: these two settle with each other.
func markFirst(steps []*Step, states map[*Client]*state) {
	login := func(i int) (Do, bool) {
		if i >= len(steps) {
			return Do{}, false
		}
		do, ok := steps[i].Do.(Do)
		return do, ok && do.Procedure != nil && do.Procedure.Settles() && !do.Unsettled && !do.UntilSettled && len(steps[i].Who) == 1
	}
	do, ok := login(0)
	if !ok {
		return
	}
	for c, s := range states {
		if c != steps[0].Who[0] && canSpeak(s) {
			return
		}
	}
	if _, next := login(1); next && steps[0].Who[0] != steps[1].Who[0] {
		do.First = true
		steps[0].Do = do
	}
}

func (l *loader) planStep(step *Step, states map[*Client]*state) {
	sc := l.scenario
	if _, ok := step.Do.(IsUp); ok && !l.asks() {
		sc.Hidden = true
	}
	for _, c := range step.Who {
		l.checkState(step, c, states[c])
		l.advance(step, c, states)
	}
	switch do := step.Do.(type) {
	case ReceiveNo:
		step.Fence = l.plan(step.Who, do.Message.Message, states)
	case ReceiveNothing:
		step.Fence = l.plan(step.Who, "", states)
	case StaysConnected:
		step.Fence = l.plan(nil, "", states, step.Who...)
	}
}

// asks says that the protocol has a question that the server answers.
func (l *loader) asks() bool { return l.suite.Fence != nil && l.suite.Fence.Question != nil }

// checkState says why a client cannot do a step.
func (l *loader) checkState(step *Step, c *Client, s *state) {
	wrong := func(hint, format string, args ...any) {
		l.errs.Add(step.Pos, format, args...).Hint = hint
	}
	connectFirst := "list it in clients:, or let it connect first"
	if s.met {
		connectFirst = "its connection has ended before; let it connect again"
	}
	switch step.Do.(type) {
	case Send, SendBytes, SendRest:
		switch _, rest := step.Do.(SendRest); {
		case !s.connected:
			wrong(connectFirst, "%s is not connected here", c.Name)
		case s.halfOpen:
			wrong("", "%s has closed its sending side", c.Name)
		case rest && !s.held:
			wrong("cut: 3 on the step before", "nothing of what %s sent was held back", c.Name)
		}
	case Receive, ReceiveNo, ReceiveNothing:
		switch {
		case s.stalled:
			wrong("", "%s does not read, so nothing is known about what it receives", c.Name)
		case !s.met:
			wrong(connectFirst, "%s is not connected here", c.Name)
		}
	case ReadAgain:
		if !s.stalled {
			wrong("", "%s has not stopped reading", c.Name)
		}
	case StaysConnected:
		if !s.connected {
			wrong(connectFirst, "%s is not connected here", c.Name)
		}
	case Close, HalfClose, Reset, StopReading, Disconnected:
		if !s.met {
			wrong(connectFirst, "%s is not connected here", c.Name)
		}
	}
}

// advance is what a step makes of a client.
func (l *loader) advance(step *Step, c *Client, states map[*Client]*state) {
	s := states[c]
	switch do := step.Do.(type) {
	case Connect:
		*s = s.connect()
	case Do:
		if !s.connected {
			*s = s.connect()
		}
		s.acted = true
		if do.Procedure.Settles() {
			s.leaving = false
			if !do.Unsettled && !do.First && !l.asks() && !slices.ContainsFunc(l.scenario.Clients, func(o *Client) bool { return o != c && canSpeak(states[o]) }) {
				l.scenario.Hidden = true
			}
			s.settled = !do.Unsettled
		}
	case Send:
		s.acted, s.held = true, cuts(do)
		if slices.ContainsFunc(do.Messages, func(o Outgoing) bool { return o.Message == leaveMessage }) && !s.held {
			s.settled, s.leaving, s.left = false, true, s.left || s.settled
		}
	case SendBytes:
		s.acted, s.held = true, cuts(do)
	case SendRest:
		s.acted, s.held = true, false
	case Close, Reset:
		*s = state{left: s.settled || s.left, acted: true, ghosts: s.ghosts, met: true}
	case HalfClose:
		s.halfOpen, s.acted = true, true
	case StopReading:
		s.stalled = true
	case ReadAgain:
		s.stalled = false
	case Disconnected:
		// The server is done with it, or it would not have ended it.
		*s = state{ghosts: s.ghosts, met: true}
	case Receive:
		switch ends := slices.ContainsFunc(do.Messages, func(x Expected) bool { return x.Disconnect }); {
		case ends && do.Which == AllOf:
			*s = state{ghosts: s.ghosts, met: true}
		case ends:
			s.doubtful = true
		}
	}
}

func cuts(a Action) bool {
	switch a := a.(type) {
	case Send:
		return a.How.Cut.IsSet()
	case SendBytes:
		return a.How.Cut.IsSet()
	}
	return false
}

// leaveMessage is the standard name of the message by which a client leaves.
const leaveMessage = "leave"

// canSpeak says that the client can send a token and see one.
func canSpeak(s *state) bool {
	return s.connected && s.settled && !s.stalled && !s.halfOpen && !s.doubtful
}

// plan makes a fence for receivers, of whom counted is what they do not
// receive; also are causers even if they did nothing.
func (l *loader) plan(receivers []*Client, counted string, states map[*Client]*state, also ...*Client) *Fence {
	sc := l.scenario
	f := &Fence{Receivers: receivers, ByQuestion: l.asks() && !l.confuses(counted)}
	udp := l.suite.Protocol.Transport == "udp"
	for _, c := range sc.Clients {
		s := states[c]
		for _, proof := range s.ghosts {
			f.Causers = append(f.Causers, Cause{Client: c, Proof: proof})
		}
		s.ghosts = nil
		if !s.acted && !slices.Contains(also, c) {
			continue
		}
		cause := Cause{Client: c, Proof: ByToken}
		switch {
		case udp && (!s.connected || !s.settled):
			cause.Proof = ByWitness
		case !s.connected && s.left:
			cause.Proof = ByDeparture
		case !s.connected || s.halfOpen:
			cause.Proof = ByEnd
		case l.asks():
			cause.Proof = ByQuestion
		case s.leaving:
			cause.Proof = ByEnd
		case !s.settled:
			cause.Proof = ByLogin
		}
		f.Causers = append(f.Causers, cause)
		s.acted = false
	}
	f.Witness = l.pick(states, func(c *Client) bool { return !hasCauser(f, c) && !slices.Contains(receivers, c) })
	if f.Witness == nil {
		f.Witness = l.pick(states, func(c *Client) bool { return !hasCauser(f, c) })
	}
	if f.Witness == nil && slices.ContainsFunc(f.Causers, l.needsWitness) {
		sc.Hidden = true
	}
	if len(receivers) == 0 || f.ByQuestion {
		return f
	}
	f.Teller = l.pick(states, func(c *Client) bool { return !slices.Contains(receivers, c) })
	if f.Teller == nil && l.suite.Fence != nil && l.suite.Fence.HasToken() {
		sc.Hidden = true
	}
	return f
}

// confuses says that an answer to the fence's question could be taken for what
// is counted.
func (l *loader) confuses(counted string) bool {
	return counted == l.suite.Fence.Answer.Message && !carriesToken(l.suite.Fence.Answer.Args)
}

// needsWitness says that somebody else has to see the proof.
func (l *loader) needsWitness(c Cause) bool {
	switch c.Proof {
	case ByQuestion, ByEnd:
		return false
	case ByDeparture:
		return l.suite.Protocol.Message(leftMessage) != nil
	}
	return true
}

// leftMessage is the standard name of the notice that somebody has left.
const leftMessage = "left"

func hasCauser(f *Fence, c *Client) bool {
	return slices.ContainsFunc(f.Causers, func(x Cause) bool { return x.Client == c })
}

// pick is the first client that can speak and is wanted, or nil.
func (l *loader) pick(states map[*Client]*state, wanted func(*Client) bool) *Client {
	for _, c := range l.scenario.Clients {
		if canSpeak(states[c]) && wanted(c) {
			return c
		}
	}
	return nil
}
