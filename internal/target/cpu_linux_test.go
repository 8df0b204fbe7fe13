package target

import (
	"errors"
	"os"
	"testing"
	"time"
)

// All that it has started counts, also what has ended.
func TestCPU(t *testing.T) {
	p := start(t, script(t, "burns.py"))
	first, err := p.CPU()
	if err != nil || first <= 0 {
		t.Fatalf("at first %v, %v", first, err)
	}
	for _, who := range []string{"self", "child", "orphan"} {
		before, err := p.CPU()
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Type(who); err != nil {
			t.Fatal(err)
		}
		eventually(t, who+" has used 50 ms", func() bool {
			used, err := p.CPU()
			return err == nil && used >= before+50*time.Millisecond
		})
	}
	if used, err := p.CPU(); err != nil || used > time.Minute {
		t.Errorf("in the end %v, %v", used, err)
	}
	p.Stop()
	if _, err := p.CPU(); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("after Stop: %v", err)
	}
}
