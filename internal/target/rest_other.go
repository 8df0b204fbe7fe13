//go:build !linux

package target

import (
	"context"
	"time"
)

// AwaitRest waits for a while, at most limit: on this operating system it
// cannot be seen whether a program waits for something to happen.
func (p *Process) AwaitRest(ctx context.Context, limit time.Duration) bool {
	select {
	case <-time.After(min(limit, 100*time.Millisecond)):
	case <-p.ended:
	case <-ctx.Done():
	}
	return true
}
