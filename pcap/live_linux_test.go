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
				_, err := Live(ctx, iface, Sink{
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
					if errors.Is(err, ErrPrivilege) {
						t.Skipf("SKIPPED, NOT TESTED: %v", err)
					}
					t.Fatal(err)
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

func TestLiveNowhere(t *testing.T) {
	_, err := Live(t.Context(), "chat0", Sink{})
	if !errors.Is(err, ErrInterface) || !strings.HasPrefix(err.Error(), "capture on chat0: no packets can be captured there: there is no such network interface; there are any, lo") {
		t.Error(err)
	}
}

// TestLiveWithoutPrivilege runs itself again as somebody who may not capture.
func TestLiveWithoutPrivilege(t *testing.T) {
	const inside = "CHATPROBE_TEST_WITHOUT_PRIVILEGE"
	if os.Getenv(inside) != "" {
		_, err := Live(t.Context(), "lo", Sink{})
		fmt.Println(err)
		return
	}
	if os.Getuid() != 0 {
		if _, err := Live(expired(t), "lo", Sink{}); err != nil && !errors.Is(err, ErrPrivilege) {
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
		stats, err := Live(expired(t), "lo", Sink{})
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
