package wire

import (
	"maps"
	"testing"
)

func TestMatch(t *testing.T) {
	say := `00 05 | 00 00 00 05 | "alice" | "hello"`
	users := `05 | 00 03 | 05 "alice" | 03 "bob" | 03 "bob"`
	tests := []struct {
		name, protocol, message string
		from                    Side
		bytes                   string
		args                    Args
		found                   Args // nil: no match
	}{
		{"everything open", framedText, "hear", Server, say, nil, Args{"user": "alice", "text": "hello"}},
		{"everything given", framedText, "hear", Server, say, Args{"user": "alice", "text": "hello"}, Args{}},
		{"one given", framedText, "hear", Server, say, Args{"user": "alice"}, Args{"text": "hello"}},
		{"another user", framedText, "hear", Server, say, Args{"user": "bob"}, nil},
		{"another text", framedText, "hear", Server, say, Args{"text": "hell"}, nil},
		{"a longer text", framedText, "hear", Server, say, Args{"text": "hello!"}, nil},
		{"other capitals", framedText, "hear", Server, say, Args{"user": "Alice"}, nil},
		{"another shape", directText, "pair", Server, `06 00`, nil, nil},

		{"enum by name", directText, "response", Server, `06 01`, Args{"result": "failure"}, Args{}},
		{"enum by number", directText, "response", Server, `06 01`, Args{"result": "1"}, Args{}},
		{"enum by hexadecimal number", directText, "response", Server, `06 01`, Args{"result": "0x1"}, Args{}},
		{"another name", directText, "response", Server, `06 01`, Args{"result": "ok"}, nil},
		{"no name of the enum", directText, "response", Server, `06 01`, Args{"result": "fail"}, nil},
		{"found by name", directText, "response", Server, `06 02`, nil, Args{"result": "malformed"}},
		{"condition by name", directText, "ok", Server, `06 00`, nil, Args{}},
		{"condition by name, not so", directText, "ok", Server, `06 01`, nil, nil},
		{"condition by hexadecimal number", directText, "failed", Server, `06 01`, nil, Args{}},
		{"condition by hexadecimal number, not so", directText, "failed", Server, `06 00`, nil, nil},

		{"list in order", directText, "listed", Server, users, Args{"users": []any{"alice", "bob", "bob"}}, Args{}},
		{"list in another order", directText, "listed", Server, users, Args{"users": []any{"bob", "alice", "bob"}}, Args{}},
		{"list with too few", directText, "listed", Server, users, Args{"users": []any{"alice", "bob"}}, nil},
		{"list with too many", directText, "listed", Server, users, Args{"users": []any{"alice", "bob", "bob", "carol"}}, nil},
		{"list with another one twice", directText, "listed", Server, users, Args{"users": []any{"alice", "alice", "bob"}}, nil},
		{"a text for a list", directText, "listed", Server, users, Args{"users": "alice"}, nil},
		{"a list for a text", framedText, "hear", Server, say, Args{"user": []any{"alice"}}, nil},
		{"list found", directText, "listed", Server, users, nil, Args{"users": []any{"alice", "bob", "bob"}}},
		{"empty list", directText, "listed", Server, `05 00 00`, Args{"users": []any{}}, Args{}},
		{"list of names of numbers", directText, "pair", Server, `07 01 00`, Args{"codes": []any{"ok", "1"}}, Args{}},
		{"list in a list", directText, "listed", Server, users, Args{"users": []any{[]any{"alice"}, "bob", "bob"}}, nil},

		{"regular expression", framedText, "left", Server, `00 06 | 00 00 00 0a | "server" | "Bob   LEFT"`, Args{"user": "bob"}, Args{"Username": "server"}},
		{"second alternative", framedText, "left", Server, `00 03 | 00 00 00 08 | "bob" | "has left"`, Args{"user": "bob"}, Args{"Username": "bob"}},
		{"no alternative", framedText, "left", Server, `00 03 | 00 00 00 08 | "bob" | "has lef "`, Args{"user": "bob"}, nil},
		{"somebody else", framedText, "left", Server, `00 05 | 00 00 00 08 | "carol" | "has left"`, Args{"user": "bob"}, nil},
		// What the first alternative found must not stay when the second one fits.
		{"alternatives stay apart", framedText, "left", Server, `00 03 | 00 00 00 04 | "bob" | "left"`, nil, Args{"user": "bob", "Username": "bob"}},
		{"what does not fit finds nothing", framedText, "hear", Server, say, Args{"text": "x"}, nil},

		{"except, and it is", framedText, "notice", Server, `00 03 | 00 00 00 00 | "bob"`, Args{"user": "bob"}, nil},
		{"except, and it is another", framedText, "notice", Server, `00 03 | 00 00 00 00 | "bob"`, Args{"user": "alice"}, Args{"Username": "bob", "Message": ""}},
		{"except, and it has a text", framedText, "notice", Server, `00 03 | 00 00 00 01 | "bob" | "x"`, Args{"user": "bob"}, Args{"Username": "bob", "Message": "x"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := bind(t, tt.protocol)
			f := decode(t, c, octets(t, tt.bytes), tt.from)
			found := Args{}
			got := c.Message(tt.message).Match(f, tt.args, found)
			if got != (tt.found != nil) {
				t.Fatalf("match is %v, with %v", got, found)
			}
			if !maps.EqualFunc(found, tt.found, equal) {
				t.Errorf("found %v, want %v", found, tt.found)
			}
			if again := c.Message(tt.message).Match(f, tt.args, nil); again != got {
				t.Errorf("without a place for what is found, match is %v", again)
			}
		})
	}
}

