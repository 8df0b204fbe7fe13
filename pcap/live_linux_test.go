package pcap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cannotCapture skips the test where it lacks the privilege, and fails it otherwise.
func cannotCapture(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, ErrPrivilege) {
		t.Skipf("SKIPPED, NOT TESTED: %v", err)
	}
	t.Fatal(err)
}

// TestLiveCapture captures a conversation while it takes place. Everything comes
// once, though the loopback interface shows each packet twice, and it comes while
// the capture goes on.
func TestLiveCapture(t *testing.T) {
	for _, iface := range []string{"lo", "any"} {
		t.Run(iface, func(t *testing.T) {
			t.Parallel()
			door, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer door.Close()
			ear, err := net.ListenPacket("udp", door.Addr().String()) // else the system complains
			if err != nil {
				t.Fatal(err)
			}
			defer ear.Close()
			knocker, err := net.Dial("udp", door.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer knocker.Close()
			port := uint16(door.Addr().(*net.TCPAddr).Port)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			heard, done := make(chan string, 10000), make(chan error, 1)
			note := func(s Source, format string, args ...any) {
				if age := time.Since(s.Time); age < 0 || age > time.Minute {
					t.Errorf("captured %v ago", age)
				}
				if s.Conn != nil && s.Conn.Server.Port() == port || s.To.Port() == port {
					heard <- fmt.Sprintf(format, args...)
				}
			}
			go func() {
				_, err := Live(ctx, iface, port, Sink{
					Data:     func(s Source, b []byte) { note(s, "%s", b) },
					End:      func(s Source, how End) { note(s, "%v", how) },
					Datagram: func(s Source, b []byte) { note(s, "%s", b) },
				})
				done <- err
			}()
			knocks := 0
			for begun := false; !begun; {
				fmt.Fprintf(knocker, "knock %d", knocks)
				knocks++
				select {
				case err := <-done:
					cannotCapture(t, err)
				case <-heard:
					begun = knocks > 3 // so that some come that are looked at below
				case <-time.After(50 * time.Millisecond):
				}
			}
			go func() {
				c, err := door.Accept()
				if err == nil {
					io.ReadFull(c, make([]byte, 5))
					c.Write([]byte("welcome"))
					c.Close()
				}
			}()
			c, err := net.Dial("tcp", door.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			c.Write([]byte("hello"))
			io.ReadAll(c)
			c.Close()
			knocked := map[string]bool{}
			for _, want := range []string{"hello", "welcome", "closed", "closed"} {
				got := "knock"
				for strings.HasPrefix(got, "knock") {
					select {
					case got = <-heard:
						if strings.HasPrefix(got, "knock") && knocked[got] {
							t.Errorf("heard %q twice", got)
						}
						knocked[got] = true
					case <-ctx.Done():
						t.Fatalf("heard nothing, not %q", want)
					}
				}
				if got != want {
					t.Errorf("heard %q, not %q", got, want)
				}
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			close(heard)
			for more := range heard {
				t.Errorf("heard %q, too", more)
			}
		})
	}
}

// TestLiveOnAPort: nothing else is captured, so that it cannot take the place
// of what is. What may be of that port is kept.
func TestLiveOnAPort(t *testing.T) {
	var lc net.ListenConfig
	listen := func(network, address string) net.PacketConn {
		ear, err := lc.ListenPacket(t.Context(), network, address)
		if err != nil {
			t.Skipf("SKIPPED, NOT TESTED: %v", err)
		}
		t.Cleanup(func() { ear.Close() })
		return ear
	}
	right, other := listen("udp4", "127.0.0.1:0"), listen("udp4", "127.0.0.1:0")
	port := uint16(right.LocalAddr().(*net.UDPAddr).Port)
	right6 := listen("udp6", fmt.Sprintf("[::1]:%d", port))
	said := []struct {
		from, to net.PacketConn
		text     string
		heard    bool
	}{
		{other, right, "to the port", true},
		{right, other, "from the port", true},
		{listen("udp6", "[::1]:0"), right6, "to the port over IPv6", true},
		{right6, listen("udp6", "[::1]:0"), "from the port over IPv6", true},
		{other, right, strings.Repeat("long ", 2000), true}, // in fragments, where the interface has a small MTU
		{other, other, "elsewhere", false},
		{listen("udp6", "[::1]:0"), listen("udp6", "[::1]:0"), "elsewhere over IPv6", false},
		{right, right, "the end", true},
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	heard, done := make(chan string, 10_000), make(chan error, 1)
	go func() {
		_, err := Live(ctx, "lo", port, Sink{Datagram: func(_ Source, b []byte) { heard <- string(b) }})
		done <- err
	}()
	for begun := false; !begun; {
		_, _ = right.WriteTo([]byte("knock"), right.LocalAddr())
		select {
		case err := <-done:
			cannotCapture(t, err)
		case <-heard:
			begun = true
		case <-time.After(50 * time.Millisecond):
		}
	}
	for _, s := range said {
		if _, err := s.from.WriteTo([]byte(s.text), s.to.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range said {
		if !s.heard {
			continue
		}
		got := "knock"
		for got == "knock" {
			select {
			case got = <-heard:
			case <-ctx.Done():
				t.Fatalf("heard nothing, not %.30q", s.text)
			}
		}
		if got != s.text {
			t.Errorf("heard %.30q, not %.30q", got, s.text)
		}
	}
}

func TestLiveNowhere(t *testing.T) {
	_, err := Live(t.Context(), "chat0", 0, Sink{})
	if !errors.Is(err, ErrInterface) || !strings.HasPrefix(err.Error(), "capture on chat0: no packets can be captured there: there is no such network interface; there are any, lo") {
		t.Error(err)
	}
}

// TestLiveWithoutPrivilege runs itself again as somebody who may not capture.
func TestLiveWithoutPrivilege(t *testing.T) {
	const inside = "CHATPROBE_TEST_WITHOUT_PRIVILEGE"
	if os.Getenv(inside) != "" {
		_, err := Live(t.Context(), "lo", 0, Sink{})
		fmt.Println(err)
		return
	}
	if os.Getuid() != 0 {
		if _, err := Live(expired(t), "lo", 0, Sink{}); err != nil && !errors.Is(err, ErrPrivilege) {
			t.Error(err)
		}
		return
	}
	self, err := os.Open("/proc/self/exe") // nobody may not look into the folder where it is
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	cmd := exec.CommandContext(t.Context(), "/proc/self/fd/3", "-test.run=^TestLiveWithoutPrivilege$")
	cmd.ExtraFiles = []*os.File{self}
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), inside+"=yes")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Skipf("SKIPPED, NOT TESTED: it cannot be run as nobody: %v: %s", err, out)
	}
	if want := "capture on lo: " + ErrPrivilege.Error() + "\n"; !strings.HasPrefix(string(out), want) {
		t.Errorf("nobody is told %q, not %q", out, want)
	}
}

// expired is a context that is over.
func expired(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// TestLiveEnds: a capture that is over before it begins has heard nothing, and
// leaves no socket behind.
func TestLiveEnds(t *testing.T) {
	sockets := func() int {
		list, _ := os.ReadDir("/proc/self/fd")
		return len(list)
	}
	before := sockets()
	for range 20 {
		stats, err := Live(expired(t), "lo", 0, Sink{})
		if errors.Is(err, ErrPrivilege) {
			t.Skipf("SKIPPED, NOT TESTED: %v", err)
		}
		if err != nil || stats.Packets != 0 {
			t.Fatalf("%+v, %v", stats, err)
		}
	}
	if after := sockets(); after >= before+20 {
		t.Errorf("%d files are open, %d before", after, before)
	}
}
