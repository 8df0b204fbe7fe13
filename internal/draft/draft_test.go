package draft_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/chatprobe/chatprobe/internal/decode"
	"github.com/chatprobe/chatprobe/internal/draft"
	"github.com/chatprobe/chatprobe/internal/golden"
	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/pcap"
	"github.com/chatprobe/chatprobe/scenarios"
)

// A tape is a capture that is being made.
type tape struct {
	file  bytes.Buffer
	w     *pcap.Writer
	now   time.Time
	lines map[int]*pcap.Recording
}

func newTape() *tape {
	k := &tape{now: time.Unix(1_700_000_000, 0), lines: map[int]*pcap.Recording{}}
	k.w = pcap.NewWriter(&k.file)
	return k
}

func (k *tape) at() time.Time {
	k.now = k.now.Add(time.Millisecond)
	return k.now
}

func (k *tape) waits(d time.Duration) { k.now = k.now.Add(d) }

var (
	loopback = netip.MustParseAddr("127.0.0.1")
	server   = netip.AddrPortFrom(loopback, 4445)
)

func end(port int) netip.AddrPort { return netip.AddrPortFrom(loopback, uint16(port)) }

func (k *tape) opens(ports ...int) {
	for _, port := range ports {
		k.lines[port] = k.w.Open(k.at(), end(port), server)
	}
}

// says has the client at a port say each text in a segment of its own.
func (k *tape) says(port int, texts ...string) {
	for _, text := range texts {
		k.lines[port].Data(k.at(), true, []byte(text))
	}
}

// hears has all these clients hear a text.
func (k *tape) hears(text string, ports ...int) {
	for _, port := range ports {
		k.lines[port].Data(k.at(), false, []byte(text))
	}
}

func (k *tape) closes(port int) {
	k.lines[port].Close(k.at(), true)
	k.lines[port].Close(k.at(), false)
}

func (k *tape) resets(port int) { k.lines[port].Reset(k.at(), true) }

func (k *tape) cutsOff(port int) {
	k.lines[port].Close(k.at(), false)
	k.lines[port].Close(k.at(), true)
}

func frame(user, text string) string {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(user)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
	return string(b) + user + text
}

