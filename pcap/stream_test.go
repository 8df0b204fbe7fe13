package pcap

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
)

// opened is the handshake of a connection whose numbers begin at 100 and 900.
var opened = []seg{
	{from: ">", flags: "S", seq: 99},
	{from: "<", flags: "S", seq: 899, ack: 100},
	{from: ">", seq: 100, ack: 900},
}

const up = "|the capture ends"

func TestStreams(t *testing.T) {
	tests := []struct {
		name string
		segs []seg // after opened
		want map[string]string
		stat Stats // Repeated, Conflict and Missing
	}{{
		name: "in order",
		segs: []seg{
			{from: ">", seq: 100, data: "hello "}, {from: "<", seq: 900, ack: 106, data: "welcome"}, {from: ">", seq: 106, data: "world"},
			{from: ">", flags: "F", seq: 111}, {from: "<", flags: "F", seq: 907, ack: 112}, {from: ">", seq: 112, ack: 908},
		},
		want: map[string]string{"1>": "hello world|closed", "1<": "welcome|closed"},
	}, {
		name: "out of order",
		segs: []seg{{from: ">", seq: 103, data: "d"}, {from: ">", seq: 101, data: "bc"}, {from: ">", seq: 104, data: "e"}, {from: ">", seq: 100, data: "a"}},
		want: map[string]string{"1>": "abcde" + up, "1<": up},
	}, {
		name: "sent twice",
		segs: []seg{{from: ">", seq: 100, data: "abc"}, {from: ">", seq: 100, data: "abc"}, {from: ">", seq: 103, data: "d"}},
		want: map[string]string{"1>": "abcd" + up, "1<": up},
		stat: Stats{Repeated: 1},
	}, {
		name: "sent again with other contents",
		segs: []seg{{from: ">", seq: 100, data: "abc"}, {from: ">", seq: 100, data: "aXc"}, {from: ">", seq: 102, data: "Cd"}},
		want: map[string]string{"1>": "abcd" + up, "1<": up},
		stat: Stats{Repeated: 1, Conflict: 2},
	}, {
		name: "sent again with other contents while it waits",
		segs: []seg{{from: ">", seq: 103, data: "def"}, {from: ">", seq: 104, data: "XXg"}, {from: ">", seq: 100, data: "abcY"}},
		want: map[string]string{"1>": "abcdefg" + up, "1<": up},
		stat: Stats{Conflict: 2},
	}, {
		name: "sent twice while it waits",
		segs: []seg{{from: ">", seq: 103, data: "def"}, {from: ">", seq: 103, data: "def"}, {from: ">", seq: 104, data: "e"}, {from: ">", seq: 100, data: "abc"}},
		want: map[string]string{"1>": "abcdef" + up, "1<": up},
		stat: Stats{Repeated: 2},
	}, {
		name: "overlaps",
		segs: []seg{{from: ">", seq: 100, data: "abc"}, {from: ">", seq: 101, data: "bcde"}, {from: ">", seq: 103, data: "def"}},
		want: map[string]string{"1>": "abcdef" + up, "1<": up},
	}, {
		name: "one segment over several that wait",
		segs: []seg{{from: ">", seq: 102, data: "c"}, {from: ">", seq: 105, data: "f"}, {from: ">", seq: 101, data: "bcdefgh"}, {from: ">", seq: 100, data: "abcdefghi"}},
		want: map[string]string{"1>": "abcdefghi" + up, "1<": up},
	}, {
		name: "lost in the capture",
		segs: []seg{{from: ">", seq: 100, data: "abc"}, {from: ">", seq: 105, data: "fg"}, {from: "<", seq: 900, ack: 107, data: "ok"}},
		want: map[string]string{"1>": "abc[2 missing]fg" + up, "1<": "ok" + up},
		stat: Stats{Missing: 2},
	}, {
		name: "the last bytes lost in the capture",
		segs: []seg{{from: ">", seq: 100, data: "abc"}, {from: "<", seq: 900, ack: 105, data: "ok"}},
		want: map[string]string{"1>": "abc[2 missing]" + up, "1<": "ok" + up},
		stat: Stats{Missing: 2},
	}, {
		name: "the last bytes before FIN lost",
		segs: []seg{{from: ">", seq: 100, data: "abc"}, {from: ">", flags: "F", seq: 105}},
		want: map[string]string{"1>": "abc[2 missing]|closed", "1<": up},
		stat: Stats{Missing: 2},
	}, {
		name: "FIN lost",
		segs: []seg{{from: ">", seq: 100, data: "abc"}, {from: "<", seq: 900, ack: 104, data: "ok"}},
		want: map[string]string{"1>": "abc" + up, "1<": "ok" + up},
	}, {
		name: "FIN before the last bytes",
		segs: []seg{{from: ">", flags: "F", seq: 103, data: "d"}, {from: ">", seq: 100, data: "abc"}},
		want: map[string]string{"1>": "abcd|closed", "1<": up},
	}, {
		name: "bytes behind FIN",
		segs: []seg{{from: ">", flags: "F", seq: 102}, {from: ">", seq: 100, data: "abcd"}},
		want: map[string]string{"1>": "ab|closed", "1<": up},
	}, {
		name: "both close at once",
		segs: []seg{{from: ">", flags: "F", seq: 100, ack: 900}, {from: "<", flags: "F", seq: 900, ack: 100}, {from: ">", seq: 101, ack: 901}, {from: "<", seq: 901, ack: 101}},
		want: map[string]string{"1>": "|closed", "1<": "|closed"},
	}, {
		name: "reset",
		segs: []seg{{from: ">", seq: 100, data: "abc"}, {from: "<", flags: "R", seq: 900}, {from: ">", seq: 103, data: "def"}},
		want: map[string]string{"1>": "abc|reset", "1<": "|reset"},
	}, {
		name: "reset that overtakes the last bytes",
		segs: []seg{{from: "<", seq: 900, data: "xy"}, {from: ">", seq: 100, data: "abc"}, {from: ">", flags: "R", seq: 106}, {from: ">", seq: 103, data: "def"}, {from: "<", seq: 902, data: "z"}},
		want: map[string]string{"1>": "abcdef|reset", "1<": "xy|reset"},
	}, {
		name: "reset behind bytes that are lost",
		segs: []seg{{from: ">", seq: 100, data: "abc"}, {from: ">", flags: "R", seq: 106}, {from: "<", seq: 900, data: "z"}},
		want: map[string]string{"1>": "abc[3 missing]|reset", "1<": "z|reset"},
		stat: Stats{Missing: 3},
	}, {
		name: "several resets behind bytes that are lost",
		segs: []seg{{from: ">", seq: 100, data: "abc"}, {from: ">", flags: "R", seq: 106}, {from: ">", flags: "R", seq: 106}, {from: ">", seq: 103, data: "def"}},
		want: map[string]string{"1>": "abc[3 missing]|reset", "1<": "|reset"},
		stat: Stats{Missing: 3, Repeated: 1},
	}, {
		name: "reset with a number that cannot be",
		segs: []seg{{from: ">", seq: 100, data: "abc"}, {from: "<", flags: "R", seq: 900 + 1<<29}, {from: ">", seq: 103, data: "def"}},
		want: map[string]string{"1>": "abcdef" + up, "1<": up},
	}, {
		name: "keep-alive",
		segs: []seg{{from: ">", seq: 100, data: "abc"}, {from: ">", seq: 102, data: "\x00"}, {from: ">", seq: 102, ack: 900}, {from: ">", seq: 103, data: "d"}},
		want: map[string]string{"1>": "abcd" + up, "1<": up},
	}, {
		name: "cut by the capture",
		segs: []seg{{from: ">", seq: 100, data: "abcdef", cut: 2}, {from: ">", seq: 106, data: "ghi", cut: 3}, {from: ">", seq: 109, data: "j"}},
		want: map[string]string{"1>": "abcd[2 missing][3 missing]j" + up, "1<": up},
		stat: Stats{Missing: 5},
	}, {
		name: "cut by the capture and out of order",
		segs: []seg{{from: ">", seq: 103, data: "defgh", cut: 3}, {from: ">", seq: 105, data: "fghi"}, {from: ">", seq: 100, data: "abc"}},
		want: map[string]string{"1>": "abcde[3 missing]i" + up, "1<": up},
		stat: Stats{Missing: 3},
	}, {
		name: "everything twice",
		segs: []seg{
			{from: ">", flags: "S", seq: 99}, {from: "<", flags: "S", seq: 899, ack: 100},
			{from: ">", seq: 100, data: "abc"}, {from: ">", seq: 100, data: "abc"}, {from: ">", flags: "F", seq: 103}, {from: ">", flags: "F", seq: 103},
			{from: "<", flags: "F", seq: 900, ack: 104}, {from: "<", flags: "F", seq: 900, ack: 104}, {from: ">", seq: 104, ack: 901}, {from: ">", seq: 104, ack: 901},
		},
		want: map[string]string{"1>": "abc|closed", "1<": "|closed"},
		stat: Stats{Repeated: 1},
	}, {
		name: "the port is used again",
		segs: []seg{
			{from: ">", seq: 100, data: "abc"}, {from: ">", flags: "F", seq: 103}, {from: "<", flags: "F", seq: 900, ack: 104},
			{from: ">", flags: "S", seq: 5000}, {from: "<", flags: "S", seq: 7000, ack: 5001}, {from: ">", seq: 5001, data: "def"},
		},
		want: map[string]string{"1>": "abc|closed", "1<": "|closed", "2>": "def" + up, "2<": up},
	}, {
		name: "the port is used again, and the end was not captured",
		segs: []seg{{from: ">", seq: 100, data: "abc"}, {from: "<", flags: "S", seq: 7000, ack: 5001}, {from: ">", seq: 5001, data: "def"}},
		want: map[string]string{"1>": "abc|its end is not in the capture", "1<": "|its end is not in the capture", "2>": "def" + up, "2<": up},
	}, {
		name: "two gigabytes were not captured, and more",
		segs: []seg{{from: ">", seq: 100, data: "abc"}, {from: ">", seq: 103 + 3<<30 - 1, data: "def"}},
		want: map[string]string{"1>": "abc[3221225471 missing]def" + up, "1<": up},
		stat: Stats{Missing: 3<<30 - 1},
	}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, stats := listen(t, rawFile(slices.Concat(opened, tt.segs)...))
			l.want(t, tt.want)
			got := Stats{Repeated: stats.Repeated, Conflict: stats.Conflict, Missing: stats.Missing}
			if got != tt.stat {
				t.Errorf("counted %+v, not %+v", got, tt.stat)
			}
			if stats.TCP != stats.Packets || stats.Packets != len(opened)+len(tt.segs) || stats.Other != 0 {
				t.Errorf("counted %+v", stats)
			}
		})
	}
}

