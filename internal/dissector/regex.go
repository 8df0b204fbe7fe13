package dissector

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"unicode"
)

// assertions are the names of what an expression may ask about a place.
var assertions = map[syntax.EmptyOp]string{
	syntax.EmptyBeginLine: "begin line", syntax.EmptyEndLine: "end line",
	syntax.EmptyBeginText: "begin text", syntax.EmptyEndText: "end text",
	syntax.EmptyWordBoundary: "border", syntax.EmptyNoWordBoundary: "no border",
}

// program compiles an expression to the instructions that regex.lua follows.
// Lua's own patterns cannot say what expressions say, and what other engines
// in Wireshark say differs from version to version.
func (r *registry) program(re *regexp.Regexp) (table, error) {
	parsed, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("read regular expression: %w", err)
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, fmt.Errorf("compile regular expression: %w", err)
	}
	var program table
	for i := range prog.Inst {
		program = append(program, pair{"", instruction(&prog.Inst[i])})
	}
	var groups table
	for i, name := range re.SubexpNames() {
		if name != "" {
			groups = append(groups, pair{"", table{{"param", name}, {"number", i}, {"hf", r.param(name)}}})
		}
	}
	return table{{"regex", re.String()}, {"start", prog.Start + 1}, {"groups", groups}, {"program", program}}, nil
}

// instruction is one of them: {what, next, argument}. They are counted from 1.
func instruction(inst *syntax.Inst) table {
	next := int(inst.Out) + 1
	of := func(what string, more ...any) table {
		t := table{{"", what}, {"", next}}
		for _, m := range more {
			t = append(t, pair{"", m})
		}
		return t
	}
	switch inst.Op {
	case syntax.InstAlt, syntax.InstAltMatch:
		return of("alt", int(inst.Arg)+1)
	case syntax.InstCapture:
		return of("group", int(inst.Arg))
	case syntax.InstEmptyWidth:
		return of("assert", assertions[syntax.EmptyOp(inst.Arg)])
	case syntax.InstMatch:
		return table{{"", "match"}}
	case syntax.InstNop:
		return of("nop")
	case syntax.InstRuneAny:
		return of("any")
	case syntax.InstRuneAnyNotNL:
		return of("not newline")
	case syntax.InstRune, syntax.InstRune1:
		return of("rune", list(ranges(inst), func(c rune) any { return int(c) }))
	}
	return table{{"", "fail"}}
}

// ranges are the first and last characters that an instruction takes.
func ranges(inst *syntax.Inst) []rune {
	if len(inst.Rune) != 1 {
		return inst.Rune
	}
	c := inst.Rune[0]
	all := []rune{c, c}
	if syntax.Flags(inst.Arg)&syntax.FoldCase != 0 {
		for o := unicode.SimpleFold(c); o != c; o = unicode.SimpleFold(o) {
			all = append(all, o, o)
		}
	}
	return all
}
