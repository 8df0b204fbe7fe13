package refserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// serveDatagrams starts d on a free port of host and stops it when the test ends, with the checks of serve.
func serveDatagrams(t testing.TB, d Datagram, host string) (addr netip.AddrPort) {
	t.Helper()
	conn, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
	if err != nil {
		if strings.Contains(host, ":") {
			t.Skipf("no IPv6: %v", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(start(t, func(ctx context.Context) error { return d.Serve(ctx, conn) }))
	return netip.MustParseAddrPort(conn.LocalAddr().String())
}

// peer is a client of the datagram protocol: a socket that hears only the server.
type peer struct {
	testing.TB
	*net.UDPConn
	at string // its address, as the server shows it
}

// newPeer returns a client that has not greeted.
func newPeer(t testing.TB, server netip.AddrPort) *peer {
	t.Helper()
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(server))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	local := netip.MustParseAddrPort(conn.LocalAddr().String())
	at := fmt.Sprintf("%v %d", local.Addr(), local.Port())
	if local.Addr().Is6() {
		at = fmt.Sprintf("[%v] %d", local.Addr(), local.Port())
	}
	return &peer{TB: t, UDPConn: conn, at: at}
}

// greeted returns a client that has greeted.
func greeted(t testing.TB, server netip.AddrPort) *peer {
	t.Helper()
	p := newPeer(t, server)
	p.send("GREETING")
	p.send("MESSAGE I am here")
	p.expect(p, "I am here")
	return p
}

// send sends one datagram.
func (p *peer) send(payload string) {
	p.Helper()
	if _, err := p.Write([]byte(payload)); err != nil {
		p.Fatalf("%s sends: %v", p.at, err)
	}
}

// read receives one datagram.
func (p *peer) read() string {
	p.Helper()
	p.SetReadDeadline(time.Now().Add(within))
	b := make([]byte, 64<<10)
	n, err := p.Read(b)
	if err != nil {
		p.Fatalf("%s waits: %v", p.at, err)
	}
	return string(b[:n])
}

// expect receives one datagram, which must be text from this client.
func (p *peer) expect(from *peer, text string) {
	p.Helper()
	if got, want := p.read(), "INCOMING "+from.at+" "+text; got != want {
		p.Fatalf("%s got %.99q (%d bytes), want %.99q (%d bytes)", p.at, got, len(got), want, len(want))
	}
}

// The bytes on the wire, by hand (U-2, U-3).
func TestDatagramVectors(t *testing.T) {
	server := serveDatagrams(t, Datagram{}, "127.0.0.1")
	alice, bob := newPeer(t, server), newPeer(t, server)
	port := func(p *peer) int { return p.LocalAddr().(*net.UDPAddr).Port }
	alice.send("GREETING")
	alice.send("MESSAGE to myself")
	if got, want := alice.read(), fmt.Sprintf("INCOMING 127.0.0.1 %d to myself", port(alice)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	bob.send("GREETING")
	bob.send("MESSAGE hello")
	for _, p := range []*peer{alice, bob} {
		if got, want := p.read(), fmt.Sprintf("INCOMING 127.0.0.1 %d hello", port(bob)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A greeting more changes nothing (U-2).
func TestDatagramGreetsAgain(t *testing.T) {
	server := serveDatagrams(t, Datagram{}, "127.0.0.1")
	alice, bob := greeted(t, server), greeted(t, server)
	alice.send("MESSAGE bob is there")
	alice.expect(bob, "I am here")
	alice.expect(alice, "bob is there")
	bob.expect(alice, "bob is there")
	for range 3 {
		alice.send("GREETING")
		bob.send("GREETING")
	}
	for _, text := range []string{"one", "two"} {
		bob.send("MESSAGE " + text)
		alice.expect(bob, text)
		bob.expect(bob, text)
	}
}

// Texts of all kinds go as they are (U-3, U-9).
func TestDatagramTexts(t *testing.T) {
	server := serveDatagrams(t, Datagram{}, "127.0.0.1")
	alice, bob := greeted(t, server), greeted(t, server)
	alice.expect(bob, "I am here")
	longest := maxDatagram - len("INCOMING "+alice.at+" ")
	for _, text := range []string{
		"x", "", " ", "  two blanks and two  ", "a\x00b", "\x00", "\xff\xfe\xc3", "line\n", "GREETING", "MESSAGE hello",
		"INCOMING 127.0.0.1 1 hello", "grüße 🙂", "\x1b[2J", strings.Repeat("a", 1400), strings.Repeat("b", 9000),
		strings.Repeat("c", 65000), strings.Repeat("d", longest),
	} {
		alice.send("MESSAGE " + text)
		alice.expect(alice, text)
		bob.expect(alice, text)
	}
	for more := 1; more <= maxDatagram-len("MESSAGE ")-longest; more++ {
		alice.send("MESSAGE " + strings.Repeat("e", longest+more)) // for which there is no INCOMING
	}
	bob.send("MESSAGE all is well")
	alice.expect(bob, "all is well")
	bob.expect(bob, "all is well")
}

// What is neither a greeting nor a message has no answer and makes nobody active (U-4), and nothing is passed on for
// those who have not greeted (U-8).
func TestDatagramIgnored(t *testing.T) {
	server := serveDatagrams(t, Datagram{}, "127.0.0.1")
	alice := greeted(t, server)
	for _, payload := range []string{
		"", " ", "\x00", "GREETING\n", "GREETING ", "GREETING hello", " GREETING", "greeting", "GREETIN", "GREETINGS",
		"GREETING\x00", "MESSAGE", "MESSAGE\n", "MESSAGE: hello", "message hello", "MESSAGEhello", "MESSAGE\thello",
		" MESSAGE hello", "INCOMING 127.0.0.1 1 hello", "\xff\xff", strings.Repeat("G", maxDatagram), "GREETINGMESSAGE x",
	} {
		stranger := newPeer(t, server)
		stranger.send(payload)
		stranger.send("MESSAGE from a stranger")
		alice.send(payload)
		alice.send("MESSAGE all is well")
		alice.expect(alice, "all is well")
		stranger.send("GREETING") // from now on
		stranger.send("MESSAGE hello")
		stranger.expect(stranger, "hello")
		alice.expect(stranger, "hello")
		// It stays: the next one could be given its port, and would be none.
	}
}

// Who has gone makes no difference, whatever the system says about it (U-4, U-5).
func TestDatagramGone(t *testing.T) {
	server := serveDatagrams(t, Datagram{}, "127.0.0.1")
	alice := greeted(t, server)
	for range 20 {
		gone := greeted(t, server)
		alice.expect(gone, "I am here")
		gone.Close()
	}
	bob := greeted(t, server)
	alice.expect(bob, "I am here")
	for i := range 50 {
		text := fmt.Sprint("message ", i)
		alice.send("MESSAGE " + text)
		alice.expect(alice, text)
		bob.expect(alice, text)
	}
}

// A thousand clients, and all hear each message once (U-6).
func TestDatagramThousand(t *testing.T) {
	server := serveDatagrams(t, Datagram{}, "127.0.0.1")
	var peers []*peer
	for range 1000 {
		p := newPeer(t, server)
		p.send("GREETING")
		peers = append(peers, p)
	}
	first, last := peers[0], peers[999]
	last.send("MESSAGE everybody?")
	for _, p := range peers {
		p.expect(last, "everybody?")
	}
	first.send("MESSAGE one")
	first.send("MESSAGE two")
	for _, p := range peers {
		p.expect(first, "one")
		p.expect(first, "two")
	}
}

// A burst is not lost while the server sends (U-6).
func TestDatagramBurst(t *testing.T) {
	server := serveDatagrams(t, Datagram{}, "127.0.0.1")
	for range 99 {
		newPeer(t, server).send("GREETING") // and never reads
	}
	alice := greeted(t, server)
	const burst = 1000
	var hearing sync.WaitGroup
	hearing.Go(func() {
		for i := range burst {
			alice.expect(alice, fmt.Sprint("message ", i))
		}
	})
	for i := range burst {
		alice.send(fmt.Sprint("MESSAGE message ", i))
		if i%50 == 49 {
			time.Sleep(time.Millisecond) // far less than it takes to pass them on
		}
	}
	hearing.Wait()
}

// Addresses of IPv6 stand in brackets; those of IPv4 are shown as such on a socket for both (U-3).
func TestDatagramAddresses(t *testing.T) {
	for _, host := range []string{"::1", "::"} {
		t.Run(host, func(t *testing.T) {
			server := serveDatagrams(t, Datagram{}, host)
			alice := greeted(t, netip.AddrPortFrom(netip.IPv6Loopback(), server.Port()))
			if want := "[::1] "; !strings.HasPrefix(alice.at, want) {
				t.Fatalf("alice is at %s", alice.at)
			}
			if host == "::1" {
				return
			}
			bob := greeted(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), server.Port()))
			if want := "127.0.0.1 "; !strings.HasPrefix(bob.at, want) {
				t.Fatalf("bob is at %s", bob.at)
			}
			alice.expect(bob, "I am here")
			alice.send("MESSAGE hello")
			bob.expect(alice, "hello")
		})
	}
}

func TestAppendIncoming(t *testing.T) {
	for from, want := range map[string]string{
		"192.0.2.1:1":         "INCOMING 192.0.2.1 1 hi",
		"[2001:db8::1]:65535": "INCOMING [2001:db8::1] 65535 hi",
		"[fe80::1%eth0]:4447": "INCOMING [fe80::1] 4447 hi",
	} {
		if got := string(appendIncoming(nil, netip.MustParseAddrPort(from), []byte("hi"))); got != want {
			t.Errorf("%s: %q, want %q", from, got, want)
		}
	}
}

func TestDatagramMaxClients(t *testing.T) {
	server := serveDatagrams(t, Datagram{MaxClients: 2}, "127.0.0.1")
	alice, bob := greeted(t, server), greeted(t, server)
	alice.expect(bob, "I am here")
	third := newPeer(t, server)
	third.send("GREETING")
	third.send("MESSAGE one too many")
	alice.send("GREETING")
	alice.send("MESSAGE all is well")
	alice.expect(alice, "all is well")
	bob.expect(alice, "all is well")
}

// A server stops within a second in the middle of its work.
func TestDatagramStop(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop := start(t, func(ctx context.Context) error { return Datagram{}.Serve(ctx, conn) })
	t.Cleanup(stop)
	server := netip.MustParseAddrPort(conn.LocalAddr().String())
	for range 200 {
		newPeer(t, server).send("GREETING")
	}
	alice := newPeer(t, server)
	alice.send("GREETING")
	for range 5000 {
		_, _ = alice.Write([]byte("MESSAGE flood"))
	}
	stop()
	if _, err := conn.WriteTo([]byte("x"), conn.LocalAddr()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the socket is still open: %v", err)
	}
}

// troubled is a socket whose every other read fails.
type troubled struct {
	*net.UDPConn
	errs []error
	ok   bool
}

func (s *troubled) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	if s.ok = !s.ok; s.ok || len(s.errs) == 0 {
		return s.UDPConn.ReadFromUDPAddrPort(b)
	}
	err := s.errs[0]
	s.errs = s.errs[1:]
	return 0, netip.AddrPort{}, &net.OpError{Op: "read", Net: "udp", Err: os.NewSyscallError("recvfrom", err)}
}

// A read that fails is not the end (U-1, U-4).
func TestDatagramReadFails(t *testing.T) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	socket := &troubled{UDPConn: conn, errs: []error{
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ENOBUFS, syscall.EIO, syscall.ECONNREFUSED,
	}}
	t.Cleanup(start(t, func(ctx context.Context) error { return Datagram{}.Serve(ctx, socket) }))
	alice := greeted(t, netip.MustParseAddrPort(conn.LocalAddr().String()))
	for range 10 {
		alice.send("MESSAGE still there?")
		alice.expect(alice, "still there?")
	}
}

func TestDatagramServeFails(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if err := (Datagram{}).Serve(context.Background(), conn); !errors.Is(err, net.ErrClosed) {
		t.Errorf("serve on a closed socket: %v", err)
	}
	if err := (Datagram{}).Serve(context.Background(), struct{ net.PacketConn }{conn}); err == nil ||
		!strings.Contains(err.Error(), "is not a UDP socket") {
		t.Errorf("serve on what is no UDP socket: %v", err)
	}
	checkLeaks(t)
}

func TestDatagramChoices(t *testing.T) {
	if got, want := (Datagram{}).Choices(), "ungreeted=ignore"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A backlog keeps the order, holds back who puts in too much, and lets everybody go when it is closed.
func TestBacklog(t *testing.T) {
	b := newBacklog(2*datagramCost + 10)
	b.put(datagram{payload: []byte("12345")})
	b.put(datagram{payload: []byte("67890")})
	third := make(chan struct{})
	go func() {
		b.put(datagram{payload: []byte(strings.Repeat("x", 1000))})
		close(third)
	}()
	select {
	case <-third:
		t.Error("a full backlog takes more")
	case <-time.After(20 * time.Millisecond):
	}
	if all, ok := b.takeAll(); !ok || len(all) != 2 || string(all[0].payload)+string(all[1].payload) != "1234567890" {
		t.Errorf("took %v, %v", all, ok)
	}
	<-third
	go b.put(datagram{})
	if all, ok := b.takeAll(); !ok || len(all[0].payload) != 1000 {
		t.Errorf("took %d, %v", len(all), ok)
	}
	b.takeAll()
	go b.close()
	if all, ok := b.takeAll(); ok {
		t.Errorf("took %v from a closed backlog", all)
	}
	b.put(datagram{payload: make([]byte, 1000)})
	b.put(datagram{payload: make([]byte, 1000)}) // does not wait for what nobody will do
}
