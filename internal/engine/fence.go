package engine

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/sockets"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// departureMessage is the standard name of the notice that somebody has left.
const departureMessage = "left"

// fence makes sure that the server is done with everything that happened so
// far, and that all of it has arrived. See package scenario for the idea.
func (p *play) fence(plan *scenario.Fence) *failure {
	witness := p.pick(plan.Witness)
	for _, cause := range plan.Causers {
		c := p.clients[cause.Client]
		if witness == nil || witness == c || !witness.isOpen() {
			witness = p.pick(nil, c)
		}
		if f := p.flushCauser(c, cause.Proof, witness); f != nil {
			return f
		}
	}
	switch {
	case len(plan.Receivers) == 0:
	case plan.ByQuestion:
		for _, sc := range plan.Receivers {
			if f := p.flushByQuestion(p.clients[sc]); f != nil {
				return f
			}
		}
	case !p.session.Suite.Fence.HasToken():
		p.sleep(quietWindow)
		p.weak()
	default:
		if f := p.flushReceivers(plan); f != nil {
			return f
		}
	}
	p.sleep(settleWait + p.pause)
	if p.session.Suite.Fence.Question == nil && p.pick(nil) == nil && p.isCutOff() {
		// The end of a connection proves silence, but not if it is everybody's.
		// Asked last, because they may end one after the other.
		return p.noWitness(p.all()[0])
	}
	return nil
}

// isCutOff says that the server has ended the connection of some client.
func (p *play) isCutOff() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.all(), func(c *client) bool { return c.over == serverClosed || c.over == serverReset })
}

// pick is wanted as the play stands now, else the hidden client, else any
// other settled client; none of not.
func (p *play) pick(wanted *scenario.Client, not ...*client) *client {
	usable := func(c *client) bool {
		return c != nil && !slices.Contains(not, c) && c.settled && c.isOpen() && !c.half && !p.isStalled(c)
	}
	if wanted != nil && usable(p.clients[wanted]) {
		return p.clients[wanted]
	}
	if usable(p.hidden) {
		return p.hidden
	}
	for _, c := range p.all() {
		if usable(c) {
			return c
		}
	}
	return nil
}

// summon brings in the hidden client late: those who could have said a token or
// seen one have been cut off. It is nil if that one does not get in either.
func (p *play) summon() *client {
	if p.hidden != nil {
		return nil
	}
	c := p.newClient(hiddenName, false)
	p.mu.Lock()
	p.hidden = c
	p.mu.Unlock()
	if f := p.login(c, nil); f != nil || !c.settled {
		return nil
	}
	return c
}

// flushCauser makes sure that the server is done with what c did.
func (p *play) flushCauser(c *client, proof scenario.Proof, witness *client) *failure {
	switch {
	case proof == scenario.ByWitness:
		return p.flushByWitness(c, witness)
	case proof == scenario.ByDeparture:
		p.awaitDeparture(c, witness)
		return nil
	case proof == scenario.ByEnd && c.isOpen() && !c.half:
		p.awaitGoodbye(c)
		return nil
	case proof == scenario.ByEnd:
		p.awaitEnd(c)
		return nil
	case !c.isOpen():
		return nil // its connection has ended: the server is done with it
	}
	if c.begun {
		// A token would be taken for the rest of what it has begun to say.
		if p.wait(quietWindow, c, func() bool { return false }) == timedOut {
			p.weak()
		}
		return nil
	}
	if proof == scenario.ByQuestion {
		return p.flushByQuestion(c)
	}
	if proof == scenario.ByLogin && !c.inRoom && !c.byHand {
		if f := p.enter(c, nil); f != nil {
			return nil
		}
	}
	if witness == nil {
		if witness = p.summon(); witness == nil {
			return p.noWitness(c)
		}
	}
	limit := p.deadline
	if !c.settled {
		limit = min(limit, departureWait)
	}
	t := p.newToken(c)
	e, f := p.say(t, limit, witness, func() bool { return witness.seen[t] || c.isOver() })
	if f != nil || e == met {
		return f
	}
	if e == timedOut && !c.settled {
		// It was never in the room, perhaps with good reason.
		p.weak()
		return nil
	}
	p.mu.Lock()
	over := c.isOver()
	p.mu.Unlock()
	if e == ended && over {
		return nil
	}
	return p.brokenFence(e, c, witness)
}

