package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// contactProgram has the client program arrive and send something, under each
// guess at what has to be guessed.
func (s *Session) contactProgram(ctx context.Context) contact {
	values, err := s.Suite.Protocol.Settle(s.Settings)
	if err != nil {
		codec, _ := s.Suite.Protocol.Bind(nil)
		return contact{codec: codec, dead: true, cannot: true, finding: err.Error()}
	}
	guesses := s.Suite.Protocol.Guesses(values)
	c := s.guess(ctx, guesses, 0, false)
	c.took = 0 // mostly its start
	switch {
	case c.spoke || ctx.Err() != nil:
		return c
	case c.run.Verdict == transcript.Error:
		c.dead, c.cannot = true, true
		c.finding = c.run.Reason
		return c
	}
	c.codec = s.bind(guesses[0])
	step := c.run.Failure.Step
	c.finding = fmt.Sprintf("the client program cannot be used for %s: %s, but %s (at the step %q)",
		s.Suite.Protocol.Name, c.run.Failure.Expected, c.run.Failure.Got, step)
	if said := whatCame(c.run); said != "" {
		c.finding += ". It sent " + said
	}
	if !slices.Contains(s.Told, "port") && !slices.Contains(s.Told, "url") {
		c.finding += ". The command has neither {port} nor {url}, so nothing told the program where the server is"
	}
	return c
}

// firstUse is the shortest of all plays with a client program: it arrives,
// and sends what is typed.
func (s *Session) firstUse() *scenario.Scenario {
	sc := &scenario.Scenario{
		Name: "first-contact", Title: "the program connects, and sends what is typed", Level: wire.Must, TestsClient: true,
	}
	for _, name := range []string{scenario.ArriveProcedure, scenario.ProofProcedure} {
		if proc := s.Suite.Procedure(name); proc != nil {
			sc.Steps = append(sc.Steps, &scenario.Step{Text: "program does: " + name, Do: scenario.ProgramDoes{Procedure: proc}})
		}
	}
	return sc
}

// excuseProgram says why a scenario is not played with a client program.
func (s *Session) excuseProgram(ctx context.Context, sc *scenario.Scenario, c contact) (transcript.Verdict, string) {
	if !sc.TestsClient {
		return transcript.Skip, "tests a server, and this target is a client program"
	}
	if ok, why := sc.Applies(c.codec.Settings); !ok {
		return transcript.Skip, why
	}
	if slices.Contains(sc.Needs, scenario.Terminal) && (s.NoTerminal || sc.OnPipes) {
		return transcript.Skip, "needs a terminal"
	}
	for _, step := range sc.Steps {
		switch do := step.Do.(type) {
		case scenario.RestoresTerminal:
			if s.NoTerminal {
				return transcript.Skip, "needs a terminal"
			}
		case scenario.ProgramStarts:
			for _, name := range scenario.Told {
				if _, ok := do.With[name]; ok && !slices.Contains(s.Told, name) {
					return transcript.Skip, fmt.Sprintf("needs {%s} in the command", name)
				}
			}
		}
	}
	switch {
	case ctx.Err() != nil:
		return transcript.Error, errInterrupted.Error()
	case c.cannot:
		return transcript.Error, "the program could not be started"
	case !c.spoke:
		return transcript.Blocked, "the program cannot be used at all"
	}
	return "", ""
}

// launchFailure is why a program could not be started.
func launchFailure(err error) *failure {
	var own *TargetError
	if errors.As(err, &own) {
		return fail(nil, "the program starts", "%v", err)
	}
	return harnessError(err)
}
