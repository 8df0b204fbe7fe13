package mutant

import (
	"slices"
	"strings"
	"time"

	"github.com/chatprobe/chatprobe/internal/engine"
)

// show has the user see a line. mu is held.
func (v *visit) show(line string) {
	if v.isShadow {
		return
	}
	v.output = append(append(v.output, line...), '\n')
	v.screen.Write([]byte(line + "\n"))
}

// release shows what was kept back. mu is held.
func (v *visit) release() {
	for _, line := range v.held {
		v.show(line)
	}
	v.held = nil
}

// lineWait is how long a line on a terminal may take to end: the terminal gives
// its end by itself, soon after the rest.
const lineWait = 20 * time.Millisecond

// update reads what the program has printed, and whether it has ended. A line
// is looked at when it has ended; what a program draws on a terminal, when no
// end comes. mu is held.
func (v *visit) update() {
	if v.program == nil {
		return
	}
	_, ended := v.program.Exited() // before what it has printed, so that nothing is missed
	text, end := v.program.Printed(v.read)
	v.read = end
	v.begun = append(v.begun, text...)
	for {
		at := slices.Index(v.begun, '\n')
		if at < 0 {
			break
		}
		v.printed(string(v.begun[:at]))
		v.begun = v.begun[at+1:]
	}
	if len(v.begun) > 0 && len(text) > 0 && v.shows != nil && v.program.TerminalChanged != nil {
		v.grew = time.Now()
		time.AfterFunc(lineWait, v.changed)
	}
	drawn := v.program.TerminalChanged != nil && time.Since(v.grew) >= lineWait
	if len(v.begun) > 0 && (v.shows == nil || drawn || ended) {
		v.output = append(v.output, v.begun...)
		v.screen.Write(v.begun)
		v.begun = nil
	}
	if ended && !v.over {
		v.over = true
		v.both(func(s *visit) {
			s.release()
			if s.ends != nil {
				was, _ := v.program.Exited()
				if is, ended := s.ends(was); is != was || !ended || s.last != "" {
					s.counts()
				}
			}
			if s.last != "" {
				s.show(s.last)
			}
		})
	}
}

// printed deals with a line that the program has printed. mu is held.
func (v *visit) printed(line string) {
	plain := strings.TrimSuffix(line, "\r")
	v.both(func(s *visit) {
		if s.shows != nil {
			s.shows(plain)
		} else {
			s.show(line)
		}
	})
}

func (v *visit) shown(from int) (string, int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.update()
	return v.screen.Text(from)
}

func (v *visit) printedSince(from int64) ([]byte, int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.update()
	end := int64(len(v.output))
	return append([]byte(nil), v.output[min(from, end):]...), end
}

func (v *visit) exited() (engine.ProgramEnd, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.died != nil {
		return *v.died, true
	}
	v.update()
	end, ended := v.program.Exited()
	if ended && v.ends != nil {
		return v.ends(end)
	}
	return end, ended
}
