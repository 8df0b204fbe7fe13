package record

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/pcap"
)

// An answer never stands before its question, also when it comes on another
// connection.
func TestAnswersFollowQuestions(t *testing.T) {
	a, serverA := pair(t, "127.0.0.1:0")
	b, serverB := pair(t, "127.0.0.1:0")
	l := NewLog()
	alice, bob := l.Conn(a), l.Conn(b)
	const n = 500
	go func() {
		io.CopyN(struct{ io.Writer }{serverB}, struct{ io.Reader }{serverA}, n)
	}()
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		for range n {
			hear(t, bob, "x")
		}
	}()
	for range n {
		say(t, alice, "x")
	}
	<-heard
	relayed, asked := 0, 0
	for _, e := range l.entries {
		switch e.what {
		case sent:
			asked += len(e.data)
		case received:
			relayed += len(e.data)
		}
		if relayed > asked {
			t.Fatalf("bob has %d when alice has said %d", relayed, asked)
		}
	}
	if relayed != n {
		t.Errorf("bob has %d of %d", relayed, n)
	}
	_, file := read(t, l)
	faultless(t, file)
}

func TestLimit(t *testing.T) {
	l := NewLog()
	l.limit = 10_000
	a, other := pair(t, "127.0.0.1:0")
	probe := l.Conn(a)
	part := strings.Repeat("abcdefgh", 1<<9)
	go func() {
		for range 100 {
			hear(t, other, part)
			say(t, other, "ok")
		}
		other.Close()
	}()
	for range 100 {
		say(t, probe, part)
		hear(t, probe, "ok")
	}
	hearEnd(probe)
	halfClose(t, probe)
	probe.Write([]byte("too late")) // which was never sent, so it is not missing
	probe.Close()
	if l.kept > l.limit+4*entryCost || len(l.entries) > 10 {
		t.Errorf("%d bytes and %d entries are kept", l.kept, len(l.entries))
	}
	c, file := read(t, l)
	got := c.conns[0]
	for i, all := range []string{strings.Repeat(part, 100), strings.Repeat("ok", 100)} {
		if !strings.HasPrefix(all, got.said[i]) || got.said[i] == "" || int64(len(got.said[i]))+got.missing[i] != int64(len(all)) {
			t.Errorf("of %d bytes, %d are there and %d missing", len(all), len(got.said[i]), got.missing[i])
		}
	}
	if got.how != [2]pcap.End{pcap.Closed, pcap.Closed} {
		t.Errorf("it ends %v", got.how)
	}
	if missing := got.missing[0] + got.missing[1]; missing != l.LeftOut() || missing == 0 {
		t.Errorf("%d bytes are missing, and %d were left out", missing, l.LeftOut())
	}
	faultless(t, file)
}

// A write that is not finished is there as far as it went.
func TestInterruptedWrite(t *testing.T) {
	for name, limit := range map[string]int{"kept": MaxKept, "cut": 100_000, "not kept": 0} {
		t.Run(name, func(t *testing.T) {
			a, other := pair(t, "127.0.0.1:0")
			l := NewLog()
			l.limit = limit
			probe := l.Conn(a)
			a.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
			want := int64(0)
			for {
				n, err := probe.Write([]byte(long))
				want += int64(n)
				if err != nil {
					break
				}
			}
			probe.Close()
			if n, err := io.Copy(io.Discard, struct{ io.Reader }{other}); n != want || err != nil {
				t.Errorf("%d bytes arrived: %v", n, err)
			}
			c, _ := read(t, l)
			got := int64(len(c.conns[0].said[0]))
			if got+c.conns[0].missing[0] != want || got > int64(limit) {
				t.Errorf("%d bytes were sent, %d are there and %d missing", want, got, c.conns[0].missing[0])
			}
			if c.conns[0].missing[0] != l.LeftOut() {
				t.Errorf("%d bytes were left out", l.LeftOut())
			}
		})
	}
}
