package screen_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/chatprobe/chatprobe/internal/screen"
)

var (
	full = strings.Repeat("0123456789", screen.Columns/10) // a row
	wide = strings.Repeat("字", 64<<10)
)

// display returns the lines of a text.
func display(text string) []string { return strings.Split(text, "\n") }

func TestWhatIsRead(t *testing.T) {
	for _, test := range []struct {
		name, in, log string
		display       []string
	}{
		{"a line", "hello\r\n", "hello\n", display("hello")},
		{"no line end", "> ", "> ", display(">")},
		{"nothing", "", "", []string{}},
		{"an empty line", "a\r\n\r\nb\r\n", "a\n\nb\n", display("a\n\nb")},
		{"two carriage returns", "a\r\r\nb\r\r\n", "a\nb\n", display("a\nb")},
		{"line feeds only", "a\nb", "a\nb", display("a\n b")},
		{"a message behind a prompt", "] <From 1.2.3.4:5>: hi\r\n] ", "] <From 1.2.3.4:5>: hi\n] ", display("] <From 1.2.3.4:5>: hi\n]")},

		{"prompt is redrawn", "] \r\x1b[K<From 1.2.3.4:5>: hi\r\n] half a", "] \n<From 1.2.3.4:5>: hi\n] half a",
			display("<From 1.2.3.4:5>: hi\n] half a")},
		{"half a line is redrawn", "> hel\r\x1b[K<bob> hi\r\n> hel", "> hel\n<bob> hi\n> hel", display("<bob> hi\n> hel")},
		{"wiped, then returned", "> hel\x1b[2K\r<bob> hi", "> hel\n<bob> hi", display("<bob> hi")},
		{"returned, then wiped", "> hel\r\x1b[2K<bob> hi", "> hel\n<bob> hi", display("<bob> hi")},
		{"wiped to the left", "> hel\x1b[1K\r<bob> hi", "> hel\n<bob> hi", display("<bob> hi")},
		{"returned, not wiped", "> hello\r<b> ", "> hello\n<b> ", display("<b> llo")},
		{"by column 1", "> ha\x1b[1G\x1b[0J> h\x1b[4Gel", "> ha\n> hel", display("> hel")},
		{"wiped with blanks", "> hel\r     \r<bob> hi", "> hel\n     \n<bob> hi", display("<bob> hi")},
		{"wiped with backspaces", "> h\b\b\b   \b\b\b<b>", "<b>", display("<b>")},
		{"progress", "10%\r20%\r30%\r\n", "10%\n20%\n30%\n", display("30%")},
		{"returned and no more", "ab\r\r\r\x1b[K", "ab\n", []string{}},

		{"backspace", "hellp\b \bo\r\n", "hello\n", display("hello")},
		{"backspace and erase", "> hellp\b\x1b[Ko", "> hello", display("> hello")},
		{"backspace at the left edge", "a\b\b\bb", "b", display("b")},
		{"left and right", "abc\x1b[2DX\x1b[CY", "aXcY", display("aXcY")},
		{"insert", "ac\b\x1b[@b", "abc", display("abc")},
		{"delete", "abbc\b\b\x1b[P", "abc", display("abc")},
		{"returned and right", "] ab\r\x1b[2C\x1b[1@X", "] Xab", display("] Xab")},
		{"spaced out by moves", "a\x1b[3Cb", "a   b", display("a   b")},
		{"to a column", "a\x1b[5Gb", "a   b", display("a   b")},
		{"to a column on the left", "abc\r\n\x1b[5Gd\x1b[2Ge", "abc\n e  d", display("abc\n e  d")},
		{"indented by a move", "\x1b[3Ca", "   a", display("   a")},
		{"beyond the edge by a move", "a\x1b[9999Cb", "a" + strings.Repeat(" ", screen.Columns-2) + "b",
			display("a" + strings.Repeat(" ", screen.Columns-2) + "b")},

		{"wrapped", full + "ab\r\nc", full + "ab\nc", display(full + "\nab\nc")},
		{"just full", full + "\r\nc", full + "\nc", display(full + "\nc")},
		{"full, returned, redrawn", full + "\rc", full + "\nc", display("c" + full[1:])},
		{"an editor wraps with a blank", full + " \rcd\r\n", full + "cd\n", display(full + "\ncd")},
		{"an editor wraps with a blank and erases", full + " \r\x1b[Kcd", full + "cd", display(full + "\ncd")},
		{"an editor wraps with the next character", full + "c\rcd", full + "cd", display(full + "\ncd")},
		{"a wrapped line is redrawn", full + "cd\r\x1b[Kef\r\n", full + "cd\nef\n", display(full + "\nef")},
		{"a wrapped line is overwritten", full + "cd\ref", full + "cd\nef", display(full + "\nef")},
		{"backspace at the right edge", full + "\bX", full[:screen.Columns-2] + "X9", display(full[:screen.Columns-2] + "X9")},
		{"backspace in the second row", full + "ab\bc", full + "ac", display(full + "\nac")},
		{"erased at the right edge", full + "\x1b[Kx", full + "x", display(full[:screen.Columns-1] + "x")},
		{"a wide character at the edge", full[1:] + "字x", full[1:] + "字x", display(full[1:] + "\n字x")},

		{"colours", "\x1b[1;31mred\x1b[0m \x1b[38:2::1:2:3mx\x1b[4:3my", "red xy", display("red xy")},
		{"a title", "\x1b]0;chat\x07a\x1b]2;chat\x1b\\b", "ab", display("ab")},
		{"a title that another sequence ends", "\x1b]0;chat\x1b[31ma", "a", display("a")},
		{"a string without an end", "\x1bP" + strings.Repeat("x", 4096) + "seen", "seen", display("seen")},
		{"a sequence that is cancelled", "\x1b[12\x18a\x1b[3\x1b[mb", "ab", display("ab")},
		{"controls within a sequence", "ab\x1b[\r2Kc", "ab\nc", display("c")},
		{"key modes", "a\x1b[?2004h\x1b[>4;1m\x1b[>1u\x1b[<u\x1b[=1;1ub", "ab", display("ab")},
		{"an intermediate", "ab\b\x1b[ @\x1b[2 qc", "ac", display("ac")},
		{"an endless sequence", "a\x1b[" + strings.Repeat("1", 1000) + "Kb", "ab", display("ab")},
		{"character sets", "\x1b(Ba\x1b)0b", "ab", display("ab")},
		{"repeated", "-\x1b[4b|", "-----|", display("-----|")},
		{"bell and fillers", "a\x07b\x00c\x7f", "abc", display("abc")},
		{"a control character", "a\x01b", `a\x01b`, display(`a\x01b`)},
		{"8-bit controls", "a\x9b31mb\xc2\x9bc\xc2\x85", `a\x9b31mb\u009bc\u0085`, display(`a\x9b31mb\u009bc\u0085`)},
		{"broken UTF-8", "a\xe5\xad\r\n\xff", "a\\xe5\\xad\n\\xff", display("a\\xe5\\xad\n\\xff")},
		{"an unfinished character", "a\xe5\xad", "a", display("a")},

		{"tab", "a\tb", "a\tb", display("a       b")},
		{"tabs at the edge", full + "\t\tb", full + "\t\tb", display(full + "\nb")},
		{"tab over old text", "0123456789\ra\tb", "0123456789\na\tb", display("a1234567b9")},
		{"backspace into a tab", "a\t\bb", "a      b", display("a      b")},

		{"accents", "e\u0301x\u05d1\u05bc\u05b0y", "e\u0301x\u05d1\u05bc\u05b0y", display("e\u0301x\u05d1\u05bc\u05b0y")},
		{"an accent first", "\u0301a\r\n\u0301b", "\u0301a\n\u0301b", display("a\nb")},
		{"an accent at the edge", full + "\u0301a", full + "\u0301a", display(full + "\u0301\na")},
		{"joined", "👩\u200d💻!", "👩\u200d💻!", display("👩\u200d💻!")},
		{"invisible", "a\u200b\u202eb\u00adc", "a\u200b\u202eb\u00adc", display("a\u200b\u202eb\u00adc")},
		{"private and unknown", "\ue0b0\U000e0067\U0010ffff", "\ue0b0\U000e0067\U0010ffff", display("\ue0b0\U000e0067\U0010ffff")},
		{"half of a wide character", "字\bx", " x", display(" x")},
		{"first half of a wide character", "字\b\bx", "x ", display("x")},

		{"up and down", "a\r\nb\x1b[Ac\x1b[Bd", "a\nb\nac\nb d", display("ac\nb d")},
		{"absolute", "\x1b[2J\x1b[3;4Hhello\x1b[1;1Htop", "hello\ntop", display("top\n\n   hello")},
		{"saved", "ab\x1b7\x1b[5;1Hstatus\x1b8cd", "ab\nstatus\nabcd", display("abcd\n\n\n\nstatus")},
		{"cleared", "a\r\nb\x1b[H\x1b[Jc", "a\nb\nc", display("c")},
		{"cleared below", "a\r\nb\r\nc\x1b[2;1H\x1b[J", "a\nb\nc\n", display("a")},
		{"reset", "a\x1bcb", "a\nb", display("b")},
		{"another screen", "a\r\n\x1b[?1049h\x1b[HX\x1b[?25l\x1b[?1049lb", "a\nX\nb", display("a\nb")},
		{"no other screen", "a\x1b[?11049hb\x1b[?1049lc", "abc", display("abc")},
		{"scrolled", strings.Repeat("x\r\n", 30) + "y", strings.Repeat("x\n", 30) + "y", display(strings.Repeat("x\n", screen.Rows-1) + "y")},
		{"a part that scrolls", "1\r\n2\r\n3\x1b[1;2r\x1b[2;1H\r\nnew", "1\n2\n3\n\nnew", display("2\nnew\n3")},
		{"lines are inserted", "1\r\n2\x1b[1;1H\x1b[Lx", "1\n2\nx", display("x\n1\n2")},
		{"lines are deleted", "1\r\n2\r\n3\x1b[1;1H\x1b[2M", "1\n2\n3\n", display("3")},
		{"scrolled down", "1\x1b[H\x1bMx", "1\nx", display("x\n1")},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := screen.New()
			s.Write([]byte(test.in))
			if got, end := s.Text(0); got != test.log {
				t.Errorf("log %q, want %q (end %d)", got, test.log, end)
			}
			if got := s.Display(); !slices.Equal(got, test.display) {
				t.Errorf("display %q, want %q", got, test.display)
			}
			splits(t, []byte(test.in))
		})
	}
}

