package scenario

import (
	"fmt"
	"slices"

	"github.com/chatprobe/chatprobe/internal/source"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// message reads MESSAGE or {MESSAGE: {parameter: value}}.
func (l *loader) message(n source.Node, expected bool) (*wire.Message, map[string]Value) {
	nameNode, params := n, source.Node{}
	if n.IsNull() {
		l.errs.Add(n.Pos(), "a message is missing here").Hint = "such as {hear: {text: hello}}"
		return nil, nil
	}
	if n.IsMap() {
		pairs := n.Pairs(l.errs)
		if len(pairs) != 1 {
			l.errs.Add(n.Pos(), "expected one message with its parameters, such as {say: {text: hello}}")
			return nil, nil
		}
		nameNode, params = pairs[0].Key, pairs[0].Value
	}
	if !nameNode.IsScalar() {
		l.errs.Add(n.Pos(), "expected one message and not a list").Hint = "such as {hear: {text: hello}}; several stand behind `receives all of` or `receives one of`"
		return nil, nil
	}
	name := nameNode.Text(l.errs)
	m := l.suite.Protocol.Message(name)
	if m == nil {
		var known []string
		for _, m := range l.suite.Protocol.Messages() {
			known = append(known, m.Name)
		}
		l.errs.Add(nameNode.Pos(), "the protocol has no message %q", name).Hint = source.DidYouMean(name, known)
		return nil, nil
	}
	args := map[string]Value{}
	for _, p := range params.Pairs(l.errs) {
		param := p.Key.Raw()
		if !slices.Contains(m.Params(), param) {
			if l.fitting {
				continue
			}
			l.errs.Add(p.Key.Pos(), "message %s has no parameter %q", name, param).Hint = source.DidYouMean(param, m.Params())
			continue
		}
		before := l.errs.Len()
		v := l.value(p.Value, expected)
		args[param] = v
		switch isList := v.list != nil; {
		case l.errs.Len() > before:
		case m.TakesAny(param):
			v.raw = v.isJSON && !p.Value.IsQuoted()
			args[param] = v
		case isList && !m.IsList(param):
			l.errs.Add(p.Value.Pos(), "%s is one text and no list", param)
		case !isList && m.IsList(param) && v.Bind == "":
			l.errs.Add(p.Value.Pos(), "%s is a list: put it between [ and ]", param)
		case !isList:
			l.tryValue(p.Value, v, func(text string) error { return m.CheckArg(param, text) })
		}
	}
	return m, args
}

func (l *loader) outgoing(n source.Node) Outgoing {
	m, args := l.message(n, false)
	if m == nil {
		return Outgoing{}
	}
	if err := m.CanSend(); err != nil {
		l.errs.Add(n.Pos(), "%v", err)
	} else if m.From != wire.Client {
		l.errs.Add(n.Pos(), "%s comes from the server; a client cannot send it", m.Name)
	} else {
		for _, need := range m.Needs() {
			if _, ok := args[need]; !ok && need != "user" {
				l.errs.Add(n.Pos(), "%s needs the parameter %q", m.Name, need).Hint = fmt.Sprintf("{%s: {%s: ...}}", m.Name, need)
			}
		}
	}
	return Outgoing{Message: m.Name, Args: args}
}

func (l *loader) expected(n source.Node) Expected {
	if n.Raw() == "disconnect" {
		return Expected{Disconnect: true}
	}
	m, args := l.message(n, true)
	if m == nil {
		return Expected{}
	}
	switch m.From {
	case wire.Client:
		l.errs.Add(n.Pos(), "%s comes from clients; they do not receive it", m.Name)
	case "":
		l.errs.Add(n.Pos(), "%s is only a shape: in %s it does not say whom it is from", m.Name, ProtocolFile)
	}
	return Expected{Message: m.Name, Args: args}
}

// untilMessage is the message that ends a repetition.
func (l *loader) untilMessage(n source.Node) *Expected {
	x := l.expected(n)
	if x.Disconnect {
		l.errs.Add(n.Pos(), "until: takes a message, and the end of a connection is none").Hint = "a step of its own: WHO is disconnected:"
	}
	return &x
}

func (l *loader) several(what source.Node) []Expected {
	var list []Expected
	if !what.IsList() || len(what.Items()) == 0 {
		l.errs.Add(what.Pos(), "expected a list of messages").Hint = "such as [{hear: {text: one}}, {hear: {text: two}}]"
		return nil
	}
	for _, item := range what.Items() {
		list = append(list, l.expected(item))
	}
	return list
}
