package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// A contact is what the first conversation with a target has shown.
type contact struct {
	codec     *wire.Codec
	abilities abilities
	spoke     bool   // two clients could chat
	dead      bool   // it cannot even be started or reached
	cannot    bool   // and that is the probe's fault, not the target's
	finding   string // what is wrong with it as a whole
	run       *transcript.Run
	took      time.Duration
	declared  map[string]string // choices that the target says it makes
}

type abilities struct{ output, process, ownPort bool }

// speechless says what the first contact was to show, and did not.
func (c contact) speechless(fence *scenario.FenceRule) string {
	if fence != nil && fence.Question != nil {
		return "no client could log in at all"
	}
	return "no two clients could chat with each other at all"
}

// manner is how scenarios are played after this contact: a target that took
// long to greet its first clients is given more time.
func (c contact) manner(timeout time.Duration) manner {
	return manner{codec: c.codec, deadline: timeout + min(10*c.took, 4*timeout)}
}

// searchTimeout bounds one guess, where there are others to try.
const searchTimeout = 600 * time.Millisecond

// contact has two clients chat with each other, on a fresh target for each
// guess at what has to be guessed.
func (s *Session) contact(ctx context.Context) contact {
	values, err := s.Suite.Protocol.Settle(s.Settings)
	if err != nil {
		codec, _ := s.Suite.Protocol.Bind(nil)
		return contact{codec: codec, dead: true, cannot: true, finding: err.Error()}
	}
	guesses := s.Suite.Protocol.Guesses(values)
	first := contact{codec: s.bind(guesses[0])}
	if s.Trusted {
		first.spoke, first.abilities = true, abilities{output: true, process: true, ownPort: s.OwnPort}
		return first
	}
	target, err := s.Launch(ctx)
	if ctx.Err() != nil {
		if err == nil {
			target.Close()
		}
		return first
	}
	if err != nil {
		first.dead, first.finding = true, err.Error()
		var own *TargetError
		first.cannot = !errors.As(err, &own)
		return first
	}
	first.abilities = abilities{output: target.Printed != nil, process: target.Stop != nil, ownPort: target.OwnPort}
	defer s.offer(target)()
	var last contact
	for _, slow := range []bool{false, true} {
		var timeout time.Duration
		if len(guesses) > 1 && !slow {
			timeout = searchTimeout
		}
		last = s.guess(ctx, guesses, timeout, slow)
		last.abilities = first.abilities
		switch {
		case ctx.Err() != nil:
			last.run = nil // it shows no more than that it was interrupted
			return last
		case last.spoke:
			values := maps.Clone(last.codec.Settings)
			maps.Copy(values, last.declared)
			last.codec = s.bind(values)
			return last
		case last.dead:
			last.codec = first.codec
			last.finding = "the target cannot be reached: " + last.run.Failure.Got
			return last
		}
	}
	last.codec = first.codec
	last.finding = s.explainSilence(ctx, values, last)
	return last
}

// offer has the next launch give a target that is running already. What it
// returns takes the offer back.
func (s *Session) offer(target *Target) (end func()) {
	offered := make(chan *Target, 1)
	offered <- target
	launch := s.Launch
	s.Launch = func(ctx context.Context) (*Target, error) {
		select {
		case t := <-offered:
			return t, nil
		default:
			return launch(ctx)
		}
	}
	return func() {
		s.Launch = launch
		select {
		case t := <-offered:
			t.Close()
		default:
		}
	}
}

// guess tries all guesses, side by side where each can have a target of its
// own, and returns the first in order under which clients could chat, else the
// one to which most was said. timeout, if not 0, is shorter than the usual one.
func (s *Session) guess(ctx context.Context, guesses []map[string]string, timeout time.Duration, slow bool) contact {
	how := manner{deadline: s.Timeout, slow: slow}
	if timeout > 0 {
		how.deadline = min(timeout, s.Timeout)
	}
	results := make([]contact, len(guesses))
	var greeting sync.WaitGroup
	defer greeting.Wait()
	for i, guess := range guesses {
		how := how
		how.codec = s.bind(guess)
		if s.Shared {
			if results[i] = s.greet(ctx, how); results[i].spoke {
				return results[i]
			}
			continue
		}
		// Once one guess was right, those after it need not go on.
		var cancel context.CancelFunc
		earlier := ctx
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		greeting.Go(func() {
			if results[i] = s.greet(earlier, how); results[i].spoke {
				cancel()
			}
		})
	}
	greeting.Wait()
	for _, c := range results {
		if c.spoke {
			return c
		}
	}
	// The guess that the target said most to is the nearest.
	return slices.MaxFunc(results, func(a, b contact) int { return a.received() - b.received() })
}

// received counts the messages that came.
func (c contact) received() int {
	n := 0
	if c.run != nil {
		for _, e := range c.run.Events {
			if e.Kind == transcript.Receive {
				n++
			}
		}
	}
	return n
}

// bind makes a codec of values that were checked before.
func (s *Session) bind(values map[string]string) *wire.Codec {
	codec, err := s.Suite.Protocol.Bind(values)
	if err != nil {
		panic(fmt.Sprintf("bind checked settings: %v", err))
	}
	return codec
}

