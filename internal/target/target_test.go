package target

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// python is the interpreter itself: what is called python3 may be a script that chooses one, and takes its time.
var python = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	return strings.TrimSpace(string(out)), err
})

// script returns the command that runs a script of testdata with the port as its first argument.
func script(t testing.TB, name string, args ...string) Command {
	t.Helper()
	python, err := python()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("python3 is needed: %v", err)
		}
		t.Skipf("SKIPPED: python3 does not run, so nothing of this was tested: %v", err)
	}
	path, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return Command{Args: append([]string{python, path, "{port}"}, args...)}
}

// start starts a program, and at the end of the test stops it and looks whether something is left behind.
func start(t *testing.T, c Command) *Process {
	t.Helper()
	clean(t)
	p, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// fails starts a program that does not come to listen, and returns the error.
func fails(t *testing.T, c Command) error {
	t.Helper()
	clean(t)
	p, err := Start(t.Context(), c)
	if err == nil {
		p.Stop()
		t.Fatal("it was started")
	}
	return err
}

// doesNotListen starts a program that does not come to listen. It gives it more and more time for what it should do
// instead.
func doesNotListen(t *testing.T, c Command, enough func(*ListenError) bool) *ListenError {
	t.Helper()
	for c.ReadyWithin = 250 * time.Millisecond; ; c.ReadyWithin *= 2 {
		err := fails(t, c)
		e, ok := errors.AsType[*ListenError](err)
		if !ok {
			t.Fatalf("error %#v", err)
		}
		if enough(e) || c.ReadyWithin > 5*time.Second {
			return e
		}
	}
}

// eventually waits for a condition that comes about by what other processes do, however busy the machine is.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for start := time.Now(); !f(); time.Sleep(time.Millisecond) {
		if time.Since(start) > 30*time.Second {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

func dial(t *testing.T, p *Process) {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestListens(t *testing.T) {
	p := start(t, script(t, "listens.py"))
	if p.Found || p.Addr().Addr().String() != "127.0.0.1" {
		t.Errorf("address %v, found %v; want 127.0.0.1 and the port told", p.Addr(), p.Found)
	}
	if o := p.Output(); o.Size != 0 {
		t.Errorf("before any connection it printed %q: somebody has connected", o.Text())
	}
	heard := make(chan struct{}, 100)
	p.Notify(func() { heard <- struct{}{} })
	await := func(offset int64, text string) {
		t.Helper()
		for p.OutputSince(offset).Text() != text {
			select {
			case <-heard:
			case <-time.After(5 * time.Second):
				t.Fatalf("output since %d is %+v, want %q", offset, p.OutputSince(offset), text)
			}
		}
	}
	dial(t, p)
	await(0, "connected\n")
	o := p.Output()
	if o.Chunks[0].Stream != Stdout || time.Since(o.Chunks[0].Time) > 5*time.Second {
		t.Errorf("output %+v", o)
	}
	dial(t, p)
	await(o.Size, "connected\n")
	if since := p.OutputSince(o.Size); since.Chunks[0].Offset != o.Size || since.Size != 2*o.Size {
		t.Errorf("since the first snapshot: %+v", since)
	}
	if s, ok := p.Exited(); ok {
		t.Errorf("it has %v", s)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if s, ok := p.Exited(); !ok || s.Signal != syscall.SIGTERM || s.String() != "killed by signal: terminated" {
		t.Errorf("after Stop: %v, %v", s, ok)
	}
	if err := p.Signal(os.Interrupt); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("Signal after Stop: %v", err)
	}
}

func TestAddr(t *testing.T) {
	tests := []struct{ host, want string }{
		{"0.0.0.0", "127.0.0.1"},
		{"127.0.0.1", "127.0.0.1"},
		{"127.0.0.2", "127.0.0.2"},
		{"::", "127.0.0.1"}, // Linux serves both families there, unless told otherwise
		{"::1", "::1"},
		{"::ffff:127.0.0.1", "127.0.0.1"},
	}
	for _, test := range tests {
		t.Run(strings.ReplaceAll(test.host, ":", "_"), func(t *testing.T) {
			p := start(t, script(t, "listens.py", test.host))
			if p.Addr().Addr().String() != test.want {
				t.Errorf("bound to %s: %v, want %s", test.host, p.Addr(), test.want)
			}
			dial(t, p)
		})
	}
	t.Run("told to use IPv6", func(t *testing.T) {
		c := script(t, "listens.py", "::")
		c.Host = "::1"
		if p := start(t, c); p.Addr().Addr() != netip.IPv6Loopback() {
			t.Errorf("address %v, want ::1", p.Addr())
		}
	})
}

func TestListensLate(t *testing.T) {
	began := time.Now()
	p := start(t, script(t, "listens.py", "127.0.0.1", "0.5"))
	if took := time.Since(began); took < 500*time.Millisecond {
		t.Errorf("ready after %v, before it listens", took)
	}
	dial(t, p)
}

func TestUDP(t *testing.T) {
	c := script(t, "udp.py")
	c.Network = "udp"
	p := start(t, c)
	conn, err := net.Dial("udp", p.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	conn.Write([]byte("hello"))
	if n, err := conn.Read(make([]byte, 10)); n != 5 || err != nil {
		t.Errorf("echo: %d bytes, %v", n, err)
	}
}

func TestChildListens(t *testing.T) {
	dial(t, start(t, script(t, "prefork.py")))
}

func TestPicksOwnPort(t *testing.T) {
	c := script(t, "own.py")
	c.Args = c.Args[:2]
	p := start(t, c)
	eventually(t, "the port is printed", func() bool { return p.Output().Size > 0 })
	if want := "port " + strconv.Itoa(int(p.Addr().Port())) + "\n"; !p.Found || p.Output().Text() != want {
		t.Errorf("address %v, found %v; it printed %q", p.Addr(), p.Found, p.Output().Text())
	}
	dial(t, p)
}

func TestEnvironment(t *testing.T) {
	c := script(t, "environment.py")
	c.Args = c.Args[:2]
	c.Host = "127.0.0.3"
	c.Env = []string{"GREETING=good morning"}
	p := start(t, c)
	if p.Found || p.Addr().Addr().String() != "127.0.0.3" {
		t.Errorf("address %v, found %v", p.Addr(), p.Found)
	}
	eventually(t, "the variable is printed", func() bool { return p.Output().Text() == "good morning\n" })
}

func TestDirectoryWithBlanks(t *testing.T) {
	c := script(t, "listens.py")
	c.Dir = filepath.Join(t.TempDir(), "my first server")
	if err := os.Mkdir(c.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(c.Args[1])
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"a server.py": 0o644, "run me": 0o755} {
		text := append([]byte("#!"+c.Args[0]+"\n"), b...)
		if err := os.WriteFile(filepath.Join(c.Dir, name), text, mode); err != nil {
			t.Fatal(err)
		}
	}
	run := map[string][]string{
		"script":     {c.Args[0], "a server.py", "{port}"},
		"executable": {"./run me", "{port}"}, // a path is relative to Dir
	}
	for name, args := range run {
		t.Run(name, func(t *testing.T) {
			dial(t, start(t, Command{Args: args, Dir: c.Dir}))
		})
	}
}

func TestFixedPort(t *testing.T) {
	port, err := ports.reserve("tcp")
	if err != nil {
		t.Fatal(err)
	}
	defer ports.release(port)
	c := script(t, "listens.py")
	c.Port = port
	p := start(t, c)
	if int(p.Addr().Port()) != port {
		t.Errorf("address %v, want port %d", p.Addr(), port)
	}
	err = fails(t, c)
	if _, ok := errors.AsType[*PortError](err); !ok {
		t.Errorf("the port is in use: %v", err)
	}
	p.Stop()

	// An explicit choice is not given up for whatever else the program listens on.
	c = script(t, "own.py")
	c.Port = port
	if e := doesNotListen(t, c, func(e *ListenError) bool { return len(e.Others) > 0 }); len(e.Others) != 1 {
		t.Errorf("it listens on another port: %v", e)
	}
}

// While a program starts up, another one takes the port that was picked for it.
func TestPortTaken(t *testing.T) {
	c := script(t, "listens.py", "127.0.0.1", "0.3")
	clean(t)
	var wg sync.WaitGroup
	var stolen net.Listener
	wg.Go(func() {
		for range 1000 {
			ports.mu.Lock()
			for port := range ports.taken {
				stolen, _ = net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
			}
			ports.mu.Unlock()
			if stolen != nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
	p, err := Start(t.Context(), c)
	wg.Wait()
	if stolen == nil {
		t.Fatal("no port was taken")
	}
	defer stolen.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	if p.Found || p.Addr().String() == stolen.Addr().String() {
		t.Errorf("address %v, found %v; %v was taken", p.Addr(), p.Found, stolen.Addr())
	}
}

func TestManyAtOnce(t *testing.T) {
	c := script(t, "listens.py")
	clean(t)
	addrs := make(chan netip.AddrPort, 16)
	var wg sync.WaitGroup
	for range cap(addrs) {
		wg.Go(func() {
			p, err := Start(t.Context(), c)
			if err != nil {
				t.Error(err)
				return
			}
			addrs <- p.Addr()
			dial(t, p)
			if err := p.Stop(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	close(addrs)
	seen := map[netip.AddrPort]bool{}
	for addr := range addrs {
		seen[addr] = true
	}
	if len(seen) != cap(addrs) {
		t.Errorf("%d programs, %d addresses", cap(addrs), len(seen))
	}
}

func TestContext(t *testing.T) {
	c := script(t, "listens.py")
	clean(t)
	ctx, cancel := context.WithCancel(t.Context())
	p, err := Start(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	eventually(t, "it is stopped when the context ends", func() bool { _, ok := p.Exited(); return ok })
	if err := p.Stop(); err != nil {
		t.Error(err)
	}

	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Start(ctx, script(t, "never.py")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the context ends before it listens: %v", err)
	}
}
