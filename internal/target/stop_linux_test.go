package target

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chatprobe/chatprobe/internal/sockets"
)

func TestMain(m *testing.M) {
	if os.Getenv(beProbe) != "" {
		probe()
		return
	}
	os.Exit(m.Run())
}

// clean has the end of the test find out whether a process, a file descriptor or a port is left behind.
func clean(t *testing.T) {
	t.Helper()
	theLauncher.mu.Lock()
	theLauncher.init() // the keeper's pipe stays open
	theLauncher.mu.Unlock()
	before := descriptors(t)
	t.Cleanup(func() {
		eventually(t, "all file descriptors are closed", func() bool { return descriptors(t) <= before })
		if left := marked(); len(left) > 0 {
			t.Errorf("processes left behind: %v", left)
		}
		theLauncher.mu.Lock()
		defer theLauncher.mu.Unlock()
		if n := len(theLauncher.leaders); n > 1 {
			t.Errorf("%d programs not waited for", n-1)
		}
	})
}

func descriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// marked returns all processes that were started by this one, or stem from such.
func marked() (left []int) {
	for _, pid := range sockets.Processes() {
		if hasMark(pid, variable(theLauncher.token)+"=") {
			left = append(left, pid)
		}
	}
	return left
}

func TestStopStubborn(t *testing.T) {
	c := script(t, "stubborn.py")
	c.StopWithin = 100 * time.Millisecond
	p := start(t, c)
	began := time.Now()
	var wg sync.WaitGroup
	for range 4 { // several at a time all wait
		wg.Go(func() {
			if err := p.Stop(); err != nil {
				t.Error(err)
			}
			if s, ok := p.Exited(); !ok || s.Signal != syscall.SIGKILL {
				t.Errorf("it has %v, %v", s, ok)
			}
		})
	}
	wg.Wait()
	if took := time.Since(began); took < 100*time.Millisecond || took > farTooLong {
		t.Errorf("stopping took %v", took)
	}
}

// A program that takes two seconds to end can have them, or not.
func TestStopReluctant(t *testing.T) {
	t.Run("killed", func(t *testing.T) {
		p := start(t, script(t, "reluctant.py"))
		if err := p.Stop(); err != nil {
			t.Fatal(err)
		}
		if s, _ := p.Exited(); s.Signal != syscall.SIGKILL || p.Output().Text() != "not yet\n" {
			t.Errorf("it has %v and printed %q", s, p.Output().Text())
		}
	})
	t.Run("waited for", func(t *testing.T) {
		if testing.Short() {
			t.Skip("takes two seconds")
		}
		c := script(t, "reluctant.py")
		c.StopWithin = time.Minute
		p := start(t, c)
		if err := p.Stop(); err != nil {
			t.Fatal(err)
		}
		if s, _ := p.Exited(); s.Signal != nil || s.Code != 0 {
			t.Errorf("it has %v", s)
		}
	})
}

func TestStopStopped(t *testing.T) {
	p := start(t, script(t, "polite.py"))
	p.Signal(syscall.SIGSTOP)
	p.Stop()
	if s, _ := p.Exited(); s.Code != 3 {
		t.Errorf("it has %v; want that it could end by itself", s)
	}
}

func TestStopPolite(t *testing.T) {
	p := start(t, script(t, "polite.py"))
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if s, ok := p.Exited(); !ok || s.String() != "exited with status 3" {
		t.Errorf("it has %v, %v", s, ok)
	}
	if text := p.Output().Text(); text != "goodbye 15\n" {
		t.Errorf("its last words: %q", text)
	}
}

func TestSignal(t *testing.T) {
	p := start(t, script(t, "polite.py"))
	heard := make(chan struct{}, 100)
	p.Notify(func() { heard <- struct{}{} })
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for {
		<-heard // is told of the end, after the output
		if s, ok := p.Exited(); ok {
			if s.Code != 3 || p.Output().Text() != "goodbye 15\n" {
				t.Errorf("it has %v and printed %q", s, p.Output().Text())
			}
			break
		}
	}
	// It is dead but not buried: its number still means this one.
	if err := unix.Kill(p.PID(), 0); err != nil {
		t.Errorf("its number was given up before Stop: %v", err)
	}
}

