package engine

import (
	"fmt"
	"strings"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
)

func (p *play) doReceive(c *client, do scenario.Receive) *failure {
	times := 1
	if do.Times.IsSet() {
		var err error
		if times, err = do.Times.Int(p.lookup); err != nil {
			return harnessError(err)
		}
	}
	type wanted struct {
		expected scenario.Expected
		message  *wire.Message
		args     wire.Args
		done     bool
		seen     int // how many of the inbox it is not
	}
	var list []*wanted
	var words []string
	for range times {
		for _, x := range do.Messages {
			w := &wanted{expected: x}
			list = append(list, w)
			if x.Disconnect {
				words = append(words, "the end of the connection")
				continue
			}
			var err error
			if w.args, err = p.expand(x.Args, p.lookup); err != nil {
				return harnessError(err)
			}
			w.message = p.codec.Message(x.Message)
			words = append(words, w.message.Describe(w.args))
		}
	}
	try := func(w *wanted) bool {
		if w.expected.Disconnect {
			w.done = w.done || c.over == serverClosed || c.over == serverReset
			return w.done
		}
		for i := w.seen; i < len(c.inbox) && !w.done; i++ {
			d := c.inbox[i]
			if d.skip() {
				w.seen = i + 1
				continue
			}
			found := wire.Args{}
			if p.matches(w.message, d.frame, w.args, found) {
				d.taken, w.done = true, true
				p.matched = w.message.Name
				p.bind(w.expected.Args, found)
			} else if do.Next {
				break
			} else {
				w.seen = i + 1
			}
		}
		return w.done
	}
	e := p.wait(p.deadline, c, func() bool {
		missing := 0
		for _, w := range list {
			if !w.done && !try(w) {
				missing++
			}
			if w.done && do.Which == scenario.OneOf {
				return true
			}
		}
		return missing == 0 || do.Next && c.fresh() > 0
	})
	missing := 0
	for _, w := range list {
		if !w.done {
			missing++
		}
	}
	if missing == 0 || do.Which == scenario.OneOf && missing < len(list) {
		return nil
	}
	verb, sep := "receives", " and "
	if p.host != nil {
		verb = "sends"
	}
	if do.Which == scenario.OneOf {
		sep = " or "
	}
	expected := fmt.Sprintf("%s %s %s", c, verb, strings.Join(words[:len(do.Messages)], sep))
	if times > 1 {
		expected += fmt.Sprintf(", %d times", times)
	}
	got := p.why(e, c)
	if done := len(list) - missing; done > 0 {
		got = fmt.Sprintf("%d of %d came; then %s", done, len(list), got)
	}
	if do.Next && e == met {
		got = anotherFirst
	}
	f := fail(c, expected, "%s", got)
	if len(do.Messages) == 1 && list[0].message != nil {
		f.wanted = p.wantedBytes(list[0].message, list[0].args)
	}
	return f
}

// anotherFirst is what happened where a message should have been the next.
const anotherFirst = "another message came first"

// wantedBytes is an expected message as it would look on the wire, or nil
// where that is not fixed.
func (p *play) wantedBytes(m *wire.Message, args wire.Args) *transcript.Message {
	b, err := p.codec.Example(m, args)
	if err != nil {
		return nil
	}
	var f wire.Frame
	if _, err := p.codec.Decode(&f, b, p.peer); err != nil {
		return nil
	}
	return f.Transcript(m, p.peer)
}

func (p *play) doSilence(step *scenario.Step) *failure {
	if f := p.fence(step.Fence); f != nil {
		return f
	}
	for _, who := range step.Who {
		s := silence{step: step, client: p.of(who)}
		if do, ok := step.Do.(scenario.ReceiveNo); ok {
			s.message = p.codec.Message(do.Message.Message)
			var err error
			if s.args, err = p.expand(do.Message.Args, p.lookup); err != nil {
				return harnessError(err)
			}
		}
		if f := p.broken(s); f != nil {
			return f
		}
		p.silences = append(p.silences, s)
	}
	return nil
}

func (p *play) doStaysConnected(step *scenario.Step) *failure {
	if f := p.fence(step.Fence); f != nil {
		return f
	}
	for _, who := range step.Who {
		c := p.of(who)
		p.mu.Lock()
		over, reason := c.isOver() || c.conn == nil, c.overReason()
		p.mu.Unlock()
		if over {
			return fail(c, fmt.Sprintf("%s stays connected", c), "%s", reason)
		}
	}
	return nil
}

// A silence is a claim that some message has not come, to be checked again at
// the end of the play.
type silence struct {
	step    *scenario.Step
	client  *client
	message *wire.Message // nil: any
	args    wire.Args
}

// checkSilences holds every claim of silence against all that has come since,
// and looks whether the target is still alive.
func (p *play) checkSilences() (*scenario.Step, *failure) {
	for _, s := range p.silences {
		if f := p.broken(s); f != nil {
			return s.step, f
		}
	}
	if how, ended := p.exited(); ended && !p.stopped {
		f := fail(nil, "the server is still running at the end", "the program %s", how)
		f.where = "after the last step"
		return nil, f
	}
	return nil, nil
}

// broken says whether a claim of silence does not hold.
func (p *play) broken(s silence) *failure {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range s.client.inbox {
		if d.skip() || s.message != nil && !p.matches(s.message, d.frame, s.args, nil) {
			continue
		}
		what := "no message at all"
		if s.message != nil {
			what = "no " + s.message.Describe(s.args)
		}
		return fail(s.client, fmt.Sprintf("%s receives %s", s.client, what), "%s received one", s.client)
	}
	return nil
}
