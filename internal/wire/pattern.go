package wire

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"unicode/utf8"
)

// Args are the parameters of a message by name: a string, or a []any of
// strings for a list. What is not named may be anything.
type Args map[string]any

// A pattern is what a field holds: literal text with parameters in it, or a
// regular expression, which can only be looked for and not be sent.
//
//	'REGISTER {user} CHAT/1.0'    {user} is one or more characters, up to the next literal text
//	'@{user}: {text...}'          {text...} is the rest, which may be empty
//	'{user}'                      alone it is the whole field, whatever it holds
//	'/\b{user}\b.*left/i'         {user} is quoted when it is filled in
type pattern struct {
	parts []part
	regex string // the expression as written, between its slashes; "" if none
	flags string
	whole bool                     // the expression describes all of the value
	open  *compiled                // the expression with every parameter open
	last  atomic.Pointer[compiled] // and as it was asked for last
}

// A part is literal text (of an expression: a piece of it) or a parameter.
type part struct {
	literal string
	param   string // "" for a literal
	rest    bool
}

type compiled struct {
	expr string
	re   *regexp.Regexp
}

var (
	// In an expression, \p{Greek}, \P{…} and \x{…} are no parameters.
	paramSyntax = regexp.MustCompile(`\\[pPx]\{[^}]*\}|\{([A-Za-z][A-Za-z0-9_]*)(\.\.\.)?\}`)
	regexSyntax = regexp.MustCompile(`(?s)^/(.*)/([ims]*)$`)
)

