package wire

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Most messages fit none of the regular expressions that describe a few of
// them, and finding that out with the expressions takes longer than all else.
// But an expression that speaks of `left`, `quit` or `gone` fits nothing in
// which none of these words stands, and all words of all expressions can be
// searched for at once.

// words are pieces of text to be searched for, up to 64 bytes in all, in small
// and capital letters. A bit stands for a byte of a word; while a text is read,
// a bit is set where the word up to that byte has just been read.
type words struct {
	step  [256]uint64 // bits whose byte this is
	begin uint64      // the first bit of each word
	bits  int         // in use
	known map[string]uint64
	most  int // bytes of the longest
}

// A wordLimit is how many bytes of a word are looked for; more tell little.
const wordLimit = 5

// add adds words unless there is no room for all of them. It returns their last
// bits, or 0.
func (w *words) add(list []string) uint64 {
	if len(list) == 0 {
		return 0
	}
	mask, bits := uint64(0), 0
	for _, word := range list {
		mask |= w.known[word]
		if w.known[word] == 0 {
			bits += len(word)
		}
	}
	if w.bits+bits > 64 {
		return 0
	}
	if w.known == nil {
		w.known = map[string]uint64{}
	}
	for _, word := range list {
		if w.known[word] != 0 {
			continue
		}
		w.begin |= 1 << w.bits
		for i := range len(word) {
			w.step[word[i]] |= 1 << w.bits
			if c := word[i] &^ 0x20; c >= 'A' && c <= 'Z' {
				w.step[word[i]^0x20] |= 1 << w.bits
			}
			w.bits++
		}
		w.known[word] = 1 << (w.bits - 1)
		w.most = max(w.most, len(word))
		mask |= w.known[word]
	}
	return mask
}

// in are the bits of all words that stand somewhere in b, and others that mean
// nothing. The text is read at two places at once, which is faster.
func (w *words) in(b []byte) uint64 {
	var s, t, seen uint64
	half := len(b) / 2
	first, second := b[:half], b[half:]
	second = second[:half]
	for i, c := range first {
		s = (s<<1 | w.begin) & w.step[c]
		t = (t<<1 | w.begin) & w.step[second[i]]
		seen |= s | t
	}
	for _, c := range b[half:min(half+w.most, len(b))] { // what begins before the middle
		s = (s<<1 | w.begin) & w.step[c]
		seen |= s
	}
	if len(b)%2 > 0 {
		seen |= (t<<1 | w.begin) & w.step[b[len(b)-1]]
	}
	return seen
}

// wordsOf are pieces of text of which at least one stands in everything that
// fits a regular expression. It is empty where none are known.
func wordsOf(expr string) []string {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil
	}
	a := analyse(re)
	var list []string
	for _, s := range better(a.begins, a.within) {
		list = append(list, small(s[:min(len(s), wordLimit)]))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// small is a text in small letters, as far as it is ASCII.
func small(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return string(b)
}

// An analysis says what fits an expression: it begins with one of begins (all
// says that it is one of them), and one of within stands in it somewhere. In
// these a NUL stands for a character that is not the same bytes each time.
type analysis struct {
	begins []string
	all    bool
	within []string
}

var anything = analysis{begins: []string{""}}

// maxWords bounds how many pieces are told apart.
const maxWords = 24

func analyse(re *syntax.Regexp) analysis {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return analysis{begins: []string{""}, all: true}
	case syntax.OpLiteral:
		return analysis{begins: []string{literalWord(re)}, all: true}
	case syntax.OpCharClass:
		return classWords(re)
	case syntax.OpCapture:
		return analyse(re.Sub[0])
	case syntax.OpPlus:
		a := analyse(re.Sub[0])
		a.all = false
		return a
	case syntax.OpRepeat:
		if re.Min > 0 {
			a := analyse(re.Sub[0])
			a.all = a.all && re.Min == 1 && re.Max == 1
			return a
		}
	case syntax.OpQuest:
		if a := analyse(re.Sub[0]); a.all && len(a.begins) < maxWords {
			return analysis{begins: append(slices.Clone(a.begins), ""), all: true}
		}
	case syntax.OpConcat:
		return analyseAll(re.Sub)
	case syntax.OpAlternate:
		return analyseAny(re.Sub)
	}
	return anything
}

