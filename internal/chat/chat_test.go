package chat_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatprobe/chatprobe/internal/chat"
)

// The protocol of these tests is a line for each message. Clocks are synctest's: times are exact and nothing waits.

// listener is a member and the far end of its connection, a pipe that holds nothing: what is not read is not written.
type listener struct {
	*chat.Member
	near, far net.Conn
	lines     *bufio.Scanner
}

// join puts a listener into the room, with a notice "+name" for the others.
func join(t *testing.T, room *chat.Room, name string) *listener {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	m, err := room.Join(name, near, []byte("+"+name+"\n"))
	if err != nil {
		t.Fatalf("join %s: %v", name, err)
	}
	return &listener{Member: m, near: near, far: far, lines: bufio.NewScanner(far)}
}

// leave leaves with a notice "-name", as a protocol does it.
func (l *listener) leave(name string) {
	l.Leave([]byte("-" + name + "\n"))
	l.near.Close()
}

// hear checks that these lines come next.
func (l *listener) hear(t *testing.T, lines ...string) {
	t.Helper()
	for _, want := range lines {
		if !l.lines.Scan() {
			t.Fatalf("connection ends, want %q: %v", want, l.lines.Err())
		}
		if got := l.lines.Text(); got != want {
			t.Fatalf("heard %q, want %q", got, want)
		}
	}
}

// rest returns all lines until the connection ends.
func (l *listener) rest() []string {
	var lines []string
	for l.lines.Scan() {
		lines = append(lines, l.lines.Text())
	}
	return lines
}

// closed reports whether room.Close returns, which is to say that no writer is left.
func closed(t *testing.T, room *chat.Room) {
	t.Helper()
	began := time.Now()
	room.Close()
	if took := time.Since(began); took != 0 {
		t.Errorf("close took %v", took)
	}
}

func TestRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := chat.NewRoom(1000)
		alice := join(t, room, "alice")
		alice.Say([]byte("nobody is here\n"))
		bob := join(t, room, "bob")
		alice.hear(t, "+bob")
		carol := join(t, room, "carol")
		alice.Say([]byte("one\ntwo\n"))
		bob.Say([]byte("three\n"))
		alice.hear(t, "+carol", "three")
		bob.hear(t, "+carol", "one", "two")
		carol.hear(t, "one", "two", "three")

		if got, want := room.Names(), []string{"alice", "bob", "carol"}; !slices.Equal(got, want) {
			t.Errorf("names %q, want %q", got, want)
		}
		if _, err := room.Join("bob", nil, nil); !errors.Is(err, chat.ErrNameInUse) {
			t.Errorf("a second bob: %v", err)
		}

		bob.leave("bob")
		bob.leave("bob")
		bob.Say([]byte("from the grave\n"))
		alice.hear(t, "-bob")
		carol.hear(t, "-bob")
		if err := bob.Err(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("bob has left: %v", err)
		}
		if got, want := room.Names(), []string{"alice", "carol"}; !slices.Equal(got, want) {
			t.Errorf("names %q, want %q", got, want)
		}

		closed(t, room)
		carol.leave("carol")
		alice.near.Close()
		if left := alice.rest(); left != nil {
			t.Errorf("alice heard %q from a closed room", left)
		}
		if err := alice.Err(); !errors.Is(err, chat.ErrClosed) {
			t.Errorf("alice in a closed room: %v", err)
		}
		if _, err := room.Join("dave", nil, nil); !errors.Is(err, chat.ErrClosed) {
			t.Errorf("join a closed room: %v", err)
		}
	})
}

// A name is free before anybody can know that its bearer has left.
func TestNameIsFreeOnceItsLeaverIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := chat.NewRoom(1000)
		alice := join(t, room, "alice")
		for range 100 {
			bob := join(t, room, "bob")
			alice.hear(t, "+bob")
			go bob.leave("bob")
			alice.hear(t, "-bob")
		}
		closed(t, room)
	})
}

// Of any two that come at the same time the earlier one is told of the later, and the later hears nothing of the
// earlier, however many notices travel together.
func TestArrivals(t *testing.T) {
	room := chat.NewRoom(1 << 20)
	const n = 300
	var coming sync.WaitGroup
	heard := make([][]string, n)
	for i := range n {
		l := &listener{}
		l.near, l.far = net.Pipe()
		l.lines = bufio.NewScanner(l.far)
		coming.Go(func() {
			if _, err := room.Join(fmt.Sprint(i), l.near, fmt.Appendf(nil, "+%d\n", i)); err != nil {
				t.Error(err)
			}
		})
		coming.Go(func() {
			for l.lines.Scan() && l.lines.Text() != "+last" {
				heard[i] = append(heard[i], l.lines.Text())
			}
		})
	}
	for len(room.Names()) < n {
		time.Sleep(time.Millisecond)
	}
	join(t, room, "last")
	coming.Wait()
	room.Close()

	slices.SortFunc(heard, func(a, b []string) int { return len(b) - len(a) })
	for i, lines := range heard[1:] {
		if len(lines) != n-2-i || !slices.Equal(lines, heard[0][i+1:]) {
			t.Fatalf("number %d heard %q, number 1 heard %q", i+2, lines, heard[0])
		}
	}
}

