package chat_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chatprobe/chatprobe/internal/chat"
)

// meet puts a guest at the room's door.
func meet(t *testing.T, room *chat.Room) *listener {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	return &listener{Member: room.Meet(near), near: near, far: far, lines: bufio.NewScanner(far)}
}

// enter makes a guest a member, who is greeted.
func (l *listener) enter(t *testing.T, name string) {
	t.Helper()
	if err := l.Enter(name, []byte("welcome "+name+"\n"), []byte("+"+name+"\n")); err != nil {
		t.Fatalf("enter as %s: %v", name, err)
	}
}

func TestGuest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := chat.NewRoom(1000)
		alice := join(t, room, "alice")
		guest := meet(t, room)
		alice.Say([]byte("is anybody there?\n"))
		guest.Send([]byte("one\n"))
		if err := room.SendTo("", []byte("to nobody\n")); !errors.Is(err, chat.ErrNoMember) {
			t.Errorf("send to a guest: %v", err)
		}
		if err := guest.Enter("alice", []byte("welcome\n"), []byte("+alice\n")); !errors.Is(err, chat.ErrNameInUse) {
			t.Errorf("a second alice: %v", err)
		}
		guest.Send([]byte("two\n"))
		guest.Exit() // who has not entered
		guest.enter(t, "bob")
		alice.Say([]byte("hello bob\n"))
		guest.Send([]byte("three\n"))
		guest.hear(t, "one", "two", "welcome bob", "hello bob", "three")
		alice.hear(t, "+bob")

		if err := room.SendTo("alice", []byte("only you\n")); err != nil {
			t.Error(err)
		}
		if err := room.SendTo("bob", []byte("and only you\n")); err != nil {
			t.Error(err)
		}
		guest.Exit()
		guest.Exit()
		if err := room.SendTo("bob", []byte("too late\n")); !errors.Is(err, chat.ErrNoMember) {
			t.Errorf("send to one who has left: %v", err)
		}
		alice.Say([]byte("is bob gone?\n"))
		guest.Send([]byte("four\n"))
		guest.hear(t, "and only you", "four")
		guest.enter(t, "carol")
		guest.hear(t, "welcome carol")
		alice.hear(t, "only you", "+carol")

		guest.leave("carol")
		alice.hear(t, "-carol")
		closed(t, room)
		if err := meet(t, room).Enter("dave", []byte("welcome\n"), nil); !errors.Is(err, chat.ErrClosed) {
			t.Errorf("enter a closed room: %v", err)
		}
	})
}

// What is sent to a name arrives while it is its bearer's, and neither before the greeting nor after the exit.
func TestSendToIsWithinMembership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := chat.NewRoom(1 << 20)
		bob := meet(t, room)
		stop := make(chan struct{})
		var sending sync.WaitGroup
		for range 3 {
			sending.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						_ = room.SendTo("bob", []byte("psst\n"))
						time.Sleep(time.Microsecond)
					}
				}
			})
		}
		go func() {
			for range 200 {
				bob.enter(t, "bob")
				time.Sleep(5 * time.Microsecond)
				bob.Exit()
				bob.Send([]byte("bye\n"))
				time.Sleep(5 * time.Microsecond)
			}
			close(stop)
			sending.Wait()
			bob.Part([]byte("end\n"), time.Second)
		}()
		inside, heard, visits := false, 0, 0
		for bob.lines.Scan() && bob.lines.Text() != "end" {
			switch line := bob.lines.Text(); {
			case line == "welcome bob" && !inside:
				inside = true
				visits++
			case line == "bye" && inside:
				inside = false
			case line == "psst" && inside:
				heard++
			default:
				t.Fatalf("heard %q, inside: %v", line, inside)
			}
		}
		if visits != 200 || heard < 200 {
			t.Errorf("%d visits of 200, and %d messages", visits, heard)
		}
		synctest.Wait()
		closed(t, room)
	})
}

// One who does not read holds up those who send to it, once, and nobody else; and is hung up on when its outbox is full.
func TestSendToStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := chat.NewRoom(1000)
		mute, bob := meet(t, room), meet(t, room)
		mute.enter(t, "mute")
		bob.enter(t, "bob")
		bob.hear(t, "welcome bob")
		message := []byte(strings.Repeat("x", 99) + "\n")
		send := func(n int) (took time.Duration) {
			began := time.Now()
			for range n {
				if err := room.SendTo("mute", message); err != nil {
					t.Fatal(err)
				}
			}
			return time.Since(began)
		}
		if took := send(3); took != 0 {
			t.Errorf("the first quarter took %v", took)
		}
		go func() {
			time.Sleep(time.Millisecond)
			began := time.Now()
			_ = room.SendTo("bob", []byte("hello\n"))
			if took := time.Since(began); took != 0 {
				t.Errorf("bob was sent to after %v", took)
			}
		}()
		if took := send(6); took != 200*time.Millisecond {
			t.Errorf("the sender was held back for %v, want 200ms once", took)
		}
		bob.hear(t, "hello")
		if err := mute.Err(); err != nil {
			t.Errorf("with 912 bytes of 1000: %v", err)
		}
		if took := send(1); took != 0 || !errors.Is(mute.Err(), chat.ErrOutboxFull) {
			t.Errorf("with 1012 bytes of 1000, after %v: %v", took, mute.Err())
		}
		closed(t, room)
	})
}