// splits checks that it does not matter where the output was cut.
func splits(t *testing.T, in []byte) {
	t.Helper()
	whole := screen.New()
	whole.Write(in)
	log, end := whole.Text(0)
	for _, size := range []int{1, 2, 3, 7, 1000} {
		s := screen.New()
		for piece := range slices.Chunk(in, size) {
			s.Write(piece)
			s.Text(0)
			s.Display()
		}
		if got, e := s.Text(0); got != log || e != end {
			t.Errorf("in pieces of %d the log is %q to %d, want %q to %d", size, got, e, log, end)
		}
		if got := s.Display(); !slices.Equal(got, whole.Display()) {
			t.Errorf("in pieces of %d the display is %q, want %q", size, got, whole.Display())
		}
	}
}

// What is behind an offset is what was shown since, and nothing else.
func TestWhatIsShownSince(t *testing.T) {
	for _, test := range []struct{ name, before, after, want string }{
		{"a message", "] ", "<bob> hi\r\n] ", "<bob> hi\n] "},
		{"an answer in the next line", "> hello", "\r\nbye\r\n> ", "\nbye\n> "},
		{"a redrawn prompt", "> hel", "\r\x1b[K<bob> hi\r\n> hel", "\n<bob> hi\n> hel"},
		{"a prompt wiped by backspaces", "> ", "\b\b  \b\b<bob> hi\r\n", "<bob> hi\n"},
		{"an edited line", "> hello", "\b\bp!", "p!"},
		{"an edited line, ended", "> hello", "\b\bp!\r\nnext", "p!\nnext"},
		{"only erased", "> hello", "\b\x1b[K", ""},
		{"erased and written", "> hello", "\b\b\b\b\x1b[Kowdy", "owdy"},
		{"in the second row", full + "ab", "\bc\r\n", "c\n"},
		{"an accent", "e", "\u0301x", "\u0301x"},
		{"the same again", "> a", "\x1b[2D a", " a"},
		{"nothing", "> a", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := screen.New()
			s.Write([]byte(test.before))
			_, from := s.Text(0)
			s.Write([]byte(test.after))
			if got, _ := s.Text(from); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
			s.Write([]byte("\r\nmore\r\n"))
			if got, _ := s.Text(from); !strings.HasSuffix(got, "\nmore\n") || !strings.HasPrefix(got, test.want) && test.name != "the same again" {
				t.Errorf("later %q, want %q and more", got, test.want)
			}
		})
	}
}

