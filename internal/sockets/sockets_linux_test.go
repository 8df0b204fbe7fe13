package sockets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"
)

// tables gives the test both ways to read the table, netlink and /proc.
func tables(t *testing.T, f func(t *testing.T, table *Table)) {
	t.Run("netlink", func(t *testing.T) {
		table, err := Open()
		if err != nil {
			t.Fatal(err)
		}
		defer table.Close()
		if table.fd < 0 {
			t.Skip("SKIPPED: this machine refuses netlink's inet_diag")
		}
		f(t, table)
	})
	t.Run("proc", func(t *testing.T) { f(t, &Table{fd: -1}) })
}

// pair is a connection to a listener of this program, with both ends in our hands.
type pair struct {
	client, server *net.TCPConn
}

func connect(t testing.TB, listenOn, dial string) pair {
	t.Helper()
	network := "tcp"
	if listenOn == "127.0.0.1:0" {
		network = "tcp4"
	}
	l, err := net.Listen(network, listenOn)
	if err != nil {
		t.Skipf("SKIPPED: cannot listen on %s: %v", listenOn, err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	c, err := net.Dial("tcp", net.JoinHostPort(dial, port))
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return pair{c.(*net.TCPConn), s.(*net.TCPConn)}
}

func (p pair) addrs() (local, remote netip.AddrPort) {
	return p.client.LocalAddr().(*net.TCPAddr).AddrPort(), p.client.RemoteAddr().(*net.TCPAddr).AddrPort()
}

// await asks until the peer is as wanted, since what is written arrives a moment later.
func await(t *testing.T, table *Table, p pair, what string, want func(End, error) bool) End {
	t.Helper()
	local, remote := p.addrs()
	var end End
	var err error
	for start := time.Now(); time.Since(start) < time.Minute; time.Sleep(200 * time.Microsecond) {
		if end, err = table.Peer(local, remote); want(end, err) {
			return end
		}
	}
	t.Fatalf("%s: peer is %+v, %v", what, end, err)
	return end
}

func TestPeer(t *testing.T) {
	families := []struct{ name, listen, dial string }{
		{"IPv4", "127.0.0.1:0", "127.0.0.1"},
		{"IPv6", "[::1]:0", "::1"},
		{"IPv4 client of a dual-stack server", "[::]:0", "127.0.0.1"},
	}
	for _, family := range families {
		t.Run(family.name, func(t *testing.T) {
			tables(t, func(t *testing.T, table *Table) {
				p := connect(t, family.listen, family.dial)
				end := await(t, table, p, "new", func(e End, err error) bool { return err == nil && e.State == Established })
				if end.Unread != 0 || end.Received != 0 || end.Counted != (table.fd >= 0) || end.ReadEnd || end.Inode == 0 {
					t.Errorf("a new connection: %+v", end)
				}
				received := func(n uint64) uint64 { // which only netlink knows
					if table.fd < 0 {
						return 0
					}
					return n
				}

				p.client.Write(make([]byte, 1000))
				end = await(t, table, p, "written", func(e End, err error) bool { return e.Unread == 1000 })
				if end.Received != received(1000) {
					t.Errorf("after writing 1000 bytes: %+v", end)
				}
				io.ReadFull(p.server, make([]byte, 600))
				if end = await(t, table, p, "read", func(e End, err error) bool { return e.Unread == 400 }); end.Received != received(1000) {
					t.Errorf("after reading 600 of 1000 bytes: %+v", end)
				}

				p.client.CloseWrite()
				end = await(t, table, p, "client closed", func(e End, err error) bool { return e.State == CloseWait })
				if end.Unread != 400 || end.ReadEnd || end.Received != received(1000) {
					t.Errorf("client has closed, 400 bytes unread: %+v", end)
				}
				io.ReadFull(p.server, make([]byte, 399))
				if end = await(t, table, p, "last but one", func(e End, err error) bool { return e.Unread == 1 }); end.ReadEnd {
					t.Errorf("one byte and the end unread: %+v", end)
				}
				io.ReadAll(p.server)
				if end = await(t, table, p, "end read", func(e End, err error) bool { return e.ReadEnd }); end.Unread != 0 {
					t.Errorf("all read: %+v", end)
				}
				p.client.Close()
				p.server.Close()
				await(t, table, p, "gone", func(e End, err error) bool { return err == ErrNotFound })
			})
		})
	}
}

// A client that resets the connection takes the server's end away at once.
func TestPeerReset(t *testing.T) {
	tables(t, func(t *testing.T, table *Table) {
		p := connect(t, "127.0.0.1:0", "127.0.0.1")
		p.client.SetLinger(0)
		p.client.Close()
		await(t, table, p, "reset", func(e End, err error) bool { return err == ErrNotFound })
	})
}

// A connection that the server has not accepted has no owner, but what it receives is counted.
func TestPeerNotAccepted(t *testing.T) {
	tables(t, func(t *testing.T, table *Table) {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "hello")
		p := pair{client: c.(*net.TCPConn)}
		if e := await(t, table, p, "not accepted", func(e End, err error) bool { return e.Unread == 5 }); e.Inode != 0 {
			t.Errorf("owner of a connection that is not accepted: %+v", e)
		}
	})
}

// A listener on the same port must not be taken for the end of a connection.
func TestPeerNotFound(t *testing.T) {
	tables(t, func(t *testing.T, table *Table) {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		remote := l.Addr().(*net.TCPAddr).AddrPort()
		for _, local := range []string{"127.0.0.1:1", "192.0.2.1:99"} {
			if e, err := table.Peer(netip.MustParseAddrPort(local), remote); err != ErrNotFound {
				t.Errorf("peer of %s at the listener %s: %+v, %v; want ErrNotFound", local, remote, e, err)
			}
		}
		other := netip.MustParseAddrPort("[2001:db8::1]:80")
		if e, err := table.Peer(netip.MustParseAddrPort("[::1]:1"), other); err != ErrNotFound {
			t.Errorf("peer on another machine: %+v, %v; want ErrNotFound", e, err)
		}
		if _, err := table.Peer(other, remote); err == nil || err == ErrNotFound {
			t.Errorf("peer of an IPv6 address at an IPv4 one: %v; want an error that says so", err)
		}
	})
}

func TestPeerAfterClose(t *testing.T) {
	table, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	table.Close()
	if err := table.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	a := netip.MustParseAddrPort("127.0.0.1:1")
	if _, err := table.Peer(a, a); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Peer after Close: %v", err)
	}
	if _, err := table.Listeners(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Listeners after Close: %v", err)
	}
}

