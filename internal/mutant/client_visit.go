package mutant

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/screen"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// A visit is one mutant of a client program at work.
type visit struct {
	habit
	codec     *wire.Codec
	program   *engine.Program
	relay     *relay // between the program and the probe; nil where no server is
	occasions *atomic.Int64
	// shadows see what happens in this visit and cannot change it; isShadow
	// says that this is one of them. See shadow.go for what they are good for.
	shadows  []*visit
	isShadow bool

	mu     sync.Mutex
	user   string     // that the program was told
	why    ending     // the program ends, or would if it ended now
	half   bool       // a line has begun to be typed
	line   string     // what has been typed of it
	said   []*message // the last messages of the server
	keys   []key      // are to be typed next
	read   int64      // of what the program has printed
	begun  []byte     // a line that it has not ended
	grew   time.Time  // when that last became longer
	output []byte     // what it seems to have printed
	screen *screen.Screen
	held   []string // lines that an operator keeps back
	last   string   // that an operator prints at the end
	over   bool     // the end of the program has been seen
	died   *engine.ProgramEnd
	gone   bool // its connection has been ended
	tell   func()

	sent, came stream   // what the program sends, and what comes for it
	up, down   [][]byte // what is to be passed on next
	noted      map[string]int
}

// key is one thing that is done on the keyboard.
type key struct {
	text  string
	enter bool
	ends  bool // the input ends
}

func newVisit(codec *wire.Codec, occasions *atomic.Int64) *visit {
	return &visit{codec: codec, occasions: occasions, why: byItself, screen: screen.New()}
}

// start starts the program, with v around it.
func (v *visit) start(ctx context.Context, launch engine.ProgramLaunch, how engine.Invocation) (*engine.Program, error) {
	v.user = how.User
	v.cast(func(s *visit) {
		s.user = how.User
		if s.told != nil {
			copied := how
			s.told(&copied)
			if copied != how {
				s.counts()
			}
		}
	})
	if v.told != nil {
		before := how
		v.told(&how)
		if before != how {
			v.counts()
		}
	}
	if isAnybodyThere(how.Server, v.codec.IsDatagram(wire.Client)) {
		r, err := v.openRelay(how.Server)
		if err != nil {
			return nil, err
		}
		v.relay = r
		how = r.instead(how)
	} else {
		v.because(byNoServer)
	}
	p, err := launch(ctx, how)
	if err != nil {
		if v.relay != nil {
			v.relay.close()
		}
		return nil, err
	}
	v.mu.Lock()
	v.program = p
	v.mu.Unlock()
	around := *p
	around.Type, around.EndInput, around.Stop = v.enter, v.endInput, v.stop
	around.Shown, around.Printed, around.Exited = v.shown, v.printedSince, v.exited
	around.Notify = func(f func()) {
		v.mu.Lock()
		v.tell = f
		v.mu.Unlock()
		p.Notify(f)
	}
	if p.TerminalChanged != nil {
		around.TerminalChanged = v.terminalChanged
	}
	around.Close = func() {
		if v.relay != nil {
			v.relay.close()
		}
		p.Close()
	}
	return &around, nil
}

// cast has all shadows see something. Those that have been wrong already need
// not be asked again. mu is held.
func (v *visit) cast(see func(s *visit)) {
	for _, s := range v.shadows {
		if s.occasions.Load() == 0 {
			see(s)
		}
		s.up, s.down, s.keys = nil, nil, nil
	}
}

// both has the shadows and then the visit itself see something. mu is held.
func (v *visit) both(see func(s *visit)) {
	v.cast(see)
	see(v)
}

// counts notes that the mutant has made a difference.
func (v *visit) counts() { v.occasions.Add(1) }

// because says why the program is going to end, unless that is known. mu is
// held, or nobody else has v yet.
func (v *visit) because(why ending) {
	for _, s := range append(v.shadows, v) {
		if s.why == byItself {
			s.why = why
		}
	}
}

// note remembers something. mu is held.
func (v *visit) note(what string, n int) {
	if v.noted == nil {
		v.noted = map[string]int{}
	}
	v.noted[what] = n
}

// key has the program read a text. mu is held.
func (v *visit) key(text string, enter bool) { v.keys = append(v.keys, key{text: text, enter: enter}) }

// pass has the server get b, and deliver the program. mu is held.
func (v *visit) pass(b []byte)    { v.up = append(v.up, b) }
func (v *visit) deliver(b []byte) { v.down = append(v.down, b) }

