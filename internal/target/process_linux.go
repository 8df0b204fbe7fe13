package target

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/chatprobe/chatprobe/internal/sockets"
)

func children() []int { return sockets.Children(os.Getpid()) }

// waitEnd waits until the program has ended, and leaves it a zombie: as long as nobody has taken notice of it, its
// number, and that of its process group and session, cannot be given to somebody else whom we would then kill.
func (p *Process) waitEnd() Status {
	// What follows the first three numbers of a siginfo_t is a union, aligned as a pointer; for a child's end it
	// begins with the process, the user and the status.
	type siginfo struct {
		signo, errno, code int32
		child              struct {
			_         [0]uintptr
			pid, user int32
			status    int32
		}
	}
	var info unix.Siginfo
	for {
		err := unix.Waitid(unix.P_PID, p.PID(), &info, unix.WEXITED|unix.WNOWAIT, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil { // which cannot be, unless somebody else in this process waits for any child
			return Status{Code: -1}
		}
		break
	}
	const exited = 1 // CLD_EXITED; others are CLD_KILLED and CLD_DUMPED
	end := (*siginfo)(unsafe.Pointer(&info))
	if info.Code == exited {
		return Status{Code: int(end.child.status)}
	}
	return Status{Code: -1, Signal: syscall.Signal(end.child.status)}
}

// terminate asks the process group to end.
func (p *Process) terminate() {
	unix.Kill(-p.PID(), unix.SIGTERM)
	unix.Kill(-p.PID(), unix.SIGCONT) // one that is stopped would not hear it
}

// killTime is how long killed processes are waited for. They end at once, unless the kernel itself is stuck in one.
const killTime = 5 * time.Second

// killAll kills the program and its descendants, until there are none.
func (p *Process) killAll() error {
	// A process that is dying has lost its environment, by which it was known, before it can be waited for. So one
	// that was found counts until it is gone.
	left := map[int]bool{}
	for start := time.Now(); ; {
		// The group first, with one call: that leaves no gap in which it could grow.
		unix.Kill(-p.PID(), unix.SIGKILL)
		for _, pid := range p.members() {
			left[pid] = true
		}
		for pid := range left {
			if unix.Kill(pid, unix.SIGKILL) == unix.ESRCH {
				delete(left, pid)
			}
		}
		select {
		case <-p.ended:
			if len(left) == 0 {
				return nil
			}
		default:
		}
		if time.Since(start) > killTime {
			return fmt.Errorf("stop process %d: of it and its descendants %v do not end", p.PID(), slices.Collect(maps.Keys(left)))
		}
		time.Sleep(min(max(time.Since(start)/8, 100*time.Microsecond), 20*time.Millisecond))
	}
}

// members returns the processes that stem from the program, without itself.
func (p *Process) members() []int {
	var list []int
	for _, root := range append([]int{p.PID()}, theLauncher.adopted(p.mark)...) {
		for _, pid := range sockets.Tree(root) {
			if pid != p.PID() && !slices.Contains(list, pid) {
				list = append(list, pid)
			}
		}
	}
	return list
}

// reap takes notice of the program's end. Its number is free after that.
func (p *Process) reap() {
	theLauncher.tellKeeper('-', p.PID())
	p.cmd.Wait()
	theLauncher.forget(p.PID())
}
