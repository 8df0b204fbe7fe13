package mutant

import "github.com/chatprobe/chatprobe/internal/wire"

// crash is how a server ends that is killed by what a client does.
const crash = "exited with status 1"

// leaving are mutants about connections that begin and end.
func (s *subject) leaving() []Mutant {
	if s.codec.IsDatagram(wire.Client) {
		return s.missing()
	}
	list := s.missing()
	on := func(name, about string, how departure, f func(r *room, l *link) (noticed bool)) {
		list = append(list, s.make(name, about, func(r *room) behaviour {
			return behaviour{leaves: func(l *link, d departure) bool {
				if d != how || r.closed {
					return true
				}
				r.shows()
				return f(r, l)
			}}
		}))
	}
	for _, d := range []struct {
		name, does string
		how        departure
	}{{"close", "closes its connection", closes}, {"reset", "resets its connection", resets}, {"half-close", "half-closes its connection", halfCloses}} {
		on("unnoticed-"+d.name, "does not notice when a client "+d.does, d.how, func(*room, *link) bool { return false })
		on("dies-on-"+d.name, "dies when a client "+d.does, d.how, func(r *room, _ *link) bool {
			r.die(crash)
			return true
		})
		on("hangs-on-"+d.name, "does nothing any more once a client "+d.does, d.how, func(r *room, _ *link) bool {
			r.hang()
			return true
		})
		on("cuts-on-"+d.name, "loses the connection of another client when one "+d.does, d.how, func(r *room, l *link) bool {
			if others := r.others(l); len(others) > 0 {
				others[len(others)-1].cut(false)
			}
			return true
		})
	}
	on("half-close-is-close", "closes the whole connection when a client half-closes it", halfCloses, func(_ *room, l *link) bool {
		l.cut(false)
		return true
	})
	return append(list, s.deafAfter("close", closes), s.deafAfter("reset", resets), s.nameNeverFree(), s.deadAlone(),
		s.comingBack("returns-deaf", "sends nothing to who comes back under the same name", false),
		s.comingBack("returns-mute", "takes nothing from who comes back under the same name", true))
}

// missing are mutants that a client which has gone is too much for when they
// want to send it something.
func (s *subject) missing() []Mutant {
	first := func(r *room) int {
		for _, l := range r.links {
			if l.left && l.entered {
				return l.number
			}
		}
		return 0
	}
	talk := func(m *message) bool { return m.is("say") || m.is("tell") }
	return []Mutant{
		s.make("gone-hides-later", "sends what is said to nobody behind a client that has gone", func(r *room) behaviour {
			return behaviour{down: func(l *link, m *message) {
				if gone := first(r); gone > 0 && l.number > gone && (m.is("hear") || m.is("told")) {
					r.shows()
					return
				}
				l.deliver(m.raw)
			}}
		}),
		s.make("gone-kills", "dies when something is said after a client has gone", func(r *room) behaviour {
			return behaviour{heard: func(_ *link, m *message) {
				if talk(m) && first(r) > 0 {
					r.shows()
					r.die(crash)
				}
			}}
		}),
		s.make("two-gone-kill", "dies when something is said after several clients have gone", func(r *room) behaviour {
			return behaviour{heard: func(_ *link, m *message) {
				gone := 0
				for _, l := range r.links {
					if l.left && l.entered {
						gone++
					}
				}
				if talk(m) && gone > 1 {
					r.shows()
					r.die(crash)
				}
			}}
		}),
	}
}

// deafAfter relays nothing any more once a client has left.
func (s *subject) deafAfter(name string, how departure) Mutant {
	return s.make("deaf-after-"+name, "passes on nothing that is said after a client has gone by "+name, func(r *room) behaviour {
		deaf := false
		return behaviour{
			leaves: func(_ *link, d departure) bool {
				deaf = deaf || d == how
				return true
			},
			down: func(l *link, m *message) {
				if deaf && (m.is("hear") || m.is("told")) {
					r.shows()
					return
				}
				l.deliver(m.raw)
			},
		}
	})
}

