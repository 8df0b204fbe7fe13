package draft

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/chatprobe/chatprobe/internal/wire"
)

// A reading is one way to understand a message of the server.
type reading struct {
	message *wire.Message
	args    wire.Args
	rank    rank
}

// rank is how much a reading says, the best first.
type rank int

const (
	relay    rank = iota // what a client has said
	notice               // about a client
	exactly              // all of it, byte for byte
	vaguely              // that it came
	anything             // what anything could be
)

// regexLimit is the length of the longest message in which a notice is looked for.
const regexLimit = 4096

// understand finds the reading of a server's message that says most.
func (s *script) understand(f *wire.Frame) (reading, bool) {
	var list []reading
	for _, m := range s.codec.Messages() {
		if m.From != wire.Server {
			continue
		}
		if r, ok := s.readAs(m, f); ok {
			list = append(list, r)
		}
	}
	if len(list) == 0 {
		return reading{}, false
	}
	return slices.MinFunc(list, func(a, b reading) int {
		if a.rank != b.rank {
			return int(a.rank) - int(b.rank)
		}
		return len(a.message.Params()) - len(b.message.Params())
	}), true
}

func (s *script) readAs(m *wire.Message, f *wire.Frame) (reading, bool) {
	found := wire.Args{}
	if m.CanSend() != nil && len(f.Raw) > regexLimit || !m.Match(f, nil, found) {
		return reading{}, false
	}
	r := reading{message: m, rank: vaguely}
	switch _, err := s.codec.Example(m, found); {
	case err == nil:
		r.args, r.rank = found, exactly
		if s.isRelay(found) {
			r.rank = relay
		}
	case slices.Contains(m.Params(), userParam):
		for _, a := range s.actors {
			args := wire.Args{userParam: a.wire}
			if a.known && a.wire != "" && bytes.Contains(f.Raw, []byte(a.wire)) && m.Match(f, args, nil) {
				r.args, r.rank = args, notice
				return r, true
			}
		}
	case len(m.Params()) == 0:
		r.rank = exactly
	}
	if m.IsCatchAll() && r.rank > relay {
		r.rank = anything
	}
	return r, true
}

// isRelay says that one of the values is something that a client has said.
func (s *script) isRelay(args wire.Args) bool {
	for name, v := range args {
		if text, ok := v.(string); ok && name != userParam && len(s.spoken[text]) > 0 {
			return true
		}
	}
	return false
}

// remember notes what a client says, with event i.
func (s *script) remember(args wire.Args, i int) {
	for name, v := range args {
		if text, ok := v.(string); ok && name != userParam && s.byWire(text) == nil {
			s.spoken[text] = append(s.spoken[text], i)
		}
	}
}

// byWire finds the actor that has a name in the capture, or nil.
func (s *script) byWire(name string) *actor {
	for _, a := range s.actors {
		if a.wire == name && name != "" && a.known && !a.as {
			return a
		}
	}
	return nil
}

// changing finds what would probably be another the next time: times, dates,
// numbers that count something.
var changing = regexp.MustCompile(`[0-9]`)

// expectation writes a message that actor a received. It says why parts of it
// were left open, if any were.
func (s *script) expectation(a *actor, r reading) (text, why string) {
	args := wire.Args{}
	for name, v := range r.args {
		if r.rank == relay || name == userParam {
			args[name] = v
			continue
		}
		written, ok := s.value(a, v, true)
		switch {
		case !ok:
			why = name + " cannot be written down"
		case s.mentions(v) > 1 && !r.message.IsList(name):
			why = name + " names several clients, as a list does that may be another next time"
		case r.message.IsList(name) && s.strangers(v):
			why = name + " has names of whom the capture shows no login"
		case r.message.IsList(name) && s.departed(v):
			why = name + " has somebody who had just left"
		case changing.MatchString(withoutRefs(written)) && r.message.CheckArg(name, "x") == nil && !r.message.IsList(name):
			why = name + " has figures in it, which may be others next time"
		default:
			args[name] = v
		}
	}
	if why != "" {
		why = fmt.Sprintf("%s: it was %s", why, short(r.message.Describe(r.args)))
	}
	return s.message(a, r.message, args, true), why
}

var refs = regexp.MustCompile(`\$[a-z][a-z0-9]*(\.(ip|port))?`)

func withoutRefs(text string) string { return refs.ReplaceAllString(text, "") }

// short is a text for a comment.
func short(text string) string {
	text = strconv.QuoteToASCII(text)
	text = strings.ReplaceAll(text[1:len(text)-1], `\"`, `"`)
	if len(text) > 80 {
		return text[:77] + "..."
	}
	return text
}

// mentions counts the clients that a text names.
func (s *script) mentions(v any) int {
	text, _ := v.(string)
	n := 0
	for _, a := range s.actors {
		if a.known && a.wire != "" && len(places(text, a.wire)) > 0 {
			n++
		}
	}
	return n
}

// strangers says that a list has somebody who is no actor, and departed that
// it has somebody who may have been in it only because he had just left.
func (s *script) strangers(v any) bool {
	list, _ := v.([]any)
	return slices.ContainsFunc(list, func(item any) bool {
		text, _ := item.(string)
		return !slices.ContainsFunc(s.actors, func(a *actor) bool { return a.wire == text })
	})
}