// enter types what the mutant makes of a text.
func (v *visit) enter(text string, enter bool) error {
	v.mu.Lock()
	v.update()
	v.both(func(s *visit) {
		if s.typed != nil {
			s.typed(text, enter)
		} else {
			s.key(text, enter)
		}
		s.half = !enter && text != "" || s.half && !enter
	})
	err := v.typeKeys()
	v.mu.Unlock()
	v.changed()
	return err
}

// typeKeys types what is to be typed. mu is held.
func (v *visit) typeKeys() error {
	keys := v.keys
	v.keys = nil
	for _, k := range keys {
		var err error
		if k.ends {
			v.because(byInput)
			err = v.program.EndInput()
		} else {
			err = v.program.Type(k.text, k.enter)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (v *visit) endInput() error {
	v.mu.Lock()
	v.because(byInput)
	v.cast(func(s *visit) {
		if s.inputEnds != nil && !s.inputEnds() {
			s.counts()
		}
	})
	learns := v.inputEnds == nil || v.inputEnds()
	if !learns {
		v.counts()
	}
	v.mu.Unlock()
	if !learns {
		return nil
	}
	return v.program.EndInput()
}

func (v *visit) stop(how string) error {
	v.mu.Lock()
	v.because(byInterrupt)
	v.cast(func(s *visit) {
		if s.stopped != nil && !s.stopped(how) {
			s.counts()
		}
	})
	obeys := v.stopped == nil || v.stopped(how)
	if !obeys {
		v.counts()
	}
	v.mu.Unlock()
	if !obeys {
		return nil
	}
	return v.program.Stop(how)
}

func (v *visit) terminalChanged() string {
	how := v.program.TerminalChanged()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.cast(func(s *visit) {
		if s.terminal != nil {
			s.terminal(how)
		}
	})
	if v.terminal != nil {
		return v.terminal(how)
	}
	return how
}

// changed tells the engine that there is something new.
func (v *visit) changed() {
	v.mu.Lock()
	tell := v.tell
	v.mu.Unlock()
	if tell != nil {
		tell()
	}
}

// die has the program end as by a crash. mu is held.
func (v *visit) die() {
	if v.died != nil || v.isShadow {
		return
	}
	v.died = &engine.ProgramEnd{How: "exited with status 1", Status: 1}
	v.show(trace)
	v.hangUp()
}

// hangUp ends the program's connection, towards both sides. mu is held.
func (v *visit) hangUp() {
	if v.relay != nil && !v.isShadow {
		v.gone = true
		go v.relay.close()
	}
}

// trace is what a program prints that has crashed.
const trace = "Traceback (most recent call last):"

// fromProgram deals with what the program has sent. mu is held.
func (v *visit) fromProgram(b []byte) {
	if v.gone {
		return
	}
	reads := v.sends != nil || len(v.shadows) > 0
	if !reads {
		v.pass(b)
		return
	}
	v.sent.take(v.codec, wire.Client, b, func(m *message) {
		v.both(func(s *visit) {
			if s.sends != nil {
				s.sends(m)
			} else {
				s.pass(m.raw)
			}
		})
	}, v.pass)
	if v.codec.IsDatagram(wire.Client) {
		v.sent.raw = false // the next datagram begins anew
	}
}

// fromServer deals with what has come for the program in one go. mu is held.
func (v *visit) fromServer(b []byte) {
	if v.gone {
		return
	}
	var whole []*message
	var other []byte
	v.came.take(v.codec, wire.Server, b, func(m *message) { whole = append(whole, m) }, func(b []byte) { other = append(other, b...) })
	if v.codec.IsDatagram(wire.Server) {
		v.came.raw = false // the next datagram begins anew
	}
	v.both(func(s *visit) {
		s.remember(whole)
		switch {
		case s.piece != nil:
			s.deliver(append(s.piece(whole, v.came.partial), other...))
		case s.hears != nil:
			for _, m := range whole {
				if !s.gone {
					s.hears(m)
				}
			}
			if len(other) > 0 {
				s.deliver(other)
			}
		default:
			s.deliver(b)
		}
	})
	_ = v.typeKeys() // what becomes of a message has to be seen anyway
}

// mostSaid is how many messages of the server a visit remembers.
const mostSaid = 8

func (v *visit) remember(list []*message) {
	v.said = append(v.said, list...)
	v.said = v.said[max(len(v.said)-mostSaid, 0):]
}
