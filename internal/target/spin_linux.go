package target

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/chatprobe/chatprobe/internal/sockets"
)

const (
	spinLook  = 10 * time.Millisecond
	spinLooks = 30 // all of which must find it busy
	spinShare = 0.6
)

// Spins looks whether the program uses a processor although nothing happens, and says so in a sentence; empty if it
// does not. The first look takes 10 ms; only a program that is busy is looked at for up to a third of a second. What a
// thread waits for a processor counts as use, so a busy machine hides nothing.
func (p *Process) Spins(ctx context.Context) string {
	began := time.Now()
	first := p.threadTimes()
	last, at := first, began
	for range spinLooks {
		select {
		case <-time.After(spinLook):
		case <-p.ended:
			return ""
		case <-ctx.Done():
			return ""
		}
		now, elapsed := p.threadTimes(), time.Since(at)
		busy := false
		for thread, used := range now {
			if before, ok := last[thread]; ok && float64(used-before) >= spinShare*float64(elapsed) {
				busy = true
			}
		}
		if !busy {
			return ""
		}
		last, at = now, time.Now()
	}
	threads, most := 0, 0.0
	for thread, used := range last {
		before, ok := first[thread]
		if !ok {
			continue
		}
		share := float64(used-before) / float64(time.Since(began))
		if share > spinShare {
			threads++
		}
		most = max(most, share)
	}
	if threads == 0 {
		return ""
	}
	who := "a thread"
	if threads > 1 {
		who = fmt.Sprintf("%d threads", threads)
	}
	return fmt.Sprintf("the program spins: after all clients had left, %s of it kept a processor busy (%.0f %% of the time)", who, min(100*most, 100))
}

// threadTimes returns for each thread of the program, and of what it has started, how long it has run or waited for a
// processor.
func (p *Process) threadTimes() map[string]time.Duration {
	times := map[string]time.Duration{}
	for _, pid := range sockets.Tree(p.PID()) {
		dir := fmt.Sprintf("/proc/%d/task/", pid)
		tasks, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, task := range tasks {
			stat, err := os.ReadFile(dir + task.Name() + "/schedstat")
			var ran, waited int64
			if err != nil {
				continue
			}
			if _, err := fmt.Sscan(string(stat), &ran, &waited); err == nil {
				times[task.Name()] = time.Duration(ran + waited)
			}
		}
	}
	return times
}
