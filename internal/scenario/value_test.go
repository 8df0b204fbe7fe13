package scenario

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// asPlayed stands for a play: names have a suffix, settings and variables have
// values.
func asPlayed(r Ref) (string, error) {
	switch r.Kind {
	case ClientName:
		return r.Client.Name + "-7", nil
	case ClientIP:
		return "127.0.0.1", nil
	case ClientPort:
		return "50000", nil
	case ServerPort:
		return "4445", nil
	case Setting:
		return map[string]string{"size": "5", "echo": "yes"}[r.Name], nil
	case Variable:
		return "<" + r.Name + ">", nil
	}
	return "", fmt.Errorf("nothing is known of %+v", r)
}

// sent is the value of the text of the last message that a play sends.
func sent(t *testing.T, yaml string) (any, error) {
	t.Helper()
	sc := play(t, `
clients: [alice, bob]
steps:
  - bob receives: {hear: {text: ?seen}}
  - alice sends: {say: {text: `+yaml+`}}
`)
	return sc.Steps[1].Do.(Send).Messages[0].Args["text"].Expand(asPlayed)
}

func TestValues(t *testing.T) {
	for _, tt := range []struct{ yaml, want string }{
		{"hello", "hello"},
		{"$alice", "alice-7"},
		{"$alice.port", "50000"},
		{"$alice.ip:$alice.port", "127.0.0.1:50000"},
		{"$alice.", "alice-7."},
		{"hello $alice.", "hello alice-7."},
		{"$alice.portal", "alice-7.portal"}, // no port
		{"$alice-$bob", "alice-7-bob-7"},
		{"$alice-x", "alice-7-x"},
		{"$alice-x-y.z", "alice-7-x-y.z"},
		{"$size.port", "5.port"}, // a setting has no port
		{"'$alice, $bob!'", "alice-7, bob-7!"},
		{"$server.port", "4445"},
		{"$size", "5"},
		{"$echo$size", "yes5"},
		{"$seen", "<seen>"},
		{"$$", "$"},
		{"$$alice costs $$5", "$alice costs $5"},
		{"$5", "$5"},
		{"a$", "a$"},
		{"'?seen'", "?seen"}, // in quotes it is a text
		{"what ?seen", "what ?seen"},
		{"0x10", "0x10"},
		{"1.50", "1.50"},
		{"yes", "yes"},
		{`"a\0b\n"`, "a\x00b\n"},
		{"''", ""},
		{"", ""},
		{"{repeat: ab, times: 3}", "ababab"},
		{"{repeat: ab, times: 0}", ""},
		{"{repeat: '', times: 60000000}", ""},
		{"{repeat: $bob, times: $size}", "bob-7bob-7bob-7bob-7bob-7"},
		{"{repeat: {bytes: '00 ff'}, times: 2}", "\x00\xff\x00\xff"},
		{"{repeat: {repeat: a, times: 2}, times: 2}", "aaaa"},
		{"{bytes: 'ff 00 0a'}", "\xff\x00\n"},
		{"{bytes: 'FF000a'}", "\xff\x00\n"},
		{"{bytes: ''}", ""},
	} {
		if got, err := sent(t, tt.yaml); err != nil || got != tt.want {
			t.Errorf("%s is %q, %v; want %q", tt.yaml, got, err, tt.want)
		}
	}
}

// What settings make too large, or no number, is an error and costs no memory.
func TestValuesThatCannotBe(t *testing.T) {
	sc := play(t, `
clients: [alice, bob]
steps:
  - alice sends: {say: {text: {repeat: abc, times: $size}}}
`)
	text := sc.Steps[0].Do.(Send).Messages[0].Args["text"]
	for size, want := range map[string]string{
		"many":      `"many" is not a whole number`,
		"-1":        "-1 times 3 bytes is more than is ever sent",
		"999999999": "999999999 times 3 bytes is more than is ever sent",
	} {
		if _, err := text.Expand(func(Ref) (string, error) { return size, nil }); err == nil || err.Error() != want {
			t.Errorf("size %s: %v", size, err)
		}
	}
	broken := errors.New("broken")
	if _, err := text.Expand(func(Ref) (string, error) { return "", broken }); !errors.Is(err, broken) {
		t.Errorf("the error of a look-up is lost: %v", err)
	}
}

func TestValueLists(t *testing.T) {
	sc := play(t, `
clients: [alice, bob]
steps:
  - bob receives: {listed: {users: [$alice, $bob, x]}}
  - bob receives: {listed: {users: []}}
`)
	for i, want := range []string{"[alice-7 bob-7 x]", "[]"} {
		got, err := sc.Steps[i].Do.(Receive).Messages[0].Args["users"].Expand(asPlayed)
		if list, ok := got.([]any); !ok || err != nil || fmt.Sprint(list) != want {
			t.Errorf("got %T %v, %v; want %s", got, got, err, want)
		}
	}
}

func TestBind(t *testing.T) {
	sc := play(t, `
clients: [alice, bob]
steps:
  - bob receives: {hear: {user: ?who, text: ?what}}
  - bob receives: {hear: {user: $who, text: 'again $what'}}
    times: $what
`)
	first, second := sc.Steps[0].Do.(Receive).Messages[0], sc.Steps[1].Do.(Receive).Messages[0]
	if first.Args["user"].Bind != "who" || first.Args["text"].Bind != "what" || !first.Args["text"].IsSet() {
		t.Errorf("got %+v", first)
	}
	if got, _ := second.Args["text"].Text(asPlayed); got != "again <what>" || second.Args["text"].Bind != "" {
		t.Errorf("got %q", got)
	}
}

func TestIsSet(t *testing.T) {
	sc := play(t, `
clients: [alice, bob]
steps:
  - alice sends: {say: {text: x}}
    pieces: 1
  - alice sends: {say: {text: x}}
    split: [1, 2]
  - alice sends: {say: {text: x}}
`)
	for i, want := range []string{"pieces", "split", "whole"} {
		how := sc.Steps[i].Do.(Send).How
		if (how.Pieces.IsSet() != (want == "pieces")) || (len(how.Split) == 2) != (want == "split") || how.IsWhole() != (want == "whole") || how.Cut.IsSet() {
			t.Errorf("step %d: %+v is not %s", i, how, want)
		}
	}
}

// A step is shown as it stands in the file.
func TestStepText(t *testing.T) {
	sc := play(t, `
clients: [alice, bob]
steps:
  - alice, bob send: {say: {text: 'a, b'}}
    pieces: 1
    times: 2
  - alice closes:
  - bob receives all of: [{hear: {text: $alice}}, {left: {user: $alice}}]
`)
	var got []string
	for _, step := range sc.Steps {
		got = append(got, fmt.Sprintf("%d %s", step.Pos.Line, step.Text))
	}
	want := `5 alice, bob send: {say: {text: "a, b"}}, pieces: 1, times: 2
8 alice closes:
9 bob receives all of: [{hear: {text: $alice}}, {left: {user: $alice}}]`
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
}
