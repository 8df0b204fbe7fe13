package source

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// each getter reads what it should, and says what is wrong with the rest at
// the place where it stands.
func TestGetters(t *testing.T) {
	number := func(n Node, errs *Errors) any { return n.Int(errs, 1, 65535) }
	truth := func(n Node, errs *Errors) any { return n.Bool(errs) }
	duration := func(n Node, errs *Errors) any { return n.Duration(errs) }
	text := func(n Node, errs *Errors) any { return n.Text(errs) }
	texts := func(n Node, errs *Errors) any { return n.Texts(errs) }
	tests := []struct {
		get  func(Node, *Errors) any
		yaml string
		want string // the value, or the error behind its place
	}{
		{number, "80", "80"},
		{number, "'80'", "80"},
		{number, "0x50", "80"},
		{number, "65_535", "65535"},
		{number, "0", "0 is not between 1 and 65535"},
		{number, "65536", "65536 is not between 1 and 65535"},
		{number, "-1", "-1 is not between 1 and 65535"},
		{number, "1.5", `expected a whole number and not "1.5"`},
		{number, "1e3", `expected a whole number and not "1e3"`},
		{number, "010", `expected a whole number and not "010"`},
		{number, "99999999999999999999", `expected a whole number and not "99999999999999999999"`},
		{number, "", "expected a whole number and not nothing"},
		{number, "[1]", "expected a whole number and not a list"},
		{number, "{a: 1}", "expected a whole number and not a mapping"},
		{truth, "yes", "true"},
		{truth, "true", "true"},
		{truth, "no", "false"},
		{truth, "false", "false"},
		{truth, "on", `expected yes or no and not "on"`},
		{truth, "1", `expected yes or no and not "1"`},
		{truth, "[yes]", "expected yes or no and not a list"},
		{duration, "500ms", "500ms"},
		{duration, "2s", "2s"},
		{duration, "2", `expected a time such as 500ms or 2s and not "2"`},
		{duration, "-2s", `expected a time such as 500ms or 2s and not "-2s"`},
		{duration, "2 seconds", `expected a time such as 500ms or 2s and not "2 seconds"`},
		{text, "a b", "a b"},
		{text, "0x10", "0x10"}, // as written, not 16
		{text, "1.50", "1.50"}, // not 1.5
		{text, "yes", "yes"},   // not true
		{text, "", ""},
		{text, "''", ""},
		{text, "[a]", "expected a text and not a list"},
		{text, "{a: b}", "expected a text and not a mapping"},
		{texts, "a", "[a]"},
		{texts, "[a, 'b', 1]", "[a b 1]"},
		{texts, "", "[]"},
		{texts, "[]", "[]"},
	}
	for _, tt := range tests {
		root, err := parse(t, "key: "+tt.yaml)
		if err != "" {
			t.Fatalf("%q: %s", tt.yaml, err)
		}
		var errs Errors
		got := fmt.Sprint(tt.get(root.Keys(&errs, "key")["key"], &errs))
		if err := errs.Err(); err != nil {
			got, _, _ = strings.Cut(err.Error(), "\n")
			want := "f:1:6: "
			if tt.yaml == "" {
				want = "f:1:5: " // behind the colon
			}
			if !strings.HasPrefix(got, want) {
				t.Errorf("%q: the error is not at %s%s", tt.yaml, want, got)
			}
			got = strings.TrimPrefix(got, want)
		}
		if got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.yaml, got, tt.want)
		}
	}
}

func TestZeroNode(t *testing.T) {
	var n Node
	var errs Errors
	if !n.IsZero() || !n.IsNull() || n.IsMap() || n.IsList() || n.IsScalar() || n.IsQuoted() {
		t.Error("a value that is not there is something")
	}
	if n.Raw() != "" || n.Text(&errs) != "" || n.Flow() != "" || n.Items() != nil || n.Pairs(&errs) != nil || n.Texts(&errs) != nil {
		t.Error("a value that is not there holds something")
	}
	if err := errs.Err(); err != nil {
		t.Errorf("a value that is not there is an error: %v", err)
	}
	if n.Pos().String() != "?" {
		t.Errorf("it stands at %s", n.Pos())
	}
}

func TestKeys(t *testing.T) {
	root, err := parse(t, "name: a\nstpes: b\ntitle: c\n[x]: d\n")
	if err != "" {
		t.Fatal(err)
	}
	var errs Errors
	keys := root.Keys(&errs, "name", "title", "steps")
	if len(keys) != 2 || keys["name"].Raw() != "a" || keys["title"].Raw() != "c" {
		t.Errorf("got %v", keys)
	}
	want := `f:2:1: unknown key "stpes": did you mean "steps"?
    2 | stpes: b
      | ^^^^^
f:4:1: a key must be a single word
    4 | [x]: d
      | ^`
	if got := errs.Err().Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}

	for _, text := range []string{"a", "[a, b]"} {
		root, _ := parse(t, text)
		var errs Errors
		if root.Keys(&errs, "a"); errs.Len() != 1 || !strings.Contains(errs.Err().Error(), "expected names with values, such as {name: value}, and not") {
			t.Errorf("%s: %v", text, errs.Err())
		}
	}
}

func TestPairsAndItemsKeepTheOrder(t *testing.T) {
	root, _ := parse(t, "{z: 1, a: 2, m: [c, b, a]}")
	var errs Errors
	var keys, items []string
	for _, p := range root.Pairs(&errs) {
		keys = append(keys, p.Key.Raw())
		for _, item := range p.Value.Items() {
			items = append(items, item.Raw())
		}
	}
	if !slices.Equal(keys, []string{"z", "a", "m"}) || !slices.Equal(items, []string{"1", "2", "c", "b", "a"}) {
		t.Errorf("got %q with %q", keys, items)
	}
}

// What Flow writes is shown as the step: it must be what was written.
func TestFlow(t *testing.T) {
	for _, text := range []string{
		"{say: {text: hello}}", `{say: {text: "a, b"}}`, "[login, {say: {text: hi}}]", "?x", `""`, `"two\nlines"`, "{repeat: x, times: 3}",
	} {
		root, err := parse(t, text)
		if err != "" {
			t.Fatal(err)
		}
		if got := root.Flow(); got != text {
			t.Errorf("%s is shown as %s", text, got)
		}
	}
}

func TestIsQuoted(t *testing.T) {
	for text, want := range map[string]bool{"5": false, "'5'": true, `"5"`: true, "|\n  5\n": true, ">\n  5\n": true, "[5]": false} {
		root, _ := parse(t, "a: "+text)
		var errs Errors
		if got := root.Keys(&errs, "a")["a"].IsQuoted(); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestDurationType(t *testing.T) {
	root, _ := parse(t, "1500ms")
	var errs Errors
	if got := root.Duration(&errs); got != 1500*time.Millisecond {
		t.Errorf("got %v", got)
	}
}
