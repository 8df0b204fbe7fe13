package target

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chatprobe/chatprobe/internal/sockets"
)

// occupy keeps a port as connections of an earlier instance do: nobody listens on it, and it cannot be bound. It is
// free again after the call of free.
func occupy(t *testing.T, port int) (free func()) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		unix.Close(fd)
		t.Fatal(err)
	}
	return func() { unix.Close(fd) }
}

// freePort returns a port that stays reserved during the test.
func freePort(t *testing.T) int {
	t.Helper()
	port, err := ports.reserve("tcp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ports.release(port) })
	return port
}

// counting returns the command of a program without SO_REUSEADDR whose starts are counted.
func counting(t *testing.T, port int, more ...string) (c Command, starts func() int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "starts")
	c = script(t, "counts.py", append([]string{file}, more...)...)
	c.Args[2] = strconv.Itoa(port)
	return c, func() int {
		b, _ := os.ReadFile(file)
		return strings.Count(string(b), "\n")
	}
}

func TestLingeringPort(t *testing.T) {
	port := freePort(t)
	c, starts := counting(t, port)
	c.Port = port
	clean(t)
	free := occupy(t, port)
	go func() {
		for starts() == 0 {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(50 * time.Millisecond) // a part of the time that it really takes
		free()
	}()
	p, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	if p.Lingered <= 0 || starts() != 2 || int(p.Addr().Port()) != port {
		t.Errorf("it waited for %v, was started %d times, and listens on %v", p.Lingered, starts(), p.Addr())
	}
}

// One that sets SO_REUSEADDR, as it should, is not held up.
func TestLingeringPortIsReused(t *testing.T) {
	port := freePort(t)
	c := script(t, "reuses.py")
	c.Port = port
	clean(t)
	timeWait(t, c)
	p, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	if p.Lingered != 0 {
		t.Errorf("it waited for %v", p.Lingered)
	}
}

// timeWait runs a program until a connection of it lingers that it has closed first.
func timeWait(t *testing.T, c Command) {
	t.Helper()
	p, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	conn, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	p.Stop() // which closes what it has open
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Fatalf("the server has not closed: %v", err)
	}
	conn.Close() // now nobody has it any more
	eventually(t, "the port lingers", func() bool { return lingers("tcp", int(p.Addr().Port())) })
}

func TestOwnFaultOnLingeringPort(t *testing.T) {
	port := freePort(t)
	tests := []struct {
		name     string
		occupied bool
		starts   int
		want     string
	}{
		{"free", false, 1, "the program exited with status 1 before it listened on port "},
		{"occupied", true, 2, "because connections of an earlier instance could have kept its port busy); it printed: out of order"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, starts := counting(t, port, "out of order")
			c.Port = port
			if test.occupied {
				free := occupy(t, port)
				go func() {
					for starts() == 0 {
						time.Sleep(time.Millisecond)
					}
					free()
				}()
			}
			err := fails(t, c)
			exit, ok := errors.AsType[*ExitError](err)
			if !ok || (exit.Lingered > 0) != test.occupied || starts() != test.starts || !strings.Contains(err.Error(), test.want) {
				t.Errorf("started %d times: %v", starts(), err)
			}
		})
	}
	t.Run("binds twice", func(t *testing.T) {
		c := script(t, "twice.py")
		c.Port = port
		exit, ok := errors.AsType[*ExitError](fails(t, c))
		if !ok || exit.Lingered != 0 || !strings.Contains(exit.Error(), "Address already in use") {
			t.Errorf("error %v", exit)
		}
	})
}

// It need not end when it cannot listen.
func TestThreadDiesOnLingeringPort(t *testing.T) {
	port := freePort(t)
	c := script(t, "thread.py")
	c.Port, c.ReadyWithin = port, 2*time.Second
	clean(t)
	free := occupy(t, port)
	time.AfterFunc(c.ReadyWithin, free) // the first start has failed by then, or does at this moment
	p, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	p.Stop()
}

func TestCancelledWhilePortLingers(t *testing.T) {
	port := freePort(t)
	c, starts := counting(t, port)
	c.Port = port
	clean(t)
	defer occupy(t, port)()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for starts() == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	if _, err := Start(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// Nobody has said which port it is, but there was an instance before.
func TestFleetKnowsLingeringPort(t *testing.T) {
	port := freePort(t)
	c, starts := counting(t, port)
	clean(t)
	fleet := NewFleet(c)
	p, err := fleet.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.Stop()
	if !fleet.Alone() || fleet.OwnPort() != port {
		t.Fatalf("alone %v, port %d; want true, %d", fleet.Alone(), fleet.OwnPort(), port)
	}
	before, free := starts(), occupy(t, port)
	go func() {
		for starts() == before {
			time.Sleep(time.Millisecond)
		}
		free()
	}()
	if p, err = fleet.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.Stop()
	if starts() != before+2 {
		t.Errorf("started %d times, want 2", starts()-before)
	}
}

// Nobody has said which port it is, and there was no instance before; but it says that its port is in use, and a
// connection of somebody lingers.
func TestLingeringPortOfAnEarlierRun(t *testing.T) {
	port := freePort(t)
	c := script(t, "reuses.py")
	c.Port = port
	clean(t)
	timeWait(t, c)
	// While many connections come and go the kernel's list may leave one out.
	eventually(t, "the port is among those that linger", func() bool { return slices.Contains(sockets.Lingering(), port) })
	c, starts := counting(t, port)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for starts() == 0 {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(300 * time.Millisecond)
		cancel() // a minute would be too long; that it still waits is enough
	}()
	if _, err := Start(ctx, c); !errors.Is(err, context.Canceled) || starts() != 1 {
		t.Errorf("started %d times: %v", starts(), err)
	}
	// One that says something else is not waited for.
	c, _ = counting(t, port, "out of order")
	if exit, ok := errors.AsType[*ExitError](fails(t, c)); !ok || exit.Lingered != 0 {
		t.Errorf("error %v", exit)
	}
}

func TestInUse(t *testing.T) {
	for text, want := range map[string]bool{
		"OSError: [Errno 98] Address already in use":                               true,
		"Error: listen EADDRINUSE: address already in use :::3000":                 true,
		"listen tcp :8080: bind: address already in use":                           true,
		"java.net.BindException: Die Adresse wird bereits verwendet (Bind failed)": true,
		"bind failed\n": true,
		"ERROR on binding: Adresse wird verwendet": true,
		"Could not bind to port 4445.":             true,
		"":                                         false,
		"AttributeError: 'NoneType' object has no attribute 'bind'":          false,
		"    sock.bind((host, port))\nNameError: name 'host' is not defined": false,
	} {
		if got := inUse.MatchString(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// The real thing, for which the system takes a minute.
func TestTimeWait(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	port := freePort(t)
	c, _ := counting(t, port)
	clean(t)
	fleet := NewFleet(c)
	p, err := fleet.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if b, err := io.ReadAll(conn); string(b) != "goodbye\n" || err != nil {
		t.Fatalf("it says %q, %v", b, err)
	}
	conn.Close()
	p.Stop()
	if p, err = fleet.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	if p.Lingered < time.Second {
		t.Errorf("it waited for %v", p.Lingered)
	}
}
