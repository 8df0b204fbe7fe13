// Package transcript is the record of a run: what was sent, what came, what was
// judged. It is plain data with JSON tags, and no behaviour beyond counting and
// writing values as text.
//
// The engine writes a transcript while it plays; everything a user sees (the
// table, JUnit, JSON, a decoded capture) is rendered from it afterwards, so no
// renderer ever decides a verdict.
//
//	report := transcript.Report{Schema: transcript.Schema, Target: "127.0.0.1:4445"}
//	report.Runs = append(report.Runs, run)
//	report.Summary = transcript.Summarize(report.Runs)
//
// Values are not safe for concurrent use while they are being written; once a
// Run has been returned by the engine nobody changes it any more.
package transcript

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Schema names the version of the JSON form of a [Report].
const Schema = "chatprobe/result/v1"

// Verdict is the judgement on one scenario.
type Verdict string

// The verdicts. Fail is a must that does not hold, or a should under --strict;
// Warn is a should that does not hold; Skip means that the scenario does not
// apply to this target; Blocked means that something it needs has failed
// already; Error means that the probe itself could not judge.
const (
	Pass    Verdict = "pass"
	Fail    Verdict = "fail"
	Warn    Verdict = "warn"
	Skip    Verdict = "skip"
	Blocked Verdict = "blocked"
	Error   Verdict = "error"
)

// A Report is one invocation of the probe: a header and the runs.
type Report struct {
	Schema  string    `json:"schema"`
	Version string    `json:"version"`
	Target  string    `json:"target"`           // address, command line, or "built-in reference server"
	Manner  string    `json:"manner,omitempty"` // how the target was started or shared, in a sentence; empty if as usual
	Seed    uint64    `json:"seed"`             // what names and tokens were derived from
	Strict  bool      `json:"strict,omitempty"`
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"` // wall time of the whole invocation
	Suites  []Suite   `json:"suites"`
	Runs    []Run     `json:"runs"`
	Summary Summary   `json:"summary"`
}

// A Suite says under which choices the runs of one suite were judged.
type Suite struct {
	Name     string    `json:"name"`
	Title    string    `json:"title,omitempty"`
	Settings []Setting `json:"settings,omitempty"`
	// Finding is what is wrong with the target as a whole, to be said before
	// anything else: that it does not seem to speak the protocol, that it
	// exited before it listened. Empty when there is nothing to say.
	Finding string `json:"finding,omitempty"`
	// Contact is the play that led to the Finding, if any.
	Contact *Run `json:"contact,omitempty"`
}

// A Setting is one choice that correct servers may make differently.
type Setting struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Origin Origin `json:"origin"`
	// Warning says what is unusual about the value; empty if nothing is.
	Warning string `json:"warning,omitempty"`
}

// Origin says where the value of a setting came from.
type Origin string

// The origins of a setting's value.
const (
	Default  Origin = "default"  // the protocol file
	Set      Origin = "set"      // the user
	Found    Origin = "found"    // found out from the target
	Declared Origin = "declared" // the built-in reference server says so itself
)

// A Run is one scenario played against one target.
type Run struct {
	Suite       string   `json:"suite"`
	Scenario    string   `json:"scenario"`
	Title       string   `json:"title"`
	Requirement string   `json:"requirement,omitempty"` // its id, such as F-9
	Text        string   `json:"text,omitempty"`        // the requirement's text
	Level       string   `json:"level"`                 // must, should, may
	Points      int      `json:"points,omitempty"`      // what it counts in a grade
	Verdict     Verdict  `json:"verdict"`
	Reason      string   `json:"reason,omitempty"` // one sentence; empty on pass
	Notes       []string `json:"notes,omitempty"`  // "only when not rushed", a weak proof, a traceback
	Seconds     float64  `json:"seconds"`
	Hint        string   `json:"hint,omitempty"` // the usual mistake
	File        string   `json:"file,omitempty"` // where the scenario stands
	Line        int      `json:"line,omitempty"`
	Failure     *Failure `json:"failure,omitempty"`
	Events      []Event  `json:"events,omitempty"`
	Dropped     int      `json:"dropped_events,omitempty"` // events beyond the limit, counted but not kept
	Output      string   `json:"output,omitempty"`         // what the target printed, made printable, its end if long
	Screen      string   `json:"screen,omitempty"`         // what the screen of a client program looked like at the end
}

// A Failure is the step at which a run ended and what was wrong there.
type Failure struct {
	Step     string `json:"step"` // as the scenario file says it
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Expected string `json:"expected"` // in words
	Got      string `json:"got"`      // in words: nothing came for 2 s, the connection was closed …
	// Wanted is the message that was expected, as it would look on the wire,
	// where that is fixed.
	Wanted *Message `json:"wanted,omitempty"`
	// Came are the messages that reached the client in question instead, the
	// newest last, at most a handful; tokens of the probe are left out.
	Came []Message `json:"came,omitempty"`
	// Partial holds bytes that arrived and are no whole message yet.
	Partial *Body `json:"partial,omitempty"`
}