// TestBeginnings is about captures that do not begin with a handshake.
func TestBeginnings(t *testing.T) {
	tests := []struct {
		name   string
		segs   []seg
		want   map[string]string
		server string // of connection 1; "client" if the guess is wrong
		opened bool
	}{{
		name:   "in the middle, the server first",
		segs:   []seg{{from: "<", seq: 900, ack: 100, data: "hi"}, {from: ">", seq: 100, ack: 902, data: "abc"}},
		want:   map[string]string{"1<": "hi" + up, "1>": "abc" + up},
		server: "server",
	}, {
		name:   "in the middle, the client first",
		segs:   []seg{{from: ">", seq: 100, data: "abc"}, {from: ">", seq: 103, data: "d"}},
		want:   map[string]string{"1<": up, "1>": "abcd" + up},
		server: "server",
	}, {
		name:   "confirmations alone are nothing",
		segs:   []seg{{from: ">", seq: 100, ack: 900}, {from: "<", flags: "R", seq: 900}},
		want:   map[string]string{},
		server: "",
	}, {
		name:   "a confirmation shows that bytes are missing",
		segs:   []seg{{from: "<", seq: 900, data: "hi"}, {from: ">", seq: 100, ack: 902}, {from: ">", seq: 103, data: "def"}},
		want:   map[string]string{"1<": "hi" + up, "1>": "[3 missing]def" + up},
		server: "server",
	}, {
		name:   "a confirmation overtakes bytes",
		segs:   []seg{{from: "<", seq: 900, data: "hi"}, {from: ">", seq: 103, ack: 902}, {from: ">", seq: 100, data: "abc"}, {from: ">", seq: 103, data: "d"}},
		want:   map[string]string{"1<": "hi" + up, "1>": "abcd" + up},
		server: "server",
	}, {
		name:   "SYN overtaken by its answer",
		segs:   []seg{{from: "<", flags: "S", seq: 899, ack: 100}, {from: ">", flags: "S", seq: 99}, {from: ">", seq: 100, data: "abc"}},
		want:   map[string]string{"1<": up, "1>": "abc" + up},
		server: "server", opened: true,
	}, {
		name:   "SYN overtaken by the first bytes",
		segs:   []seg{{from: ">", seq: 100, data: "abc"}, {from: ">", flags: "S", seq: 99}, {from: ">", seq: 103, data: "d"}},
		want:   map[string]string{"1<": up, "1>": "abcd" + up},
		server: "server", // and what was said of it stays
	}, {
		name:   "SYN with bytes",
		segs:   []seg{{from: ">", flags: "S", seq: 99, data: "ab"}, {from: "<", flags: "S", seq: 899, ack: 102}, {from: ">", seq: 102, data: "cd"}},
		want:   map[string]string{"1<": up, "1>": "abcd" + up},
		server: "server", opened: true,
	}, {
		name:   "refused",
		segs:   []seg{{from: ">", flags: "S", seq: 99}, {from: "<", flags: "R", seq: 0, ack: 100}},
		want:   map[string]string{"1<": "|reset", "1>": "|reset"},
		server: "server", opened: true,
	}, {
		name:   "both open",
		segs:   []seg{{from: ">", flags: "S", seq: 99}, {from: "<", flags: "S", seq: 899}, {from: ">", seq: 100, ack: 900, data: "abc"}, {from: "<", seq: 900, ack: 103, data: "de"}},
		want:   map[string]string{"1<": "de" + up, "1>": "abc" + up},
		server: "server", opened: true,
	}, {
		name:   "the server has the higher port, seen from its SYN",
		segs:   []seg{{from: "<", flags: "S", seq: 899}, {from: ">", flags: "S", seq: 99, ack: 900}, {from: ">", seq: 100, data: "abc"}},
		want:   map[string]string{"1<": "abc" + up, "1>": up},
		server: "client", opened: true,
	}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, _ := listen(t, rawFile(tt.segs...))
			l.want(t, tt.want)
			if len(l.conns) == 0 {
				return
			}
			want := server
			if tt.server == "client" {
				want = client
			}
			if c := l.conns[0]; c.Server != want || c.Opened != tt.opened {
				t.Errorf("connection %+v", c)
			}
		})
	}
}