func TestMatchFirst(t *testing.T) {
	c := bind(t, framedText)
	f := decode(t, c, octets(t, `00 03 | 00 00 00 00 | "bob"`), Client)
	if c.Message("login").Match(f, nil, nil) {
		t.Error("a login matches that is not the first message of its connection")
	}
	f.SetFirst(true)
	if !c.Message("login").Match(f, nil, nil) {
		t.Error("a login that is the first message does not match")
	}
}

// A message is called by the first kind, in the order written, that it fits.
func TestName(t *testing.T) {
	for _, tt := range []struct {
		protocol string
		from     Side
		first    bool
		bytes    string
		want     string
	}{
		{framedText, Client, true, `00 03 | 00 00 00 00 | "bob"`, "login"},
		{framedText, Client, false, `00 03 | 00 00 00 00 | "bob"`, "say"},
		{framedText, Client, true, `00 03 | 00 00 00 01 | "bob" | "x"`, "say"},
		{framedText, Server, false, `00 03 | 00 00 00 08 | "bob" | "has left"`, "left"},
		{framedText, Server, false, `00 03 | 00 00 00 05 | "bob" | "hello"`, "hear"}, // before notice
		{directText, Server, false, `06 00`, "response"},                             // before ok
		{directText, Server, false, `05 00 00`, "listed"},
	} {
		c := bind(t, tt.protocol)
		f := decode(t, c, octets(t, tt.bytes), tt.from)
		f.SetFirst(tt.first)
		if m := c.Name(f, tt.from); m == nil || m.Name != tt.want {
			t.Errorf("%s from the %s is called %v, want %s", tt.bytes, tt.from, m, tt.want)
		}
	}
	c := bind(t, `
protocol: p
framing: fields
messages:
  yes: {from: client, fields: [{name: A, type: u8}], where: {A: 1}}
`)
	if m := c.Name(decode(t, c, []byte{2}, Client), Client); m != nil {
		t.Errorf("what fits nothing is called %s", m)
	}
}

func TestDescribe(t *testing.T) {
	framed, direct := load(t, framedText), load(t, directText)
	for _, tt := range []struct {
		m    *Message
		args Args
		want string
	}{
		{framed.Message("hear"), nil, "hear"},
		{framed.Message("hear"), Args{"text": "hi", "user": "alice"}, `hear with user "alice", text "hi"`},
		{framed.Message("hear"), Args{"text": "a\x1b[2J\n"}, `hear with text "a\x1b[2J\n"`},
		{framed.Message("hear"), Args{"text": string(make([]byte, 99))}, `hear with text "` + nul30 + `…" (99 bytes)`},
		{direct.Message("listed"), Args{"users": []any{"alice", "bob"}}, `listed with users "alice" and "bob"`},
	} {
		if got := tt.m.Describe(tt.args); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

const nul30 = `\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00`
