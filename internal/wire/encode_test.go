package wire

import (
	"encoding/hex"
	"strings"
	"testing"
)

func TestEncodeSet(t *testing.T) {
	tests := []struct {
		name string
		set  Args
		want string
	}{
		{"nothing", nil, `00 05 | 00 00 00 02 | "alice" | "hi"`},
		{"a length that claims more", Args{"MessageL": "4294967295"}, `00 05 | ff ff ff ff | "alice" | "hi"`},
		{"a length that claims less", Args{"UNameL": "0"}, `00 00 | 00 00 00 02 | "alice" | "hi"`},
		{"a text: its length follows", Args{"Message": "hello"}, `00 05 | 00 00 00 05 | "alice" | "hello"`},
		{"a text and its length", Args{"Username": "bob", "UNameL": "0x0a"}, `00 0a | 00 00 00 02 | "bob" | "hi"`},
	}
	c := bind(t, framedText, "byte_order=big")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := c.Encode(c.Message("say"), Args{"user": "alice", "text": "hi"}, tt.set)
			if want := octets(t, tt.want); err != nil || string(got) != string(want) {
				t.Errorf("%v\ngot\n%swant\n%s", err, hex.Dump(got), hex.Dump(want))
			}
		})
	}
}

func TestEncodeErrors(t *testing.T) {
	long := strings.Repeat("x", 65536)
	tests := []struct {
		name, protocol, message string
		args, set               Args
		want                    string
	}{
		{"name longer than a u16", framedText, "say", Args{"user": long, "text": ""}, nil,
			"build say: Username is 65536 bytes long and UNameL, a u16, ends at 65535"},
		{"name longer than a u8", directText, "register", Args{"tag": "ab", "user": long[:256]}, nil,
			"build register: user is 256 bytes long and Length, a u8, ends at 255"},
		{"more entries than a u8", directText, "batch", Args{"users": make([]any, 256)}, nil,
			"build batch: users is 256 entries long and Count, a u8, ends at 255"},
		{"entry longer than a u8", directText, "batch", Args{"users": []any{long[:256]}}, nil,
			"build batch: user is 256 bytes long and Length, a u8, ends at 255"},
		{"no parameter", framedText, "say", Args{"user": "alice"}, nil, `build say: the parameter "text" has no value`},
		{"no parameter that is a field", directText, "sizes", Args{"a": "1"}, nil, `build sizes: the parameter "b" has no value`},
		{"a list for a text", framedText, "say", Args{"user": "alice", "text": []any{"a"}}, nil, `build say: the parameter "text" has no value`},
		{"a text for a list", directText, "batch", Args{"users": "alice"}, nil, "build batch: users must be a list"},
		{"a list in a list", directText, "batch", Args{"users": []any{[]any{"alice"}}}, nil, "build batch: user must be a text"},
		{"wrong fixed size", directText, "register", Args{"tag": "abc", "user": "bob"}, nil, "build register: tag is 3 bytes long and must be 2"},
		{"number too large", directText, "sizes", Args{"a": "256", "b": "0", "c": "0", "d": "0", "e": "0"}, nil, "build sizes: a cannot be 256: a u8 ends at 255"},
		{"number too large by set", framedText, "say", Args{"user": "a", "text": ""}, Args{"UNameL": "65536"}, "build say: UNameL cannot be 65536: a u16 ends at 65535"},
		{"no number", directText, "sizes", Args{"a": "x", "b": "0", "c": "0", "d": "0", "e": "0"}, nil, `build sizes: a cannot be "x": it is a number`},
		{"regular expression", framedText, "left", Args{"user": "alice"}, nil,
			`left is described by a regular expression (/\b{user}\b.*\bleft/): it can be received, not sent`},
		{"a mere shape", framedText, "frame", Args{}, nil, "frame is only a shape: in protocol.yaml it does not say whom it is from"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := bind(t, tt.protocol)
			b, err := c.Encode(c.Message(tt.message), tt.args, tt.set)
			if err == nil {
				t.Fatalf("got % x", b)
			}
			if err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
	c := bind(t, directText)
	for _, tt := range []struct {
		message string
		args    Args
		want    string
	}{
		{"pair", Args{"codes": []any{"ok"}}, "build pair: codes has 1 entries and must have 2"},
		{"response", Args{"result": "fine"}, `build response: result cannot be "fine": it is a number or one of ok, failure, malformed`},
		{"response", Args{"result": "256"}, "build response: result cannot be 256: a u8 ends at 255"},
	} {
		if _, err := c.Example(c.Message(tt.message), tt.args); err == nil || err.Error() != tt.want {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}

// What may be asked before a scenario is played.
func TestMessageChecks(t *testing.T) {
	framed, direct := load(t, framedText), load(t, directText)
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"set a number", framed.Message("say").CheckSet("MessageL", "4000"), ""},
		{"set a text", framed.Message("say").CheckSet("Message", "4000"), ""},
		{"set no field", framed.Message("say").CheckSet("Mesage", "1"), `say has no field "Mesage": did you mean "Message"?`},
		{"set no number", framed.Message("say").CheckSet("UNameL", "many"), `UNameL cannot be "many": it is a number`},
		{"set too large", framed.Message("say").CheckSet("UNameL", "70000"), "UNameL cannot be 70000: a u16 ends at 65535"},
		{"set a list", direct.Message("batch").CheckSet("users", "alice"), "users is a list: give it as a parameter"},
		{"set an enum", direct.Message("response").CheckSet("result", "failure"), ""},
		{"set a constant", direct.Message("list").CheckSet("Type", "99"), ""},
		{"a number", direct.Message("sizes").CheckArg("a", "255"), ""},
		{"too large a number", direct.Message("sizes").CheckArg("a", "300"), "a cannot be 300: a u8 ends at 255"},
		{"no name of the enum", direct.Message("response").CheckArg("result", "fine"), `result cannot be "fine": it is a number or one of ok, failure, malformed`},
		{"a text", framed.Message("say").CheckArg("text", "anything"), ""},
	} {
		got := ""
		if tt.err != nil {
			got = tt.err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	if !direct.Message("listed").IsList("users") || direct.Message("response").IsList("result") || framed.Message("say").IsList("text") {
		t.Error("IsList does not tell lists from texts")
	}
}

func TestParams(t *testing.T) {
	framed, direct := load(t, framedText), load(t, directText)
	for _, tt := range []struct {
		m             *Message
		params, needs string
	}{
		{framed.Message("login"), "user", "user"},
		{framed.Message("say"), "user text", "text user"},
		{framed.Message("left"), "user Username", "Username user"}, // any alternative may name a parameter
		{framed.Message("notice"), "user Username Message", "Message Username"},
		{direct.Message("list"), "", ""},
		{direct.Message("register"), "tag user", "tag user"}, // not the length, not the constant
		{direct.Message("listed"), "users", "users"},
		{direct.Message("response"), "result", "result"},
		{direct.Message("ok"), "", ""},
	} {
		if got := strings.Join(tt.m.Params(), " "); got != tt.params {
			t.Errorf("%s takes %q, want %q", tt.m, got, tt.params)
		}
		if got := strings.Join(tt.m.Needs(), " "); got != tt.needs {
			t.Errorf("%s needs %q, want %q", tt.m, got, tt.needs)
		}
	}
}
