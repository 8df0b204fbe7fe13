package dissector_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/golden"
	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/pcap"
	"github.com/chatprobe/chatprobe/scenarios"
)

// protocols are those of testdata, the suites that the tests of scenarios
// have, and those that are built in.
func protocols(t *testing.T) map[string]*wire.Protocol {
	t.Helper()
	all := map[string]*wire.Protocol{}
	for _, file := range golden.Glob(t, "testdata/*.yaml") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p, err := wire.Load(file, data, nil)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".yaml")] = p
	}
	suites := os.DirFS("../../scenarios/testdata/suites")
	for _, name := range []string{"digits", "irc", "jsonlines", "words"} {
		s, err := scenario.Load(suites, name, scenarios.Files)
		if err != nil {
			t.Fatal(err)
		}
		all["suite-"+name] = s.Protocol
	}
	for _, name := range scenarios.Names() {
		all[name] = builtin(t, name)
	}
	return all
}

// A speaker makes up what the sides of a protocol say.
type speaker struct {
	*rand.Rand
	codec *wire.Codec
}

var values = []string{
	"alice", "bob", "x", "", "two words", "bob has left", "é", "тЁма", "日本", "a\x00b", "\xff\xfe", "says: no", "<x> y", `q"u\o`,
	"@alice: hi", "200 ok", "1", "65535", "18446744073709551615", "bye", "FROM bob", "\x01", "line\nbreak", "€", "odd \"name\"",
	strings.Repeat("long ", 60), "127.0.0.1", "bob GONE.", "note",
}

func (s *speaker) value() string {
	v := values[s.IntN(len(values))]
	if s.IntN(4) == 0 {
		v += " " + values[s.IntN(len(values))]
	}
	return v
}

// message is the bytes of a message of a side, or of something like it.
func (s *speaker) message(from wire.Side) []byte {
	var candidates []*wire.Message
	for _, m := range s.codec.Messages() {
		if m.From == from && m.CanSend() == nil {
			candidates = append(candidates, m)
		}
	}
	for range 50 {
		m := candidates[s.IntN(len(candidates))]
		args := wire.Args{}
		for _, param := range m.Params() {
			args[param] = s.value()
			switch f := fieldNamed(m, param); {
			case m.IsList(param):
				args[param] = s.values()
			case f != nil && f.Type == wire.IP && f.Size == 16:
				args[param] = "2001:db8::7"
			case f != nil && f.Type == wire.IP:
				args[param] = "192.0.2.7"
			case f != nil && f.Type < wire.IP:
				args[param] = fmt.Sprint(s.Uint64() >> s.IntN(64))
			case m.TakesAny(param) && s.IntN(3) == 0:
				args[param] = wire.Raw(`{"b":[1,"<x>"],"a":null}`)
			case m.TakesAny(param) && s.IntN(3) == 0:
				args[param] = s.values()
			}
		}
		if b, err := s.codec.Encode(m, args, nil); err == nil {
			return s.damaged(b)
		}
	}
	return []byte("nothing that can be said")
}

func (s *speaker) values() []any {
	list := []any{}
	for range s.IntN(4) {
		list = append(list, s.value())
	}
	return list
}

// damaged is a message, now and then with a wrong byte.
func (s *speaker) damaged(b []byte) []byte {
	if len(b) > 0 && s.IntN(25) == 0 {
		b[s.IntN(len(b))] ^= byte(1 << s.IntN(8))
	}
	return b
}

func fieldNamed(m *wire.Message, name string) *wire.Field {
	i := slices.IndexFunc(m.Shape.Fields, func(f *wire.Field) bool { return f.Name == name })
	if i < 0 {
		return nil
	}
	return m.Shape.Fields[i]
}

// capture is a capture of some conversations that the speaker makes up: over
// TCP cut anywhere.
func (s *speaker) capture(t *testing.T, port int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := pcap.NewWriter(&b)
	now := time.Unix(1_700_000_000, 0)
	server := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port))
	for i := range 40 {
		client := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), uint16(20000+i))
		if s.codec.Protocol.Transport == "udp" {
			w.Datagram(now, client, server, s.message(wire.Client))
			for range s.IntN(12) {
				now = now.Add(time.Millisecond)
				if s.IntN(2) == 0 {
					w.Datagram(now, client, server, s.message(wire.Client))
				} else {
					w.Datagram(now, server, client, s.message(wire.Server))
				}
			}
			continue
		}
		r := w.Open(now, client, server)
		for range 1 + s.IntN(6) {
			from := wire.Client
			if s.IntN(2) == 0 {
				from = wire.Server
			}
			var said []byte
			for range 1 + s.IntN(5) {
				said = append(said, s.message(from)...)
			}
			for len(said) > 0 {
				now = now.Add(time.Millisecond)
				n := 1 + s.IntN(min(len(said), 1+s.IntN(400)))
				r.Data(now, from == wire.Client, said[:n])
				said = said[n:]
			}
		}
		r.Close(now, true)
		r.Close(now, false)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestEveryProtocolIsReadAlikeWhateverIsSaid(t *testing.T) {
	needTshark(t)
	if testing.Short() {
		t.Skip("SKIPPED: half a second for each of many protocols")
	}
	for name, p := range protocols(t) {
		t.Run(name, func(t *testing.T) {
			for i, settings := range p.Guesses(p.Defaults()) {
				codec, err := p.Bind(settings)
				if err != nil {
					t.Fatal(err)
				}
				s := &speaker{rand.New(rand.NewPCG(uint64(i), 7)), codec}
				port := 4000
				if p.Port > 0 {
					port = p.Port
				}
				file := filepath.Join(t.TempDir(), "made.pcap")
				if err := os.WriteFile(file, s.capture(t, port), 0o600); err != nil {
					t.Fatal(err)
				}
				if n := agree(t, file, p, settings); n < 20 {
					t.Errorf("only %d messages were compared", n)
				}
			}
		})
	}
}
