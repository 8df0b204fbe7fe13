package pcap

import "io"

// An input is a file that is read in large pieces and looked at without a copy.
// It never asks for more than it must: what a slow file has brought so far can be
// looked at before the rest comes.
type input struct {
	r    io.Reader
	wait func() // called before each read; may be nil
	buf  []byte
	from int // buf[from:to] has been read and not been passed over
	to   int
}

// bufferSize is how much is read at once. It fits into the cache of a processor.
const bufferSize = 1 << 17

func newInput(r io.Reader, wait func()) *input {
	return &input{r: r, wait: wait, buf: make([]byte, bufferSize)}
}

// peek is the next n bytes, which stay where they are. They are valid until the
// next call of any function. With an error come the bytes that there are; it is
// io.EOF where the file ends.
func (in *input) peek(n int) ([]byte, error) {
	if in.to-in.from >= n {
		return in.buf[in.from : in.from+n], nil
	}
	err := in.fill(n)
	return in.buf[in.from:min(in.from+n, in.to)], err
}

// fill reads until there are n bytes.
func (in *input) fill(n int) error {
	if in.from+n > len(in.buf) {
		old := in.buf
		if n > len(old) {
			in.buf = make([]byte, max(n, 2*len(old)))
		}
		in.to = copy(in.buf, old[in.from:in.to])
		in.from = 0
	}
	for idle := 0; in.to-in.from < n; idle++ {
		if in.wait != nil {
			in.wait()
		}
		got, err := in.r.Read(in.buf[in.to:])
		in.to += got
		switch {
		case in.to-in.from >= n:
		case err != nil:
			return err
		case got > 0:
			idle = 0
		case idle == 100:
			return io.ErrNoProgress
		}
	}
	return nil
}

// discard passes over n bytes.
func (in *input) discard(n int) error {
	for n > in.to-in.from {
		n -= in.to - in.from
		in.from = in.to
		if err := in.fill(1); err != nil {
			return err
		}
	}
	in.from += n
	return nil
}

// Read implements io.Reader, for what is compressed.
func (in *input) Read(p []byte) (int, error) {
	if in.from == in.to {
		if err := in.fill(1); err != nil {
			return 0, err
		}
	}
	n := copy(p, in.buf[in.from:in.to])
	in.from += n
	return n, nil
}

// ReadByte implements io.ByteReader, so that nobody buffers what is buffered here.
func (in *input) ReadByte() (byte, error) {
	b, err := in.peek(1)
	if err != nil {
		return 0, err
	}
	c := b[0]
	in.from++
	return c, nil
}

// inside is an error met where a file must not end.
func inside(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
