package scenario

import (
	"github.com/chatprobe/chatprobe/internal/source"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// The steps of scenarios that test a client program.

// checkSide says which steps stand in the wrong kind of scenario.
func (l *loader) checkSide(key source.Node, do Action) {
	ofClientTest := false
	switch do.(type) {
	case Types, Shows, ProgramSends, ProgramSendsNothing, InputEnds, ProgramStop, ProgramExits, ServerSends, ServerCloses, ServerResets:
		ofClientTest = true
	case Prints, Stop, Exits, IsUp, ListensAsTold:
		if l.scenario != nil && l.scenario.TestsClient {
			l.errs.Add(key.Pos(), "here the probe is the server").Hint = "what the client program does: program shows:, program is stopped:, program exits:"
		}
	}
	if ofClientTest && (l.scenario == nil || !l.scenario.TestsClient) {
		l.errs.Add(key.Pos(), "this is for a scenario that tests a client program").Hint = "tests: client, on the scenario or on the file"
	}
}

func (l *loader) parseTypes(what source.Node, options map[string]source.Node) Action {
	if what.IsNull() || what.IsList() {
		l.errs.Add(what.Pos(), "expected a text").Hint = "'' types nothing but Enter"
		return Types{}
	}
	t := Types{Text: l.value(what, false)}
	if n := options["enter"]; !n.IsNull() {
		t.NoEnter = !n.Bool(l.errs)
	}
	return t
}

func (l *loader) parseShows(what source.Node, _ map[string]source.Node) Action {
	if what.IsNull() || !what.IsScalar() {
		l.errs.Add(what.Pos(), "expected what is shown").Hint = "a text or /a regular expression/"
		return Shows{}
	}
	return Shows{l.printed(what)}
}

func (l *loader) parseProgramSends(what source.Node, _ map[string]source.Node) Action {
	m, args := l.message(what, true)
	if m == nil {
		return ProgramSends{}
	}
	if m.From != wire.Client {
		l.errs.Add(what.Pos(), "%s comes from the server; a client does not send it", m.Name)
	}
	return ProgramSends{Expected{Message: m.Name, Args: args}}
}

func (l *loader) parseProgramStop(what source.Node, _ map[string]source.Node) Action {
	return ProgramStop{How: l.stopWay(what)}
}

func (l *loader) parseServerSends(what source.Node, options map[string]source.Node) Action {
	s := ServerSends{How: l.cutting(options)}
	if len(what.Items()) == 0 {
		l.errs.Add(what.Pos(), "a message is missing here").Hint = "such as {hear: {text: hello}}"
	}
	for _, item := range what.Items() {
		m, args := l.message(item, false)
		if m == nil {
			continue
		}
		if m.From != wire.Server {
			l.errs.Add(item.Pos(), "%s comes from clients; the server does not send it", m.Name)
		}
		for _, need := range m.Needs() {
			if _, ok := args[need]; !ok {
				l.errs.Add(item.Pos(), "%s needs the parameter %q", m.Name, need)
			}
		}
		s.Messages = append(s.Messages, Outgoing{Message: m.Name, Args: args})
	}
	return s
}
