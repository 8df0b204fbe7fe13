package source

import (
	"strings"
	"testing"
)

// parse reads a file called f and returns its errors as a user sees them.
func parse(t *testing.T, text string) (Node, string) {
	t.Helper()
	var errs Errors
	root := Parse("f", []byte(text), &errs)
	if err := errs.Err(); err != nil {
		return root, err.Error()
	}
	return root, ""
}

func TestTraps(t *testing.T) {
	const quote = ": put it in 'single quotes'"
	const cut = ": what follows # is a comment: put the whole value in 'single quotes'; for a remark leave a blank behind the #"
	const misfit = "this is not YAML: this line does not fit the one above it: what belongs together begins in the same column, and a key ends with a colon"
	const afterQuote = "this is not YAML: nothing may follow a closing quote; inside 'single quotes' a quote is written twice, 'it''s'"
	tests := []struct {
		name, text string
		want       string // the first line of the error
		marked     string // what is underlined: the line and the marks below it
	}{
		{"text cut by a comment", "x: 1\nline: JOIN #room\n", `f:2:7: the value ends at "JOIN"` + cut, "line: JOIN #room\n      ^^^^"},
		{"text of two lines cut by a comment", "line: JOIN\n  the #room\n", `f:1:7: the value ends at "JOIN the"` + cut, "line: JOIN\n      ^^^^"},
		{"text in a list cut by a comment", "- JOIN #room\n", `f:1:3: the value ends at "JOIN"` + cut, "- JOIN #room\n  ^^^^"},
		{"text between braces cut by a comment", "a: {text: hi #room}\nb: 1\n",
			"f:1:4: this is not YAML: this { is never closed, for what follows # is a comment: put a text with a # in 'single quotes'",
			"a: {text: hi #room}\n   ^"},
		{"backspace", `re: "\bleft\b"`, `f:1:5: "\b" in double quotes is a backspace: for a regular expression use 'single quotes'`, `re: "\bleft\b"` + "\n    ^^^^^^^^"},
		{"unknown escape", `re: "\d+"`, `f:1:6: this is not YAML: "double quotes" know only some letters behind \` + quote + `, which take every \ as it is`, `re: "\d+"` + "\n     ^"},
		{"comma between braces", "a: {text: hello, world}\n", `f:1:18: "world" is a key without a value: a text that contains a comma must stand in 'single quotes' between braces`, "a: {text: hello, world}\n                 ^^^^^"},
		{"quoted key without a value", "a: {'b, c', d: 1}\n", `f:1:5: "b, c" is a key without a value: a text that contains a comma must stand in 'single quotes' between braces`, "a: {'b, c', d: 1}\n    ^^^^^^"},
		{"at sign", "to: @room\n", "f:1:5: this is not YAML: a value cannot begin with @" + quote, "to: @room\n    ^"},
		{"at sign between braces", "a: {say: {to: @room}}\n", "f:1:15: this is not YAML: a value cannot begin with @" + quote, "a: {say: {to: @room}}\n              ^"},
		{"at sign in a list", "- x\n- @room\n", "f:2:3: this is not YAML: a value cannot begin with @" + quote, "- @room\n  ^"},
		{"bracket", "end: ]\n", "f:1:6: this is not YAML: a value cannot begin with ]" + quote, "end: ]\n     ^"},
		{"percent", "fill: %d\n", "f:1:7: this is not YAML: a value cannot begin with %" + quote, "fill: %d\n      ^"},
		{"backtick", "run: `x`\n", "f:1:6: this is not YAML: a value cannot begin with `" + quote, "run: `x`\n     ^"},
		{"star", "text: *bold*\n", "f:1:7: this is not YAML: a value cannot begin with *" + quote, "text: *bold*\n      ^"},
		{"ampersand", "text: &more\n", "f:1:7: YAML takes &more for the name of an anchor: put the whole value in 'single quotes'", "text: &more\n      ^"},
		{"exclamation mark", "text: !help me\n", "f:1:7: YAML takes !help for a tag: put the whole value in 'single quotes'", "text: !help me\n      ^^"},
		{"alias", "a: &x 1\nb: *x\n", "f:1:4: YAML takes &x for the name of an anchor: put the whole value in 'single quotes'", "a: &x 1\n   ^"},
		{"greater", "text: >quoted\n", "f:1:8: this is not YAML: a value cannot begin with | > & * or !" + quote, "text: >quoted\n       ^"},
		{"tab", "a:\n\tb: 1\n", "f:2:1: this is not YAML: indent with blanks, YAML takes no tabs", " b: 1\n^"},
		{"tab behind blanks", "a:\n  b: 1\n \tc: 2\n", "f:3:2: this is not YAML: indent with blanks, YAML takes no tabs", "  c: 2\n ^"},
		{"key twice", "a: 1\nb: 2\na: 3\n", `f:3:1: key "a" stands here a second time; the first is in line 1`, "a: 3\n^"},
		{"key twice between braces", "x: {a: 1, a: 2}\n", `f:1:11: key "a" stands here a second time; the first is in line 1`, "x: {a: 1, a: 2}\n          ^"},
		{"colon in a value", "a: b: c\n", "f:1:5: this is not YAML: a value that contains a colon and a blank must stand in 'single quotes'", "a: b: c\n    ^"},
		{"too deep", "a: 1\n  b: 2\n", "f:2:4: " + misfit, "  b: 2\n   ^"},
		{"not deep enough", "a:\n    b: 1\n  c: 2\n", "f:3:3: " + misfit, "  c: 2\n  ^"},
		{"no colon", "steps:\n  - a\n  b\n", "f:3:3: this is not YAML: a colon is missing here, or this line is not indented like the one above it", "  b\n  ^"},
		{"list behind a key", "a: - b\n", "f:1:4: this is not YAML: a list begins on a line of its own, or stands between [ and ]", "a: - b\n   ^"},
		{"open bracket", "a: [1, 2\nb: 3\n", "f:1:4: this is not YAML: this [ is never closed", "a: [1, 2\n   ^"},
		{"too many braces", "a: {b: c}}\n", "f:1:10: this is not YAML: this } closes nothing", "a: {b: c}}\n         ^"},
		{"open quote", "a: \"x\nb: 1\n", "f:1:4: this is not YAML: the quote that is opened here is never closed", "a: \"x\n   ^"},
		{"quote in quotes", "a: 'it's'\n", "f:1:8: " + afterQuote, "a: 'it's'\n       ^"},
		{"quote in quotes between braces", "a: {b: 'it's', c: 1}\n", "f:1:12: this is not YAML: a comma or a closing bracket is missing here; inside 'single quotes' a quote is written twice, 'it''s'", "a: {b: 'it's', c: 1}\n           ^"},
		{"two documents", "a: 1\n---\nb: 2\n", "f:2:1: a second document begins here: take out the line ---; everything in a file is one document", "---\n^"},
		{"wrong second document", "a: 1\n---\nb: @\n", "f:3:4: this is not YAML: a value cannot begin with @" + quote, "b: @\n   ^"},
		{"not UTF-8", "a: 1\nname: Zo\xeb\n", "f:2:9: this file is not UTF-8 text: the byte 0xeb stands here: save it as UTF-8", "name: Zo\ufffd\n        ^"},
		{"control character", "a: \x01\n", "f: this is not YAML: ", ""},
		{"empty", "", "f: this file is empty", ""},
		{"only remarks", "# nothing\n\n", "f: this file is empty", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, got := parse(t, tt.text)
			first, rest, _ := strings.Cut(got, "\n")
			if first != tt.want && !(strings.HasSuffix(tt.want, ": ") && strings.HasPrefix(first, tt.want)) {
				t.Errorf("got  %s\nwant %s", first, tt.want)
			}
			if shown, marks, ok := strings.Cut(tt.marked, "\n"); ok {
				lines := strings.Split(rest, "\n")
				if len(lines) < 2 || lines[0][8:] != shown || lines[1] != "      | "+marks {
					t.Errorf("got\n%s\nwant\n%s", rest, tt.marked)
				}
			}
		})
	}
}