// greet plays the shortest of all plays: two clients log in and settle.
func (s *Session) greet(ctx context.Context, how manner) contact {
	sc := &scenario.Scenario{
		Name: "first-contact", Title: "two clients log in and chat", Level: wire.Must,
		Clients: []*scenario.Client{{Name: "alice", Listed: true}, {Name: "bob", Listed: true}},
	}
	switch {
	case s.Program != nil:
		sc = s.firstUse()
	case s.Suite.Procedure(loginProcedure) == nil || s.Suite.Fence == nil:
		// Nobody logs in there: that it takes connections is all there is to see.
		sc.Title, sc.Clients = "a client connects", []*scenario.Client{{Name: "alice"}}
		sc.Steps = []*scenario.Step{{Text: "alice connects:", Who: sc.Clients, Do: scenario.Connect{}}}
	}
	var printed []byte
	how.printed = &printed
	run, f := s.playOnce(ctx, sc, how)
	c := contact{codec: how.codec, declared: s.declarations(printed), spoke: f == nil, took: time.Duration(run.Seconds * float64(time.Second))}
	if how.slow {
		c.took = s.Timeout / 10
	}
	if !c.spoke {
		c.took = 0
	}
	if f != nil || s.Transcripts {
		c.run = &run
	}
	if f != nil {
		c.dead = f.unreachable
	}
	return c
}

// declaration is a line by which a server tells which choices it makes, such as
//
//	chatprobe settings: echo=no duplicate_name=refuse
var declaration = regexp.MustCompile(`(?m)^chatprobe settings: (.+)$`)

// declarations are the settings that a target declares in what it prints. The
// user's word counts for more, and what stands on the wire is found out.
func (s *Session) declarations(printed []byte) map[string]string {
	declared := map[string]string{}
	m := declaration.FindSubmatch(printed)
	if m == nil {
		return declared
	}
	for _, word := range strings.Fields(string(m[1])) {
		name, value, _ := strings.Cut(word, "=")
		set := s.Suite.Protocol.Setting(name)
		_, given := s.Settings[name]
		if set == nil || set.OnWire || given || set.Check(value) != nil {
			continue
		}
		declared[name] = value
	}
	return declared
}

// explainSilence is the first sentence of a report on a target with which no
// conversation was possible.
func (s *Session) explainSilence(ctx context.Context, values map[string]string, c contact) string {
	p := s.Suite.Protocol
	var b strings.Builder
	fmt.Fprintf(&b, "the target does not seem to speak %s", p.Name)
	if other := s.otherChoice(ctx, values); other != "" {
		fmt.Fprintf(&b, " with these settings, but it does with %s", other)
		return b.String()
	}
	failed := "two clients could not chat with each other"
	if f := s.Suite.Fence; f == nil || f.Question != nil {
		failed = "no client could log in"
	}
	fmt.Fprintf(&b, ": %s. %s", failed, sentence(c.run.Reason))
	if said := whatCame(c.run); said != "" {
		fmt.Fprintf(&b, " It sent %s.", said)
	} else {
		b.WriteString(" It sent nothing at all.")
	}
	b.WriteString(" If it speaks a variant of the protocol, describe it in a protocol file of its own")
	return b.String()
}

// otherChoice finds out whether a setting that bytes depend on was given a
// wrong value. It is "name=value", or empty.
func (s *Session) otherChoice(ctx context.Context, values map[string]string) string {
	for _, set := range s.Suite.Protocol.Settings {
		if !set.OnWire || values[set.Name] == wire.Any {
			continue
		}
		for _, choice := range set.Choices() {
			if choice == values[set.Name] || ctx.Err() != nil {
				continue
			}
			other := maps.Clone(values)
			other[set.Name] = choice
			how := manner{codec: s.bind(other), deadline: min(s.Timeout, searchTimeout)}
			if s.greet(ctx, how).spoke {
				return set.Name + "=" + choice
			}
		}
	}
	return ""
}

func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// whatCame is the first bytes that a target sent, made printable.
func whatCame(run *transcript.Run) string {
	const limit = 48
	for _, e := range run.Events {
		if e.Kind != transcript.Receive && e.Body == nil || e.Kind == transcript.Send {
			continue
		}
		body := e.Body
		if e.Message != nil {
			body = &e.Message.Bytes
		}
		if body == nil {
			continue
		}
		head := body.Head
		if len(head) > limit {
			head = head[:limit]
		}
		return fmt.Sprintf(`"%s" first (%d bytes)`, transcript.Printable(head), body.Length)
	}
	if run.Failure != nil && run.Failure.Partial != nil {
		head := run.Failure.Partial.Head
		return fmt.Sprintf(`"%s" (%d bytes, no whole message)`, transcript.Printable(head[:min(len(head), limit)]), run.Failure.Partial.Length)
	}
	return ""
}

// describeSettings says under which choices the target was judged, and where
// they came from.
func (s *Session) describeSettings(c contact) []transcript.Setting {
	var list []transcript.Setting
	values := c.codec.Settings
	for _, set := range s.Suite.Protocol.Settings {
		t := transcript.Setting{Name: set.Name, Value: values[set.Name], Origin: transcript.Default}
		given, ok := s.Settings[set.Name]
		switch {
		case ok && given != wire.Any:
			t.Origin = s.Origin
		case !c.spoke:
		case c.declared[set.Name] != "":
			t.Origin = transcript.Declared
		case set.OnWire && t.Value != wire.Any && (ok && given == wire.Any || !ok && set.Default == wire.Any):
			t.Origin = transcript.Found
		}
		if slices.Contains(set.Warn, t.Value) && (t.Origin == transcript.Set || t.Origin == transcript.Found) {
			t.Warning = fmt.Sprintf("%s=%s is unusual: %s", set.Name, t.Value, set.About)
		}
		list = append(list, t)
	}
	return list
}