// nameNeverFree closes the connection of whoever takes the name of somebody
// who has gone.
func (s *subject) nameNeverFree() Mutant {
	return s.make("name-never-free", "lets nobody in under the name of somebody who has gone", func(r *room) behaviour {
		taken := map[string]bool{}
		return behaviour{
			leaves: func(l *link, d departure) bool {
				if l.entered && d != halfCloses {
					taken[l.user] = true
				}
				return true
			},
			up: func(l *link, m *message) {
				if m.kind != nil && (m.kind.First || m.is("login")) && taken[m.text("user")] {
					r.shows()
					l.cut(false)
					return
				}
				l.pass(m.raw)
			},
		}
	})
}

// deadAlone dies when the last client has gone.
func (s *subject) deadAlone() Mutant {
	return s.make("dies-when-empty", "dies when nobody is left", func(r *room) behaviour {
		return behaviour{leaves: func(l *link, d departure) bool {
			if d != halfCloses && !r.closed && len(r.others(l)) == 0 {
				r.shows()
				r.die("exited with status 0")
			}
			return true
		}}
	})
}

// comingBack treats a user's second connection worse than the first.
func (s *subject) comingBack(name, about string, mute bool) Mutant {
	return s.make(name, about, func(r *room) behaviour {
		again := func(l *link) bool {
			for _, o := range r.links[:l.number-1] {
				if o.left && o.entered && o.user == l.user {
					return true
				}
			}
			return false
		}
		if mute {
			return behaviour{up: func(l *link, m *message) {
				if l.entered && again(l) {
					r.shows()
					return
				}
				l.pass(m.raw)
			}}
		}
		return behaviour{down: func(l *link, m *message) {
			if again(l) && (m.is("hear") || m.is("told")) {
				r.shows()
				return
			}
			l.deliver(m.raw)
		}}
	})
}

// crowding are mutants that one client is enough to stop.
func (s *subject) crowding() []Mutant {
	var list []Mutant
	for _, n := range []int{1, 2, 3, 4, 10, 64} {
		list = append(list, s.atMost(n))
	}
	if s.codec.IsDatagram(wire.Client) {
		return list
	}
	isSilent := func(o *link) bool { return o.written == 0 && !o.left }
	return append(list,
		s.blocking("silent-blocks-all", "waits for what a client says first, and serves nobody else until then", func(r *room, l *link) bool {
			for _, o := range r.links {
				if o != l && isSilent(o) {
					return true
				}
			}
			return false
		}),
		s.blocking("silent-blocks-newcomers", "waits for what a client says first, and takes no newcomer until then", func(r *room, l *link) bool {
			for _, o := range r.links[:l.number-1] {
				if isSilent(o) {
					return true
				}
			}
			return false
		}),
		s.blocking("piece-blocks-newcomers", "waits for the rest of a login, and takes no newcomer until then", func(r *room, l *link) bool {
			for _, o := range r.links[:l.number-1] {
				if o.writes.isBegun() && !o.entered && !o.left {
					return true
				}
			}
			return false
		}),
		s.blocking("stalled-blocks-all", "waits for a client that does not read, and serves nobody else until it does", func(r *room, l *link) bool {
			for _, o := range r.links {
				if o != l && o.queued > mostQueued && !o.left && o.end == nil {
					return true
				}
			}
			return false
		}),
		s.stalledLoses(),
	)
}

// blocking has a client wait as long as another one is in some state.
func (s *subject) blocking(name, about string, blocks func(r *room, l *link) bool) Mutant {
	return s.make(name, about, func(r *room) behaviour {
		return behaviour{waits: func(l *link) bool {
			if !blocks(r, l) {
				return false
			}
			r.shows()
			return true
		}}
	})
}

// stalledLoses drops what a client does not read at once, once much waits.
func (s *subject) stalledLoses() Mutant {
	return s.make("slow-reader-loses", "throws away what a slow client has not read yet", func(r *room) behaviour {
		return behaviour{down: func(l *link, m *message) {
			if l.queued > mostQueued/2 {
				r.shows()
				return
			}
			l.deliver(m.raw)
		}}
	})
}

// atMost serves the first clients and nobody else.
func (s *subject) atMost(n int) Mutant {
	name, about := "serves-one", "serves one client and no other"
	if n > 1 {
		name, about = "serves-"+count(n), "serves "+count(n)+" clients at the same time and no more"
	}
	return s.make(name, about, func(r *room) behaviour {
		return behaviour{waits: func(l *link) bool {
			before := 0
			for _, o := range r.links[:l.number-1] {
				if !o.left {
					before++
				}
			}
			if before < n {
				return false
			}
			r.shows()
			return true
		}}
	})
}
