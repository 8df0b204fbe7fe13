package refserver

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestDirectComeAndGo(t *testing.T) {
	addr := serve(t, Direct{})
	alice := user(t, addr, "alice")
	for i := range 30 {
		bob := user(t, addr, "bob")
		bob.ask(sendPacket("alice", "hello"), answerOK)
		alice.expectBytes(string(deliveryPacket("bob", "hello")))
		switch i % 3 {
		case 0:
			bob.Close()
		case 1:
			bob.reset()
		case 2:
			bob.send([]byte("\x03\x05ali"))
			bob.Close()
		}
		alice.awaitUsers("alice")
		alice.ask(sendPacket("bob", "where are you?"), answerFailure)
	}
}

func TestDirectDeliveredWhileLoggedIn(t *testing.T) {
	addr := serve(t, Direct{})
	var senders []*client
	for i := range 2 {
		senders = append(senders, user(t, addr, fmt.Sprint("sender", i)))
	}
	bob := connect(t, addr, "bob")
	var sending sync.WaitGroup
	done := make(chan struct{})
	for _, c := range senders {
		sending.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					c.send(sendPacket("bob", "psst"))
					if _, _, _, err := readAnswer(c); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	heard := 0
	for i := 0; i < 300; {
		bob.send(slices.Concat(loginPacket("bob"), []byte{2}))
		for asked, logout := 0, false; ; asked++ {
			kind, names, text, err := readAnswer(bob)
			if err != nil {
				t.Fatal(err)
			}
			if asked == 0 && (kind != 6 || text != "\x00") {
				t.Fatalf("bob is %v and got %d %q %q before the answer to its login", i, kind, names, text)
			}
			if kind == 7 {
				heard++
			}
			if kind == 5 { // the list; two answers from the end
				bob.send([]byte{4})
				logout = true
			}
			if logout && kind == 6 {
				i++
				break
			}
		}
		bob.ask([]byte{2}, "\x05\x00\x02\x07sender0\x07sender1") // and nothing but that
	}
	close(done)
	sending.Wait()
	if heard == 0 {
		t.Error("bob was never sent anything")
	}
}

func TestDirectStalledReader(t *testing.T) {
	addr := serve(t, Direct{Outbox: 256 << 10})
	alice, bob, mute := user(t, addr, "alice"), user(t, addr, "bob"), user(t, addr, "mute")
	half := user(t, addr, "half")
	half.send([]byte("\x03\x03bob\xff\xffhalf a te"))
	mute.SetReadBuffer(4096)
	text := strings.Repeat("x", 60_000)
	for i := 0; ; i++ {
		began := time.Now()
		alice.ask(sendPacket("bob", text), answerOK)
		bob.expectBytes(string(deliveryPacket("alice", text)))
		if took := time.Since(began); took > tooLong {
			t.Errorf("a message to bob took %v", took)
		}
		began = time.Now()
		alice.send(sendPacket("mute", text))
		_, _, result, err := readAnswer(alice)
		if took := time.Since(began); err != nil || took > tooLong {
			t.Errorf("a message to mute took %v: %v", took, err)
		}
		if result == "\x01" {
			break
		}
		if i == 500 {
			t.Fatal("mute is still there after 30 MB")
		}
	}
	mute.expectClosed()
	alice.awaitUsers("alice", "bob", "half")
}

func TestDirectLog(t *testing.T) {
	var log bytes.Buffer
	ln := listen(t, "127.0.0.1:0")
	stop := serveOn(t, Direct{Log: slog.New(slog.NewTextHandler(&log, nil))}, ln)
	t.Cleanup(stop)
	alice := connect(t, ln.Addr().String(), "alice")
	for range 100 {
		alice.ask(slices.Concat(loginPacket("alice"), loginPacket("alice"), []byte{4}), answerOK+answerFailure+answerOK)
	}
	stop()
	if lines := strings.Count(log.String(), "\n"); lines != mostNotes {
		t.Errorf("%d lines, want %d", lines, mostNotes)
	}
	for _, want := range []string{
		`level=INFO msg="logged in" user=alice client=127`, `level=INFO msg="logged out" user=alice client=127`,
		`level=WARN msg="no login" error="\"alice\" is logged in as \"alice\" already" client=127`, "what comes after is not logged",
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %s:\n%s", want, &log)
		}
	}
}

