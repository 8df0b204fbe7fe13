package mutant

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func count(n int) string {
	words := []string{"none", "one", "two", "three", "four"}
	if n < len(words) {
		return words[n]
	}
	return strconv.Itoa(n)
}

var digits = regexp.MustCompile(`\d+`)

// printing are mutants that say something else on their screen.
func (s *subject) printing() []Mutant {
	if !s.output {
		return nil
	}
	var list []Mutant
	on := func(name, about string, change func(r *room, line string) (string, bool)) {
		list = append(list, s.make(name, about, func(r *room) behaviour {
			return behaviour{printed: func(all []byte) []byte {
				var out []byte
				for line := range strings.Lines(string(all)) {
					if text, ok := change(r, strings.TrimSuffix(line, "\n")); ok {
						out = append(out, text...)
						out = append(out, '\n')
					}
				}
				if !bytes.Equal(out, all) {
					r.shows()
				}
				return out
			}}
		}))
	}
	on("prints-nothing", "prints nothing at all", func(*room, string) (string, bool) { return "", false })
	if s.port {
		on("prints-no-numbers", "prints its lines without numbers", func(_ *room, line string) (string, bool) {
			return digits.ReplaceAllString(line, ""), true
		})
		on("prints-other-numbers", "prints other numbers than the true ones", func(_ *room, line string) (string, bool) {
			return digits.ReplaceAllStringFunc(line, lastChanged), true
		})
	}
	on("prints-no-names", "prints its lines without the names of clients", func(r *room, line string) (string, bool) {
		return r.renamed(line, func(string) string { return "" }), true
	})
	on("prints-first-name-only", "prints the name of the first client only", func(r *room, line string) (string, bool) {
		return r.renamed(line, func(name string) string {
			if len(r.links) > 0 && name == r.links[0].user {
				return name
			}
			return ""
		}), true
	})
	on("prints-no-newcomer", "prints the names of all but the client that came last", func(r *room, line string) (string, bool) {
		return r.renamed(line, func(name string) string {
			if name == r.links[len(r.links)-1].user {
				return ""
			}
			return name
		}), true
	})
	on("prints-departed", "goes on printing the names of those who have gone", func(r *room, line string) (string, bool) {
		named, gone := false, ""
		for _, l := range r.links {
			named = named || l.user != "" && strings.Contains(line, l.user)
			if l.left && l.user != "" && !strings.Contains(line, l.user) {
				gone += " " + l.user
			}
		}
		if named {
			line += gone
		}
		return line, true
	})
	on("prints-capitals", "prints names in capitals", func(r *room, line string) (string, bool) {
		return r.renamed(line, strings.ToUpper), true
	})
	list = append(list, s.make("prints-once", "prints each line once, and not again", func(r *room) behaviour {
		return behaviour{printed: func(all []byte) []byte {
			var out []byte
			seen := map[string]bool{}
			for line := range strings.Lines(string(all)) {
				if !seen[line] {
					out = append(out, line...)
				}
				seen[line] = true
			}
			if len(out) < len(all) {
				r.shows()
			}
			return out
		}}
	}))
	return optional(list)
}

// optional are mutants of what not every suite asks for.
func optional(list []Mutant) []Mutant {
	for i := range list {
		list[i].optional = true
	}
	return list
}

// renamed changes the names of all who were ever there. mu is held.
func (r *room) renamed(line string, change func(string) string) string {
	var names []string
	for _, l := range r.links {
		if l.user != "" && !slices.Contains(names, l.user) {
			names = append(names, l.user)
		}
	}
	for _, name := range names {
		line = strings.ReplaceAll(line, name, change(name))
	}
	return line
}

// stopping are mutants that do not stop as they are told.
func (s *subject) stopping() []Mutant {
	if !s.process {
		return nil
	}
	stays := func(name, about string, stays func(r *room) bool) Mutant {
		return s.make(name, about, func(r *room) behaviour {
			return behaviour{exits: func() bool {
				if !stays(r) {
					return true
				}
				r.shows()
				return false
			}}
		})
	}
	return optional([]Mutant{
		stays("never-ends", "takes leave of everybody when it is told to stop, and does not end", func(*room) bool { return true }),
		stays("stranger-keeps-it", "does not end as long as somebody is connected who has not logged in", func(r *room) bool {
			return slices.ContainsFunc(r.links, func(l *link) bool { return !l.entered && !l.left })
		}),
		s.make("never-stops", "goes on when it is told to stop", func(r *room) behaviour {
			return behaviour{stops: func(string) bool {
				r.shows()
				return false
			}}
		}),
		s.make("stops-by-reset", "ends without a word when it is told to stop", func(r *room) behaviour {
			return behaviour{stops: func(string) bool {
				r.shows()
				r.die("was stopped")
				return true
			}}
		}),
	})
}
