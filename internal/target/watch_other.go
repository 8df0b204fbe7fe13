//go:build !linux

package target

import (
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/chatprobe/chatprobe/internal/sockets"
)

// watch stands in for the socket table where there is none. It finds a program ready when a connection to the port it
// was told succeeds, which it then closes. That has its price: the program sees a client that says nothing, which
// blocks or kills some simple servers, and the log of every server begins with it; a program that listens on a port of
// its own choice is not found; and whether it is the program or another that listens cannot be told. Nothing can be
// asked of UDP, so there a fixed time is waited.
type watch struct {
	network string
	port    int
	began   time.Time
}

const udpReady = 500 * time.Millisecond

func openWatch(network string, port int) (*watch, error) {
	return &watch{network: network, port: port, began: time.Now()}, nil
}

func (w *watch) close() {}

func (w *watch) inUse() bool { return !isBindable(w.network, w.port) }

func (w *watch) foreign() bool { return false }

func (w *watch) look(p *Process, ports ...int) (on, others []sockets.Listener) {
	for _, port := range ports {
		for _, host := range []string{"127.0.0.1", "::1"} {
			addr := netip.AddrPortFrom(netip.MustParseAddr(host), uint16(port))
			if w.network == "udp" {
				if time.Since(w.began) < udpReady {
					return nil, nil
				}
				return []sockets.Listener{{Network: w.network, Addr: addr}}, nil
			}
			c, err := net.DialTimeout(w.network, net.JoinHostPort(host, strconv.Itoa(port)), 100*time.Millisecond)
			if err == nil {
				c.Close()
				return []sockets.Listener{{Network: w.network, Addr: addr}}, nil
			}
		}
	}
	return nil, nil
}