// TestWrap lets sequence numbers wrap at every place of a short stream, in
// order and in the worst of orders.
func TestWrap(t *testing.T) {
	const text = "0123456789abcdef"
	for start := range uint32(20) {
		first := 0 - start
		segs := []seg{{from: ">", flags: "S", seq: first - 1}, {from: "<", flags: "S", seq: 5, ack: first}}
		for i := range text {
			segs = append(segs, seg{from: ">", seq: first + uint32(i), data: text[i : i+1]})
		}
		segs = append(segs, seg{from: ">", flags: "F", seq: first + uint32(len(text))})
		want := map[string]string{"1>": text + "|closed", "1<": up}
		l, _ := listen(t, rawFile(segs...))
		l.want(t, want)
		slices.Reverse(segs[2:])
		l, _ = listen(t, rawFile(segs...))
		l.want(t, want)
	}
}

// TestServerPort is about who is the server where no handshake tells.
func TestServerPort(t *testing.T) {
	middle := rawFile(seg{from: "<", seq: 1, data: "a"})
	var l listener
	sink := l.sink()
	sink.ServerPort = client.Port() // not what the lower port says
	if _, err := Read(bytes.NewReader(middle), sink); err != nil {
		t.Fatal(err)
	}
	if l.conns[0].Server != client {
		t.Errorf("the hint was not followed: %+v", l.conns[0])
	}
	// The end with the higher port is seen accepting a connection, so it is the
	// server of the next one too.
	h, _ := listen(t, rawFile(
		seg{from: "<", flags: "S", seq: 899}, seg{from: ">", flags: "S", seq: 99, ack: 900},
		seg{from: ">", seq: 5000, data: "a", port: 80}))
	if len(h.conns) != 2 || h.conns[1].Server != client {
		t.Errorf("what was seen was not used: %+v", h.conns)
	}
}

