package target

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/chatprobe/chatprobe/internal/sockets"
)

// restLook is the time between two looks at a program, in which it must not
// have run at all.
const restLook = 4 * time.Millisecond

// AwaitRest waits until the program waits for something to happen, its input
// for example: all its threads, and those of what it has started, are asleep
// and none has run since the last look. It waits no longer than limit. On
// other systems than Linux, where this cannot be seen, it waits for a while. It
// reports whether the program rests, or has ended.
func (p *Process) AwaitRest(ctx context.Context, limit time.Duration) bool {
	give := time.Now().Add(limit)
	last, asleep := p.activity()
	for time.Now().Before(give) {
		select {
		case <-time.After(restLook):
		case <-p.ended:
			return true
		case <-ctx.Done():
			return false
		}
		now, still := p.activity()
		if asleep && still && now == last {
			return true
		}
		last, asleep = now, still
	}
	return false
}

// activity is a text that changes whenever a thread of the program has run,
// and says whether all of them sleep now.
func (p *Process) activity() (stamp string, asleep bool) {
	var b strings.Builder
	asleep = true
	for _, pid := range sockets.Tree(p.PID()) {
		dir := fmt.Sprintf("/proc/%d/task", pid)
		tasks, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, task := range tasks {
			stat, err := os.ReadFile(dir + "/" + task.Name() + "/stat")
			if err != nil {
				continue
			}
			// The name, in parentheses, may hold anything; the state follows it.
			if at := strings.LastIndexByte(string(stat), ')'); at >= 0 && at+2 < len(stat) && stat[at+2] != 'S' && stat[at+2] != 'Z' {
				asleep = false
			}
			ran, _ := os.ReadFile(dir + "/" + task.Name() + "/schedstat")
			fmt.Fprintf(&b, "%s %s", task.Name(), ran)
		}
	}
	return b.String(), asleep
}
