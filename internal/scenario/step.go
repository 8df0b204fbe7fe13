package scenario

import (
	"regexp"

	"github.com/chatprobe/chatprobe/internal/source"
)

// A Step is one line of a play: who does what.
type Step struct {
	Pos  source.Pos
	Text string    // as it could stand in the file, on one line
	Who  []*Client // empty where the server or the program is meant
	Do   Action
	// Optional says that it does not matter if what it waits for does not come.
	Optional bool
	// Fence says how the end of everything so far is proved, for a step that
	// claims silence.
	Fence *Fence
}

// An Action is what a step does: one of the types below.
type Action interface{ action() }

type (
	// Connect opens a connection and sends nothing.
	Connect struct{}
	// Do runs a procedure of the protocol; connects first where needed.
	Do struct {
		Procedure *Procedure
		As        Value // the user name to use; empty: the client's own
		HasAs     bool
		// UntilSettled repeats a login, on a new connection, until it settles.
		UntilSettled bool
		// Until repeats the procedure until this message comes; may be nil.
		Until *Expected
		// First marks a login into an empty room, where the next step logs in
		// another client: they settle with each other then.
		First bool
		// Unsettled says that the server may refuse a login: it is sent, and
		// nothing is expected of it.
		Unsettled bool
	}
	// Send sends messages in one write, unless options cut it up.
	Send struct {
		Messages []Outgoing
		How      Cutting
		Times    Value // how often; none means once
		// Until sends again, after 20, 40, 80 ms …, until this comes; may be nil.
		Until *Expected
	}
	// SendBytes sends bytes that are no message of the protocol.
	SendBytes struct {
		Data Value
		How  Cutting
	}
	// SendRest sends what an earlier Cut held back.
	SendRest struct{}
	// Receive waits for messages.
	Receive struct {
		Messages []Expected
		Which    Which
		Times    Value // how often, for a single message; none means once
		Next     bool  // it must be the very next message
	}
	// ReceiveNo claims that a message has not come and does not come.
	ReceiveNo struct{ Message Expected }
	// ReceiveNothing claims that no message has come at all.
	ReceiveNothing struct{}
	// Disconnected waits for the end of the connection.
	Disconnected struct{}
	// StaysConnected proves that the connection still works.
	StaysConnected struct{}
	// Close closes the connection.
	Close struct{}
	// HalfClose closes the sending side.
	HalfClose struct{}
	// Reset ends the connection with a reset.
	Reset struct{}
	// StopReading leaves everything that arrives in the socket.
	StopReading struct{}
	// ReadAgain ends StopReading.
	ReadAgain struct{}
	// Prints waits for the target to print something.
	Prints struct {
		Texts      []Printed // all of them, in any order
		Times      Value     // that often, one after another
		Within     Value     // a time; none: the usual deadline
		SinceStart bool      // counts from the start of the target, not of the step
	}
	// Stop ends the target from outside.
	Stop struct{ How Value }
	// Exits waits until the target has ended.
	Exits struct{}
	// IsUp proves that the target takes a new client.
	IsUp struct{}
	// ListensAsTold holds where the target listens against the port that it was
	// given.
	ListensAsTold struct{}
)

// The actions of scenarios that test a client program. The probe is its server.
type (
	// Types types a text, and Enter behind it.
	Types struct {
		Text    Value
		Command string // that it is, by its name in the protocol; may be empty
		NoEnter bool
	}
	// Shows waits until the program shows a text.
	Shows struct{ Text Printed }
	// PrintsNo claims that the program does not pass on these very bytes, to
	// the end of the play.
	PrintsNo struct{ Text Value }
	// ProgramDoes has program and server go through a procedure.
	ProgramDoes struct{ Procedure *Procedure }
	// ProgramStarts starts the program, where a step before it is to come
	// first, or where it is told something else than usual.
	ProgramStarts struct{ With map[string]Value }
	// ProgramConnects waits for its connection.
	ProgramConnects struct{}
	// ProgramDisconnects waits for the end of its connection.
	ProgramDisconnects struct{}
	// ProgramSends waits for messages from the program.
	ProgramSends struct{ Receive }
	// ProgramSendsNothing claims that it sends nothing.
	ProgramSendsNothing struct{}
	// InputEnds ends the program's input.
	InputEnds struct{}
	// ProgramStop ends the program from outside.
	ProgramStop struct{ How Value }
	// ProgramExits waits until the program has ended.
	ProgramExits struct{ Status ExitStatus }
	// RestoresTerminal claims that the program has left the terminal as it
	// found it.
	RestoresTerminal struct{}
	// ServerSends sends messages to the program.
	ServerSends struct {
		Messages []Outgoing
		How      Cutting
	}
	// ServerSendsBytes sends bytes that need not be a message.
	ServerSendsBytes struct {
		Data Value
		How  Cutting
	}
	// ServerCloses closes the program's connection; before there is one, it
	// means that the server is not there.
	ServerCloses struct{}
	// ServerResets resets it.
	ServerResets struct{}
)

