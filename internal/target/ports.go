package target

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// ports are the ports given to programs that run at this moment, so that none is given to two of them. It is one for
// the whole process because ports are.
var ports = reservations{taken: map[int]bool{}}

type reservations struct {
	mu    sync.Mutex
	taken map[int]bool
}

// The ports that are tried: below those that the system gives to connections. A port from among these can be taken at
// any moment by an outgoing connection, such as one of the hundred that the probe itself makes, between the choice and
// the moment when the target listens.
const (
	firstPort = 10_000
	minRange  = 1_000 // ports that must be there below, or else the system chooses
)

// reserve picks a port on which nothing listens, and where no connection lingers that would keep a server from
// listening which has not set SO_REUSEADDR. It is reserved until release.
func (r *reservations) reserve(network string) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	end := firstEphemeral()
	for try := range 100 {
		port := 0
		if end-firstPort >= minRange && try < 90 {
			port = firstPort + rand.IntN(end-firstPort)
		}
		if r.taken[port] {
			continue
		}
		port, err := bindable(network, port)
		if err != nil || r.taken[port] {
			continue
		}
		r.taken[port] = true
		return port, nil
	}
	return 0, errors.New("find a free port: all that were tried are in use")
}

func (r *reservations) release(port int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.taken, port)
}

// bindable finds out whether a port can be bound, on every address and as a simple server does it, and returns it;
// for port 0 it returns one that the system has chosen.
func bindable(network string, port int) (int, error) {
	config := net.ListenConfig{Control: withoutReuse}
	addr := ":" + strconv.Itoa(port)
	if network == "udp" {
		c, err := config.ListenPacket(context.Background(), network, addr)
		if err != nil {
			return 0, fmt.Errorf("bind port %d: %w", port, err)
		}
		defer c.Close()
		return c.LocalAddr().(*net.UDPAddr).Port, nil
	}
	l, err := config.Listen(context.Background(), network, addr)
	if err != nil {
		return 0, fmt.Errorf("bind port %d: %w", port, err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func isBindable(network string, port int) bool {
	_, err := bindable(network, port)
	return err == nil
}