// An Event is one thing that happened during a run, in order of time.
type Event struct {
	At      float64  `json:"at"` // seconds since the run began
	Kind    Kind     `json:"kind"`
	Client  string   `json:"client,omitempty"` // who, by its name in the scenario; empty for the target
	Purpose Purpose  `json:"purpose,omitempty"`
	Message *Message `json:"message,omitempty"`
	Body    *Body    `json:"body,omitempty"`  // bytes that are no message: raw ones, pieces, what could not be read
	Text    string   `json:"text,omitempty"`  // a step as written, an address, printed text, a remark
	Local   string   `json:"local,omitempty"` // connect: the probe's own address
}

// Kind is what sort of thing happened.
type Kind string

// The kinds of events.
const (
	Step      Kind = "step"       // a step of the scenario begins
	Connect   Kind = "connect"    // a connection was made
	Send      Kind = "send"       // the probe sent
	Receive   Kind = "receive"    // the probe received
	Close     Kind = "close"      // the probe closed
	HalfClose Kind = "half-close" // the probe closed its sending side
	Reset     Kind = "reset"      // the probe reset
	Closed    Kind = "closed"     // the target closed
	WasReset  Kind = "was reset"  // the target reset
	Print     Kind = "print"      // the target printed
	Typed     Kind = "typed"      // the probe typed into a client program
	Remark    Kind = "remark"     // the probe explains itself
)

// Purpose marks traffic that is the probe's own and no part of the play.
type Purpose string

// The purposes; none means that the event belongs to a step.
const (
	Setup Purpose = "set-up" // before the first step
	Token Purpose = "token"  // proves that something is over
)

// A Message is one message of the protocol with its header fields.
type Message struct {
	Name   string  `json:"name"` // as the protocol file calls it; empty if nothing fits
	From   string  `json:"from"` // client or server
	Fields []Field `json:"fields,omitempty"`
	Bytes  Body    `json:"bytes"`
	// Malformed says why the bytes are no message; empty when they are one.
	Malformed string `json:"malformed,omitempty"`
}

// A Field is one field of a message, in wire order.
type Field struct {
	Name  string `json:"name"`
	Value any    `json:"value"`          // a uint64, a printable string, or a list ([]any) of these
	Start int    `json:"start"`          // offset of its first byte in the message
	Size  int    `json:"size"`           // bytes
	Note  string `json:"note,omitempty"` // "not valid UTF-8", "65535 bytes, cut here"
}

// A Decoded is a message that was found in a capture.
type Decoded struct {
	Number   int       `json:"number"` // from 1
	Time     time.Time `json:"time"`   // of the packet in which its last byte came
	Packet   int       `json:"packet"` // number of that packet, from 1
	Conn     int       `json:"connection"`
	Sender   string    `json:"sender"`   // address and port
	Receiver string    `json:"receiver"` // address and port
	Protocol string    `json:"protocol"`
	Message  `json:"message"`
}

// keep is how many bytes of each end of a long body are kept.
const (
	bodyLimit = 4096
	keep      = 1024
)

// A Body is a string of bytes. One longer than 4 KiB is kept as head, tail,
// length and hash.
type Body struct {
	Length int    `json:"length"`
	Head   Hex    `json:"head,omitempty"` // all of it when Tail is empty
	Tail   Hex    `json:"tail,omitempty"`
	SHA256 string `json:"sha256,omitempty"` // only when cut
}

// Hex is bytes that stand in JSON as hexadecimal digits.
type Hex []byte

// MarshalText writes two digits a byte.
func (h Hex) MarshalText() ([]byte, error) {
	return hex.AppendEncode(nil, h), nil
}

// UnmarshalText reads what MarshalText writes.
func (h *Hex) UnmarshalText(b []byte) error {
	out, err := hex.AppendDecode(nil, b)
	*h = out
	return err
}

// NewBody copies what has to be kept of b.
func NewBody(b []byte) Body {
	if len(b) <= bodyLimit {
		return Body{Length: len(b), Head: append(Hex(nil), b...)}
	}
	sum := sha256.Sum256(b)
	return Body{
		Length: len(b),
		Head:   append(Hex(nil), b[:keep]...),
		Tail:   append(Hex(nil), b[len(b)-keep:]...),
		SHA256: hex.EncodeToString(sum[:]),
	}
}

// A Summary counts the runs by verdict.
type Summary struct {
	Pass    int `json:"pass"`
	Fail    int `json:"fail"`
	Warn    int `json:"warn"`
	Skip    int `json:"skip"`
	Blocked int `json:"blocked"`
	Error   int `json:"error"`
}

// Summarize counts runs.
func Summarize(runs []Run) Summary {
	var s Summary
	for i := range runs {
		switch runs[i].Verdict {
		case Pass:
			s.Pass++
		case Fail:
			s.Fail++
		case Warn:
			s.Warn++
		case Skip:
			s.Skip++
		case Blocked:
			s.Blocked++
		case Error:
			s.Error++
		}
	}
	return s
}
