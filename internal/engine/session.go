package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// A Session plays scenarios of one suite against one kind of target. It may
// run once.
type Session struct {
	Suite  *scenario.Suite
	Launch Launch
	// Program starts a client program, if that is the target, and not Launch.
	Program ProgramLaunch
	Config

	slowSlots chan struct{} // for plays that mostly wait
	absent    atomic.Bool   // an optional answer did not come
	unrest    atomic.Int32  // waits for a client program to rest, in vain and in a row
	health    health
}

// manner is how a play is to be performed.
type manner struct {
	codec    *wire.Codec
	deadline time.Duration
	slow     bool
	printed  *[]byte // takes what the target has printed at the end, unless nil
}

// Run plays the scenarios and returns what is said about the suite as a whole
// and one Run for each, in the same order. When ctx ends, what is not yet
// judged is an error.
func (s *Session) Run(ctx context.Context, list []*scenario.Scenario) (transcript.Suite, []transcript.Run) {
	header := transcript.Suite{Name: s.Suite.Name, Title: s.Suite.Protocol.Title}
	if s.Timeout == 0 {
		s.Timeout = defaultTimeout
	}
	if s.SlowPause == 0 {
		s.SlowPause = slowPause
	}
	if s.Slots == nil || s.Shared {
		s.Slots = make(chan struct{}, 1) // one at a time
	}
	s.slowSlots = make(chan struct{}, maxSlow)
	if s.Shared {
		s.slowSlots = s.Slots
	}
	var c contact
	if s.Program != nil {
		c = s.contactProgram(ctx)
	} else {
		c = s.contact(ctx)
	}
	header.Finding, header.Contact = c.finding, c.run
	header.Settings = s.describeSettings(c)
	runs := make([]transcript.Run, len(list))
	var players sync.WaitGroup
	order := startOrder(list)
	if s.Shuffle {
		rng := rand.New(rand.NewPCG(s.Seed, uint64(len(list))))
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	for _, i := range order {
		sc := list[i]
		if verdict, reason := s.excuse(ctx, sc, c); verdict != "" {
			runs[i] = s.newRun(sc)
			runs[i].Verdict, runs[i].Reason = verdict, reason
			continue
		}
		release := takeSlot(ctx, s.Slots)
		if release == nil {
			runs[i] = s.newRun(sc)
			runs[i].Verdict, runs[i].Reason = transcript.Error, errInterrupted.Error()
			continue
		}
		players.Add(1)
		runs[i] = s.newRun(sc)
		go func() {
			defer players.Done()
			if s.health.block(&runs[i]) {
				release()
				return
			}
			how := c.manner(s.Timeout)
			run, f := s.playOnce(ctx, sc, how)
			release()
			if f != nil && f.rushed && c.spoke && ctx.Err() == nil {
				run = s.playSlowly(ctx, sc, how, run)
			}
			runs[i] = run
		}()
	}
	players.Wait()
	applyAfter(list, runs)
	return header, runs
}

// takeSlot waits for leave to play one more scenario. It is nil when ctx ends
// before that.
func takeSlot(ctx context.Context, slots chan struct{}) (release func()) {
	select {
	case slots <- struct{}{}:
		return func() { <-slots }
	case <-ctx.Done():
		return nil
	}
}

// startOrder puts the scenarios that wait for the target's own clock first,
// so that they delay none, and then the large ones.
func startOrder(list []*scenario.Scenario) []int {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	weight := func(i int) int {
		weight := len(list[i].Clients)
		if output, process := list[i].Uses(); output || process {
			weight += 1 << 20
		}
		for _, c := range list[i].Clients {
			if c.Stalls {
				weight += 1000
			}
		}
		return weight
	}
	slices.SortStableFunc(order, func(a, b int) int { return weight(b) - weight(a) })
	return order
}

// excuse says why a scenario is not played at all, if it is not.
func (s *Session) excuse(ctx context.Context, sc *scenario.Scenario, c contact) (transcript.Verdict, string) {
	if s.Program != nil {
		return s.excuseProgram(ctx, sc, c)
	}
	if ok, why := sc.Applies(c.codec.Settings); !ok {
		return transcript.Skip, why
	}
	if why := s.unsuited(sc, c.codec); why != "" {
		return transcript.Skip, why
	}
	if ctx.Err() != nil {
		return transcript.Error, errInterrupted.Error()
	}
	if c.cannot {
		return transcript.Error, "the target could not be started"
	}
	if c.dead {
		return transcript.Blocked, "the target could not be tested at all"
	}
	output, process := sc.Uses()
	switch {
	case output && !c.abilities.output:
		return transcript.Skip, "needs to see what the server prints, and this target is only an address"
	case process && !c.abilities.process:
		return transcript.Skip, "needs to stop the server, and this target is only an address"
	case slices.Contains(sc.Needs, scenario.OwnPort) && !c.abilities.ownPort:
		return transcript.Skip, "the server was given a port, so it has none to choose"
	case slices.Contains(sc.Needs, scenario.GivenPort) && c.abilities.ownPort:
		return transcript.Skip, "the server was not given a port"
	}
	if !c.spoke && sc.Listed() > 0 {
		return transcript.Blocked, c.speechless(s.Suite.Fence)
	}
	return "", ""
}

// unsuited says why a scenario cannot be asked of a target with these settings.
func (s *Session) unsuited(sc *scenario.Scenario, codec *wire.Codec) string {
	if sc.TestsClient {
		return "tests a client program, and this target is a server"
	}
	clients := len(sc.Clients)
	if sc.Hidden {
		clients++
	}
	if most, err := strconv.Atoi(codec.Settings["max_clients"]); err == nil && clients > most {
		return fmt.Sprintf("needs %d clients, and max_clients is %d", clients, most)
	}
	if most, err := strconv.Atoi(codec.Settings["max_message"]); err == nil && sc.Common {
		if n := sc.LongestText(codec.Settings); n > most {
			return fmt.Sprintf("sends a text of %d bytes, and max_message is %d", n, most)
		}
	}
	if codec.Unframed(wire.Client) && sc.CutsUp() {
		return "is about messages in pieces, and here nothing but the sender's write says where one ends"
	}
	stalls := slices.ContainsFunc(sc.Clients, func(c *scenario.Client) bool { return c.Stalls })
	if codec.Unframed(wire.Server) && stalls {
		return "has a client that does not read for a while, and here what waits for it would run together"
	}
	return ""
}

// playSlowly plays a scenario once more where haste may have been the cause of
// its failure. The verdict is then that of the slow play.
func (s *Session) playSlowly(ctx context.Context, sc *scenario.Scenario, how manner, fast transcript.Run) transcript.Run {
	release := takeSlot(ctx, s.slowSlots)
	if release == nil {
		return unconfirmed(fast)
	}
	defer release()
	how.slow = true
	slow, _ := s.playOnce(ctx, sc, how)
	switch {
	case ctx.Err() != nil:
		return unconfirmed(fast)
	case slow.Verdict == transcript.Error || slow.Verdict == transcript.Blocked && fast.Verdict == transcript.Blocked:
		return fast
	case slow.Verdict == transcript.Pass:
		slow.Notes = append(slow.Notes, "only when not rushed: at full speed "+lowerReason(fast))
	}
	return slow
}

// unconfirmed is a failure that a slow play was to confirm, which was
// interrupted.
func unconfirmed(run transcript.Run) transcript.Run {
	run.Verdict, run.Reason = transcript.Error, errInterrupted.Error()
	return run
}

func lowerReason(run transcript.Run) string {
	if run.Failure != nil {
		return run.Failure.Got
	}
	return run.Reason
}

func (s *Session) newRun(sc *scenario.Scenario) transcript.Run {
	run := transcript.Run{
		Suite: s.Suite.Name, Scenario: sc.Name, Title: sc.Title, Level: string(sc.Level), Points: sc.Points,
		Hint: sc.Hint, File: sc.Pos.Name(), Line: sc.Pos.Line,
	}
	if sc.Requirement != nil {
		run.Requirement, run.Text = sc.Requirement.ID, sc.Requirement.Text
	}
	return run
}

// playOnce launches a target, plays, and ends the target.
func (s *Session) playOnce(ctx context.Context, sc *scenario.Scenario, how manner) (transcript.Run, *failure) {
	if s.Program != nil {
		return s.playProgram(ctx, sc, how)
	}
	run := s.newRun(sc)
	target, err := s.Launch(ctx)
	if err != nil {
		f := harnessError(err)
		var own *TargetError
		switch {
		case ctx.Err() != nil:
			f = interrupted()
		case errors.As(err, &own):
			f = fail(nil, "the target starts", "%v", err)
			f.verdict = transcript.Blocked
		}
		f.where = "before the first step, the target is started"
		s.judge(&run, sc, nil, f)
		if own != nil && ctx.Err() == nil {
			run.Reason = notStarted // the same for all, so that they are told once
			s.health.met(notStarted)
		}
		return run, f
	}
	var record Recording
	if s.Record != nil {
		record = s.Record(&run, how.slow)
		target = target.recorded(record)
	}
	p := s.newPlay(ctx, sc, &run, target, how)
	step, f := p.perform()
	run.Seconds = time.Since(p.began).Seconds()
	switch {
	case f == nil || !f.unreachable:
		s.health.met("")
	case s.Shared:
		s.health.met("the target cannot be reached any more: " + f.got)
	}
	s.judge(&run, sc, step, f)
	p.describe(&run, f)
	p.leave()
	p.readers.Wait()
	p.lookForSpinning()
	run.Notes = p.notes
	if record.Done != nil {
		record.Done(run)
	}
	if how.printed != nil && target.Printed != nil {
		*how.printed, _ = target.Printed(0)
	}
	target.Close()
	return run, f
}

// judge turns how a play ended into a verdict.
func (s *Session) judge(run *transcript.Run, sc *scenario.Scenario, step *scenario.Step, f *failure) {
	if f == nil {
		run.Verdict = transcript.Pass
		return
	}
	run.Verdict, run.Reason = f.verdict, f.got
	if f.verdict == transcript.Fail {
		switch sc.Level {
		case wire.Should:
			if !s.Strict {
				run.Verdict = transcript.Warn
			}
		case wire.May:
			run.Verdict = transcript.Skip
			run.Reason = "this target chose otherwise: " + f.got
		}
	}
	run.Failure = &transcript.Failure{Expected: f.expected, Got: f.got, Wanted: f.wanted}
	if step == nil {
		run.Failure.Step = f.where
		return
	}
	run.Failure.Step, run.Failure.File, run.Failure.Line = step.Text, step.Pos.Name(), step.Pos.Line
	if f.inner != "" {
		run.Failure.Step += " (" + f.inner + ")"
	}
}

// leave ends all connections. A target that lives on is left politely and
// given the time to notice, so that the next play finds an empty room; one
// that is about to be stopped is reset, so that its port is free at once.
func (p *play) leave() {
	kind := transcript.Reset
	if p.session.Shared {
		kind = transcript.Close
	}
	var left []*client
	for _, c := range p.clients {
		if c.conn != nil {
			p.close(c, kind)
			left = append(left, c)
		}
	}
	if p.hidden != nil && p.hidden.conn != nil {
		p.close(p.hidden, kind)
		left = append(left, p.hidden)
	}
	if p.session.Shared {
		p.awaitEnd(left...)
	}
}

// applyAfter blocks what could only fail because another scenario did.
func applyAfter(list []*scenario.Scenario, runs []transcript.Run) {
	verdicts := map[string]transcript.Verdict{}
	for i := range runs {
		verdicts[list[i].Name] = runs[i].Verdict
		switch runs[i].Verdict { // of several plays of a scenario, one that did not pass counts
		case transcript.Fail, transcript.Warn, transcript.Blocked:
			verdicts[list[i].Base] = runs[i].Verdict
		}
	}
	for i, sc := range list {
		if runs[i].Verdict != transcript.Fail && runs[i].Verdict != transcript.Warn {
			continue
		}
		for _, name := range sc.After {
			switch verdicts[name] {
			case transcript.Fail, transcript.Warn, transcript.Blocked:
				runs[i].Verdict = transcript.Blocked
				runs[i].Reason = fmt.Sprintf("needs %s, which did not pass", name)
			}
		}
	}
}
