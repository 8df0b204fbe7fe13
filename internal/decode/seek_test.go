package decode_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/chatprobe/chatprobe/internal/decode"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/pcap"
)

// protocolTalk is a talk over one of [protocols], with the first choice of each
// setting.
func protocolTalk(t testing.TB, name string) *talk {
	t.Helper()
	list, err := protocols()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(p *wire.Protocol) bool { return p.Name == name })
	codec, err := list[i].Bind(nil)
	if err != nil {
		t.Fatal(err)
	}
	k := &talk{conns: map[int]*pcap.Conn{}, opened: true}
	k.decoder = decode.New([]*wire.Codec{codec}, 0, func(m *transcript.Decoded) error {
		k.messages = append(k.messages, m)
		return nil
	})
	k.sink = k.decoder.Sink()
	return k
}

// heard are the messages in words: packet, name and bytes, or what is wrong.
func (k *talk) heard() []string {
	var lines []string
	for _, m := range k.messages {
		text := fmt.Sprintf("%d %s %s", m.Packet, m.Name, transcript.Printable(m.Bytes.Head))
		if m.Malformed != "" {
			text = fmt.Sprintf("%d %s: %s", m.Packet, m.Malformed, transcript.Printable(m.Bytes.Head))
		}
		lines = append(lines, text)
	}
	return lines
}

const missing = "(missing)"

// tell plays pieces of what the client says; missing are seven bytes that the
// capture does not have.
func (k *talk) tell(pieces ...string) []string {
	for _, p := range pieces {
		if p == missing {
			k.misses(1, client, 7)
		} else {
			k.says(1, client, p)
		}
	}
	k.ends(1, pcap.Closed)
	return k.heard()
}

