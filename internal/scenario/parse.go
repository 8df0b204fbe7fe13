package scenario

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/chatprobe/chatprobe/internal/source"
)

// A verb is one line of the language: how it is written, which options it
// takes, and how its object is read.
type verb struct {
	names   []string // singular, plural
	who     string   // server or program; empty for clients
	options []string
	parse   func(l *loader, what source.Node, options map[string]source.Node) Action
}

var cutting = []string{"pieces", "split", "cut"}

var verbs = []verb{
	{names: []string{"connects", "connect"}, parse: bare(Connect{})},
	{names: []string{"does", "do"}, options: []string{"as", "until", "settle", "optional"}, parse: (*loader).parseDo},
	{names: []string{"sends", "send"}, options: append([]string{"set", "times", "until"}, cutting...), parse: (*loader).parseSend},
	{names: []string{"sends bytes", "send bytes"}, options: cutting, parse: (*loader).parseSendBytes},
	{names: []string{"sends text", "send text"}, options: cutting, parse: (*loader).parseSendText},
	{names: []string{"sends the rest", "send the rest"}, parse: bare(SendRest{})},
	{names: []string{"receives", "receive"}, options: []string{"times", "next", "optional"}, parse: (*loader).parseReceive},
	{names: []string{"receives all of", "receive all of"}, options: []string{"optional"}, parse: (*loader).parseAllOf},
	{names: []string{"receives one of", "receive one of"}, options: []string{"optional"}, parse: (*loader).parseOneOf},
	{names: []string{"receives no", "receive no"}, parse: (*loader).parseReceiveNo},
	{names: []string{"receives nothing", "receive nothing"}, parse: bare(ReceiveNothing{})},
	{names: []string{"is disconnected", "are disconnected"}, parse: bare(Disconnected{})},
	{names: []string{"stays connected", "stay connected"}, parse: bare(StaysConnected{})},
	{names: []string{"closes", "close"}, parse: bare(Close{})},
	{names: []string{"half-closes", "half-close"}, parse: bare(HalfClose{})},
	{names: []string{"resets", "reset"}, parse: bare(Reset{})},
	{names: []string{"stops reading", "stop reading"}, parse: bare(StopReading{})},
	{names: []string{"reads again", "read again"}, parse: bare(ReadAgain{})},
	{names: []string{"prints"}, who: serverWho, options: []string{"times", "within", "since"}, parse: (*loader).parsePrints},
	{names: []string{"stops"}, who: serverWho, parse: (*loader).parseStop},
	{names: []string{"exits"}, who: serverWho, parse: bare(Exits{})},
	{names: []string{"is up"}, who: serverWho, parse: bare(IsUp{})},
	{names: []string{"listens on the given port"}, who: serverWho, parse: bare(ListensAsTold{})},
	{names: []string{"sends"}, who: serverWho, options: cutting, parse: (*loader).parseServerSends},
	{names: []string{"sends bytes"}, who: serverWho, options: cutting, parse: (*loader).parseServerSendsBytes},
	{names: []string{"sends text"}, who: serverWho, options: cutting, parse: (*loader).parseServerSendsText},
	{names: []string{"closes"}, who: serverWho, parse: bare(ServerCloses{})},
	{names: []string{"resets"}, who: serverWho, parse: bare(ServerResets{})},
	{names: []string{"does"}, who: programWho, parse: (*loader).parseProgramDoes},
	{names: []string{"starts"}, who: programWho, parse: (*loader).parseProgramStarts},
	{names: []string{"connects"}, who: programWho, parse: bare(ProgramConnects{})},
	{names: []string{"disconnects"}, who: programWho, parse: bare(ProgramDisconnects{})},
	{names: []string{"types"}, who: programWho, options: []string{"enter"}, parse: (*loader).parseTypes},
	{names: []string{"shows"}, who: programWho, parse: (*loader).parseShows},
	{names: []string{"prints no"}, who: programWho, parse: (*loader).parsePrintsNo},
	{names: []string{"sends"}, who: programWho, options: []string{"times", "next", "optional"}, parse: (*loader).parseProgramSends},
	{names: []string{"sends one of"}, who: programWho, options: []string{"optional"}, parse: (*loader).parseProgramSendsOneOf},
	{names: []string{"sends nothing"}, who: programWho, parse: bare(ProgramSendsNothing{})},
	{names: []string{"input ends"}, who: programWho, parse: bare(InputEnds{})},
	{names: []string{"is stopped"}, who: programWho, parse: (*loader).parseProgramStop},
	{names: []string{"exits"}, who: programWho, parse: (*loader).parseProgramExits},
	{names: []string{"restores the terminal"}, who: programWho, parse: bare(RestoresTerminal{})},
}

