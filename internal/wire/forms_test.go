package wire

import (
	"errors"
	"testing"
)

// linesText has lines with parameters, several ways to say a thing, a regular
// expression for a whole line, and a prompt without an end.
const linesText = `
protocol: lines
framing: {line: {end: $end}}
settings:
  end: {default: any, one_of: [any, lf, crlf, nul, blank, none]}
messages:
  login: {from: client, first: true, line: 'REGISTER {user} CHAT/1.0'}
  say: {from: client, line: '@{user}: {text...}'}
  ask: {from: server, line: 'name: ', ends: idle}
  asked: {from: server, line: 'password for {user}: ', ends: idle}
  status: {from: server, line: '/[245]\d\d\b.*/'}
  left: {from: server, line: ['{user} has left', 'BYE {user}']}
  hear: {from: server, line: '@{user}: {text...}'}
`

// digitsText has a length in ten digits in front of each message, and
// deliveries that travel as a name and a text.
const digitsText = `
protocol: digits
framing: {length: digits, width: 10, pad: right}
messages:
  login: {from: client, first: true, text: '{user}'}
  say: {from: client, text: '{text...}'}
  name: {text: '{user}'}
  body: {text: '{text...}'}
  hear: {from: server, parts: [name, body]}
  note: {from: server, text: '{text...}'}
`

const jsonText = `
protocol: jsonlines
framing: line
messages:
  login: {from: client, json: {type: login, user: '{user}', version: 1, options: ['{a}', 'x{b}y', true, null]}}
  say: {from: client, json: {type: say, text: '{text}'}}
  hear: {from: server, json: {type: message, from: {name: '{user}', id: '{id}'}, text: '{text}'}}
  listed: {from: server, json: {users: '{users}'}}
  left: {from: server, json: {type: notice, text: '/^{user} (left|went)/'}}
`

// formsText has what fields can be beside numbers of fixed size.
const formsText = `
protocol: forms
framing: {client: {length: varint}, server: {length: u16, order: little, counts: all}}
messages:
  all:
    from: client
    fields:
      - {name: Magic, type: text, contents: CHAT}
      - {name: v, type: varint}
      - {name: d, type: digits, width: 4}
      - {name: l, type: digits, width: 4, pad: left}
      - {name: t, type: digits, terminator: ' '}
      - {name: name, type: text, terminator: "\0"}
      - {name: addr, type: ip}
      - {name: long, type: ip, size: 16}
      - {name: Check, type: crc16}
      - {name: rest, type: text}
  sum:
    from: client
    fields: [{name: n, type: u8}, {name: Check, type: crc32}]
  names:
    from: server
    fields: [{name: Count, type: varint}, {repeat: Count, name: users, fields: [{name: user, type: text, terminator: ';'}]}]
  text: {from: server, text: '{text...}'}
`

const latinText = `
protocol: latin
framing: line
encoding: latin-1
messages:
  say: {from: client, line: '{user}: {text...}'}
  hear: {from: server, line: '{user}: {text...}'}
`

const udpText = `
protocol: udp
transport: udp
messages:
  greet: {from: client, text: GREETING}
  say: {from: client, text: 'MESSAGE {text...}'}
  hear: {from: server, text: ['INCOMING [{ip}] {port} {text...}', 'INCOMING {ip} {port} {text...}']}
`

const streamText = `
protocol: stream
framing: json
messages:
  say: {from: client, json: {text: '{text}'}}
  hear: {from: server, json: {text: '{text}'}}
`

