package wire

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// framingText has the same text from both sides, in a framing of its own.
func framingText(framing string) string {
	return "protocol: p\nframing: " + framing + `
settings: {end: {default: lf, one_of: [lf, crlf]}, kind: {default: line, one_of: [line, chunk]}}
messages:
  say: {from: client, text: '{text...}'}
  hear: {from: server, text: '{text...}'}
`
}

// Every way to say where a message ends, with the bytes of "hi".
var framings = []struct{ framing, bytes string }{
	{"line", `"hi" 0a`},
	{"{line: {end: lf}}", `"hi" 0a`},
	{"{line: {end: crlf}}", `"hi" 0d0a`},
	{"{line: {end: nul}}", `"hi" 00`},
	{"{line: {end: blank}}", `"hi" 0a0a`},
	{"{line: {end: any}}", `"hi" 0a`},
	{"{line: {end: $end}}", `"hi" 0a`},
	{"$kind", `"hi" 0a`},
	{"{length: u8}", `02 "hi"`},
	{"{length: u16}", `0002 "hi"`},
	{"{length: u16, order: little}", `0200 "hi"`},
	{"{length: u24}", `000002 "hi"`},
	{"{length: u24, order: little}", `020000 "hi"`},
	{"{length: u32}", `00000002 "hi"`},
	{"{length: u32, order: little}", `02000000 "hi"`},
	{"{length: u64}", `0000000000000002 "hi"`},
	{"{length: varint}", `02 "hi"`},
	{"{length: digits, width: 4}", `"0002hi"`},
	{"{length: digits, width: 4, pad: zeros}", `"0002hi"`},
	{"{length: digits, width: 4, pad: left}", `"   2hi"`},
	{"{length: digits, width: 4, pad: right}", `"2   hi"`},
	{"{length: digits, terminator: ':'}", `"2:hi"`},
	{`{length: digits, terminator: "\r\n"}`, `"2" 0d0a "hi"`},
	{"{length: u16, counts: body}", `0002 "hi"`},
	{"{length: u16, counts: all}", `0004 "hi"`},
	{"{length: varint, counts: all}", `03 "hi"`},
	{"{length: digits, width: 2, counts: all}", `"04hi"`},
	{"{length: digits, terminator: ' ', counts: all}", `"4 hi"`},
}

// Each is written so, is read at its last byte and not before, and ends where
// the next one begins.
func TestFramings(t *testing.T) {
	for _, tt := range framings {
		t.Run(tt.framing, func(t *testing.T) {
			c := bind(t, framingText(tt.framing))
			want := octets(t, tt.bytes)
			got, err := c.Encode(c.Message("say"), Args{"text": "hi"}, nil)
			if err != nil || string(got) != string(want) {
				t.Fatalf("written as % x, want % x, %v", got, want, err)
			}
			stream := append(append([]byte(nil), want...), want...)
			var f Frame
			for n := range len(want) {
				if need, err := c.Decode(&f, stream[:n], Server); !errors.Is(err, ErrShort) || need <= n || need > len(want) {
					t.Errorf("after %d bytes %d are needed, %v", n, need, err)
				}
			}
			n, err := c.Decode(&f, stream, Server)
			found := Args{}
			if err != nil || n != len(want) || !c.Message("hear").Match(&f, nil, found) || found["text"] != "hi" {
				t.Errorf("read as %d bytes with %v, %v", n, found, err)
			}
			if c.Unframed(Server) || c.IsDatagram(Client) {
				t.Error("it is taken for something without ends")
			}
		})
	}
}

