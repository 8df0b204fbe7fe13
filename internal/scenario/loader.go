package scenario

import (
	"github.com/chatprobe/chatprobe/internal/source"
)

// loader reads one scenario, or the steps of the protocol file.
type loader struct {
	suite    *Suite
	scenario *Scenario // nil in the protocol file
	errs     *source.Errors
	each     map[string]string // values of each:
	bound    map[string]bool   // names bound by ?x so far
	used     map[string]bool   // names of each: that steps use
	// inProtocol allows $self and $token, and the client called "client".
	inProtocol bool
	// fitting leaves out parameters that a message of this protocol has not:
	// the scenario was written for others too.
	fitting bool
}

func (s *Suite) loadProtocolSteps(errs *source.Errors) {
	l := &loader{suite: s, errs: errs, bound: map[string]bool{}, inProtocol: true}
	s.loadCommands(errs)
	for _, p := range s.Protocol.Procedures {
		proc := &Procedure{Name: p.Name}
		for _, n := range p.Steps.Items() {
			if step := l.step(n); step != nil {
				proc.Steps = append(proc.Steps, step)
				proc.TestsClient = proc.TestsClient || isOfClientTest(step.Do)
			}
		}
		for _, step := range proc.Steps {
			if proc.TestsClient && !isOfClientTest(step.Do) {
				errs.Add(step.Pos, "this step is of a client, and others in %s are of a client program", proc.Name)
			}
		}
		s.Procedures = append(s.Procedures, proc)
	}
	if s.Protocol.Fence.IsNull() {
		return
	}
	keys := s.Protocol.Fence.Keys(errs, "token", "arrives", "question", "answer")
	pos := s.Protocol.Fence.Pos()
	f := &FenceRule{}
	before := errs.Len()
	if keys["token"].IsNull() != keys["arrives"].IsNull() || keys["token"].IsNull() && keys["question"].IsNull() {
		errs.Add(pos, "a fence needs token: (what is sent) and arrives: (how the others receive it), or question: and answer:")
		return
	}
	if keys["question"].IsNull() != keys["answer"].IsNull() {
		errs.Add(pos, "question: and answer: go together").Hint = "fence: {question: list, answer: listed}"
		return
	}
	if !keys["token"].IsNull() {
		f.Token, f.Arrives = l.outgoing(keys["token"]), l.expected(keys["arrives"])
		if errs.Len() == before && !(carriesToken(f.Token.Args) && carriesToken(f.Arrives.Args)) {
			errs.Add(pos, "token: and arrives: must both contain $token").Hint =
				"token: {say: {text: $token}}, arrives: {hear: {user: $self, text: $token}}"
		}
	}
	if !keys["question"].IsNull() {
		question, answer := l.outgoing(keys["question"]), l.expected(keys["answer"])
		f.Question, f.Answer = &question, answer
		if errs.Len() == before && carriesToken(question.Args) != carriesToken(answer.Args) {
			errs.Add(pos, "question: and answer: contain $token either both or not at all")
		}
	}
	s.Fence = f
}

func carriesToken(args map[string]Value) bool {
	for _, v := range args {
		if v.refersTo(TokenText) {
			return true
		}
	}
	return false
}
