package sockets

import (
	"io"
	"net"
	"slices"
	"testing"
)

func TestLingering(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	if slices.Contains(Lingering(), port) {
		t.Error("it lingers before there was a connection")
	}
	for range 2 { // a second one tells for certain which end is the server's
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
		client.Close()
		if slices.Contains(Lingering(), client.LocalAddr().(*net.TCPAddr).Port) {
			t.Error("the client's port lingers")
		}
		until(t, "the port lingers", func() bool { return slices.Contains(Lingering(), port) })
	}
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
