package wire

import (
	"encoding/hex"
	"maps"
	"strings"
	"testing"
)

// framedText is the shape of the built-in suite in few words.
const framedText = `
protocol: framed
framing: fields
settings:
  byte_order: {default: any, one_of: [any, big, little], warn: [little]}
  login_text: {default: ""}
  echo: {default: any, one_of: [any, yes, no]}
messages:
  frame:
    fields:
      - {name: UNameL, type: u16, order: $byte_order}
      - {name: MessageL, type: u32, order: $byte_order}
      - {name: Username, type: text, size: UNameL}
      - {name: Message, type: text, size: MessageL}
  login: {is: frame, from: client, first: true, where: {Username: '{user}', Message: $login_text}}
  say: {is: frame, from: client, where: {Username: '{user}', Message: '{text}'}}
  left:
    is: frame
    from: server
    where:
      - {Message: '/\b{user}\b.*\bleft/is'}
      - {Username: '{user}', Message: '/\bleft/is'}
  hear: {is: frame, from: server, where: {Username: '{user}', Message: '{text}'}}
  notice: {is: frame, from: server, except: {Username: '{user}', Message: $login_text}}
`

// directText has what framed has not: constants, enums, lists, a fixed size,
// several shapes in each direction, numbers as parameters.
const directText = `
protocol: direct
framing: fields
messages:
  register:
    from: client
    fields:
      - {name: Type, type: u8, contents: 0x01}
      - {name: tag, type: bytes, size: 2}
      - {name: Length, type: u8}
      - {name: user, type: text, size: Length}
  list: {from: client, fields: [{name: Type, type: u8, contents: 2}]}
  sizes:
    from: client
    fields:
      - {name: Type, type: u8, contents: 9}
      - {name: a, type: u8}
      - {name: b, type: u16}
      - {name: c, type: u24}
      - {name: d, type: u32, order: little}
      - {name: e, type: u64}
  listed:
    from: server
    fields:
      - {name: Type, type: u8, contents: 5}
      - {name: Count, type: u16}
      - {repeat: Count, name: users, fields: [{name: Length, type: u8}, {name: user, type: text, size: Length}]}
  response:
    from: server
    fields:
      - {name: Type, type: u8, contents: 6}
      - {name: result, type: u8, enum: {ok: 0, failure: 1, malformed: 2}}
  ok: {is: response, from: server, where: {result: ok}}
  failed: {is: response, from: server, where: {result: 0x01}}
  pair:
    from: server
    fields:
      - {name: Type, type: u8, contents: 7}
      - {repeat: 2, name: codes, fields: [{name: code, type: u8, enum: {ok: 0, failure: 1}}]}
  batch: {is: many, from: client}
  many:
    fields:
      - {name: Type, type: u8, contents: 8}
      - {name: Count, type: u8}
      - {repeat: Count, name: users, fields: [{name: Length, type: u8}, {name: user, type: text, size: Length}]}
`

