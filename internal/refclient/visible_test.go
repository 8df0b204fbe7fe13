package refclient

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestVisible(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "hello, world", "hello, world"},
		{"empty", "", ""},
		{"UTF-8", "grüß 你好 👋🏽", "grüß 你好 👋🏽"},
		{"family, joined", "👩‍👩‍👧", "👩‍👩‍👧"},
		{"flag of Scotland", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "🏴󠁧󠁢󠁳󠁣󠁴󠁿"},
		{"Persian, non-joiner", "می\u200cخواهم", "می\u200cخواهم"},
		{"combining accent", "e\u0301", "e\u0301"},
		{"replacement character, sent as such", "\ufffd", "\ufffd"},
		{"backslash", `C:\new`, `C:\new`},
		{"quotes", `it's "so"`, `it's "so"`},

		{"another speaker's line", "hi\nbob: I owe you", `hi\nbob: I owe you`},
		{"return over the name", "\rbob: hi", `\rbob: hi`},
		{"tab", "a\tb", `a\tb`},
		{"NUL", "a\x00b", `a\x00b`},
		{"bell", "\a", `\a`},
		{"backspaces", "\b\b", `\b\b`},
		{"clear the screen", "\x1b[2J", `\x1b[2J`},
		{"DEL", "\x7f", `\x7f`},
		{"C1 as UTF-8", "\u009b31m", `\u009b31m`},
		{"C1 as a byte", "\x9b31m", `\x9b31m`},
		{"next line", "\u0085", `\u0085`},
		{"line separator", "\u2028", `\u2028`},
		{"paragraph separator", "\u2029", `\u2029`},
		{"override", "\u202egnp.exe", `\u202egnp.exe`},
		{"isolate", "\u2067x\u2069", `\u2067x\u2069`},
		{"marks", "\u200e\u200f\u061c", `\u200e\u200f\u061c`},
		{"zero width space", "al\u200bice", `al\u200bice`},
		{"byte order mark", "\ufeff", `\ufeff`},
		{"language tag", "\U000e0001", `\U000e0001`},

		{"not UTF-8", "a\xffb", `a\xffb`},
		{"half a character", "\xe4\xbd", `\xe4\xbd`},
		{"surrogate", "\xed\xa0\x80", `\xed\xa0\x80`},
		{"overlong slash", "\xc0\xaf", `\xc0\xaf`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := visible(tt.in); got != tt.want {
				t.Errorf("visible(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestVisibleOfEveryCharacter(t *testing.T) {
	for r := rune(0); r <= 0xe0fff; r++ {
		if r == 0x40000 {
			r = 0xe0000 // nothing is assigned in between
		}
		for _, shown := range visible(string(r)) {
			if hidden(shown) {
				t.Fatalf("visible(%U) holds %U", r, shown)
			}
		}
	}
	for b := range 256 {
		if shown := visible(string([]byte{byte(b)})); !utf8.ValidString(shown) {
			t.Errorf("visible of byte %#x is not UTF-8", b)
		}
	}
}

func TestSpeaker(t *testing.T) {
	tests := []struct{ in, want string }{
		{"alice", "alice"},
		{"a:b", "a:b"},
		{"*", "*"},
		{"*star*", "*star*"},
		{"bob: hello", `bob\x3a hello`},
		{"* bob has left", `\x2a bob has left`},
	}
	for _, tt := range tests {
		if got := speaker(tt.in); got != tt.want {
			t.Errorf("speaker(%q) = %q, want %q", tt.in, got, tt.want)
		}
		if shown := speaker(tt.in) + ": x"; strings.Count(shown, ": ") != 1 || strings.HasPrefix(shown, "* ") {
			t.Errorf("speaker(%q) makes %q", tt.in, shown)
		}
	}
}