func (Types) action()               {}
func (Shows) action()               {}
func (PrintsNo) action()            {}
func (ProgramDoes) action()         {}
func (ProgramStarts) action()       {}
func (ProgramConnects) action()     {}
func (ProgramDisconnects) action()  {}
func (ProgramSends) action()        {}
func (RestoresTerminal) action()    {}
func (ServerSendsBytes) action()    {}
func (ProgramSendsNothing) action() {}
func (InputEnds) action()           {}
func (ProgramStop) action()         {}
func (ProgramExits) action()        {}
func (ServerSends) action()         {}
func (ServerCloses) action()        {}
func (ServerResets) action()        {}

func (Connect) action()        {}
func (Do) action()             {}
func (Send) action()           {}
func (SendBytes) action()      {}
func (SendRest) action()       {}
func (Receive) action()        {}
func (ReceiveNo) action()      {}
func (ReceiveNothing) action() {}
func (Disconnected) action()   {}
func (StaysConnected) action() {}
func (Close) action()          {}
func (HalfClose) action()      {}
func (Reset) action()          {}
func (StopReading) action()    {}
func (ReadAgain) action()      {}
func (Prints) action()         {}
func (Stop) action()           {}
func (Exits) action()          {}
func (IsUp) action()           {}
func (ListensAsTold) action()  {}

// Which says which of several expected messages must come.
type Which int

// The choices.
const (
	AllOf Which = iota
	OneOf
)

// An Outgoing is a message to send.
type Outgoing struct {
	Message string // its name in the protocol
	Args    map[string]Value
	Set     map[string]Value // fields to falsify
}

// An Expected is a message to receive, or the end of the connection.
type Expected struct {
	Message    string // its name in the protocol; empty with Disconnect
	Args       map[string]Value
	Disconnect bool
}

// Cutting says how the bytes of one step are spread over TCP segments.
type Cutting struct {
	Pieces Value   // bytes per segment
	Split  []Value // offsets at which a new segment begins
	Cut    Value   // only so many bytes; the rest is held back
	// Everywhere makes a sweep of the scenario: see [Scenario.Sweeps].
	Everywhere bool
}

// IsSet tells a Value that was given from one that was left out.
func (v Value) IsSet() bool {
	return v.parts != nil || v.list != nil || v.repeat != nil || v.row != nil || v.Bind != ""
}

// IsWhole says that everything goes out in one segment.
func (c Cutting) IsWhole() bool {
	return !c.Pieces.IsSet() && len(c.Split) == 0 && !c.Cut.IsSet() && !c.Everywhere
}

// A Printed is a text or a regular expression to be found in what the target
// prints.
type Printed struct {
	Text    Value
	IsRegex bool   // Text is an expression, in which references are quoted
	Flags   string // of it
}

// Compile makes the expression of a Printed that is one, with its references
// filled in.
func (p Printed) Compile(lookup func(Ref) (string, error)) (*regexp.Regexp, error) {
	expr, err := p.Text.Text(func(r Ref) (string, error) {
		text, err := lookup(r)
		return regexp.QuoteMeta(text), err
	})
	if err != nil {
		return nil, err
	}
	return regexp.Compile("(?m" + p.Flags + ")" + expr)
}

// ExitStatus is how a program is to end.
type ExitStatus string

// The ways to end; the empty one means any.
const (
	ExitSuccess ExitStatus = "success" // with status 0
	ExitFailure ExitStatus = "failure" // with another status
	ExitCleanly ExitStatus = "cleanly" // with any status
)

// A Procedure is a named list of steps of the protocol file, done by one
// client, which is called [Self] in them, or by the program and its server.
type Procedure struct {
	Name  string
	Steps []*Step
	// TestsClient says that its steps are those of the program.
	TestsClient bool
}

// The procedures that scenarios for client programs are built on.
const (
	// ArriveProcedure is what a program and the server do before the user types.
	ArriveProcedure = "arrive"
	// ProofProcedure has the program send something that cannot be mistaken: whatever
	// it sent before has come by then.
	ProofProcedure = "proof"
)

// Settles says that a client is part of the room after the procedure, which
// the engine makes sure of.
func (p *Procedure) Settles() bool { return p.Name == loginName }

const loginName = "login"

// Program is the client program that a scenario tests.
var Program = &Client{Name: programWho}

// Self stands in the steps of a procedure for the client that does it.
var Self = &Client{Name: "client"}

// A Client is one of the play's clients.
type Client struct {
	Name string
	// Listed clients are connected, logged in and settled before the first step.
	Listed bool
	// Stalls says that it stops reading at some time: it gets a small receive
	// buffer before it connects.
	Stalls bool
	// Crowd says that it is one of the `98 others`.
	Crowd bool
}

// A FenceRule is how a protocol proves that the server is done: a question
// that it answers, or a message that carries a token, and how the token arrives
// at the others. A protocol has either or both.
type FenceRule struct {
	Question *Outgoing // nil if there is none
	Answer   Expected
	Token    Outgoing // its Message is empty if there is none
	Arrives  Expected
}

// HasToken says that a client can be heard by the others.
func (f *FenceRule) HasToken() bool { return f.Token.Message != "" }
