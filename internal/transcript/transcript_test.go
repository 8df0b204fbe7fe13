package transcript_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

func TestPrintable(t *testing.T) {
	for _, test := range []struct{ in, want, lines string }{
		{"hello", "hello", "hello"},
		{"žluť 你好 👋", "žluť 你好 👋", "žluť 你好 👋"},
		{"a\nb\tc\rd", `a\nb\tc\rd`, "a\nb\tc\\rd"},
		{"\x1b[31mred", `\x1b[31mred`, `\x1b[31mred`},
		{"\x00\x07\x7f", `\x00\x07\x7f`, `\x00\x07\x7f`},
		{"\xff\xfe", `\xff\xfe`, `\xff\xfe`},
		{"half \xe2\x82", `half \xe2\x82`, `half \xe2\x82`},
		{"\u009b31m", `\u009b31m`, `\u009b31m`},                   // a control sequence in one character
		{"\u202eabc\u2066", `\u202eabc\u2066`, `\u202eabc\u2066`}, // turns the direction of writing
		{"\u2028\ufeff", `\u2028\ufeff`, `\u2028\ufeff`},
		{"", "", ""},
	} {
		if got := transcript.Printable([]byte(test.in)); got != test.want {
			t.Errorf("Printable(%q) = %q, want %q", test.in, got, test.want)
		}
		if got := transcript.PrintableLines([]byte(test.in)); got != test.lines {
			t.Errorf("PrintableLines(%q) = %q, want %q", test.in, got, test.lines)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add([]byte("hello\x1b[0m\xff\u202e"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := transcript.Printable(b)
		if i := strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("Printable(%q) = %q: byte %d is not printable", b, s, i)
		}
		if again := transcript.Printable([]byte(s)); again != s {
			t.Errorf("Printable is not stable: %q, then %q", s, again)
		}
	})
}

func TestBodyIsKeptWholeUpToTheLimit(t *testing.T) {
	b := bytes.Repeat([]byte("abcd"), 1024)
	body := transcript.NewBody(b)
	if body.Length != len(b) || !bytes.Equal(body.Head, b) || body.Tail != nil || body.SHA256 != "" {
		t.Errorf("a body of %d bytes was cut: head %d, tail %d", len(b), len(body.Head), len(body.Tail))
	}
	b[0] = 'X'
	if body.Head[0] != 'a' {
		t.Error("a body shares the bytes that it was made of")
	}
}

func TestLongBodyIsCut(t *testing.T) {
	b := append(bytes.Repeat([]byte("h"), 5000), bytes.Repeat([]byte("t"), 5000)...)
	body := transcript.NewBody(b)
	sum := sha256.Sum256(b)
	if body.Length != len(b) || body.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("length %d, hash %s", body.Length, body.SHA256)
	}
	if !bytes.HasPrefix(b, body.Head) || !bytes.HasSuffix(b, body.Tail) {
		t.Error("head and tail are not those of the body")
	}
	if kept := len(body.Head) + len(body.Tail); kept == 0 || kept > 4096 {
		t.Errorf("%d bytes are kept", kept)
	}
}

func TestBodySurvivesJSON(t *testing.T) {
	for _, b := range [][]byte{nil, {0}, []byte("\xff\x00hello"), bytes.Repeat([]byte("z"), 9000)} {
		body := transcript.NewBody(b)
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		var back transcript.Body
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if !reflect.DeepEqual(back, body) {
			t.Errorf("%v became %v", body, back)
		}
	}
	var hex transcript.Hex
	if err := hex.UnmarshalText([]byte("0g")); err == nil {
		t.Error("0g was read as hexadecimal digits")
	}
}

func TestSummarize(t *testing.T) {
	var runs []transcript.Run
	for i, v := range []transcript.Verdict{
		transcript.Pass, transcript.Fail, transcript.Warn, transcript.Skip, transcript.Blocked, transcript.Error,
	} {
		for range i + 1 {
			runs = append(runs, transcript.Run{Verdict: v})
		}
	}
	want := transcript.Summary{Pass: 1, Fail: 2, Warn: 3, Skip: 4, Blocked: 5, Error: 6}
	if got := transcript.Summarize(runs); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
