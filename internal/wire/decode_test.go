package wire

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

// Of a message that has not come as a whole, Decode says how many bytes are
// needed at least: never more than the whole takes, and always more than came.
func TestDecodeShort(t *testing.T) {
	tests := []struct {
		name, protocol string
		from           Side
		bytes          string
		need           int
	}{
		{"nothing", framedText, Client, ``, 2},
		{"half of the first length", framedText, Client, `00`, 2},
		{"the first length", framedText, Client, `00 05`, 6},
		{"half of the second length", framedText, Client, `00 05 00 00`, 6},
		{"the header", framedText, Client, `00 05 00 00 00 02`, 11},
		{"half of the name", framedText, Client, `00 05 00 00 00 02 "al"`, 11},
		{"the name", framedText, Client, `00 05 00 00 00 02 "alice"`, 13},
		{"all but one byte", framedText, Client, `00 05 00 00 00 02 "alice" "h"`, 13},
		{"a length of 4 GiB", framedText, Client, `00 01 ff ff ff ff "a" "hello"`, 4294967295 + 7},
		{"no type", directText, Server, ``, 1},
		{"half of a count", directText, Server, `05 00`, 3},
		{"three entries to come", directText, Server, `05 00 03`, 6}, // at least a length each
		{"one of three entries", directText, Server, `05 00 03 | 02 "bo"`, 8},
		{"in the second of three entries", directText, Server, `05 00 03 | 02 "bo" | 05 "al"`, 12},
		{"in the last entry", directText, Server, `05 00 02 | 02 "bo" | 05 "al"`, 12},
		{"65535 entries to come", directText, Server, `05 ff ff`, 3 + 65535},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := bind(t, tt.protocol)
			var f Frame
			if n, err := c.Decode(&f, octets(t, tt.bytes), tt.from); !errors.Is(err, ErrShort) || n != tt.need {
				t.Errorf("%d bytes, %v; want %d bytes", n, err, tt.need)
			}
		})
	}
}

func TestDecodeMalformed(t *testing.T) {
	const late = `
protocol: late
framing: fields
messages:
  one: {from: client, fields: [{name: Length, type: u8}, {name: text, type: text, size: Length}, {name: End, type: u16, contents: 0x0d0a}]}
  two: {from: server, fields: [{name: A, type: u8, contents: 1}, {name: B, type: u8, contents: 2}]}
  three: {from: server, fields: [{name: A, type: u8, contents: 7}, {name: n, type: u8}]}
`
	const mute = `
protocol: mute
framing: fields
messages:
  beep: {from: server, fields: [{name: A, type: u8}]}
`
	tests := []struct {
		name, protocol string
		from           Side
		bytes          string
		offset         int
		want           string
	}{
		{"wrong constant behind a text", late, Client, `02 "ab" "\n"`, 3, "End is 23662 and not 3338 (at byte 3)"},
		{"second constant wrong", late, Server, `01 03`, 1, "B is 3 and not 2 (at byte 1)"},
		{"no shape begins so", late, Server, `09 02`, 0, "no message begins like this (at byte 0)"},
		{"an answer of the other side", directText, Client, `05 00 00`, 0, "no message begins like this (at byte 0)"},
		{"a side that never speaks", mute, Client, `00`, 0, "no message is ever sent by the client (at byte 0)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := bind(t, tt.protocol)
			var f Frame
			n, err := c.Decode(&f, octets(t, tt.bytes), tt.from)
			var bad *MalformedError
			if !errors.As(err, &bad) || n != 0 {
				t.Fatalf("%d bytes, %v", n, err)
			}
			if bad.Offset != tt.offset || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// What a length claims costs nothing: memory is taken for what has arrived.
func TestDecodeAllocatesNothingForClaims(t *testing.T) {
	framed, direct := bind(t, framedText, "byte_order=big"), bind(t, directText)
	huge := octets(t, `ff ff ff ff ff ff "hello"`)
	list := octets(t, `05 ff ff | 01 "a"`)
	f := Frame{Values: make([]Value, 0, 8)}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := framed.Decode(&f, huge, Server); !errors.Is(err, ErrShort) {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("a length of 4 GiB costs %v allocations", n)
	}
	before := allocated()
	for range 100 {
		if _, err := direct.Decode(&f, list, Server); !errors.Is(err, ErrShort) {
			t.Fatal(err)
		}
	}
	if per := (allocated() - before) / 100; per > 4096 {
		t.Errorf("65535 entries that have not come cost %d bytes", per)
	}
	whole := octets(t, `00 05 | 00 00 00 05 | "alice" | "hello"`)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := framed.Decode(&f, whole, Server); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("a message without lists costs %v allocations in a Frame that is used again", n)
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// Decode takes one message and leaves what follows.
func TestDecodeOneOfSeveral(t *testing.T) {
	c := bind(t, directText)
	stream := octets(t, `06 01 | 05 00 01 02 "bo" | 07 00 01 | 06`)
	var f Frame
	var names []string
	for len(stream) > 0 {
		n, err := c.Decode(&f, stream, Server)
		if errors.Is(err, ErrShort) {
			names = append(names, "short")
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if string(f.Raw) != string(stream[:n]) {
			t.Errorf("the frame holds % x of % x", f.Raw, stream[:n])
		}
		names = append(names, c.Name(&f, Server).Name)
		stream = stream[n:]
	}
	if got, want := strings.Join(names, " "), "response listed pair short"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A Frame is used for the next message; its clone stays.
func TestClone(t *testing.T) {
	c := bind(t, directText)
	first, second := octets(t, `05 00 02 | 05 "alice" | 02 "bo"`), octets(t, `05 00 02 | 01 "x" | 05 "wrong"`)
	var f Frame
	if _, err := c.Decode(&f, first, Server); err != nil {
		t.Fatal(err)
	}
	f.SetFirst(true)
	clone := f.Clone()
	if _, err := c.Decode(&f, second, Server); err != nil {
		t.Fatal(err)
	}
	clear(first)
	found := Args{}
	if !c.Message("listed").Match(clone, nil, found) || !equal(found["users"], []any{"alice", "bo"}) {
		t.Errorf("the clone now holds %v", found)
	}
	if !clone.first || f.first {
		t.Error("that a message is the first one belongs to that message")
	}
}
