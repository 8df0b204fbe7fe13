package refserver

import (
	"bytes"
	"io"
	"testing"
)

// The inbox's memory follows what arrives, not what is claimed.
func TestInbox(t *testing.T) {
	r, w := io.Pipe()
	in := inbox{conn: r}
	var want []byte
	for _, step := range []struct{ write, use, atMost int }{
		{1, 0, 512}, {100, 101, 512}, {512, 0, 4096}, {100, 612, 4096}, {1, 1, 512},
		{200_000, 0, 1 << 20}, {1, 200_000, 1 << 20}, {1, 2, 1 << 20}, {1, 0, 512}, {1, 2, 512},
	} {
		sent := bytes.Repeat([]byte{byte(len(want))}, step.write)
		want = append(want, sent...)
		go w.Write(sent)
		for len(in.unused()) < len(want) {
			if err := in.fill(); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(in.unused(), want) {
			t.Fatalf("after %+v: %d bytes, want %d, or they differ", step, len(in.unused()), len(want))
		}
		if cap(in.buf) > step.atMost {
			t.Errorf("after %+v: a buffer of %d", step, cap(in.buf))
		}
		in.use(step.use)
		want = want[step.use:]
	}
}
