// Package wire reads a protocol.yaml and turns bytes into messages and
// messages into bytes, as that file says.
//
// A [Protocol] is the file: checked, immutable, with its settings still open.
// [Protocol.Bind] fixes the settings and gives a [Codec], which does the work:
//
//	p, err := wire.Load("protocol.yaml", data, nil)
//	codec, err := p.Bind(map[string]string{"byte_order": "big"})
//	b, err := codec.Encode(codec.Message("say"), wire.Args{"user": "alice", "text": "hello"}, nil)
//	// 00 05 00 00 00 05 61 6c 69 63 65 68 65 6c 6c 6f
//
//	var f wire.Frame
//	n, err := codec.Decode(&f, b, wire.Server) // n bytes are one message; ErrShort: more is needed
//	codec.Name(&f, wire.Server).Name           // "hear"
//
// Decoding is a pure function of the bytes that have arrived. It never
// allocates because a length field says so, and it can be asked again with
// more bytes at any time; a live connection and a capture use the same call.
//
// Lengths count bytes. Everything here is safe for concurrent use, except that
// a Frame belongs to whoever decodes into it.
package wire

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/chatprobe/chatprobe/internal/source"
)

// A Protocol is a checked protocol.yaml.
type Protocol struct {
	Name         string
	Extends      string // the protocol that it is a variant of; empty if none
	Title        string
	Transport    string // "tcp" or "udp"
	Port         int    // used when nothing else says which; 0 if the file names none
	Settings     []*Setting
	Requirements []*Requirement
	Procedures   []Procedure
	Fence        source.Node // read by package scenario; zero if there is none
	Commands     source.Node // what is typed into a client program; likewise
	// Answers are what the probe answers by itself: message by message.
	Answers map[string]string
	// Ignore are messages that may come at any time and mean nothing.
	Ignore []string

	shapes     []*shapeDecl
	bodyShapes map[string]*shapeDecl // line, text, json
	messages   []*messageDecl
	framing    map[Side]source.Node
	encoding   source.Node
	defaults   *Codec
}

// Level says how binding a requirement is.
type Level string

// The levels, strictest first.
const (
	Must   Level = "must"
	Should Level = "should"
	May    Level = "may"
)

// Levels are all levels, strictest first.
var levels = []string{string(Must), string(Should), string(May)}

// Weaker says whether l binds less than m.
func (l Level) Weaker(m Level) bool {
	return slices.Index(levels, string(l)) > slices.Index(levels, string(m))
}

// ParseLevel reads must, should or may.
func ParseLevel(s string) (Level, error) {
	if !slices.Contains(levels, s) {
		return "", fmt.Errorf("unknown level %q: known are %s", s, strings.Join(levels, ", "))
	}
	return Level(s), nil
}

// A Requirement is one sentence that a target can fulfil or not.
type Requirement struct {
	ID    string
	Level Level
	Text  string
	// OfClient says that it binds the client program, not the server.
	OfClient bool
	// Common are the common scenarios that check it.
	Common []string
	Pos    source.Pos
}

// A Procedure is a named list of steps, read by package scenario.
type Procedure struct {
	Name  string
	Pos   source.Pos
	Steps source.Node
}

var word = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)

