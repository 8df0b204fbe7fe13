package engine

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

// loginProcedure is the name of the procedure after which a client is in the
// room.
const loginProcedure = "login"

// login connects c where needed, runs the login procedure, and settles c with
// somebody who is in the room already, if there is anybody.
func (p *play) login(c *client, as *string) *failure {
	if f := p.enter(c, as); f != nil {
		return f
	}
	return p.settle(c, p.deadline)
}

// enter is login without settling.
func (p *play) enter(c *client, as *string) *failure { return p.enterAs(c, as, false) }

// enterLoosely is enter for a login that the server may refuse: what the
// procedure waits for may come or not, and stays for the steps to receive.
func (p *play) enterLoosely(c *client, as *string) *failure { return p.enterAs(c, as, true) }

func (p *play) enterAs(c *client, as *string, loosely bool) *failure {
	proc := p.session.Suite.Procedure(loginProcedure)
	if proc == nil {
		return harnessError(fmt.Errorf("the protocol has no procedure %q", loginProcedure))
	}
	if as != nil {
		c.name = *as
	}
	if f := p.runProcedure(c, proc, loosely); f != nil {
		return f
	}
	c.inRoom = true
	p.entered++
	return nil
}

// refusedMessage is the standard name of what a server says instead of letting
// a client in.
const refusedMessage = "refused"

// runProcedure has c do the steps of a procedure.
func (p *play) runProcedure(c *client, proc *scenario.Procedure, loosely bool) *failure {
	if !c.isOpen() {
		if f := p.connect(c); f != nil {
			return f
		}
	}
	defer func(before *client) { p.self = before }(p.self)
	p.self = c
	for _, step := range proc.Steps {
		receive, ok := step.Do.(scenario.Receive)
		switch {
		case ok && loosely && !step.Optional:
			if said := p.awaitAny(c, receive); said == "" || said == refusedMessage {
				return nil // what follows is for those who are let in
			}
			continue
		case ok && loosely:
			continue
		case ok && step.Optional && !p.cameAnyway(c, receive):
			continue
		}
		p.matched = ""
		if f := p.do(step); f != nil {
			if step.Optional {
				continue
			}
			return f
		}
		if ok && receive.Which == scenario.OneOf && p.matched == refusedMessage {
			f := fail(c, fmt.Sprintf("the server lets %s in", c), "the server refused it: %s", p.said(c))
			f.rushed = true
			return f
		}
	}
	return nil
}

// awaitAny waits for any of the messages of a step, takes none, and says which
// it is; empty if none came.
func (p *play) awaitAny(c *client, do scenario.Receive) (message string) {
	seen := 0
	p.wait(p.deadline, c, func() bool {
		message = p.anyOf(c, do, &seen)
		return message != ""
	})
	return message
}

// cameAnyway waits for what many servers do not send; not for long, and hardly
// at all once it has not come.
func (p *play) cameAnyway(c *client, do scenario.Receive) bool {
	limit := optionalWait
	if p.session.absent.Load() {
		limit = absentWait
	}
	seen := 0
	e := p.await(min(limit, p.deadline)+p.pause, false, c, func() bool { return p.anyOf(c, do, &seen) != "" })
	if e == timedOut {
		p.session.absent.Store(true)
	}
	return e == met
}

// anyOf is the first of the messages of a step that has come, or empty. The
// first *seen of the inbox are none of them. play.mu is held.
func (p *play) anyOf(c *client, do scenario.Receive, seen *int) string {
	for ; *seen < len(c.inbox); *seen++ {
		d := c.inbox[*seen]
		for _, x := range do.Messages {
			args, err := p.expand(x.Args, p.lookup)
			if x.Disconnect || err != nil || d.skip() {
				continue
			}
			if p.codec.Message(x.Message).Match(d.frame, args, nil) {
				return x.Message
			}
		}
	}
	return ""
}

// said is the last message that c received, in short.
func (p *play) said(c *client) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(c.inbox) == 0 {
		return "it said nothing"
	}
	raw := c.inbox[len(c.inbox)-1].frame.Raw
	return strconv.Quote(string(transcript.Printable(bytes.TrimSpace(raw[:min(len(raw), 60)]))))
}

