package refclient

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Bytes written by hand from the protocol.
var frameVectors = []struct {
	bytes string
	frame frame
}{
	{"\x00\x05\x00\x00\x00\x05alicehello", frame{"alice", "hello"}},
	{"\x00\x05\x00\x00\x00\x00alice", frame{"alice", ""}},
	{"\x00\x00\x00\x00\x00\x02hi", frame{"", "hi"}},
	{"\x00\x00\x00\x00\x00\x00", frame{"", ""}},
	{"\x00\x05\x00\x00\x00\x0djos\xc3\xa9\xe4\xbd\xa0\xe5\xa5\xbd\xf0\x9f\x91\x8b\xff\x00\n", frame{"josé", "你好👋\xff\x00\n"}},
	{"\x01\x00\x00\x01\x00\x00" + strings.Repeat("n", 256) + strings.Repeat("t", 65536),
		frame{strings.Repeat("n", 256), strings.Repeat("t", 65536)}},
}

func TestFrameBytes(t *testing.T) {
	for _, v := range frameVectors {
		if got := string(v.frame.append([]byte("before"))); got != "before"+v.bytes {
			t.Errorf("frame %.40q is %.80q, want %.80q", v.frame, got, v.bytes)
		}
		got, n, err := decodeFrame([]byte(v.bytes+"rest"), 1<<20)
		if got != v.frame || n != len(v.bytes) || err != nil {
			t.Errorf("%.40q reads as %.40q, %d bytes, %v", v.bytes, got, n, err)
		}
	}
}

func TestFramesAtEverySplit(t *testing.T) {
	var stream string
	var want []frame
	for _, v := range frameVectors[:5] {
		stream += v.bytes
		want = append(want, v.frame)
	}
	for i := range len(stream) + 1 {
		for j := i; j <= len(stream); j++ {
			got, err := inPieces(64, stream[:i], stream[i:j], stream[j:])
			if !slices.Equal(got, want) || err != nil {
				t.Fatalf("split at %d and %d: %q, %v", i, j, got, err)
			}
		}
	}
	got, err := inPieces(64, strings.Split(stream, "")...)
	if !slices.Equal(got, want) || err != nil {
		t.Fatalf("byte by byte: %q, %v", got, err)
	}
}

// inPieces is what arrives as these segments.
func inPieces(maxMessage int, pieces ...string) ([]frame, error) {
	d := frames{maxMessage: maxMessage}
	var all []frame
	for _, piece := range pieces {
		whole, err := d.add([]byte(piece))
		all = append(all, whole...)
		if err != nil {
			return all, err
		}
	}
	if d.partial() {
		return all, fmt.Errorf("%d bytes left", len(d.rest))
	}
	return all, nil
}

func TestFramesLimit(t *testing.T) {
	good := "\x00\x01\x00\x00\x00\x05bhello"
	tests := []struct{ name, bytes, err string }{
		{"at the limit", good, ""},
		{"over", "\x00\x01\x00\x00\x00\x06", "read frame: the server announces a message of 6 bytes, the limit is 5"},
		{"all ones", "\xff\xff\xff\xff\xff\xff", "read frame: the server announces a message of 4294967295 bytes, the limit is 5"},
		{"little-endian", "\x01\x00\x05\x00\x00\x00bhello", "read frame: the server announces a message of 83886080 bytes, the limit is 5; " +
			"or are its numbers little-endian? This one would be 5 then"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := inPieces(5, good+tt.bytes)
			if (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
				t.Errorf("error %v, want %s", err, tt.err)
			}
			if len(got) == 0 || got[0] != (frame{"b", "hello"}) {
				t.Errorf("the frame before it: %q", got)
			}
		})
	}
	d := frames{maxMessage: 5}
	_, first := d.add([]byte("\x00\x01\x00\x00\x00\x06"))
	if got, err := d.add([]byte(good)); err != first || got != nil {
		t.Errorf("after an error: %q, %v", got, err)
	}
}

func TestFramesMemory(t *testing.T) {
	d := frames{maxMessage: 1 << 30}
	if _, err := d.add([]byte("\xff\xff\x40\x00\x00\x00")); err != nil {
		t.Fatal(err)
	}
	if cap(d.rest) > 1<<10 {
		t.Errorf("a length of 1 GiB costs %d bytes before one has arrived", cap(d.rest))
	}
}

func TestFramedCheck(t *testing.T) {
	tests := []struct {
		name string
		room Framed
		want string
	}{
		{"good", Framed{User: "alice"}, ""},
		{"longest name", Framed{User: strings.Repeat("a", 65535)}, ""},
		{"no name", Framed{}, "user name is empty"},
		{"name too long", Framed{User: strings.Repeat("é", 32768)}, "user name has 65536 bytes, a frame holds 65535"},
		{"limit", Framed{User: "alice", MaxMessage: -1}, "message limit -1 is not between 1 and 4294967295"},
		{"login text", Framed{User: "alice", MaxMessage: 4, LoginText: "hello"}, "login text has 5 bytes, the limit is 4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.room.Check()
			if (err == nil) != (tt.want == "") || err != nil && err.Error() != tt.want {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

// Any split decodes alike; what was decoded encodes to the bytes it came from.
func FuzzFrames(f *testing.F) {
	for _, v := range frameVectors[:5] {
		f.Add([]byte(v.bytes+v.bytes), uint16(3), uint16(9))
	}
	f.Add([]byte("\x00\x01\x00\x00\x00\x05bhello\xff\xff\xff\xff\xff\xff"), uint16(12), uint16(14))
	f.Fuzz(func(t *testing.T, stream []byte, i, j uint16) {
		first := min(int(i), len(stream))
		second := min(max(int(j), first), len(stream))
		s := string(stream)
		whole, wholeErr := inPieces(1000, s)
		pieces, piecesErr := inPieces(1000, s[:first], s[first:second], s[second:])
		if !slices.Equal(whole, pieces) || fmt.Sprint(wholeErr) != fmt.Sprint(piecesErr) {
			t.Fatalf("at once %q, %v; in pieces %q, %v", whole, wholeErr, pieces, piecesErr)
		}
		var again []byte
		for _, f := range whole {
			again = f.append(again)
		}
		if !strings.HasPrefix(s, string(again)) {
			t.Errorf("%q reads as %q, which is %q", s, whole, again)
		}
	})
}
