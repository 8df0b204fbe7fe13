package target

import (
	"context"
	"fmt"
	"time"

	"github.com/chatprobe/chatprobe/internal/sockets"
)

const (
	spinLook  = 10 * time.Millisecond  // between two looks
	spinWatch = 300 * time.Millisecond // in which the program must have been busy
	spinMost  = 3 * time.Second        // where it gets little of a busy machine

	spinShare  = 0.9 // of the time in which a thread could have run
	spinBefore = 0.6 // the same while it is watched: over a short time it is not known exactly
	spinTurns  = 0.1 // of all time, for threads that spin by turns
	spinAsleep = 10  // of so many looks, at one they may all be asleep, because they print too
	spinRun    = 150 * time.Millisecond
)

// Lacks says what cannot be had on this operating system; empty where nothing is missing.
func Lacks() string { return "" }

// Spins looks whether the program uses a processor although nothing happens, and says so in a sentence; empty if it
// does not. That takes 10 ms; a program that is busy is watched for 300 ms, and longer where the machine is so busy that
// this says nothing.
func (p *Process) Spins(ctx context.Context) string {
	share, threads := p.spin(ctx)
	if threads == 0 {
		return ""
	}
	who := "a thread of it"
	if threads > 1 {
		who = fmt.Sprintf("%d of its threads", threads)
	}
	return fmt.Sprintf("the program spins: after all clients had left, %s used a processor for %.0f %% of the time",
		who, 100*share)
}

// spin returns how many threads spin, and which share of the time that they could have had they have used; 0 where
// nothing spins.
//
// On a busy machine a thread that spins may get little of a processor, and one that only wakes now and then waits long
// until it gets some. What tells them apart is sleep. A thread that has not given up its processor by itself, and could
// run at the beginning and at the end, has not slept at all. One that has slept a little, because it prints too, has
// run for almost all of the time in which it did not wait for a processor. And threads that spin by turns, as those of
// Python do, are hardly ever all asleep.
func (p *Process) spin(ctx context.Context) (share float64, threads int) {
	pids := sockets.Tree(p.PID())
	before := lookAt(pids)
	asleep := 0 // at so many looks
	for n := 1; ; n++ {
		select {
		case <-time.After(time.Until(before.time.Add(time.Duration(n) * spinLook))):
		case <-p.ended:
			return 0, 0
		case <-ctx.Done():
			return 0, 0
		}
		now := lookAt(pids)
		took := now.time.Sub(before.time)
		if !now.awake {
			asleep++
		}
		awake := spinAsleep*asleep <= n
		if took < spinWatch {
			if _, threads, _ := now.busy(before, spinBefore); threads == 0 && !awake {
				return 0, 0
			}
			continue
		}
		share, threads, ran := now.busy(before, spinShare)
		if threads == 0 && awake {
			used := now.used - before.used
			if float64(used) >= spinTurns*float64(took) {
				share, threads, ran = 1, now.active(before), used
			}
		}
		switch {
		case threads > 0 && ran >= spinRun:
			return share, threads
		case threads == 0 && !awake, took >= spinMost:
			return 0, 0
		}
	}
}

// activityLook is what the threads of some processes have done up to a time.
type activityLook struct {
	time    time.Time
	used    time.Duration // of a processor, by all
	awake   bool          // at least one could run
	threads map[int]sockets.Thread
}

func lookAt(pids []int) activityLook {
	l := activityLook{time: time.Now(), threads: map[int]sockets.Thread{}}
	for _, pid := range pids {
		if used, err := sockets.CPUTime(pid); err == nil {
			l.used += used
		}
		for _, t := range sockets.Threads(pid) {
			l.threads[t.TID] = t
			l.awake = l.awake || t.Runnable
		}
	}
	return l
}

// busy returns the threads that have been busy since an earlier look, each for itself or, by an exact clock, all of
// them together, and for how long they have run. least is the share that this takes.
func (l activityLook) busy(before activityLook, least float64) (share float64, threads int, ran time.Duration) {
	for tid, now := range l.threads {
		then, ok := before.threads[tid]
		if !ok {
			continue
		}
		run := now.Ran - then.Ran
		could := now.Time.Sub(then.Time) - (now.Waited - then.Waited)
		used := min(float64(run)/float64(max(could, 1)), 1)
		if then.Runnable && now.Runnable && now.Sleeps == then.Sleeps {
			used = 1
		}
		if used >= least {
			threads++
			ran += run
			share = max(share, used)
		}
	}
	all, used := l.time.Sub(before.time), l.used-before.used
	if together := float64(used) / float64(all); threads == 0 && together >= least {
		return min(together, 1), l.active(before), used
	}
	return share, threads, ran
}

// active returns how many threads have run at all since an earlier look, at least one.
func (l activityLook) active(before activityLook) int {
	n := 0
	for tid, now := range l.threads {
		if then, ok := before.threads[tid]; ok && now.Ran-then.Ran > time.Millisecond {
			n++
		}
	}
	return max(n, 1)
}
