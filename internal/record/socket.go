package record

import (
	"net"
	"net/netip"
	"sync"
)

// A socket is a UDP socket that is being taken down.
type socket struct {
	net.Conn
	log *Log
	// What is noted is in the order of the datagrams; see tap.
	writing, reading sync.Mutex

	// These are under log.mu.
	last flow // the latest datagram was between these
	flow int  // its number
	used bool // there was one
}

// Read takes one datagram.
func (s *socket) Read(b []byte) (int, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	n, err := s.Conn.Read(b)
	if err != nil {
		return n, err
	}
	var from netip.AddrPort
	if c, ok := s.Conn.(interface{ Sender() netip.AddrPort }); ok {
		from = c.Sender()
	}
	if !from.IsValid() {
		from = addrPort(s.RemoteAddr())
	}
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.add(datagramReceived, from, b[:n])
	return n, nil
}

// Write sends one datagram.
func (s *socket) Write(b []byte) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	to := addrPort(s.RemoteAddr())
	s.log.mu.Lock()
	at := s.add(datagramSent, to, b)
	s.log.mu.Unlock()
	n, err := s.Conn.Write(b)
	if err != nil && at >= 0 {
		s.log.mu.Lock()
		s.log.entries[at].what = nothing
		s.log.mu.Unlock()
	}
	return n, err
}

// add notes a datagram, and returns its entry, or -1 if it is left out. log.mu
// is held.
func (s *socket) add(what kind, remote netip.AddrPort, b []byte) int {
	l := s.log
	if !remote.IsValid() {
		return -1 // it goes nowhere
	}
	if room := l.room(len(b)); l.full {
		l.leftOut += int64(room) // half a datagram is of no use
		return -1
	}
	f := flow{local: addrPort(s.LocalAddr()), remote: netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())}
	if f.local.Addr().Is4() != f.remote.Addr().Is4() {
		// A socket that takes both families has an address of neither.
		f.local = netip.AddrPortFrom(unspecified(f.remote.Addr()), f.local.Port())
	}
	if !s.used || s.last != f {
		s.used, s.last, s.flow = true, f, l.addFlow(f)
	}
	at := l.note(s.flow, what)
	l.kept += entryCost
	l.entries[at].data = l.keep(b)
	return at
}
