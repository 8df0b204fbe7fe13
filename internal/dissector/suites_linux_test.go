package dissector_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chatprobe/chatprobe/scenarios"
)

// The test runs itself again in a network of its own, where nobody else is
// captured. This says so, and what is to be done there.
const playThere = "DISSECTOR_TEST_PLAY"

func TestMain(m *testing.M) {
	if plan := os.Getenv(playThere); plan != "" {
		if err := play(strings.Split(plan, "\n")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// captures are the programs that capture, by suite: each has its turn.
var captures = map[string][]string{
	"framed":   {"tcpdump", "-Z", "root", "-i", "lo", "-B", "65536", "-w"},
	"lines":    {"dumpcap", "-q", "-i", "lo", "-B", "64", "-w"},
	"direct":   {"tcpdump", "-Z", "root", "-i", "any", "-B", "65536", "-w"},
	"datagram": {"dumpcap", "-q", "-i", "lo", "-B", "64", "-w"},
}

var whole = flag.Bool("whole", false, "capture whole runs of all suites and compare how they are read")

// TestDissectorReadsWholeSuitesAsDecodeDoes captures whole runs of all suites.
func TestDissectorReadsWholeSuitesAsDecodeDoes(t *testing.T) {
	needTshark(t)
	if !*whole {
		t.Skip("playing all suites takes minutes: -whole does it")
	}
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can capture in a network of its own")
	}
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", dir, "../../cmd/chatprobe", "../../cmd/refserver").CombinedOutput()
	if err != nil {
		t.Fatalf("build the programs: %v\n%s", err, out)
	}
	for _, suite := range scenarios.Names() {
		t.Run(suite, func(t *testing.T) {
			program := captures[suite]
			if _, err := exec.LookPath(program[0]); err != nil {
				t.Skipf("SKIPPED: %v", err)
			}
			file := filepath.Join(dir, suite+".pcap")
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0])
			cmd.Env = append(os.Environ(), playThere+"="+strings.Join(append([]string{dir, suite, file}, program...), "\n"))
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
			out, err := cmd.CombinedOutput()
			if errors.Is(err, syscall.EPERM) {
				t.Skipf("SKIPPED: no network of its own: %v", err)
			}
			if err != nil {
				t.Fatalf("capture: %v\n%s", err, out)
			}
			n := agree(t, file, builtin(t, suite), bound[suite])
			t.Logf("%d messages agree", n)
			if n < 100 {
				t.Errorf("only %d messages were compared", n)
			}
		})
	}
}

// play plays a suite against the reference server while a program captures.
func play(plan []string) error {
	dir, suite, file, program := plan[0], plan[1], plan[2], plan[3:]
	if err := loopbackUp(); err != nil {
		return err
	}
	capture := exec.Command(program[0], append(program[1:], file)...)
	said, err := capture.StderrPipe()
	if err != nil {
		return err
	}
	if err := capture.Start(); err != nil {
		return fmt.Errorf("start capture: %w", err)
	}
	lines := bufio.NewScanner(said)
	for lines.Scan() && !strings.Contains(lines.Text(), "listening on") && !strings.HasPrefix(lines.Text(), "File:") {
	}
	ended := make(chan error, 1)
	go func() {
		for lines.Scan() { // so that it is never held up
		}
		ended <- capture.Wait()
	}()
	// What it says of the server is not asked here.
	run := exec.Command(filepath.Join(dir, "chatprobe"), "run", suite, "--", filepath.Join(dir, "refserver"), suite, "{port}")
	out, err := run.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() != 1) {
		return fmt.Errorf("play: %w\n%s", err, out)
	}
	time.Sleep(500 * time.Millisecond) // what is captured is written a little later
	if err := capture.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("end capture: %w", err)
	}
	return <-ended
}

// loopbackUp switches on the one interface of a new network.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return fmt.Errorf("open socket: %w", err)
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("name lo: %w", err)
	}
	lo.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("switch on lo: %w", err)
	}
	return nil
}
