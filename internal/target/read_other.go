//go:build !unix

package target

// readLast does nothing: what no reader has read yet cannot be read without waiting.
func (p *Process) readLast() {}

// read records one stream until its end, or until our end of the pipe is closed.
func (p *Process) read(stream Stream) {
	buf := make([]byte, 32<<10)
	for {
		n, err := p.pipes[stream-Stdout].Read(buf)
		if n > 0 {
			p.output.add(stream, buf[:n])
			p.tell()
		}
		if err != nil {
			return
		}
	}
}