// Load reads a protocol file; open, which may be nil, finds what it extends.
// All errors of a file that is YAML come at once, as a source.List.
func Load(name string, data []byte, open Open) (*Protocol, error) {
	var errs source.Errors
	root := source.Parse(name, data, &errs)
	if root.IsZero() {
		return nil, errs.Err()
	}
	before := errs.Len()
	base, all := extend(root, open, nil, &errs)
	if errs.Len() > before {
		return nil, errs.Err() // what is missing here may stand there
	}
	p := loadProtocol(all, &errs)
	p.Extends = base
	if err := errs.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

func loadProtocol(root source.Node, errs *source.Errors) *Protocol {
	keys := root.Keys(errs, "protocol", "extends", "title", "transport", "port", "framing", "encoding",
		"settings", "requirements", "messages", "procedures", "commands", "fence", "answers", "ignore")
	if !root.IsMap() {
		return &Protocol{}
	}
	for _, needed := range []string{"protocol", "messages"} {
		if keys[needed].IsNull() {
			errs.Add(root.Pos(), "a protocol needs the key %q", needed)
		}
	}
	p := &Protocol{
		Name:      keys["protocol"].Text(errs),
		Title:     keys["title"].Text(errs),
		Transport: "tcp",
		Fence:     keys["fence"],
		Commands:  keys["commands"],
		encoding:  keys["encoding"],
	}
	if n := keys["transport"]; !n.IsNull() {
		p.Transport = oneOf(n, errs, "tcp", "udp")
	}
	if n := keys["port"]; !n.IsNull() {
		p.Port = n.Int(errs, 1, 65535)
	}
	switch framing := keys["framing"]; {
	case framing.IsNull() && p.Transport == "tcp":
		errs.Add(root.Pos(), "a protocol needs the key %q", "framing")
	case p.Transport == "udp" && !framing.IsNull() && framing.Raw() != "datagram":
		errs.Add(framing.Pos(), "over UDP, each datagram is a message").Hint = "framing: datagram"
	default:
		p.loadFraming(framing, errs)
	}
	p.loadSettings(keys["settings"], errs)
	p.loadRequirements(keys["requirements"], errs)
	p.loadMessages(keys["messages"], errs)
	for _, pair := range keys["procedures"].Pairs(errs) {
		p.Procedures = append(p.Procedures, Procedure{pair.Key.Raw(), pair.Key.Pos(), pair.Value})
	}
	p.bindEveryChoice(errs)
	p.loadAnswers(keys["answers"], keys["ignore"], errs)
	return p
}

// loadAnswers reads what the probe answers by itself, and what it passes over.
func (p *Protocol) loadAnswers(answers, ignore source.Node, errs *source.Errors) {
	named := func(n source.Node, from Side) *Message {
		name := n.Text(errs)
		m := p.Message(name)
		if m == nil || m.From != from {
			var names []string
			for _, m := range p.Messages() {
				if m.From == from {
					names = append(names, m.Name)
				}
			}
			errs.Add(n.Pos(), "there is no message %q from the %s", name, from).Hint = source.DidYouMean(name, names)
			return nil
		}
		return m
	}
	p.Answers = map[string]string{}
	for _, pair := range answers.Pairs(errs) {
		question, answer := named(pair.Key, Server), named(pair.Value, Client)
		if question == nil || answer == nil {
			continue
		}
		if err := answer.CanSend(); err != nil {
			errs.Add(pair.Value.Pos(), "%v", err)
		}
		for _, need := range answer.Needs() {
			if need != "user" && !slices.Contains(question.Params(), need) {
				errs.Add(pair.Value.Pos(), "%s needs the parameter %q, and %s has none of that name", answer, need, question)
			}
		}
		p.Answers[question.Name] = answer.Name
	}
	for _, n := range ignore.Items() {
		if m := named(n, Server); m != nil {
			p.Ignore = append(p.Ignore, m.Name)
		}
	}
}

// bindEveryChoice makes a codec for each value that a setting lists, so that
// whatever a user sets later cannot turn out to be wrong in the file.
func (p *Protocol) bindEveryChoice(errs *source.Errors) {
	p.defaults = p.bind(p.Defaults(), errs)
	for _, s := range p.Settings {
		for _, choice := range s.OneOf {
			values := p.Defaults()
			values[s.Name] = choice
			p.bind(values, errs)
		}
	}
}

func (p *Protocol) loadRequirements(n source.Node, errs *source.Errors) {
	for _, pair := range n.Pairs(errs) {
		keys := pair.Value.Keys(errs, "level", "text", "of", "common")
		r := &Requirement{ID: pair.Key.Raw(), Text: keys["text"].Text(errs), Common: keys["common"].Texts(errs), Pos: pair.Key.Pos()}
		if keys["level"].IsNull() || keys["text"].IsNull() {
			errs.Add(pair.Key.Pos(), "requirement %s needs a level and a text", r.ID)
		} else {
			r.Level = Level(oneOf(keys["level"], errs, levels...))
		}
		if of := keys["of"]; !of.IsNull() {
			r.OfClient = oneOf(of, errs, "server", "client") == "client"
		}
		p.Requirements = append(p.Requirements, r)
	}
}

// oneOf is a word out of a few.
func oneOf(n source.Node, errs *source.Errors, words ...string) string {
	text := n.Text(errs)
	if n.IsScalar() && !slices.Contains(words, text) {
		errs.Add(n.Pos(), "%q cannot stand here", text).Hint = source.DidYouMean(text, words)
	}
	return text
}

// Requirement finds a requirement by its id, or nil.
func (p *Protocol) Requirement(id string) *Requirement {
	for _, r := range p.Requirements {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// Bind fixes the settings. Settings that values does not name have their
// default. An open setting (see [Protocol.Open]) takes its first real choice.
func (p *Protocol) Bind(values map[string]string) (*Codec, error) {
	all, err := p.Settle(values)
	if err != nil {
		return nil, err
	}
	var errs source.Errors
	c := p.bind(all, &errs)
	if err := errs.Err(); err != nil {
		return nil, err
	}
	c.client.bindNames()
	c.server.bindNames()
	return c, nil
}

// Messages are the messages of the protocol under its default settings, to be
// looked at, not sent.
func (p *Protocol) Messages() []*Message { return p.defaults.messages }

// Message finds one of [Protocol.Messages] by its name, or nil.
func (p *Protocol) Message(name string) *Message { return p.defaults.Message(name) }
