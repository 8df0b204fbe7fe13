package target

import (
	"context"
	"fmt"
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
// reports whether the program rests, or has ended. What it has printed before it
// rests is in [Process.Output] then.
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
			p.readLast()
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
		for _, t := range sockets.Threads(pid) {
			asleep = asleep && t.Asleep
			fmt.Fprintln(&b, t.TID, t.Ran, t.Waited, t.Sleeps)
		}
	}
	return b.String(), asleep
}
