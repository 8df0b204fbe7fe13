package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// A tape keeps what is written to it, and says when it contains some text.
type tape struct {
	mu    sync.Mutex
	b     bytes.Buffer
	grown chan struct{}
}

func (t *tape) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, err := t.b.Write(p)
	select {
	case t.grown <- struct{}{}:
	default:
	}
	return n, err
}

func (t *tape) contains(text string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Contains(t.b.String(), text)
}

// wait waits until text has been written.
func (t *tape) wait(text string) error {
	deadline := time.After(within)
	for !t.contains(text) {
		select {
		case <-t.grown:
		case <-deadline:
			return errors.New("it was not written within " + within.String())
		}
	}
	return nil
}

func TestDecodeShowsMessagesWhileTheCaptureGrows(t *testing.T) {
	data, err := os.ReadFile("../../docs/testdata/capture.pcap")
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"table", "text", "hex", "json", "csv"} {
		in, end := io.Pipe()
		out := &tape{grown: make(chan struct{}, 1)}
		done := make(chan int)
		go func() {
			code := run(context.Background(), []string{"decode", "-", "--protocol", "framed", "--set", "byte_order=big", "--format", format}, in, out, io.Discard)
			in.Close()
			done <- code
		}()
		half := len(data) / 2 // bob's login is in it, and his leaving is not
		if _, err := end.Write(data[:half]); err != nil {
			t.Fatal(err)
		}
		if err := out.wait("bob"); err != nil {
			t.Errorf("%s: %v", format, err)
		}
		if out.contains("left") {
			t.Errorf("%s: more is there than has come", format)
		}
		if _, err := end.Write(data[half:]); err != nil {
			t.Fatal(err)
		}
		end.Close()
		if code := <-done; code != exitPassed {
			t.Errorf("%s: exit code %d", format, code)
		}
		if err := out.wait("bob has left"); err != nil {
			t.Errorf("%s: %v", format, err)
		}
	}
}
