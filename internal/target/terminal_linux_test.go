package target

import (
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// screenText is what was printed to a terminal, without the carriage returns that terminals add.
func screenText(p *Process) string { return strings.ReplaceAll(p.Output().Text(), "\r\n", "\n") }

func onTerminal(t *testing.T, mode string, args ...string) *Process {
	t.Helper()
	return startClient(t, Command{Terminal: true}, mode, args...)
}

func TestTerminalOfClient(t *testing.T) {
	p := onTerminal(t, "modes")
	exits(t, p)
	if got, want := screenText(p), "all True echo False lines True size 24 200\nforeground True leader True\n"; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
}

func TestTerminalLines(t *testing.T) {
	p := onTerminal(t, "lines")
	hasPrinted(t, p, "ready\r\n")
	if p.Echoes() || p.TerminalChanged() != "" {
		t.Errorf("echoes %v, changed %q", p.Echoes(), p.TerminalChanged())
	}
	for _, err := range []error{p.Type("one"), p.Write("tw"), p.Type("o"), p.Type("")} {
		if err != nil {
			t.Error(err)
		}
	}
	hasPrinted(t, p, "read two\r\nread \r\n")
	if err := p.Write("half"); err != nil {
		t.Error(err)
	}
	if err := p.EndInput(); err != nil {
		t.Error(err)
	}
	if s := exits(t, p); s.Code != 0 {
		t.Error(s)
	}
	if got, want := screenText(p), "ready\nread one\nread two\nread \nread half\nend of input\n"; got != want {
		t.Errorf("it printed %q, want %q", got, want)
	}
}

func TestTerminalPassword(t *testing.T) {
	p := onTerminal(t, "password")
	hasPrinted(t, p, "secret: ")
	if err := p.Type("sesame"); err != nil {
		t.Fatal(err)
	}
	exits(t, p)
	if text := screenText(p); !strings.Contains(text, "it has 6\n") || strings.Contains(text, "sesame") {
		t.Errorf("it printed %q", text)
	}
}

func TestInterruptReachesChildren(t *testing.T) {
	p := onTerminal(t, "interrupted")
	hasPrinted(t, p, "child ready\r\n")
	hasPrinted(t, p, "ready\r\n")
	if err := p.Interrupt(); err != nil {
		t.Fatal(err)
	}
	if s := exits(t, p); s.Code != 7 {
		t.Error(s)
	}
	for _, want := range []string{"child interrupted\n", "\ninterrupted\n"} {
		if !strings.Contains("\n"+screenText(p), want) {
			t.Errorf("it printed %q, want %q in it", screenText(p), want)
		}
	}
}

func TestInterruptOnPipes(t *testing.T) {
	p := startClient(t, Command{}, "deaf")
	hasPrinted(t, p, "ready")
	if err := p.Interrupt(); err != nil {
		t.Fatal(err)
	}
	exits(t, p)
	if err := p.Interrupt(); err != os.ErrProcessDone {
		t.Errorf("after the end: %v", err)
	}
}

func TestRawTerminal(t *testing.T) {
	p := onTerminal(t, "raw")
	hasPrinted(t, p, "ready")
	if !p.Echoes() || !strings.Contains(p.TerminalChanged(), "key by key") {
		t.Errorf("echoes %v, changed %q", p.Echoes(), p.TerminalChanged())
	}
	for _, step := range []struct {
		do   func() error
		want string
	}{
		{func() error { return p.Type("hi") }, "keys 68690d\r\n"},
		{p.Interrupt, "keys 03\r\n"},
		{p.EndInput, "keys 04\r\n"},
	} {
		if err := step.do(); err != nil {
			t.Error(err)
		}
		hasPrinted(t, p, step.want)
	}
}

func TestTerminalIsLeftRaw(t *testing.T) {
	p := onTerminal(t, "raw", "leave")
	exits(t, p)
	changed := p.TerminalChanged()
	for _, want := range []string{"key by key", "Ctrl-C does not interrupt", "Enter does not end a line"} {
		if !strings.Contains(changed, want) {
			t.Errorf("changed %q, want %q in it", changed, want)
		}
	}
}

func TestLineEditor(t *testing.T) {
	p := onTerminal(t, "editor")
	hasPrinted(t, p, "> ")
	eventually(t, "it reads key by key", p.Echoes)
	if err := p.Type("hello"); err != nil {
		t.Error(err)
	}
	hasPrinted(t, p, "read hello\r\n")
}

func TestLongLineOnTerminal(t *testing.T) {
	p := onTerminal(t, "lines")
	hasPrinted(t, p, "ready")
	if err := p.Type(strings.Repeat("x", 4000)); err != nil {
		t.Error(err)
	}
	hasPrinted(t, p, "read "+strings.Repeat("x", 4000)+"\r\n")
	for _, f := range []func(string) error{p.Type, p.Write} {
		if err := f(strings.Repeat("y", 5000)); err == nil || !strings.Contains(err.Error(), "4095") {
			t.Errorf("a line of 5000: %v", err)
		}
	}
	if err := p.Type("still there"); err != nil {
		t.Error(err)
	}
	hasPrinted(t, p, "read still there\r\n")
	if strings.Contains(p.Output().Text(), "yy") {
		t.Error("a part of the line was typed")
	}
}

func TestLongLineOnRawTerminal(t *testing.T) {
	p := onTerminal(t, "count")
	hasPrinted(t, p, "ready")
	if err := p.Type(strings.Repeat("x", 50_000)); err != nil {
		t.Error(err)
	}
	hasPrinted(t, p, "50001\r\n")
}

func TestStopStubbornClient(t *testing.T) {
	for _, c := range clientWays {
		t.Run(wayName(c), func(t *testing.T) {
			c.StopWithin = 50 * time.Millisecond
			p := startClient(t, c, "stubborn")
			// Not "child\n": the end of the line may come behind what another prints.
			eventually(t, "its children run", func() bool { return strings.Count(screenText(p), "child") == 2 })
			hasPrinted(t, p, "ready")
			if err := p.Stop(); err != nil {
				t.Fatal(err)
			}
			if s := exits(t, p); s.Signal != syscall.SIGKILL {
				t.Error(s)
			}
			if left := marked(); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestFloodOnTerminal(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	p := onTerminal(t, "flood")
	size := int64(100 << 20)
	if testing.Short() {
		size = 10 << 20
	}
	for start := time.Now(); p.Output().Size < size; time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > 2*time.Minute {
			t.Fatalf("after two minutes only %d bytes", p.Output().Size)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("it costs %d bytes", grown)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
}

func TestRest(t *testing.T) {
	for _, c := range clientWays {
		for _, mode := range []string{"computes", "threads"} {
			t.Run(wayName(c)+" "+mode, func(t *testing.T) {
				p := startClient(t, c, mode)
				hasPrinted(t, p, "ready")
				start := time.Now()
				p.AwaitRest(t.Context(), time.Minute)
				if took := time.Since(start); took >= farTooLong {
					t.Errorf("it waits for its input, and that was seen after %v", took)
				}
				if err := p.Type("0.5"); err != nil {
					t.Fatal(err)
				}
				eventually(t, "it computes", func() bool { _, asleep := p.activity(); return !asleep })
				p.AwaitRest(t.Context(), time.Minute)
				if !strings.Contains(p.Output().Text(), "computed") {
					t.Errorf("it was at rest before it had computed: %q", p.Output().Text())
				}
			})
		}
	}
}

// On a busy machine it may take long until somebody reads what a program has printed.
func TestRestAndOutputReadLate(t *testing.T) {
	for _, c := range clientWays {
		t.Run(wayName(c), func(t *testing.T) {
			p := startClient(t, c, "computes")
			hasPrinted(t, p, "ready")
			p.reading.Lock()
			if err := p.Type("0.1"); err != nil {
				t.Fatal(err)
			}
			eventually(t, "it computes", func() bool { _, asleep := p.activity(); return !asleep })
			time.AfterFunc(500*time.Millisecond, p.reading.Unlock)
			p.AwaitRest(t.Context(), time.Minute)
			if !strings.Contains(p.Output().Text(), "computed") {
				t.Errorf("it rests, and all that is known of its output is %q", p.Output().Text())
			}
		})
	}
}

func TestRestHasItsLimit(t *testing.T) {
	p := startClient(t, Command{Terminal: true}, "computes")
	hasPrinted(t, p, "ready")
	if err := p.Type("600"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it computes", func() bool { _, asleep := p.activity(); return !asleep })
	start := time.Now()
	p.AwaitRest(t.Context(), 100*time.Millisecond)
	if took := time.Since(start); took < 100*time.Millisecond || took > farTooLong {
		t.Errorf("it took %v", took)
	}
}

// farTooLong is a time that is far too much for anything.
const farTooLong = 30 * time.Second

func TestRestEndsWithTheProgram(t *testing.T) {
	p := startClient(t, Command{}, "last_words")
	exits(t, p)
	start := time.Now()
	p.AwaitRest(t.Context(), time.Minute)
	if took := time.Since(start); took > farTooLong {
		t.Errorf("it took %v", took)
	}
}
