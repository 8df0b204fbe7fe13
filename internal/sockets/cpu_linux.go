package sockets

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// CPUTime returns how much processor time a process has used up to now, in user mode and in the kernel, with threads
// that have ended. Children that have ended, and that it has waited for, are counted to a hundredth of a second.
func CPUTime(pid int) (time.Duration, error) {
	// The clock of a process, as clock_getcpuclockid(3) makes it. It is exact at any moment, where the files of /proc lag
	// behind by up to a tick for a thread that is running.
	const schedulerClock = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedulerClock), &t); err != nil {
		return 0, fmt.Errorf("read the processor time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()) + endedChildren(pid), nil
}

// endedChildren returns the processor time of a process's children that have ended.
func endedChildren(pid int) time.Duration {
	var buf [1024]byte
	b, err := readSmall("/proc/"+strconv.Itoa(pid)+"/stat", buf[:])
	if err != nil {
		return 0
	}
	// After the name, the state is the third field as proc(5) counts them, and cutime and cstime are the 16th and 17th.
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 15 {
		return 0
	}
	user, _ := strconv.ParseInt(string(f[13]), 10, 64)
	system, _ := strconv.ParseInt(string(f[14]), 10, 64)
	const tick = time.Second / 100 // USER_HZ, which is the same on all machines that Go runs on
	return time.Duration(user+system) * tick
}

// Thread is what a thread has done up to the moment when it was looked at.
type Thread struct {
	TID      int
	Time     time.Time     // of the look
	Ran      time.Duration // on a processor; it lags behind by up to a tick while it runs
	Waited   time.Duration // for a processor, while it could have run; without the current wait
	Sleeps   int64         // how often it has given up its processor by itself, to wait for something
	Runnable bool          // it runs or waits for a processor
	Asleep   bool          // it waits for something that may never come, or has ended; not for a disk
}

// Threads returns the threads of a process; none where it is gone.
func Threads(pid int) []Thread {
	tasks := "/proc/" + strconv.Itoa(pid) + "/task"
	dir, err := os.Open(tasks)
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	list := make([]Thread, 0, len(names))
	var buf [4096]byte
	for _, name := range names {
		t := Thread{Time: time.Now()}
		t.TID, _ = strconv.Atoi(name)
		b, err := readSmall(tasks+"/"+name+"/status", buf[:])
		if err != nil {
			continue // it has ended in the meantime
		}
		state := statusField(b, "State:")
		t.Runnable = bytes.HasPrefix(state, []byte("R"))
		t.Asleep = bytes.HasPrefix(state, []byte("S")) || bytes.HasPrefix(state, []byte("Z"))
		t.Sleeps, _ = strconv.ParseInt(string(statusField(b, "voluntary_ctxt_switches:")), 10, 64)
		if b, err := readSmall(tasks+"/"+name+"/schedstat", buf[:]); err == nil { // which some kernels do not have
			if f := bytes.Fields(b); len(f) >= 2 {
				ran, _ := strconv.ParseInt(string(f[0]), 10, 64)
				waited, _ := strconv.ParseInt(string(f[1]), 10, 64)
				t.Ran, t.Waited = time.Duration(ran), time.Duration(waited)
			}
		}
		list = append(list, t)
	}
	return list
}

// statusField returns what stands behind a name in /proc/PID/status.
func statusField(b []byte, name string) []byte {
	i := bytes.Index(b, []byte("\n"+name))
	if i < 0 {
		return nil
	}
	line, _, _ := bytes.Cut(b[i+1+len(name):], []byte("\n"))
	return bytes.TrimSpace(line)
}
