package mutant

import (
	"context"
	"sync/atomic"

	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// A mutant is not worth playing in a scenario that gives it no occasion to be
// wrong: all would go as it goes with a correct server. So each scenario is
// played once against the correct server, with the rooms of all mutants as
// shadows of the real one. They see what happens, and what they would do about
// it is only counted.

// watched gives servers as launch does, and has occasions count for each
// mutant whether it would have been wrong. Where no client resets its
// connection, a reset is the end of the play, and no occasion.
func watched(launch engine.Launch, codec *wire.Codec, mutants []Mutant, occasions []atomic.Int64, hasReset bool) engine.Launch {
	return func(ctx context.Context) (*engine.Target, error) {
		t, err := launch(ctx)
		if err != nil {
			return nil, err
		}
		r := newRoom(t, codec)
		r.occasions, r.endsByReset = new(atomic.Int64), !hasReset
		for i, m := range mutants {
			s := newRoom(t, codec)
			s.isShadow, s.occasions = true, &occasions[i]
			s.behaviour = m.new(s)
			r.shadows = append(r.shadows, s)
		}
		return r.target(), nil
	}
}

// cast has all shadows see something that happens on l. Those that have been
// wrong already need not be asked again. mu is held.
func (r *room) cast(l *link, see func(s *room, l *link)) {
	for _, s := range r.shadows {
		if s.occasions.Load() == 0 && !r.closed {
			see(s, s.links[l.number-1])
		}
	}
}

func (r *room) castLeaving(l *link, how departure) {
	if how == resets && r.endsByReset {
		return
	}
	r.cast(l, func(s *room, l *link) {
		if s.leaves != nil {
			s.leaves(l, how)
		}
	})
}

func (r *room) castStop(how string) {
	for _, s := range r.shadows {
		if s.stops != nil {
			s.stops(how)
		}
		if s.exits != nil {
			s.exits()
		}
	}
}

func (r *room) castPrinted() {
	all, _ := r.server.Printed(0)
	for _, s := range r.shadows {
		if s.printed != nil {
			s.printed(all)
		}
	}
}
