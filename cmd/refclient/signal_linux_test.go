package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The program as a process at a terminal of its own: however it ends, the
// terminal is as it was, and the exit code says how.
func TestEndsAtTerminal(t *testing.T) {
	port := listen(t, func(conn net.Conn) { io.Copy(io.Discard, conn) })
	tests := []struct {
		name string
		do   func(master *os.File, process *os.Process)
		code int
	}{
		{"Ctrl-D", func(master *os.File, _ *os.Process) { io.WriteString(master, "\x04") }, 0},
		{"Ctrl-C", func(master *os.File, _ *os.Process) { io.WriteString(master, "half a line\x03") }, 130},
		{"interrupt", func(_ *os.File, process *os.Process) { process.Signal(os.Interrupt) }, 130},
		{"terminate", func(_ *os.File, process *os.Process) { process.Signal(syscall.SIGTERM) }, 143},
		{"hang up", func(_ *os.File, process *os.Process) { process.Signal(syscall.SIGHUP) }, 129},
		{"quit", func(_ *os.File, process *os.Process) { process.Signal(syscall.SIGQUIT) }, 131},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			master, slave := openPty(t)
			before, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
			if err != nil {
				t.Fatal(err)
			}
			command := exec.CommandContext(t.Context(), "refclient", "framed", "127.0.0.1", port, "alice")
			command.Stdin, command.Stdout, command.Stderr = slave, slave, slave
			command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			command.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			screen := watch(t, master)
			screen.waitFor(t, "> ")
			tt.do(master, command.Process)
			command.Wait()
			if code := command.ProcessState.ExitCode(); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			after, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
			if err != nil {
				t.Fatal(err)
			}
			if *after != *before {
				t.Error("the terminal is not as it was")
			}
			screen.waitFor(t, "\r\n")
		})
	}
}

// openPty makes a pseudo-terminal: the test's end and the program's.
func openPty(t *testing.T) (master, slave *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	master = os.NewFile(uintptr(fd), "ptmx")
	t.Cleanup(func() { master.Close() })
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

// A screen is all that has been written to a terminal.
type screen struct {
	mu   sync.Mutex
	text []byte
}

func watch(t *testing.T, master *os.File) *screen {
	s := &screen{}
	var reader sync.WaitGroup
	reader.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			s.mu.Lock()
			s.text = append(s.text, buf[:n]...)
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	})
	t.Cleanup(func() {
		master.Close()
		reader.Wait()
	})
	return s
}

func (s *screen) waitFor(t *testing.T, text string) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		found := bytes.Contains(s.text, []byte(text))
		s.mu.Unlock()
		if found {
			return
		}
		if time.Since(start) > 5*time.Second {
			t.Fatalf("the terminal does not show %q but %q", text, s.text)
		}
	}
}
