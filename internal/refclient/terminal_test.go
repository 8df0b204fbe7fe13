package refclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

// typed is all lines of an input and the failure it ends with, if any.
func typed(t *testing.T, terminal *Terminal, limit int) ([]string, error) {
	t.Helper()
	ctx, end := context.WithCancelCause(t.Context())
	defer end(nil)
	lines := terminal.Lines(ctx, limit, end)
	var got []string
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				return got, nil
			}
			got = append(got, line)
		case <-ctx.Done():
			return got, context.Cause(ctx)
		}
	}
}

func TestLinesOfPipe(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	tests := []struct {
		name, in  string
		limit     int
		want      []string
		complaint string
	}{
		{"nothing", "", 10, nil, ""},
		{"lines", "one\ntwo\n", 10, []string{"one", "two"}, ""},
		{"no end at the end", "one\ntwo", 10, []string{"one", "two"}, ""},
		{"empty lines", "\n\none\n\n", 10, []string{"", "", "one", ""}, ""},
		{"CR LF", "one\r\ntwo\r\n", 10, []string{"one", "two"}, ""},
		{"one CR is an end's, others are text", "one\r\r\n\rtwo\r", 10, []string{"one\r", "\rtwo\r"}, ""},
		{"long", long + "\n" + long, 1 << 20, []string{long, long}, ""},
		{"as long as may be", "12345\r\n12345\n12345", 5, []string{"12345", "12345", "12345"}, ""},
		{"too long by one", "123456\r\n123456\n12345\n", 5, []string{"12345"},
			strings.Repeat("not sent: the line has more than 5 bytes\n", 2)},
		{"too long at the end", "one\n123456", 5, []string{"one"}, "not sent: the line has more than 5 bytes\n"},
		{"much too long", "one\n" + long + "\ntwo\n", 5, []string{"one", "two"}, "not sent: the line has more than 5 bytes\n"},
		{"bytes as they are", "\xff\x00\x1b[A\n", 10, []string{"\xff\x00\x1b[A"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for pieces, in := range map[string]io.Reader{
				"at once":      strings.NewReader(tt.in),
				"in pieces":    iotest.HalfReader(strings.NewReader(tt.in)),
				"with its end": iotest.DataErrReader(strings.NewReader(tt.in)),
			} {
				var out, errOut bytes.Buffer
				got, err := typed(t, NewTerminal(in, &out, &errOut), tt.limit)
				if !slices.Equal(got, tt.want) || err != nil {
					t.Errorf("%s: %d lines %.80q, %v", pieces, len(got), got, err)
				}
				if errOut.String() != tt.complaint || out.Len() > 0 {
					t.Errorf("%s: complaint %q, output %q", pieces, errOut.String(), out.String())
				}
			}
		})
	}
}

func TestLinesFailure(t *testing.T) {
	broken := errors.New("broken")
	in := io.MultiReader(strings.NewReader("one\nhalf"), iotest.ErrReader(broken))
	got, err := typed(t, NewTerminal(in, io.Discard, io.Discard), 100)
	if !errors.Is(err, broken) || len(got) > 1 {
		t.Errorf("lines %q, %v", got, err)
	}
}

func TestShow(t *testing.T) {
	var out, errOut bytes.Buffer
	terminal := NewTerminal(strings.NewReader(""), &out, &errOut)
	if err := terminal.Start(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		terminal.Show("one", "two\nthree", "\x1b[2Jfour"),
		terminal.Show(),
		terminal.Complain(errors.New("no\tgood")),
		terminal.Close(),
		terminal.Close(),
	); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "one\ntwo\\nthree\n\\x1b[2Jfour\n"; got != want {
		t.Errorf("output %q, want %q", got, want)
	}
	if got, want := errOut.String(), "no\\tgood\n"; got != want {
		t.Errorf("errors %q, want %q", got, want)
	}
	if err := terminal.Show("late"); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Show after Close: %v", err)
	}
}

func TestShowFromManyGoroutines(t *testing.T) {
	var out bytes.Buffer
	terminal := NewTerminal(strings.NewReader(""), &out, &out)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 50 {
				terminal.Show(fmt.Sprintf("goroutine %d says so", i))
				terminal.Complain(fmt.Errorf("goroutine %d says no", i))
			}
		})
	}
	all.Wait()
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 8*50*2 {
		t.Errorf("%d lines", len(lines))
	}
	for _, line := range lines {
		if len(line) != len("goroutine 0 says so") {
			t.Fatalf("line %q", line)
		}
	}
}

func TestGuard(t *testing.T) {
	terminal := NewTerminal(strings.NewReader(""), io.Discard, io.Discard)
	defer func() {
		if p := recover(); p != "our bug" {
			t.Errorf("panic became %v", p)
		}
		if !terminal.closed.Load() {
			t.Error("the terminal was not given back")
		}
	}()
	defer terminal.Guard()
	panic("our bug")
}
