package report_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// hostile is what a target would say to take over a terminal, a log or a
// document. A transcript is clean by then; the renderers do not rely on it.
const hostile = "\x1b[2J\x1b]0;owned\x07 \u202eevil\u202c \xff\xfe </failure>]]>&amp; \r\n::error::x \u0085\u2028"

// longName is as long as a name can reasonably get.
const longName = "a-scenario-whose-name-is-seventy-columns-long-and-does-not-fit-a-table"

// fixture is a report in which everything occurs.
func fixture() *transcript.Report {
	r := &transcript.Report{
		Schema: transcript.Schema, Version: "v1.2.3", Target: "python3 server.py {port} --quiet", Seed: 1<<53 - 1, Strict: true,
		Started: time.Date(2026, 11, 20, 18, 0, 0, 123456789, time.UTC), Seconds: 2.345678,
		Suites: []transcript.Suite{
			{
				Name: "framed", Title: "Chat room with a standard binary header",
				Settings: []transcript.Setting{
					{Name: "byte_order", Value: "little", Origin: transcript.Found, Warning: "byte_order=little is unusual: the order of the bytes in the two lengths; network byte order is big"},
					{Name: "echo", Value: "no", Origin: transcript.Set},
					{Name: "login_text", Origin: transcript.Default},
				},
			},
			{Name: "lines", Finding: "the target does not seem to speak lines: two clients could not chat with each other"},
		},
	}
	r.Runs = append(framedRuns(), linesRuns()...)
	r.Summary = transcript.Summarize(r.Runs)
	return r
}

const rule9 = "a frame may arrive in any number of TCP segments, and one segment may hold several frames"

func framedRuns() []transcript.Run {
	frame := func(name, user, text string) *transcript.Message { return frameMessage(name, "server", user, text) }
	pass := transcript.Run{
		Suite: "framed", Scenario: "two-clients-chat", Title: "alice and bob chat", Requirement: "F-2", Level: "must",
		Verdict: transcript.Pass, Seconds: 0.00123, File: "framed/broadcast.yaml", Line: 4,
		Events: []transcript.Event{
			{Kind: transcript.Connect, Client: "alice", Local: "127.0.0.1:50001", Text: "127.0.0.1:4445"},
			{At: 0.0001, Kind: transcript.Send, Client: "alice", Purpose: transcript.Setup, Message: frameMessage("login", "client", "alice", "")},
			{At: 0.0002, Kind: transcript.Step, Text: "alice says: hello"},
			{At: 0.0003, Kind: transcript.Send, Client: "alice", Message: frameMessage("say", "client", "alice", "hello")},
			{At: 0.0004, Kind: transcript.Receive, Client: "bob", Message: frame("hear", "alice", "hello")},
			{At: 0.0005, Kind: transcript.Send, Client: "bob", Body: body("\x00\x05\x00"), Text: "a piece"},
			{At: 0.0006, Kind: transcript.Receive, Client: "bob", Purpose: transcript.Token, Message: frame("hear", "alice", strings.Repeat("long ", 40))},
			{At: 0.0007, Kind: transcript.Print, Text: "Traceback (most recent call last):"},
			{At: 0.0008, Kind: transcript.Remark, Text: "bob was slow"},
			{At: 0.0009, Kind: transcript.Closed, Client: "bob"},
			{At: 1.001, Kind: transcript.WasReset, Client: "carol"},
			{At: 1.002, Kind: transcript.HalfClose, Client: "alice"},
			{At: 1.003, Kind: transcript.Close, Client: "alice"},
		},
		Dropped: 17,
	}
	remarked := pass
	remarked.Scenario, remarked.Title, remarked.Seconds, remarked.Events = "frame-byte-by-byte", "a frame in single bytes", 0.0537, nil
	remarked.Notes = []string{"only when not rushed: at full speed nothing came for 2 s", "the program printed the trace of an error"}
	remarked.Output = "Traceback (most recent call last):\n  File \"server.py\", line 12, in <module>\nValueError: bad\n"
	failed := transcript.Run{
		Suite: "framed", Scenario: "two-frames-in-one-segment", Title: "two frames in one segment are two messages",
		Requirement: "F-9", Text: rule9, Level: "must", Verdict: transcript.Fail, Seconds: 2.0312,
		Reason: "bob received nothing more within 2 s",
		Hint:   "one recv() is not one message: keep what was read in a buffer, and take frames from it as long as one is complete",
		File:   "framed/segments.yaml", Line: 40,
		Failure: &transcript.Failure{
			Step: "bob receives hear: {user: alice, text: second}", File: "framed/segments.yaml", Line: 47,
			Expected: "bob receives hear with user alice and text second within 2 s", Got: "nothing more came within 2 s",
			Wanted: frame("hear", "alice", "second"),
			Came:   []transcript.Message{*frame("hear", "alice", "first"), *frame("", "alice", "fi\\x1brst and a text that is so long that it cannot stand in one line of the screen, nor in two, but goes on and on")},
			Partial: func() *transcript.Body {
				b := transcript.NewBody([]byte("\x00\x05\x00\x00\x00\x2aalice" + strings.Repeat("half a text ", 30)))
				return &b
			}(),
		},
		Output: strings.Repeat("waiting for a connection\n", 12) + "listening on " + hostile + "\n" + strings.Repeat("Exception in thread Thread-1\n", 30) + "\tbye\n",
	}
	warned := transcript.Run{
		Suite: "framed", Scenario: "huge-length-is-refused", Title: "a length of 4 GiB ends the connection", Requirement: "F-10", Level: "should",
		Text: "a length that the server will not accept costs that client its connection, and nobody else anything", Verdict: transcript.Warn, Seconds: 12.4,
		Reason: "the connection of mallory stayed open for 2 s", Notes: []string{"proved by a quiet window of 100 ms only"},
		Failure: &transcript.Failure{Step: "the server closes the connection of mallory", Expected: "mallory's connection is closed", Got: "it stayed open for 2 s"},
	}
	skipped := transcript.Run{
		Suite: "framed", Scenario: "name-in-use-is-shared", Title: "a name may be used twice", Requirement: "F-13", Level: "may",
		Verdict: transcript.Skip, Reason: "only with duplicate_name=allow, and here it is refuse",
	}
	long := skipped
	long.Scenario, long.Requirement, long.Title = longName, "F-14", strings.Repeat("long title ", 20)
	long.Reason = "needs to see what the server prints, and this target is only an address"
	wide := transcript.Run{
		Suite: "framed", Scenario: "名前が漢字の-シナリオ-👩‍👩‍👧", Title: "wide 漢字 and 👍🏽 é", Requirement: "F-3", Level: "must", Verdict: transcript.Fail, Seconds: 0.25,
		Reason: "came: " + hostile,
		Failure: &transcript.Failure{
			Step: "alice sagt: " + hostile, Expected: "漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字", Got: hostile,
			Came: []transcript.Message{{Name: hostile, From: "server", Bytes: *body(hostile), Fields: []transcript.Field{
				{Name: "Größe漢字", Value: uint64(1 << 63), Size: 8, Note: "9223372036854775808 bytes, cut here"},
				{Name: "users", Value: []any{"alice", "bob\x1b[31m", uint64(7)}, Start: 8, Size: 20},
				{Name: "text", Value: hostile + strings.Repeat("漢", 300), Start: 20, Size: 900, Note: hostile},
			}}},
			Partial: body(hostile),
		},
		Output: hostile + "\n" + strings.Repeat("漢字", 100) + "\n" + strings.Repeat("x", 300) + "\n",
		Notes:  []string{hostile},
	}
	return []transcript.Run{pass, remarked, failed, warned, skipped, long, wide}
}