func TestReadingGoesOnBehindWhatIsMissing(t *testing.T) {
	a, b, c := big("alice", "one"), big("alice", "two"), big("alice", "three")
	tell := func(user, text string) string {
		return fmt.Sprintf("\x03%c%s\x00%c%s", len(user), user, len(text), text)
	}
	for _, test := range []struct {
		name, protocol string
		pieces, want   []string
	}{
		{"three messages show where one begins", "framed", []string{a, missing, "ter" + a + b, c + a[:7]}, []string{
			`1 say \x00\x05\x00\x00\x00\x03aliceone`, `2 7 bytes are missing here in the capture: `,
			`3 3 bytes skipped before the next message: ter`, `3 say \x00\x05\x00\x00\x00\x03aliceone`,
			`3 say \x00\x05\x00\x00\x00\x03alicetwo`, `4 say \x00\x05\x00\x00\x00\x05alicethree`,
			`5 cut off: 7 of at least 11 bytes came, then the connection was over (closed): \x00\x05\x00\x00\x00\x03a`}},
		{"the end of the stream shows it, too", "framed", []string{missing, "er" + a}, []string{
			`1 7 bytes are missing here in the capture: `, `2 2 bytes skipped before the next message: er`,
			`2 say \x00\x05\x00\x00\x00\x03aliceone`}},
		{"one message in the middle does not", "framed", []string{missing, "er" + a, "junk"}, []string{
			`1 7 bytes are missing here in the capture: `,
			`4 20 bytes skipped, in which no message was found: er\x00\x05\x00\x00\x00\x03aliceonejunk`}},
		{"a gap behind a gap", "framed", []string{missing, "xx", missing, a, b, c}, []string{
			`1 7 bytes are missing here in the capture: `, `3 2 bytes skipped, in which no message was found: xx`,
			`3 7 bytes are missing here in the capture: `, `4 say \x00\x05\x00\x00\x00\x03aliceone`,
			`5 say \x00\x05\x00\x00\x00\x03alicetwo`, `6 say \x00\x05\x00\x00\x00\x05alicethree`}},
		{"nothing skipped", "framed", []string{a[:8], missing, a, b, c}, []string{
			`2 7 bytes are missing here in the capture: \x00\x05\x00\x00\x00\x03al`,
			`3 say \x00\x05\x00\x00\x00\x03aliceone`, `4 say \x00\x05\x00\x00\x00\x03alicetwo`, `5 say \x00\x05\x00\x00\x00\x05alicethree`}},
		{"malformed bytes", "direct", []string{tell("bob", "a") + "\x09\x09", tell("bob", "b"), tell("bob", "c") + tell("bob", "d")}, []string{
			`1 tell \x03\x03bob\x00\x01a`,
			`1 no message begins like this (at byte 0); 2 bytes skipped: \t\t`, `2 tell \x03\x03bob\x00\x01b`,
			`3 tell \x03\x03bob\x00\x01c`, `3 tell \x03\x03bob\x00\x01d`}},
		{"malformed in the middle of a packet", "direct", []string{tell("bob", "a") + "\x09" + tell("bob", "b") + tell("bob", "c") + tell("bob", "d"), tell("bob", "e")}, []string{
			`1 tell \x03\x03bob\x00\x01a`,
			`1 no message begins like this (at byte 0); 1 byte skipped: \t`, `1 tell \x03\x03bob\x00\x01b`,
			`1 tell \x03\x03bob\x00\x01c`, `1 tell \x03\x03bob\x00\x01d`, `2 tell \x03\x03bob\x00\x01e`}},
		{"malformed to the end", "direct", []string{"\x09\x09\x09"}, []string{
			`2 no message begins like this (at byte 0); 3 bytes skipped: \t\t\t`}},
		{"lines go on with the next line", "lines", []string{"REGISTER alice CHAT/1.0\n", missing, "lo you\n@alice", ": hi\n"}, []string{
			`1 login REGISTER alice CHAT/1.0\n`, `2 7 bytes are missing here in the capture: `,
			`3 7 bytes skipped before the next message: lo you\n`, `4 say @alice: hi\n`}},
		{"a whole line behind a gap", "lines", []string{missing, "@alice: hi\n@alice: again\n"}, []string{
			`1 7 bytes are missing here in the capture: `, `2 say @alice: hi\n`, `2 say @alice: again\n`}},
		{"a line in which a gap is", "lines", []string{"@alice: h", missing, "o\n@alice: again\n", "@al"}, []string{
			`2 7 bytes are missing here in the capture: @alice: h`, `3 2 bytes skipped before the next message: o\n`,
			`3 say @alice: again\n`, `5 cut off: 3 of at least 4 bytes came, then the connection was over (closed): @al`}},
		{"no other line", "lines", []string{missing, "the end"}, []string{
			`1 7 bytes are missing here in the capture: `, `3 7 bytes skipped, in which no message was found: the end`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := protocolTalk(t, test.protocol).tell(test.pieces...); !slices.Equal(got, test.want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(test.want, "\n\t"))
			}
		})
	}
}

func TestACaptureThatBeginsInTheMiddle(t *testing.T) {
	stream := big("alice", "somewhere here the capture begins") + big("alice", "one") + big("bob", "two") + big("bob", "three")
	k := protocolTalk(t, "framed")
	k.opened = false
	got := k.tell(stream[25:])
	want := []string{
		`1 19 bytes skipped before the first message:  the capture begins`,
		`1 say \x00\x05\x00\x00\x00\x03aliceone`, `1 say \x00\x03\x00\x00\x00\x03bobtwo`, `1 say \x00\x03\x00\x00\x00\x05bobthree`}
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
	k = protocolTalk(t, "framed")
	k.opened = false // between two messages
	if got := k.tell(big("alice", "one")); !slices.Equal(got, []string{`1 say \x00\x05\x00\x00\x00\x03aliceone`}) {
		t.Errorf("%q", got)
	}
}