// What looks like a trap and is none must load, as what it says.
func TestNoFalseAlarm(t *testing.T) {
	tests := []struct{ text, want string }{
		{"x: 1  # a remark", "{x: 1}"},
		{"x: 1 # a remark", "{x: 1}"},
		{"x: 1  #a remark", "{x: 1}"},
		{"x: 1 #", "{x: 1}"},
		{"x: 1 ####", "{x: 1}"},
		{"x: 1\t# a remark", "{x: 1}"},
		{"x: JOIN#room", "{x: JOIN#room}"},
		{"x: 'JOIN #room'", `{x: "JOIN #room"}`},
		{"x: 'JOIN #room' #remark", `{x: "JOIN #room"}`},
		{`x: "it's #1" # a remark`, `{x: "it's #1"}`},
		{"x: {text: 'hello #world', to: bob}", `{x: {text: "hello #world", to: bob}}`},
		{"x: {text: 'a, b', to: 'it''s #1, ok'}", `{x: {text: "a, b", to: "it's #1, ok"}}`},
		{"x: {a: 1} #remark", "{x: {a: 1}}"},
		{"x: [a, b] #remark", "{x: [a, b]}"},
		{"x: {a: , b: 1}", "{x: {a, b: 1}}"},
		{"x: {'a, b': , c: 1}", `{x: {"a, b", c: 1}}`},
		{"x: {a : , b: 1}", "{x: {a, b: 1}}"},
		{"x: [hello, world]", "{x: [hello, world]}"},
		{"steps:\n  - alice closes:\n  - bob closes: # and goes", "{steps: [{alice closes}, {bob closes}]}"},
		{`x: "\\b"`, `{x: \b}`},
		{`x: '\b'`, `{x: \b}`},
		{"x: |\n  one #two\n  three #four\n", `{x: "one #two\nthree #four\n"}`},
		{"x: >\n  one\n  #two\n", `{x: "one #two\n"}`},
		{"x: a@b%c]d", "{x: a@b%c]d}"},
		{"x: '@room'", "{x: @room}"},
		{"x: what? no!", "{x: what? no!}"},
		{"{a: 1}: x\n{b: 2}: y", "{{a: 1}: x, {b: 2}: y}"},
		{"---\nx: 1\n", "{x: 1}"},
		{"x: 1\n...\n", "{x: 1}"},
		{"\ufeffx: 1", "{x: 1}"},
		{"x: 1\r\ny: 2\r\n", "{x: 1, y: 2}"},
		{"x: 你好 # 你好", "{x: 你好}"},
	}
	for _, tt := range tests {
		root, err := parse(t, tt.text)
		if err != "" {
			t.Errorf("%q: %s", tt.text, err)
		} else if got := root.Flow(); got != tt.want {
			t.Errorf("%q is read as %s, want %s", tt.text, got, tt.want)
		}
	}
}

// Whatever is in the file, it is read or refused, and the error can be shown.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"a: {b: [c, 'd', \"\\x41\"]}", "a: @", "\t", "a: |\n  x\n y", "a: x #y", "\xff", "? [a]\n: *b", "a: 'x\u2028y'\nb: @", "- {a, 'b,': }"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var errs Errors
		root := Parse("f", data, &errs)
		if root.IsZero() && errs.Err() == nil {
			t.Fatal("neither read nor refused")
		}
		root.Flow()
		root.Keys(&errs, "a", "b")
		if err := errs.Err(); err != nil && !strings.HasPrefix(err.Error(), "f:") {
			t.Errorf("an error without a place: %v", err)
		}
	})
}