// TestSource holds the number and time of packets, also of those that waited.
func TestSource(t *testing.T) {
	l, _ := listen(t, rawFile(append(slices.Clone(opened),
		seg{from: ">", seq: 103, data: "d"}, seg{from: ">", seq: 100, data: "abc"},
		seg{from: ">", seq: 106, data: "g"}, seg{from: "<", flags: "R", seq: 900})...))
	want := []string{
		`packet 5 1> "abc"`, `packet 4 1> "d"`, `packet 7 1< reset`,
		`packet 6 1> 2 missing`, `packet 6 1> "g"`, `packet 7 1> reset`,
	}
	if !slices.Equal(l.events, want) {
		t.Errorf("got  %q\nwant %q", l.events, want)
	}
}

// TestPatience: what the receiver has confirmed long ago will not come.
func TestPatience(t *testing.T) {
	segs := append(slices.Clone(opened), seg{from: ">", seq: 105, data: "f"})
	for i := range patience + 10 {
		segs = append(segs, seg{from: "<", seq: 900 + uint32(i), ack: 106, data: "x"})
	}
	l, _ := listen(t, rawFile(segs...))
	at := slices.Index(l.events, `packet 4 1> 5 missing`)
	if at < patience || at > patience+5 {
		t.Errorf("given up after %d packets", at)
	}
}

