package refserver

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestLinesMany(t *testing.T) {
	addr := serve(t, Lines{})
	alice, bob, carol := register(t, addr, "alice"), register(t, addr, "bob"), register(t, addr, "carol")
	var want, stream []byte
	for i := range 3000 {
		size := i % 200
		if i%100 == 99 {
			size = 10 * i
		}
		text := strings.Repeat(string(rune('a'+i%26)), size)
		want = append(want, "@alice: "+text+"\n"...)
		stream = append(stream, "@alice: "+text+[]string{"\n", "\r\n", "\n@bob: not me\n"}[i%3]...)
	}
	var hearing sync.WaitGroup
	for _, c := range []*client{bob, carol} {
		hearing.Go(func() {
			got := make([]byte, len(want))
			c.SetReadDeadline(time.Now().Add(within))
			if n, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s got %d bytes of %d, or they differ: %v", c.name, n, len(want), err)
			}
		})
	}
	for len(stream) > 0 {
		n := min(len(stream), 1+len(stream)%9999)
		alice.send(stream[:n])
		stream = stream[n:]
	}
	hearing.Wait()
}

func TestLinesComeAndGo(t *testing.T) {
	addr := serve(t, Lines{})
	alice := register(t, addr, "alice")
	for i := range 30 {
		bob := registerSoon(t, addr, "bob")
		bob.tell("hello")
		alice.hear("bob", "hello")
		switch i % 3 {
		case 0:
			bob.Close()
		case 1:
			bob.reset()
		case 2:
			bob.send([]byte("DISCONNECT bob CHAT/1.0\n"))
			bob.expectEnd()
			register(t, addr, "bob").Close()
		}
	}
}

func TestLinesHundred(t *testing.T) {
	addr := serve(t, Lines{})
	var members []*client
	for i := range 100 {
		members = append(members, register(t, addr, fmt.Sprint("client", i)))
	}
	var talk sync.WaitGroup
	for _, c := range members {
		talk.Go(func() {
			c.tell("hello")
			var want []string
			for _, other := range members {
				if other != c {
					want = append(want, "@"+other.name+": hello\n")
				}
			}
			got := make([]byte, len(strings.Join(want, "")))
			c.SetReadDeadline(time.Now().Add(within))
			if _, err := io.ReadFull(c, got); err != nil {
				t.Errorf("%s: %v", c.name, err)
				return
			}
			heard := strings.SplitAfter(strings.TrimSuffix(string(got), "\n")+"\n", "\n")
			heard = heard[:len(heard)-1]
			slices.Sort(heard)
			slices.Sort(want)
			if !slices.Equal(heard, want) {
				t.Errorf("%s heard %q", c.name, heard)
			}
		})
	}
	talk.Wait()
}

func TestLinesStalledReader(t *testing.T) {
	addr := serve(t, Lines{Outbox: 256 << 10})
	alice, bob, mute := register(t, addr, "alice"), register(t, addr, "bob"), register(t, addr, "mute")
	mute.SetReadBuffer(4096)
	text := strings.Repeat("x", 32<<10)
	var longest time.Duration
	for range 300 {
		began := time.Now()
		alice.tell(text)
		bob.hear("alice", text)
		longest = max(longest, time.Since(began))
	}
	if longest > tooLong {
		t.Errorf("a message took %v", longest)
	}
	mute.expectClosed()
	registerSoon(t, addr, "mute")
}

func TestLinesStop(t *testing.T) {
	ln := listen(t, "127.0.0.1:0")
	stop := serveOn(t, Lines{}, ln)
	t.Cleanup(stop)
	addr := ln.Addr().String()
	alice, bob, flooder, mute := register(t, addr, "alice"), register(t, addr, "bob"), register(t, addr, "flooder"), register(t, addr, "mute")
	silent, half := connect(t, addr, "silent"), connect(t, addr, "half")
	half.send([]byte("REGISTER ha"))
	mute.SetReadBuffer(4096)

	var busy sync.WaitGroup
	busy.Go(func() {
		for b := []byte(strings.Repeat("@flooder: flood\n", 1000)); ; {
			if _, err := flooder.Write(b); err != nil {
				return
			}
		}
	})
	for _, c := range []*client{alice, bob, flooder} {
		busy.Go(func() {
			c.SetReadDeadline(time.Now().Add(within))
			heard, err := io.ReadAll(c)
			if !bytes.HasSuffix(heard, []byte("\nDISCONNECT CHAT/1.0\n")) && string(heard) != "DISCONNECT CHAT/1.0\n" {
				t.Errorf("%s: the last of %d bytes is %q (%v)", c.name, len(heard), heard[max(0, len(heard)-50):], err)
			}
		})
	}
	time.Sleep(50 * time.Millisecond)
	stop()
	busy.Wait()
	silent.expectEnd()
	half.expectEnd()
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Error("the server still listens")
	}
}

func TestLinesStopIsQuick(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(addr, func(t *testing.T) {
			ln := listen(t, addr)
			stop := serveOn(t, Lines{}, ln)
			t.Cleanup(stop)
			alice, bob := register(t, ln.Addr().String(), "alice"), register(t, ln.Addr().String(), "bob")
			bob.tell("hello")
			alice.hear("bob", "hello")
			var leaving sync.WaitGroup
			for _, c := range []*client{alice, bob} {
				leaving.Go(func() {
					c.expectBytes("DISCONNECT CHAT/1.0\n")
					c.Close()
				})
			}
			stop()
			leaving.Wait()
		})
	}
}

func TestLinesMaxClients(t *testing.T) {
	addr := serve(t, Lines{MaxClients: 2})
	register(t, addr, "alice")
	bob := register(t, addr, "bob")
	connect(t, addr, "carol").expectEnd()
	bob.send([]byte("DISCONNECT bob CHAT/1.0\n"))
	bob.expectEnd()
}
