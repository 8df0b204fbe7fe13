package sockets

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// shell starts a shell that reads commands from its standard input, and ends at the end of the test.
func shell(t *testing.T) (pid int, commands io.Writer) {
	t.Helper()
	cmd := exec.Command("sh")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd.Process.Pid, in
}

func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for start := time.Now(); !f(); time.Sleep(time.Millisecond) {
		if time.Since(start) > time.Minute {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func TestCPUTime(t *testing.T) {
	pid, commands := shell(t)
	first, err := CPUTime(pid)
	if err != nil || first > time.Second {
		t.Fatalf("at the beginning: %v, %v", first, err)
	}
	io.WriteString(commands, "while :; do :; done\n")
	until(t, "it has used 20 ms", func() bool {
		used, err := CPUTime(pid)
		return err == nil && used > first+20*time.Millisecond
	})
}

// A child that has ended was part of it.
func TestCPUTimeOfEndedChildren(t *testing.T) {
	pid, commands := shell(t)
	io.WriteString(commands, "while :; do sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'; done\n")
	until(t, "children have used 20 ms", func() bool { return endedChildren(pid) >= 20*time.Millisecond })
	if used, err := CPUTime(pid); err != nil || used < 20*time.Millisecond {
		t.Errorf("with its children it has used %v, %v", used, err)
	}
}

func TestCPUTimeOfNobody(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if used, err := CPUTime(cmd.Process.Pid); !errors.Is(err, unix.ESRCH) && !errors.Is(err, unix.EINVAL) {
		t.Errorf("%v, %v", used, err)
	}
	if list := Threads(cmd.Process.Pid); len(list) != 0 {
		t.Errorf("threads %v", list)
	}
}

func TestThreads(t *testing.T) {
	pid, commands := shell(t)
	until(t, "it sleeps", func() bool {
		list := Threads(pid)
		return len(list) == 1 && !list[0].Runnable && list[0].TID == pid && list[0].Sleeps > 0
	})
	io.WriteString(commands, "while :; do :; done\n")
	var before Thread
	until(t, "it runs", func() bool {
		list := Threads(pid)
		if len(list) == 1 {
			before = list[0]
		}
		return before.Runnable && before.Ran > 10*time.Millisecond // before, it may sleep while it reads its commands
	})
	var now Thread
	until(t, "it has run for 50 ms", func() bool {
		now = Threads(pid)[0]
		return now.Ran > before.Ran+50*time.Millisecond
	})
	if elapsed := now.Time.Sub(before.Time); !now.Runnable || now.Sleeps != before.Sleeps ||
		now.Ran-before.Ran+now.Waited-before.Waited > elapsed+20*time.Millisecond {
		t.Errorf("after %v of running: %+v, before %+v", elapsed, now, before)
	}
	if own := Threads(os.Getpid()); len(own) < 2 {
		t.Errorf("this program has %d threads", len(own))
	}
}
