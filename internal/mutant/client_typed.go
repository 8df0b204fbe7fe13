package mutant

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/chatprobe/chatprobe/internal/engine"
)

// client is a mutant of a client program.
func (s *subject) client(name, about string, new func(v *visit) habit) ClientMutant {
	return ClientMutant{Name: name, About: about, new: new, occasions: new64()}
}

// lineManglers are those that spoil a line of text in a way that shows.
func (s *subject) lineManglers() []mangler {
	return slices.DeleteFunc(s.textManglers(), func(m mangler) bool {
		switch m.name {
		case "newline-behind", "nul-behind", "cut-at-zero", "cut-at-newline", "cut-at-return":
			return true // there is no such character in a line, or it makes none
		}
		n, err := strconv.Atoi(strings.TrimPrefix(m.name, "cut-at-"))
		return err == nil && n > 16384 // nobody types so much
	})
}

// rare says that not every protocol lets a user type, or a program send, a text
// in which m makes a difference.
func (m mangler) rare() bool {
	return m.optional || strings.HasSuffix(m.name, "trimmed") || strings.HasPrefix(m.name, "cut-at-") || strings.HasSuffix(m.name, "-behind")
}

// typing are mutants that read something else than what is typed.
func (s *subject) typing() []ClientMutant {
	var list []ClientMutant
	// on reads lines in its own way, when they are complete.
	on := func(name, about string, read func(v *visit, lines []string) []string) {
		list = append(list, s.client(name, about, func(v *visit) habit {
			return habit{typed: func(text string, enter bool) {
				v.line += text
				if !enter {
					return
				}
				lines := strings.Split(v.line, "\n")
				v.line = ""
				is := read(v, slices.Clone(lines))
				if !slices.Equal(is, lines) {
					v.counts()
				}
				for _, line := range is {
					v.key(line, true)
				}
			}}
		}))
	}
	each := func(name, about string, change func(line string) string) {
		on(name, about, func(_ *visit, lines []string) []string {
			for i, line := range lines {
				lines[i] = change(line)
			}
			return lines
		})
	}
	for _, mangle := range s.lineManglers() {
		each("typed-"+mangle.name, "reads what is typed "+mangle.about, mangle.change)
		list[len(list)-1].optional = mangle.rare()
	}
	each("typed-second-word-only", "loses the first word of a line of several", func(line string) string {
		if first, rest, ok := strings.Cut(line, " "); ok && first != "" {
			return rest
		}
		return line
	})
	on("typed-twice", "reads each line twice", func(_ *visit, lines []string) []string {
		return append(lines, lines...)
	})
	on("typed-first-twice", "reads the first line twice", func(v *visit, lines []string) []string {
		v.note("lines", v.noted["lines"]+1)
		if v.noted["lines"] == 1 {
			return append(lines[:1], lines...)
		}
		return lines
	})
	on("typed-first-of-several", "reads the first of several lines that are typed at once, and loses the others", func(_ *visit, lines []string) []string {
		return lines[:1]
	})
	on("typed-last-of-several", "reads the last of several lines that are typed at once, and loses the others", func(_ *visit, lines []string) []string {
		return lines[len(lines)-1:]
	})
	on("typed-joined", "takes several lines that are typed at once for one", func(_ *visit, lines []string) []string {
		return []string{strings.Join(lines, " ")}
	})
	on("typed-reversed", "reads several lines that are typed at once from the last to the first", func(_ *visit, lines []string) []string {
		slices.Reverse(lines)
		return lines
	})
	for _, n := range []int{512, 1024, 4096} {
		on(fmt.Sprintf("typed-split-at-%d", n), fmt.Sprintf("takes a line of more than %d bytes for several", n), func(_ *visit, lines []string) []string {
			var parts []string
			for _, line := range lines {
				for len(line) > n {
					parts, line = append(parts, line[:n]), line[n:]
				}
				parts = append(parts, line)
			}
			return parts
		})
		list[len(list)-1].optional = n > 1024
	}
	return slices.Concat(list, s.leavingByWord(), s.halfLines())
}