func init() {
	vectors = append(vectors,
		vector{"a line", linesText, nil, "login", Client, Args{"user": "alice"}, `"REGISTER alice CHAT/1.0" 0a`},
		vector{"a line with blanks and an empty end", linesText, nil, "say", Client, Args{"user": "a b", "text": ""}, `"@a b: " 0a`},
		vector{"a line ended by CR LF", linesText, []string{"end=crlf"}, "hear", Server, Args{"user": "bob", "text": "x: y"}, `"@bob: x: y" 0d0a`},
		vector{"a line ended by NUL", linesText, []string{"end=nul"}, "say", Client, Args{"user": "bob", "text": "two\nlines"}, `"@bob: two" 0a "lines" 00`},
		vector{"a line ended by a blank one", linesText, []string{"end=blank"}, "say", Client, Args{"user": "bob", "text": "two\nlines"}, `"@bob: two" 0a "lines" 0a0a`},
		vector{"a line without an end", linesText, []string{"end=none"}, "say", Client, Args{"user": "bob", "text": "hi"}, `"@bob: hi"`},
		vector{"the first of several forms", linesText, nil, "left", Server, Args{"user": "bob"}, `"bob has left" 0a`},
		vector{"a prompt", linesText, nil, "ask", Server, Args{}, `"name: "`},
		vector{"a length in digits", digitsText, nil, "say", Client, Args{"text": "hello"}, `"5         " "hello"`},
		vector{"a message in two parts", digitsText, nil, "hear", Server, Args{"user": "alice", "text": "hi"}, `"5         " "alice" "2         " "hi"`},
		vector{"JSON", jsonText, nil, "login", Client, Args{"user": `a"\`, "a": Raw("5"), "b": "\n"},
			`"{" 22 "type" 22 ":" 22 "login" 22 "," 22 "user" 22 ":" 22 "a\" 22 "\\" 22 "," 22 "version" 22 ":1," 22 "options" 22 ":[5," 22 "x\ny" 22 ",true,null]}" 0a`},
		vector{"JSON within JSON", jsonText, nil, "hear", Server, Args{"user": "bob", "id": Raw("17"), "text": "é"},
			`"{" 22 "type" 22 ":" 22 "message" 22 "," 22 "from" 22 ":{" 22 "name" 22 ":" 22 "bob" 22 "," 22 "id" 22 ":17}," 22 "text" 22 ":" 22 c3a9 22 "}" 0a`},
		vector{"a list in JSON", jsonText, nil, "listed", Server, Args{"users": []any{"alice", "bob"}},
			`"{" 22 "users" 22 ":[" 22 "alice" 22 "," 22 "bob" 22 "]}" 0a`},
		vector{"one JSON value after another", streamText, nil, "say", Client, Args{"text": "}{"}, `"{" 22 "text" 22 ":" 22 "}{" 22 "}"`},
		vector{"fields of every form", formsText, nil, "all", Client,
			Args{"v": "300", "d": "7", "l": "12", "t": "99", "name": "bob", "addr": "10.0.0.1", "long": "::1", "rest": "end"},
			// the sum is CRC-16/CCITT-FALSE of all before it after the length
			`2e | "CHAT" | ac02 | "0007" | "  12" | "99 " | "bob" 00 | 0a000001 | 00000000000000000000000000000001 | cbcc | "end"`},
		vector{"a sum over what stands before it", formsText, nil, "sum", Client, Args{"n": "49"},
			// CRC-32 of "1"
			`05 | 31 | 83dcefb7`},
		vector{"a length that counts itself", formsText, nil, "text", Server, Args{"text": "hi!"}, `0500 "hi!"`},
		vector{"a list of texts with terminators", formsText, nil, "names", Server, Args{"users": []any{"bo", "al"}}, `0900 02 "bo;al;"`},
		vector{"another encoding", latinText, nil, "say", Client, Args{"user": "Zoë", "text": "ü"}, `"Zo" eb ": " fc 0a`},
		vector{"a datagram", udpText, nil, "say", Client, Args{"text": "hi\n"}, `"MESSAGE hi" 0a`},
		vector{"a datagram with an address", udpText, nil, "hear", Server, Args{"ip": "::1", "port": "5", "text": ""}, `"INCOMING [::1] 5 "`},
	)
}

// A prompt with a parameter, and the first of two parts, are messages once
// nothing more comes.
func TestDecodeQuiet(t *testing.T) {
	tests := []struct {
		protocol, bytes, message string
		n                        int
	}{
		{linesText, `"password for bob: "`, "asked", 18},
		{digitsText, `"5         " "hello"`, "note", 15},
	}
	for _, tt := range tests {
		c := bind(t, tt.protocol)
		b := octets(t, tt.bytes)
		var f Frame
		if n, err := c.Decode(&f, b, Server); !errors.Is(err, ErrShort) {
			t.Errorf("%s: %d bytes are a message although more may come, %v", tt.bytes, n, err)
		}
		n, err := c.DecodeQuiet(&f, b, Server)
		if err != nil || n != tt.n || c.Name(&f, Server).Name != tt.message {
			t.Errorf("%s: %d bytes are a %v, %v; want %d of a %s", tt.bytes, n, c.Name(&f, Server), err, tt.n, tt.message)
		}
	}
}

// What has an end but is no message is read over.
func TestDecodeUnknown(t *testing.T) {
	for _, tt := range []struct{ protocol, bytes, why string }{
		{jsonText, `"hello" 0a`, `this is no JSON: invalid character 'h' looking for beginning of value (at byte 0)`},
		{jsonText, `"{} {}" 0a`, `this is no JSON: "{}" follows the value (at byte 0)`},
		{formsText, `0400 ff ff`, ""},
	} {
		c := bind(t, tt.protocol)
		var f Frame
		b := octets(t, tt.bytes)
		n, err := c.Decode(&f, b, Server)
		if err != nil || n != len(b) || f.Malformed != tt.why || (f.Shape == nil) != (tt.why != "") {
			t.Errorf("%s: %d bytes, %v, %q; want %q", tt.bytes, n, err, f.Malformed, tt.why)
		}
	}
}

// A line is never searched without end.
func TestEndlessLine(t *testing.T) {
	var f Frame
	for _, text := range []string{linesText, streamText} {
		c := bind(t, text)
		b := make([]byte, lineLimit+2)
		b[0] = '['
		_, err := c.Decode(&f, b, Server)
		var bad *MalformedError
		if !errors.As(err, &bad) {
			t.Errorf("%.20s: %v", text, err)
		}
	}
}

// A regular expression for a line describes all of it.
func TestWholeLine(t *testing.T) {
	c := bind(t, linesText)
	for _, tt := range []struct {
		bytes string
		want  bool
	}{{`"200 fine" 0a`, true}, {`"no 200" 0a`, false}, {`"2000" 0a`, false}} {
		f := decode(t, c, octets(t, tt.bytes), Server)
		if got := c.Message("status").Match(f, nil, nil); got != tt.want {
			t.Errorf("%s is a status: %v", tt.bytes, got)
		}
	}
}

// The fields of a line are its parameters, each in its place.
func TestLineTranscript(t *testing.T) {
	c := bind(t, linesText)
	f := decode(t, c, octets(t, `"@bob: hello" 0a`), Server)
	r := f.Transcript(c.Message("hear"), Server)
	if len(r.Fields) != 2 || r.Fields[0].Name != "user" || r.Fields[0].Start != 1 || r.Fields[0].Size != 3 ||
		r.Fields[1].Value != "hello" || r.Fields[1].Start != 6 {
		t.Errorf("%+v", r.Fields)
	}
	if r = f.Transcript(nil, Server); len(r.Fields) != 1 || r.Fields[0].Name != "text" {
		t.Errorf("without a name: %+v", r.Fields)
	}
}

// A variant names what is different and keeps the rest.
func TestExtends(t *testing.T) {
	open := func(name string) (string, []byte, error) { return name + "/protocol.yaml", []byte(linesText), nil }
	p, err := Load("protocol.yaml", []byte(`
protocol: mine
extends: lines
settings: {end: {default: crlf}}
messages:
  login: {line: 'HELLO {user}'}
  status:
`), open)
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.Bind(nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Encode(c.Message("login"), Args{"user": "bob"}, nil)
	if err != nil || string(b) != "HELLO bob\r\n" || !c.Message("login").First {
		t.Errorf("%q, %v", b, err)
	}
	if c.Message("status") != nil || c.Message("hear") == nil || len(p.Setting("end").OneOf) != 6 || p.Extends != "lines" {
		t.Error("what is taken away stays, or what is not named is lost")
	}
}
