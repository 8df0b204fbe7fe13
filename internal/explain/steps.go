package explain

import (
	"fmt"
	"strings"

	"github.com/chatprobe/chatprobe/internal/scenario"
)

// step says in a sentence what happens, or must happen.
func (n *narrator) step(s *scenario.Step) string {
	names := who(s.Who)
	does := func(singular, plural, rest string) string { return names + " " + verb(s.Who, singular, plural) + rest }
	must := names + " " + each(s.Who)
	text := ""
	switch do := s.Do.(type) {
	case scenario.Connect:
		text = does("connects", "connect", " and "+verb(s.Who, "says", "say")+" nothing")
	case scenario.Do:
		text = n.procedure(s, do)
	case scenario.Send:
		text = n.send(s, do)
	case scenario.SendBytes:
		text = does("sends", "send", " "+n.value(do.Data)+", raw"+n.cutting(do.How))
		if b, err := do.Data.Text(n.refBytes); err == nil && !isPlain([]byte(b)) {
			text = does("sends", "send", fmt.Sprintf(" these %s bytes, raw", thousands(len(b)))+n.cutting(do.How))
		}
	case scenario.SendRest:
		text = does("sends", "send", " the bytes that were held back")
	case scenario.Receive:
		text = must + n.receive(do)
	case scenario.ReceiveNo:
		text = must + "receive no " + n.expected([]scenario.Expected{do.Message})[0]
	case scenario.ReceiveNothing:
		text = must + "receive nothing that is not told here"
	case scenario.Disconnected:
		text = "the server must end the connection of " + names + " " + deadline
	case scenario.StaysConnected:
		text = "the connection of " + names + " must still work"
	case scenario.Close:
		text = does("closes", "close", " the connection")
	case scenario.HalfClose:
		text = does("closes", "close", " the sending side of the connection, and still "+verb(s.Who, "reads", "read"))
	case scenario.Reset:
		text = does("ends", "end", " the connection with a reset, as a crash does")
	case scenario.StopReading:
		text = does("stops", "stop", " reading: what arrives stays in the socket")
	case scenario.ReadAgain:
		text = does("reads", "read", " again")
	default:
		text = n.ofPrograms(s.Do)
	}
	if s.Optional {
		text += ", if it comes at all"
	}
	return sentence(text)
}

// ofPrograms are the steps that no client of the play does.
func (n *narrator) ofPrograms(do scenario.Action) string {
	switch do := do.(type) {
	case scenario.Prints:
		return n.prints(do)
	case scenario.Stop:
		return "the server is stopped from outside: " + n.number(do.How)
	case scenario.Exits:
		return "the server must end " + deadline
	case scenario.ListensAsTold:
		return "the server must listen where it was told to"
	case scenario.IsUp:
		return "one more client must be able to log in"
	case scenario.Types:
		if do.NoEnter {
			return n.value(do.Text) + " is typed, without Enter"
		}
		return n.value(do.Text) + " is typed, and Enter"
	case scenario.Shows:
		return "the program must show " + n.printed(do.Text) + " " + deadline
	case scenario.PrintsNo:
		return "the program must never pass on the bytes " + n.value(do.Text) + " as they are"
	case scenario.ProgramDoes:
		return n.steps(do.Procedure)
	case scenario.ProgramStarts:
		return n.programStarts(do)
	case scenario.ProgramConnects:
		return "the program must connect " + deadline
	case scenario.ProgramDisconnects:
		return "the program must end its connection " + deadline
	case scenario.ProgramSends:
		return "the program must " + strings.Replace(n.receive(do.Receive), "receive ", "send ", 1)
	case scenario.ProgramSendsNothing:
		return "the program must send nothing"
	case scenario.InputEnds:
		return "the input of the program ends"
	case scenario.ProgramStop:
		return "the program is stopped from outside: " + n.number(do.How)
	case scenario.ProgramExits:
		switch do.Status {
		case scenario.ExitSuccess:
			return "the program must end " + deadline + ", with status 0"
		case scenario.ExitFailure:
			return "the program must end " + deadline + ", with a status that is not 0"
		case scenario.ExitCleanly:
			return "the program must end " + deadline + ", without the trace of an error"
		}
		return "the program must end " + deadline
	case scenario.RestoresTerminal:
		return "the program must leave the terminal as it found it"
	case scenario.ServerSends:
		return "the server sends " + n.outgoing(do.Messages) + n.cutting(do.How)
	case scenario.ServerSendsBytes:
		return "the server sends " + n.value(do.Data) + ", raw" + n.cutting(do.How)
	case scenario.ServerCloses:
		return "the server closes the connection"
	case scenario.ServerResets:
		return "the server ends the connection with a reset"
	}
	return fmt.Sprintf("%T", do)
}

