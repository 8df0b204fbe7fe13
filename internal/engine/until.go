package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// doUntilReceived has c ask, with ask, until what comes is what is expected:
// the server may need a moment to notice what the question is about. anything
// says that whatever comes is an answer, and that the end of the connection is
// one too; else only messages of the expected kind are.
func (p *play) doUntilReceived(c *client, expected *scenario.Expected, anything bool, ask func() *failure) *failure {
	args, err := p.expand(expected.Args, p.lookup)
	if err != nil {
		return harnessError(err)
	}
	m := p.codec.Message(expected.Message)
	began := time.Now()
	until := began.Add(p.deadline)
	for pause := resend[0]; ; pause *= 2 {
		p.mu.Lock()
		asked := p.seq
		p.mu.Unlock()
		if f := ask(); f != nil && (!anything || c.isOpen()) {
			return f
		}
		isAnswer := func(d *delivery) bool {
			return d.seq > asked && !d.skip() && (anything || m.Match(d.frame, nil, nil))
		}
		done, came := false, false
		look := func() bool {
			for _, d := range c.inbox {
				if !isAnswer(d) {
					continue
				}
				came = true
				found := wire.Args{}
				if p.matches(m, d.frame, args, found) {
					p.bind(expected.Args, found)
					done = true
				}
			}
			return came
		}
		e := p.await(max(p.deadline/4, min(time.Until(until), p.deadline/4+pause)), false, c, look)
		p.waited = time.Since(began)
		p.mu.Lock()
		for _, d := range c.inbox {
			d.taken = d.taken || isAnswer(d)
		}
		p.mu.Unlock()
		if done {
			return nil
		}
		if _, exited := p.exited(); exited || e == cancelled || e == ended && !anything || !time.Now().Before(until) {
			got := p.why(e, c)
			if came {
				got = "every answer was another one"
			}
			f := fail(c, fmt.Sprintf("%s receives %s within %s", c, m.Describe(args), round(p.deadline)), "%s", got)
			f.wanted = p.wantedBytes(m, args)
			return f
		}
		p.sleep(min(pause, time.Until(until))) // the last time is at the deadline
	}
}

// again runs a procedure, on a new connection if the last one has ended.
func (p *play) again(c *client, proc *scenario.Procedure, as *string) *failure {
	if !c.isOpen() {
		p.close(c, transcript.Close)
	}
	if proc.Settles() {
		return p.enterLoosely(c, as)
	}
	return p.runProcedure(c, proc, false)
}

// matches is [wire.Message.Match], except that lists are compared without the
// clients that no step names, and on a shared server without everybody else.
func (p *play) matches(m *wire.Message, f *wire.Frame, args, found wire.Args) bool {
	lists := wire.Args{}
	rest := wire.Args{}
	for name, v := range args {
		if _, ok := v.([]any); ok {
			lists[name] = v
		} else {
			rest[name] = v
		}
	}
	if len(lists) == 0 {
		return m.Match(f, args, found)
	}
	all := wire.Args{}
	if !m.Match(f, rest, all) {
		return false
	}
	for name, want := range lists {
		got, ok := all[name].([]any)
		if !ok || !sameNames(want.([]any), p.withoutStrangers(got, want.([]any))) {
			return false
		}
	}
	for name, v := range all {
		if _, given := args[name]; !given && found != nil {
			found[name] = v
		}
	}
	return true
}

// withoutStrangers leaves out of a list the names of clients that the play
// uses without naming them. What is expected is never left out.
func (p *play) withoutStrangers(list, wanted []any) []any {
	return slices.DeleteFunc(slices.Clone(list), func(v any) bool {
		name := fmt.Sprint(v)
		if slices.ContainsFunc(wanted, func(w any) bool { return fmt.Sprint(w) == name }) {
			return false
		}
		if p.hidden != nil && name == p.hidden.name {
			return true
		}
		return p.suffix != "" && !strings.HasSuffix(name, p.suffix)
	})
}

// sameNames compares two lists in any order.
func sameNames(a, b []any) bool {
	if len(a) != len(b) {
		return false
	}
	rest := slices.Clone(b)
	for _, v := range a {
		i := slices.IndexFunc(rest, func(w any) bool { return fmt.Sprint(v) == fmt.Sprint(w) })
		if i < 0 {
			return false
		}
		rest = slices.Delete(rest, i, i+1)
	}
	return true
}
