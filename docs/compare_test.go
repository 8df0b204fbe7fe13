package docs_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// anything is the line that stands for any number of lines.
const anything = "..."

var (
	timeSyntax = regexp.MustCompile(`\b\d+(\.\d+)?( ?)(µs|ms|s)\b`)
	portSyntax = regexp.MustCompile(`(port |127\.0\.0\.1:|such as |--seed\s+)\d+`)
	ruleSyntax = regexp.MustCompile(`(^|\s)[-─━═│┃|+]+(\s|$)`)
)

// words are what is compared of some lines: no blanks, no times, no ports, no seeds,
// and no rules between the parts of a table.
func words(lines []string) []string {
	text := strings.Join(lines, "\n")
	text = timeSyntax.ReplaceAllString(text, "TIME")
	text = portSyntax.ReplaceAllString(text, "${1}PORT")
	text = ruleSyntax.ReplaceAllString(text, " ")
	return strings.Fields(text)
}

// split cuts lines at those that stand for anything.
func split(lines []string) [][]string {
	list := [][]string{nil}
	for _, line := range lines {
		if strings.TrimSpace(line) == anything {
			list = append(list, nil)
			continue
		}
		list[len(list)-1] = append(list[len(list)-1], line)
	}
	return list
}

// differ says where got is not as expected, or nothing.
func differ(expected, got []string) string {
	rest := words(got)
	parts := split(expected)
	for i, part := range parts {
		want := words(part)
		first, last := i == 0, i == len(parts)-1
		at := 0
		switch {
		case last && !first:
			at = len(rest) - len(want)
		case !first:
			at = find(rest, want)
		}
		if at < 0 {
			return fmt.Sprintf("%q does not come", strings.Join(want, " "))
		}
		for j, word := range want {
			if at+j >= len(rest) {
				return fmt.Sprintf("%q and what follows it does not come", word)
			}
			if rest[at+j] != word {
				return fmt.Sprintf("%q comes instead of %q", rest[at+j], word)
			}
		}
		rest = rest[at+len(want):]
		if last && len(rest) > 0 {
			return fmt.Sprintf("%q and what follows it is too much", rest[0])
		}
	}
	return ""
}

// find is where want begins in list, or -1.
func find(list, want []string) int {
	for at := 0; at+len(want) <= len(list); at++ {
		if slices.Equal(list[at:at+len(want)], want) {
			return at
		}
	}
	return -1
}

// renew is what a page should say where the program prints got: what it is
// silent about stays unsaid, and a time that differs is no reason to change it.
func renew(expected, got []string) []string {
	var lines []string
	from := 0
	parts := split(expected)
	for i, part := range parts {
		to := from + len(part)
		switch first, last := i == 0, i == len(parts)-1; {
		case first && last:
			to = len(got)
		case last:
			from, to = max(from, len(got)-len(part)), len(got)
		case !first && len(part) > 0:
			from = alike(part, got, from)
			to = from + len(part)
		}
		to = min(to, len(got))
		now := got[min(from, to):to]
		if i > 0 {
			lines = append(lines, anything)
		}
		if sameLook(part, now) {
			now = part
		}
		lines = append(lines, now...)
		from = to
	}
	return lines
}

// alike is where in got, from on, the lines are most like part.
func alike(part, got []string, from int) int {
	best, most := from, -1
	for at := from; at+len(part) <= len(got); at++ {
		n := 0
		for j := range part {
			now := words(got[at+j : at+j+1])
			for _, word := range words(part[j : j+1]) {
				if slices.Contains(now, word) {
					n++
				}
			}
		}
		if n > most {
			best, most = at, n
		}
	}
	return best
}

// sameLook says that lines differ in nothing but times and ports.
func sameLook(a, b []string) bool {
	look := func(lines []string) []string {
		var list []string
		for _, line := range lines {
			line = regexp.MustCompile(` *`+timeSyntax.String()).ReplaceAllString(line, " TIME")
			list = append(list, portSyntax.ReplaceAllString(line, "${1}PORT"))
		}
		return list
	}
	return slices.Equal(look(a), look(b))
}

func TestDiffer(t *testing.T) {
	lines := func(text string) []string { return strings.Split(text, "\n") }
	for _, test := range []struct {
		expected, got string
		same          bool
	}{
		{"a b\nc", "a  b c", true},
		{"a b", "a b c", false},
		{"a b c", "a b", false},
		{"a b", "a x", false},
		{"pass 2.1s", "pass     13ms", true},
		{"pass 2.1s", "fail     13ms", false},
		{"port 4445", "port 12", true},
		{"a\n───  ──\nb", "a\n─────\nb", true},
		{"...", "a b c", true},
		{"a\n...", "a b c", true},
		{"...\nc", "a b c", true},
		{"a\n...\nc", "a c", true},
		{"a\n...\nc", "a b", false},
		{"...\nb\n...", "a b c", true},
		{"...\nx\n...", "a b c", false},
		{"...\na b c d", "b c d", false},
	} {
		if why := differ(lines(test.expected), lines(test.got)); (why == "") != test.same {
			t.Errorf("%q and %q: %q", test.expected, test.got, why)
		}
	}
}

func TestRenew(t *testing.T) {
	for _, test := range []struct{ expected, got, want string }{
		{"", "a", "a"},
		{"a\nb", "c", "c"},
		{"pass 1ms", "pass  23ms", "pass 1ms"},
		{"pass 1ms", "fail  23ms", "fail  23ms"},
		{"a\n...\nc", "x\nb\nz", "x\n...\nz"},
		{"a\n...\nc 1\n...", "a\nb\nc 2\nd", "a\n...\nc 2\n..."},
	} {
		got := strings.Join(renew(strings.Split(test.expected, "\n"), strings.Split(test.got, "\n")), "\n")
		if got != test.want {
			t.Errorf("%q where %q is printed becomes %q and not %q", test.expected, test.got, got, test.want)
		}
	}
}
