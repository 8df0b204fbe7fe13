package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Parse reads one YAML document. What YAML itself cannot read is an error
// with YAML's usual traps named for what they are; the Node is then zero.
// What YAML reads but no user means is an error too: keys that stand twice,
// values cut off by a comment, aliases, anchors and tags.
func Parse(name string, data []byte, errs *Errors) Node {
	file := NewFile(name, data)
	if at := invalidAt(data); at >= 0 {
		before := NewFile(name, data[:at]).lines
		line := len(before)
		errs.Add(Pos{File: file, Line: line, Col: utf8.RuneCountInString(before[line-1]) + 1},
			"this file is not UTF-8 text: the byte %#02x stands here", data[at]).Hint = "save it as UTF-8"
		return Node{}
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		addSyntaxError(file, err, errs)
		return Node{}
	}
	if doc.Kind == 0 || len(doc.Content) == 0 {
		errs.Add(Pos{File: file}, "this file is empty")
		return Node{}
	}
	root := Node{file: file, yaml: doc.Content[0]}
	root.checkTraps(errs)
	var second yaml.Node
	if err := dec.Decode(&second); err == nil {
		errs.Add(Pos{File: file, Line: second.Line, Col: second.Column}, "a second document begins here").Hint =
			"take out the line ---; everything in a file is one document"
	} else if !errors.Is(err, io.EOF) {
		addSyntaxError(file, err, errs)
		return Node{}
	}
	return root
}

// invalidAt is the offset of the first byte that is not UTF-8, or -1.
func invalidAt(data []byte) int {
	for at := 0; at < len(data); {
		r, n := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && n == 1 {
			return at
		}
		at += n
	}
	return -1
}

func addSyntaxError(file *File, err error, errs *Errors) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	pos, context := Pos{File: file}, Pos{File: file}
	var load *yaml.LoadError
	if errors.As(err, &load) {
		text = load.Message
		pos.Line, pos.Col = load.Mark.Line, load.Mark.Column
		context.Line, context.Col = load.ContextMark.Line, load.ContextMark.Column
		if pos.Line == 0 {
			pos = context
		}
	}
	if !pos.isIn(file) {
		errs.Add(pos, "this is not YAML: %s", text)
		return
	}
	s := syntaxError{file: file, pos: pos, context: context, text: text}
	hint := s.explain()
	if hint == "" {
		errs.Add(s.pos, "this is not YAML: %s", text)
		return
	}
	errs.Add(s.pos, "this is not YAML").Hint = hint
}

func (p Pos) isIn(f *File) bool { return p.Line >= 1 && p.Line <= len(f.lines) }

// A syntaxError is what the YAML reader says, in its own words. The context
// is where the value began that it could not read; its line may be 0.
type syntaxError struct {
	file         *File
	pos, context Pos
	text         string
}

// explain says what was probably meant, and moves pos to where that stands.
func (s *syntaxError) explain() string {
	line := []rune(s.file.lines[s.pos.Line-1])
	col := max(0, min(s.pos.Col-1, len(line)))
	before, rest := string(line[:col]), string(line[col:])
	indent := string(line)[:len(string(line))-len(strings.TrimLeft(string(line), " \t"))]
	says := func(part string) bool { return strings.Contains(s.text, part) }
	switch {
	case strings.Contains(indent, "\t") && !says("end of stream"):
		return "indent with blanks, YAML takes no tabs"
	case says("expected ',' or"):
		return s.unclosed()
	case says("end of stream") && s.context.isIn(s.file):
		s.pos = s.context
		return "the quote that is opened here is never closed"
	case says("unknown escape"):
		return `"double quotes" know only some letters behind \: put it in 'single quotes', which take every \ as it is`
	case says("mapping values") && strings.Contains(before, ": "):
		return "a value that contains a colon and a blank must stand in 'single quotes'"
	case says("expected key") && rest != "" && strings.ContainsAny(rest[:1], "]}"):
		return fmt.Sprintf("this %s closes nothing", rest[:1])
	case says("expected key") && strings.ContainsAny(before, `'"`) && strings.TrimSpace(before) != "":
		return "nothing may follow a closing quote; inside 'single quotes' a quote is written twice, 'it''s'"
	case says("cannot start any token"), says("node content"), says("unknown anchor"), says("mapping keys"):
		if rest != "" {
			return fmt.Sprintf("a value cannot begin with %s: put it in 'single quotes'", firstRune(rest))
		}
	case says("comment or line break"), says("alphabetic or numeric"):
		return "a value cannot begin with | > & * or !: put it in 'single quotes'"
	case says("block sequence entries"):
		return "a list begins on a line of its own, or stands between [ and ]"
	case says("expected ':'") && s.context.isIn(s.file):
		s.pos = s.context
		return "a colon is missing here, or this line is not indented like the one above it"
	case says("mapping values"), says("expected key"), says("expected '-'"):
		return "this line does not fit the one above it: what belongs together begins in the same column, and a key ends with a colon"
	}
	return ""
}

