package refserver

import "io"

// Sizes of an inbox in bytes: while its client is quiet, and while more arrives than one read takes.
const (
	quietInbox = 512
	busyInbox  = 64 << 10
)

// inbox holds what has arrived on a connection and has not been used yet. Its buffer follows what arrives: small for
// a client that is quiet, at most eight times as large as what it held before for one that is not, and never as large
// as some length field claims.
type inbox struct {
	conn   io.Reader
	buf    []byte // what has arrived; what lies beyond its length is free
	used   int    // bytes at the head of buf that are done with
	filled bool   // the last read filled the buffer: there is more
}

// unused returns what has arrived and is not done with. It is valid until the next fill.
func (in *inbox) unused() []byte { return in.buf[in.used:] }

// use declares the first n bytes of unused done with.
func (in *inbox) use(n int) { in.used += n }

// fill reads once and appends what has arrived, at least one byte if there is no error.
func (in *inbox) fill() error {
	in.makeRoom()
	n, err := in.conn.Read(in.buf[len(in.buf):cap(in.buf)])
	in.buf = in.buf[:len(in.buf)+n]
	in.filled = len(in.buf) == cap(in.buf)
	if n > 0 {
		return nil // an error will be met again
	}
	return err
}

// makeRoom moves the unused bytes to the head of a buffer of the right size.
func (in *inbox) makeRoom() {
	rest := in.unused()
	size := cap(in.buf)
	switch {
	case in.filled && size < busyInbox:
		size = min(8*size, busyInbox)
	case len(rest) >= size*3/4: // also when there is no buffer yet
		size = max(2*size, quietInbox)
	case size > 4*max(len(rest), quietInbox):
		size = max(2*len(rest), quietInbox)
	}
	if size != cap(in.buf) {
		in.buf = append(make([]byte, 0, size), rest...)
	} else {
		in.buf = in.buf[:copy(in.buf[:cap(in.buf)], rest)]
	}
	in.used = 0
}
