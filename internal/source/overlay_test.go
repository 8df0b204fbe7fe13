package source

import (
	"strings"
	"testing"
)

// root parses a file that must be right.
func root(t *testing.T, name, text string) Node {
	t.Helper()
	var errs Errors
	n := Parse(name, []byte(text), &errs)
	if err := errs.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOverlay(t *testing.T) {
	over := func(_ string, _, over Node) Node { return over }
	deep := func(_ string, under, over Node) Node { return Overlay(under, over, nil) }
	for _, tt := range []struct {
		name, under, over string
		join              func(string, Node, Node) Node
		want              string
	}{
		{"a new key comes last", "{a: 1}", "{b: 2}", nil, "{a: 1, b: 2}"},
		{"a key that both have keeps its place", "{a: 1, b: 2}", "{a: 3}", nil, "{a: 3, b: 2}"},
		{"null takes away", "{a: 1, b: 2}", "{a: }", nil, "{b: 2}"},
		{"null takes away the last", "{a: 1}", "{a: }", nil, "{}"},
		{"without join, values are replaced", "{a: {x: 1}}", "{a: {y: 2}}", nil, "{a: {y: 2}}"},
		{"join may do the same", "{a: {x: 1}}", "{a: {y: 2}}", over, "{a: {y: 2}}"},
		{"or lay one over the other", "{a: {x: 1}}", "{a: {y: 2}}", deep, "{a: {x: 1, y: 2}}"},
		{"null is not joined", "{a: {x: 1}}", "{a: }", deep, "{}"},
		{"a list is replaced", "{a: [1, 2]}", "{a: [3]}", deep, "{a: [3]}"},
		{"nothing changes nothing", "{a: 1}", "{}", nil, "{a: 1}"},
		{"over nothing", "{}", "{a: 1}", nil, "{a: 1}"},
		{"what is no mapping wins", "{a: 1}", "[1]", nil, "[1]"},
		{"what is no mapping is covered", "[1]", "{a: 1}", nil, "{a: 1}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			under, upper := root(t, "under.yaml", tt.under), root(t, "over.yaml", tt.over)
			if got := Overlay(under, upper, tt.join).Flow(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if under.Flow() != root(t, "under.yaml", tt.under).Flow() {
				t.Errorf("what lies under has become %s", under.Flow())
			}
		})
	}
}

// An error in what lies under shows the line of its own file.
func TestOverlayKeepsPlaces(t *testing.T) {
	under := root(t, "under.yaml", "first: 1\nsecond: many\n")
	over := root(t, "over.yaml", "third: few\n")
	var errs Errors
	keys := Overlay(under, over, nil).Keys(&errs, "first", "second", "third")
	keys["second"].Int(&errs, 0, 9)
	keys["third"].Int(&errs, 0, 9)
	text := errs.Err().Error()
	for _, want := range []string{"under.yaml:2:9: ", "second: many", "over.yaml:1:8: ", "third: few"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if unknown := Overlay(under, over, nil).Keys(&errs, "first"); len(unknown) != 1 {
		t.Errorf("known are %v", unknown)
	}
}

func TestWithoutHasGet(t *testing.T) {
	n := root(t, "f.yaml", "{a: 1, b: {c: 2}, d: }")
	if got := n.Without("a", "x").Flow(); got != "{b: {c: 2}, d}" {
		t.Errorf("without a: %s", got)
	}
	if got := n.Without("a", "b", "d").Flow(); got != "{}" {
		t.Errorf("without all: %s", got)
	}
	if !n.Has("a") || n.Without("a").Has("a") {
		t.Error("Without changes what it is asked of, or nothing")
	}
	if !n.Has("d") || n.Has("c") || n.Get("a").Has("a") || (Node{}).Has("a") {
		t.Error("Has looks elsewhere than at the keys")
	}
	if got := n.Get("b").Get("c").Raw(); got != "2" {
		t.Errorf("b.c is %q", got)
	}
	for _, none := range []Node{n.Get("x"), n.Get("a").Get("x"), (Node{}).Get("x")} {
		if !none.IsZero() {
			t.Errorf("Get finds %s", none.Flow())
		}
	}
	both := Overlay(n, root(t, "g.yaml", "{a: 5}"), nil)
	if got := both.Get("a").Raw() + both.Without("d").Flow(); got != "5{a: 5, b: {c: 2}}" {
		t.Errorf("laid over: %s", got)
	}
	if list := root(t, "l.yaml", "[a]"); list.Without("a").Flow() != "[a]" || list.Has("a") {
		t.Error("a list has keys")
	}
}
