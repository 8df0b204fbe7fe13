package engine

import (
	"errors"
	"fmt"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// do plays one step.
func (p *play) do(step *scenario.Step) *failure {
	switch do := step.Do.(type) {
	case scenario.Prints:
		return p.doPrints(do)
	case scenario.Stop:
		return p.doStop(do)
	case scenario.Exits:
		return p.doExits()
	case scenario.IsUp:
		return p.doIsUp()
	case scenario.ListensAsTold:
		return p.doListensAsTold()
	case scenario.StaysConnected:
		return p.doStaysConnected(step)
	case scenario.ReceiveNo, scenario.ReceiveNothing:
		return p.doSilence(step)
	}
	for _, who := range step.Who {
		if f := p.doOne(step, p.of(who)); f != nil {
			return f
		}
		switch step.Do.(type) {
		case scenario.Send, scenario.SendBytes, scenario.SendRest:
			p.sleep(p.pause)
		}
	}
	return nil
}

// doOne plays a step for one of its clients.
func (p *play) doOne(step *scenario.Step, c *client) *failure {
	switch do := step.Do.(type) {
	case scenario.Connect:
		return p.connect(c)
	case scenario.Do:
		return p.doProcedure(c, do)
	case scenario.Send:
		return p.doSend(c, do)
	case scenario.SendBytes:
		return p.doSendBytes(c, do)
	case scenario.SendRest:
		rest := c.held
		p.recordSent(c, c.whole, p.purpose(c)) // with this it has been sent
		c.held, c.whole, c.begun = nil, nil, false
		return p.write(c, rest)
	case scenario.Receive:
		return p.doReceive(c, do)
	case scenario.Disconnected:
		e := p.wait(p.deadline, nil, func() bool { return c.over == serverClosed || c.over == serverReset })
		if e != met {
			return fail(c, fmt.Sprintf("the server ends the connection of %s", c), "it is still open after %s", round(p.deadline))
		}
	case scenario.Close:
		p.close(c, transcript.Close)
		p.awaitNoticed(c)
	case scenario.HalfClose:
		p.close(c, transcript.HalfClose)
	case scenario.Reset:
		p.close(c, transcript.Reset)
	case scenario.StopReading:
		p.stall(c, true)
	case scenario.ReadAgain:
		p.stall(c, false)
	default:
		return harnessError(fmt.Errorf("step %q cannot be played", step.Text))
	}
	return nil
}

func (p *play) doProcedure(c *client, do scenario.Do) *failure {
	var as *string
	if do.HasAs {
		name, err := do.As.Text(p.lookup)
		if err != nil {
			return harnessError(err)
		}
		as = &name
	}
	switch {
	case do.UntilSettled:
		return p.loginUntilSettled(c, as)
	case do.Until != nil:
		return p.doUntilReceived(c, do.Until, true, func() *failure { return p.again(c, do.Procedure, as) })
	case do.Unsettled:
		return p.enterLoosely(c, as)
	case do.First:
		return p.enter(c, as)
	case do.Procedure.Settles():
		return p.login(c, as)
	}
	return p.runProcedure(c, do.Procedure, false)
}

// encode builds a message of c; a user that is not given is c itself.
func (p *play) encode(c *client, m *wire.Message, args, set wire.Args) ([]byte, error) {
	if _, ok := args["user"]; !ok {
		args["user"] = c.name
	}
	return p.codec.Encode(m, args, set)
}

// build makes the bytes of messages of c.
func (p *play) build(c *client, list []scenario.Outgoing) ([]byte, error) {
	var b []byte
	for _, out := range list {
		args, err := p.expand(out.Args, p.lookup)
		if err != nil {
			return nil, err
		}
		set, err := p.expand(out.Set, p.lookup)
		if err != nil {
			return nil, err
		}
		one, err := p.encode(c, p.codec.Message(out.Message), args, set)
		if err != nil {
			return nil, err
		}
		b = append(b, one...)
	}
	return b, nil
}

func (p *play) doSend(c *client, do scenario.Send) *failure {
	b, err := p.build(c, do.Messages)
	if err != nil {
		return harnessError(err)
	}
	if do.Until != nil {
		return p.doUntilReceived(c, do.Until, false, func() *failure { return p.sendCut(c, b, do.How) })
	}
	times := 1
	if do.Times.IsSet() {
		var err error
		if times, err = do.Times.Int(p.lookup); err != nil {
			return harnessError(err)
		}
	}
	if do.How.Everywhere {
		p.sweep.where = p.cutInWords(b, do.Messages)
	}
	for range times {
		if f := p.sendCut(c, b, do.How); f != nil {
			return f
		}
	}
	for _, out := range do.Messages {
		switch {
		case do.How.Cut.IsSet():
		case out.Message == leaveMessage:
			c.inRoom, c.settled, c.goodbye = false, false, true
		case out.Message == loginMessage:
			c.byHand = true
		}
	}
	return nil
}

// leaveMessage is the standard name of the message by which a client says
// goodbye.
const leaveMessage = "leave"

// loginMessage is that by which it logs in.
const loginMessage = "login"

func (p *play) doSendBytes(c *client, do scenario.SendBytes) *failure {
	text, err := do.Data.Text(p.lookup)
	if err != nil {
		return harnessError(err)
	}
	if do.How.IsWhole() {
		c.begun = p.isBeginning([]byte(text))
		return p.sendRaw(c, []byte(text), "raw bytes")
	}
	return p.sendCut(c, []byte(text), do.How)
}

// sendRaw sends bytes that are not looked at as messages.
func (p *play) sendRaw(c *client, b []byte, what string) *failure {
	body := transcript.NewBody(b)
	p.record(event{Event: transcript.Event{Kind: transcript.Send, Client: c.label, Body: &body, Text: what}})
	c.spoke = true
	return p.write(c, b)
}

// isBeginning says that b does not end where a message ends: the target takes
// whatever follows for the rest of it.
func (p *play) isBeginning(b []byte) bool {
	var f wire.Frame
	for len(b) > 0 {
		n, err := p.codec.Decode(&f, b, p.own)
		if err != nil {
			return true
		}
		b = b[n:]
	}
	return false
}

// sendCut sends b in the segments that how asks for.
func (p *play) sendCut(c *client, b []byte, how scenario.Cutting) *failure {
	segments, err := p.segments(c, b, how)
	if err != nil {
		return harnessError(err)
	}
	if how.Cut.IsSet() {
		body := transcript.NewBody(segments[0])
		p.record(event{Event: transcript.Event{Kind: transcript.Send, Client: c.label, Body: &body, Text: "only the beginning of a message"}})
		c.whole = b
	} else {
		p.recordSent(c, b, p.purpose(c))
	}
	c.begun = len(c.held) > 0 || p.isBeginning(b)
	for _, s := range segments {
		if len(segments) > 1 {
			body := transcript.NewBody(s)
			p.record(event{Event: transcript.Event{Kind: transcript.Send, Client: c.label, Body: &body, Text: "a segment of it"}})
		}
		if f := p.write(c, s); f != nil {
			return f
		}
	}
	return nil
}

// segments cuts b; what Cut takes off is held back in c.
func (p *play) segments(c *client, b []byte, how scenario.Cutting) ([][]byte, error) {
	var borders []int
	switch {
	case how.Cut.IsSet():
		n, err := how.Cut.Int(p.lookup)
		if err != nil {
			return nil, err
		}
		n = min(n, len(b))
		c.held = b[n:]
		return [][]byte{b[:n]}, nil
	case how.Everywhere:
		p.sweep.size = len(b)
		borders = []int{p.sweep.at}
	case how.Pieces.IsSet():
		n, err := how.Pieces.Int(p.lookup)
		if err != nil {
			return nil, err
		}
		for at := max(n, 1); at < len(b); at += max(n, 1) {
			borders = append(borders, at)
		}
	}
	for _, v := range how.Split {
		at, err := v.Int(p.lookup)
		if err != nil {
			return nil, err
		}
		if at > 0 && at < len(b) {
			borders = append(borders, at)
		}
	}
	var segments [][]byte
	from := 0
	for _, at := range append(borders, len(b)) {
		if at > from {
			segments = append(segments, b[from:at])
			from = at
		}
	}
	return segments, nil
}

// recordSent notes the messages in b, which c is about to send.
func (p *play) recordSent(c *client, b []byte, purpose transcript.Purpose) {
	for len(b) > 0 {
		e := event{Event: transcript.Event{Kind: transcript.Send, Client: c.label, Purpose: purpose}, from: p.own}
		var f wire.Frame
		n, err := p.codec.Decode(&f, b, p.own)
		if err != nil {
			body := transcript.NewBody(b)
			e.Body = &body
			if !errors.Is(err, wire.ErrShort) {
				e.Text = err.Error()
			}
			n = len(b)
		} else {
			f.SetFirst(!c.spoke)
			e.frame = f.Clone()
		}
		c.spoke = true
		p.record(e)
		b = b[n:]
	}
}

func (p *play) doStop(do scenario.Stop) *failure {
	how, err := do.How.Text(p.lookup)
	if err != nil {
		return harnessError(err)
	}
	p.stopped = true
	if err := p.target.Stop(how); err != nil {
		return harnessError(err)
	}
	return nil
}

func (p *play) doExits() *failure {
	p.stopped = true
	e := p.wait(p.deadline, nil, func() bool { _, ended := p.exited(); return ended })
	if e == met || e == gone {
		return nil
	}
	return fail(nil, "the server ends", "it is still running after %s", round(p.deadline))
}

func (p *play) doListensAsTold() *failure {
	if !p.target.Strayed {
		return nil
	}
	return fail(nil, "the server listens on the port that it was given", "it listens on another one")
}

// doIsUp brings in one more client, under a name of its own.
func (p *play) doIsUp() *failure {
	p.visitors++
	c := p.newClient(fmt.Sprintf("visitor%d", p.visitors), false)
	p.clients[&scenario.Client{Name: c.label}] = c
	f := p.login(c, nil)
	p.close(c, transcript.Close)
	return f
}