func (s *script) departed(v any) bool {
	list, _ := v.([]any)
	return slices.ContainsFunc(list, func(item any) bool {
		return slices.ContainsFunc(s.actors, func(a *actor) bool { return a.gone && any(a.wire) == item })
	})
}

// message writes a message with its parameters, as actor a sends or receives it.
func (s *script) message(a *actor, m *wire.Message, args wire.Args, received bool) string {
	var parts []string
	for _, name := range m.Params() {
		v, ok := args[name]
		if !ok {
			continue
		}
		if text, isText := v.(string); isText && name == userParam && !received && text == a.shown && a.known {
			continue // it is the sender's own
		}
		if text, ok := s.argument(a, m, name, args, received); ok {
			parts = append(parts, name+": "+text)
		}
	}
	if len(parts) == 0 {
		return m.Name
	}
	return "{" + m.Name + ": {" + strings.Join(parts, ", ") + "}}"
}

// argument writes one parameter. Of several clients at one address, the one
// is meant whose port stands beside it.
func (s *script) argument(a *actor, m *wire.Message, name string, args wire.Args, received bool) (string, bool) {
	v := args[name]
	text, isText := v.(string)
	for _, o := range s.actors {
		if !isText || !received || o.now == nil || text != o.now.client.Addr().Unmap().String() {
			continue
		}
		port := strconv.Itoa(int(o.now.client.Port()))
		for _, other := range args {
			if other == any(port) {
				return "$" + o.name + ".ip", true
			}
		}
	}
	written, ok := s.value(a, v, received)
	if isText && m.TakesAny(name) && !strings.HasPrefix(written, "{") && !strings.HasPrefix(written, "'") && !strings.HasPrefix(written, `"`) {
		written = "'" + strings.ReplaceAll(written, "'", "''") + "'" // a text also where it looks like a number
	}
	return written, ok
}

// value writes a value with references in place of names and addresses.
func (s *script) value(a *actor, v any, received bool) (string, bool) {
	switch v := v.(type) {
	case string:
		if unit, times, ok := repeated(v); ok && len(v) > 40 && !strings.ContainsAny(unit, "$") {
			return fmt.Sprintf("{repeat: %s, times: %d}", scalar(unit), times), true
		}
		if len(v) > 0 && strings.Trim(v, "x") == "" {
			return scalar(v), true
		}
		return scalar(s.refer(a, v, received)), true
	case wire.Raw:
		text := string(v)
		return text, !strings.ContainsAny(text, `{}[]"`)
	case []any:
		list := make([]string, len(v))
		for i, item := range v {
			text, ok := s.value(a, item, received)
			if !ok {
				return "", false
			}
			list[i] = text
		}
		return "[" + strings.Join(list, ", ") + "]", true
	}
	return "", false
}

// refer puts references into a text.
func (s *script) refer(a *actor, text string, received bool) string {
	type mark struct {
		at, n int
		ref   string
	}
	var marks []mark
	put := func(needle, ref string) {
		for _, at := range places(text, needle) {
			if !slices.ContainsFunc(marks, func(m mark) bool { return at < m.at+m.n && m.at < at+len(needle) }) {
				marks = append(marks, mark{at, len(needle), ref})
			}
		}
	}
	for _, o := range s.actors {
		if o.known && o.wire != "" && !o.as && (len(o.wire) > 2 || o.wire == text) && !strings.Contains(text, o.wire+".ip") && !strings.Contains(text, o.wire+".port") {
			put(o.wire, "$"+o.name)
		}
	}
	for _, o := range s.actors {
		if o.now != nil && received {
			put(strconv.Itoa(int(o.now.client.Port())), "$"+o.name+".port")
		}
	}
	if received && a.now != nil {
		put(strconv.Itoa(int(s.rec.port)), "$server.port")
		put(a.now.client.Addr().Unmap().String(), "$"+a.name+".ip")
	}
	slices.SortFunc(marks, func(a, b mark) int { return a.at - b.at })
	var b strings.Builder
	at := 0
	for _, m := range marks {
		b.WriteString(strings.ReplaceAll(text[at:m.at], "$", "$$"))
		b.WriteString(m.ref)
		at = m.at + m.n
	}
	b.WriteString(strings.ReplaceAll(text[at:], "$", "$$"))
	return b.String()
}

// places are where a word stands in a text, and not within a longer one.
func places(text, word string) []int {
	var list []int
	inWord := func(i int) bool {
		return i >= 0 && i < len(text) && (text[i] == '_' || text[i]|0x20 >= 'a' && text[i]|0x20 <= 'z' || text[i] >= '0' && text[i] <= '9' || text[i] >= 0x80)
	}
	for at := 0; word != ""; {
		i := strings.Index(text[at:], word)
		if i < 0 {
			break
		}
		i += at
		if !inWord(i-1) && !inWord(i+len(word)) {
			list = append(list, i)
		}
		at = i + len(word)
	}
	return list
}
