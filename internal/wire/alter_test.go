package wire_test

import (
	"strings"
	"testing"

	"github.com/chatprobe/chatprobe/internal/wire"
)

const altered = `
protocol: x
transport: tcp
framing: fields
messages:
  hear:
    from: server
    fields:
      - {name: Length, type: u16}
      - {name: user, type: text, size: Length}
      - {name: text, type: text, terminator: "\n"}
`

// TestAlter: lengths follow what they measure, unless they are set.
func TestAlter(t *testing.T) {
	p, err := wire.Load("protocol.yaml", []byte(altered), nil)
	if err != nil {
		t.Fatal(err)
	}
	codec, err := p.Bind(nil)
	if err != nil {
		t.Fatal(err)
	}
	upper := func(_ *wire.Field, held any) any {
		if s, ok := held.(string); ok {
			return strings.ToUpper(s) + "!"
		}
		return held
	}
	for _, test := range []struct {
		in     string
		change func(*wire.Field, any) any
		set    wire.Args
		want   string
	}{
		{"\x00\x03bobhi\n", upper, nil, "\x00\x04BOB!HI!\n"},
		{"\x00\x03bobhi\n", func(_ *wire.Field, held any) any { return held }, nil, "\x00\x03bobhi\n"},
		{"\x00\x03bobhi\n", func(_ *wire.Field, held any) any { return held }, wire.Args{"Length": "9"}, "\x00\x09bobhi\n"},
		{"\x00\x03bobhi\n", func(*wire.Field, any) any { return "a\nb" }, nil, ""},
	} {
		var f wire.Frame
		if _, err := codec.Decode(&f, []byte(test.in), wire.Server); err != nil {
			t.Fatal(err)
		}
		got, err := codec.Alter(&f, wire.Server, test.change, test.set)
		if string(got) != test.want || (err != nil) != (test.want == "") {
			t.Errorf("%q becomes %q, %v; want %q", test.in, got, err, test.want)
		}
	}
}
