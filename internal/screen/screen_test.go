package screen

import (
	"slices"
	"testing"
)

func TestHasControl(t *testing.T) {
	for _, test := range []struct {
		name, raw, sequence string
		want                bool
	}{
		{"erase the screen", "<bob> a\x1b[2Jb\r\n", "\x1b[2J", true},
		{"made visible", `<bob> a\x1b[2Jb`, "\x1b[2J", false},
		{"another sequence", "a\x1b[2Kb", "\x1b[2J", false},
		{"a title", "a\x1b]0;owned\x07b", "\x1b]0;owned", true},
		{"a title behind an unfinished sequence", "a\x1b[3\x1b]0;owned\x07b", "\x1b]0;owned", true},
		{"a bell", "a\x07b", "\x07", true},
		{"a bell that ends a title", "\x1b]0;chat\x07b", "\x07", false},
		{"a bell within a sequence", "\x1b[3\x071mb", "\x07", true},
		{"within a title", "\x1b]0;a\x01b\x07", "\x01", false},
		{"8 bits of a character", "雛", "\x9b", false},
		{"8 bits alone", "a\x9b31m", "\x9b31m", true},
		{"8 bits as a character", "a\u009b31m", "\u009b31m", true},
		{"nothing printed", "", "\x1b[2J", false},
		{"only the beginning", "a\x1b[2", "\x1b[2J", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := HasControl([]byte(test.raw), test.sequence); got != test.want {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestReplies(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"where the cursor is", "a\r\nbc\x1b[6n", "\x1b[2;3R"},
		{"whether it works", "\x1b[5n", "\x1b[0n"},
		{"which terminal", "\x1b[c\x1b[0c", "\x1b[?1;2c\x1b[?1;2c"},
		{"no question", "a\x1b[>c\x1b[?6n\x1b[0m\x1b[1c", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := New()
			s.Write([]byte(test.in))
			if got := string(s.Replies()); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
			if got := s.Replies(); len(got) != 0 {
				t.Errorf("again %q", got)
			}
		})
	}
}

// Programs that use the whole screen send only what is not there yet. The log has the rows as they are then.
func TestFullScreen(t *testing.T) {
	s := New()
	s.Write([]byte("$ chat\r\n\x1b[?1049h\x1b[1;24r\x1b[H\x1b[2J\x1b(0lqqk\x1b(B\x1b[2;1H<bob> hi\x1b[24;1H> "))
	_, from := s.Text(0)
	s.Write([]byte("\x1b[2;8Ho\x1b[24;3H"))
	if got, _ := s.Text(from); got != "\n<bob> ho\n" {
		t.Errorf("since then %q", got)
	}
	want := append([]string{"┌──┐", "<bob> ho"}, make([]string, 21)...)
	if got := s.Display(); !slices.Equal(got, append(want, ">")) {
		t.Errorf("display %q", got)
	}
	s.Write([]byte("\x1b[?1049lbye\r\n"))
	if got := s.Display(); !slices.Equal(got, []string{"$ chat", "bye"}) {
		t.Errorf("display at the end %q", got)
	}
}
