package engine

import (
	"context"
	"sync"
)

// target is what the engine sees of r.
func (r *room) target() *Target {
	t := &Target{Dial: r.dial, Close: r.close, Notify: r.setNotify}
	if r.prints != nil {
		t.Printed = r.printed
	}
	if r.process {
		t.Exited = r.exited
		t.Stop = func(string) error { r.exit("ended with status 0"); return nil }
	}
	return t
}

// exit ends the server as if its program had ended.
func (r *room) exit(how string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end(how)
}

// end is exit for those who hold r.mu: nothing is served after it.
func (r *room) end(how string) {
	r.how = how
	for _, c := range r.conns {
		_ = c.Close()
	}
	if r.notify != nil {
		r.notify()
	}
}

func (r *room) close() {
	r.exit("was stopped")
	close(r.closed)
	r.work.Wait()
}

func (r *room) exited() (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.how, r.how != ""
}

func (r *room) setNotify(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notify = f
}

func (r *room) printed(from int64) ([]byte, int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return []byte(r.output.String()[from:]), int64(r.output.Len())
}

// A street launches rooms and remembers them.
type street struct {
	rules rules
	rooms []*room
	mu    sync.Mutex
}

func (s *street) launch(ctx context.Context) (*Target, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := s.rules.start()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rooms = append(s.rooms, r)
	return r.target(), nil
}
