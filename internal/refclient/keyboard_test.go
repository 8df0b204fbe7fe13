package refclient

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/term"
)

func TestKeyboard(t *testing.T) {
	tests := []struct {
		name, typed string
		want        string // what the editor is given
		err         error
	}{
		{"text", "hello\r", "hello\r", io.EOF},
		{"UTF-8", "grüß 你好 👋\r", "grüß 你好 👋\r", io.EOF},
		{"interrupt", "hello\rwor\x03ld\r", "hello\rwor", ErrInterrupted},
		{"not UTF-8", "a\xffb\xe4\xbdc\ufffdd\r", "abcd\r", io.EOF},
		{"tab", "a\tb", "a b", io.EOF},
		{"C1", "a\u009bb", "ab", io.EOF},
		{"arrows", "\x1b[A\x1b[D\x1b[1;3Cx", "\x1b[A\x1b[D\x1b[1;3Cx", io.EOF},
		{"delete", "\x1b[3~x", "\x1b[3~x", io.EOF},
		{"paste", "\x1b[200~x\ry\x1b[201~", "\x1b[200~x\ry\x1b[201~", io.EOF},
		{"function key of the Linux console", "\x1b[[Ax", "\x1b[[Ax", io.EOF},
		{"escape, enter", "\x1b\rhi\r", "\rhi\r", io.EOF},
		{"escape twice", "\x1b\x1b[A", "\x1b[A", io.EOF},
		{"escape and Chinese", "\x1b你好", "你好", io.EOF},
		{"alt and a letter", "\x1bhi", "hi", io.EOF},
		{"sequence cut short", "\x1b[1\rhi", "\x1b[1~\rhi", io.EOF},
		{"sequence and another", "\x1b[1\x1b[Ax", "\x1b[1~\x1b[Ax", io.EOF},
		{"sequence without end", "\x1b[" + strings.Repeat("1", 300),
			"\x1b[" + strings.Repeat("1", longestKey-2) + "~" + strings.Repeat("1", 300-longestKey+2), io.EOF},
		{"end in a character", "a\xe4\xbd", "a", io.EOF},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for pieces, from := range map[string]io.Reader{
				"at once":      strings.NewReader(tt.typed),
				"byte by byte": iotest.OneByteReader(strings.NewReader(tt.typed)),
				"with its end": iotest.DataErrReader(strings.NewReader(tt.typed)),
			} {
				var got []byte
				k := &keyboard{from: from}
				var err error
				for err == nil {
					var n int
					buf := make([]byte, 7)
					n, err = k.Read(buf)
					got = append(got, buf[:n]...)
				}
				if string(got) != tt.want || err != tt.err {
					t.Errorf("%s: %q, %v, want %q, %v", pieces, got, err, tt.want, tt.err)
				}
			}
		})
	}
}

// The editor behind the keyboard: what it does badly alone.
func TestKeyboardAndEditor(t *testing.T) {
	tests := []struct {
		name, typed string
		want        []string
		err         error
	}{
		{"lines", "one\rtwo\nthree\r\n", []string{"one", "two", "three"}, io.EOF},
		{"interrupted after a line", "one\rtw\x03", []string{"one"}, ErrInterrupted},
		{"end of input", "one\r\x04", []string{"one"}, io.EOF},
		{"not UTF-8 before the end of a line", "o\xffne\rtwo\r", []string{"one", "two"}, io.EOF},
		{"sequence longer than the editor's buffer", "\x1b[" + strings.Repeat("1", 1000) + "\rtwo\r",
			[]string{strings.Repeat("1", 1000-longestKey+2), "two"}, io.EOF},
		{"corrected", "helo\x7flo\x1b[D\x1b[D\x1b[D\x1b[Cx\r", []string{"helxlo"}, io.EOF},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			editor := term.NewTerminal(struct {
				io.Reader
				io.Writer
			}{&keyboard{from: strings.NewReader(tt.typed)}, io.Discard}, prompt)
			var got []string
			for {
				line, err := editor.ReadLine()
				if err != nil {
					if !errors.Is(err, tt.err) {
						t.Errorf("end %v, want %v", err, tt.err)
					}
					break
				}
				got = append(got, line)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("lines %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzKeyboard(f *testing.F) {
	f.Add([]byte("hello\r\x1b[A\xff你\x03"), uint8(3))
	f.Fuzz(func(t *testing.T, typed []byte, split uint8) {
		at := min(int(split), len(typed))
		var whole, pieces keyboard
		whole.take(typed)
		pieces.take(slices.Clone(typed[:at]))
		if pieces.err == nil {
			pieces.take(append(slices.Clone(pieces.cut), typed[at:]...))
		}
		if string(whole.ready) != string(pieces.ready) || whole.err != pieces.err {
			t.Errorf("%q at once %q, %v; split at %d %q, %v", typed, whole.ready, whole.err, at, pieces.ready, pieces.err)
		}
	})
}
