package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// A play is one performance of a scenario: everything that changes is here.
// One goroutine, the player, goes through the steps; each connection has one
// that reads. They share what stands below mu.
type play struct {
	session  *Session
	scenario *scenario.Scenario
	run      *transcript.Run // only its name and the like
	codec    *wire.Codec
	own      wire.Side // the probe's
	peer     wire.Side
	host     *host // where a client program is tested; else nil
	target   *Target
	deadline time.Duration
	pause    time.Duration // after each message; 0 unless the play is slow
	suffix   string        // of names
	began    time.Time
	ctx      context.Context

	// Only the player touches these.
	clients  map[*scenario.Client]*client
	hidden   *client
	self     *client // who does the procedure that is being played
	vars     map[string]any
	silences []silence
	notes    []string
	stopped  bool // a step has stopped the target
	setUp    bool // the clients are being brought in
	tokenNo  int
	waited   time.Duration // in vain, the last time
	visitors int
	entered  int    // logins so far
	unread   int    // bytes sent over UDP since the server was last seen to read
	inSync   bool   // is seeing to that right now
	matched  string // the message that the last step received
	sweep    sweep
	readers  sync.WaitGroup

	wake chan struct{} // something below has changed

	mu      sync.Mutex
	tokens  map[string]*token
	stem    string // how all tokens of this play begin
	events  []event
	dropped int
	ready   bool // the set-up is over
	seq     int  // how many messages have arrived, at all clients
}

// An event is a transcript.Event whose message is not yet put into words.
type event struct {
	transcript.Event
	when  time.Time
	frame *wire.Frame
	from  wire.Side
}

// A failure is why a play ended early.
type failure struct {
	verdict  transcript.Verdict // Fail, Skip or Error; the set-up turns Fail into Blocked
	expected string
	got      string
	client   *client // whose messages show what came instead; may be nil
	wanted   *transcript.Message
	rushed   bool   // haste may be the cause: worth a slow play
	crowd    bool   // one of a crowd did not get in, which is what a crowd is for
	where    string // instead of a step
	inner    string // the step of a procedure

	unreachable bool // no connection could be made at all
}

// fail is a failure of the target.
func fail(c *client, expected, got string, args ...any) *failure {
	return &failure{verdict: transcript.Fail, client: c, expected: expected, got: fmt.Sprintf(got, args...)}
}

// unreached marks a failure to connect.
func (f *failure) unreached() *failure {
	f.unreachable = true
	return f
}

// interrupted is how every play ends that was cancelled.
func interrupted() *failure {
	return &failure{verdict: transcript.Error, expected: "the play goes on to its end", got: errInterrupted.Error()}
}

var errInterrupted = errors.New("the run was interrupted")

// harnessError is a failure of the probe.
func harnessError(err error) *failure {
	return &failure{verdict: transcript.Error, expected: "the probe can play this step", got: err.Error()}
}

func (s *Session) newPlay(ctx context.Context, sc *scenario.Scenario, run *transcript.Run, target *Target, how manner) *play {
	p := &play{
		session: s, scenario: sc, run: run, codec: how.codec, own: wire.Client, peer: wire.Server, target: target, ctx: ctx,
		deadline: how.deadline,
		began:    time.Now(),
		clients:  map[*scenario.Client]*client{},
		vars:     map[string]any{},
		wake:     make(chan struct{}, 1),
		tokens:   map[string]*token{},
	}
	words := newWords(s.Seed, sc.Name, how.slow)
	p.stem = words.next(5)
	if s.Shared {
		p.suffix = words.next(4)
	}
	if how.slow {
		p.pause = min(s.SlowPause, 20*time.Second/time.Duration(4*len(sc.Clients)+4))
		if sc.Sweeps() {
			p.pause /= 10 // there are many of them
		}
		p.deadline = how.deadline + 2*p.pause
	}
	for _, c := range sc.Clients {
		p.clients[c] = p.newClient(c.Name, c.Stalls)
	}
	if sc.Hidden {
		p.hidden = p.newClient(hiddenName, false)
	}
	if target.Remark != "" {
		p.note(target.Remark)
	}
	if target.Notify != nil {
		target.Notify(p.changed)
	}
	return p
}

// hiddenName is the name of the client that no step names. No word of it may
// look like a notice about somebody.
const hiddenName = "zwtnss"

// perform plays the scenario from the first login to the last step. Whatever
// goes wrong once the play is cancelled is no fault of the target.
func (p *play) perform() (*scenario.Step, *failure) {
	step, f := p.allSteps()
	if p.ctx.Err() != nil {
		return step, interrupted()
	}
	return step, f
}