// What is found behind a gap, or behind malformed bytes, does not depend on how
// the stream is cut.
func FuzzSeek(f *testing.F) {
	a := big("alice", "hello")
	f.Add([]byte("lo"+a+a+a+a), []byte{3, 20}, true)
	f.Add([]byte("\x09"+strings.Repeat("\x03\x01b\x00\x01t", 5)), []byte{1}, false)
	f.Add([]byte(strings.Repeat("\x00", 40)+a), []byte{9}, true)
	f.Add([]byte("o\n@alice: hi\nREGISTER x\n\n"), []byte{2}, true)
	f.Add([]byte(`: "hi"}{"type":"say","text":"hi"}`+"\n"), []byte{5}, true)
	list, err := protocols()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, stream, cuts []byte, gap bool) {
		stream = stream[:min(len(stream), 600)]
		for _, p := range list {
			if p.Transport == "udp" {
				continue
			}
			play := func(sizes []byte) []string {
				k := protocolTalk(t, p.Name)
				k.opened = gap || len(stream)%2 == 0
				if gap {
					k.misses(1, client, 7)
				}
				rest := stream
				for i := 0; len(rest) > 0; i++ {
					n := len(rest)
					if len(sizes) > 0 {
						n = min(n, int(sizes[i%len(sizes)])+1)
					}
					k.says(1, client, string(rest[:n]))
					rest = rest[n:]
				}
				k.ends(1, pcap.Closed)
				total := 0
				var lines []string
				for _, m := range k.messages {
					total += m.Bytes.Length
					lines = append(lines, fmt.Sprintf("%s %s %x", m.Name, m.Malformed, []byte(m.Bytes.Head)))
				}
				if total != len(stream) {
					t.Fatalf("%s: %q: %d of %d bytes are shown:\n%s", p.Name, stream, total, len(stream), strings.Join(lines, "\n"))
				}
				return lines
			}
			want := play(nil)
			for _, sizes := range [][]byte{cuts, {0}} {
				if got := play(sizes); !slices.Equal(got, want) {
					t.Fatalf("%s: %q in pieces of %v:\n%s\nat once:\n%s", p.Name, stream, sizes, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			}
		}
	})
}

// However much there is that is no message, it takes time in proportion to it,
// and memory not at all. (In proportion to its square this would take hours.)
func TestLongSearches(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 1<<18)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	for _, test := range []struct{ protocol, junk, after string }{
		{"framed", strings.Repeat("nothing but text ", 1<<14), strings.Repeat(big("alice", "back again"), 4)},
		{"framed", strings.Repeat("\x00\x01\x00\x00\x03\xff", 1<<15), strings.Repeat(big("alice", "back again"), 4)},
		{"framed", string(noise), strings.Repeat(big("alice", "back again"), 4)},
		{"direct", string(noise), strings.Repeat("\x03\x03bob\x00\x05hello", 4)},
		{"mixed", strings.Repeat("\x00no end of a text ", 1<<12), strings.Repeat("\x02\x01a\x02bcdone\n", 4)},
		{"digits", string(noise), ""},
		{"jsonlines", string(noise), "\n{\"type\":\"say\",\"text\":\"hi\"}\n"},
	} {
		k, from := protocolTalk(t, test.protocol), test.protocol != "mixed" // what its server says ends with a text
		k.misses(1, from, 1)
		for rest := test.junk; rest != ""; {
			n := min(len(rest), 100)
			k.says(1, from, rest[:n])
			rest = rest[n:]
		}
		k.says(1, from, test.after)
		k.ends(1, pcap.Closed)
		last := k.messages[len(k.messages)-1]
		if test.after != "" && (last.Malformed != "" || last.Bytes.Length == 0) {
			t.Errorf("%s: at last %q", test.protocol, last.Malformed)
		}
		total := 0
		for _, m := range k.messages {
			total += m.Bytes.Length
		}
		if total != len(test.junk)+len(test.after) {
			t.Errorf("%s: %d of %d bytes are shown", test.protocol, total, len(test.junk)+len(test.after))
		}
	}
}

func TestAnyByteOrderBehindAGap(t *testing.T) {
	k := newTalk(t, map[string]string{"byte_order": "little"}, 0)
	k.misses(1, server, 3)
	k.says(1, server, "x"+strings.Repeat(frame(binary.LittleEndian, "bob", "hi"), 3))
	k.want(t, "1/1  3 bytes are missing here in the capture", "1/2  1 byte skipped before the next message",
		"1/2 hear bob: hi", "1/2 hear bob: hi", "1/2 hear bob: hi")
}