// bare is a verb without an object.
func bare(a Action) func(*loader, source.Node, map[string]source.Node) Action {
	return func(l *loader, what source.Node, _ map[string]source.Node) Action {
		if !what.IsNull() {
			l.errs.Add(what.Pos(), "nothing stands behind the colon of this verb")
		}
		return a
	}
}

// step reads one step, or returns nil if it is wrong.
func (l *loader) step(n source.Node) *Step {
	if !n.IsMap() {
		l.errs.Add(n.Pos(), "a step is WHO VERB: WHAT").Hint = withColon(n.Raw())
		return nil
	}
	pairs := n.Pairs(l.errs)
	if len(pairs) == 0 {
		l.errs.Add(n.Pos(), "a step is WHO VERB: WHAT").Hint = withColon("")
		return nil
	}
	key := pairs[0].Key
	names, phrase := splitKey(key.Raw())
	who := ""
	if len(names) == 1 && (names[0] == serverWho || names[0] == programWho) {
		who = names[0]
	}
	v := l.verb(key, phrase, who)
	if v == nil {
		return nil
	}
	step := &Step{Pos: key.Pos(), Text: strings.TrimSpace(key.Raw() + ": " + pairs[0].Value.Flow())}
	if who == "" {
		if step.Who = l.who(key.Pos(), names); len(step.Who) == 0 {
			return nil
		}
	}
	options := map[string]source.Node{}
	for _, p := range pairs[1:] {
		name := p.Key.Raw()
		if !slices.Contains(v.options, name) {
			e := l.errs.Add(p.Key.Pos(), "%q takes no option %q", phrase, name)
			e.Hint = source.DidYouMean(name, v.options)
			switch {
			case len(v.options) == 0:
				e.Hint = "it takes none"
			case verbIn(name) != "":
				e.Hint = "a new step begins with a hyphen: - " + name + ":"
			}
			continue
		}
		if p.Value.IsNull() {
			l.errs.Add(p.Key.Pos(), "%s: has no value", name)
			continue
		}
		options[name] = p.Value
		step.Text += fmt.Sprintf(", %s: %s", name, p.Value.Flow())
	}
	if n, ok := options["optional"]; ok {
		if step.Optional = n.Bool(l.errs); !l.inProtocol {
			l.errs.Add(n.Pos(), "optional: is for the steps of a procedure")
		}
	}
	step.Do = v.parse(l, pairs[0].Value, options)
	l.checkSide(key, step.Do)
	switch step.Do.(type) {
	case ReceiveNo, ReceiveNothing, StaysConnected, IsUp:
		if l.inProtocol {
			l.errs.Add(key.Pos(), "a procedure cannot claim that nothing happens").Hint = "that is for scenarios"
			return nil
		}
	}
	return step
}

// verbIn is the longest verb that follows the names at the beginning of text.
func verbIn(text string) string {
	_, phrase := splitKey(text)
	found := ""
	for _, v := range verbs {
		for _, name := range v.names {
			if len(name) > len(found) && strings.HasPrefix(phrase+" ", name+" ") {
				found = name
			}
		}
	}
	return found
}

// withColon says where the colon belongs in a step without one.
func withColon(text string) string {
	verb := verbIn(text)
	if before, after, ok := strings.Cut(text, " "+verb); ok && verb != "" {
		return fmt.Sprintf("a colon is missing: - %s %s:%s", before, verb, after)
	}
	return "such as - alice sends: {say: {text: hello}}"
}

func (l *loader) verb(key source.Node, phrase, who string) *verb {
	var known, singular []string
	var other string // who else could do that
	found := false
	for i, v := range verbs {
		switch {
		case v.who == who && slices.Contains(v.names, phrase):
			return &verbs[i]
		case slices.Contains(v.names, phrase):
			if !found || v.who == "" && (l.scenario == nil || !l.scenario.TestsClient) {
				other, found = v.who, true
			}
		case v.who == who:
			known = append(known, v.names...)
			singular = append(singular, v.names[0])
		}
	}
	if found {
		names := map[string]string{"": "a client", serverWho: "the server", programWho: "the program"}
		e := l.errs.Add(key.Pos(), "%s cannot do that", names[who])
		if e.Hint = other + " " + phrase + ":"; other == "" {
			e.Hint = "that is for a client, such as alice " + phrase + ":"
		}
		return nil
	}
	if phrase == "" {
		l.errs.Add(key.Pos(), "a step is WHO VERB: WHAT").Hint = withColon("")
		return nil
	}
	e := l.errs.Add(key.Pos(), "there is no verb %q", phrase)
	begin := verbIn("x " + phrase)
	rest := strings.Fields(strings.TrimPrefix(phrase, begin))
	switch e.Hint = source.DidYouMean(phrase, known); {
	case strings.HasPrefix(phrase, "and "):
		e.Hint = "names are joined by commas: alice, bob receive:"
	case begin != "" && len(rest) > 0 && l.suite.Protocol.Message(rest[0]) != nil:
		e.Hint = fmt.Sprintf("the colon belongs behind the verb: %s: {%s: ...}", begin, rest[0])
	case e.Hint == "":
		e.Hint = "known are " + strings.Join(singular, ", ")
	}
	return nil
}

