package mutant

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"

	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// A relay stands between a client program and the probe, which is its server:
// the program is told the relay's address. What goes through it goes through a
// visit.
type relay struct {
	visit  *visit
	server netip.AddrPort

	listener net.Listener // over TCP
	packets  *net.UDPConn // over UDP, towards the program
	onward   *net.UDPConn // and towards the server

	work sync.WaitGroup
	// One write goes in each direction at a time.
	sending, giving sync.Mutex

	mu     sync.Mutex
	conns  []net.Conn
	guest  netip.AddrPort // the program's address over UDP
	closed bool
}

// isAnybodyThere says whether there is a server at an address of this machine.
func isAnybodyThere(server netip.AddrPort, udp bool) bool {
	var found io.Closer
	var err error
	if udp {
		found, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(server))
	} else {
		found, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(server))
	}
	if err == nil {
		_ = found.Close()
	}
	return err != nil
}

func (v *visit) openRelay(server netip.AddrPort) (*relay, error) {
	r := &relay{visit: v, server: server}
	var err error
	if v.codec.IsDatagram(wire.Client) {
		if r.packets, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err == nil {
			r.onward, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(server))
		}
	} else {
		r.listener, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		r.close()
		return nil, fmt.Errorf("open a port between the program and the probe: %w", err)
	}
	if r.packets != nil {
		r.work.Go(r.carryOnward)
		r.work.Go(r.carryBack)
	} else {
		r.work.Go(r.accept)
	}
	return r, nil
}

// instead has the program come to the relay, where it was told to come to the
// server's port.
func (r *relay) instead(how engine.Invocation) engine.Invocation {
	was, is := strconv.Itoa(int(r.server.Port())), ""
	if r.packets != nil {
		how.Server = r.packets.LocalAddr().(*net.UDPAddr).AddrPort()
	} else {
		how.Server = r.listener.Addr().(*net.TCPAddr).AddrPort()
	}
	is = strconv.Itoa(int(how.Server.Port()))
	if how.Port == was {
		how.Port = is
	}
	if front, ok := strings.CutSuffix(how.URL, ":"+was); ok {
		how.URL = front + ":" + is
	}
	return how
}

// close ends all connections and waits until nothing goes on any more.
func (r *relay) close() {
	r.mu.Lock()
	r.closed = true
	conns := r.conns
	r.conns = nil
	r.mu.Unlock()
	if r.listener != nil {
		_ = r.listener.Close()
	}
	for _, c := range []*net.UDPConn{r.packets, r.onward} {
		if c != nil {
			_ = c.Close()
		}
	}
	for _, c := range conns {
		_ = c.Close()
	}
	r.work.Wait()
}

// keep has c closed together with the relay.
func (r *relay) keep(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		_ = c.Close()
		return false
	}
	r.conns = append(r.conns, c)
	return true
}

func (r *relay) accept() {
	for {
		program, err := r.listener.Accept()
		if err != nil {
			return
		}
		server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", r.server.String())
		if err != nil {
			reset(program)
			continue
		}
		if !r.keep(program) || !r.keep(server) {
			_, _ = program.Close(), server.Close()
			return
		}
		v := r.visit
		v.mu.Lock()
		v.both(func(s *visit) {
			s.sent, s.came = stream{}, stream{}
			if s.opened != nil {
				s.opened()
			}
		})
		v.mu.Unlock()
		r.flush(program, server)
		r.work.Go(func() { r.carry(program, server, true) })
		r.work.Go(func() { r.carry(server, program, false) })
	}
}

// carry takes what comes from one side to the other, until it ends.
func (r *relay) carry(from, to net.Conn, fromProgram bool) {
	v := r.visit
	program, server := from, to
	if !fromProgram {
		program, server = to, from
	}
	buf := make([]byte, 128<<10)
	for {
		n, err := from.Read(buf)
		v.mu.Lock()
		if b := append([]byte(nil), buf[:n]...); n > 0 && fromProgram {
			v.fromProgram(b)
		} else if n > 0 {
			v.fromServer(b)
		}
		passes := true
		if err != nil {
			passes = v.connectionEnds(fromProgram, err)
		}
		v.mu.Unlock()
		r.flush(program, server)
		switch {
		case err == nil:
			continue
		case !passes || errors.Is(err, net.ErrClosed):
		case errors.Is(err, io.EOF):
			_ = to.(*net.TCPConn).CloseWrite()
		default:
			reset(to)
		}
		return
	}
}

// connectionEnds says whether the other side learns that one has closed or
// reset the connection. mu is held.
func (v *visit) connectionEnds(byProgram bool, err error) bool {
	asks := func(s *visit) func() bool { return s.leaves }
	if !byProgram {
		asks = func(s *visit) func() bool { return s.left }
		if v.hears != nil || v.piece != nil {
			v.came.rest(v.deliver)
		}
		v.update()
		why := byReset
		if errors.Is(err, io.EOF) {
			why = byClose
		}
		v.because(why)
	} else if v.sends != nil || len(v.shadows) > 0 {
		v.sent.rest(v.pass)
	}
	v.cast(func(s *visit) {
		if learns := asks(s); learns != nil && !learns() {
			s.counts()
		}
	})
	if learns := asks(v); learns != nil && !learns() {
		v.counts()
		return false
	}
	return true
}

// flush passes on what is to be passed on in both directions.
func (r *relay) flush(program, server io.Writer) {
	pass := func(turn *sync.Mutex, what *[][]byte, to io.Writer) {
		turn.Lock()
		defer turn.Unlock()
		r.visit.mu.Lock()
		list := *what
		*what = nil
		r.visit.mu.Unlock()
		for _, b := range list {
			if len(b) > 0 || r.packets != nil {
				_, _ = to.Write(b) // who has gone is found by reading
			}
		}
	}
	pass(&r.sending, &r.visit.up, server)
	pass(&r.giving, &r.visit.down, program)
}

func reset(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// toGuest writes datagrams to the program.
type toGuest struct{ *relay }

// Write sends one.
func (g toGuest) Write(b []byte) (int, error) {
	g.mu.Lock()
	guest := g.guest
	g.mu.Unlock()
	return g.packets.WriteToUDPAddrPort(b, guest)
}

// carryOnward takes datagrams of the program to the server. Where nobody
// listens any more, nobody does here: the system tells the program.
func (r *relay) carryOnward() {
	v := r.visit
	buf := make([]byte, 64<<10)
	for {
		n, from, err := r.packets.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		r.mu.Lock()
		r.guest = from
		r.mu.Unlock()
		v.mu.Lock()
		v.fromProgram(append([]byte(nil), buf[:n]...))
		v.mu.Unlock()
		r.flush(toGuest{r}, r.onward)
	}
}

func (r *relay) carryBack() {
	v := r.visit
	buf := make([]byte, 64<<10)
	for {
		n, err := r.onward.Read(buf)
		if err != nil {
			_ = r.packets.Close()
			return
		}
		v.mu.Lock()
		v.fromServer(append([]byte(nil), buf[:n]...))
		v.mu.Unlock()
		r.flush(toGuest{r}, r.onward)
	}
}