func (p *play) allSteps() (*scenario.Step, *failure) {
	if f := p.bringIn(); f != nil {
		f.where = "before the first step, the clients of the scenario log in"
		if f.verdict == transcript.Fail && !f.crowd && p.scenario.Listed() > 0 {
			f.verdict = transcript.Blocked
		}
		return nil, f
	}
	for again := true; again; again = p.cutFurther() {
		for _, step := range p.scenario.Steps {
			p.record(event{Event: transcript.Event{Kind: transcript.Step, Text: step.Text}})
			if f := p.do(step); f != nil {
				return step, p.whereCut(f)
			}
			if p.ctx.Err() != nil {
				return step, nil
			}
		}
	}
	return p.checkSilences()
}

// bringIn connects, logs in and settles the clients that the scenario lists.
func (p *play) bringIn() *failure {
	p.setUp = true
	if p.hidden != nil {
		if f := p.login(p.hidden, nil); f != nil {
			return f
		}
	}
	var crowd []*client
	for _, sc := range p.scenario.Clients {
		bring := p.login
		switch {
		case !sc.Listed:
			continue
		case sc.Crowd && p.entered > 0 && p.session.Suite.Fence.Question == nil:
			bring = p.enterHeard
			crowd = append(crowd, p.clients[sc])
		}
		if f := bring(p.clients[sc], nil); f != nil {
			f.crowd = sc.Crowd
			return f
		}
	}
	if len(crowd) > 0 {
		if f := p.settleCrowd(crowd); f != nil {
			f.crowd = true
			return f
		}
	}
	p.setUp = false
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ready = true
	for _, c := range p.all() {
		c.forget()
	}
	return nil
}

// all are the clients of the play in a fixed order, the hidden one first.
func (p *play) all() []*client {
	var list []*client
	if p.hidden != nil {
		list = append(list, p.hidden)
	}
	for _, sc := range p.scenario.Clients {
		list = append(list, p.clients[sc])
	}
	return list
}

// record adds an event. It must not be called with mu held.
func (p *play) record(e event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recordLocked(e)
}

func (p *play) recordLocked(e event) {
	if len(p.events) >= maxEvents {
		p.dropped++
		return
	}
	e.when = time.Now()
	p.events = append(p.events, e)
	if p.session.Watch != nil {
		p.session.Watch(p.run, p.pause > 0, p.eventInWords(e))
	}
}

// note adds a remark to the run, once.
func (p *play) note(text string) {
	if !slices.Contains(p.notes, text) {
		p.notes = append(p.notes, text)
	}
}

// lookup resolves the references of values.
func (p *play) lookup(r scenario.Ref) (string, error) {
	switch r.Kind {
	case scenario.ClientName:
		return p.of(r.Client).name, nil
	case scenario.ClientIP, scenario.ClientPort:
		addr := p.of(r.Client).local
		if r.Client == scenario.Program {
			if addr = p.host.programAddr(); !addr.IsValid() {
				return "", errors.New("the program has not connected yet, so its address is not known")
			}
		}
		if r.Kind == scenario.ClientPort {
			return fmt.Sprint(addr.Port()), nil
		}
		return addr.Addr().Unmap().String(), nil
	case scenario.TokenText:
		return p.host.token, nil
	case scenario.Setting:
		return p.codec.Settings[r.Name], nil
	case scenario.SelfName:
		return p.self.name, nil
	case scenario.ServerPort:
		if p.host != nil {
			return fmt.Sprint(p.host.port), nil
		}
		for _, c := range p.all() {
			if c.remote.IsValid() {
				return fmt.Sprint(c.remote.Port()), nil
			}
		}
		return "", errors.New("no client has connected yet, so the port is not known")
	case scenario.Variable:
		if v, ok := p.vars[r.Name]; ok {
			return fmt.Sprint(v), nil
		}
		return "", fmt.Errorf("nothing was bound to ?%s", r.Name)
	}
	return "", fmt.Errorf("reference %q means nothing here", r.Name)
}

// of is the client that a step means.
func (p *play) of(c *scenario.Client) *client {
	switch c {
	case scenario.Self:
		return p.self
	case scenario.Program:
		return p.host.client
	}
	return p.clients[c]
}

// expand gives arguments their final form. Names to bind stay open.
func (p *play) expand(args map[string]scenario.Value, lookup func(scenario.Ref) (string, error)) (wire.Args, error) {
	out := wire.Args{}
	for _, name := range slices.Sorted(maps.Keys(args)) {
		v := args[name]
		if v.Bind != "" {
			continue
		}
		if r, alone := v.Alone(); alone && r.Kind == scenario.Variable && p.vars[r.Name] != nil {
			out[name] = p.vars[r.Name] // it keeps its type
			continue
		}
		x, err := v.Expand(lookup)
		if err != nil {
			return nil, err
		}
		out[name] = x
	}
	return out, nil
}

// bind remembers what ?x stood for.
func (p *play) bind(args map[string]scenario.Value, found wire.Args) {
	for name, v := range args {
		if x, ok := found[name]; ok && v.Bind != "" {
			p.vars[v.Bind] = x
		}
	}
}