// analyseAll is for one expression after another.
func analyseAll(list []*syntax.Regexp) analysis {
	whole := analysis{begins: []string{""}, all: true}
	run, atBegin := whole, true // what stands together, and whether that is at the beginning
	end := func() {
		if atBegin {
			whole.begins, whole.all = run.begins, run.all
		}
		whole.within = better(whole.within, run.begins)
	}
	for _, re := range list {
		a := analyse(re)
		whole.within = better(whole.within, a.within)
		if len(run.begins)*len(a.begins) <= maxWords {
			run = analysis{begins: cross(run.begins, a.begins), all: a.all}
		} else {
			whole.within = better(whole.within, a.begins)
			run.all = false
		}
		if !run.all {
			end()
			run, atBegin = analysis{begins: []string{""}, all: true}, false
		}
	}
	end()
	return whole
}

// analyseAny is for one expression out of several.
func analyseAny(list []*syntax.Regexp) analysis {
	any := analysis{all: true}
	known := true
	for _, re := range list {
		a := analyse(re)
		any.begins, any.all = append(any.begins, a.begins...), any.all && a.all
		best := better(a.begins, a.within)
		any.within, known = append(any.within, best...), known && len(best) > 0
	}
	if !known || len(any.within) > maxWords {
		any.within = nil
	}
	if len(any.begins) > maxWords {
		any.begins, any.all = []string{""}, false
	}
	return any
}

func cross(a, b []string) []string {
	var list []string
	for _, x := range a {
		for _, y := range b {
			list = append(list, x+y)
		}
	}
	return list
}

// variable stands for a character that is not the same bytes each time.
const variable = "\x00"

// literalWord is a literal, in small letters where it stands for capital ones too.
func literalWord(re *syntax.Regexp) string {
	var b strings.Builder
	for _, r := range re.Rune {
		fold := re.Flags&syntax.FoldCase != 0
		if fold && r < utf8.RuneSelf {
			r = unicode.ToLower(r)
		}
		if r == 0 || r == utf8.RuneError || fold && !foldsToASCII(r) {
			b.WriteString(variable)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// foldsToASCII says that a character and what it is the same as, but for being
// small or capital, are ASCII. That is not so of k, which the sign for kelvin
// is the same as.
func foldsToASCII(r rune) bool {
	for s := unicode.SimpleFold(r); s != r; s = unicode.SimpleFold(s) {
		if s >= utf8.RuneSelf {
			return false
		}
	}
	return r < utf8.RuneSelf
}

// classWords are the characters of a class, if they are few. The class holds
// all of them, also where small letters stand for capital ones.
func classWords(re *syntax.Regexp) analysis {
	const few = 4
	a := analysis{all: true}
	for i := 0; i < len(re.Rune); i += 2 {
		for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
			if len(a.begins) == few || r == 0 || r == utf8.RuneError {
				return analysis{begins: []string{variable}, all: true}
			}
			a.begins = append(a.begins, string(r))
		}
	}
	if len(a.begins) == 0 {
		return anything
	}
	return a
}

// better is which of two lists of pieces tells more, without what varies in
// them; empty where neither tells anything.
func better(a, b []string) []string {
	a, b = fixed(a), fixed(b)
	if shortest(a) > shortest(b) || shortest(a) == shortest(b) && len(a) <= len(b) {
		return a
	}
	return b
}

// fixed are the longest parts of pieces that hold nothing variable.
func fixed(list []string) []string {
	var parts []string
	for _, s := range list {
		longest := ""
		for part := range strings.SplitSeq(s, variable) {
			if len(part) > len(longest) {
				longest = part
			}
		}
		if longest == "" {
			return nil
		}
		parts = append(parts, longest)
	}
	return parts
}

func shortest(list []string) int {
	least := 0
	for i, s := range list {
		if n := min(len(s), wordLimit); i == 0 || n < least {
			least = n
		}
	}
	return least
}
