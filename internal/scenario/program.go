package scenario

import (
	"regexp"
	"slices"

	"github.com/chatprobe/chatprobe/internal/source"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// The steps of scenarios that test a client program.

// isOfClientTest says that a step is one of those.
func isOfClientTest(do Action) bool {
	switch do.(type) {
	case Types, Shows, PrintsNo, ProgramDoes, ProgramStarts, ProgramConnects, ProgramDisconnects, ProgramSends, ProgramSendsNothing,
		InputEnds, ProgramStop, ProgramExits, RestoresTerminal, ServerSends, ServerSendsBytes, ServerCloses, ServerResets:
		return true
	}
	return false
}

// checkSide says which steps stand in the wrong kind of scenario.
func (l *loader) checkSide(key source.Node, do Action) {
	ofServer := false
	switch do.(type) {
	case Prints, Stop, Exits, IsUp, ListensAsTold:
		ofServer = true
	}
	testsClient := l.scenario != nil && l.scenario.TestsClient
	switch ofProgram := isOfClientTest(do); {
	case ofServer && testsClient:
		l.errs.Add(key.Pos(), "here the probe is the server").Hint = "what the client program does: program shows:, program is stopped:, program exits:"
	case ofProgram && !testsClient && !l.inProtocol:
		l.errs.Add(key.Pos(), "this is for a scenario that tests a client program").Hint = "tests: client, on the scenario or on the file"
	}
}

// StartsLater says that a step starts the program; else it runs when the play
// begins.
func (sc *Scenario) StartsLater() bool {
	return slices.ContainsFunc(sc.Steps, func(s *Step) bool { _, ok := s.Do.(ProgramStarts); return ok })
}

// checkProgram finds steps that need the program before it is started.
func (l *loader) checkProgram() {
	sc := l.scenario
	if !sc.TestsClient {
		return
	}
	running := !sc.StartsLater()
	for _, step := range sc.Steps {
		switch step.Do.(type) {
		case ProgramSendsNothing:
			if l.suite.Procedure(ProofProcedure) == nil {
				l.errs.Add(step.Pos, "nothing proves that: %s has no procedure called %s", ProtocolFile, ProofProcedure)
			}
		case ProgramStarts:
			if running {
				l.errs.Add(step.Pos, "the program runs already")
			}
			running = true
		case ServerCloses:
		default:
			if !running {
				l.errs.Add(step.Pos, "the program has not been started").Hint = "program starts: comes before this"
			}
		}
	}
}

// A Command is what a user types to have a client program send a message, or
// do something else, such as end.
type Command struct {
	Name  string
	parts []string // text, parameter, text, parameter, …, text
}

// Params are the names of the command's parameters.
func (c *Command) Params() []string {
	var names []string
	for i := 1; i < len(c.parts); i += 2 {
		names = append(names, c.parts[i])
	}
	return names
}

var commandParam = regexp.MustCompile(`\{([a-z_]+)\}`)

// loadCommands reads `commands: {tell: 'sendto {to} {text}'}`.
func (s *Suite) loadCommands(errs *source.Errors) {
	for _, pair := range s.Protocol.Commands.Pairs(errs) {
		c := &Command{Name: pair.Key.Raw()}
		text := pair.Value.Text(errs)
		at := 0
		for _, m := range commandParam.FindAllStringSubmatchIndex(text, -1) {
			c.parts = append(c.parts, text[at:m[0]], text[m[2]:m[3]])
			at = m[1]
		}
		c.parts = append(c.parts, text[at:])
		s.Commands = append(s.Commands, c)
	}
}

// Command finds a command by its name, or nil.
func (s *Suite) Command(name string) *Command {
	for _, c := range s.Commands {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// command reads {tell: {to: bob, text: hello}}: what is typed for it.
func (l *loader) command(n source.Node) (text Value, name string) {
	pairs := n.Pairs(l.errs)
	if len(pairs) != 1 {
		l.errs.Add(n.Pos(), "expected a text, or one command with its parameters").Hint = "such as {say: {text: hello}}"
		return literal(""), ""
	}
	key, params := pairs[0].Key, pairs[0].Value
	c := l.suite.Command(key.Raw())
	if c == nil {
		var known []string
		for _, c := range l.suite.Commands {
			known = append(known, c.Name)
		}
		e := l.errs.Add(key.Pos(), "the protocol has no command %q", key.Raw())
		if e.Hint = source.DidYouMean(key.Raw(), known); len(known) == 0 {
			e.Hint = "commands: {say: '{text}'} in " + ProtocolFile
		}
		return literal(""), key.Raw()
	}
	args := map[string]Value{}
	for _, p := range params.Pairs(l.errs) {
		if !slices.Contains(c.Params(), p.Key.Raw()) {
			l.errs.Add(p.Key.Pos(), "the command %s has no parameter %q", c.Name, p.Key.Raw()).Hint = source.DidYouMean(p.Key.Raw(), c.Params())
			continue
		}
		args[p.Key.Raw()] = l.value(p.Value, false)
	}
	for i, part := range c.parts {
		if i%2 == 0 {
			text.row = append(text.row, literal(part))
			continue
		}
		v, ok := args[part]
		if !ok {
			l.errs.Add(key.Pos(), "the command %s needs the parameter %q", c.Name, part)
			continue
		}
		text.row = append(text.row, v)
	}
	return text, c.Name
}

func (l *loader) parseTypes(what source.Node, options map[string]source.Node) Action {
	t := Types{}
	switch isValue := what.Has("repeat") || what.Has("bytes"); {
	case what.IsNull() || what.IsList():
		l.errs.Add(what.Pos(), "expected a text").Hint = "'' types nothing but Enter"
		return t
	case what.IsMap() && !isValue:
		t.Text, t.Command = l.command(what)
	default:
		t.Text = l.value(what, false)
	}
	if n := options["enter"]; !n.IsNull() {
		t.NoEnter = !n.Bool(l.errs)
	}
	return t
}

func (l *loader) parseShows(what source.Node, _ map[string]source.Node) Action {
	switch {
	case what.IsMap():
		return Shows{Printed{Text: l.value(what, false)}}
	case what.IsNull() || !what.IsScalar() || what.Raw() == "":
		l.errs.Add(what.Pos(), "expected what is shown").Hint = "a text or /a regular expression/"
		return Shows{}
	}
	return Shows{l.printed(what)}
}

func (l *loader) parsePrintsNo(what source.Node, _ map[string]source.Node) Action {
	if what.IsNull() || what.IsList() {
		l.errs.Add(what.Pos(), "expected the bytes that must not be printed").Hint = `such as "\x1b[2J"`
	}
	return PrintsNo{l.value(what, false)}
}

func (l *loader) parseProgramDoes(what source.Node, _ map[string]source.Node) Action {
	name := what.Text(l.errs)
	d := ProgramDoes{l.suite.Procedure(name)}
	switch {
	case d.Procedure == nil:
		var known []string
		for _, p := range l.suite.Procedures {
			if p.TestsClient {
				known = append(known, p.Name)
			}
		}
		l.errs.Add(what.Pos(), "the protocol has no procedure %q", name).Hint = source.DidYouMean(name, known)
	case !d.Procedure.TestsClient:
		l.errs.Add(what.Pos(), "the steps of %s are those of a client, and not of a client program", name)
	}
	return d
}

// Told is what a client program is told on its command line.
var Told = []string{"host", "port", "user", "url"}

func (l *loader) parseProgramStarts(what source.Node, _ map[string]source.Node) Action {
	s := ProgramStarts{With: map[string]Value{}}
	for _, p := range what.Pairs(l.errs) {
		if !slices.Contains(Told, p.Key.Raw()) {
			l.errs.Add(p.Key.Pos(), "a program is not told a %q", p.Key.Raw()).Hint = source.DidYouMean(p.Key.Raw(), Told)
			continue
		}
		s.With[p.Key.Raw()] = l.value(p.Value, false)
	}
	return s
}

// fromProgram reads a message that the program is to send.
func (l *loader) fromProgram(n source.Node) Expected {
	m, args := l.message(n, true)
	if m == nil {
		return Expected{}
	}
	if m.From != wire.Client {
		l.errs.Add(n.Pos(), "%s comes from the server; a client does not send it", m.Name)
	}
	return Expected{Message: m.Name, Args: args}
}

func (l *loader) parseProgramSends(what source.Node, options map[string]source.Node) Action {
	return ProgramSends{l.receive(l.fromProgram(what), options)}
}

func (l *loader) parseProgramSendsOneOf(what source.Node, _ map[string]source.Node) Action {
	r := Receive{Which: OneOf}
	if !what.IsList() || len(what.Items()) == 0 {
		l.errs.Add(what.Pos(), "expected a list of messages").Hint = "such as [login, {say: {text: hello}}]"
	}
	for _, item := range what.Items() {
		r.Messages = append(r.Messages, l.fromProgram(item))
	}
	return ProgramSends{r}
}

func (l *loader) parseProgramExits(what source.Node, _ map[string]source.Node) Action {
	status := ExitStatus(what.Raw())
	switch {
	case what.IsNull():
		status = ""
	case status != ExitSuccess && status != ExitFailure && status != ExitCleanly:
		l.errs.Add(what.Pos(), "a program exits with %s (status 0), %s (another one) or %s (any), not %q", ExitSuccess, ExitFailure, ExitCleanly, what.Raw())
	}
	return ProgramExits{status}
}

func (l *loader) parseServerSendsBytes(what source.Node, options map[string]source.Node) Action {
	b := l.parseSendBytes(what, options).(SendBytes)
	return ServerSendsBytes(b)
}

func (l *loader) parseServerSendsText(what source.Node, options map[string]source.Node) Action {
	b := l.parseSendText(what, options).(SendBytes)
	return ServerSendsBytes(b)
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
