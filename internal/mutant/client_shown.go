package mutant

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/chatprobe/chatprobe/internal/wire"
)

// showing are mutants that show something else than what comes.
func (s *subject) showing(census *ClientCensus) []ClientMutant {
	var list []ClientMutant
	// on shows a line in its own way.
	on := func(name, about string, change func(v *visit, line string) []string) {
		list = append(list, s.client(name, about, func(v *visit) habit {
			return habit{shows: func(line string) {
				lines := change(v, line)
				if len(lines) != 1 || lines[0] != line {
					v.counts()
				}
				for _, l := range lines {
					v.show(l)
				}
			}}
		}))
	}
	on("shows-nothing", "shows nothing at all", func(*visit, string) []string { return nil })
	on("shows-first-only", "shows the first line that it has to show, and none after it", func(v *visit, line string) []string {
		v.note("shown", v.noted["shown"]+1)
		if v.noted["shown"] > 1 {
			return nil
		}
		return []string{line}
	})
	on("shows-twice", "shows everything twice", func(_ *visit, line string) []string { return []string{line, line} })
	on("shows-as-source", "shows text as it is written in a program, such as b'caf\\xe9'", func(_ *visit, line string) []string {
		return []string{"b'" + strings.Trim(strconv.QuoteToASCII(line), `"`) + "'"}
	})
	on("shows-number-of-bytes", "shows how much has come instead of the text", func(v *visit, line string) []string {
		if at, end := v.textIn(line); at >= 0 {
			return []string{fmt.Sprintf("%s(%d bytes)%s", line[:at], end-at, line[end:])}
		}
		return []string{line}
	})
	list = append(list, s.client("shows-late", "shows what has come only when the next comes", func(v *visit) habit {
		return habit{shows: func(line string) {
			v.counts()
			held := v.held
			v.held = []string{line}
			for _, l := range held {
				v.show(l)
			}
		}}
	}))
	on("passes-controls", "shows control characters as they come", func(v *visit, line string) []string {
		if n := len(v.said); n > 0 {
			text := v.said[n-1].text("text")
			if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }) && !strings.Contains(line, text) {
				return []string{line + text}
			}
		}
		return []string{line}
	})
	for _, mangle := range s.lineManglers() {
		if mangle.name == "blank-behind" || mangle.name == "right-trimmed" {
			continue // nobody sees it
		}
		on("shows-"+mangle.name, "shows a text "+mangle.about, func(v *visit, line string) []string {
			if at, end := v.textIn(line); at >= 0 {
				return []string{line[:at] + mangle.change(line[at:end]) + line[end:]}
			}
			return []string{line}
		})
	}
	on("shows-line-of-80", "shows the first 80 characters of a line", func(_ *visit, line string) []string { return []string{line[:min(len(line), 80)]} })
	list = append(list, s.naming()...)
	for _, word := range census.words() {
		about := fmt.Sprintf("instead of %q", word)
		for _, instead := range slices.Concat([]string{strings.ToLower(word), strings.ToUpper(word), word + "!", "OK"}, census.words()) {
			if instead == word {
				continue
			}
			on("says/"+words(instead)+"/"+words(word), fmt.Sprintf("prints %q ", instead)+about, func(_ *visit, line string) []string {
				if line == word {
					return []string{instead}
				}
				return []string{line}
			})
		}
		on("says-nothing/"+words(word), "prints nothing "+about, func(_ *visit, line string) []string {
			if line == word {
				return nil
			}
			return []string{line}
		})
	}
	return list
}

// words is a text as a part of a name.
func words(text string) string { return strings.ReplaceAll(text, " ", "-") }

// naming are mutants that show the wrong one with a text.
func (s *subject) naming() []ClientMutant {
	var list []ClientMutant
	params := map[string]bool{}
	for _, k := range s.said(wire.Server) {
		for _, param := range k.Params() {
			field := k.FieldOf(param)
			if param == "text" || param == "line" || params[param] || field != nil && field.Type.IsInteger() {
				continue // a number is shown in words
			}
			params[param] = true
			on := func(op, about string, change func(name string) string) {
				list = append(list, s.client("shows-"+param+"-"+op, fmt.Sprintf(about, param), func(v *visit) habit {
					return habit{shows: func(line string) {
						is := line
						for _, name := range v.named(param) {
							is = strings.ReplaceAll(is, name, change(name))
						}
						if is != line {
							v.counts()
						}
						v.show(is)
					}}
				}).ifAny())
			}
			on("lost", "does not show the %s", func(string) string { return "" })
			on("other", "shows another %s than the one that came", func(name string) string { return lastChanged(name) })
			on("first", "shows the first half of the %s", func(name string) string { return name[:(len(name)+1)/2] })
			if k.IsList(param) {
				list = append(list, s.client("shows-"+param+"-last-lost", "does not show the last of the "+param, func(v *visit) habit {
					return habit{shows: func(line string) {
						is := line
						if names := v.named(param); len(names) > 1 {
							is = strings.ReplaceAll(is, names[len(names)-1], "")
						}
						if is != line {
							v.counts()
						}
						v.show(is)
					}}
				}))
			}
		}
	}
	return list
}

// named are what the last messages of the server hold as a parameter. mu is held.
func (v *visit) named(param string) []string {
	var names []string
	for _, m := range v.said {
		switch held := m.args[param].(type) {
		case string:
			names = append(names, held)
		case []string:
			names = append(names, held...)
		case []any:
			for _, name := range held {
				names = append(names, fmt.Sprint(name))
			}
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}

// textIn is where in a line a text of the last messages stands, or -1. mu is
// held.
func (v *visit) textIn(line string) (at, end int) {
	for i := len(v.said) - 1; i >= 0; i-- {
		text := v.said[i].text("text")
		if text == "" {
			continue
		}
		if at := strings.LastIndex(line, text); at >= 0 {
			return at, at + len(text)
		}
	}
	return -1, -1
}