func TestDirectPipelined(t *testing.T) {
	addr := serve(t, Direct{Outbox: 64 << 10})
	alice := user(t, addr, "alice")
	const rounds = 100_000
	var asking sync.WaitGroup
	asking.Go(func() {
		b := bytes.Repeat(slices.Concat([]byte{2}, sendPacket("alice", "x"), sendPacket("eve", "x")), rounds)
		alice.SetWriteDeadline(time.Now().Add(within))
		if _, err := alice.Write(b); err != nil {
			t.Error(err)
		}
	})
	time.Sleep(50 * time.Millisecond)
	want := bytes.Repeat([]byte("\x05\x00\x01\x05alice"+"\x07\x05alice\x00\x01x"+answerOK+answerFailure), rounds)
	got := make([]byte, len(want))
	alice.SetReadDeadline(time.Now().Add(within))
	if n, err := io.ReadFull(alice, got); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes of %d, or they differ: %v", n, len(want), err)
	}
	asking.Wait()
}

func TestDirectHundred(t *testing.T) {
	addr := serve(t, Direct{})
	for range 5 {
		connect(t, addr, "silent")
	}
	var members []*client
	var names []string
	for i := range 100 {
		name := fmt.Sprintf("client%02d", i)
		members, names = append(members, user(t, addr, name)), append(names, name)
	}
	members[0].awaitUsers(names...)
	var talk sync.WaitGroup
	for _, c := range members {
		talk.Go(func() {
			go func() {
				for _, to := range names {
					c.send(sendPacket(to, "hello "+to))
				}
			}()
			heard, answers := map[string]bool{}, 0
			for len(heard) < len(names) || answers < len(names) {
				kind, from, text, err := readAnswer(c)
				switch {
				case err != nil:
					t.Errorf("%s: %v", c.name, err)
					return
				case kind == 6 && text == "\x00":
					answers++
				case kind == 7 && text == "hello "+c.name && !heard[from[0]]:
					heard[from[0]] = true
				default:
					t.Errorf("%s got type %d %q %q", c.name, kind, from, text)
				}
			}
		})
	}
	talk.Wait()
}

func TestDirectStop(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(addr, func(t *testing.T) {
			ln := listen(t, addr)
			stop := serveOn(t, Direct{}, ln)
			t.Cleanup(stop)
			addr := ln.Addr().String()
			alice, mute, flooder := user(t, addr, "alice"), user(t, addr, "mute"), user(t, addr, "flooder")
			alice.send([]byte{3})
			silent := connect(t, addr, "silent")
			var flood sync.WaitGroup
			flood.Go(func() {
				for b := bytes.Repeat(sendPacket("mute", strings.Repeat("x", 1000)), 100); ; {
					if _, err := flooder.Write(b); err != nil {
						return
					}
				}
			})
			flood.Go(func() { io.Copy(io.Discard, flooder.TCPConn) })
			time.Sleep(50 * time.Millisecond)
			stop()
			flood.Wait()
			for _, c := range []*client{alice, mute, silent} {
				c.expectClosed()
			}
			if conn, err := net.Dial("tcp", addr); err == nil {
				conn.Close()
				t.Error("the server still listens")
			}
		})
	}
}

func TestDirectMaxClients(t *testing.T) {
	addr := serve(t, Direct{MaxClients: 2})
	alice := user(t, addr, "alice")
	bob := connect(t, addr, "bob")
	bob.ask([]byte{2}, "\x05\x00\x01\x05alice")
	connect(t, addr, "carol").expectEnd()
	alice.ask([]byte{2}, "\x05\x00\x01\x05alice")
}
