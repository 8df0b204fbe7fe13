//go:build unix

package target

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// read records one stream until its end, or until our end of the pipe is closed.
//
// The streams' readers run when it is their turn to run, which on a busy machine is not when the program printed. A
// traceback before the lines that led to it would mislead, so before a piece of standard error is recorded, what
// already lies in the pipe of standard output is; a lock keeps reading and recording together.
func (p *Process) read(stream Stream) {
	var streams [2]syscall.RawConn
	for i, pipe := range p.pipes {
		if pipe == nil {
			continue // a terminal has one stream
		}
		conn, err := pipe.SyscallConn()
		if err != nil {
			return
		}
		streams[i] = conn
	}
	buf, before := make([]byte, 32<<10), make([]byte, 32<<10)
	for {
		n := 0
		err := streams[stream-Stdout].Read(func(fd uintptr) (ready bool) {
			p.reading.Lock()
			defer p.reading.Unlock()
			if n, ready = readPipe(fd, buf); n == 0 {
				return ready
			}
			if stream == Stderr {
				p.empty(Stdout, streams[0], before)
			}
			p.output.add(stream, buf[:n])
			return true
		})
		if err != nil || n == 0 {
			return
		}
		p.tell()
	}
}

// readLast records what the program has printed and no reader has had its turn to read yet.
func (p *Process) readLast() {
	defer p.tell() // with no lock held
	p.reading.Lock()
	defer p.reading.Unlock()
	buf := make([]byte, 32<<10)
	for i, pipe := range p.pipes {
		if pipe == nil {
			continue // a terminal has one stream
		}
		if conn, err := pipe.SyscallConn(); err == nil {
			p.empty(Stdout+Stream(i), conn, buf)
		}
	}
}

// empty records what already lies in the pipe of one stream. p.reading is held.
func (p *Process) empty(stream Stream, pipe syscall.RawConn, buf []byte) {
	_ = pipe.Control(func(fd uintptr) { // of one that is closed nothing can be read
		for read := 0; read < pipeHolds; {
			n, _ := readPipe(fd, buf)
			if n == 0 {
				break
			}
			p.output.add(stream, buf[:n])
			read += n
		}
	})
}

// pipeHolds is about as much as a pipe or a terminal holds. More would be as much as a program can print.
const pipeHolds = 128 << 10

// readPipe reads what lies in a pipe or in a terminal, whose end looks like an error. ready says that there was
// something, or that there will be nothing any more.
func readPipe(fd uintptr, buf []byte) (n int, ready bool) {
	for {
		n, err := unix.Read(int(fd), buf)
		if err != unix.EINTR {
			return max(n, 0), err != unix.EAGAIN
		}
	}
}
