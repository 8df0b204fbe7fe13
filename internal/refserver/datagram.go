package refserver

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// maxDatagram is the longest payload that UDP over IPv4 carries, in bytes.
const maxDatagram = 65507

// Datagram is a chat over UDP. A client sends
//
//	GREETING         and is active from then on, for ever (U-2)
//	MESSAGE <text>   to everybody who is active, itself included
//
// and everybody who is active receives
//
//	INCOMING <ip> <port> <text>
//
// with the address that the message came from (U-3): as [::1] if it is IPv6, while an IPv4 address stays one whatever
// kind of socket it arrives on. There is one blank before the text, which is what remains of the datagram, byte for
// byte; it may be empty, have NULs and line ends, and need not be UTF-8 (U-9).
//
// GREETING is these eight bytes and no line end; a second one changes nothing. Anything else, a MESSAGE from an address
// that never greeted (U-8) and ICMP errors are ignored (U-4): who has gone is still sent to and disturbs nobody (U-5).
// A text whose INCOMING would be longer than a datagram can be, 65,507 bytes, is dropped.
//
// The zero value is ready to use. Fields may not change while Serve runs.
type Datagram struct {
	MaxClients int          // addresses that may greet, ever; more are ignored; default 10000
	Buffer     int          // bytes that may wait while others are being passed on; default 8 MiB
	Log        *slog.Logger // nil: no log
}

// Choices says what this server does where the protocol leaves a choice, in the words of Framed.Choices.
func (d Datagram) Choices() string { return "ungreeted=ignore" }

// Serve serves conn, a *net.UDPConn, until ctx is done, then closes conn, and returns when every goroutine that it has
// started has ended. The error is nil then; otherwise conn is of another kind, or somebody else has closed it.
func (d Datagram) Serve(ctx context.Context, conn net.PacketConn) error {
	d.MaxClients = cmp.Or(d.MaxClients, 10000)
	d.Buffer = cmp.Or(d.Buffer, 8<<20)
	d.Log = cmp.Or(d.Log, slog.New(slog.DiscardHandler))

	socket, ok := conn.(udpSocket)
	if !ok {
		return fmt.Errorf("serve datagrams: %T is not a UDP socket", conn)
	}
	socket.SetReadBuffer(d.Buffer) // what the system allows of it
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()

	s := &datagramServer{Datagram: &d, socket: socket, waiting: newBacklog(d.Buffer), known: map[netip.AddrPort]struct{}{}}
	var passing sync.WaitGroup
	defer passing.Wait()
	passing.Go(s.passOn)
	defer s.waiting.close()
	if err := s.receive(ctx); ctx.Err() == nil {
		return fmt.Errorf("receive datagrams: %w", err)
	}
	return nil
}

// udpSocket is what is needed of a *net.UDPConn.
type udpSocket interface {
	ReadFromUDPAddrPort(b []byte) (n int, from netip.AddrPort, err error)
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
	SetReadBuffer(size int) error
}

// datagramServer has a goroutine that receives, so that a burst is not lost while a thousand clients are sent to, and
// one that does all the rest.
type datagramServer struct {
	*Datagram
	socket  udpSocket
	waiting *backlog

	// Of the second goroutine.
	known    map[netip.AddrPort]struct{} // who has greeted
	active   []netip.AddrPort            // the same, in the order of greeting
	outgoing []byte                      // the last INCOMING
	full     bool                        // a greeting was ignored; told once, as the log is not for clients to fill
	tooLong  bool                        // a text was dropped; told once
}

// receive takes in datagrams until the socket is closed, which is the error.
func (s *datagramServer) receive(ctx context.Context) error {
	buf := make([]byte, 64<<10)
	var pause time.Duration
	for {
		n, from, err := s.socket.ReadFromUDPAddrPort(buf)
		switch {
		case err == nil:
			pause = 0
			s.waiting.put(datagram{from: netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), payload: bytes.Clone(buf[:n])})
		case errors.Is(err, net.ErrClosed):
			return err
		case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
			// Somebody has gone; systems differ in whether they tell.
		default:
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.Log.Error("cannot receive a datagram, trying again", "error", err, "in", pause)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
	}
}

// passOn does what the datagrams that have been received ask for, in their order.
func (s *datagramServer) passOn() {
	for {
		received, ok := s.waiting.takeAll()
		if !ok {
			return
		}
		for _, d := range received {
			if text, isMessage := bytes.CutPrefix(d.payload, []byte("MESSAGE ")); isMessage {
				s.distribute(d.from, text)
			} else if string(d.payload) == "GREETING" {
				s.greet(d.from)
			}
		}
	}
}

// greet makes client active.
func (s *datagramServer) greet(client netip.AddrPort) {
	if _, again := s.known[client]; again {
		return
	}
	if len(s.active) >= s.MaxClients {
		if !s.full {
			s.full = true
			s.Log.Warn("greetings are ignored: there are too many clients", "client", client, "limit", s.MaxClients)
		}
		return
	}
	s.known[client] = struct{}{}
	s.active = append(s.active, client)
	s.Log.Info("greeted", "client", client)
}

// distribute sends text from sender to everybody who is active.
func (s *datagramServer) distribute(sender netip.AddrPort, text []byte) {
	if _, active := s.known[sender]; !active {
		return
	}
	s.outgoing = appendIncoming(s.outgoing[:0], sender, text)
	if len(s.outgoing) > maxDatagram {
		if !s.tooLong {
			s.tooLong = true
			s.Log.Warn("texts are dropped that do not fit into a datagram", "client", sender, "bytes", len(text))
		}
		return
	}
	for _, client := range s.active {
		// One who cannot be reached is no reason to keep it from the others; a server that stops is.
		if _, err := s.socket.WriteToUDPAddrPort(s.outgoing, client); errors.Is(err, net.ErrClosed) {
			return
		}
	}
}

// appendIncoming appends to b what everybody is sent when sender says text.
func appendIncoming(b []byte, sender netip.AddrPort, text []byte) []byte {
	b = append(b, "INCOMING "...)
	if addr := sender.Addr().WithZone(""); addr.Is4() {
		b = addr.AppendTo(b)
	} else {
		b = append(addr.AppendTo(append(b, '[')), ']')
	}
	b = strconv.AppendUint(append(b, ' '), uint64(sender.Port()), 10)
	return append(append(b, ' '), text...)
}
