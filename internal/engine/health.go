package engine

import (
	"sync"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// maxLost is how many plays in a row may find no target until it is taken to
// be gone for good.
const maxLost = 3

// health is whether there is still a target to play against. A target that
// dies in one scenario is there again in the next; one that stays away blocks
// all that would come, so that one cause is not waited for again and again.
type health struct {
	mu    sync.Mutex
	lost  int    // plays in a row that found none
	cause string // why it is gone for good
}

// notStarted is why plays are blocked whose target did not start.
const notStarted = "the target did not start"

// met notes how a play found its target: why not, or "" where it did.
func (h *health) met(why string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if why == "" {
		h.lost = 0
		return
	}
	if h.lost++; h.lost >= maxLost {
		h.cause = why
	}
}

// gone says why nothing more can be played, or is empty.
func (h *health) gone() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.cause
}

// block puts that into a run.
func (h *health) block(run *transcript.Run) bool {
	cause := h.gone()
	if cause == "" {
		return false
	}
	run.Verdict, run.Reason = transcript.Blocked, cause
	return true
}

// lookForSpinning notes that the target uses a processor for nothing: all its
// clients have left.
func (p *play) lookForSpinning() {
	if p.target.Spins == nil || p.stopped || p.ctx.Err() != nil {
		return
	}
	if _, ended := p.exited(); ended {
		return
	}
	if how := p.target.Spins(p.ctx); how != "" {
		p.note(how)
	}
}