func TestPeerConcurrently(t *testing.T) {
	table, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	var wg sync.WaitGroup
	for i := range 8 {
		p := connect(t, "127.0.0.1:0", "127.0.0.1")
		p.client.Write(make([]byte, 100+i))
		await(t, table, p, "written", func(e End, err error) bool { return e.Unread == 100+i })
		local, remote := p.addrs()
		wg.Go(func() {
			for range 500 {
				if e, err := table.Peer(local, remote); err != nil || e.Unread != 100+i {
					t.Errorf("connection %d: %+v, %v", i, e, err)
					return
				}
				if i == 0 {
					if _, err := table.Listeners(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestListening(t *testing.T) {
	tables(t, func(t *testing.T, table *Table) {
		var want []string
		listen := func(network, addr string) {
			t.Helper()
			var bound net.Addr
			if network == "udp" || network == "udp4" {
				l, err := net.ListenPacket(network, addr)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { l.Close() })
				bound, network = l.LocalAddr(), "udp"
			} else {
				l, err := net.Listen(network, addr)
				if err != nil {
					t.Skipf("SKIPPED: cannot listen on %s: %v", addr, err)
				}
				t.Cleanup(func() { l.Close() })
				bound, network = l.Addr(), "tcp"
			}
			want = append(want, network+" "+bound.String())
		}
		listen("tcp4", "127.0.0.1:0")
		listen("tcp4", "0.0.0.0:0")
		listen("tcp6", "[::1]:0")
		listen("tcp", "[::]:0")
		listen("udp4", "127.0.0.1:0")
		connect(t, "127.0.0.1:0", "127.0.0.1") // connections are no listeners

		list, err := table.Listening([]int{os.Getpid()})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range list {
			got = append(got, l.Network+" "+l.Addr.String())
			if dual := l.Addr.Addr() == netip.IPv6Unspecified() && table.fd >= 0; l.PID != os.Getpid() || l.Dual != dual {
				t.Errorf("%+v: want PID %d, Dual %v", l, os.Getpid(), dual)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("listening:\n got %q\nwant %q", got, want)
		}
		if list, err := table.Listening([]int{1 << 30}); len(list) != 0 || err != nil {
			t.Errorf("listening of no process: %v, %v", list, err)
		}
	})
}

func TestNoDescriptorLeaks(t *testing.T) {
	count := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	Listening([]int{os.Getpid()})
	before := count()
	for range 20 {
		Listening([]int{os.Getpid()})
		Tree(os.Getpid())
		Children(os.Getpid())
		procListeners(kinds[0])
	}
	if after := count(); after != before {
		t.Errorf("file descriptors: %d before, %d after", before, after)
	}
}

func TestParseEntry(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the lines are those of a little-endian machine")
	}
	tests := []struct {
		line string
		want entry
		ok   bool
	}{
		{"   0: 0100007F:9C41 0200007F:A3C2 01 00000000:00000005 00:00000000 00000000  1000        0 12345 1 0 100 0 0 10 0",
			entry{netip.MustParseAddrPort("127.0.0.1:40001"), netip.MustParseAddrPort("127.0.0.2:41922"), Established, 5, 12345}, true},
		{"  12: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 7",
			entry{netip.MustParseAddrPort("[::1]:80"), netip.MustParseAddrPort("[::]:0"), Listen, 0, 7}, true},
		{"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode", entry{}, false},
		{"", entry{}, false},
		{"0: 01:1 02:2 01 0:0 0 0 0 0 1", entry{}, false},
	}
	for _, test := range tests {
		if got, ok := parseEntry(test.line); got != test.want || ok != test.ok {
			t.Errorf("parseEntry(%q) = %+v, %v", test.line, got, ok)
		}
	}
}

func TestParseStat(t *testing.T) {
	p, ok := parseStat([]byte("17 (a) R (b c) S 4 16 15 0 -1 4194560\n"))
	if want := (process{0, 4, 16, 15}); p != want || !ok {
		t.Errorf("parseStat = %+v, %v; want %+v", p, ok, want)
	}
	if _, ok := parseStat([]byte("17 (a")); ok {
		t.Error("half a line is accepted")
	}
}

func TestHasRead(t *testing.T) {
	tests := []struct {
		end  End
		sent uint64
		want bool
	}{
		{End{Received: 5, Counted: true}, 5, true},
		{End{Received: 5, Counted: true, Unread: 1}, 5, false},
		{End{Received: 5, Counted: true}, 6, false}, // the sixth is on its way
		{End{Counted: true}, 1, false},
		{End{}, 6, true}, // as far as is known
		{End{Unread: 1}, 6, false},
	}
	for _, test := range tests {
		if got := test.end.HasRead(test.sent); got != test.want {
			t.Errorf("%+v has read %d: %v", test.end, test.sent, got)
		}
	}
}

func TestState(t *testing.T) {
	for s, want := range map[State]string{Established: "ESTABLISHED", CloseWait: "CLOSE_WAIT", Listen: "LISTEN", 0: "UNKNOWN", 200: "UNKNOWN"} {
		if s.String() != want {
			t.Errorf("state %d is %s, want %s", s, s, want)
		}
	}
}

func BenchmarkPeer(b *testing.B) {
	p := connect(b, "127.0.0.1:0", "127.0.0.1")
	local, remote := p.addrs()
	table, err := Open()
	if err != nil {
		b.Fatal(err)
	}
	defer table.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := table.Peer(local, remote); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPeerProc(b *testing.B) {
	p := connect(b, "127.0.0.1:0", "127.0.0.1")
	local, remote := p.addrs()
	table := &Table{fd: -1}
	for b.Loop() {
		if _, err := table.Peer(local, remote); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkListeners(b *testing.B) {
	table, err := Open()
	if err != nil {
		b.Fatal(err)
	}
	defer table.Close()
	for b.Loop() {
		table.Listeners()
	}
}

func BenchmarkListening(b *testing.B) {
	for b.Loop() {
		Listening([]int{os.Getpid()})
	}
}

func BenchmarkTree(b *testing.B) {
	for b.Loop() {
		Tree(os.Getpid())
	}
}

func BenchmarkChildren(b *testing.B) {
	for b.Loop() {
		Children(os.Getpid())
	}
}
