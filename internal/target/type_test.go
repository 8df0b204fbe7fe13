package target

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// What is typed reaches the program as a line, also late; who does not read is not waited for.
func TestType(t *testing.T) {
	p := start(t, script(t, "types.py"))
	for _, line := range []string{"hello", "quit now"} {
		if err := p.Type(line); err != nil {
			t.Fatal(err)
		}
		want := "<" + line + ">"
		for deadline := time.Now().Add(10 * time.Second); !strings.Contains(text(p.Output()), want); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%q was not read: %q", line, text(p.Output()))
			}
		}
	}
	if err := p.Type("stop reading"); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 1<<20)
	if err := p.Type(long); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a program that does not read takes %d bytes: %v", len(long), err)
	}
}

func text(out Output) string {
	var b strings.Builder
	for _, c := range out.Chunks {
		b.Write(c.Bytes)
	}
	return b.String()
}