// suites are all built-in ones.
func suites(t testing.TB) []*scenario.Suite {
	t.Helper()
	var list []*scenario.Suite
	for _, name := range scenarios.Names() {
		s, err := scenario.Load(scenarios.Files, name, scenarios.Files)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	return list
}

// write makes a scenario of a capture.
func write(t testing.TB, file string, capture []byte) (string, error) {
	t.Helper()
	all := suites(t)
	var codecs []*wire.Codec
	for _, s := range all {
		list, err := decode.Codecs(s.Protocol, nil)
		if err != nil {
			t.Fatal(err)
		}
		codecs = append(codecs, list...)
	}
	c := draft.New(codecs, 0)
	if _, err := pcap.Read(bytes.NewReader(capture), c.Sink()); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err := c.Write(&out, all, draft.About{File: file})
	return out.String(), err
}

// load reads a scenario file as a part of a suite, and fails the test where it
// is wrong.
func load(t testing.TB, suite, text string) *scenario.Suite {
	t.Helper()
	fsys := fstest.MapFS{
		"mine/protocol.yaml": {Data: []byte("protocol: mine\nextends: " + suite + "\n")},
		"mine/captured.yaml": {Data: []byte(text)},
	}
	s, err := scenario.Load(fs.FS(fsys), "mine", scenarios.Files)
	if err != nil {
		t.Fatalf("%v\nin\n%s", err, text)
	}
	return s
}

const alice, bob, carol, dave = 50001, 50002, 50003, 50004

// room is a tape on which alice and bob have logged in.
func room() *tape {
	k := newTape()
	k.opens(alice)
	k.says(alice, frame("alice", ""))
	k.waits(time.Second)
	k.opens(bob)
	k.says(bob, frame("bob", ""))
	k.hears(frame("server", "bob has joined"), alice)
	k.waits(time.Second)
	return k
}

func TestScenarios(t *testing.T) {
	for _, test := range []struct {
		name  string
		suite string
		tape  func(k *tape)
	}{
		{"chat", "framed", func(k *tape) {
			k.says(alice, frame("alice", "hello bob"))
			k.hears(frame("alice", "hello bob"), bob)
			k.says(bob, frame("bob", "hello: yourself"))
			k.hears(frame("bob", "hello: yourself"), alice)
			k.waits(time.Second)
			k.closes(bob)
			k.hears(frame("server", "bob has left"), alice)
			k.waits(time.Second)
			k.closes(alice)
		}},
		{"newcomers", "framed", func(k *tape) {
			k.opens(carol)
			k.waits(time.Second)
			k.says(carol, frame("carol", ""))
			k.hears(frame("server", "carol has joined"), alice, bob)
			k.says(carol, frame("carol", "I am carol"))
			k.hears(frame("carol", "I am carol"), alice, bob)
			k.resets(carol)
			k.hears(frame("server", "carol has left"), alice, bob)
			k.lines[dave] = k.w.Open(k.at(), end(dave), server)
			k.says(dave, frame("carol", ""))
			k.hears(frame("server", "carol has joined"), alice, bob)
			k.says(dave, frame("carol", "again"))
			k.hears(frame("carol", "again"), alice, bob)
			k.waits(time.Second)
		}},
		{"pieces", "framed", func(k *tape) {
			text := frame("alice", "in pieces")
			k.says(alice, text[:3], text[3:9], text[9:])
			k.hears(frame("alice", "in pieces"), bob)
			text = frame("alice", "even")
			k.says(alice, text[:5], text[5:10], text[10:])
			k.hears(frame("alice", "even"), bob)
			k.says(alice, frame("alice", "one")+frame("alice", "two"))
			k.hears(frame("alice", "one")+frame("alice", "two"), bob)
			text = frame("alice", "and half")
			k.says(alice, text[:8])
			k.says(bob, frame("bob", "meanwhile"))
			k.hears(frame("bob", "meanwhile"), alice)
			k.says(alice, text[8:])
			k.hears(frame("alice", "and half"), bob)
			k.says(alice, text[:9])
			k.resets(alice)
		}},
		{"refused", "framed", func(k *tape) {
			k.opens(carol)
			k.says(carol, frame("alice", ""))
			k.hears(frame("server", "this name is taken"), carol)
			k.cutsOff(carol)
			k.opens(dave)
			k.says(dave, "GET / HTTP/1.1\r\n\r\n")
			k.cutsOff(dave)
			k.says(alice, frame("alice", "still here"))
			k.hears(frame("alice", "still here"), bob)
			k.waits(time.Second)
		}},
		{"hostile-names", "framed", func(k *tape) {
			k.opens(carol, dave)
			k.says(carol, frame("Big Carol: {a, b}", ""))
			k.says(dave, frame("\xff\x00", ""))
			k.says(carol, frame("Big Carol: {a, b}", "I am $alice, not 'bob'"))
			k.hears(frame("Big Carol: {a, b}", "I am $alice, not 'bob'"), alice, bob, dave)
			k.says(dave, frame("\xff\x00", "\xfe \x1b[31m\n"))
			k.hears(frame("\xff\x00", "\xfe \x1b[31m\n"), alice, bob, carol)
			k.opens(50005)
			k.says(50005, frame("", ""))
			k.opens(50006)
			k.says(50006, frame("zwtnss", ""))
			k.says(50006, frame("zwtnss", "yes"))
			k.hears(frame("zwtnss", "yes"), alice, bob, carol, dave)
			k.waits(time.Second)
		}},
		{"what-changes", "framed", func(k *tape) {
			k.says(bob, frame("bob", "what time is it?"))
			k.hears(frame("bob", "what time is it?"), alice)
			k.hears(frame("server", "it is 12:30"), alice, bob)
			k.hears(frame("server", "here are alice and bob"), alice, bob)
			k.says(alice, frame("alice", "at 12:30 then"))
			k.hears(frame("alice", "at 12:30 then"), bob)
			k.hears(frame("server", fmt.Sprintf("said from 127.0.0.1:%d", alice)), bob)
			k.waits(time.Second)
		}},
		{"long-texts", "framed", func(k *tape) {
			for _, text := range []string{strings.Repeat("ab", 40_000), strings.Repeat("every day the same ", 7) + "but today", strings.Repeat("é\n", 99) + "."} {
				k.says(alice, frame("alice", text))
				k.hears(frame("alice", text), bob)
			}
			k.waits(time.Second)
		}},
		{"shutdown", "framed", func(k *tape) {
			k.says(alice, frame("alice", "bye"))
			k.hears(frame("alice", "bye"), bob)
			k.waits(time.Second)
			k.cutsOff(alice)
			k.cutsOff(bob)
		}},
		{"half-close", "framed", func(k *tape) {
			k.lines[alice].Close(k.at(), true)
			k.says(bob, frame("bob", "are you there"))
			k.hears(frame("bob", "are you there"), alice)
			k.lines[alice].Close(k.at(), false)
			k.waits(time.Second)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			k := room()
			test.tape(k)
			got, err := write(t, "chat.pcap", k.capture(t))
			if err != nil {
				t.Fatal(err)
			}
			golden.Check(t, filepath.Join("testdata", test.name+".yaml"), got)
			load(t, test.suite, got)
		})
	}
}

// capture is the file of a tape.
func (k *tape) capture(t testing.TB) []byte {
	t.Helper()
	if err := k.w.Flush(); err != nil {
		t.Fatal(err)
	}
	return k.file.Bytes()
}

func TestCaptureThatBeginsInTheMiddle(t *testing.T) {
	k := room()
	k.says(alice, frame("alice", "before")+frame("alice", "cut here")[:5])
	head := len(k.capture(t))
	k.says(alice, frame("alice", "cut here")[5:])
	k.hears(frame("alice", "before")+frame("alice", "cut here"), bob)
	k.says(alice, frame("alice", "one"))
	k.hears(frame("alice", "one"), bob)
	k.says(bob, frame("bob", "two"))
	k.hears(frame("bob", "two")+frame("dave", "who is this"), alice)
	k.says(alice, frame("alice", "three"), frame("alice", "four"), frame("alice", "five"))
	k.hears(frame("alice", "three")+frame("alice", "four")+frame("alice", "five"), bob)
	k.waits(time.Second)
	all := k.capture(t)
	const fileHeader = 24
	got, err := write(t, "chat.pcap", append(bytes.Clone(all[:fileHeader]), all[head:]...))
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, filepath.Join("testdata", "middle.yaml"), got)
	load(t, "framed", got)
}