// parsePattern reads a pattern. fill puts settings into literal text, quoted
// where that belongs to an expression. whole makes an expression one that
// describes all of a value and not something in it.
func parsePattern(text string, whole bool, fill func(text string, inRegex bool) string) (*pattern, error) {
	p := &pattern{whole: whole}
	if m := regexSyntax.FindStringSubmatch(text); m != nil {
		p.regex, p.flags = m[1], m[2]
		text = m[1]
	}
	at := 0
	for _, m := range paramSyntax.FindAllStringSubmatchIndex(text, -1) {
		if m[2] < 0 {
			continue
		}
		p.addLiteral(fill(text[at:m[0]], p.isRegex()))
		name := text[m[2]:m[3]]
		if n := len(p.parts); n > 0 && p.parts[n-1].param != "" && !p.isRegex() {
			return nil, fmt.Errorf("{%s} follows {%s} directly: nothing says where that one ends", name, p.parts[n-1].param)
		}
		p.parts = append(p.parts, part{param: name, rest: m[4] >= 0})
		at = m[1]
	}
	p.addLiteral(fill(text[at:], p.isRegex()))
	if p.isRegex() {
		if _, err := p.compile(nil); err != nil {
			return nil, fmt.Errorf("this regular expression is wrong: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
		p.open = p.last.Load()
	}
	return p, nil
}

func (p *pattern) addLiteral(text string) {
	if text != "" {
		p.parts = append(p.parts, part{literal: text})
	}
}

// params are the names of the parameters in order.
func (p *pattern) params() []string {
	var names []string
	for _, part := range p.parts {
		if part.param != "" && !slices.Contains(names, part.param) {
			names = append(names, part.param)
		}
	}
	return names
}

func (p *pattern) isRegex() bool { return p.regex != "" }

// compile fills args into the expression; what is open becomes a group that
// takes as little as possible.
func (p *pattern) compile(args Args) (*regexp.Regexp, error) {
	if len(args) == 0 && p.open != nil {
		return p.open.re, nil
	}
	expr := p.expression(args)
	for _, c := range []*compiled{p.open, p.last.Load()} {
		if c != nil && c.expr == expr {
			return c.re, nil
		}
	}
	re, err := regexp.Compile(expr)
	if err == nil {
		p.last.Store(&compiled{expr, re})
	}
	return re, err
}

func (p *pattern) expression(args Args) string {
	var b strings.Builder
	if p.flags != "" {
		b.WriteString("(?" + p.flags + ")")
	}
	if p.whole {
		b.WriteString(`\A(?:`)
	}
	for i, part := range p.parts {
		given, ok := args[part.param].(string)
		switch {
		case part.param == "":
			b.WriteString(p.literal(i, args))
		case ok:
			// Bytes that are no UTF-8 are U+FFFD to the regexp package.
			b.WriteString(regexp.QuoteMeta(string([]rune(given))))
		default:
			more := "+"
			if part.rest {
				more = "*"
			}
			group := "(?P<" + part.param + ">"
			if p.index(part.param) < i {
				group = "(?:"
			}
			b.WriteString(group + "." + more + "?)")
		}
	}
	if p.whole {
		b.WriteString(`)\z`)
	}
	return b.String()
}

// index is the first part that is the parameter.
func (p *pattern) index(param string) int {
	return slices.IndexFunc(p.parts, func(o part) bool { return o.param == param })
}

const border = `\b`

// literal is a piece of an expression. A \b beside a parameter is left out
// where the parameter begins or ends with what is no letter to \b, such as ë:
// it could never match there.
func (p *pattern) literal(i int, args Args) string {
	text := p.parts[i].literal
	if i+1 < len(p.parts) && strings.HasSuffix(text, border) && !strings.HasSuffix(text, `\`+border) {
		if v, ok := args[p.parts[i+1].param].(string); ok && (v == "" || !isWordByte(v[0])) {
			text = strings.TrimSuffix(text, border)
		}
	}
	if i > 0 && strings.HasPrefix(text, border) {
		if v, ok := args[p.parts[i-1].param].(string); ok && (v == "" || !isWordByte(v[len(v)-1])) {
			text = strings.TrimPrefix(text, border)
		}
	}
	return text
}

func isWordByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' && c < utf8.RuneSelf
}

// fill writes the text for args.
func (p *pattern) fill(args Args) (string, error) {
	if p.isRegex() {
		return "", fmt.Errorf("/%s/ can be expected but not sent", p.regex)
	}
	var b strings.Builder
	for _, part := range p.parts {
		if part.param == "" {
			b.WriteString(part.literal)
			continue
		}
		v, ok := args[part.param].(string)
		if !ok {
			return "", fmt.Errorf("the parameter %q has no value", part.param)
		}
		b.WriteString(v)
	}
	return b.String(), nil
}

// match says whether value fits under args, and adds the parameters that args
// leaves open to found, which may be nil.
func (p *pattern) match(value []byte, args, found Args) bool {
	if found == nil {
		return p.locate(value, args, nil)
	}
	return p.locate(value, args, func(param string, start, end int) {
		if _, given := args[param]; !given {
			found[param] = string(value[start:end])
		}
	})
}

// locate is match that tells visit, unless it is nil, where each parameter
// stands.
func (p *pattern) locate(value []byte, args Args, visit func(param string, start, end int)) bool {
	if len(args) > 0 && !p.takes(args) {
		return false
	}
	if p.isRegex() {
		return p.locateRegex(value, args, visit)
	}
	alone := len(p.parts) == 1
	at := 0
	for i := range p.parts {
		part := &p.parts[i]
		text, ok := part.literal, part.param == ""
		if !ok && len(args) > 0 {
			text, ok = args[part.param].(string)
		}
		end := at + len(text)
		switch rest := value[at:]; {
		case ok && !hasPrefix(rest, text):
			return false
		case ok:
		case i < len(p.parts)-1:
			end = at + part.end(rest, p.parts[i+1].literal)
		default:
			end = len(value)
		}
		if end < at || !ok && end == at && !part.rest && !alone {
			return false
		}
		if visit != nil && part.param != "" {
			visit(part.param, at, end)
		}
		at = end
	}
	return at == len(value)
}

// takes says that args has a text for each parameter of p that it has at all.
func (p *pattern) takes(args Args) bool {
	for _, part := range p.parts {
		if v, ok := args[part.param]; ok && part.param != "" {
			if _, isText := v.(string); !isText {
				return false
			}
		}
	}
	return true
}

// end is where a parameter ends that next follows, or -1. At least one
// character belongs to it, unless it is {x...}.
func (p *part) end(value []byte, next string) int {
	least := 1
	if p.rest {
		least = 0
	}
	if len(value) < least {
		return -1
	}
	if i := indexText(value[least:], next); i >= 0 {
		return i + least
	}
	return -1
}

func (p *pattern) locateRegex(value []byte, args Args, visit func(param string, start, end int)) bool {
	re, err := p.compile(args)
	if err != nil {
		return false
	}
	if visit == nil {
		return re.Match(value)
	}
	m := re.FindSubmatchIndex(value)
	if m == nil {
		return false
	}
	for i, name := range re.SubexpNames() {
		if name != "" && m[2*i] >= 0 {
			visit(name, m[2*i], m[2*i+1])
		}
	}
	return true
}
