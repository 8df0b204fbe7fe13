package engine

import (
	"fmt"
	"slices"
)

// enterHeard has one of a crowd log in, and makes sure that it can be heard. To
// hear is tried for all of them together, by settleCrowd.
func (p *play) enterHeard(c *client, as *string) *failure {
	if f := p.enter(c, as); f != nil || p.codec.IsDatagram(p.own) {
		return f
	}
	others := p.partners(c)
	if len(others) == 0 {
		return p.abandoned(c)
	}
	t := p.newToken(c)
	e, f := p.say(t, p.deadline, nil, func() bool {
		return slices.ContainsFunc(others, func(o *client) bool { return o.seen[t] })
	})
	if f == nil && e != met {
		f = p.unsettled(c, fmt.Sprintf("%s logs in and can chat with %s", c, others[0]), e,
			fmt.Sprintf("what %s said after its login reached nobody", c))
	}
	return f
}

// settleCrowd settles clients that have logged in, all together: they are in
// the room when each hears what somebody says.
func (p *play) settleCrowd(crowd []*client) *failure {
	teller := p.pick(nil, crowd...)
	if teller == nil {
		return p.abandoned(crowd[0])
	}
	t := p.newToken(teller)
	missing := func() *client {
		for _, c := range crowd {
			if !c.seen[t] {
				return c
			}
		}
		return nil
	}
	e, f := p.say(t, p.deadline, nil, func() bool { return missing() == nil })
	if f != nil {
		return f
	}
	if e != met {
		p.mu.Lock()
		c := missing()
		p.mu.Unlock()
		return p.unsettled(c, fmt.Sprintf("%s logs in and hears what %s says", c, teller), e,
			fmt.Sprintf("%s did not receive what %s said then", c, teller))
	}
	for _, c := range crowd {
		c.settled = true
	}
	return nil
}

// limitBurst makes sure, before c sends n bytes over UDP, that the server's
// socket has room for them: a datagram that the probe's own haste has lost is
// no fault of the server.
func (p *play) limitBurst(c *client, n int) *failure {
	if p.unread += n + datagramOverhead; p.unread <= burst || p.inSync {
		return nil
	}
	p.unread = n + datagramOverhead
	teller := p.pick(nil)
	if teller == nil {
		p.sleep(remotePause)
		return nil
	}
	p.inSync = true
	defer func() { p.inSync = false }()
	t := p.newToken(teller)
	_, f := p.say(t, min(departureWait, p.deadline), nil, func() bool { return p.hasArrived(t) })
	return f
}

// hasArrived says that anybody has received t. play.mu is held.
func (p *play) hasArrived(t *token) bool {
	return slices.ContainsFunc(p.all(), func(c *client) bool { return c.seen[t] })
}