func (l *loader) parseDo(what source.Node, options map[string]source.Node) Action {
	name := what.Text(l.errs)
	d := Do{Procedure: l.suite.Procedure(name)}
	if d.Procedure != nil && d.Procedure.TestsClient {
		l.errs.Add(what.Pos(), "a client cannot do %s: its steps are of a client program", name).Hint = "program does: " + name
		return d
	}
	if d.Procedure == nil {
		var known []string
		for _, p := range l.suite.Procedures {
			known = append(known, p.Name)
		}
		l.errs.Add(what.Pos(), "the protocol has no procedure %q", name).Hint = source.DidYouMean(name, known)
		return d
	}
	if as := options["as"]; !as.IsZero() {
		d.As, d.HasAs = l.value(as, false), true
	}
	if until := options["until"]; !until.IsZero() {
		switch {
		case until.Raw() != "settled":
			d.Until = l.untilMessage(until)
		case !d.Procedure.Settles():
			l.errs.Add(until.Pos(), "only a login settles")
		default:
			d.UntilSettled = true
		}
	}
	if settle := options["settle"]; !settle.IsZero() {
		d.Unsettled = !settle.Bool(l.errs)
		if !d.Procedure.Settles() || d.Unsettled && (d.UntilSettled || d.Until != nil) {
			l.errs.Add(settle.Pos(), "settle: no is for a login that may be refused, and does not go with until:")
		}
	}
	return d
}

func (l *loader) cutting(options map[string]source.Node) Cutting {
	var c Cutting
	if n := options["pieces"]; !n.IsNull() {
		c.Pieces = l.number(n, 1)
	}
	if split := options["split"]; split.IsScalar() && split.Raw() == everywhere {
		if c.Everywhere = true; c.Pieces.IsSet() || !options["cut"].IsNull() {
			l.errs.Add(split.Pos(), "split: everywhere does not go with pieces: or cut:")
		}
	} else {
		for _, n := range split.Items() {
			c.Split = append(c.Split, l.number(n, 1))
		}
	}
	if n := options["cut"]; !n.IsNull() {
		c.Cut = l.number(n, 0)
		if c.Pieces.IsSet() || len(c.Split) > 0 {
			l.errs.Add(n.Pos(), "cut: does not go with pieces: or split:")
		}
	}
	return c
}

func (l *loader) parseSend(what source.Node, options map[string]source.Node) Action {
	s := Send{How: l.cutting(options)}
	if len(what.Items()) == 0 {
		l.errs.Add(what.Pos(), "a message is missing here").Hint = "such as {say: {text: hello}}"
	}
	for _, item := range what.Items() {
		s.Messages = append(s.Messages, l.outgoing(item))
	}
	if n := options["times"]; !n.IsNull() {
		s.Times = l.number(n, 1)
	}
	if n := options["until"]; !n.IsNull() {
		s.Until = l.untilMessage(n)
		if s.Times.IsSet() || !s.How.IsWhole() {
			l.errs.Add(n.Pos(), "until: does not go with times:, pieces:, split: or cut:")
		}
	}
	set := options["set"]
	if set.IsNull() || len(s.Messages) == 0 {
		return s
	}
	if len(s.Messages) > 1 {
		l.errs.Add(set.Pos(), "set: goes with one message, and here are %d", len(s.Messages))
		return s
	}
	out := &s.Messages[0]
	m := l.suite.Protocol.Message(out.Message)
	out.Set = map[string]Value{}
	for _, p := range set.Pairs(l.errs) {
		v := l.value(p.Value, false)
		out.Set[p.Key.Raw()] = v
		if m != nil {
			l.tryValue(p.Key, v, func(text string) error { return m.CheckSet(p.Key.Raw(), text) })
		}
	}
	return s
}

