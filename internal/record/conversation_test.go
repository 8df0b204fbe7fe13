package record

import (
	"errors"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/pcap"
)

var long = strings.Repeat("0123456789abcdef", 1<<16)

// In each of these the probe and the other end talk, and the capture is to show
// what they said and how it ended.
var conversations = []struct {
	name    string
	talk    func(t *testing.T, probe, other net.Conn)
	probe   string // said
	other   string
	ends    [2]pcap.End // of what the probe said, of what the other end said
	unknown bool        // where it is not Linux, the end is not known
}{
	{"we close", func(t *testing.T, probe, other net.Conn) {
		say(t, probe, "hello")
		hear(t, other, "hello")
		say(t, other, "welcome")
		hear(t, probe, "welcome")
		probe.Close()
	}, "hello", "welcome", [2]pcap.End{pcap.Closed, pcap.CaptureUp}, false},
	{"we close and they have closed", func(t *testing.T, probe, other net.Conn) {
		say(t, other, "go away")
		other.Close()
		hear(t, probe, "go away")
		if err := hearEnd(probe); err != nil {
			t.Error(err)
		}
		probe.Read(make([]byte, 1)) // the end is heard again
		probe.Close()
		probe.Close()
	}, "", "go away", [2]pcap.End{pcap.Closed, pcap.Closed}, false},
	{"they reset", func(t *testing.T, probe, other net.Conn) {
		say(t, probe, "hello")
		hear(t, other, "hello")
		resetNow(t, other)
		if err := hearEnd(probe); err == nil {
			t.Error("no reset was seen")
		}
		probe.Write([]byte("are you there?"))
		probe.Read(make([]byte, 1))
		probe.Close()
	}, "hello", "", [2]pcap.End{pcap.Reset, pcap.Reset}, false},
	{"they close without reading, so that it is a reset", func(t *testing.T, probe, other net.Conn) {
		say(t, probe, "hello")
		other.SetReadDeadline(time.Now().Add(time.Minute))
		hear(t, other, "h")
		other.Close()
		hearEnd(probe)
		probe.Close()
	}, "hello", "", [2]pcap.End{pcap.Reset, pcap.Reset}, true},
	{"we reset", func(t *testing.T, probe, other net.Conn) {
		say(t, probe, "hello")
		hear(t, other, "hello")
		resetNow(t, probe)
		if err := hearEnd(other); err == nil {
			t.Error("no reset was sent")
		}
	}, "hello", "", [2]pcap.End{pcap.Reset, pcap.Reset}, false},
	{"we close without reading, so that it is a reset", func(t *testing.T, probe, other net.Conn) {
		say(t, other, "hello")
		hear(t, probe, "h")
		probe.Close()
		if err := hearEnd(other); err == nil {
			t.Error("no reset was sent")
		}
	}, "", "h", [2]pcap.End{pcap.Reset, pcap.Reset}, true},
	{"we close our half", func(t *testing.T, probe, other net.Conn) {
		say(t, probe, "last words")
		halfClose(t, probe)
		hear(t, other, "last words")
		if err := hearEnd(other); err != nil {
			t.Error(err)
		}
		if _, err := probe.Write([]byte("too late")); err == nil {
			t.Error("one can write after the end")
		}
		say(t, other, "understood")
		hear(t, probe, "understood")
		other.Close()
		hearEnd(probe)
		probe.Close()
	}, "last words", "understood", [2]pcap.End{pcap.Closed, pcap.Closed}, false},
	{"we close our half and reset then", func(t *testing.T, probe, other net.Conn) {
		halfClose(t, probe)
		hearEnd(other)
		resetNow(t, probe)
	}, "", "", [2]pcap.End{pcap.Closed, pcap.Reset}, false},
	{"they close their half", func(t *testing.T, probe, other net.Conn) {
		say(t, other, "last words")
		halfClose(t, other)
		hear(t, probe, "last words")
		hearEnd(probe)
		say(t, probe, "understood")
		hear(t, other, "understood")
		probe.Close()
	}, "understood", "last words", [2]pcap.End{pcap.Closed, pcap.Closed}, false},
	{"a megabyte each way at the same time", func(t *testing.T, probe, other net.Conn) {
		done := make(chan struct{}, 4)
		for _, c := range []net.Conn{probe, other} {
			go func() { say(t, c, long); done <- struct{}{} }()
			go func() { hear(t, c, long); done <- struct{}{} }()
		}
		for range 4 {
			<-done
		}
		probe.Close()
	}, long, long, [2]pcap.End{pcap.Closed, pcap.CaptureUp}, false},
	{"a reader waits while we close", func(t *testing.T, probe, other net.Conn) {
		heard := make(chan error)
		go func() { heard <- hearEnd(probe) }()
		say(t, probe, "hello")
		hear(t, other, "hello")
		probe.Close()
		if err := <-heard; !errors.Is(err, net.ErrClosed) {
			t.Errorf("the reader got %v", err)
		}
	}, "hello", "", [2]pcap.End{pcap.Closed, pcap.CaptureUp}, false},
	{"a deadline is no end", func(t *testing.T, probe, other net.Conn) {
		probe.SetReadDeadline(time.Unix(1, 0))
		if _, err := probe.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		probe.SetReadDeadline(time.Time{})
		say(t, other, "hello")
		hear(t, probe, "hello")
		say(t, probe, "")
		probe.Close()
	}, "", "hello", [2]pcap.End{pcap.Closed, pcap.CaptureUp}, false},
	{"nothing is said and nobody ends it", func(*testing.T, net.Conn, net.Conn) {}, "", "", [2]pcap.End{pcap.CaptureUp, pcap.CaptureUp}, false},
}

func TestConversations(t *testing.T) {
	for _, tt := range conversations {
		for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
			for _, who := range []string{"we connect", "they connect"} {
				t.Run(tt.name+"/"+who+"/"+address, func(t *testing.T) {
					if tt.unknown && runtime.GOOS != "linux" {
						t.Skip("this is only known on Linux")
					}
					t.Parallel()
					a, b := pair(t, address)
					began := time.Now()
					l := NewLog()
					wrap, probe, other := l.Conn, a, b
					if who == "they connect" {
						wrap, probe, other = l.Accepted, b, a
					}
					tt.talk(t, wrap(probe), other)
					c, file := read(t, l)
					if len(c.conns) != 1 {
						t.Fatalf("%d connections", len(c.conns))
					}
					got := c.conns[0]
					if who == "they connect" {
						slices.Reverse(got.said[:])
						slices.Reverse(got.how[:])
					}
					if got.said != [2]string{tt.probe, tt.other} {
						t.Errorf("the capture has %.60q, not %.40q and %.40q", got.said, tt.probe, tt.other)
					}
					if got.how != tt.ends {
						t.Errorf("it ends %v, not %v", got.how, tt.ends)
					}
					if got.client.String() != a.LocalAddr().String() || got.server.String() != b.LocalAddr().String() || !got.opened {
						t.Errorf("it is between %v and %v, opened %v", got.client, got.server, got.opened)
					}
					if !slices.IsSortedFunc(c.times, time.Time.Compare) {
						t.Errorf("times go back: %v", c.times)
					}
					for _, at := range c.times {
						if at.Before(began.Add(-time.Second)) || at.After(time.Now().Add(time.Second)) {
							t.Errorf("a time is %v, and it began at %v", at, began)
						}
					}
					faultless(t, file)
				})
			}
		}
	}
}
