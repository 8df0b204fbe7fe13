package sockets

import (
	"io"
	"net"
	"slices"
	"testing"
)

func TestLingering(t *testing.T) {
	lingers := func(a net.Addr) bool { return slices.Contains(Lingering(), a.(*net.TCPAddr).Port) }
	var l net.Listener
	until(t, "a port that does not linger", func() bool {
		var err error
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return !lingers(l.Addr())
	})
	visit := func() (from net.Addr) {
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		server.Close()
		if _, err := io.Copy(io.Discard, client); err != nil {
			t.Fatal(err)
		}
		return client.LocalAddr()
	}
	// One visit would do, were there not ports of clients that linger from what they were used for before: it takes
	// as many as tell which end is the server's.
	until(t, "the server's port lingers, and the client's does not", func() bool {
		from := visit()
		return lingers(l.Addr()) && !lingers(from)
	})
}

func TestOfServers(t *testing.T) {
	tests := []struct {
		name string
		list []loopback
		want []int
	}{
		{"a low port and a client's", []loopback{{5000, 40_000}}, []int{5000}},
		{"a client's port and a low one", []loopback{{40_000, 5000}}, nil},
		{"a client's port was used towards others as well", []loopback{{5000, 40_000}, {40_000, 6000}, {40_000, 7000}}, []int{5000}},
		{"two high ports, each once", []loopback{{45_000, 40_000}}, []int{45_000}},
		{"a high port with two clients", []loopback{{45_000, 40_000}, {45_000, 40_001}}, []int{45_000}},
		{"two clients of a high port", []loopback{{40_000, 45_000}, {40_001, 45_000}}, nil},
		{"two low ports", []loopback{{6000, 5000}, {7000, 8000}}, []int{7000}},
	}
	for _, test := range tests {
		if got := ofServers(test.list); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}
