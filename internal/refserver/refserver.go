// Package refserver has the reference servers, one file per protocol. They are there to be probed, to be compared
// with, and to be read: each is written from the protocol's text in plain Go, bytes and all, and shares no code with
// what reads protocol files, so that the two readings can be held against each other.
//
//	ln, err := net.Listen("tcp", "127.0.0.1:0")
//	if err != nil {
//		return err
//	}
//	err = refserver.Framed{Roster: os.Stdout}.Serve(ctx, ln) // until ctx is done
//
// A server is a value: what can be configured is a field, and zero means the default. It prints nothing except the
// roster, and logs only where it is told to. Everything that a client could use up has a limit, nothing is allocated
// because a length says so, and no bytes that a client may send make it panic.
package refserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/chatprobe/chatprobe/internal/chat"
)

// farewell bounds how long a client that is refused is given to take the reason.
const farewell = time.Second

// acceptAll accepts connections until ctx is done. Then it closes the listener and every connection and waits for the
// sessions. More than limit connections at a time are closed at once.
//
// A session runs in two parts, enter and what that returns, on a goroutine each. A stack that has once been large stays
// so for long, and to log takes a large one: ten thousand clients who idle should do so on stacks that are fresh. The
// connection is closed after the second part, or after the first if it returns nil.
//
// An accept that fails, because the process has run out of file descriptors say, is tried again after a while: the
// clients that are there lose nothing by it. The only error is a listener that somebody else has closed.
func acceptAll(ctx context.Context, ln net.Listener, limit int, log *slog.Logger, enter func(net.Conn) (stay func())) error {
	var (
		mu       sync.Mutex
		open     = map[net.Conn]struct{}{}
		sessions sync.WaitGroup
	)
	defer sessions.Wait()
	defer func() {
		mu.Lock()
		defer mu.Unlock()
		for conn := range open {
			conn.Close()
		}
	}()
	leave := func(conn net.Conn) {
		conn.Close()
		mu.Lock()
		defer mu.Unlock()
		delete(open, conn)
	}
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()

	var pause time.Duration
	for {
		conn, err := ln.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept connection: %w", err)
		case err != nil:
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			log.Error("cannot accept a connection, trying again", "error", err, "in", pause)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			continue
		}
		pause = 0

		mu.Lock()
		full := len(open) >= limit
		if !full {
			open[conn] = struct{}{}
		}
		mu.Unlock()
		if full {
			log.Warn("connection refused: there are too many", "client", conn.RemoteAddr(), "limit", limit)
			conn.Close()
			continue
		}
		sessions.Go(func() {
			stay := enter(conn)
			if stay == nil {
				leave(conn)
				return
			}
			sessions.Go(func() {
				stay()
				leave(conn)
			})
		})
	}
}

// showRoster writes the names of those in the room to w, one line each time that every has passed, until ctx is done
// or w fails: users (2): alice, bob
func showRoster(ctx context.Context, w io.Writer, every time.Duration, room *chat.Room) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		names := room.Names()
		line := fmt.Sprintf("users (%d):", len(names))
		if len(names) > 0 {
			line += " " + strings.Join(names, ", ")
		}
		if _, err := io.WriteString(w, line+"\n"); err != nil {
			return fmt.Errorf("show roster: %w", err)
		}
	}
}

// refuse tells the client of conn why it may not stay. The caller closes conn.
func refuse(conn net.Conn, reason []byte) {
	conn.SetDeadline(time.Now().Add(farewell))
	if _, err := conn.Write(reason); err == nil {
		linger(conn, farewell)
	}
}

// linger says that no more will be written to conn, and gives its client until atMost has passed to say the same. Were
// conn closed while something of the client's is unread, the reset could overtake the last words that it was sent.
func linger(conn net.Conn, atMost time.Duration) {
	conn.SetReadDeadline(time.Now().Add(atMost))
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		io.Copy(io.Discard, conn)
	}
}

// abort closes conn with a reset. Who does not read would otherwise find out only after megabytes that the kernel still
// holds for it.
func abort(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}
