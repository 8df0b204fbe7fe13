package target

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chatprobe/chatprobe/internal/sockets"
)

// await waits until the program listens, and sets p.addr and p.Found.
func (p *Process) await(ctx context.Context, c Command, port int, watch *watch) error {
	settle := settleUntold
	switch {
	case c.IsTold():
		settle = settleTold
	case c.ownPort != 0:
		settle = settleKnown
	}
	start := time.Now()
	ports, printed := []int{port}, printedPorts{expression: c.PortFrom}
	var candidate int // the one other port that it listens on
	var since time.Time
	for {
		if c.PortFrom != nil {
			printed.look(p)
			ports = printed.ports
		}
		told, others := watch.look(p, ports...)
		if i := slices.IndexFunc(ports, func(port int) bool { return len(onPort(told, port)) > 0 }); i >= 0 {
			p.addr, p.Found = choose(onPort(told, ports[i]), c.Host), ports[i] != port
			return nil
		}
		if other := onlyPort(others); other != candidate {
			candidate, since = other, time.Now()
		}
		if c.Port == 0 && c.PortFrom == nil {
			if candidate != 0 && time.Since(since) >= settle {
				p.addr, p.Found = choose(others, c.Host), true
				return nil
			}
			if watch.foreign() {
				return &lostPort{p.listenError(c, port, time.Since(start), others)}
			}
		}
		if time.Since(start) >= c.ReadyWithin {
			err := p.listenError(c, port, c.ReadyWithin, others)
			err.Unprinted, err.Printed, err.NoPort, err.Taken = printed.unmatched(), printed.ports, printed.strange, watch.foreign()
			return err
		}
		// Each look costs something, to the program that is starting up too; so look in steps of a sixteenth of the
		// time it has taken already.
		pause := min(max(time.Since(start)/16, time.Millisecond), 20*time.Millisecond)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("start %s: %w", c.Args[0], context.Cause(ctx))
		case <-p.dead:
			// Nothing of it is left to listen, except what it may have left behind.
			left := len(p.members()) > 0
			e := &ExitError{Status: p.status, Network: c.Network, Port: port, Output: p.Output(), Left: left}
			if c.PortFrom != nil {
				e.Port = 0
			}
			return e
		}
	}
}

func (p *Process) listenError(c Command, port int, within time.Duration, others []sockets.Listener) *ListenError {
	e := &ListenError{Network: c.Network, Port: port, Within: within, Output: p.Output(), Piped: !p.shown}
	for _, l := range others {
		if addr := dialable(l, c.Host); !slices.Contains(e.Others, addr) {
			e.Others = append(e.Others, addr)
		}
	}
	return e
}

// printedPorts looks for ports in what a program prints.
type printedPorts struct {
	expression *regexp.Regexp
	seen       int64  // how much had been printed at the last look
	ports      []int  // in the order in which they were printed
	strange    string // what matched last and is no port
}

// maxPrinted is how many matches are looked at: a program that prints numbers all the time has said long ago which it is.
const maxPrinted = 20

// escapes are the sequences that set colours, which may stand around a port.
var escapes = regexp.MustCompile("\x1b\\[[0-9;?]*[ -/]*[@-~]")

// look finds the ports in all that was printed up to now, because a match may have grown: "port 12" was the beginning
// of "port 1234".
func (f *printedPorts) look(p *Process) {
	if size := p.output.length(); size == f.seen {
		return
	}
	out := p.Output()
	f.seen, f.ports, f.strange = out.Size, nil, ""
	for _, m := range f.expression.FindAllStringSubmatch(escapes.ReplaceAllString(out.Text(), ""), maxPrinted) {
		text := m[0]
		if i := slices.IndexFunc(m[1:], func(group string) bool { return group != "" }); i >= 0 {
			text = m[1+i]
		}
		port, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || port < 1 || port > 65535 {
			f.strange = text
		} else if !slices.Contains(f.ports, port) {
			f.ports = append(f.ports, port)
		}
	}
}

// unmatched returns the expression if nothing has matched it, and else "".
func (f *printedPorts) unmatched() string {
	if f.expression == nil || len(f.ports) > 0 || f.strange != "" {
		return ""
	}
	return f.expression.String()
}

// onPort returns those of the sockets that are bound to a port.
func onPort(list []sockets.Listener, port int) []sockets.Listener {
	var on []sockets.Listener
	for _, l := range list {
		if int(l.Addr.Port()) == port {
			on = append(on, l)
		}
	}
	return on
}

// onlyPort returns the one port that all of the sockets are bound to, or 0.
func onlyPort(list []sockets.Listener) int {
	port := 0
	for _, l := range list {
		if port != 0 && int(l.Addr.Port()) != port {
			return 0
		}
		port = int(l.Addr.Port())
	}
	return port
}

// choose returns the address to dial, of sockets that have one port: at best that which the program was told, at second
// best one of IPv4.
func choose(list []sockets.Listener, host string) netip.AddrPort {
	addrs := make([]netip.AddrPort, len(list))
	for i, l := range list {
		addrs[i] = dialable(l, host)
	}
	return slices.MinFunc(addrs, func(a, b netip.AddrPort) int {
		rank := func(a netip.AddrPort) int {
			switch {
			case a.Addr().String() == host:
				return 0
			case a.Addr().Is4():
				return 1
			}
			return 2
		}
		return rank(a) - rank(b)
	})
}

// dialable returns the address at which a listener on this machine can be reached; host is what the program was told.
func dialable(l sockets.Listener, host string) netip.AddrPort {
	addr := l.Addr.Addr().Unmap()
	if addr.IsUnspecified() {
		told, err := netip.ParseAddr(host)
		is4 := addr.Is4() || l.Dual
		switch {
		case err == nil && !told.IsUnspecified() && (told.Is4() && is4 || told.Is6() && addr.Is6()):
			addr = told
		case is4:
			addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		default:
			addr = netip.IPv6Loopback()
		}
	}
	return netip.AddrPortFrom(addr, l.Addr.Port())
}
