//go:build linux

package target

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// prints starts output.py, whose standard output is a terminal, and has it print.
func prints(t *testing.T, how string) *Process {
	t.Helper()
	c := script(t, "output.py", how)
	c.Terminal = true
	p := start(t, c)
	eventually(t, "it has said what it prints to", func() bool { return strings.HasSuffix(p.Output().Text(), "\n") })
	if want := "terminal and pipe dumb\n"; p.Output().Text() != want {
		t.Fatalf("it prints to %q, want %q", p.Output().Text(), want)
	}
	dial(t, p)
	return p
}

// afterwards returns what the program has printed since it began to.
func afterwards(p *Process) Output { return p.OutputSince(int64(len("terminal and pipe dumb\n"))) }

func TestTerminalKeepsBytes(t *testing.T) {
	want := make([]byte, 256)
	for i := range want {
		want[i] = byte(i)
	}
	want = append(want, "a\nb\r\nc\rd\te\x1b[0m\n"...)
	p := prints(t, "bytes")
	eventually(t, "all is there", func() bool { return afterwards(p).Size >= int64(len(want)+len("terminal and pipe dumb\n")) })
	if got := []byte(text(afterwards(p))); !bytes.Equal(got, want) {
		t.Errorf("printed %q\nread    %q", want, got)
	}
}

// What is on standard error comes after what has been printed to the terminal before it.
func TestTerminalAndPipeInOrder(t *testing.T) {
	p := prints(t, "turns")
	const turns = 200
	eventually(t, "all is there", func() bool {
		return strings.Contains(afterwards(p).Text(), fmt.Sprintf("out %d\n", turns-1)) && strings.HasSuffix(afterwards(p).Text(), fmt.Sprintf("err %d\n", turns-1))
	})
	out := afterwards(p)
	var streams [2]strings.Builder
	for _, c := range out.Chunks {
		streams[c.Stream-Stdout].Write(c.Bytes)
	}
	all := out.Text()
	for i := range turns {
		// The other order, an error before what was printed before it, would mislead; this one cannot be known.
		if strings.Index(all, fmt.Sprintf("out %d\n", i)) > strings.Index(all, fmt.Sprintf("err %d\n", i)) {
			t.Errorf("err %d comes before out %d", i, i)
		}
	}
	for i, name := range []string{"out", "err"} {
		var want strings.Builder
		for n := range turns {
			fmt.Fprintf(&want, "%s %d\n", name, n)
		}
		if streams[i].String() != want.String() {
			t.Errorf("stream %d is %q", i, streams[i].String())
		}
	}
}

func TestTerminalFlood(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	p := prints(t, "floods")
	const size = 100_000_000 + int64(len("terminal and pipe dumb\n")+len("last line\n"))
	deadline := time.Now().Add(time.Minute)
	for p.OutputSince(size).Size < size {
		if time.Now().After(deadline) {
			t.Fatalf("only %d bytes were read within a minute", p.Output().Size)
		}
		time.Sleep(time.Millisecond)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("it costs %d bytes", grown)
	}
	if o := p.Output(); o.Size != size || !strings.HasSuffix(o.Text(), "x\nlast line\n") {
		t.Errorf("%d bytes of %d, at the end %.20q", o.Size, size, o.Text()[len(o.Text())-20:])
	}
}

func TestTerminalStopDuringFlood(t *testing.T) {
	p := prints(t, "floods")
	eventually(t, "the flood has begun", func() bool { return p.OutputSince(1<<20).Size > 1<<20 })
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if s, _ := p.Exited(); s.Signal != unix.SIGTERM {
		t.Errorf("it has %v", s)
	}
}

// All that a program has printed is there by the time its end is known.
func TestTerminalLastWords(t *testing.T) {
	for range 5 {
		t.Run("ends", func(t *testing.T) {
			p := prints(t, "ends")
			eventually(t, "it has ended", func() bool { _, ended := p.Exited(); return ended })
			if s, _ := p.Exited(); s.Code != 7 {
				t.Errorf("it has %v, want status 7", s)
			}
			if got, want := afterwards(p).Text(), strings.Repeat("y", 200_000)+"\nlast words\n"; got != want {
				t.Errorf("%d bytes of %d, at the end %q", len(got), len(want), got[max(len(got)-20, 0):])
			}
		})
	}
}

// On a busy machine it may take long until somebody reads what a program has printed.
func TestLastWordsReadLate(t *testing.T) {
	for _, terminal := range []bool{false, true} {
		t.Run(fmt.Sprintf("terminal=%v", terminal), func(t *testing.T) {
			c := script(t, "output.py", "says")
			c.Terminal = terminal
			p := start(t, c)
			eventually(t, "it has said what it prints to", func() bool { return strings.HasSuffix(p.Output().Text(), "\n") })
			p.reading.Lock()
			dial(t, p)
			<-p.ended
			time.Sleep(2 * lastWords)
			if _, ended := p.Exited(); ended {
				t.Error("its end is known, and its last words are not")
			}
			p.reading.Unlock()
			eventually(t, "its end is known", func() bool { _, ended := p.Exited(); return ended })
			if !strings.HasSuffix(p.Output().Text(), "\nlast words\n") {
				t.Errorf("it says %q", p.Output().Text())
			}
		})
	}
}

// A process that the program leaves behind keeps the terminal open, and Stop ends it like any other.
func TestTerminalForks(t *testing.T) {
	c := script(t, "forks.py")
	c.Terminal = true
	p := start(t, c)
	pids := forked(t, func() string { return p.Output().Text() })
	if err := p.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it ends", func() bool { _, ended := p.Exited(); return ended })
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	for name, pid := range pids {
		if isAlive(pid) {
			t.Errorf("the %s is still there", name)
		}
	}
}

// It is no controlling terminal: what is typed where chatprobe runs does not reach the program, nor does its output
// make it wait.
func TestTerminalControlsNobody(t *testing.T) {
	p := prints(t, "bytes")
	stat, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(p.PID()), "stat"))
	if err != nil {
		t.Fatal(err)
	}
	// After the name in parentheses: state, parent, group, session, terminal.
	if fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])); fields[4] != "0" {
		t.Errorf("it has the controlling terminal %s", fields[4])
	}
}

// Where there is no terminal to be had, it is a pipe.
func TestTerminalFallsBack(t *testing.T) {
	before := outputTerminal
	outputTerminal = func() (ours, theirs *os.File, err error) { return nil, nil, os.ErrNotExist }
	t.Cleanup(func() { outputTerminal = before })
	c := script(t, "output.py", "ends")
	c.Terminal = true
	p := start(t, c)
	eventually(t, "it has said what it prints to", func() bool { return strings.HasSuffix(p.Output().Text(), "\n") })
	if want := "pipe and pipe dumb\n"; p.Output().Text() != want {
		t.Errorf("it prints to %q, want %q", p.Output().Text(), want)
	}
	dial(t, p)
	eventually(t, "it has ended", func() bool { _, ended := p.Exited(); return ended })
	if !strings.HasSuffix(p.Output().Text(), "\nlast words\n") {
		t.Error("its last words are missing")
	}
}

// It costs nothing that programs print to terminals: many at once have one each.
func TestTerminalManyAtOnce(t *testing.T) {
	clean(t)
	c := script(t, "prints_told.py")
	c.Terminal = true
	f := NewFleet(c)
	for range 12 {
		p := launch(t, f)
		want := fmt.Sprintf("listening on port %d\n", p.Addr().Port())
		eventually(t, "its port is printed", func() bool { return p.Output().Text() == want })
	}
}
