package main

import (
	"bufio"
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
	programs := []struct {
		args   []string
		prompt string
	}{
		{[]string{"framed", "127.0.0.1", port, "alice"}, "> "},
		{[]string{"lines", "alice", "chat://127.0.0.1:" + port}, "> "},
		{[]string{"direct", "127.0.0.1", port}, "> "},
		{[]string{"datagram", "127.0.0.1", serveUDP(t, "127.0.0.1")}, "] "},
	}
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
	for _, program := range programs {
		for _, tt := range tests {
			t.Run(program.args[0]+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				master, slave := openPty(t)
				before := modeOf(t, slave)
				command := exec.CommandContext(t.Context(), "refclient", program.args...)
				command.Stdin, command.Stdout, command.Stderr = slave, slave, slave
				command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
				command.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
				if err := command.Start(); err != nil {
					t.Fatal(err)
				}
				screen := watch(t, master)
				screen.waitFor(t, program.prompt)
				tt.do(master, command.Process)
				command.Wait()
				if code := command.ProcessState.ExitCode(); code != tt.code {
					t.Errorf("exit code %d, want %d", code, tt.code)
				}
				if modeOf(t, slave) != before {
					t.Error("the terminal is not as it was")
				}
				screen.waitFor(t, "\r\n")
			})
		}
	}
}

// modeOf is what the system does with keys and output.
func modeOf(t *testing.T, terminal *os.File) unix.Termios {
	t.Helper()
	mode, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *mode
}

// L-7: on pipes too, the server of lines is told, whatever signal it is.
func TestLinesSaysGoodbye(t *testing.T) {
	heard := make(chan string, 1)
	port := listen(t, func(conn net.Conn) {
		in := bufio.NewReader(conn)
		registration, _ := in.ReadString('\n') // first, or the signal may come before it
		io.WriteString(conn, "200 Registration successful\n")
		rest, _ := io.ReadAll(in)
		heard <- registration + string(rest)
	})
	signals := []struct {
		signal syscall.Signal
		code   int
	}{{syscall.SIGINT, 130}, {syscall.SIGTERM, 143}, {syscall.SIGHUP, 129}}
	for _, tt := range signals {
		t.Run(tt.signal.String(), func(t *testing.T) {
			command := exec.CommandContext(t.Context(), "refclient", "lines", "alice", "chat://127.0.0.1:"+port)
			command.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
			typing, err := command.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer typing.Close()
			out, err := command.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			if shown, err := bufio.NewReader(out).ReadString('\n'); err != nil {
				t.Errorf("the client shows %q, %v", shown, err)
			}
			command.Process.Signal(tt.signal)
			command.Wait()
			if code := command.ProcessState.ExitCode(); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if got, want := <-heard, "REGISTER alice CHAT/1.0\nDISCONNECT alice CHAT/1.0\n"; got != want {
				t.Errorf("the server hears %q, want %q", got, want)
			}
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
		if time.Since(start) > within {
			t.Fatalf("the terminal does not show %q but %q", text, s.text)
		}
	}
}
