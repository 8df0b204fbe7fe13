package wire

import (
	"fmt"
	"maps"
	"strings"
	"testing"
)

func asIs(text string, _ bool) string { return text }

func TestPattern(t *testing.T) {
	type found = Args
	tests := []struct {
		pattern, value string
		args           Args
		want           found // nil: no match
	}{
		{"hello", "hello", nil, found{}},
		{"hello", "hello!", nil, nil},
		{"hello", "hell", nil, nil},
		{"", "", nil, found{}},
		{"", "x", nil, nil},

		{"{user}", "alice", nil, found{"user": "alice"}},
		{"{user}", "", nil, found{"user": ""}}, // alone it is the whole field
		{"{user}", "alice", Args{"user": "alice"}, found{}},
		{"{user}", "alicex", Args{"user": "alice"}, nil},
		{"{user}", "x", Args{"user": ""}, nil},

		{"JOIN {user}", "JOIN bob", nil, found{"user": "bob"}},
		{"JOIN {user}", "JOIN ", nil, nil}, // at least one character
		{"JOIN {user}", "JOIN", nil, nil},
		{"JOIN {user...}", "JOIN ", nil, found{"user": ""}},
		{"{user}: {text...}", "bob: hi: there", nil, found{"user": "bob", "text": "hi: there"}},
		{"{user}: {text...}", "bob: ", nil, found{"user": "bob", "text": ""}},
		{"{user}: {text...}", ": x", nil, nil},
		{"{user}: {text}", "bob: ", nil, nil},
		{"{user}: {text}", "bob: x", Args{"user": "bob: x"}, nil},
		{"<{user}>", "<<>", nil, found{"user": "<"}},
		{"{a}{{b}", "x{y", nil, found{"a": "x", "b": "y"}},
		{"{a} {b}", "  x", nil, found{"a": " ", "b": "x"}}, // one character is {a}'s, even where the next text begins
		{"{text...} end", " end", nil, found{"text": ""}},
		{"{user} left", "bob left left", nil, nil}, // {user} ends where the next text begins
		{"{user} left", "bob left", Args{"user": "bob"}, found{}},
		{"{user} left", "bob x left", Args{"user": "bob x"}, found{}},
		{"{User_2} ok", "x ok", nil, found{"User_2": "x"}},
		{"{2} {} {a-b}", "{2} {} {a-b}", nil, found{}}, // no parameters
		{"{user}", "\xff\x00", nil, found{"user": "\xff\x00"}},
		{"/not closed", "/not closed", nil, found{}},
		{"/a/b", "/a/b", nil, found{}}, // b is no flag

		{"/left/", "has left", nil, found{}}, // anywhere
		{"/left/", "LEFT", nil, nil},
		{"/left/i", "LEFT", nil, found{}},
		{"/a.b/", "a\nb", nil, nil},
		{"/a.b/s", "a\nb", nil, found{}},
		{"/^b$/m", "a\nb\nc", nil, found{}},
		{"/^x{2,3}$/", "xx", nil, found{}}, // a quantifier
		{"/^x{2,3}$/", "x", nil, nil},
		{`/^\p{Lu}\x{41}\P{Lu}$/`, "ŽAž", nil, found{}}, // no parameters either
		{`/\b{user}\b.*left/`, "bob has left", Args{"user": "bob"}, found{}},
		{`/\b{user}\b.*left/`, "bobby has left", Args{"user": "bob"}, nil},
		{`/\b{user}\b.*left/`, "a.c has left", Args{"user": "a.c"}, found{}},
		{`/\b{user}\b.*left/`, "abc has left", Args{"user": "a.c"}, nil}, // quoted when filled in
		{`/^{user}$/`, "[x", Args{"user": "[x"}, found{}},
		{`/^{user}$/i`, "ŽOE", Args{"user": "žoe"}, found{}},
		{`/\b{user}\b.*left/`, "Zoë has left", Args{"user": "Zoë"}, found{}}, // \b knows ASCII only
		{`/left.*\b{user}\b/`, "left: Žofie", Args{"user": "Žofie"}, found{}},
		{`/\b{user}\b.*left/`, "--x-- has left", Args{"user": "--x--"}, found{}},
		{`/\b{user}\b.*left/`, "\xff\xfe has left", Args{"user": "\xff\xfe"}, found{}},
		{`/^{user} left$/`, "bob left", nil, found{"user": "bob"}},
		{`/^{user} left$/`, " left", nil, nil},
		{`/^{text...} left$/`, " left", nil, found{"text": ""}},
		{`/^{a}-{a}$/`, "x-y", nil, found{"a": "x"}},
		{`/^{a}-{a}$/`, "x-y", Args{"a": "x"}, nil},
		{`/^{a} {b}$/`, "x y", Args{"a": "x"}, found{"b": "y"}},
		{"{user}", "x", Args{"user": []any{"x"}}, nil}, // a list is no text
		{"/{user}/", "x", Args{"user": []any{"x"}}, nil},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s on %q", tt.pattern, tt.value), func(t *testing.T) {
			p, err := parsePattern(tt.pattern, false, asIs)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time from what is remembered
				got := Args{}
				ok := p.match([]byte(tt.value), tt.args, got)
				if ok != (tt.want != nil) || ok && !maps.Equal(got, tt.want) {
					t.Errorf("%v, %v; want %v", ok, got, tt.want)
				}
				if p.match([]byte(tt.value), tt.args, nil) != ok {
					t.Error("it matters whether what is found is asked for")
				}
			}
		})
	}
}

