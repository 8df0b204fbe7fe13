package wire

import (
	"slices"
	"strings"
	"testing"
)

func TestWordsOfAnExpression(t *testing.T) {
	for _, test := range []struct {
		expr string
		want string
	}{
		{`left`, "left"},
		{`(?i)LEFT`, "left"},
		{`\bleft\b|\bgone\b`, "gone left"},
		{`(?is)\b(?P<user>.+?)\b.*\b(left|leav\w*|gone)`, "gone leav left"},
		{`\b(join\w*|log\w* ?(in|on))`, "join log"},
		{`log(in|on|out)`, "login logon logou"},
		{`40[01] `, "400  401 "},
		{`disconnected`, "disco"},
		{`(?i)disconnected`, "conne"}, // ſ is s, too
		{`(?i)[ab]cd`, "acd bcd"},
		{`x+yz`, "yz"},
		{`(ab){2,3}`, "ab"},
		{`(?:very )?late`, "late very "},
		{`gr[üa]n`, "gran grün"},
		{`[a-z]+ing`, "ing"},
		{`.*`, ""},
		{`(left)?`, ""},
		{`left|.*`, ""},
		{`left|`, ""},
		{`a*`, ""},
		{`(?i)k`, ""},
		{`\x{FFFD}`, ""},
		{`\d{3}`, ""},
		{`(`, ""},
	} {
		if got := strings.Join(wordsOf(test.expr), " "); got != test.want {
			t.Errorf("%s: %q and not %q", test.expr, got, test.want)
		}
	}
}

func TestWordsAreFoundWhereverTheyStand(t *testing.T) {
	var w words
	left, quit, both := w.add([]string{"left"}), w.add([]string{"quit"}), w.add([]string{"left", "quit"})
	if both != left|quit || left == 0 || quit == 0 || left == quit {
		t.Fatalf("%b %b %b", left, quit, both)
	}
	for before := range 12 {
		for after := range 12 {
			text := strings.Repeat("l", before) + "LeFt" + strings.Repeat("f", after)
			if seen := w.in([]byte(text)); seen&left == 0 || seen&quit != 0 {
				t.Errorf("%s: %b", text, seen)
			}
		}
	}
	for _, text := range []string{"", "l", "lef", "le ft", "quileft"[:6], "eftl", "uit"} {
		if seen := w.in([]byte(text)); seen&both != 0 {
			t.Errorf("%q: %b", text, seen)
		}
	}
	if w.add([]string{strings.Repeat("x", 60)}) != 0 {
		t.Error("there are more than 64 bits")
	}
	if w.add([]string{"leave", "left"}) == 0 {
		t.Error("there is room for five bytes")
	}
}

// The name of a message is the first that fits, by all that there is to it.
func FuzzName(f *testing.F) {
	for _, v := range vectors {
		f.Add(octets(f, v.bytes), true)
	}
	f.Add([]byte("\x00\x02\x00\x00\x00\x12bobob has logged off"), false)
	f.Add([]byte("\x00\x02\x00\x00\x00\x06bo\u212aick"), false)
	f.Add([]byte("\x00\x02\x00\x00\x00\x08boGRÖẞE"), false)
	f.Add([]byte("401 Client already registered\n"), false)
	all := append(codecs(f), bind(f, strings.ReplaceAll(framedText, "'{text}'", `'/\b(left|dis[ck]o|quit\w*) ?{user}|40[12]|(?i:größe|kick)/'`), "byte_order=big"))
	f.Fuzz(func(t *testing.T, b []byte, first bool) {
		for _, c := range all {
			for _, from := range []Side{Client, Server} {
				var f Frame
				if _, err := c.Decode(&f, b[:min(len(b), 500)], from); err != nil {
					continue
				}
				f.SetFirst(first)
				i := slices.IndexFunc(c.Messages(), func(m *Message) bool { return m.From == from && m.Match(&f, nil, nil) })
				var want *Message
				if i >= 0 {
					want = c.Messages()[i]
				}
				if got := c.Name(&f, from); got != want {
					t.Fatalf("%q is called %v and not %v", b, got, want)
				}
			}
		}
	})
}
