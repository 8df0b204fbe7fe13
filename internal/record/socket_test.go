package record

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// udp is a UDP socket at the address.
func udp(t *testing.T, address string) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(address)))
	if err != nil {
		if strings.HasPrefix(address, "[") {
			t.Skipf("SKIPPED, NOT TESTED: there is no IPv6 here: %v", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// A peerConn talks to whoever spoke last, as the engine's sockets do.
type peerConn struct {
	*net.UDPConn
	server, sender netip.AddrPort
}

func (c *peerConn) Read(b []byte) (n int, err error) {
	n, c.sender, err = c.ReadFromUDPAddrPort(b)
	return n, err
}

func (c *peerConn) Write(b []byte) (int, error) {
	if !c.server.IsValid() {
		return 0, errors.New("nobody to talk to")
	}
	return c.WriteToUDPAddrPort(b, c.server)
}

func (c *peerConn) RemoteAddr() net.Addr   { return net.UDPAddrFromAddrPort(c.server) }
func (c *peerConn) Sender() netip.AddrPort { return c.sender }

func port(c net.Conn) netip.AddrPort { return addrPort(c.LocalAddr()) }

func TestDatagrams(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) {
			server, elsewhere := udp(t, address), udp(t, address)
			inner := &peerConn{UDPConn: udp(t, address), server: port(server)}
			l := NewLog()
			probe := l.Conn(inner)
			say(t, probe, "hello")
			hear(t, server, "hello")
			for _, from := range []*net.UDPConn{server, elsewhere, server} {
				for _, text := range []string{"welcome", "", "again"} {
					if _, err := from.WriteToUDPAddrPort([]byte(text), port(inner)); err != nil {
						t.Fatal(err)
					}
					b := make([]byte, 100)
					if n, err := probe.Read(b); err != nil || string(b[:n]) != text {
						t.Errorf("heard %q and %v", b[:n], err)
					}
				}
			}
			say(t, probe, "")
			say(t, probe, strings.Repeat("x", 9000))
			if _, err := probe.Write(make([]byte, 70_000)); err == nil {
				t.Error("a datagram may be as long as that")
			}
			probe.Close()
			if _, err := probe.Read(make([]byte, 1)); err == nil {
				t.Error("a closed socket can be read")
			}
			c, file := read(t, l)
			me, it, other := port(inner), port(server), port(elsewhere)
			want := []string{
				fmt.Sprintf("%v>%v hello", me, it),
				fmt.Sprintf("%v>%v welcome", it, me), fmt.Sprintf("%v>%v ", it, me), fmt.Sprintf("%v>%v again", it, me),
				fmt.Sprintf("%v>%v welcome", other, me), fmt.Sprintf("%v>%v ", other, me), fmt.Sprintf("%v>%v again", other, me),
				fmt.Sprintf("%v>%v welcome", it, me), fmt.Sprintf("%v>%v ", it, me), fmt.Sprintf("%v>%v again", it, me),
				fmt.Sprintf("%v>%v ", me, it),
				fmt.Sprintf("%v>%v %s", me, it, strings.Repeat("x", 9000)),
			}
			if !slices.Equal(c.datagrams, want) {
				t.Errorf("the capture has\n%.2000s\nnot\n%.2000s", strings.Join(c.datagrams, "\n"), strings.Join(want, "\n"))
			}
			faultless(t, file)
		})
	}
}

// A socket that plays the server has nobody to talk to at first.
func TestGuestComesLater(t *testing.T) {
	inner := &peerConn{UDPConn: udp(t, "127.0.0.1:0")}
	guest := udp(t, "127.0.0.1:0")
	l := NewLog()
	probe := l.Accepted(inner)
	if _, err := probe.Write([]byte("anybody?")); err == nil {
		t.Error("nobody can be told")
	}
	if _, err := guest.WriteToUDPAddrPort([]byte("hello"), port(inner)); err != nil {
		t.Fatal(err)
	}
	hear(t, probe, "hello")
	inner.server = port(guest)
	say(t, probe, "welcome")
	c, _ := read(t, l)
	want := []string{fmt.Sprintf("%v>%v hello", port(guest), port(inner)), fmt.Sprintf("%v>%v welcome", port(inner), port(guest))}
	if !slices.Equal(c.datagrams, want) {
		t.Errorf("the capture has %q, not %q", c.datagrams, want)
	}
}

// A socket that is connected says itself where it leads, also when it takes both
// families.
func TestConnectedSocket(t *testing.T) {
	server := udp(t, "127.0.0.1:0")
	c, err := net.Dial("udp", server.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	l := NewLog()
	probe := l.Conn(c)
	defer probe.Close()
	say(t, probe, "hello")
	both := &peerConn{UDPConn: udp(t, "127.0.0.1:0"), server: port(server)}
	say(t, l.Conn(wildcard{both}), "hello again")
	got, file := read(t, l)
	want := []string{fmt.Sprintf("%v>%v hello", port(probe), port(server)), fmt.Sprintf("0.0.0.0:%d>%v hello again", port(both).Port(), port(server))}
	if !slices.Equal(got.datagrams, want) {
		t.Errorf("the capture has %q, not %q", got.datagrams, want)
	}
	faultless(t, file)
}

// A wildcard seems to be a socket that takes both families.
type wildcard struct{ *peerConn }

func (w wildcard) LocalAddr() net.Addr {
	return &net.UDPAddr{IP: net.IPv6unspecified, Port: int(port(w.peerConn).Port())}
}

func TestDatagramsBeyondTheLimit(t *testing.T) {
	server := udp(t, "127.0.0.1:0")
	l := NewLog()
	l.limit = 1000
	probe := l.Conn(&peerConn{UDPConn: udp(t, "127.0.0.1:0"), server: port(server)})
	for range 20 {
		say(t, probe, strings.Repeat("x", 300))
		say(t, probe, "")
	}
	c, _ := read(t, l)
	if len(c.datagrams) != 4 || l.LeftOut() != 18*300 || l.kept > l.limit+entryCost {
		t.Errorf("%d datagrams, %d bytes left out, %d kept", len(c.datagrams), l.LeftOut(), l.kept)
	}
}
