package decode_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/decode"
	"github.com/chatprobe/chatprobe/internal/report"
	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/pcap"
	"github.com/chatprobe/chatprobe/scenarios"
)

// protocols are all that laws are tried on: those that are built in, and those
// of the tests.
var protocols = sync.OnceValues(func() ([]*wire.Protocol, error) {
	var list []*wire.Protocol
	add := func(dir string, names []string) error {
		for _, name := range names {
			s, err := scenario.Load(os.DirFS(dir), name, scenarios.Files)
			if err != nil {
				return err
			}
			list = append(list, s.Protocol)
		}
		return nil
	}
	err := add("../../scenarios", scenarios.Names())
	if err == nil {
		err = add("../../scenarios/testdata/suites", []string{"digits", "irc", "jsonlines", "words"})
	}
	for _, text := range []string{latinText, mixedText} {
		p, loadErr := wire.Load("p", []byte(text), nil)
		err = errors.Join(err, loadErr)
		list = append(list, p)
	}
	return list, err
})

const latinText = `
protocol: latin
title: t
transport: tcp
encoding: latin-1
framing: {length: u16}
messages:
  hi: {from: client, text: 'HI {user}'}
  any: {from: server, text: '{text...}'}
`

const mixedText = `
protocol: mixed
title: t
transport: tcp
framing: fields
messages:
  numbers:
    from: client
    fields:
      - {name: Kind, type: u8, enum: {one: 1, "a\nb": 2, "(x\"": 3}}
      - {name: Far, type: u64, order: little}
      - {name: Var, type: varint}
      - {name: Address, type: ip}
      - {name: Raw, type: bytes, size: 3}
  notes:
    from: server
    fields:
      - {name: Count, type: u8}
      - {repeat: Count, name: notes, fields: [{name: N, type: u8}, {name: note, type: text, size: N}]}
      - {name: end, type: text, terminator: "\n"}
`

// both decodes the same stream in two ways: each message is made into a line by
// report.AppendText, or the decoder writes the lines itself.
func both(t testing.TB, codecs []*wire.Codec, play func(sink pcap.Sink)) (slow, quick string) {
	t.Helper()
	var a, b bytes.Buffer
	out, err := report.View{}.Messages(&a, "text")
	if err != nil {
		t.Fatal(err)
	}
	d := decode.New(codecs, 0, out.Add)
	play(d.Sink())
	e := decode.NewText(codecs, 0, &b)
	play(e.Sink())
	if err := errors.Join(d.Err(), out.Close(), e.Flush()); err != nil {
		t.Fatal(err)
	}
	if d.Messages != e.Messages {
		t.Errorf("%d messages, and %d as text", d.Messages, e.Messages)
	}
	return a.String(), b.String()
}

func TestTextIsWhatTheReportWrites(t *testing.T) {
	files, err := filepath.Glob("../../pcap/testdata/*.pcap*")
	more, moreErr := filepath.Glob("../../pcap/testdata/chat/*.pcap*")
	if files = append(files, more...); err != nil || moreErr != nil || len(files) < 10 {
		t.Fatal(files, err, moreErr)
	}
	list, err := protocols()
	if err != nil {
		t.Fatal(err)
	}
	var codecs []*wire.Codec
	for _, p := range list[:len(scenarios.Names())] {
		more, err := decode.Codecs(p, nil)
		if err != nil {
			t.Fatal(err)
		}
		codecs = append(codecs, more...)
	}
	lines := 0
	for _, file := range files {
		capture, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		slow, quick := both(t, codecs, func(sink pcap.Sink) {
			// What is damaged is read as far as it goes.
			_, _ = pcap.Read(bytes.NewReader(capture), sink)
		})
		if slow != quick {
			t.Errorf("%s:\n%s\nas text:\n%s", file, slow, quick)
		}
		lines += strings.Count(slow, "\n")
	}
	if lines < 100 {
		t.Errorf("only %d messages in all captures", lines)
	}
}

// Whatever the bytes are, the lines are the same in both ways, for each
// protocol, and however the stream is cut; and no line has a control character.
func FuzzText(f *testing.F) {
	for _, s := range []string{
		big("alice", "") + big("alice", "hello \"you\" \\") + big("bob", "größe\x1b[2J\r\n") + big("b", strings.Repeat("ü", 150)),
		"REGISTER alice CHAT/1.0\n@alice: hi\n200 OK\n\xff\n\n", "\x01\x02hi\x02\x03\x02to\x00\x04text\x04", "\x05\x00\x02\x01a\x02bc\x06\x01\x07\x01a\x00\x01b",
		"GREETING", "MESSAGE hello", "INCOMING 127.0.0.1 5000 hello", "NICK a\r\nUSER a 0 * :a\r\nJOIN #chat\r\n:s 001 a :hi\r\n",
		`{"type":"say","text":"hi"}` + "\n", "\x00\x05HI \xe4\xf6\x00\x01x", "\x01\x01\x02\x03\x04\x05\x06\x07\x08\x81\x01\x7f\x00\x00\x01abc",
		"\x02aaaaaaaa\x01\x01\x01\x01\x01abc\x03aaaaaaaa\x01\x01\x01\x01\x01abc", "\x02\x01a\x02bcdone\n",
	} {
		f.Add([]byte(s), uint64(1), int64(1500))
	}
	list, err := protocols()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, stream []byte, seed uint64, us int64) {
		stream = stream[:min(len(stream), 2000)]
		for _, p := range list {
			codecs, err := decode.Codecs(p, nil)
			if err != nil {
				t.Fatal(err)
			}
			slow, quick := both(t, codecs, func(sink pcap.Sink) {
				r := rand.New(rand.NewPCG(seed, 3))
				k := &talk{sink: sink, conns: map[int]*pcap.Conn{}, start: time.UnixMicro(us)}
				k.scatter(stream, r, p.Transport == "udp")
			})
			if slow != quick {
				t.Fatalf("%s: %q:\n%s\nas text:\n%s", p.Name, stream, slow, quick)
			}
			if i := strings.IndexFunc(strings.ReplaceAll(quick, "\n", ""), func(r rune) bool { return r < ' ' || r == 0x7f }); i >= 0 {
				t.Fatalf("%s: %q: a control character:\n%q", p.Name, stream, quick)
			}
		}
	})
}

