package engine

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
)

// A hostSocket is a UDP server with one guest: whoever sends first.
type hostSocket struct {
	*net.UDPConn
	mu    sync.Mutex
	first netip.AddrPort
}

func listenPackets() (*hostSocket, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("open a port for the program: %w", err)
	}
	_ = conn.SetReadBuffer(udpBuffer)
	return &hostSocket{UDPConn: conn}, nil
}

func (s *hostSocket) addr() netip.AddrPort { return addrPort(s.LocalAddr()) }

// guest is the address of who sent first, or none.
func (s *hostSocket) guest() netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first
}

// Read takes one datagram of the guest.
func (s *hostSocket) Read(b []byte) (int, error) {
	for {
		n, from, err := s.ReadFromUDPAddrPort(b)
		if err != nil {
			return n, err
		}
		s.mu.Lock()
		if !s.first.IsValid() {
			s.first = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		}
		known := s.first.Port() == from.Port() && s.first.Addr() == from.Addr().Unmap()
		s.mu.Unlock()
		if known {
			return n, nil
		}
	}
}

// Write sends one datagram to the guest.
func (s *hostSocket) Write(b []byte) (int, error) {
	guest := s.guest()
	if !guest.IsValid() {
		return 0, errNoGuest
	}
	return s.WriteToUDPAddrPort(b, guest)
}

// RemoteAddr is the guest's address.
func (s *hostSocket) RemoteAddr() net.Addr { return net.UDPAddrFromAddrPort(s.guest()) }
