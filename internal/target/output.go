package target

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"
)

// Stream is one of the two streams that a program prints to.
type Stream uint8

// The streams.
const (
	Stdout Stream = 1 + iota
	Stderr
)

// String returns stdout or stderr.
func (s Stream) String() string {
	if s == Stderr {
		return "stderr"
	}
	return "stdout"
}

// Output is what a program has printed, or a part of that: a snapshot that does not change any more.
type Output struct {
	// Chunks are what is kept, in order of arrival. The two streams come by different ways, so their order is not
	// certain where a program prints to both in quick succession; then what is on standard output comes first.
	Chunks []Chunk

	// Size is the number of bytes that the program has printed in all, up to the snapshot; it is the offset at which
	// the next byte will be.
	Size int64

	// Dropped is the number of bytes that are not kept. They are missing where a chunk's offset is beyond the end of
	// the chunk before it.
	Dropped int64
}

// Chunk is a piece of output that came at one time, in one stream.
type Chunk struct {
	Offset int64 // of the first byte, in all that the program has printed to both streams
	Time   time.Time
	Stream Stream
	Bytes  []byte // as printed; must not be changed
}

// Text returns the bytes of all chunks, in one piece. Where some are missing, a line says how many.
func (o Output) Text() string {
	var b bytes.Buffer
	for i, c := range o.Chunks {
		if i > 0 {
			before := o.Chunks[i-1]
			if missing := c.Offset - before.Offset - int64(len(before.Bytes)); missing > 0 {
				fmt.Fprintf(&b, "\n… %d bytes left out …\n", missing)
			}
		}
		b.Write(c.Bytes)
	}
	return b.String()
}

const (
	defaultOutputLimit = 1 << 20
	maxChunks          = 4096                 // kept of each, head and tail; a chunk costs about 60 bytes
	chunkTime          = 2 * time.Millisecond // what comes in one stream within this time is one chunk
	maxBlock           = 64 << 10
)

// recorder keeps the output of a program: the first bytes for good, and of the rest the last ones. Memory is bounded
// in bytes and in chunks, so that neither 100 MB nor a million single bytes cost more than the limit says.
//
// Text lies in blocks that are written once, from their beginning to their end. So a snapshot can share it: what is
// written later lies behind the slices that were handed out.
type recorder struct {
	mu      sync.Mutex
	half    int // bytes to keep of the head, and of the tail
	head    []Chunk
	tail    []Chunk
	inHead  int
	inTail  int
	full    bool   // the head is complete
	block   []byte // the unused rest of the current block, as capacity
	next    int    // size of the next block
	size    int64
	dropped int64
}

func newRecorder(limit int) *recorder {
	if limit <= 0 {
		limit = defaultOutputLimit
	}
	return &recorder{half: max(limit/2, 1), next: 1 << 10}
}

// add appends what has come in a stream. b can be used again afterwards.
func (r *recorder) add(stream Stream, b []byte) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(b) > 0 {
		if cap(r.block) == 0 {
			r.block = make([]byte, 0, min(r.next, r.half))
			r.next = min(2*r.next, maxBlock)
		}
		n := min(len(b), cap(r.block))
		if !r.full {
			n = min(n, r.half-r.inHead)
		}
		piece := append(r.block, b[:n]...)
		r.block = piece[n:]
		r.put(Chunk{Offset: r.size, Time: now, Stream: stream, Bytes: piece})
		r.size += int64(n)
		b = b[n:]
	}
}

func (r *recorder) put(c Chunk) {
	if !r.full {
		r.head = appendChunk(r.head, c)
		r.inHead += len(c.Bytes)
		r.full = r.inHead >= r.half || len(r.head) >= maxChunks
		return
	}
	r.tail = appendChunk(r.tail, c)
	r.inTail += len(c.Bytes)
	for r.inTail > r.half || len(r.tail) > maxChunks {
		oldest := &r.tail[0]
		n := len(oldest.Bytes)
		if excess := r.inTail - r.half; excess > 0 && excess < n {
			n = excess
		}
		r.inTail -= n
		r.dropped += int64(n)
		if oldest.Offset, oldest.Bytes = oldest.Offset+int64(n), oldest.Bytes[n:]; len(oldest.Bytes) == 0 {
			*oldest = Chunk{} // lets go of its block
			r.tail = r.tail[1:]
		}
	}
}

// appendChunk appends c, or extends the last chunk by it where the two are of one stream, of one time and of one block.
func appendChunk(list []Chunk, c Chunk) []Chunk {
	if len(list) > 0 {
		last := &list[len(list)-1]
		n := len(last.Bytes)
		joined := last.Stream == c.Stream && c.Time.Sub(last.Time) < chunkTime &&
			cap(last.Bytes) > n && &last.Bytes[:n+1][n] == &c.Bytes[0]
		if joined {
			last.Bytes = last.Bytes[:n+len(c.Bytes)]
			return list
		}
	}
	return append(list, c)
}

// length returns how many bytes have been printed.
func (r *recorder) length() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.size
}

// since returns what is kept from an offset on.
func (r *recorder) since(offset int64) Output {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := Output{Size: r.size, Dropped: r.dropped}
	for _, list := range [][]Chunk{r.head, r.tail} {
		i := sort.Search(len(list), func(i int) bool { return list[i].Offset+int64(len(list[i].Bytes)) > offset })
		o.Chunks = append(o.Chunks, list[i:]...)
	}
	for i, c := range o.Chunks {
		o.Chunks[i].Bytes = slices.Clip(c.Bytes) // what lies behind is still to be written
	}
	if len(o.Chunks) > 0 {
		if first := &o.Chunks[0]; first.Offset < offset {
			first.Bytes = first.Bytes[offset-first.Offset:]
			first.Offset = offset
		}
	}
	return o
}