// steps are the sentences of a procedure of programs, in one.
func (n *narrator) steps(p *scenario.Procedure) string {
	if p == nil {
		return ""
	}
	var words []string
	for _, s := range p.Steps {
		words = append(words, strings.TrimSuffix(n.step(s), "."))
	}
	return p.Name + ": " + strings.Join(words, "; ")
}

func (n *narrator) programStarts(do scenario.ProgramStarts) string {
	var told []string
	for _, name := range scenario.Told {
		if v, ok := do.With[name]; ok {
			told = append(told, name+" "+n.value(v))
		}
	}
	if len(told) == 0 {
		return "the program is started"
	}
	return "the program is started, and told the " + and(told)
}

func (n *narrator) procedure(s *scenario.Step, do scenario.Do) string {
	text := who(s.Who)
	switch {
	case do.Procedure == nil:
		return text
	case do.Unsettled:
		text += verb(s.Who, " tries", " try") + " to log in"
	case do.Procedure.Settles():
		text += verb(s.Who, " logs", " log") + " in"
	default:
		text += verb(s.Who, " does", " do") + ": " + do.Procedure.Name
	}
	if do.HasAs {
		text += " under the name of " + n.value(do.As)
	}
	switch {
	case do.UntilSettled:
		text += ", again and again until it works, which must be " + deadline
	case do.Until != nil:
		text += ", again and again until this comes, which must be " + deadline + ": " + n.expected([]scenario.Expected{*do.Until})[0]
	case do.Unsettled:
		text += "; the server may refuse that"
	}
	return text
}

func (n *narrator) send(s *scenario.Step, do scenario.Send) string {
	text := who(s.Who) + " " + verb(s.Who, "sends", "send") + " " + n.outgoing(do.Messages)
	if first := do.Messages[0]; len(do.Messages) == 1 && first.Message == "say" && len(first.Args) == 1 && plain(first.Args) {
		text = who(s.Who) + " " + verb(s.Who, "says", "say") + " " + n.value(first.Args["text"])
	}
	if len(do.Messages) > 1 {
		text += ", all in one segment"
	}
	text += n.cutting(do.How)
	if do.Times.IsSet() {
		text += ", " + n.number(do.Times) + " times"
	}
	if len(do.Messages) == 1 && len(do.Messages[0].Set) > 0 {
		var words []string
		if m := n.codec.Message(do.Messages[0].Message); m != nil {
			for _, f := range m.Shape.Fields {
				if v, ok := do.Messages[0].Set[f.Name]; ok {
					words = append(words, f.Name+" "+strings.Trim(n.value(v), `"`))
				}
			}
		}
		if text += ", but with " + and(words) + ", which is wrong"; len(words) == 0 {
			text = strings.TrimSuffix(text, ", but with , which is wrong") + ", but with a wrong length in front"
		}
	}
	if do.Until != nil {
		text += ", again and again until this comes, which must be " + deadline + ": " + n.expected([]scenario.Expected{*do.Until})[0]
	}
	return text
}

func (n *narrator) receive(do scenario.Receive) string {
	words := n.expected(do.Messages)
	text := "receive "
	switch {
	case len(words) == 1 && do.Messages[0].Message == "hear" && plain(do.Messages[0].Args):
		text = "hear " + n.value(do.Messages[0].Args["text"])
		if user, ok := do.Messages[0].Args["user"]; ok {
			text += " from " + n.value(user)
		}
	case len(words) == 1:
		text += words[0]
	case do.Which == scenario.OneOf:
		text += "either " + or(words)
	default:
		text += "in any order " + and(words)
	}
	if do.Times.IsSet() {
		text += ", " + n.number(do.Times) + " times,"
	}
	if do.Next {
		return text + " " + deadline + ", and nothing else before it"
	}
	return text + " " + deadline
}

func (n *narrator) prints(do scenario.Prints) string {
	var words []string
	for _, p := range do.Texts {
		words = append(words, n.printed(p))
	}
	text := "the server must print " + and(words)
	if do.Times.IsSet() {
		text += ", " + n.number(do.Times) + " times,"
	}
	if do.SinceStart {
		text += " (what it has printed before counts too)"
	}
	if do.Within.IsSet() {
		return text + " within " + n.number(do.Within)
	}
	return text + " " + deadline
}

func (n *narrator) printed(p scenario.Printed) string {
	if p.IsRegex {
		return "something like /" + n.number(p.Text) + "/" + p.Flags
	}
	return n.value(p.Text)
}
