package pcap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// ErrReplaced means that a file which is followed is not the one any more that it
// was: another was put in its place, or it was emptied and is written anew.
var ErrReplaced = errors.New("the file was begun anew while it was read; what came before is not in it any more")

// followEvery is how often a file is looked at that has not grown.
const followEvery = 50 * time.Millisecond

// Follow opens a capture that somebody is still writing, such as
// `tcpdump -U -w FILE`. At its end the reader waits for more; an empty file is
// waited for, too. It ends (io.EOF) when ctx does. If the file becomes shorter,
// or another takes its name, all that the old one holds is read, and then
// [ErrReplaced] is returned: it would make no sense to go on in another capture as
// if it were the same.
//
// Read and Close must not be called at the same time.
func Follow(ctx context.Context, name string) (io.ReadCloser, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("follow capture: %w", err)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no ordinary file, and cannot grow", name)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("follow capture: %w", err)
	}
	return &follower{ctx: ctx, name: name, file: file}, nil
}

// A follower reads a file that grows.
type follower struct {
	ctx  context.Context
	name string
	file *os.File
	at   int64 // so much has been read
}

func (f *follower) Close() error { return f.file.Close() }

// Read implements io.Reader.
func (f *follower) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, err := f.file.Read(p)
		f.at += int64(n)
		if n > 0 || err != nil && err != io.EOF {
			return n, ignoreEOF(err)
		}
		replaced, err := f.replaced()
		if err != nil {
			return 0, err
		}
		if replaced {
			// It may have grown after it was read and before it was replaced.
			if n, err := f.file.Read(p); n > 0 {
				f.at += int64(n)
				return n, ignoreEOF(err)
			}
			return 0, ErrReplaced
		}
		select {
		case <-f.ctx.Done():
			return 0, io.EOF
		case <-time.After(followEvery):
		}
	}
}

func ignoreEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// replaced says whether the file is another one, or has been emptied. One that
// was removed may still be written to.
func (f *follower) replaced() (bool, error) {
	mine, err := f.file.Stat()
	if err != nil {
		return false, err
	}
	if mine.Size() < f.at {
		return true, nil
	}
	named, err := os.Stat(f.name)
	return err == nil && !os.SameFile(mine, named), nil
}
