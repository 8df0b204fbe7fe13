package wire

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"unicode/utf8"
)

// codecs are all codecs that the laws are tried on.
func codecs(t testing.TB) []*Codec {
	return []*Codec{
		bind(t, framedText, "byte_order=big"), bind(t, framedText, "byte_order=little"), bind(t, directText),
		bind(t, linesText), bind(t, linesText, "end=nul"), bind(t, digitsText), bind(t, jsonText), bind(t, formsText),
		bind(t, latinText), bind(t, streamText),
		bind(t, linesText, "end=crlf"), bind(t, linesText, "end=blank"), bind(t, twoParts),
		bind(t, framingText("{length: varint, counts: all}")), bind(t, framingText("{length: digits, terminator: ':'}")),
	}
}

func addVectors(f *testing.F) {
	f.Helper()
	for _, v := range vectors {
		f.Add(octets(f, v.bytes))
	}
	f.Add(octets(f, `06 01 | 05 00 01 02 "bo" | 07 00 01 | 06`))
	f.Add(octets(f, `05 ff ff 00 00 00 00`))
	f.Add(octets(f, `ff ff ff ff ff ff`))
}

// Whatever arrives: nothing panics; what is accepted is all of its bytes, is
// written again as it was, and could not be told before its last byte.
func FuzzDecode(f *testing.F) {
	addVectors(f)
	all := codecs(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		b = b[:min(len(b), 400)]
		for _, c := range all {
			for _, from := range []Side{Client, Server} {
				var f Frame
				n, err := c.Decode(&f, b, from)
				var bad *MalformedError
				switch {
				case errors.Is(err, ErrShort):
					if n <= len(b) {
						t.Fatalf("% x is short, and %d bytes are needed", b, n)
					}
				case errors.As(err, &bad):
					if n != 0 || bad.Offset < 0 || bad.Offset >= max(1, len(b)) {
						t.Fatalf("% x: %d bytes, %v", b, n, err)
					}
				case err != nil:
					t.Fatalf("% x: %v", b, err)
				default:
					checkAccepted(t, c, &f, b[:n], from)
				}
			}
		}
	})
}

func checkAccepted(t *testing.T, c *Codec, f *Frame, b []byte, from Side) {
	if !bytes.Equal(f.Raw, b) {
		t.Fatalf("% x is read as % x", b, f.Raw)
	}
	at := 0
	for _, v := range f.Values {
		if c.of(from).framing.kind != byFields {
			break
		}
		if v.Start != at {
			t.Fatalf("% x: %s begins at %d and not at %d", b, v.Field.Name, v.Start, at)
		}
		at += v.Size
	}
	if at != len(b) && c.of(from).framing.kind == byFields {
		t.Fatalf("% x: the fields end at %d", b, at)
	}
	for k := range b {
		var g Frame
		if need, err := c.Decode(&g, b[:k], from); !errors.Is(err, ErrShort) || need <= k || need > len(b) {
			t.Fatalf("% x: of its first %d bytes %d are needed, %v", b, k, need, err)
		}
	}
	f.SetFirst(true)
	f.Transcript(c.Name(f, from), from)
	for _, m := range c.Messages() {
		m.Match(f, Args{"user": "a", "users": []any{"a"}, "codes": []any{"ok", []any{"x"}}, "text": []any{}}, Args{})
		found := Args{}
		if !m.Match(f, nil, found) || m.hasRegex() {
			continue
		}
		if !m.Match(f, found, nil) {
			t.Fatalf("% x is a %s, but not with what was found in it, %v", b, m, found)
		}
		if !exact(c, from) {
			continue
		}
		if again, err := c.Example(m, found); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("% x is a %s with %v, which is written as % x, %v", b, m, found, again, err)
		}
	}
}

// exact says that there is one way to write a message: not so where CR LF is
// as good as LF, 007 as good as 7, or blanks may stand in JSON.
func exact(c *Codec, from Side) bool {
	fr := c.of(from).framing
	return fr.kind == byFields || fr.kind == byLine && !fr.end.anyCR
}

