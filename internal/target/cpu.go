package target

import (
	"fmt"
	"os"
	"time"

	"github.com/chatprobe/chatprobe/internal/sockets"
)

// CPU returns how much processor time the program and its descendants have used since the start, also those that have
// ended and were waited for. After the program's end it fails with [os.ErrProcessDone], and on systems other than
// Linux with [sockets.ErrUnsupported].
func (p *Process) CPU() (time.Duration, error) {
	select {
	case <-p.ended:
		return 0, fmt.Errorf("read processor time: %w", os.ErrProcessDone)
	default:
	}
	sum, err := sockets.CPUTime(p.PID())
	if err != nil {
		return 0, err
	}
	for _, pid := range p.members() {
		if used, err := sockets.CPUTime(pid); err == nil { // or it has just ended
			sum += used
		}
	}
	return sum, nil
}