// settle makes sure that what c says is heard by somebody, and that c hears
// what that one says. Without anybody else in the room there is nothing to do
// yet: the next one who comes settles with c.
func (p *play) settle(c *client, limit time.Duration) *failure {
	if p.session.Suite.Fence.Question != nil {
		return p.settleAlone(c, limit)
	}
	others := p.partners(c)
	if len(others) == 0 {
		if p.setUp && p.entered == 1 {
			return nil
		}
		return p.abandoned(c)
	}
	expected := fmt.Sprintf("%s logs in and can chat with %s", c, others[0])
	for _, o := range others {
		if !o.settled {
			// The first in the room had nobody to settle with: its login may
			// still lie unread.
			p.awaitRead(o)
		}
	}
	t := p.newToken(c)
	var partner *client
	e, f := p.say(t, limit, nil, func() bool {
		for _, o := range others {
			if o.seen[t] {
				partner = o
				return true
			}
		}
		return false
	})
	if f != nil {
		return f
	}
	if e != met {
		f := p.unsettled(c, expected, e, fmt.Sprintf("what %s said after its login reached nobody", c))
		if o := p.gotMangled(t, others); o != nil {
			f.client, f.got = o, fmt.Sprintf("what %s said after its login reached %s as another message than it should be", c, o)
		}
		return f
	}
	back := p.newToken(partner)
	if e, f = p.say(back, limit, c, func() bool { return c.seen[back] }); f != nil {
		return f
	}
	if e != met {
		return p.unsettled(c, expected, e, fmt.Sprintf("%s was heard by %s, but did not receive what %s said then",
			c, partner, partner))
	}
	c.settled, partner.settled = true, true
	// The others hear both tokens too, and before them whatever the server
	// says about a newcomer. Whether they really do is for scenarios to ask.
	p.wait(settleGrace, nil, func() bool {
		for _, o := range others {
			if !o.isOver() && !o.stalled && !(o.seen[t] && (o == partner || o.seen[back])) {
				return false
			}
		}
		return true
	})
	return nil
}

// gotMangled finds who has received a message with t in it that is not how the
// protocol delivers it.
func (p *play) gotMangled(t *token, others []*client) *client {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range others {
		if slices.ContainsFunc(o.inbox, func(d *delivery) bool { return d.mangled && d.token == t }) {
			return o
		}
	}
	return nil
}

// settleAlone has c ask the server something: what it answers, it has let in.
func (p *play) settleAlone(c *client, limit time.Duration) *failure {
	t := p.newQuestion(c)
	e, f := p.say(t, limit, c, func() bool { return c.seen[t] })
	if f != nil {
		return f
	}
	if e != met {
		return p.unsettled(c, fmt.Sprintf("%s logs in, and the server answers its %s", c, p.session.Suite.Fence.Question.Message), e,
			fmt.Sprintf("%s was not answered", c))
	}
	c.settled = true
	return nil
}

// unsettled explains why a client could not join.
func (p *play) unsettled(c *client, expected string, e ending, sentence string) *failure {
	got := sentence
	switch how, exited := p.exited(); {
	case exited:
		got = "the program " + how
	case e == ended:
		p.mu.Lock()
		if c.isOver() {
			got = c.overReason()
		}
		p.mu.Unlock()
	}
	f := fail(c, expected, "%s", got)
	f.rushed = true
	return f
}

// abandoned explains that there is nobody whom c could chat with, although
// others logged in before it.
func (p *play) abandoned(c *client) *failure {
	expected := fmt.Sprintf("somebody is in the room when %s logs in", c)
	f := fail(c, expected, "nobody is left in the room with %s", c)
	f.rushed = true
	if how, exited := p.exited(); exited {
		f.got = "the program " + how
		return f
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.all() {
		if o != c && o.isOver() && o.over != weClosed {
			f.got = o.overReason()
			f.client = o
			break
		}
	}
	return f
}

// partners are the clients in the room other than c that can hear it and
// answer, settled ones first. The hidden client comes last: a play uses its own clients.
func (p *play) partners(c *client) []*client {
	var list []*client
	for _, o := range p.all() {
		if o != c && o.inRoom && o.isOpen() && !o.half && !o.begun && !p.isStalled(o) {
			list = append(list, o)
		}
	}
	rank := func(o *client) int {
		switch {
		case o == p.hidden:
			return 2
		case !o.settled:
			return 1
		}
		return 0
	}
	slices.SortStableFunc(list, func(a, b *client) int { return rank(a) - rank(b) })
	return list
}

func (p *play) isStalled(c *client) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return c.stalled
}

// awaitFree waits a little until the server has noticed that c's last
// connection is over, if it was; before that its name cannot be free.
func (p *play) awaitFree(c *client) {
	if c.conn != nil || p.session.Sockets == nil || !c.remote.IsValid() || c.far || p.codec.IsDatagram(p.own) {
		return
	}
	for until := time.Now().Add(20 * time.Millisecond); !p.endNoticed(c) && time.Now().Before(until); {
		p.sleep(100 * time.Microsecond)
	}
}

// loginUntilSettled logs in again and again, each time on a new connection:
// the server may need a moment until it knows that a name is free.
func (p *play) loginUntilSettled(c *client, as *string) *failure {
	p.awaitFree(c)
	until := time.Now().Add(p.deadline)
	for pause := 5 * time.Millisecond; ; pause *= 2 {
		f := p.enter(c, as)
		if f == nil {
			limit := min(time.Until(until), max(400*time.Millisecond, p.deadline/5))
			if f = p.settle(c, max(limit, 100*time.Millisecond)+p.pause); f == nil {
				return nil
			}
		}
		if _, exited := p.exited(); exited || p.ctx.Err() != nil || f.verdict == transcript.Error || !time.Now().Before(until) {
			return f
		}
		p.close(c, transcript.Close)
		p.sleep(pause)
	}
}