func load(t testing.TB, text string) *Protocol {
	t.Helper()
	p, err := Load("protocol.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// bind makes a codec; settings are name=value.
func bind(t testing.TB, text string, settings ...string) *Codec {
	t.Helper()
	values := map[string]string{}
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		values[name] = value
	}
	c, err := load(t, text).Bind(values)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// octets reads bytes as `00 05 | "alice"`: pairs of hexadecimal digits, texts in
// double quotes, and bars between fields.
func octets(t testing.TB, text string) []byte {
	t.Helper()
	var b []byte
	for i, piece := range strings.Split(text, `"`) {
		if i%2 == 1 {
			b = append(b, piece...)
			continue
		}
		digits, err := hex.DecodeString(strings.NewReplacer(" ", "", "|", "", "\n", "", "\t", "").Replace(piece))
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, digits...)
	}
	return b
}

// decode reads one message, which must be all of b.
func decode(t testing.TB, c *Codec, b []byte, from Side) *Frame {
	t.Helper()
	f := new(Frame)
	n, err := c.Decode(f, b, from)
	if err != nil || n != len(b) {
		t.Fatalf("decode % x: %d bytes, %v", b, n, err)
	}
	return f
}

// A vector is a message and its bytes, written by hand from the protocol's
// description.
type vector struct {
	name     string
	text     string // the protocol
	settings []string
	message  string
	from     Side
	args     Args
	bytes    string
}

var vectors = []vector{
	{"login", framedText, []string{"byte_order=big"}, "login", Client, Args{"user": "alice"},
		// UNameL, MessageL, Username, and no Message
		`00 05 | 00 00 00 00 | "alice"`},
	{"login, little-endian", framedText, []string{"byte_order=little"}, "login", Client, Args{"user": "alice"},
		`05 00 | 00 00 00 00 | "alice"`},
	{"login with a text", framedText, []string{"byte_order=big", "login_text={hi} $5"}, "login", Client, Args{"user": "bo"},
		`00 02 | 00 00 00 07 | "bo" | "{hi} $5"`},
	{"say", framedText, []string{"byte_order=big"}, "say", Client, Args{"user": "alice", "text": "hello"},
		`00 05 | 00 00 00 05 | "alice" | "hello"`},
	{"say, little-endian", framedText, []string{"byte_order=little"}, "say", Client, Args{"user": "al", "text": strings.Repeat("x", 258)},
		// 258 is 0x0102
		`02 00 | 02 01 00 00 | "al" | "` + strings.Repeat("x", 258) + `"`},
	{"say with an order not known yet", framedText, nil, "say", Client, Args{"user": "a", "text": "b"},
		// big is tried first
		`00 01 | 00 00 00 01 | "a" | "b"`},
	{"lengths count bytes", framedText, []string{"byte_order=big"}, "say", Client, Args{"user": "ž", "text": "你"},
		`00 02 | 00 00 00 03 | c5 be | e4 bd a0`},
	{"bytes that are no text", framedText, []string{"byte_order=big"}, "say", Client, Args{"user": "a", "text": "\x00\xff\n"},
		`00 01 | 00 00 00 03 | "a" | 00 ff 0a`},
	{"hear", framedText, []string{"byte_order=big"}, "hear", Server, Args{"user": "alice", "text": "hello"},
		`00 05 | 00 00 00 05 | "alice" | "hello"`},
	{"nothing at all", framedText, []string{"byte_order=big"}, "hear", Server, Args{"user": "", "text": ""},
		`00 00 | 00 00 00 00`},
	{"a constant alone", directText, nil, "list", Client, Args{}, `02`},
	{"constant, fixed size, length", directText, nil, "register", Client, Args{"tag": "\x00\x01", "user": "bob"},
		`01 | 00 01 | 03 | "bob"`},
	{"numbers of every size", directText, nil, "sizes", Client, Args{"a": "1", "b": "258", "c": "66051", "d": "16909060", "e": "72623859790382856"},
		// 0x01, 0x0102, 0x010203, 0x01020304 turned round, 0x0102030405060708
		`09 | 01 | 01 02 | 01 02 03 | 04 03 02 01 | 01 02 03 04 05 06 07 08`},
	{"the largest numbers", directText, nil, "sizes", Client, Args{"a": "255", "b": "65535", "c": "16777215", "d": "4294967295", "e": "18446744073709551615"},
		`09 | ff | ff ff | ff ff ff | ff ff ff ff | ff ff ff ff ff ff ff ff`},
	{"a list", directText, nil, "listed", Server, Args{"users": []any{"alice", "bo", ""}},
		`05 | 00 03 | 05 "alice" | 02 "bo" | 00`},
	{"an empty list", directText, nil, "listed", Server, Args{"users": []any{}}, `05 | 00 00`},
	{"an enum by a condition", directText, nil, "ok", Server, Args{}, `06 | 00`},
	{"a number by a condition", directText, nil, "failed", Server, Args{}, `06 | 01`},
	{"an enum as a parameter", directText, nil, "response", Server, Args{"result": "malformed"}, `06 | 02`},
	{"a number without a name", directText, nil, "response", Server, Args{"result": "77"}, `06 | 4d`},
	{"a list of fixed length", directText, nil, "pair", Server, Args{"codes": []any{"failure", "9"}}, `07 | 01 09`},
}

// Each message is written as the vector says, and the vector is read as the
// message, with the same parameters.
func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			c := bind(t, v.text, v.settings...)
			m := c.Message(v.message)
			want := octets(t, v.bytes)
			encode := func(m *Message, args Args) ([]byte, error) { return c.Encode(m, args, nil) }
			if v.from == Server {
				encode = c.Example
			}
			got, err := encode(m, v.args)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("encode: got\n%swant\n%s", hex.Dump(got), hex.Dump(want))
			}
			f := decode(t, c, want, v.from)
			f.SetFirst(true)
			found := Args{}
			if !m.Match(f, nil, found) || !maps.EqualFunc(found, v.args, equal) {
				t.Errorf("the bytes are a %s with %v, want %v", m, found, v.args)
			}
			if !m.Match(f, v.args, nil) {
				t.Errorf("the bytes are no %s with %v", m, v.args)
			}
		})
	}
}

func equal(a, b any) bool {
	x, ok := a.([]any)
	y, also := b.([]any)
	if !ok || !also {
		return !ok && !also && a == b
	}
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if !equal(x[i], y[i]) {
			return false
		}
	}
	return true
}