// One who sends to itself faster than it reads waits, is not hung up on, and loses nothing.
func TestSendWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := chat.NewRoom(1000)
		guest := meet(t, room)
		const lines = 100
		go func() {
			for i := range lines {
				guest.Send(fmt.Appendf(nil, "%099d\n", i))
			}
		}()
		for i := range lines {
			time.Sleep(time.Second)
			guest.hear(t, fmt.Sprintf("%099d", i))
		}
		synctest.Wait()
		if err := guest.Err(); err != nil {
			t.Error(err)
		}
		closed(t, room)
	})
}

// One who waits for itself is woken when it is gone.
func TestSendIsWoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := chat.NewRoom(1000)
		guest := meet(t, room)
		done := make(chan struct{})
		go func() {
			for guest.Err() == nil {
				guest.Send([]byte("more and more\n"))
			}
			close(done)
		}()
		synctest.Wait()
		guest.far.Close()
		<-done
		closed(t, room)
	})
}

// What waits for one who parts is written before the room hangs up, what comes later is not, and the name is free.
func TestPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := chat.NewRoom(1000)
		alice, bob := join(t, room, "alice"), join(t, room, "bob")
		bob.Send([]byte("one\n"))
		var parting sync.WaitGroup
		parting.Go(func() {
			began := time.Now()
			bob.Part([]byte("last\n"), 5*time.Second)
			if took := time.Since(began); took != time.Second {
				t.Errorf("parting took %v", took)
			}
		})
		synctest.Wait()
		join(t, room, "bob").leave("bob")
		bob.Send([]byte("after the last\n"))
		alice.Say([]byte("after the last\n"))
		if err := bob.Err(); err != nil {
			t.Errorf("before the last is read: %v", err)
		}
		time.Sleep(time.Second)
		bob.hear(t, "one", "last")
		parting.Wait()
		if err := bob.Err(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after the last: %v", err)
		}
		bob.Part(nil, time.Second)
		bob.Leave([]byte("nobody is told\n"))
		bob.near.Close()
		if more := bob.rest(); more != nil {
			t.Errorf("heard %q after the last", more)
		}
		alice.hear(t, "+bob", "+bob", "-bob")
		closed(t, room)
	})
}

// One who parts and has nothing to read is not waited for, one who does not read is waited for as agreed.
func TestPartTakes(t *testing.T) {
	for last, want := range map[string]time.Duration{"": 0, "last": time.Second} {
		synctest.Test(t, func(t *testing.T) {
			room := chat.NewRoom(1000)
			guest := meet(t, room)
			began := time.Now()
			guest.Part([]byte(last), time.Second)
			if took := time.Since(began); took != want {
				t.Errorf("last message %q: parting took %v, want %v", last, took, want)
			}
			guest.leave("guest")
			closed(t, room)
		})
	}
}

// Everybody hears the farewell, whatever was said before and nothing after; who does not read is waited for no longer
// than agreed, and who has heard it leaves in its own time.
func TestFarewell(t *testing.T) {
	for _, stalls := range []bool{false, true} {
		t.Run(fmt.Sprint("stalls=", stalls), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				room := chat.NewRoom(1000)
				alice, bob := meet(t, room), meet(t, room)
				alice.enter(t, "alice")
				alice.hear(t, "welcome alice")
				bob.enter(t, "bob")
				alice.hear(t, "+bob")
				want := 20 * time.Millisecond
				if stalls {
					meet(t, room).enter(t, "mute")
					alice.hear(t, "+mute")
					want = time.Second
				}
				for _, l := range []*listener{alice, bob} {
					go func() {
						if _, err := l.near.Read(make([]byte, 1)); err == nil { // until the room hangs up
							t.Error("read something")
						}
						time.Sleep(20 * time.Millisecond)
						l.leave("nobody is told")
					}()
				}
				alice.Say([]byte("said in time\n"))
				done := make(chan time.Duration)
				go func() {
					began := time.Now()
					room.Farewell([]byte("farewell\n"), time.Second)
					done <- time.Since(began)
				}()
				synctest.Wait()
				alice.Say([]byte("said too late\n"))
				var hearing sync.WaitGroup
				hearing.Go(func() {
					if heard := fmt.Sprint(bob.rest()); !strings.HasSuffix(heard, " said in time farewell]") {
						t.Errorf("bob heard %s", heard)
					}
				})
				hearing.Go(func() {
					if heard := fmt.Sprint(alice.rest()); heard != "[farewell]" {
						t.Errorf("alice heard %s", heard)
					}
				})
				hearing.Wait()
				if took := <-done; took != want {
					t.Errorf("took %v, want %v", took, want)
				}
				closed(t, room)
			})
		})
	}
}

// A room where nobody is has nobody to wait for.
func TestFarewellToNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := chat.NewRoom(1000)
		began := time.Now()
		room.Farewell([]byte("farewell\n"), time.Second)
		if took := time.Since(began); took != 0 {
			t.Errorf("took %v", took)
		}
	})
}
