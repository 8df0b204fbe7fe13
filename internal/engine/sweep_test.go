package engine

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/scenarios"
)

// A lossy wire loses segments of one length. It notes how long all were.
type lossy struct {
	lose int // 0: none
	mu   sync.Mutex
	sent []int
}

type lossyConn struct {
	net.Conn
	wire *lossy
}

func (c lossyConn) Write(b []byte) (int, error) {
	c.wire.mu.Lock()
	c.wire.sent = append(c.wire.sent, len(b))
	c.wire.mu.Unlock()
	if len(b) == c.wire.lose {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// playLossy plays the only scenario of text over w.
func playLossy(t *testing.T, text string, config Config, rules rules, w *lossy) transcript.Run {
	t.Helper()
	suite := load(t, text)
	var runs []transcript.Run
	synctest.Test(t, func(t *testing.T) {
		launch := (&street{rules: rules}).launch
		s := &Session{Suite: suite, Config: config, Launch: func(ctx context.Context) (*Target, error) {
			target, err := launch(ctx)
			if err != nil {
				return nil, err
			}
			dial := target.Dial
			target.Dial = func(ctx context.Context, buffer int) (net.Conn, error) {
				conn, err := dial(ctx, buffer)
				return lossyConn{conn, w}, err
			}
			return target, nil
		}}
		_, runs = s.Run(t.Context(), suite.Scenarios)
	})
	return runs[0]
}

// A frame of alice is 11 bytes and her text.
func TestSweepSaysWhereTheMessageWasCut(t *testing.T) {
	one := steps(two, "alice sends: {say: {text: hello}}\nsplit: everywhere", "bob receives: {hear: {text: hello}}")
	pair := steps(two, "alice sends: [{say: {text: hello}}, {say: {text: again}}]\nsplit: everywhere", "bob receives: {hear: {text: again}}")
	login := steps(two, "carol connects:", "carol sends: [login, {say: {text: hello}}]\nsplit: everywhere", "bob receives: {hear: {user: $carol}}")
	for _, test := range []struct {
		text string
		lose int // the first segment of this length
		want string
	}{
		{one, 1, "cut after byte 1, inside UNameL"},
		{one, 2, "cut after byte 2, between UNameL and MessageL"},
		{one, 3, "cut after byte 3, inside MessageL"},
		{one, 6, "cut after byte 6, between MessageL and Username"},
		{one, 7, "cut after byte 7, inside Username"},
		{one, 12, "cut after byte 4, inside MessageL"}, // what is behind the cut
		{one, 16, "nothing came for bob within 2s"},    // not cut at all
		{pair, 32, "all in one segment"},
		{pair, 3, "cut after byte 3 of message 1 (say), inside MessageL"},
		{pair, 19, "cut after byte 13 of message 1 (say), inside Message"},
		{login, 8, "cut after byte 8 of message 1 (login), inside Username"},
		{login, 14, "cut after byte 1 of message 2 (say), inside UNameL"},
	} {
		t.Run(fmt.Sprintf("%d of %s", test.lose, strings.TrimSpace(strings.SplitAfter(test.text, "steps:")[1][:40])), func(t *testing.T) {
			run := playLossy(t, test.text, trusted(), rules{}, &lossy{lose: test.lose})
			place, rest, _ := strings.Cut(run.Reason, ": ")
			if run.Verdict != transcript.Fail || place != test.want || (test.lose != 16) != (rest != "") {
				t.Errorf("%s %q, want %q", run.Verdict, run.Reason, test.want)
			}
		})
	}
}

// In a line the beginning tells more than the name of a field.
func TestCutInWords(t *testing.T) {
	for _, test := range []struct {
		protocol, bytes string
		messages        string
		at              int
		want            string
	}{
		{"lines", "@al: hi\n", "say", 0, ""},
		{"lines", "@al: hi\n", "say", 3, `cut after byte 3, behind "@al"`},
		{"lines", "@al: hi\n@al: ho\n", "say say", 8, "cut between messages 1 and 2"},
		{"lines", "@al: hi\n@al: ho\n", "say say", 15, `cut after byte 7 of message 2 (say), behind "@al: ho"`},
		{"lines", "@al: \u00fc\n", "say", 6, "cut after byte 6, inside text"},
		{"direct", "\x02\x01\x02al\x04", "list login leave", 0, "all in one segment"},
		{"direct", "\x02\x01\x02al\x04", "list login leave", 1, "cut between messages 1 and 2"},
		{"direct", "\x02\x01\x02al\x04", "list login leave", 2, "cut after byte 1 of message 2 (login), between Type and Length"},
		{"direct", "\x02\x01\x02al\x04", "list login leave", 4, "cut after byte 3 of message 2 (login), inside user"},
		{"direct", "\x02\x01\x02al\x04", "list login leave", 5, "cut between messages 2 and 3"},
		{"direct", "\x99\x99", "list", 1, "cut after byte 1"},
	} {
		suite, err := scenario.Load(scenarios.Files, test.protocol, scenarios.Files)
		if err != nil {
			t.Fatal(err)
		}
		codec, err := suite.Protocol.Bind(map[string]string{"end": "lf"})
		if test.protocol == "direct" {
			codec, err = suite.Protocol.Bind(nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		p := &play{codec: codec, own: wire.Client, sweep: sweep{at: test.at}}
		var list []scenario.Outgoing
		for name := range strings.FieldsSeq(test.messages) {
			list = append(list, scenario.Outgoing{Message: name})
		}
		if got := p.cutInWords([]byte(test.bytes), list); got != test.want {
			t.Errorf("%s, %q behind %d: %q, want %q", test.protocol, test.bytes, test.at, got, test.want)
		}
	}
}

// Every cut is made, and in the order of the bytes.
func TestSweepCutsBehindEveryByte(t *testing.T) {
	w := &lossy{}
	run := playLossy(t, steps(two, "alice sends: {say: {text: hello}}\nsplit: everywhere",
		"bob receives: {hear: {text: hello}}\nnext: yes"), trusted(), rules{}, w)
	check(t, run, transcript.Pass, "")
	want := []int{16}
	for at := 1; at < 16; at++ {
		want = append(want, at, 16-at)
	}
	if got := w.sent[len(w.sent)-len(want):]; !slices.Equal(got, want) {
		t.Errorf("segments of %v bytes, want %v", got, want)
	}
}

// Where a client is not listed, each time another one comes.
func TestSweepHasNewClientsEachTime(t *testing.T) {
	config := trusted()
	config.Transcripts = true
	w := &lossy{}
	run := playLossy(t, steps(two, "carol connects:", "carol sends: [login, {say: {text: x}}]\nsplit: everywhere",
		"bob receives: {hear: {user: $carol, text: x}}"), config, rules{slowLeave: 1 << 30}, w)
	check(t, run, transcript.Pass, "")
	names := map[string]bool{}
	for _, e := range run.Events {
		if e.Kind == transcript.Send && e.Client == "carol" && e.Message != nil {
			names[e.Message.Fields[2].Value.(string)] = true
		}
	}
	// Two frames: 11 bytes and 12, and two digits in each.
	if connected := count(run, transcript.Connect, "carol", ""); connected != 27 || len(names) != connected || !names["carol"] || !names["carol26"] {
		t.Errorf("%d connections, with the names %v", connected, names)
	}
}
