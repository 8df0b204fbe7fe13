package target

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestRecorder(t *testing.T) {
	r := newRecorder(0)
	r.add(Stdout, []byte("one "))
	before := r.since(0)
	r.add(Stdout, []byte("two "))
	r.add(Stderr, []byte("three"))
	if o := before; o.Text() != "one " || o.Size != 4 || o.Dropped != 0 {
		t.Errorf("an earlier snapshot has changed: %+v", o)
	}
	o := r.since(0)
	if o.Text() != "one two three" || o.Size != 13 || o.Chunks[len(o.Chunks)-1].Stream != Stderr {
		t.Errorf("all: %+v", o)
	}
	for offset, want := range map[int64]string{0: "one two three", 2: "e two three", 4: "two three", 12: "e", 13: "", 99: ""} {
		if got := r.since(offset).Text(); got != want {
			t.Errorf("since %d: %q, want %q", offset, got, want)
		}
	}
}

// Whatever is printed in whatever pieces: what is kept is the beginning and the end, in their places, and all of it
// while it is within the limit.
func TestRecorderLimit(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		limit := 2 + random.IntN(5000)
		r := newRecorder(limit)
		var all []byte
		for range random.IntN(50) {
			piece := bytes.Repeat([]byte{byte('a' + random.IntN(26))}, 1+random.IntN(500))
			all = append(all, piece...)
			r.add(Stream(1+random.IntN(2)), piece)
		}
		o := r.since(0)
		kept := 0
		for _, c := range o.Chunks {
			kept += len(c.Bytes)
			if want := all[c.Offset:][:len(c.Bytes)]; !bytes.Equal(c.Bytes, want) {
				t.Fatalf("limit %d: at %d: %q, want %q", limit, c.Offset, c.Bytes, want)
			}
		}
		want := min(len(all), limit/2*2)
		if o.Size != int64(len(all)) || o.Dropped != int64(len(all)-kept) || kept != want {
			t.Fatalf("limit %d, printed %d: size %d, dropped %d, kept %d; want %d kept", limit, len(all), o.Size, o.Dropped, kept, want)
		}
	}
}

// Many single bytes, the streams in turn, so that none can be joined to the one before.
func TestRecorderChunkLimit(t *testing.T) {
	r := newRecorder(0)
	for i := range 200_000 {
		r.add(Stream(1+i%2), []byte{'x'})
	}
	o := r.since(0)
	if len(o.Chunks) > 2*maxChunks || o.Dropped != o.Size-int64(len(o.Chunks)) {
		t.Errorf("%d chunks, %d of %d bytes dropped", len(o.Chunks), o.Dropped, o.Size)
	}
	if text := o.Text(); !strings.Contains(text, "bytes left out …") {
		t.Errorf("text does not say what is missing: %.100q", text)
	}
}

func BenchmarkRecorder(b *testing.B) {
	r := newRecorder(0)
	line := []byte(strings.Repeat("x", 4095) + "\n")
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		r.add(Stdout, line)
	}
}

func BenchmarkSince(b *testing.B) {
	r := newRecorder(0)
	for range 5000 {
		r.add(Stdout, []byte("a line of output\n"))
		r.add(Stderr, []byte("and another one\n"))
	}
	offset := r.size - 20
	b.ReportAllocs()
	for b.Loop() {
		r.since(offset)
	}
}