// unclosed explains a missing comma or bracket.
func (s *syntaxError) unclosed() string {
	if !s.context.isIn(s.file) || s.context.Line == s.pos.Line {
		return "a comma or a closing bracket is missing here; inside 'single quotes' a quote is written twice, 'it''s'"
	}
	s.pos = s.context
	bracket := firstRune(string([]rune(s.file.lines[s.pos.Line-1])[max(0, s.pos.Col-1):]))
	if strings.Contains(s.file.lines[s.pos.Line-1], " #") {
		return fmt.Sprintf("this %s is never closed, for what follows # is a comment: put a text with a # in 'single quotes'", bracket)
	}
	return fmt.Sprintf("this %s is never closed", bracket)
}

func firstRune(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}

// checkTraps finds what YAML accepts and no user means.
func (n Node) checkTraps(errs *Errors) {
	switch {
	case n.yaml.Anchor != "":
		errs.Add(n.Pos(), "YAML takes &%s for the name of an anchor", n.yaml.Anchor).Hint = "put the whole value in 'single quotes'"
	case n.yaml.Style&yaml.TaggedStyle != 0:
		errs.Add(n.Pos(), "YAML takes %s for a tag", n.yaml.Tag).Hint = "put the whole value in 'single quotes'"
	}
	switch n.yaml.Kind {
	case yaml.AliasNode:
		errs.Add(n.Pos(), "aliases (*%s) are not used here", n.yaml.Value).Hint = "write the value out; a text that begins with * must stand in 'single quotes'"
	case yaml.MappingNode:
		n.checkKeys(errs)
	case yaml.SequenceNode:
		for _, c := range n.yaml.Content {
			n.inside(c).checkTraps(errs)
		}
	case yaml.ScalarNode:
		if n.yaml.Style == 0 && n.yaml.Value != "" && cutByComment(n) {
			errs.Add(n.Pos(), "the value ends at %q: what follows # is a comment", n.yaml.Value).Hint =
				"put the whole value in 'single quotes'; for a remark leave a blank behind the #"
		}
		if n.yaml.Style&yaml.DoubleQuotedStyle != 0 && strings.ContainsRune(n.yaml.Value, '\b') {
			errs.Add(n.Pos(), `"\b" in double quotes is a backspace`).Hint = `for a regular expression use 'single quotes'`
		}
	}
}

func (n Node) checkKeys(errs *Errors) {
	seen := map[string]Pos{}
	for _, p := range n.pairs() {
		key := p.Key.yaml.Value
		first, again := seen[key]
		if again && p.Key.yaml.Kind == yaml.ScalarNode {
			errs.Add(p.Key.Pos(), "key %q stands here a second time; the first is in line %d", key, first.Line)
		}
		if !again {
			seen[key] = p.Key.Pos()
		}
		if n.yaml.Style&yaml.FlowStyle != 0 && p.Value.IsNull() && p.Value.yaml.Value == "" && !strings.HasPrefix(strings.TrimLeft(n.file.after(p.Key), " "), ":") {
			errs.Add(p.Key.Pos(), "%q is a key without a value", key).Hint =
				"a text that contains a comma must stand in 'single quotes' between braces"
		}
		p.Key.checkTraps(errs)
		p.Value.checkTraps(errs)
	}
}

// cutByComment tells `JOIN #room`, which was meant as one text, from a value
// with a remark behind it: `yes # as they all do`.
func cutByComment(n Node) bool {
	rest := n.file.after(n)
	text := strings.TrimLeft(rest, " \t")
	if len(rest)-len(text) != 1 || !strings.HasPrefix(text, "#") {
		return false
	}
	next, _ := utf8.DecodeRuneInString(strings.TrimLeft(text, "#"))
	return next != utf8.RuneError && !unicode.IsSpace(next)
}

// after is what stands behind a scalar in the line where it ends; empty where
// that cannot be told.
func (f *File) after(n Node) string {
	at := n.yaml.Line - 1
	if at < 0 || at >= len(f.lines) {
		return ""
	}
	line := []rune(f.lines[at])
	line = line[min(n.yaml.Column-1, len(line)):]
	if n.yaml.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		return afterQuotes(line)
	}
	for _, r := range n.yaml.Value {
		if unicode.IsSpace(r) {
			continue
		}
		for len(line) == 0 || unicode.IsSpace(line[0]) {
			if len(line) > 0 {
				line = line[1:]
				continue
			}
			if at++; at >= len(f.lines) {
				return ""
			}
			line = []rune(f.lines[at])
		}
		if line[0] != r {
			return ""
		}
		line = line[1:]
	}
	return string(line)
}

// afterQuotes is what follows a text in quotes; line begins with the quote.
func afterQuotes(line []rune) string {
	for i := 1; i < len(line); i++ {
		switch {
		case line[0] == '"' && line[i] == '\\', line[0] == '\'' && line[i] == '\'' && i+1 < len(line) && line[i+1] == '\'':
			i++
		case line[i] == line[0]:
			return string(line[i+1:])
		}
	}
	return ""
}