// leavingByWord are mutants that leave because of what is typed.
func (s *subject) leavingByWord() []ClientMutant {
	leave := func(name, about string, is func(line string) bool) ClientMutant {
		return s.client(name, about, func(v *visit) habit {
			return habit{typed: func(text string, enter bool) {
				v.line += text
				if enter {
					whole := v.line
					v.line = ""
					if slices.ContainsFunc(strings.Split(whole, "\n"), is) {
						v.counts()
						v.keys = append(v.keys, key{ends: true})
						return
					}
				}
				v.key(text, enter)
			}}
		})
	}
	list := []ClientMutant{
		leave("leaves-at-empty-line", "ends when an empty line is typed", func(line string) bool { return line == "" }),
		leave("leaves-at-blanks", "ends when a line begins with a blank", func(line string) bool { return strings.HasPrefix(line, " ") }).ifAny(),
	}
	for _, word := range []string{"quit", "exit"} {
		list = append(list, leave("leaves-at-word/"+word, "ends when a line with the word "+word+" in it is typed", func(line string) bool {
			words := strings.Fields(line)
			return len(words) > 2 && slices.Contains(words[1:], word)
		}))
	}
	return list
}

// halfLines are mutants that cannot do two things at a time.
func (s *subject) halfLines() []ClientMutant {
	buffer := func(v *visit) func(text string, enter bool) {
		return func(text string, enter bool) {
			v.line += text
			if enter {
				v.key(v.line, true)
				v.line = ""
			}
		}
	}
	return []ClientMutant{
		s.client("half-line-lost", "forgets what is half typed when a message comes", func(v *visit) habit {
			return habit{typed: buffer(v), hears: func(m *message) {
				if v.line != "" {
					v.counts()
					v.line = ""
				}
				v.deliver(m.raw)
			}}
		}),
		s.client("half-line-sent", "sends what is half typed when a message comes", func(v *visit) habit {
			return habit{typed: buffer(v), hears: func(m *message) {
				if v.line != "" {
					v.counts()
					v.key(v.line, true)
					v.line = ""
				}
				v.deliver(m.raw)
			}}
		}),
		s.client("deaf-while-typing", "shows nothing while a line is half typed", func(v *visit) habit {
			return habit{
				typed: func(text string, enter bool) {
					if v.key(text, enter); enter {
						v.release()
					}
				},
				shows: func(line string) {
					if !v.half {
						v.show(line)
						return
					}
					v.counts()
					v.held = append(v.held, line)
				},
			}
		}),
		s.client("deaf-until-enter", "looks at what has come only after a line was typed", func(v *visit) habit {
			return habit{
				typed: func(text string, enter bool) {
					v.key(text, enter)
					if enter {
						v.release()
					}
				},
				shows: func(line string) {
					v.counts()
					v.held = append(v.held, line)
				},
			}
		}),
	}
}

// telling are mutants that do not heed what they are told at their start.
func (s *subject) telling(told []string) []ClientMutant {
	var list []ClientMutant
	on := func(about, name string, change func(how *engine.Invocation)) {
		list = append(list, s.client(name, about, func(*visit) habit { return habit{told: change} }).ifAny())
	}
	if slices.Contains(told, "user") {
		on("calls itself student, whatever it is told", "user-fixed", func(how *engine.Invocation) { how.User = "student" })
		on("writes its name in small letters", "user-lower", func(how *engine.Invocation) { how.User = strings.ToLower(how.User) })
		on("takes four bytes of its name", "user-cut", func(how *engine.Invocation) { how.User = how.User[:min(len(how.User), 4)] })
		on("calls itself alice, whatever it is told", "user-alice", func(how *engine.Invocation) { how.User = "alice" })
	}
	if slices.Contains(told, "host") || slices.Contains(told, "url") {
		on("goes to 127.0.0.1, whatever host it is told", "host-fixed", func(how *engine.Invocation) {
			if how.Host != how.Server.Addr().String() {
				how.Host, how.Port = how.Server.Addr().String(), fmt.Sprint(how.Server.Port())
			}
			if !strings.Contains(how.URL, "localhost") && strings.Contains(how.URL, "[") {
				how.URL = "chat://" + how.Server.String()
			}
		})
	}
	if slices.Contains(told, "url") {
		on("knows no host by name", "host-names-unknown", func(how *engine.Invocation) {
			how.URL = strings.Replace(how.URL, "localhost", "no.such.host.invalid", 1)
		})
		on("takes an address that is none for the one of the server", "any-address", func(how *engine.Invocation) {
			if chat := "chat://" + how.Server.String(); !strings.HasSuffix(how.URL, fmt.Sprint(how.Server.Port())) {
				how.URL = chat
			}
		})
	}
	return list
}