// A varint that counts itself may grow by doing so.
func TestLengthThatGrows(t *testing.T) {
	c := bind(t, framingText("{length: varint, counts: all}"))
	for _, size := range []int{125, 126, 127, 128, 16380, 16381, 16382} {
		b, err := c.Encode(c.Message("say"), Args{"text": strings.Repeat("x", size)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var f Frame
		if n, err := c.Decode(&f, b, Client); err != nil || n != len(b) {
			t.Errorf("%d bytes: %d of %d are read, %v", size, n, len(b), err)
		}
	}
}

// Pads and ends other than one's own are understood, too.
func TestFramingsReadLoosely(t *testing.T) {
	for _, tt := range []struct{ framing, bytes, text string }{
		{"line", `"hi" 0d0a`, "hi"},
		{"{line: {end: crlf}}", `"hi" 0a`, "hi"},
		{"{line: {end: nul}}", `"hi" 0d0a 00`, "hi\r\n"},
		{"{length: digits, width: 4, pad: left}", `"0002hi"`, "hi"},
		{"{length: digits, width: 4}", `"2   hi"`, "hi"},
		{"chunk", `"hi" 0d0a`, "hi\r\n"},
		{"{line: {end: none}}", `"hi" 0d0a`, "hi"},
		{"{line: {end: none}}", `"hi"`, "hi"},
	} {
		c := bind(t, framingText(tt.framing))
		f := decode(t, c, octets(t, tt.bytes), Server)
		if !c.Message("hear").Match(f, Args{"text": tt.text}, nil) {
			t.Errorf("%s: %s is no %q", tt.framing, tt.bytes, tt.text)
		}
	}
}

// The two sides may differ, and what has no ends says so.
func TestSidesDiffer(t *testing.T) {
	c := bind(t, framingText("{client: {length: u8}, server: {line: {end: nul}}}"))
	if b, err := c.Encode(c.Message("say"), Args{"text": "hi"}, nil); err != nil || string(b) != "\x02hi" {
		t.Errorf("a client sends %q, %v", b, err)
	}
	if b, err := c.Example(c.Message("hear"), Args{"text": "hi"}); err != nil || string(b) != "hi\x00" {
		t.Errorf("a server sends %q, %v", b, err)
	}
	c = bind(t, framingText("{client: line, server: $kind}"), "kind=chunk")
	if c.Unframed(Client) || !c.Unframed(Server) {
		t.Error("only the server is without ends")
	}
	if c = bind(t, framingText("{line: {end: none}}")); !c.Unframed(Client) || !c.Unframed(Server) {
		t.Error("lines without an end have one")
	}
	if c = bind(t, udpText); !c.IsDatagram(Client) || !c.IsDatagram(Server) || c.Unframed(Server) {
		t.Error("over UDP there is something else than datagrams")
	}
}

// A false length is sent when a step asks for it.
func TestSetLength(t *testing.T) {
	for _, tt := range []struct{ framing, length, want string }{
		{"{length: u8}", "9", "\x09hi"},
		{"{length: u16, counts: all}", "0", "\x00\x00hi"},
		{"{length: digits, width: 3}", "999", "999hi"},
		{"{length: varint}", "300", "\xac\x02hi"},
		{"{length: u8}", "256", ""},
		{"{length: digits, width: 2}", "100", ""},
		{"{length: u8}", "many", ""},
	} {
		c := bind(t, framingText(tt.framing))
		m := c.Message("say")
		b, err := c.Encode(m, Args{"text": "hi"}, Args{"Length": tt.length})
		if (err != nil) != (tt.want == "") || string(b) != tt.want {
			t.Errorf("%s, Length %s: % x, %v", tt.framing, tt.length, b, err)
		}
		if tt.length != "100" && (m.CheckSet("Length", tt.length) != nil) != (tt.want == "") {
			t.Errorf("%s, Length %s: CheckSet says %v", tt.framing, tt.length, m.CheckSet("Length", tt.length))
		}
	}
	c := bind(t, framingText("line"))
	if err := c.Message("say").CheckSet("Length", "1"); err == nil {
		t.Error("a line has a Length")
	}
}

// What cannot be framed is not sent.
func TestUnsendable(t *testing.T) {
	for _, tt := range []struct{ framing, text, want string }{
		{"line", "a\nb", `build say: a line cannot hold what ends it ("\n")`},
		{"{line: {end: nul}}", "a\x00", `build say: a line cannot hold what ends it ("\x00")`},
		{"{length: u8}", strings.Repeat("x", 256), "~the message is 256 bytes long: "},
		{"{length: digits, width: 2}", strings.Repeat("x", 100), "~the message is 100 bytes long: "},
	} {
		c := bind(t, framingText(tt.framing))
		_, err := c.Encode(c.Message("say"), Args{"text": tt.text}, nil)
		part, loose := strings.CutPrefix(tt.want, "~")
		if err == nil || !loose && err.Error() != tt.want || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v, want %s", tt.framing, err, tt.want)
		}
	}
	c := bind(t, udpText)
	for size, fits := range map[int]bool{maxDatagram - len("MESSAGE "): true, maxDatagram: false} {
		if _, err := c.Encode(c.Message("say"), Args{"text": strings.Repeat("x", size)}, nil); (err == nil) != fits {
			t.Errorf("a datagram with a text of %d bytes: %v", size, err)
		}
	}
	c = bind(t, latinText)
	if _, err := c.Encode(c.Message("say"), Args{"user": "a", "text": "你"}, nil); err == nil || !strings.Contains(err.Error(), "cannot be written in") {
		t.Errorf("Chinese in Latin-1: %v", err)
	}
}

// Streams that cannot go on are told from those that are not whole.
func TestBrokenFraming(t *testing.T) {
	for _, tt := range []struct{ framing, bytes, want string }{
		{"{length: u16, counts: all}", "0001", "a Length of 1 does not even cover itself (at byte 0)"},
		{"{length: digits, width: 4}", `"12x4"`, `Length is no number in digits: "12x4" (at byte 0)`},
		{"{length: digits, terminator: ':'}", `"hello"`, "Length is no number in digits (at byte 0)"},
		{"{length: digits, terminator: ':'}", `"999999999999999999999:"`, "Length is no number in digits (at byte 0)"},
		{"{length: digits, terminator: ':'}", `"000000000000000000005:"`, "Length is no number in digits (at byte 0)"},
		{"{length: varint}", "ffffffffffffffffff7f", "Length does not fit 64 bits (at byte 0)"},
	} {
		c := bind(t, framingText(tt.framing))
		var f Frame
		n, err := c.Decode(&f, octets(t, tt.bytes), Server)
		var bad *MalformedError
		part, loose := strings.CutPrefix(tt.want, "~")
		if n != 0 || !errors.As(err, &bad) || !loose && err.Error() != tt.want || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %s gives %d, %v; want %s", tt.framing, tt.bytes, n, err, tt.want)
		}
	}
}