func (l *loader) parseSendBytes(what source.Node, options map[string]source.Node) Action {
	if what.IsNull() {
		l.errs.Add(what.Pos(), "the bytes are missing").Hint = "such as '00 05 ff'"
	}
	return SendBytes{Data: literal(string(l.hex(what))), How: l.cutting(options)}
}

func (l *loader) parseSendText(what source.Node, options map[string]source.Node) Action {
	if what.IsNull() || what.IsList() {
		l.errs.Add(what.Pos(), "expected a text")
	}
	return SendBytes{Data: l.value(what, false), How: l.cutting(options)}
}

func (l *loader) parseReceive(what source.Node, options map[string]source.Node) Action {
	return l.receive(l.expected(what), options)
}

// receive reads how often a message is to come, and whether as the next one.
func (l *loader) receive(x Expected, options map[string]source.Node) Receive {
	r := Receive{Messages: []Expected{x}}
	if n := options["times"]; !n.IsNull() {
		r.Times = l.number(n, 1)
	}
	if n := options["next"]; !n.IsNull() {
		r.Next = n.Bool(l.errs)
	}
	return r
}

func (l *loader) parseAllOf(what source.Node, _ map[string]source.Node) Action {
	return Receive{Messages: l.several(what), Which: AllOf}
}

func (l *loader) parseOneOf(what source.Node, _ map[string]source.Node) Action {
	return Receive{Messages: l.several(what), Which: OneOf}
}

func (l *loader) parseReceiveNo(what source.Node, _ map[string]source.Node) Action {
	x := l.expected(what)
	if x.Disconnect {
		l.errs.Add(what.Pos(), "the end of a connection is no message").Hint = "WHO stays connected:"
	}
	for name, v := range x.Args {
		if v.Bind != "" {
			l.errs.Add(what.Pos(), "?%s remembers what is received; here nothing is", v.Bind).Hint = "leave " + name + " out: it may then be anything"
		}
	}
	return ReceiveNo{x}
}

var printedRegex = regexp.MustCompile(`(?s)^/(.*)/([ims]*)$`)

// printed reads a text or a regular expression.
func (l *loader) printed(n source.Node) Printed {
	m := printedRegex.FindStringSubmatch(n.Raw())
	if m == nil {
		return Printed{Text: l.value(n, false)}
	}
	p := Printed{Text: Value{parts: l.refs(m[1], n.Pos())}, IsRegex: true, Flags: m[2]}
	if _, err := p.Compile(l.trialLookup); err != nil {
		l.errs.Add(n.Pos(), "this regular expression is wrong: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return p
}

func (l *loader) parsePrints(what source.Node, options map[string]source.Node) Action {
	p := Prints{}
	items := []source.Node{what}
	if what.IsMap() {
		items = what.Keys(l.errs, "all of")["all of"].Items()
	}
	if len(items) == 0 || len(items) == 1 && items[0].IsNull() || what.IsList() {
		l.errs.Add(what.Pos(), "expected what is printed").Hint = "a text, /a regular expression/, or {all of: [one, two]}"
		return p
	}
	for _, item := range items {
		p.Texts = append(p.Texts, l.printed(item))
	}
	if n := options["times"]; !n.IsNull() {
		p.Times = l.number(n, 1)
	}
	if n := options["within"]; !n.IsNull() {
		p.Within = l.value(n, false)
		l.tryValue(n, p.Within, func(text string) error {
			if d, err := time.ParseDuration(text); err != nil || d <= 0 {
				return fmt.Errorf("expected a time such as 500ms or 2s and not %q", text)
			}
			return nil
		})
	}
	if n := options["since"]; !n.IsNull() {
		if p.SinceStart = n.Raw() == "start"; !p.SinceStart {
			l.errs.Add(n.Pos(), "since: start is the only choice")
		}
	}
	return p
}

// StopWays are the ways to stop a target from outside.
var StopWays = []string{"interrupt", "terminate"}

func (l *loader) parseStop(what source.Node, _ map[string]source.Node) Action {
	return Stop{How: l.stopWay(what)}
}

func (l *loader) stopWay(what source.Node) Value {
	v := l.value(what, false)
	l.tryValue(what, v, func(text string) error {
		if !slices.Contains(StopWays, text) && !strings.HasPrefix(text, "type:") {
			return fmt.Errorf("a program stops by %s or type:TEXT, not by %q", strings.Join(StopWays, ", "), text)
		}
		return nil
	})
	return v
}
