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
	spinLooks = 50 // all of which must find it busy
	spinShare = 0.6
)

// Spins looks whether the program uses a processor although nothing happens, and says so in a sentence; empty if it
// does not. The first look takes 10 ms; only a program that is busy is looked at for up to half a second. What a
// thread waits for a processor counts as use, so a busy machine hides nothing.
func (p *Process) Spins(ctx context.Context) string {
	began := time.Now()
	last, at := p.processorTime(), began
	for range spinLooks {
		select {
		case <-time.After(spinLook):
		case <-p.ended:
			return ""
		case <-ctx.Done():
			return ""
		}
		used := p.processorTime()
		if float64(used-last) < spinShare*float64(time.Since(at)) {
			return ""
		}
		last, at = used, time.Now()
	}
	return fmt.Sprintf("the program spins: after all clients had left, it kept a processor busy for as long as it was watched (%s)",
		seconds(at.Sub(began).Round(100*time.Millisecond)))
}

// processorTime returns how long all threads of the program, and of what it has started, have run or waited for a
// processor.
func (p *Process) processorTime() time.Duration {
	var sum time.Duration
	for _, pid := range sockets.Tree(p.PID()) {
		dir := fmt.Sprintf("/proc/%d/task/", pid)
		tasks, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, task := range tasks {
			stat, err := os.ReadFile(dir + task.Name() + "/schedstat")
			if err != nil {
				continue
			}
			var ran, waited int64
			if _, err := fmt.Sscan(string(stat), &ran, &waited); err == nil {
				sum += time.Duration(ran + waited)
			}
		}
	}
	return sum
}
