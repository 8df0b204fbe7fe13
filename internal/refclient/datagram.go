package refclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	datagramPrompt = "] "

	// MaxDatagramText is the most bytes that the text of a MESSAGE may have:
	// one datagram over IPv4, without its headers and the word.
	MaxDatagramText = 65535 - 20 - 8 - len("MESSAGE ")

	// datagramPause comes after each datagram. Nothing else slows a sender of
	// datagrams down, and a file through a pipe would be more than the buffers
	// of a server hold.
	datagramPause = time.Millisecond
)

// Datagram is a client of the chat over UDP. Every message is a datagram:
//
//	GREETING                   client, first
//	MESSAGE text               client
//	INCOMING ip port text      server; who said it, an IPv6 address in brackets
//
// A Datagram is plain data and may be run many times.
type Datagram struct {
	// Addr is host:port of the server. A host that has IPv4 and IPv6 addresses
	// is called by the former: nobody answers a call over UDP.
	Addr string
}

// Run greets, and then sends what is typed as a MESSAGE and shows every
// INCOMING as "<From ip:port>: text", the user's own ones included. An empty
// line is not sent.
//
// Nothing that happens to a datagram ends the session. When the system reports
// that nobody is there, the user is told, once until somebody answers, and the
// next message is sent after another greeting, because the server may have been
// started since.
//
// When the input ends, Run goes on showing what arrives until the server has
// been quiet for a second, and returns nil. It returns [ErrInterrupted], and
// the cause of ctx when that is cancelled.
func (d Datagram) Run(ctx context.Context, t *Terminal) error {
	conn, err := dial(ctx, "udp4", d.Addr)
	if err != nil && ctx.Err() == nil {
		conn, err = dial(ctx, "udp", d.Addr)
	}
	if err != nil {
		return err
	}
	defer conn.Close()
	t.setPrompt(datagramPrompt)
	if err := t.Start(); err != nil {
		return err
	}
	defer t.Close()

	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	defer context.AfterFunc(ctx, func() { conn.Close() })()

	s := &datagramSession{Datagram: d, conn: conn, terminal: t, end: end}
	go s.receive()
	s.send(ctx)
	<-ctx.Done()
	return reason(ctx)
}

// A datagramSession is one run of a Datagram.
type datagramSession struct {
	Datagram
	conn     net.Conn
	terminal *Terminal
	end      func(error)

	absent  atomic.Bool               // the last that was heard is that nobody is there
	leaveBy atomic.Pointer[time.Time] // set once all has been sent
}

// send greets and sends until the input or the session ends.
func (s *datagramSession) send(ctx context.Context) {
	// First, so that Ctrl-C is heard from the start.
	lines := s.terminal.Lines(ctx, MaxDatagramText, s.end)
	s.write("GREETING")
	for {
		select {
		case <-ctx.Done():
			return
		case line, ok := <-lines:
			switch {
			case !ok:
				now := time.Now()
				s.leaveBy.Store(new(now.Add(lingerInAll)))
				s.conn.SetReadDeadline(now.Add(lingerQuiet))
				return
			case line == "":
				continue
			case s.absent.Load():
				s.write("GREETING")
			}
			s.write("MESSAGE " + line)
		}
	}
}

// write sends one datagram.
func (s *datagramSession) write(text string) {
	_, err := s.conn.Write([]byte(text))
	if unreachable(err) {
		// That was about an earlier datagram, and this one has not been sent.
		s.missing(err)
		_, err = s.conn.Write([]byte(text))
	}
	switch {
	case err == nil:
		time.Sleep(datagramPause)
	case unreachable(err):
		s.missing(err)
	case !errors.Is(err, net.ErrClosed):
		s.complain(fmt.Errorf("not sent: %w", shortened(err)))
	}
}

// receive shows what arrives, until the session ends.
func (s *datagramSession) receive() {
	defer s.terminal.Guard()
	s.end(s.showAll())
}

func (s *datagramSession) showAll() error {
	buf := make([]byte, 64<<10)
	strange := false // a datagram came that was none of the protocol
	for {
		n, err := s.conn.Read(buf)
		leaveBy := s.leaveBy.Load()
		switch {
		case err == nil:
		case errors.Is(err, net.ErrClosed):
			return lost("receive", err)
		case errors.Is(err, os.ErrDeadlineExceeded):
			return errLeft
		default:
			s.missing(err)
			time.Sleep(datagramPause) // should the error be one that stays
			continue
		}
		s.absent.Store(false)
		if leaveBy != nil {
			quiet := time.Now().Add(lingerQuiet)
			if quiet.After(*leaveBy) {
				quiet = *leaveBy
			}
			s.conn.SetReadDeadline(quiet)
		}
		from, text, ok := parseIncoming(string(buf[:n]))
		switch {
		case ok:
			err = s.terminal.Show(fmt.Sprintf("<From %v>: %s", from, text))
		case !strange:
			strange = true
			err = s.terminal.Complain(errors.New("ignored: a datagram that is no INCOMING, and all like it"))
		}
		if err != nil {
			return err
		}
	}
}

// missing tells the user that nobody is there.
func (s *datagramSession) missing(err error) {
	if !s.absent.Swap(true) {
		s.complain(fmt.Errorf("nobody answers at %s: %w", s.Addr, shortened(err)))
	}
}

func (s *datagramSession) complain(err error) {
	if err := s.terminal.Complain(err); err != nil {
		s.end(err)
	}
}

// parseIncoming reads a datagram of the server. Of a text that is missing, its
// blank may be missing too.
func parseIncoming(datagram string) (from netip.AddrPort, text string, ok bool) {
	rest, ok := strings.CutPrefix(datagram, "INCOMING ")
	if !ok {
		return netip.AddrPort{}, "", false
	}
	host, rest, _ := strings.Cut(rest, " ")
	port, text, _ := strings.Cut(rest, " ")
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if host, ok = strings.CutSuffix(inner, "]"); !ok {
			return netip.AddrPort{}, "", false
		}
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.AddrPort{}, "", false
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}, "", false
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(number)), text, true
}

// shortened is the system's error alone, without operation and addresses.
func shortened(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	return err
}

// unreachable says whether an error is what ICMP has told the system.
func unreachable(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH)
}