// TestBounds: no more waits than is allowed, and nothing is lost but the gap.
func TestBounds(t *testing.T) {
	block := strings.Repeat("x", 60000)
	segs := slices.Clone(opened)
	for i := range maxHeld/len(block) + 10 {
		segs = append(segs, seg{from: ">", seq: 110 + uint32(i*len(block)), data: block})
	}
	l, stats := listen(t, rawFile(segs...))
	if !strings.HasPrefix(l.events[0], "packet 4 1> 10 missing") {
		t.Errorf("first %.40s", l.events[0])
	}
	if want := (maxHeld/len(block) + 10) * len(block); strings.Count(l.streams["1>"], "x") != want || stats.Missing != 10 {
		t.Errorf("%d bytes came, not %d; %d are missing", strings.Count(l.streams["1>"], "x"), want, stats.Missing)
	}
}

// TestConnStays: what a sink has been told of a connection does not change.
func TestConnStays(t *testing.T) {
	var told []Conn
	var conn *Conn
	note := func(s Source) {
		conn = s.Conn
		told = append(told, *conn)
	}
	file := rawFile(seg{from: ">", seq: 100, data: "early"}, opened[0], opened[1], seg{from: "<", seq: 900, ack: 105, data: "late"})
	if _, err := Read(bytes.NewReader(file), Sink{Data: func(s Source, _ []byte) { note(s) }, End: func(s Source, _ End) { note(s) }}); err != nil {
		t.Fatal(err)
	}
	for _, c := range told {
		if c != *conn || c.ID != 1 {
			t.Errorf("it was %+v, and is %+v", c, *conn)
		}
	}
	if len(told) != 4 {
		t.Errorf("told %d times", len(told))
	}
}

// TestManyConnections: of too many connections the most silent are given up.
func TestManyConnections(t *testing.T) {
	a := newAssembler(Sink{})
	from := func(i int) route { return route{address{low: uint64(i)}, address{low: 1 << 40}, 5<<16 | 6} }
	say := func(i int) {
		a.packet = packet{number: a.packet.number + 1, route: from(i), seq: 1, data: []byte("x"), flags: flagACK}
		a.segment(&a.packet)
	}
	for i := range maxOpen + 5000 {
		say(i)
		if i > 7 {
			say(7)
		}
	}
	if a.open.len > maxOpen || len(a.conns) > maxOpen+maxClosed {
		t.Errorf("%d connections are remembered", len(a.conns))
	}
	first, talker := from(0), from(7)
	if a.lookUp(&first) != nil {
		t.Error("the first connection is still remembered")
	}
	if a.lookUp(&talker) == nil || a.stats.Conns != maxOpen+5000 {
		t.Error("the only connection that speaks was forgotten")
	}
}

// TestKnocks: connections that were never opened are remembered for a while, and
// do not push out those that are open.
func TestKnocks(t *testing.T) {
	const n = 3 * maxKnocks
	var l listener
	stats, err := Read(io.MultiReader(
		bytes.NewReader(rawFile(slices.Concat(opened, []seg{{from: ">", seq: 100, data: "before "}})...)),
		&knocking{conns: n, file: []byte{}},
		bytes.NewReader(rawFile(seg{from: ">", seq: 107, data: "after"})[24:])), l.sink())
	if err != nil {
		t.Fatal(err)
	}
	l.check(t, stats)
	if got := l.streams["1>"]; got != "before after"+up || stats.Conns != n+1 {
		t.Errorf("%q, %d connections", got, stats.Conns)
	}
	unseen := 0
	for _, s := range l.streams {
		if s == "|"+Unseen.String() {
			unseen++
		}
	}
	if unseen != 2*(n-maxKnocks) {
		t.Errorf("%d directions were given up", unseen)
	}
}
