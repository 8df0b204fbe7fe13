package mutant

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/engine"
)

// TestLineOnTerminalThatComesInPieces: a terminal gives the end of a line by
// itself, and the line is one all the same. What has no end is shown too.
func TestLineOnTerminalThatComesInPieces(t *testing.T) {
	printed := ""
	v := newVisit(nil, new(atomic.Int64))
	v.program = &engine.Program{
		Printed:         func(from int64) ([]byte, int64) { return []byte(printed[from:]), int64(len(printed)) },
		Exited:          func() (engine.ProgramEnd, bool) { return engine.ProgramEnd{}, false },
		TerminalChanged: func() string { return "" },
	}
	v.shows = func(line string) { v.show(strings.ToUpper(line)) }
	news := make(chan bool, 9)
	v.tell = func() { news <- true }
	for _, piece := range []string{"<bob> hel", "lo", "\r\n"} {
		printed += piece
		v.printedSince(0)
	}
	if got, _ := v.printedSince(0); string(got) != "<BOB> HELLO\n" {
		t.Errorf("shown %q", got)
	}
	printed += "> "
	v.printedSince(0)
	for {
		select {
		case <-news:
		case <-time.After(5 * time.Second):
			t.Fatal("nobody is told of the prompt")
		}
		if got, _ := v.printedSince(0); strings.HasSuffix(string(got), "\n> ") {
			return
		}
	}
}