// flushByQuestion has c ask the server something: when that is answered, the
// server is done with what c did, and what it has sent to c has come.
func (p *play) flushByQuestion(c *client) *failure {
	if !c.isOpen() {
		return nil
	}
	if c.begun {
		if p.wait(quietWindow, c, func() bool { return false }) == timedOut {
			p.weak()
		}
		return nil
	}
	limit := p.deadline
	if !c.settled {
		limit = min(limit, departureWait)
	}
	t := p.newQuestion(c)
	e, f := p.say(t, limit, c, func() bool { return c.seen[t] || c.isOver() })
	switch {
	case f != nil || e == met:
		return f
	case e == timedOut && !c.settled:
		// Perhaps it answers only those whom it has let in.
		p.weak()
		return nil
	}
	p.mu.Lock()
	over := c.isOver()
	p.mu.Unlock()
	if e == ended && over {
		return nil
	}
	got := fmt.Sprintf("the server stopped answering: %s asked something, and nothing came within %s", c, round(p.deadline))
	if how, exited := p.exited(); exited {
		got = "the program " + how
	}
	broken := fail(c, fmt.Sprintf("the server still answers what %s asks", c), "%s", got)
	broken.rushed = true
	return broken
}

// flushByWitness has a witness ask something, or say a token, over UDP: the
// server reads its one socket in order, so it is done with what c sent before.
func (p *play) flushByWitness(c, witness *client) *failure {
	switch {
	case witness == nil:
		return p.noWitness(c)
	case p.session.Suite.Fence.Question != nil:
		return p.flushByQuestion(witness)
	}
	t := p.newToken(witness)
	e, f := p.say(t, p.deadline, nil, func() bool { return p.hasArrived(t) })
	if f != nil || e == met {
		return f
	}
	return p.brokenFence(e, witness, witness)
}

// awaitGoodbye waits for the server to end the connection of a client that has
// said goodbye.
func (p *play) awaitGoodbye(c *client) {
	if p.wait(min(departureWait, p.deadline), c, func() bool { return false }) == timedOut {
		p.weak()
	}
}

// flushReceivers has somebody say a token that all receivers must get.
func (p *play) flushReceivers(plan *scenario.Fence) *failure {
	var open []*client
	for _, sc := range plan.Receivers {
		c := p.clients[sc]
		if !c.isOpen() {
			continue
		}
		if !c.inRoom && !c.byHand {
			if c.begun || c.goodbye || p.codec.IsDatagram(p.own) {
				// What it hears of, nobody can make it hear.
				p.sleep(quietWindow)
				p.weak()
				continue
			}
			if f := p.enter(c, nil); f != nil {
				continue
			}
		}
		open = append(open, c)
	}
	if len(open) == 0 {
		return nil
	}
	// Who has begun to say something else cannot say a token.
	mute := slices.DeleteFunc(p.all(), func(c *client) bool { return !c.begun || !c.isOpen() })
	teller := p.pick(plan.Teller, slices.Concat(open, mute)...)
	switch {
	case teller == nil && len(mute) > 0:
		p.sleep(quietWindow)
		p.weak()
		return nil
	case teller == nil:
		if teller = p.summon(); teller == nil {
			return p.noWitness(open[0])
		}
	}
	t := p.newToken(teller)
	missing := func() *client {
		for _, c := range open {
			if !c.seen[t] && !c.isOver() {
				return c
			}
		}
		return nil
	}
	e, f := p.say(t, p.deadline, nil, func() bool { return missing() == nil })
	if f != nil || e == met {
		return f
	}
	p.mu.Lock()
	c := missing()
	p.mu.Unlock()
	if c == nil {
		c = open[0]
	}
	return p.brokenFence(e, teller, c)
}