// A line that is changed counts as shown again with all that is in it: programs
// that keep a whole screen print only the letters that differ.
func TestChangedLineIsShownAgain(t *testing.T) {
	for _, test := range []struct{ name, before, after, want string }{
		{"an edited line", "] old news", "\x1b[1G\x1b[C#", "#old news"},
		{"a row of a full-screen program", "old news\r\n> ", "\x1b[A\x1b[20G!", "old news           !"},
	} {
		s := screen.New()
		s.Write([]byte(test.before))
		_, from := s.Text(0)
		s.Write([]byte(test.after))
		if got, _ := s.Text(from); !strings.Contains(got, test.want) {
			t.Errorf("%s: %q is shown, want %q", test.name, got, test.want)
		}
	}
}

// These are what programs with line editors print on a terminal of 24x200.
func TestRecordedPrograms(t *testing.T) {
	l := strings.Repeat("abcdefghij", 23)
	for _, test := range []struct {
		file, log string
		display   []string
	}{
		{"readline", "] hel\n<From 127.0.0.1:5000>: hi\n] hello\nyou said: hello\n] " + l + "\nyou said: " + l + "\n] Xab cdY\nyou said: Xab cdY\n] ",
			display("<From 127.0.0.1:5000>: hi\n] hello\nyou said: hello\n] " + l[:198] + "\n" + l[198:] +
				"\nyou said: " + l[:190] + "\n" + l[190:] + "\n] Xab cdY\nyou said: Xab cdY\n]")},
		// It does not echo where the terminal does not.
		{"readline-silent", "] \n<From 127.0.0.1:5000>: hi\n] helyou said: hello\n] you said: " + l + "\n] you said: Xab cdY\n] ",
			display("<From 127.0.0.1:5000>: hi\n] helyou said: hello\n] you said: " + l[:188] + "\n" + l[188:] + "\n] you said: Xab cdY\n]")},
		{"readline-scroll", "] hel\n<From 127.0.0.1:5000>: hi\n] hello\nyou said: hello\n] \n<" + l[99:] + "\nyou said: " + l +
			"\n] Xab cdY\nyou said: Xab cdY\n] ",
			display("<From 127.0.0.1:5000>: hi\n] hello\nyou said: hello\n<" + l[99:] +
				"\nyou said: " + l[:190] + "\n" + l[190:] + "\n] Xab cdY\nyou said: Xab cdY\n]")},
		{"node", "> hal\n> ha\n> hel\n<bob> hi\n> hello\nyou said: hello\n> " + l + "\nyou said: " + l + "\n> quit\n",
			display("<bob> hi\n> hello\nyou said: hello\n> " + l[:198] + "\n" + l[198:] + "\nyou said: " + l[:190] + "\n" + l[190:] + "\n> quit")},
		{"redraw", "> hel\n<bob> hi there\n> hello\nme: hello\n> " + l + "\nme: " + l + "\n> quit\nme: quit\n> ",
			display("<bob> hi there\nme: hello\n> " + l[:198] + "\nme: " + l[:196] + "\n" + l[196:] + "\nme: quit\n>")},
		{"bash", "$ read -e -p \"name: \" x; echo got $x\nname: bob\ngot bob\n$ echo " + l + "\n" + l + "\n$ exit\nexit\n",
			display("$ read -e -p \"name: \" x; echo got $x\nname: bob\ngot bob\n$ echo " + l[:193] + "\n" + l[193:] + "\n" +
				l[:200] + "\n" + l[200:] + "\n$ exit\nexit")},
	} {
		t.Run(test.file, func(t *testing.T) {
			in, err := os.ReadFile(filepath.Join("testdata", test.file+".bytes"))
			if err != nil {
				t.Fatal(err)
			}
			s := screen.New()
			s.Write(in)
			if got, _ := s.Text(0); got != test.log {
				t.Errorf("log\n%s\nwant\n%s", got, test.log)
			}
			if got := s.Display(); !slices.Equal(got, test.display) {
				t.Errorf("display\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.display, "\n"))
			}
			splits(t, in)
		})
	}
}

func TestEndlessLineIsOneLine(t *testing.T) {
	for _, text := range []string{strings.Repeat("x", 64<<10), wide, strings.Repeat("a字b", 20_000)} {
		s := screen.New()
		s.Write([]byte("> " + text + "\r\n> "))
		if got, _ := s.Text(0); got != "> "+text+"\n> " {
			t.Errorf("%d bytes became %d with %d line ends", len(text), len(got), strings.Count(got, "\n"))
		}
	}
}

func TestOffsetsOutliveOldText(t *testing.T) {
	for _, line := range []string{"0123456789abcde\r\n", "字字字字字\r\n", strings.Repeat("é", 501), "ab\b\bcd\n"} {
		s := screen.New()
		var last []int
		before := 0
		for range 3<<20/len(line) + 100 {
			s.Write([]byte(line))
			_, end := s.Text(1 << 40)
			if end <= before {
				t.Fatalf("end went from %d to %d", before, end)
			}
			before = end
			last = append(last, end)
		}
		text, end := s.Text(0)
		if len(text) < (1<<19) || len(text) > (3<<20) || !utf8.ValidString(text) {
			t.Errorf("%.20q: %d bytes are kept, valid %v", line, len(text), utf8.ValidString(text))
		}
		for _, from := range []int{last[len(last)-2], last[len(last)-1000]} {
			if got, _ := s.Text(from); !strings.HasSuffix(text, got) || len(got) > end-from || got == "" {
				t.Errorf("from %d of %d: %d bytes", from, end, len(got))
			}
		}
		if got, _ := s.Text(end); got != "" {
			t.Errorf("behind the end: %q", got)
		}
		if got, _ := s.Text(end + 1000); got != "" {
			t.Errorf("far behind the end: %q", got)
		}
	}
}

func TestFloodsAreBounded(t *testing.T) {
	random := make([]byte, 1<<20)
	source := rand.NewChaCha8([32]byte{})
	_, _ = source.Read(random)
	for _, test := range []struct{ name, in string }{
		{"lines", "0123456789\r\n"},
		{"no line end", "0123456789"},
		{"redrawn", "0123456789\r"},
		{"accents", "\u0301"},
		{"moves", "x\x1b[9999C"},
		{"edited lines", "ab\b\bc\n"},
		{"escape without end", "\x1b["},
		{"title", "\x1b]0;abcdefghijk"},
		{"inserted", "x\r\x1b[9999@"},
		{"empty lines", "\n"},
		{"random", string(random)},
	} {
		t.Run(test.name, func(t *testing.T) {
			total := 100 << 20
			if test.name != "lines" || testing.Short() {
				total = 4 << 20
			}
			piece := []byte(strings.Repeat(test.in, max(64<<10/len(test.in), 1)))
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			s := screen.New()
			for n := 0; n < total; n += len(piece) {
				s.Write(piece)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
				t.Errorf("%d MB are in use", grown>>20)
			}
			if text, _ := s.Text(0); len(text) > (4 << 20) {
				t.Errorf("%d bytes are kept", len(text))
			}
		})
	}
}

func FuzzLaws(f *testing.F) {
	for _, in := range []string{"] \r\x1b[K<a>: hi\r\n] half", "ab\b\bc\u0301字\t\x1b[3@\x1b[2P\r\n", full + " \rx\x1b[A\x1b[?1049h", "\x1b]0;x\x07\x1b7\x1b8\x1bM"} {
		f.Add([]byte(in), uint16(3), uint8(0))
		f.Add([]byte(in), uint16(3), uint8(19))
	}
	f.Fuzz(func(t *testing.T, in []byte, cut uint16, repeat uint8) {
		in = slices.Repeat(in, int(repeat%20)+1)
		whole, parts := screen.New(), screen.New()
		whole.Write(in)
		at := int(cut) % (len(in) + 1)
		parts.Write(in[:at])
		early, from := parts.Text(0)
		parts.Write(in[at:])
		log, end := whole.Text(0)
		got, e := parts.Text(0)
		if got != log || e != end {
			t.Errorf("cut at %d: log %q to %d, want %q to %d", at, got, e, log, end)
		}
		if !slices.Equal(parts.Display(), whole.Display()) {
			t.Errorf("cut at %d: display %q, want %q", at, parts.Display(), whole.Display())
		}
		since, _ := parts.Text(from)
		// Where a line is edited, what stands behind the change is shown again.
		isEdited := strings.ContainsAny(string(in), "\b\x1b")
		if !utf8.ValidString(log) || !utf8.ValidString(since) || len(since) > end-from && !isEdited {
			t.Errorf("since %d (to %d): %q of %q", from, end, since, log)
		}
		// Complete lines do not change any more.
		if i := strings.LastIndexByte(early, '\n'); !strings.HasPrefix(log, early[:i+1]) {
			t.Errorf("log %q, and before %q", log, early)
		}
		// What is plain text is in the log as it is.
		s := screen.New()
		s.Write(in)
		s.Write([]byte("\x18\x18\r\n<bob> hi\r\n"))
		if text, _ := s.Text(end); !strings.Contains(text, "<bob> hi\n") && !strings.Contains(string(in), "\x1b") {
			t.Errorf("behind %q a message was lost: %q", in, text)
		}
	})
}

func BenchmarkFlood(b *testing.B) {
	for _, bench := range []struct{ name, in string }{
		{"plain", "<bob> this is a message of some length, as they are\r\n"},
		{"one line", strings.Repeat("x", 10_000)},
		{"escapes", "\x1b[32m<bob>\x1b[0m \x1b[1mthis\x1b[0m is a message\r\x1b[K> \r\n"},
		{"not ASCII", "<böb> 世界, здравствуй\r\n"},
		{"line feeds", "\n"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			in := []byte(strings.Repeat(bench.in, 64<<10/len(bench.in)))
			b.SetBytes(int64(len(in)))
			s := screen.New()
			for b.Loop() {
				s.Write(in)
			}
		})
	}
}