// twoParts has messages in two parts, and single ones between them.
const twoParts = `
protocol: p
framing: line
messages:
  name: {line: 'FROM {user}'}
  body: {line: 'TEXT {text...}'}
  hear: {from: server, parts: [name, body]}
  note: {from: server, line: 'NOTE {text...}'}
  say: {from: client, parts: [name, body]}
  end: {from: client, line: END}
`

func TestPartsAmongSingles(t *testing.T) {
	c := bind(t, twoParts)
	b := []byte("NOTE a\nFROM bob\nTEXT hi\nNOTE b\nFROM al\nNOTE c\n")
	var got []string
	for len(b) > 0 {
		var f Frame
		n, err := c.DecodeQuiet(&f, b, Server)
		if err != nil {
			t.Fatal(err)
		}
		name := "nothing"
		if m := c.Name(&f, Server); m != nil {
			found := Args{}
			m.Match(&f, nil, found)
			name = fmt.Sprint(m.Name, " ", found)
		}
		got = append(got, name)
		b = b[n:]
	}
	if want := "note map[text:a], hear map[text:hi user:bob], note map[text:b], nothing, note map[text:c]"; strings.Join(got, ", ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), want)
	}
	if b, err := c.Encode(c.Message("say"), Args{"user": "al", "text": "x"}, nil); err != nil || string(b) != "FROM al\nTEXT x\n" {
		t.Errorf("sent as %q, %v", b, err)
	}
	if !c.Pauses(Server) || !c.Pauses(Client) {
		t.Error("nobody waits for second parts")
	}
	f := decode(t, c, []byte("FROM bob\nTEXT hi\n"), Server)
	g := f.Clone()
	copy(f.Raw, "XXXXXXXXXXXXXXXXX")
	if !c.Message("hear").Match(g, Args{"user": "bob", "text": "hi"}, nil) {
		t.Error("a clone shares its bytes")
	}
}

// The probe's own answers name messages and the side that they come from.
func TestAnswersAndIgnore(t *testing.T) {
	p := load(t, `
protocol: p
framing: line
messages:
  ping: {from: server, line: 'PING {word}'}
  motd: {from: server, line: 'MOTD'}
  pong: {from: client, line: 'PONG {word}'}
answers: {ping: pong}
ignore: [motd]
`)
	if len(p.Answers) != 1 || p.Answers["ping"] != "pong" || len(p.Ignore) != 1 || p.Ignore[0] != "motd" {
		t.Errorf("answers %v, ignore %v", p.Answers, p.Ignore)
	}
}