// However a stream is cut up, the same messages come out of it.
func FuzzSplit(f *testing.F) {
	for _, v := range vectors {
		b := octets(f, v.bytes)
		f.Add(slices.Concat(b, b, b), []byte{1, 2, 3})
	}
	all := codecs(f)
	f.Fuzz(func(t *testing.T, stream, cuts []byte) {
		stream = stream[:min(len(stream), 2000)]
		for _, c := range all {
			for _, from := range []Side{Client, Server} {
				want := fmt.Sprint(feed(c, stream, nil, from))
				if got := fmt.Sprint(feed(c, stream, cuts, from)); got != want {
					t.Fatalf("% x in pieces of %v:\n%s\nat once:\n%s", stream, cuts, got, want)
				}
				if got := fmt.Sprint(feed(c, stream, []byte{1}, from)); got != want {
					t.Fatalf("% x byte by byte:\n%s\nat once:\n%s", stream, got, want)
				}
			}
		}
	})
}

// feed reads a stream as it would arrive in pieces of these sizes, again and
// again, and asks only when as many bytes are there as were needed.
func feed(c *Codec, stream, sizes []byte, from Side) (out []string) {
	var buf []byte
	need := 0
	for i := 0; len(stream) > 0; i++ {
		n := len(stream)
		if len(sizes) > 0 {
			n = min(n, int(sizes[i%len(sizes)])+1)
		}
		buf, stream = append(buf, stream[:n]...), stream[n:]
		for len(buf) >= need && len(buf) > 0 {
			var f Frame
			n, err := c.Decode(&f, buf, from)
			if errors.Is(err, ErrShort) {
				need = n
				break
			}
			if err != nil {
				return append(out, err.Error())
			}
			name := f.Malformed
			if f.Shape != nil {
				name = f.Shape.Name
			}
			out = append(out, fmt.Sprintf("%s % x", name, f.Raw))
			buf, need = buf[n:], 0
		}
	}
	return append(out, fmt.Sprintf("rest % x", buf))
}

// What was written is read as what it was.
func FuzzEncode(f *testing.F) {
	f.Add("alice", "hello", uint64(5), []byte{3, 0, 9})
	f.Add("", "", uint64(0), []byte{})
	f.Add("{user}", "/x/\x00\xff", uint64(1<<63), []byte{255})
	all := codecs(f)
	// In these a message holds any text; in JSON it must be one.
	all = append(all[:3], all[5], bind(f, framingText("{length: u24}")), bind(f, framingText("{length: varint, counts: all}")),
		bind(f, framingText("{length: digits, terminator: ':'}")), bind(f, jsonText), bind(f, streamText))
	f.Fuzz(func(t *testing.T, user, text string, number uint64, sizes []byte) {
		list := make([]any, 0, len(sizes))
		for _, n := range sizes {
			list = append(list, string(bytes.Repeat([]byte("x"), int(n))))
		}
		digits := func(bits int) string { return fmt.Sprint(number & (1<<bits - 1)) }
		args := map[string]Args{
			"say":      {"user": user, "text": text},
			"hear":     {"user": user, "text": text, "id": text},
			"register": {"tag": "ab", "user": user},
			"batch":    {"users": list},
			"listed":   {"users": list},
			"sizes":    {"a": digits(8), "b": digits(16), "c": digits(24), "d": digits(32), "e": fmt.Sprint(number)},
			"pair":     {"codes": []any{fmt.Sprint(2 + number%200), "ok"}},
		}
		for _, c := range all {
			for name, args := range args {
				m := c.Message(name)
				if m == nil || c.of(m.From).shapes[0].Fields[0].Type == JSON && !(utf8.ValidString(user) && utf8.ValidString(text)) {
					continue
				}
				args := maps.Clone(args)
				maps.DeleteFunc(args, func(name string, _ any) bool { return !slices.Contains(m.Params(), name) })
				b, err := c.Example(m, args)
				if err != nil {
					if len(user) > 255 || len(list) > 255 {
						continue // a length too large for its field
					}
					t.Fatalf("%s with %v: %v", name, args, err)
				}
				frame := decode(t, c, b, m.From)
				found := Args{}
				if !m.Match(frame, nil, found) || !maps.EqualFunc(found, args, equal) {
					t.Fatalf("%s with %v is read as %v", name, args, found)
				}
			}
		}
	})
}

// Any file is loaded or refused, and what is loaded can be bound.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(framedText))
	f.Add([]byte(directText))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Load("f", data, nil)
		if (p == nil) == (err == nil) {
			t.Fatal("neither loaded nor refused, or both")
		}
		if err == nil {
			if _, err := p.Bind(nil); err != nil {
				t.Fatal(err)
			}
		}
	})
}