// An expression that is used with changing parameters is asked with the
// present ones.
func TestPatternRemembersTheRightExpression(t *testing.T) {
	p, err := parsePattern("/^{user} left$/", false, asIs)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for _, user := range []string{"alice", "bob"} {
			if !p.match([]byte(user+" left"), Args{"user": user}, nil) || p.match([]byte("carol left"), Args{"user": user}, nil) {
				t.Errorf("wrong for %s", user)
			}
		}
		if !p.match([]byte("carol left"), nil, nil) {
			t.Error("wrong for anybody")
		}
	}
}

func TestPatternErrors(t *testing.T) {
	for pattern, want := range map[string]string{
		"{user}{text}":    "{text} follows {user} directly: nothing says where that one ends",
		"{text...}{user}": "{user} follows {text} directly: nothing says where that one ends",
		"/(/":             "this regular expression is wrong: missing closing ): `(`",
	} {
		if _, err := parsePattern(pattern, false, asIs); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", pattern, err, want)
		}
	}
}

// A setting is literal text wherever it stands.
func TestSettingsInPatterns(t *testing.T) {
	tests := []struct{ where, setting, matches, not string }{
		{"$s", "{user}", "{user}", "bob"},
		{"$s", "/x/", "/x/", "x"},
		{"$s", "", "", "x"},
		{"$s!", "a", "a!", "a"},
		{"$$s costs $s$$", "5", "$s costs 5$", "5s costs 5$"},
		{"{user} $s", "ok", "bob ok", "bob no"},
		{"/^$s$/", "a.c", "a.c", "abc"},
		{`/^\$s$/`, "x", "$s", "x"},
		{"/left$/", "x", "has left", "left it"},
		{"$s-$s", "a", "a-a", "a"},
	}
	for _, tt := range tests {
		c := bind(t, strings.NewReplacer("WHERE", tt.where).Replace(`
protocol: p
framing: fields
settings:
  s: {default: x}
messages:
  m: {from: server, fields: [{name: L, type: u8}, {name: T, type: text, size: L}], where: {T: 'WHERE'}}
`), "s="+tt.setting)
		m := c.Message("m")
		match := func(text string) bool {
			return m.Match(decode(t, c, append([]byte{byte(len(text))}, text...), Server), nil, nil)
		}
		if !match(tt.matches) || match(tt.not) {
			t.Errorf("%s with %q: matches %q: %v, %q: %v", tt.where, tt.setting, tt.matches, match(tt.matches), tt.not, match(tt.not))
		}
	}
}
