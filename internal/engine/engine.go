// Package engine plays scenarios against a server and judges what happens.
//
// A [Session] knows a suite, how a fresh server is had, and the choices under
// which it is judged. It plays each scenario in a room of its own and returns
// transcripts; it prints nothing, and whatever goes wrong is a verdict in one
// of them.
//
//	s := &engine.Session{Suite: suite, Launch: launch, Config: engine.Config{Timeout: 2 * time.Second}}
//	header, runs := s.Run(ctx, suite.Scenarios)
//
// # How silence is proved
//
// "bob receives no X" cannot be proved by waiting: too short is wrong, too
// long is slow. The engine makes the server say when it is done. Whoever acted
// says a token, a short word that nobody else uses; when a witness has it, the
// server has dealt with everything that came before it. Then another client
// says a token, and what stands before it in bob's stream is all there is.
//
// # How a client joins
//
// Most protocols do not answer a login, and those that do may answer before
// the client is in the server's list. So a newcomer says a token; when another
// client has it, that one says a token too, and when the newcomer has that, it
// is settled: it can be heard and it can hear. Only then does a play begin.
package engine

import (
	"context"
	"net"
	"time"

	"github.com/chatprobe/chatprobe/internal/sockets"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

// A Target is one running server, as far as the engine needs to know it. The
// functions are safe for concurrent use. Those that are nil cannot be had for
// this target; scenarios that need them are skipped.
type Target struct {
	// Dial connects to the server. receiveBuffer, if not 0, is the size of the
	// socket's receive buffer in bytes, set before it connects.
	Dial func(ctx context.Context, receiveBuffer int) (net.Conn, error)
	// Printed is what the server has printed from an offset on, both streams
	// in order of arrival, and the offset of the end.
	Printed func(from int64) (text []byte, end int64)
	// Exited says how the program has ended, if it has.
	Exited func() (how string, ended bool)
	// Stop ends the server from outside: "interrupt", "terminate" or "type:TEXT".
	Stop func(how string) error
	// Notify has f called after new output and after the end of the program.
	// f is quick and may be called from several goroutines.
	Notify func(f func())
	// Spins looks, once nothing is left for it to do, whether it uses a whole
	// processor nevertheless, and says what it does; empty if it does not.
	Spins func(ctx context.Context) string
	// Close ends the target for good and frees what it holds. Never nil.
	Close func()
	// OwnPort says that nobody told the server its port: it has chosen it.
	OwnPort bool
	// Remark is something to be said about how it was started; empty mostly.
	Remark string
	// Prompt says that what is sent has been read when Write returns: nobody
	// has to wait for that.
	Prompt bool
	// Strayed says that the server was told its port, and listens on another.
	Strayed bool
}

// A Launch gives a fresh target. An error that is the target's own fault, such
// as a program that exits before it listens, is a *[TargetError].
type Launch func(ctx context.Context) (*Target, error)

// A TargetError says what a target did wrong before it could be tested.
type TargetError struct{ Err error }

// Error is the sentence itself.
func (e *TargetError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *TargetError) Unwrap() error { return e.Err }

// Config is how a target is judged. It is immutable.
type Config struct {
	// Settings are the choices that the target is known to make, and Origin
	// says who says so. Settings not named have the protocol's defaults.
	Settings map[string]string
	Origin   transcript.Origin
	// Trusted says that the settings are complete and true, as they are for
	// the built-in servers: nothing is found out first.
	Trusted bool
	// OwnPort is [Target.OwnPort] where Trusted.
	OwnPort bool
	// Timeout is how long an expected message may take; 0 means 2 s. It is
	// scaled up for a target that is slow to answer its first login.
	Timeout time.Duration
	// SlowPause is the pause after each message of a slow play; 0 means 500 ms.
	SlowPause time.Duration
	// Busy says that the machine has more to do than it can: a deadline that
	// passes then is put off, several times if need be. Nil means never.
	Busy func() bool
	// Strict makes a should as binding as a must.
	Strict bool
	// Shared says that every Launch gives the same running server: scenarios
	// are played one after another, and names are made unique.
	Shared bool
	// Told are the placeholders that the command of a client program has.
	Told []string
	// NoTerminal says that client programs are given pipes.
	NoTerminal bool
	// Seed determines tokens and the suffix of names.
	Seed uint64
	// Shuffle plays scenarios in an order that Seed determines; otherwise those
	// that take long come first.
	Shuffle bool
	// Transcripts keeps the events of passing runs too.
	Transcripts bool
	// Record, unless nil, is called before each play, and what it returns is
	// used in it. slow says that the scenario is played once more, slowly. It
	// is called by several goroutines.
	Record func(run *transcript.Run, slow bool) Recording
	// Watch, unless nil, is told what happens in a play while it happens. It is
	// called by several goroutines, for one play by one at a time, and is to be
	// quick.
	Watch func(run *transcript.Run, slow bool, e transcript.Event)
	// Slots bounds how many scenarios are played at once; its capacity is the
	// number. Sessions may share it. Nil means one at a time.
	Slots chan struct{}
	// Sockets is the kernel's socket table, or nil where it cannot be read.
	Sockets *sockets.Table
}

// A Recording takes down the traffic of one play.
type Recording struct {
	// Conn is given each connection that was made, and returns one to use in
	// its place.
	Conn func(net.Conn) net.Conn
	// Failed is told of a connection that could not be made.
	Failed func(err error)
	// Done is called once, when all connections are closed.
	Done func(transcript.Run)
}

// recorded is the same target, with its connections taken down.
func (t *Target) recorded(r Recording) *Target {
	copied := *t
	copied.Dial = func(ctx context.Context, receiveBuffer int) (net.Conn, error) {
		conn, err := t.Dial(ctx, receiveBuffer)
		if err != nil {
			r.Failed(err)
			return nil, err
		}
		return r.Conn(conn), nil
	}
	return &copied
}

// Times that make up the pace of a play. They are measured values: see
// docs/playing.md before changing one.
const (
	defaultTimeout = 2 * time.Second
	// settleWait follows a fence: servers with a thread per message deliver a
	// few messages in a thousand a little late.
	settleWait = 5 * time.Millisecond
	// maxDelays is how often a deadline is put off, at most.
	maxDelays = 8
	// maxLate is how many quiet windows pass before a program that has ended is
	// believed to have sent nothing more.
	maxLate = 10
	// maxSlow is how many slow plays go on at once. They mostly wait.
	maxSlow = 48
	// settleGrace bounds the wait for the last words about a newcomer.
	settleGrace = 50 * time.Millisecond
	// departureWait bounds the wait for a departure that only a fence needs.
	departureWait = 250 * time.Millisecond
	// quietWindow stands for a proof where there is none.
	quietWindow = 100 * time.Millisecond
	// readWait bounds how long a message waits until the target has read the
	// one before: a server that only peeks never does.
	readWait = 50 * time.Millisecond
	// remotePause stands for that where the other end cannot be looked at.
	remotePause = 5 * time.Millisecond
	// slowPause is the pause after each message of a slow play.
	slowPause = 500 * time.Millisecond
	// optionalWait bounds the wait for an answer that many servers leave out,
	// and absentWait the wait once one has been waited for in vain.
	optionalWait = 100 * time.Millisecond
	absentWait   = 5 * time.Millisecond
	// idleWait is the pause after which a message without an end is over.
	idleWait = 50 * time.Millisecond
	// chunkWait is that where no message has an end, and chunkPause the pause
	// after each message that is sent then.
	chunkWait  = 3 * time.Millisecond
	chunkPause = 15 * time.Millisecond
	// stalledBuffer is the receive buffer of a client that stops reading.
	stalledBuffer = 4096
)

// resend are the pauses after which a token is said again.
var resend = []time.Duration{20 * time.Millisecond, 40 * time.Millisecond, 80 * time.Millisecond, 160 * time.Millisecond}

// burst is how much may wait in a UDP socket that nobody has been seen to read,
// in bytes with what the kernel adds to each datagram; a socket of the usual
// size holds twice as much.
const (
	burst            = 100 << 10
	datagramOverhead = 768
)

// Limits on what one play keeps of a target that floods.
const (
	maxEvents   = 60_000
	maxMessages = 50_000
	maxReceived = 128 << 20
	// longestChunk is how much one message may be where nothing says how long
	// it is, and maxUnframed how much may come in all then.
	longestChunk = 1 << 20
	maxUnframed  = 16 << 20
	// keptOfHuge is how much is kept of a message that is longer than that.
	keptOfHuge = 64 << 10
)
