package source

import (
	"errors"
	"strings"
	"testing"
)

// find is the place of a text in a file, with its width.
func find(t *testing.T, file *File, text string) Pos {
	t.Helper()
	for i, line := range file.lines {
		if at := strings.Index(line, text); at >= 0 {
			return Pos{File: file, Line: i + 1, Col: len([]rune(line[:at])) + 1, width: len([]rune(text))}
		}
	}
	t.Fatalf("no %q in the file", text)
	return Pos{}
}

// The marks stand under what is wrong, as a terminal shows it.
func TestErrorMarksThePlace(t *testing.T) {
	long := strings.Repeat("x", 150)
	tests := []struct{ name, line, bad, want string }{
		{"plain", "a: bad", "bad", "a: bad\n   ^^^"},
		{"first column", "bad: x", "bad", "bad: x\n^^^"},
		{"one column each", "é: ž bad", "bad", "é: ž bad\n     ^^^"},
		{"two columns each", "你好: bad", "bad", "你好: bad\n      ^^^"},
		{"marks of two columns each", "a: 你好", "你好", "a: 你好\n   ^^^^"},
		{"emoji", "👋: bad", "bad", "👋: bad\n    ^^^"},
		{"no column: an accent of its own", "e\u0301: bad", "bad", "e\u0301: bad\n   ^^^"},
		{"tab", "a:\tbad", "bad", "a: bad\n   ^^^"},
		{"escape code", "\x1b[2J: bad", "bad", " [2J: bad\n      ^^^"},
		{"eight-bit escape code", "\u009b2J: bad", "bad", " 2J: bad\n     ^^^"},
		{"writing from right to left", "\u202eabc: bad", "bad", " abc: bad\n      ^^^"},
		{"long line, at its beginning", "bad " + long, "bad", "bad " + long[:95] + "…\n^^^"},
		{"long line, in the middle", long + " bad " + long, "bad", "…" + long[:48] + " bad " + long[:45] + "…\n" + strings.Repeat(" ", 50) + "^^^"},
		{"long line, at its end", long + " bad", "bad", "…" + long[:95] + " bad\n" + strings.Repeat(" ", 97) + "^^^"},
		{"long value", "a: " + long, long, "a: " + long[:96] + "…\n   " + strings.Repeat("^", 97)},
		{"line of 100", long[:96] + " bad", "bad", long[:96] + " bad\n" + strings.Repeat(" ", 97) + "^^^"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := NewFile("f", []byte(tt.line+"\n"))
			if strings.HasPrefix(tt.line, "\ufeff") {
				t.Fatal("the mark of byte order is no character of the line")
			}
			err := Error{Pos: find(t, file, tt.bad), Text: "wrong"}
			_, got, _ := strings.Cut(err.Error(), "\n")
			got = strings.ReplaceAll("\n"+got, "\n    1 | ", "\n")
			got = strings.TrimPrefix(strings.ReplaceAll(got, "\n      | ", "\n"), "\n")
			if got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// A place that a file does not have (an empty line at its end, a column
// behind the line) must not cost the error.
func TestErrorAnywhere(t *testing.T) {
	file := NewFile("f", []byte("ab\n"))
	for _, tt := range []struct {
		pos  Pos
		want string
	}{
		{Pos{}, "?: wrong: hint"},
		{Pos{File: file}, "f: wrong: hint"},
		{Pos{File: file, Line: 1, Col: 9}, "f:1:9: wrong: hint\n    1 | ab\n      |   ^"},
		{Pos{File: file, Line: 2, Col: 1}, "f:2:1: wrong: hint\n    2 | \n      | ^"},
		{Pos{File: file, Line: 1}, "f:1:0: wrong: hint\n    1 | ab\n      | ^"},
		{Pos{File: file, Line: 7, Col: 1}, "f:7:1: wrong: hint"},
	} {
		err := Error{Pos: tt.pos, Text: "wrong", Hint: "hint"}
		if got := err.Error(); got != tt.want {
			t.Errorf("got\n%s\nwant\n%s", got, tt.want)
		}
	}
}

// YAML counts more line ends than \n; line numbers must agree with it.
func TestLinesAsYAMLCountsThem(t *testing.T) {
	for _, end := range []string{"\n", "\r\n", "\r", "\u0085", "\u2028", "\u2029"} {
		_, err := parse(t, "a: 'x"+end+"  y'"+end+"b: 1"+end+"b: 2"+end)
		if !strings.HasPrefix(err, `f:4:1: key "b" stands here a second time; the first is in line 3`) || !strings.Contains(err, " 4 | b: 2\n") {
			t.Errorf("lines that end with %q: %s", end, err)
		}
	}
}

func TestErrorsInOrderOnce(t *testing.T) {
	one, two := NewFile("one", []byte("a\nb\nc")), NewFile("two", []byte("a"))
	var errs Errors
	if errs.Err() != nil || errs.Len() != 0 {
		t.Error("no errors are an error")
	}
	add := func(f *File, line, col int, text string) { errs.Add(Pos{File: f, Line: line, Col: col}, "%s", text) }
	add(two, 1, 1, "fifth")
	add(one, 3, 1, "fourth")
	add(one, 2, 9, "third")
	add(one, 2, 3, "first")
	add(one, 2, 3, "second")
	add(one, 2, 3, "first") // as in a second reading of the same lines
	add(one, 2, 3, "second")
	var list List
	if !errors.As(errs.Err(), &list) {
		t.Fatalf("got a %T", errs.Err())
	}
	var got []string
	for _, e := range list {
		got = append(got, e.Text)
	}
	if want := "first second third fourth fifth"; strings.Join(got, " ") != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if errs.Len() != 7 {
		t.Errorf("Len is %d; a loader that asks whether something was added needs every Add counted", errs.Len())
	}
	var single *Error
	if !errors.As(errs.Err(), &single) || single.Text != "first" {
		t.Error("errors.As does not find the single errors")
	}
}

func TestDidYouMean(t *testing.T) {
	verbs := []string{"sends", "send", "receives", "receive", "closes", "is disconnected"}
	many := strings.Split("a1 b2 c3 d4 e5 f6 g7 h8 i9 j10 k11 l12 m13 n14 o15 p16 q17", " ")
	tests := []struct {
		word       string
		candidates []string
		want       string
	}{
		{"snds", verbs, `did you mean "sends"?`},
		{"sned", verbs, `did you mean "send"?`}, // neighbours swapped count once
		{"recieves", verbs, `did you mean "receives"?`},
		{"recieve", verbs, `did you mean "receive"?`},
		{"is disconected", verbs, `did you mean "is disconnected"?`},
		{"Echo", []string{"echo", "each"}, `did you mean "echo"?`},
		{"byteorder", []string{"byte_order", "echo"}, `did you mean "byte_order"?`},
		{"shouts", []string{"sends", "closes"}, "known are closes, sends"}, // nothing near: all of them, sorted
		{"bob", []string{"alice", "carol"}, "known are alice, carol"},
		{"", []string{"b", "a"}, "known are a, b"},
		{"bob", []string{"alice"}, "the only one is alice"},
		{"x", []string{"y"}, `did you mean "y"?`},
		{"zzzzzzz", many, ""}, // nothing near, and too many to list
		{"i8", many, `did you mean "h8"?`},
		{"x", nil, ""},
	}
	for _, tt := range tests {
		if got := DidYouMean(tt.word, tt.candidates); got != tt.want {
			t.Errorf("DidYouMean(%q, %q) = %q, want %q", tt.word, tt.candidates, got, tt.want)
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0},
		{"abc", "abd", 1}, {"abc", "ab", 1}, {"ab", "abc", 1}, {"abc", "acb", 1},
		{"kitten", "sitting", 3}, {"abcdef", "badcfe", 3},
	} {
		if got := editDistance(tt.a, tt.b); got != tt.want {
			t.Errorf("from %q to %q: %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