// brokenFence is the finding that the server no longer relays.
func (p *play) brokenFence(e ending, sender, hearer *client) *failure {
	expected := fmt.Sprintf("the server still relays what %s says to %s", sender, hearer)
	got := fmt.Sprintf("the server stopped relaying: %s said something, and it did not reach %s within %s",
		sender, hearer, round(p.deadline))
	how, exited := p.exited()
	p.mu.Lock()
	switch {
	case exited:
		got = "the program " + how
	case e == ended && hearer.isOver():
		got = hearer.overReason()
	case e == ended && sender.isOver():
		got = sender.overReason()
	}
	p.mu.Unlock()
	f := fail(hearer, expected, "%s", got)
	f.rushed = true
	return f
}

func (p *play) noWitness(c *client) *failure {
	if how, exited := p.exited(); exited {
		return fail(c, "the server goes on", "the program %s", how)
	}
	f := fail(c, "somebody is left who can chat",
		"the server has ended the connections of all others")
	f.rushed = true
	return f
}

// awaitDeparture waits until witness is told that c left. A server that does
// not tell is no finding here: other scenarios ask for that.
func (p *play) awaitDeparture(c *client, witness *client) {
	left := p.codec.Message(departureMessage)
	if left == nil || witness == nil {
		p.awaitEnd(c)
		return
	}
	told := func() bool {
		for _, d := range witness.inbox {
			if d.seq > c.leftAt && d.token == nil && left.Match(d.frame, wire.Args{"user": c.name}, nil) {
				return true
			}
		}
		return false
	}
	if p.wait(min(departureWait, p.deadline), witness, told) != met {
		p.weak()
	}
}

// awaitEnd waits until the server has noticed that these clients have closed
// their sides.
func (p *play) awaitEnd(clients ...*client) {
	if p.codec.IsDatagram(p.own) {
		return // there is no end that the server could notice
	}
	until := time.Now().Add(quietWindow)
	for _, c := range clients {
		for !p.endNoticed(c) {
			if p.ctx.Err() != nil || !time.Now().Before(until) {
				p.weak()
				return
			}
			p.sleep(time.Millisecond)
		}
	}
	if len(clients) > 0 {
		// The server knows; a moment for what it does about it.
		p.sleep(settleWait)
	}
}

// awaitNoticed gives the target a moment to notice that c has closed. If it
// wrote to c before, c's end would answer with a reset, and the close would
// become one.
func (p *play) awaitNoticed(c *client) {
	if p.session.Sockets == nil || !c.remote.IsValid() || c.far || p.codec.IsDatagram(p.own) {
		return
	}
	for until := time.Now().Add(readWait); !p.endNoticed(c) && time.Now().Before(until) && p.ctx.Err() == nil; {
		p.sleep(200 * time.Microsecond)
	}
}

// endNoticed says that the server knows that c has closed its side. It is
// false where that cannot be seen.
func (p *play) endNoticed(c *client) bool {
	table := p.session.Sockets
	if table == nil || !c.remote.IsValid() || c.far {
		return false
	}
	end, err := table.Peer(c.local, c.remote)
	if err != nil {
		return errors.Is(err, sockets.ErrNotFound)
	}
	switch end.State {
	case sockets.Established, sockets.SynReceived, sockets.NewSynReceived, sockets.CloseWait:
		return end.ReadEnd
	}
	return true // the server has closed its own side too
}

const weakNote = "silence was judged by a short pause here, because the server said nothing that proves it"

// weak marks a verdict that rests on a pause and not on a proof.
func (p *play) weak() {
	p.note(weakNote)
}
