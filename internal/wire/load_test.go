package wire

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chatprobe/chatprobe/internal/golden"
	"github.com/chatprobe/chatprobe/internal/source"
)

// Each wrong file has all its errors at once, as a user sees them.
func TestLoadErrors(t *testing.T) {
	for _, file := range golden.Glob(t, "testdata/wrong/*.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p, err := Load(filepath.Base(file), data, nil)
			var list source.List
			if p != nil || !errors.As(err, &list) {
				t.Fatalf("loaded: %v, %v", p, err)
			}
			golden.Check(t, golden.Beside(file), err.Error()+"\n")
		})
	}
}

func TestSettle(t *testing.T) {
	p := load(t, framedText)
	tests := []struct {
		name  string
		given map[string]string
		want  string // the settings that differ from the defaults, or the error
	}{
		{"nothing", nil, ""},
		{"a choice", map[string]string{"echo": "yes"}, "echo=yes"},
		{"any text", map[string]string{"login_text": "$hello {user}"}, "login_text=$hello {user}"},
		{"any", map[string]string{"byte_order": "any"}, ""},
		{"no choice", map[string]string{"echo": "maybe"}, `setting echo cannot be "maybe": it is one of any, yes, no`},
		{"misspelt", map[string]string{"byteorder": "big"}, `protocol framed has no setting "byteorder": did you mean "byte_order"?`},
		{"unknown", map[string]string{"x": "y"}, `protocol framed has no setting "x": known are byte_order, echo, login_text`},
		{"two wrong: the first by name", map[string]string{"z": "", "a": ""}, `protocol framed has no setting "a": known are byte_order, echo, login_text`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			values, err := p.Settle(tt.given)
			var got []string
			for _, name := range slices.Sorted(maps.Keys(values)) {
				if values[name] != p.Defaults()[name] {
					got = append(got, name+"="+values[name])
				}
			}
			if err != nil {
				got = []string{err.Error()}
			} else if len(values) != len(p.Settings) {
				t.Errorf("%d settings of %d", len(values), len(p.Settings))
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("got %s, want %s", s, tt.want)
			}
			c, bindErr := p.Bind(tt.given)
			if (bindErr == nil) != (err == nil) || err != nil && bindErr.Error() != err.Error() {
				t.Errorf("Bind says %v, Settle %v", bindErr, err)
			}
			if err == nil && !maps.Equal(c.Settings, values) {
				t.Errorf("the codec has %v, not %v", c.Settings, values)
			}
		})
	}
	if _, err := load(t, directText).Settle(map[string]string{"x": "y"}); err == nil || err.Error() != `protocol direct has no setting "x"` {
		t.Errorf("without any settings: %v", err)
	}
}

// Only what bytes depend on must be found out before anything is sent.
func TestOpen(t *testing.T) {
	p := load(t, framedText)
	open := func(values map[string]string) string {
		var names []string
		for _, s := range p.Open(values) {
			names = append(names, s.Name+" "+strings.Join(s.Choices(), " "))
		}
		return strings.Join(names, ", ")
	}
	if got := open(p.Defaults()); got != "byte_order big little" {
		t.Errorf("open are %q", got)
	}
	if got := open(map[string]string{"byte_order": "little", "login_text": "", "echo": "any"}); got != "" {
		t.Errorf("open are %q though the byte order is known", got)
	}
	for name, want := range map[string]bool{"byte_order": true, "login_text": true, "echo": false} {
		if got := p.Setting(name).OnWire; got != want {
			t.Errorf("%s: OnWire is %v", name, got)
		}
	}
}

// An open setting has its first real choice, in patterns and sizes too.
func TestBindOpenSetting(t *testing.T) {
	c := bind(t, `
protocol: p
framing: fields
settings:
  width: {default: any, one_of: [any, 2, 3]}
  greeting: {default: any, one_of: [any, hi, hey]}
messages:
  hello: {from: client, fields: [{name: Text, type: text, size: $width}], where: {Text: $greeting}}
`)
	b, err := c.Encode(c.Message("hello"), nil, nil)
	if string(b) != "hi" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
	if c.Settings["greeting"] != Any {
		t.Errorf("the codec says that greeting is %q: it is not known", c.Settings["greeting"])
	}
}

// Codecs of one protocol share nothing that depends on settings.
func TestBindTwice(t *testing.T) {
	p := load(t, framedText)
	big, err := p.Bind(map[string]string{"byte_order": "big"})
	if err != nil {
		t.Fatal(err)
	}
	little, err := p.Bind(map[string]string{"byte_order": "little"})
	if err != nil {
		t.Fatal(err)
	}
	args := Args{"user": "a", "text": ""}
	x, _ := big.Encode(big.Message("say"), args, nil)
	y, _ := little.Encode(little.Message("say"), args, nil)
	if string(x) != "\x00\x01\x00\x00\x00\x00a" || string(y) != "\x01\x00\x00\x00\x00\x00a" {
		t.Errorf("big % x, little % x", x, y)
	}
}

func TestProtocolContents(t *testing.T) {
	p := load(t, `
protocol: chat
title: A chat
transport: tcp
port: 4445
framing: fields
settings:
  echo: {default: any, one_of: [any, yes, no], warn: [yes], about: does it echo?}
requirements:
  F-1: {level: must, text: one}
  F-2: {level: may, text: two, of: client}
messages:
  beep: {from: server, fields: [{name: A, type: u8}]}
procedures:
  login: []
  logout: []
`)
	if p.Name != "chat" || p.Title != "A chat" || p.Transport != "tcp" || p.Port != 4445 {
		t.Errorf("got %+v", p)
	}
	if s := p.Setting("echo"); s == nil || s.About != "does it echo?" || !slices.Equal(s.Warn, []string{"yes"}) || s.Default != Any {
		t.Errorf("setting %+v", s)
	}
	one, two := p.Requirement("F-1"), p.Requirement("F-2")
	if one.Level != Must || one.OfClient || two.Level != May || !two.OfClient || two.Text != "two" || p.Requirement("F-3") != nil {
		t.Errorf("requirements %+v, %+v", one, two)
	}
	if len(p.Procedures) != 2 || p.Procedures[1].Name != "logout" || p.Message("beep") == nil || p.Message("boop") != nil {
		t.Error("procedures or messages are missing")
	}
	if p := load(t, directText); p.Transport != "tcp" || p.Port != 0 {
		t.Errorf("without saying so: %s, port %d", p.Transport, p.Port)
	}
}

func TestLevels(t *testing.T) {
	order := []Level{Must, Should, May}
	for i, a := range order {
		for j, b := range order {
			if got := a.Weaker(b); got != (i > j) {
				t.Errorf("%s is weaker than %s: %v", a, b, got)
			}
		}
		if got, err := ParseLevel(string(a)); got != a || err != nil {
			t.Errorf("%s is read as %s, %v", a, got, err)
		}
	}
	if _, err := ParseLevel("most"); err == nil || err.Error() != `unknown level "most": known are must, should, may` {
		t.Error(err)
	}
}
