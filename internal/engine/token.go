package engine

import (
	"bytes"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// A token is a short word that only one client says and only once (or again,
// when it seems lost): whoever receives it has received all that came before.
type token struct {
	text   string
	sender *client
	name   string // of the sender on the wire, when it said it
	// question says that the server itself answers it.
	question bool
}

// words makes words of consonants, which no notice of any server contains.
type words struct{ rng *rand.Rand }

const consonants = "bcdfghjklmnpqrstvwxz"

func newWords(seed uint64, name string, slow bool) words {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	n := h.Sum64()
	if slow {
		n++
	}
	return words{rand.New(rand.NewPCG(seed, n))}
}

func (w words) next(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = consonants[w.rng.IntN(len(consonants))]
	}
	return string(b)
}

// counter is how many letters of a token tell it from the others of its play.
const counter = 4

func (p *play) newToken(c *client) *token {
	p.tokenNo++
	b := []byte(p.stem)
	for i, n := 0, p.tokenNo; i < counter; i, n = i+1, n/len(consonants) {
		b = append(b, consonants[n%len(consonants)])
	}
	t := &token{text: string(b), sender: c, name: c.name}
	p.mu.Lock()
	p.tokens[t.text] = t
	p.mu.Unlock()
	return t
}

// newQuestion is a token that the server answers to c itself. One whose answer
// does not carry it is known by its turn.
func (p *play) newQuestion(c *client) *token {
	t := p.newToken(c)
	p.mu.Lock()
	defer p.mu.Unlock()
	t.question = true
	c.asked = append(c.asked, t)
	return t
}

// answered finds the question of c that f answers, or nil. play.mu is held.
func (c *client) answered(f *wire.Frame) *token {
	for i, t := range c.asked {
		if c.play.arrives(t, f) {
			c.asked = slices.Delete(c.asked, i, i+1)
			return t
		}
	}
	return nil
}

// tokenIn finds the token that a message carries, or nil. play.mu is held.
func (p *play) tokenIn(f *wire.Frame) *token {
	i := bytes.Index(f.Raw, []byte(p.stem))
	if i < 0 || len(f.Raw) < i+len(p.stem)+counter {
		return nil
	}
	return p.tokens[string(f.Raw[i:i+len(p.stem)+counter])]
}

// arrives says whether f is how the protocol delivers t.
func (p *play) arrives(t *token, f *wire.Frame) bool {
	expected := p.session.Suite.Fence.Arrives
	if t.question {
		expected = p.session.Suite.Fence.Answer
	}
	args, err := p.expand(expected.Args, p.tokenLookup(t))
	if err != nil || expected.Message == "" {
		return false
	}
	return p.codec.Message(expected.Message).Match(f, args, nil)
}

func (p *play) tokenLookup(t *token) func(scenario.Ref) (string, error) {
	return func(r scenario.Ref) (string, error) {
		switch r.Kind {
		case scenario.TokenText:
			return t.text, nil
		case scenario.SelfName:
			return t.name, nil
		}
		return p.lookup(r)
	}
}

// say has the sender of t say it, again and again for a while, until done,
// which is called with mu held. It ends early when the connection of either
// the sender or the hearer (who may be nil) has ended.
func (p *play) say(t *token, limit time.Duration, hearer *client, done func() bool) (ending, *failure) {
	c, out := t.sender, p.session.Suite.Fence.Token
	if t.question {
		out = *p.session.Suite.Fence.Question
	}
	args, err := p.expand(out.Args, p.tokenLookup(t))
	if err != nil {
		return met, harnessError(err)
	}
	m := p.codec.Message(out.Message)
	b, err := p.encode(c, m, args, nil)
	if err != nil {
		return met, harnessError(err)
	}
	over := func() bool { return c.isOver() || hearer != nil && hearer.isOver() }
	until := time.Now().Add(limit)
	for attempt := 0; ; attempt++ {
		if !c.isOpen() {
			return ended, nil
		}
		p.recordSent(c, b, transcript.Token)
		if f := p.write(c, b); f != nil {
			return ended, nil
		}
		p.sleep(p.pause)
		left := time.Until(until)
		if t.question && !p.codec.IsDatagram(p.own) {
			attempt = len(resend) // one question has one answer
		}
		if attempt < len(resend) {
			left = min(left, resend[attempt]+p.pause)
		}
		last := attempt >= len(resend) || left < resend[attempt]
		e := p.await(left, last && limit >= p.deadline, nil, func() bool { return done() || over() })
		switch {
		case e == met:
			p.mu.Lock()
			ok := done()
			p.mu.Unlock()
			if !ok {
				e = ended
			}
			return e, nil
		case e != timedOut, !time.Now().Before(until):
			return e, nil
		case attempt >= len(resend):
			return e, nil
		}
	}
}