func TestMatchJSON(t *testing.T) {
	c := bind(t, `
protocol: p
framing: line
messages:
  deep: {from: server, json: {a: {b: [1, '{x}', true, null, 'is {y}!']}}}
  word: {from: server, json: {text: '/^{user} (left|went)$/i'}}
  nums: {from: server, json: {n: 1.5, s: '1.5', no: false}}
  any: {from: server, json: {v: '{v}'}}
`)
	for _, tt := range []struct {
		message, json string
		args          Args
		want          string // what is found, or no
	}{
		{"deep", `{"a":{"b":[1,"one",true,null,"is two!"]}}`, nil, "map[x:one y:two]"},
		{"deep", ` { "z" : 0, "a" : { "c" : [], "b" : [ 1, "one", true, null, "is two!" ] } } `, nil, "map[x:one y:two]"},
		{"deep", `{"a":{"b":[1,"one",true,null]}}`, nil, "no"},
		{"deep", `{"a":{"b":[1,"one",true,null,"is two!",6]}}`, nil, "no"},
		{"deep", `{"a":{"b":["1","one",true,null,"is two!"]}}`, nil, "no"},
		{"deep", `{"a":{"b":[1,"one",false,null,"is two!"]}}`, nil, "no"},
		{"deep", `{"a":{"b":[1,"one",true,0,"is two!"]}}`, nil, "no"},
		{"deep", `{"a":{"b":[1,"one",true,null,"was two!"]}}`, nil, "no"},
		{"deep", `{"a":[]}`, nil, "no"},
		{"deep", `[]`, nil, "no"},
		{"word", `{"text":"bob LEFT"}`, nil, "map[user:bob]"},
		{"word", `{"text":"bob left"}`, Args{"user": "al"}, "no"},
		{"word", `{"text":5}`, nil, "no"},
		{"word", `{}`, nil, "no"},
		{"nums", `{"n":1.5,"s":"1.5","no":false}`, nil, "map[]"},
		{"nums", `{"n":"1.5","s":"1.5","no":false}`, nil, "no"},
		{"nums", `{"n":1.5,"s":1.5,"no":false}`, nil, "no"},
		{"any", `{"v":5}`, Args{"v": Raw("5")}, "map[]"},
		{"any", `{"v":["b","a"]}`, Args{"v": []any{"a", "b"}}, "map[]"},
		{"any", `{"v":["b","b"]}`, Args{"v": []any{"a", "b"}}, "no"},
		{"any", `{"v":["a"]}`, Args{"v": "[a]"}, "no"},
		{"any", `{"v":{"k":[1]}}`, nil, `map[v:{"k":[1]}]`},
		{"any", `{"v":null}`, nil, "map[v:null]"},
	} {
		f := decode(t, c, []byte(tt.json+"\n"), Server)
		found := Args{}
		got := "no"
		if c.Message(tt.message).Match(f, tt.args, found) {
			got = fmt.Sprint(found)
		}
		if got != tt.want {
			t.Errorf("%s as %s: got %s, want %s", tt.json, tt.message, got, tt.want)
		}
	}
}

// A sum that is wrong, and an address of the wrong size, are no message.
func TestSumsAndAddresses(t *testing.T) {
	c := bind(t, formsText)
	f := decode(t, c, octets(t, `05 | 31 | 83dcefb8`), Client)
	if f.Shape != nil || !strings.Contains(f.Malformed, "the bytes before it give 0x83dcefb7") {
		t.Errorf("a wrong sum: %v, %q", f.Shape, f.Malformed)
	}
	// It may be sent on purpose.
	if b, err := c.Encode(c.Message("sum"), Args{"n": "49"}, Args{"Check": "1"}); err != nil || string(b) != "\x051\x00\x00\x00\x01" {
		t.Errorf("sent as % x, %v", b, err)
	}
	args := Args{"v": "1", "d": "1", "l": "1", "t": "1", "name": "x", "long": "::1", "rest": ""}
	for addr, ok := range map[string]bool{"127.0.0.1": true, "::1": false, "localhost": false, "": false} {
		args["addr"] = addr
		if _, err := c.Encode(c.Message("all"), args, nil); (err == nil) != ok {
			t.Errorf("%q as an address of four bytes: %v", addr, err)
		}
	}
}

// A message of which one part is an expression can only be received.
func TestUnsendableParts(t *testing.T) {
	c := bind(t, strings.Replace(twoParts, "'FROM {user}'", "'/FROM {user}/'", 1))
	want := "name is described by a regular expression (/FROM {user}/): it can be received, not sent"
	if err := c.Message("say").CanSend(); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
