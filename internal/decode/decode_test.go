package decode_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/decode"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/pcap"
)

// framed is the protocol of the framed room, loaded once.
var framed = sync.OnceValues(func() (*wire.Protocol, error) {
	const file = "../../scenarios/framed/protocol.yaml"
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return wire.Load(file, text, nil)
})

func codecs(t testing.TB, given map[string]string) []*wire.Codec {
	t.Helper()
	p, err := framed()
	if err != nil {
		t.Fatal(err)
	}
	list, err := decode.Codecs(p, given)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// A talk is a capture as pcap.Read would hand it out.
type talk struct {
	sink     pcap.Sink
	decoder  *decode.Decoder
	messages []*transcript.Decoded
	conns    map[int]*pcap.Conn
	packet   int
	start    time.Time // zero is that of Unix
	opened   bool      // the capture shows how connections are opened
}

func newTalk(t testing.TB, given map[string]string, port int) *talk {
	k := &talk{conns: map[int]*pcap.Conn{}}
	k.decoder = decode.New(codecs(t, given), port, func(m *transcript.Decoded) error {
		k.messages = append(k.messages, m)
		return nil
	})
	k.sink = k.decoder.Sink()
	return k
}

// source is the next packet of a connection; the server of number n has the
// port 4445, or 4000+n for n > 100.
func (k *talk) source(n int, fromClient bool) pcap.Source {
	c := k.conns[n]
	if c == nil {
		port := uint16(4445)
		if n > 100 {
			port = uint16(4000 + n)
		}
		local := netip.MustParseAddr("127.0.0.1")
		c = &pcap.Conn{ID: n, Client: netip.AddrPortFrom(local, uint16(50000+n)), Server: netip.AddrPortFrom(local, port), Opened: k.opened}
		k.conns[n] = c
	}
	k.packet++
	s := pcap.Source{Conn: c, FromClient: fromClient, From: c.Client, To: c.Server, Packet: k.packet, Time: time.Unix(int64(k.packet), 0)}
	if !k.start.IsZero() {
		s.Time = k.start.Add(time.Duration(k.packet*k.packet) * 1234567)
	}
	if !fromClient {
		s.From, s.To = s.To, s.From
	}
	return s
}

const client, server = true, false

func (k *talk) says(n int, from bool, b string) { k.sink.Data(k.source(n, from), []byte(b)) }
func (k *talk) misses(n int, from bool, b int)  { k.sink.Gap(k.source(n, from), b) }
func (k *talk) ends(n int, how pcap.End) {
	k.sink.End(k.source(n, client), how)
	k.sink.End(k.source(n, server), how)
}

// lines are the messages in words: connection, packet, name and texts.
func (k *talk) lines() []string {
	var lines []string
	for _, m := range k.messages {
		text := m.Malformed
		if text == "" {
			text = fmt.Sprintf("%v: %v", m.Fields[2].Value, m.Fields[3].Value)
		}
		lines = append(lines, fmt.Sprintf("%d/%d %s %s", m.Conn, m.Packet, m.Name, text))
	}
	return lines
}

func (k *talk) want(t *testing.T, want ...string) {
	t.Helper()
	if got := k.lines(); !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func frame(order binary.AppendByteOrder, user, text string) string {
	b := order.AppendUint16(nil, uint16(len(user)))
	b = order.AppendUint32(b, uint32(len(text)))
	return string(b) + user + text
}

func big(user, text string) string    { return frame(binary.BigEndian, user, text) }
func little(user, text string) string { return frame(binary.LittleEndian, user, text) }

func TestByteOrderIsFoundOutForEachConnection(t *testing.T) {
	k := newTalk(t, nil, 0)
	k.says(1, client, big("alice", "")+big("alice", "hello"))
	k.says(2, client, little("bob", ""))
	k.says(1, server, big("bob", "hi"))
	k.says(2, client, little("bob", "hey"))
	k.ends(1, pcap.Closed)
	k.ends(2, pcap.Reset)
	k.want(t, "1/1 login alice: ", "1/1 say alice: hello", "2/2 login bob: ", "1/3 hear bob: hi", "2/4 say bob: hey")
}

func TestByteOrderOfABurst(t *testing.T) {
	// Read in the wrong order, the first header claims 1286 bytes. They are
	// there, so one message comes of it; the right order makes hundreds.
	k := newTalk(t, nil, 0)
	k.says(1, client, little("alice", "")+strings.Repeat(little("alice", "some text"), 200))
	k.ends(1, pcap.Closed)
	if n := len(k.messages); n != 201 {
		t.Fatalf("%d messages", n)
	}
	if m := k.messages[200]; m.Malformed != "" || m.Fields[1].Value != uint64(9) {
		t.Errorf("the last is %+v", m)
	}
}

func TestByteOrderWhenTheFirstMessagesDoNotTell(t *testing.T) {
	k := newTalk(t, nil, 0)
	k.says(1, client, little("", ""))
	k.says(1, server, "\x03\x00")
	if len(k.messages) > 0 {
		t.Error("decided too early")
	}
	k.says(1, client, little("bob", "hey"))
	k.says(1, server, "\x00\x00\x00\x00bob")
	k.ends(1, pcap.Closed)
	k.want(t, "1/1 login : ", "1/3 say bob: hey", "1/4 hear bob: ")

	k = newTalk(t, nil, 0) // nothing ever tells
	k.says(1, client, big("", ""))
	k.ends(1, pcap.Closed)
	k.want(t, "1/1 login : ")

	k = newTalk(t, nil, 0) // very many that do not tell
	for range 1000 {
		k.says(1, client, big("", ""))
	}
	if len(k.messages) != 1000 {
		t.Errorf("%d messages", len(k.messages))
	}
}

func TestAGivenByteOrder(t *testing.T) {
	k := newTalk(t, map[string]string{"byte_order": "big"}, 0)
	k.says(1, client, little("alice", "hello"))
	k.ends(1, pcap.Closed)
	k.want(t, "1/2  cut off: 16 of at least 1286 bytes came, then the connection was over (closed)")
}

func TestAnySegmentation(t *testing.T) {
	stream := big("alice", "") + big("alice", strings.Repeat("long ", 100)) + big("alice", "") + big("alice", "bye")
	var want []string
	for cuts := range 60 {
		r := rand.New(rand.NewPCG(uint64(cuts), 1))
		k := newTalk(t, nil, 0)
		for rest := stream; rest != ""; {
			n := min(1+r.IntN(1+cuts*3), len(rest))
			k.says(1, client, rest[:n])
			rest = rest[n:]
		}
		k.ends(1, pcap.Closed)
		var got []string
		for _, m := range k.messages {
			got = append(got, m.Name+" "+string(m.Bytes.Head))
		}
		if want == nil {
			want = got
		}
		if len(got) != 4 || !slices.Equal(got, want) {
			t.Fatalf("cut %d: %q", cuts, got)
		}
	}
}

func TestGaps(t *testing.T) {
	k := newTalk(t, nil, 0)
	k.says(1, client, big("alice", "")+big("alice", "hello")[:8])
	k.misses(1, client, 4)
	k.says(1, client, "lo"+big("alice", "after"))
	k.says(1, server, big("bob", "hi"))
	k.misses(1, server, 1)
	k.says(1, server, "anything")
	k.misses(1, server, 7)
	k.ends(1, pcap.Closed)
	k.want(t, "1/1 login alice: ",
		"1/2  4 bytes are missing here in the capture",
		"1/3  2 bytes skipped before the next message",
		"1/3 say alice: after",
		"1/4 hear bob: hi",
		"1/5  1 byte is missing here in the capture",
		"1/7  8 bytes skipped, in which no message was found",
		"1/7  7 bytes are missing here in the capture")

	k = newTalk(t, map[string]string{"byte_order": "big"}, 0)
	k.says(1, client, big("alice", "hello, everybody")[:12])
	k.misses(1, client, 4)
	k.ends(1, pcap.Closed)
	k.want(t, "1/2  4 bytes are missing in this message in the capture")
}

func TestAGapBeforeTheByteOrderIsKnown(t *testing.T) {
	k := newTalk(t, nil, 0)
	k.misses(1, client, 11)
	k.says(1, client, big("mallory", "is not decoded"))
	k.says(1, server, little("bob", "hi"))
	k.ends(1, pcap.CaptureUp)
	k.want(t, "1/1  11 bytes are missing here in the capture", "1/3 hear bob: hi",
		"1/4  27 bytes skipped, in which no message was found")
}

func TestCutOff(t *testing.T) {
	k := newTalk(t, nil, 0)
	k.says(1, client, big("alice", "")+big("alice", "hello")[:9])
	k.says(1, server, big("bob", "hi")+"\x00")
	k.says(2, client, big("alice", "")[:3]) // nothing but a piece, to a server that is known by then
	k.ends(2, pcap.Reset)
	k.ends(1, pcap.CaptureUp)
	k.want(t, "1/1 login alice: ", "1/2 hear bob: hi",
		"2/5  cut off: 3 of at least 6 bytes came, then the connection was over (reset)",
		"1/6  cut off: 9 of at least 11 bytes came, then the connection was over (the capture ends)",
		"1/7  cut off: 1 of at least 2 bytes came, then the connection was over (the capture ends)")
	if s := k.decoder.Strangers(); len(s) > 0 {
		t.Errorf("strangers: %q", s)
	}
	for _, m := range k.messages {
		if m.From == "client" != (m.Receiver == "127.0.0.1:4445") {
			t.Errorf("from %s: %s -> %s", m.From, m.Sender, m.Receiver)
		}
	}
}

func TestStrangers(t *testing.T) {
	k := newTalk(t, nil, 0)
	k.says(101, client, "GET / HTTP/1.1\r\n\x1b[2J\r\n")
	k.says(101, server, "HTTP/1.1 200 OK\r\n")
	k.says(1, client, big("alice", ""))
	k.ends(101, pcap.Closed)
	k.ends(102, pcap.Closed) // without a byte: no stranger
	k.ends(1, pcap.Closed)
	k.want(t, "1/3 login alice: ")
	want := []string{`connection 101, 127.0.0.1:50101 -> 127.0.0.1:4101: no message in 39 bytes that begin with "GET / HTTP/1.1\r\n\x1b[2J\r\n"`}
	if got := k.decoder.Strangers(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestManyStrangers(t *testing.T) {
	k := newTalk(t, nil, 0)
	for n := 101; n < 301; n++ {
		k.says(n, client, "x")
		k.ends(n, pcap.Closed)
	}
	s := k.decoder.Strangers()
	if len(s) != 51 || s[50] != "and 150 connections more without a message" {
		t.Errorf("%d strangers, at last %q", len(s), s[len(s)-1])
	}
	if again := k.decoder.Strangers(); len(again) != 51 {
		t.Errorf("%d when asked again", len(again))
	}
}

func TestAStrangerIsGivenUpInTime(t *testing.T) {
	k := newTalk(t, nil, 0)
	flood := strings.Repeat("\xff", 1<<16)
	for range 200 {
		k.says(101, client, flood)
	}
	if len(k.decoder.Strangers()) != 1 {
		t.Error("12 MiB of nonsense are kept")
	}
}

func TestAMessageThatIsTooLong(t *testing.T) {
	k := newTalk(t, map[string]string{"byte_order": "big"}, 0)
	k.says(1, client, "\x00\x05\xff\xff\xff\xff")
	block := strings.Repeat("x", 1<<20)
	for range 20 {
		k.says(1, client, block)
	}
	k.ends(1, pcap.Closed)
	if len(k.messages) != 2 || !strings.Contains(k.messages[0].Malformed, "a message of at least 4294967306 bytes") {
		t.Errorf("%q", k.lines())
	}
}

func TestPort(t *testing.T) {
	k := newTalk(t, nil, 4445)
	if k.sink.ServerPort != 4445 {
		t.Errorf("the hint is %d", k.sink.ServerPort)
	}
	k.says(101, client, big("mallory", "hello"))
	k.says(1, server, big("bob", "hello"))
	k.says(1, client, big("alice", "hello"))
	k.ends(101, pcap.Closed)
	k.ends(1, pcap.Closed)
	k.want(t, "1/2 hear bob: hello", "1/3 say alice: hello")
}

func TestAnErrorOfEmitStops(t *testing.T) {
	stop := errors.New("enough")
	calls := 0
	d := decode.New(codecs(t, nil), 0, func(*transcript.Decoded) error { calls++; return stop })
	k := &talk{sink: d.Sink(), decoder: d, conns: map[int]*pcap.Conn{}}
	k.says(1, client, big("alice", "")+big("alice", "hello"))
	k.says(1, client, big("alice", "hello"))
	k.says(2, client, big("bob", "")[:3])
	k.misses(1, client, 3)
	k.ends(1, pcap.Closed)
	k.ends(2, pcap.Closed)
	if calls != 1 || !errors.Is(d.Err(), stop) || d.Messages != 1 {
		t.Errorf("%d calls, %d messages, %v", calls, d.Messages, d.Err())
	}
}

func TestCodecs(t *testing.T) {
	if n := len(codecs(t, map[string]string{"byte_order": "little"})); n != 1 {
		t.Errorf("%d codecs for one byte order", n)
	}
	if n := len(codecs(t, nil)); n != 2 {
		t.Errorf("%d codecs for two byte orders", n)
	}
	p, err := wire.Load("p", []byte("protocol: p\ntitle: t\ntransport: tcp\nframing: fields\nmessages:\n  m:\n    from: client\n    fields:\n      - {name: a, type: u8}\n"), nil)
	if err != nil {
		t.Skip(err)
	}
	if _, err := decode.Codecs(p, map[string]string{"nonsense": "1"}); err == nil {
		t.Error("a setting that does not exist")
	}
}

// Whatever the bytes are and however they are cut, nothing panics; and without
// gaps each byte is in a message or a remark, or the connection is a stranger.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte(big("alice", "")+little("bob", "hey")), uint64(3), false)
	f.Add([]byte("\x00\x05\xff\xff\xff\xffxxxxxxxxx"), uint64(9), true)
	f.Fuzz(func(t *testing.T, stream []byte, seed uint64, gaps bool) {
		r := rand.New(rand.NewPCG(seed, 2))
		k := newTalk(t, nil, 0)
		for rest := stream; len(rest) > 0; {
			n := min(1+r.IntN(20), len(rest))
			from := r.IntN(2) == 0
			if gaps && r.IntN(20) == 0 {
				k.misses(1, from, n)
			} else {
				k.says(1, from, string(rest[:n]))
			}
			rest = rest[n:]
		}
		k.ends(1, pcap.CaptureUp)
		total := 0
		for _, m := range k.messages {
			total += m.Bytes.Length
		}
		if strangers := len(k.decoder.Strangers()); !gaps && total != len(stream) && (strangers != 1 || total > 0) {
			t.Errorf("%d of %d bytes are shown, %d strangers", total, len(stream), strangers)
		}
	})
}