// All hear everything in one order, and each speaker's words in the speaker's.
func TestOneOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := chat.NewRoom(1 << 20)
		ann, ben := join(t, room, "ann"), join(t, room, "ben")
		const speakers, words = 5, 200
		var talk, listening sync.WaitGroup
		all := []*listener{ann, ben}
		for s := range speakers {
			speaker := join(t, room, fmt.Sprint("speaker", s))
			all = append(all, speaker)
			listening.Go(func() { speaker.rest() })
			talk.Go(func() {
				for w := range words {
					speaker.Say(fmt.Appendf(nil, "%d:%d\n", s, w))
				}
			})
		}
		var byAnn, byBen []string
		listening.Go(func() { byAnn = ann.rest() })
		listening.Go(func() { byBen = ben.rest() })
		talk.Wait()
		synctest.Wait() // until all is written
		closed(t, room)
		for _, l := range all {
			l.near.Close()
		}
		listening.Wait()

		if byAnn = byAnn[1:]; !slices.Equal(byAnn, byBen) { // ann heard +ben
			t.Fatalf("two orders:\n%q\n%q", byAnn, byBen)
		}
		for s := range speakers {
			var next int
			for _, line := range byAnn {
				if strings.HasPrefix(line, fmt.Sprint(s, ":")) {
					if want := fmt.Sprintf("%d:%d", s, next); line != want {
						t.Fatalf("heard %s, want %s", line, want)
					}
					next++
				}
			}
			if next != words {
				t.Errorf("heard %d words of speaker %d, want %d", next, s, words)
			}
		}
	})
}

// One who does not read is waited for once, costs no more than its outbox, and is then hung up on. The others hear
// everything.
func TestStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := chat.NewRoom(1000)
		alice, bob, mute := join(t, room, "alice"), join(t, room, "bob"), join(t, room, "mute")
		alice.hear(t, "+bob", "+mute")
		bob.hear(t, "+mute")

		began := time.Now()
		for i := range 30 {
			line := fmt.Sprintf("%099d", i)
			alice.Say([]byte(line + "\n"))
			bob.hear(t, line)
			if i < 10 && mute.Err() != nil {
				t.Fatalf("after %d00 bytes of 1000: %v", i+1, mute.Err())
			}
		}
		if took := time.Since(began); took != 200*time.Millisecond {
			t.Errorf("alice was held back for %v, want 200ms once", took)
		}
		if err := mute.Err(); !errors.Is(err, chat.ErrOutboxFull) {
			t.Errorf("mute: %v, want %v", err, chat.ErrOutboxFull)
		}
		if _, err := mute.near.Read(make([]byte, 1)); err == nil {
			t.Error("the reader of mute's connection was not woken")
		}
		closed(t, room)
	})
}

// One who reads, but slower than another speaks, holds that one back instead of being lost.
func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := chat.NewRoom(1000)
		alice, bob := join(t, room, "alice"), join(t, room, "bob")
		alice.hear(t, "+bob")
		const lines = 200
		go func() {
			for i := range lines {
				alice.Say(fmt.Appendf(nil, "%099d\n", i))
			}
		}()
		for i := range lines {
			time.Sleep(10 * time.Millisecond)
			bob.hear(t, fmt.Sprintf("%099d", i))
		}
		if err := bob.Err(); err != nil {
			t.Errorf("bob: %v", err)
		}
		closed(t, room)
	})
}

// An empty outbox takes a message that is larger than it.
func TestLargeMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := chat.NewRoom(10)
		alice, bob := join(t, room, "alice"), join(t, room, "bob")
		alice.hear(t, "+bob")
		for range 3 {
			alice.Say([]byte(strings.Repeat("x", 50_000) + "\n"))
			bob.hear(t, strings.Repeat("x", 50_000))
		}
		closed(t, room)
	})
}

// What is gathered into one write, and what is too large for that, comes out as it went in.
func TestGathering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := chat.NewRoom(8 << 20)
		alice, bob := join(t, room, "alice"), join(t, room, "bob")
		alice.hear(t, "+bob")
		var want strings.Builder
		for i, size := range []int{1, 100, 16 << 10, 16<<10 - 1, 1, 1, 50_000, 3, 10_000, 10_000, 16<<10 + 1, 7} {
			message := strings.Repeat(string(rune('a'+i)), size)
			want.WriteString(message)
			alice.Say([]byte(message)) // the writer is stuck with the first one: nobody reads yet
		}
		got := make([]byte, want.Len())
		if _, err := io.ReadFull(bob.far, got); err != nil || string(got) != want.String() {
			t.Errorf("got %d bytes that differ, or %v", len(got), err)
		}
		closed(t, room)
	})
}