func linesRuns() []transcript.Run {
	var runs []transcript.Run
	for i := range 9 {
		runs = append(runs, transcript.Run{
			Suite: "lines", Scenario: fmt.Sprintf("line-split[after=%d]", i), Title: "a line in two segments", Requirement: "L-3", Level: "must",
			Verdict: transcript.Blocked, Reason: "no two clients could chat with each other at all",
		})
	}
	runs = append(runs,
		transcript.Run{
			Suite: "lines", Scenario: "nick-in-use", Title: "a nick in use is refused", Requirement: "L-5", Level: "must", Verdict: transcript.Blocked,
			Reason: "needs nick-is-accepted, which did not pass",
		},
		transcript.Run{
			Suite: "lines", Scenario: "server-stops", Title: "the server stops on request", Level: "should", Verdict: transcript.Error, Seconds: 0.0004,
			Reason:  "dial tcp 127.0.0.1:4445: connect: cannot assign requested address",
			Failure: &transcript.Failure{Step: "alice connects", Expected: "the probe can play this step", Got: "dial tcp 127.0.0.1:4445: connect: cannot assign requested address"},
		},
	)
	return runs
}

func body(s string) *transcript.Body {
	b := transcript.NewBody([]byte(s))
	return &b
}

// frameMessage is a frame of the framed room as the engine records it.
func frameMessage(name, from, user, text string) *transcript.Message {
	raw := []byte{0, byte(len(user)), 0, 0, 0, byte(len(text))}
	raw = append(append(raw, user...), text...)
	return &transcript.Message{Name: name, From: from, Bytes: transcript.NewBody(raw), Fields: []transcript.Field{
		{Name: "UNameL", Value: uint64(len(user)), Size: 2},
		{Name: "MessageL", Value: uint64(len(text)), Start: 2, Size: 4},
		{Name: "Username", Value: transcript.Printable([]byte(user)), Start: 6, Size: len(user)},
		{Name: "Message", Value: transcript.Printable([]byte(text)), Start: 6 + len(user), Size: len(text)},
	}}
}