func TestStopForks(t *testing.T) {
	p := start(t, script(t, "forks.py"))
	pids := forked(t, func() string { return p.Output().Text() })
	if err := p.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it ends", func() bool { _, ok := p.Exited(); return ok })
	for name, pid := range pids {
		if !isAlive(pid) {
			t.Errorf("the %s has ended by itself", name)
		}
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	for name, pid := range pids {
		if unix.Kill(pid, 0) == nil {
			t.Errorf("the %s is still there", name)
		}
	}
}

// forked waits until the three processes of forks.py have said who they are.
func forked(t *testing.T, output func() string) map[string]int {
	t.Helper()
	pids := map[string]int{}
	eventually(t, "three processes have reported", func() bool {
		for _, m := range regexp.MustCompile(`(?m)^(\w+) (\d+)$`).FindAllStringSubmatch(output(), -1) {
			pids[m[1]], _ = strconv.Atoi(m[2])
		}
		return len(pids) == 3
	})
	return pids
}

func TestInputStaysOpen(t *testing.T) {
	p := start(t, script(t, "input.py"))
	time.Sleep(50 * time.Millisecond)
	if s, ok := p.Exited(); ok {
		t.Fatalf("it has %v", s)
	}
	p.Stop()
}

func TestFlood(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c := script(t, "floods.py")
	c.OutputLimit = 100_000
	p := start(t, c)
	eventually(t, "the last line is there", func() bool { return strings.HasSuffix(p.Output().Text(), "last line\n") })
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 2<<20 {
		t.Errorf("it costs %d bytes", grown)
	}
	o := p.Output()
	if want := int64(len("first line\n") + 20_000_000 + len("last line\n")); o.Size != want || o.Dropped != want-100_000 {
		t.Errorf("size %d, dropped %d; want %d, %d", o.Size, o.Dropped, want, want-100_000)
	}
	if !strings.HasPrefix(o.Text(), "first line\n") {
		t.Errorf("it begins %.20q", o.Text())
	}
}

// The thread that a program is started from may end at any time.
func TestThreadEnds(t *testing.T) {
	c := script(t, "listens.py")
	clean(t)
	started := make(chan *Process)
	tid := make(chan int)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
		tid <- unix.Gettid()
		p, err := Start(t.Context(), c)
		if err != nil {
			t.Error(err)
		}
		started <- p
	}()
	thread := <-tid
	p := <-started
	if p == nil {
		return
	}
	defer p.Stop()
	if thread != os.Getpid() { // the main thread never ends
		eventually(t, "the thread has ended", func() bool {
			_, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", thread))
			return err != nil
		})
	}
	time.Sleep(20 * time.Millisecond)
	if s, ok := p.Exited(); ok {
		t.Errorf("with the thread, the program has %v", s)
	}
}

// beProbe makes the test binary a probe that is going to be killed; its value is the command to start, a line for each
// argument. With beCopying that runs in a copy of the probe's directory.
const (
	beProbe   = "TARGET_TEST_BE_PROBE"
	beCopying = "TARGET_TEST_BE_COPYING"
)

func probe() {
	p, err := Start(context.Background(), Command{Args: strings.Split(os.Getenv(beProbe), "\n"), Copy: os.Getenv(beCopying) != ""})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("program", p.PID())
	for offset := int64(0); ; time.Sleep(time.Millisecond) {
		o := p.OutputSince(offset)
		offset = o.Size
		fmt.Print(o.Text())
	}
}

func TestProbeKilled(t *testing.T) {
	c := script(t, "forks.py")
	for _, test := range []struct {
		name   string
		keeper bool // is killed before the probe is
	}{{"alone", false}, {"with its keeper", true}} {
		t.Run(test.name, func(t *testing.T) {
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = append(os.Environ(), beProbe+"="+strings.Join(c.Args, "\n"))
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			pids := map[string]int{}
			for lines := bufio.NewScanner(out); len(pids) < 4 && lines.Scan(); {
				name, number, _ := strings.Cut(lines.Text(), " ")
				if pids[name], err = strconv.Atoi(number); err != nil {
					t.Fatalf("the probe says %q", lines.Text())
				}
			}
			pids["keeper"] = keeperOf(t, cmd.Process.Pid)
			if test.keeper {
				unix.Kill(pids["keeper"], unix.SIGKILL)
			}
			cmd.Process.Kill()
			cmd.Wait()
			for name, pid := range pids {
				if test.keeper && name != "program" && name != "keeper" {
					defer unix.Kill(pid, unix.SIGKILL) // too much to ask
					continue
				}
				eventually(t, "the "+name+" has ended", func() bool { return !isAlive(pid) })
			}
		})
	}
}

func keeperOf(t *testing.T, probe int) int {
	t.Helper()
	for _, pid := range sockets.Children(probe) {
		if b, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline")); strings.HasPrefix(string(b), keeperName+"\x00") {
			return pid
		}
	}
	t.Fatal("the probe has no keeper")
	return 0
}

func BenchmarkStartStop(b *testing.B) {
	program := filepath.Join(b.TempDir(), "trivial")
	if out, err := exec.Command("go", "build", "-o", program, "./testdata/trivial").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	run := func(b *testing.B, c Command) {
		for b.Loop() {
			p, err := Start(b.Context(), c)
			if err != nil {
				b.Fatal(err)
			}
			if err := p.Stop(); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("Go", func(b *testing.B) { run(b, Command{Args: []string{program, "{port}"}}) })
	b.Run("Python", func(b *testing.B) { run(b, script(b, "listens.py")) })
	b.Run("bare Go", func(b *testing.B) { // the floor: no port, no looking, no tree
		for b.Loop() {
			cmd := exec.Command(program, "0")
			if err := cmd.Start(); err != nil {
				b.Fatal(err)
			}
			cmd.Process.Kill()
			cmd.Wait()
		}
	})
}
