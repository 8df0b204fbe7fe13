package target

import (
	"fmt"
	"strings"
	"testing"
)

func TestLineLengths(t *testing.T) {
	for _, test := range []struct {
		name          string
		half          int
		text          string
		longest, last int
	}{
		{"nothing", 0, "", 0, 0},
		{"a line", 0, "abc\r", 3, 0},
		{"half a line", 0, "abc", 3, 3},
		{"the other half", 3, "de\r", 5, 0},
		{"several", 1, "a\nabcd\rab", 4, 2},
		{"thrown away", 9, "\x15ab", 9, 2},
		{"handed over", 9, "\x04", 9, 0},
		{"in bytes", 0, "ü\r", 2, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			if longest, last := lineLengths(test.half, test.text); longest != test.longest || last != test.last {
				t.Errorf("%d and %d, want %d and %d", longest, last, test.longest, test.last)
			}
		})
	}
}

// The limit is the kernel's: a line of that length arrives whole.
func TestLongestLineOnTerminal(t *testing.T) {
	p := onTerminal(t, "lines")
	hasPrinted(t, p, "ready")
	if err := p.Write(strings.Repeat("x", 4000)); err != nil {
		t.Error(err)
	}
	if err := p.Type(strings.Repeat("y", 96)); err == nil {
		t.Error("4096 bytes in two halves were typed")
	}
	if err := p.Type(strings.Repeat("z", 95)); err != nil {
		t.Error(err)
	}
	hasPrinted(t, p, "read "+strings.Repeat("x", 4000)+strings.Repeat("z", 95)+"\r\n")
}

func TestNoSizeInEnvironment(t *testing.T) {
	t.Setenv("COLUMNS", "80")
	t.Setenv("LINES", "24")
	for _, entry := range (Command{Args: []string{"x"}}).clientCommand(strings.NewReplacer(), 1).Env {
		if strings.HasPrefix(entry, "COLUMNS=") || strings.HasPrefix(entry, "LINES=") {
			t.Error(entry)
		}
	}
}

// countsPython prints numbers until it is interrupted, and 50 more.
const countsPython = `import os, signal
stop = []
signal.signal(signal.SIGINT, lambda *a: stop.append(1))
def put(b):
    while b: b = b[os.write(1, b):] # which a signal may cut short
put(b"ready\n")
i = 0
while len(stop) < 50:
    put(b"%d.\n" % i)
    i += 1
    if stop: stop.append(1)
`

// Ctrl-C loses nothing of what is printed before and behind it, but throws away what was half typed.
func TestInterruptLosesNoOutput(t *testing.T) {
	interpreter := script(t, "client_modes.py").Args[0]
	for range 10 {
		clean(t)
		c := Command{Terminal: true, Args: []string{interpreter, "-c", countsPython}, OutputLimit: 64 << 20}
		p, err := StartClient(t.Context(), c, someServer, "alice")
		if err != nil {
			t.Fatal(err)
		}
		hasPrinted(t, p, "ready")
		if err := p.Interrupt(); err != nil {
			t.Error(err)
		}
		exits(t, p)
		_, text, _ := strings.Cut(screenText(p), "ready\n")
		for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
			if line != fmt.Sprintf("%d.", i) {
				t.Errorf("line %d is %q", i, line)
				break
			}
		}
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	}
}

func TestInterruptThrowsAwayHalfALine(t *testing.T) {
	const python = `import signal, sys
signal.signal(signal.SIGINT, lambda *a: print("interrupted", flush=True))
print("ready", flush=True)
print("read", sys.stdin.readline().strip(), flush=True)
`
	clean(t)
	c := Command{Terminal: true, Args: []string{script(t, "client_modes.py").Args[0], "-c", python}}
	p, err := StartClient(t.Context(), c, someServer, "alice")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	hasPrinted(t, p, "ready")
	if err := p.Write("half"); err != nil {
		t.Error(err)
	}
	if err := p.Interrupt(); err != nil {
		t.Error(err)
	}
	hasPrinted(t, p, "interrupted")
	if err := p.Type("whole"); err != nil {
		t.Error(err)
	}
	hasPrinted(t, p, "read whole\r\n")
}

func TestEndInputTwice(t *testing.T) {
	p := startClient(t, Command{}, "lines")
	for range 2 {
		if err := p.EndInput(); err != nil {
			t.Error(err)
		}
	}
	exits(t, p)
	if err := p.Write("x"); err == nil {
		t.Error("it could be typed into after the end of its input")
	}
}