// holds looks for pieces in the scenario that a recording of framed makes.
func holds(t *testing.T, k *tape, pieces ...string) {
	t.Helper()
	got, err := write(t, "chat.pcap", k.capture(t))
	if err != nil {
		t.Fatal(err)
	}
	load(t, "framed", got)
	for _, want := range pieces {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

// Two who log in one right after the other into an empty room settle with each
// other, and neither is first: what the first hears of the second would be luck.
func TestFirstInTheRoomIsThereBeforeTheSecond(t *testing.T) {
	const withBlank = "f g" // no name for clients:
	k := newTape()
	k.opens(alice)
	k.says(alice, frame(withBlank, ""))
	k.waits(time.Second)
	k.opens(bob)
	k.says(bob, frame("bob", ""))
	k.hears(frame("server", "bob has joined"), alice)
	k.waits(time.Second)
	k.closes(alice)
	k.hears(frame("server", withBlank+" has left"), bob)
	k.closes(bob)
	k.waits(time.Second)
	k.opens(carol)
	k.says(carol, frame("carol", ""))
	k.waits(time.Second)
	k.opens(dave)
	k.says(dave, frame("dave", ""))
	k.hears(frame("server", "dave has joined"), carol)
	k.waits(time.Second)
	holds(t, k,
		"      - alice does: login\n        as: f g\n      - alice stays connected:\n      - bob does: login\n",
		"      - carol does: login\n      - carol stays connected:\n      - dave does: login\n")
}

func TestWhoMissesBytesInTheCaptureClaimsNothing(t *testing.T) {
	k := room()
	k.opens(carol)
	k.says(carol, frame("carol", ""))
	k.hears(frame("server", "carol has joined"), alice, bob)
	text := frame("alice", "one")
	k.says(alice, text)
	k.hears(text, carol)
	k.lines[bob].Cut(k.at(), false, int64(len(text)))
	k.waits(time.Second)
	k.closes(carol)
	holds(t, k,
		"# Some of what bob received is missing in the capture. What came behind that is left out.\n",
		"- carol receives: {hear: {user: $alice, text: one}}\n",
		"- alice, carol receive no: {hear: {user: $alice}}\n")
}

func TestWhoCameWhileSomethingWasSaidNeedNotMissIt(t *testing.T) {
	k := room()
	k.opens(carol)
	k.says(carol, frame("carol", ""))
	k.says(alice, frame("alice", "one"))
	k.hears(frame("alice", "one"), bob) // the server had not yet dealt with carol
	k.hears(frame("server", "carol has joined"), alice, bob)
	k.waits(time.Second)
	k.says(bob, frame("bob", "two"))
	k.hears(frame("bob", "two"), alice, carol)
	k.waits(time.Second)
	k.closes(carol)
	holds(t, k,
		"- alice, bob receive no: {hear: {user: $alice}}\n",
		"- alice, bob, carol receive no: {hear: {user: $bob}}\n")
}

func TestDatagrams(t *testing.T) {
	k := newTape()
	say := func(from int, text string) { k.w.Datagram(k.at(), end(from), server, []byte(text)) }
	hear := func(text string, ports ...int) {
		for _, port := range ports {
			k.w.Datagram(k.at(), server, end(port), []byte(text))
		}
	}
	say(alice, "GREETING")
	say(bob, "GREETING")
	say(alice, "MESSAGE hello")
	hear(fmt.Sprintf("INCOMING 127.0.0.1 %d hello", alice), alice, bob)
	say(carol, "MESSAGE I never greeted")
	say(carol, "\x00\x01")
	say(bob, "MESSAGE bye")
	hear(fmt.Sprintf("INCOMING 127.0.0.1 %d bye", bob), alice, bob)
	k.waits(time.Second)
	say(alice, "GREETING")
	got, err := write(t, "chat.pcap", k.capture(t))
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, filepath.Join("testdata", "datagrams.yaml"), got)
	load(t, "datagram", got)
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name string
		tape func() *tape
		want string
	}{
		{"nothing", newTape, "no message is in the capture"},
		{"only logins", room, "do nothing but log in"},
		{"two servers", func() *tape {
			k := room()
			k.lines[dave] = k.w.Open(k.at(), end(dave), end(5000))
			k.says(dave, frame("dave", ""), frame("dave", "elsewhere"))
			return k
		}, "servers on ports 4445 and 5000"},
		{"a client's bytes are missing", func() *tape {
			k := room()
			k.says(alice, frame("alice", "one"))
			k.hears(frame("alice", "one"), bob)
			k.lines[alice].Cut(k.at(), true, 20)
			k.hears(frame("alice", "what was this?"), bob)
			return k
		}, "bytes of 127.0.0.1:50001 are missing in the capture (20)"},
		{"too long", func() *tape {
			k := room()
			for range 3000 {
				k.says(alice, frame("alice", "x"))
				k.hears(frame("alice", "x"), bob)
			}
			return k
		}, "2000 are the most"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := write(t, "chat.pcap", test.tape().capture(t))
			var refused *draft.RefusedError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
