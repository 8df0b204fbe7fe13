package mutant

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// A ClientMutant is one way in which a client program is wrong. What stands
// between the probe and a correct program changes what is typed into it, what
// it shows, what goes over its connection, and how it ends.
//
//	for _, m := range mutant.AllClients(suite, codec, census) {
//		session := engine.Session{Suite: suite, Program: m.Breed(launch, codec), Config: config}
//		...
//	}
//
// A mutant that changes nothing must not be noticed; a test sees to that.
type ClientMutant struct {
	// Name is the operator, and after a slash what it is applied to, such as
	// "type-twice" or "drop/say".
	Name string
	// About says what such a program does, in half a sentence.
	About string

	new       func(v *visit) habit
	occasions *atomic.Int64
	// optional says that not every protocol has what this is about.
	optional bool
}

// ifAny makes m one that not every protocol has.
func (m ClientMutant) ifAny() ClientMutant {
	m.optional = true
	return m
}

// Occasions is how often the mutant has done what its program would not have
// done.
func (m ClientMutant) Occasions() int { return int(m.occasions.Load()) }

// Breed gives programs that are wrong in the way of m: each is one of launch,
// with m around it. codec says how the protocol is read. Programs are
// independent of each other.
func (m ClientMutant) Breed(launch engine.ProgramLaunch, codec *wire.Codec) engine.ProgramLaunch {
	return func(ctx context.Context, how engine.Invocation) (*engine.Program, error) {
		v := newVisit(codec, m.occasions)
		v.habit = m.new(v)
		p, err := v.start(ctx, launch, how)
		if err != nil {
			return nil, fmt.Errorf("start the program behind the mutant %s: %w", m.Name, err)
		}
		return p, nil
	}
}

// A habit is what a visit does in its own way. Functions that are nil leave
// things as they are. All are called with visit.mu held.
type habit struct {
	// told changes what the program is told at its start.
	told func(how *engine.Invocation)
	// typed is given what is typed in one go, and calls v.key with what the
	// program is to read.
	typed func(text string, enter bool)
	// inputEnds says whether the program learns that its input ends.
	inputEnds func() bool
	// stopped says whether the program obeys when it is told to stop.
	stopped func(how string) bool

	// opened is told when the program has connected.
	opened func()
	// sends is given each whole message of the program, and calls v.pass with
	// what the server gets.
	sends func(m *message)
	// piece is given what comes from the server in one go, taken apart into
	// whole messages and the rest, and returns what the program gets.
	piece func(whole []*message, rest []byte) []byte
	// hears is given each whole message of the server, and calls v.deliver with
	// what the program gets.
	hears func(m *message)
	// leaves says whether the server learns that the program has closed its
	// connection.
	leaves func() bool
	// left says whether the program learns that the server has closed or reset
	// its connection.
	left func() bool

	// shows is given each line that the program prints, without its end, and
	// calls v.show with what the user sees.
	shows func(line string)
	// ends is given how the program has ended and says how it seems to; false
	// is that it has not.
	ends func(end engine.ProgramEnd) (engine.ProgramEnd, bool)
	// terminal is how the terminal differs from what it was, at the end.
	terminal func(how string) string
}

// ending is why a program ends.
type ending string

const (
	byItself    ending = "itself" // it found a reason, such as a command or an answer
	byClose     ending = "close"  // the server has closed the connection
	byReset     ending = "reset"
	byInput     ending = "end-of-input"
	byInterrupt ending = "interrupt"
	byNoServer  ending = "no-server"
)
