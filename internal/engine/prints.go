package engine

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/chatprobe/chatprobe/internal/scenario"
)

func (p *play) doPrints(do scenario.Prints) *failure {
	within := p.deadline
	if do.Within.IsSet() {
		text, err := do.Within.Text(p.lookup)
		if err == nil {
			within, err = time.ParseDuration(text)
		}
		if err != nil {
			return harnessError(err)
		}
	}
	times := 1
	if do.Times.IsSet() {
		var err error
		if times, err = do.Times.Int(p.lookup); err != nil {
			return harnessError(err)
		}
	}
	wanted := make([]printed, len(do.Texts))
	words := make([]string, len(do.Texts))
	for i, t := range do.Texts {
		var err error
		if t.IsRegex {
			if wanted[i].regex, err = t.Compile(p.lookup); err == nil {
				words[i] = "/" + wanted[i].regex.String() + "/"
			}
		} else if wanted[i].text, err = t.Text.Text(p.lookup); err == nil {
			words[i] = fmt.Sprintf("%q", wanted[i].text)
		}
		if err != nil {
			return harnessError(err)
		}
	}
	from := int64(0)
	if !do.SinceStart {
		_, from = p.target.Printed(0)
	}
	count := 0
	e := p.wait(within, nil, func() bool {
		out, _ := p.target.Printed(from)
		count = 0
		for count < times {
			n := printedOnce(out, wanted)
			if n < 0 {
				break
			}
			out = out[n:]
			count++
		}
		return count == times
	})
	if e == met {
		return nil
	}
	expected := "the server prints " + strings.Join(words, " and ")
	if times > 1 {
		expected += fmt.Sprintf(", %d times within %s", times, within)
	}
	got := fmt.Sprintf("it printed nothing of that within %s", within)
	if count > 0 {
		got = fmt.Sprintf("it did so %d times", count)
		if count == 1 {
			got = "it did so once"
		}
	}
	if how, exited := p.exited(); exited {
		got = "the program " + how
	}
	return fail(nil, expected, "%s", got)
}

// A printed is what a target is to print: an expression, or else a text.
type printed struct {
	regex *regexp.Regexp
	text  string
}

// printedOnce is the length of the shortest beginning of out that holds all
// the texts, or -1.
func printedOnce(out []byte, list []printed) int {
	end := 0
	for _, t := range list {
		at := -1
		if t.regex != nil {
			if m := t.regex.FindIndex(out); m != nil {
				at = m[1]
			}
		} else if i := bytes.Index(out, []byte(t.text)); i >= 0 {
			at = i + len(t.text)
		}
		if at < 0 {
			return -1
		}
		end = max(end, at)
	}
	return end
}
