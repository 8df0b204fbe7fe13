package pcap

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// A reading is a Read that goes on elsewhere. What it has heard comes by heard.
type reading struct {
	heard chan string
	done  chan error
}

func readLater(in io.Reader) *reading {
	r := &reading{make(chan string, 100), make(chan error, 1)}
	go func() {
		_, err := Read(in, Sink{
			Data: func(_ Source, b []byte) { r.heard <- string(b) },
			End:  func(s Source, how End) { r.heard <- how.String() },
		})
		r.done <- err
	}()
	return r
}

// expect waits for what is heard next.
func (r *reading) expect(t *testing.T, want ...string) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-r.heard:
			if got != w {
				t.Fatalf("heard %q, not %q", got, w)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("heard nothing, not %q", w)
		}
	}
}

// ends waits for the end of the reading.
func (r *reading) ends(t *testing.T, want error) {
	t.Helper()
	select {
	case err := <-r.done:
		if !errors.Is(err, want) {
			t.Fatalf("it ended with %v, not %v", err, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it does not end")
	}
}

// slowly are captures of the same two words, cut behind the packet with the first.
func slowly() map[string][2][]byte {
	old := rawFile(seg{from: ">", seq: 1, data: "hello"}, seg{from: ">", seq: 6, data: "world"})
	b := &ngBuilder{order: orders[0]}
	b.section().network(linkRaw, 0).packet(0, 0, helloAt(1, "hello"))
	first := len(b.file)
	b.packet(0, 0, helloAt(6, "world"))
	return map[string][2][]byte{
		"pcap":   {old[:24+16+45], old[24+16+45:]},
		"pcapng": {b.file[:first], b.file[first:]},
	}
}

// TestPipe: a packet is handed out when all of it has come, and not when more has.
func TestPipe(t *testing.T) {
	for name, halves := range slowly() {
		t.Run(name, func(t *testing.T) {
			in, out := io.Pipe()
			r := readLater(in)
			for _, b := range halves[0] { // byte by byte
				out.Write([]byte{b})
			}
			r.expect(t, "hello")
			out.Write(halves[1])
			r.expect(t, "world")
			out.Close()
			r.ends(t, nil)
		})
	}
}

// TestWait: before more is waited for, the sink is told that nothing is left.
func TestWait(t *testing.T) {
	for name, halves := range slowly() {
		t.Run(name, func(t *testing.T) {
			var log []string
			_, err := Read(io.MultiReader(bytes.NewReader(halves[0]), bytes.NewReader(halves[1])), Sink{
				Data: func(_ Source, b []byte) { log = append(log, string(b)) },
				Wait: func() { log = append(log, "?") },
			})
			got := strings.Trim(strings.Join(slices.Compact(log), ""), "?")
			if err != nil || got != "hello?world" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func write(t *testing.T, name string, flags int, b []byte) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY|flags, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestFollow(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T, first []byte) (name string, r *reading, stop func()) {
		name = filepath.Join(t.TempDir(), "growing.pcap")
		write(t, name, os.O_CREATE, first)
		ctx, cancel := context.WithCancel(t.Context())
		in, err := Follow(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cancel(); in.Close() })
		return name, readLater(in), cancel
	}
	halves := slowly()["pcap"]
	t.Run("a file grows until nobody wants more", func(t *testing.T) {
		t.Parallel()
		name, r, stop := begin(t, halves[0])
		r.expect(t, "hello")
		write(t, name, os.O_APPEND, halves[1][:20]) // a packet may be written in parts
		time.Sleep(3 * followEvery)
		write(t, name, os.O_APPEND, halves[1][20:])
		r.expect(t, "world")
		stop()
		r.expect(t, CaptureUp.String(), CaptureUp.String())
		r.ends(t, nil)
	})
	t.Run("a file is empty at first", func(t *testing.T) {
		t.Parallel()
		name, r, _ := begin(t, nil)
		write(t, name, os.O_APPEND, halves[0][:3])
		time.Sleep(3 * followEvery)
		write(t, name, os.O_APPEND, halves[0][3:])
		r.expect(t, "hello")
	})
	t.Run("nobody wants more inside a packet", func(t *testing.T) {
		t.Parallel()
		_, r, stop := begin(t, slices.Concat(halves[0], halves[1][:20]))
		r.expect(t, "hello")
		stop()
		r.expect(t, CaptureUp.String(), CaptureUp.String())
		if err := <-r.done; err == nil || err.Error() != "read capture: the file ends in the middle of packet 2" {
			t.Errorf("it ended with %v", err)
		}
	})
	t.Run("a file is emptied", func(t *testing.T) {
		t.Parallel()
		name, r, _ := begin(t, halves[0])
		r.expect(t, "hello")
		write(t, name, os.O_TRUNC, halves[0][:24])
		r.expect(t, CaptureUp.String(), CaptureUp.String())
		r.ends(t, ErrReplaced)
	})
	t.Run("another file takes its place", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS == "windows" {
			t.Skip("SKIPPED, NOT TESTED: an open file cannot be renamed here")
		}
		name, r, _ := begin(t, halves[0])
		r.expect(t, "hello")
		if err := os.Rename(name, name+".1"); err != nil {
			t.Fatal(err)
		}
		write(t, name+".1", os.O_APPEND, halves[1]) // who writes it does not know yet
		r.expect(t, "world")
		write(t, name, os.O_CREATE, halves[0])
		r.expect(t, CaptureUp.String(), CaptureUp.String())
		r.ends(t, ErrReplaced)
	})
}

// TestFollowNoCapture: a few bytes are enough to see that it is none, and no
// more of them are waited for.
func TestFollowNoCapture(t *testing.T) {
	name := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(name, []byte("hello"), 0o666); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	in, err := Follow(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	readLater(in).ends(t, ErrFormat)
}

func TestFollowNothing(t *testing.T) {
	dir := t.TempDir()
	if _, err := Follow(t.Context(), filepath.Join(dir, "none.pcap")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := Follow(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "no ordinary file") {
		t.Errorf("a folder: %v", err)
	}
}