// scatter says a stream in pieces of any size, by both sides of two
// connections in turn, now and then with a gap.
func (k *talk) scatter(stream []byte, r *rand.Rand, datagrams bool) {
	for rest := stream; len(rest) > 0; {
		n := min(1+r.IntN(60), len(rest))
		s := k.source(1+r.IntN(2), r.IntN(3) > 0)
		switch {
		case datagrams:
			s.Conn = nil
			k.sink.Datagram(s, rest[:n])
		case r.IntN(30) == 0:
			k.sink.Gap(s, n)
		default:
			k.sink.Data(s, rest[:n])
		}
		rest = rest[n:]
	}
	if !datagrams {
		k.ends(1, pcap.Closed)
		k.ends(2, pcap.CaptureUp)
	}
}

// A broken writer is written to once.
type broken int

func (b *broken) Write([]byte) (int, error) { *b++; return 0, errors.New("disk full") }

func TestTextStopsAtTheFirstErrorOfAWrite(t *testing.T) {
	var w broken
	d := decode.NewText(codecs(t, nil), 0, &w)
	k := &talk{sink: d.Sink(), conns: map[int]*pcap.Conn{}}
	for range 10_000 {
		k.says(1, client, big("alice", "hello"))
	}
	k.ends(1, pcap.Closed)
	if err := d.Flush(); err == nil || err.Error() != "disk full" || w != 1 || d.Err() == nil {
		t.Errorf("%v after %d writes", err, w)
	}
}

func TestTextIsThereWhenNothingMoreComes(t *testing.T) {
	var w bytes.Buffer
	d := decode.NewText(codecs(t, nil), 0, &w)
	k := &talk{sink: d.Sink(), conns: map[int]*pcap.Conn{}}
	k.says(1, client, big("alice", ""))
	k.misses(1, client, 5) // that keeps back what comes later
	k.says(1, server, big("bob", "hi"))
	k.sink.Wait()
	want := "1 0.000000 127.0.0.1:50001 127.0.0.1:4445 login UNameL=5 MessageL=0 Username=\"alice\" Message=\"\"\n" +
		"2 1.000000 127.0.0.1:50001 127.0.0.1:4445 malformed! reason=\"5 bytes are missing here in the capture\" length=0 bytes=\n" +
		"3 2.000000 127.0.0.1:4445 127.0.0.1:50001 hear UNameL=3 MessageL=2 Username=\"bob\" Message=\"hi\"\n"
	if got := w.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestBehindIsTheSame(t *testing.T) {
	play := func(behind bool) []string {
		var calls []string
		say := func(what string, s pcap.Source, rest ...any) {
			calls = append(calls, fmt.Sprint(what, s.Packet, s.FromClient, s.Cut, rest))
		}
		sink := pcap.Sink{
			Data:       func(s pcap.Source, b []byte) { say("data", s, string(b)) },
			Gap:        func(s pcap.Source, n int) { say("gap", s, n) },
			End:        func(s pcap.Source, how pcap.End) { say("end", s, how) },
			Datagram:   func(s pcap.Source, b []byte) { say("datagram", s, string(b)) },
			Wait:       func() { calls = append(calls, "wait") },
			ServerPort: 7,
		}
		done := func() {}
		if behind {
			sink, done = decode.Behind(sink)
		}
		if sink.ServerPort != 7 {
			t.Error("the port is lost")
		}
		r := rand.New(rand.NewPCG(1, 1))
		k := &talk{sink: sink, conns: map[int]*pcap.Conn{}}
		buf := make([]byte, 100_000)
		for i := range 5000 {
			b := buf[:r.IntN(1000)]
			if i%1000 == 0 {
				b = buf
			}
			for j := range b {
				b[j] = byte(i)
			}
			k.scatter(b[:min(len(b), 50)], r, i%2 == 0)
			sink.Data(k.source(3, client), b)
			if i%100 == 0 {
				sink.Wait()
			}
		}
		done()
		return calls
	}
	want, got := play(false), play(true)
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Fatalf("call %d of %d is not %.200s", i, len(got), want[i])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d calls and not %d", len(got), len(want))
	}
}
