// Package report renders what a run has found: a table for people, JSON that
// loses nothing, JUnit for machines. Each format is a function from a
// [transcript.Report] to text; none of them decides a verdict.
//
//	err := report.Table{Width: 80}.Write(os.Stdout, r)
//	err = report.WriteFile("report.xml", func(w io.Writer) error { return report.JUnit(w, r) })
//
// Everything in a transcript that comes from a target is printable text by
// then; the renderers take care all the same that no control character ever
// reaches a terminal.
package report

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/clipperhouse/displaywidth"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// WriteFile has render write a file. The file appears when it is complete, or
// not at all; an older one of that name stays until then. "-" and
// /dev/stdout are standard output.
func WriteFile(name string, render func(io.Writer) error) error {
	// Where standard output goes to a file, /dev/stdout looks like that file,
	// and replacing it would lose what is written to it before and after.
	if name == "-" || name == "/dev/stdout" {
		return render(os.Stdout)
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return writeTo(name, render)
	}
	// A link stays one: the file that it leads to is replaced.
	if real, err := filepath.EvalSymlinks(name); err == nil {
		name = real
	}
	if _, err := os.Stat(filepath.Dir(name)); err != nil {
		return fmt.Errorf("write report %s: there is no folder %s", name, filepath.Dir(name))
	}
	// Not os.CreateTemp, whose files are for their owner alone: here the umask
	// decides, and reports are often collected by somebody else.
	temporary := filepath.Join(filepath.Dir(name), fmt.Sprintf(".%s.%016x", filepath.Base(name), rand.Uint64()))
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // nothing is left of it after the rename
	if err := finish(f, render); err != nil {
		return fmt.Errorf("write report %s: %w", name, err)
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// writeTo writes to something that is no file, such as /dev/stdout.
func writeTo(name string, render func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if err := finish(f, render); err != nil {
		return fmt.Errorf("write report %s: %w", name, err)
	}
	return nil
}

func finish(f *os.File, render func(io.Writer) error) error {
	b := bufio.NewWriter(f)
	err := render(b)
	if flushErr := b.Flush(); err == nil {
		err = flushErr
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// clean makes text harmless once more; newlines become blanks.
func clean(s string) string {
	if isPlain(s) {
		return s
	}
	return transcript.Printable([]byte(strings.ReplaceAll(s, "\n", " ")))
}

// isPlain says that s is printable ASCII, as most text is: then there is
// nothing to be done about it, and each byte is a column.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func width(s string) int {
	if isPlain(s) {
		return len(s)
	}
	return displaywidth.String(s)
}

// wrap breaks text into lines of at most limit columns, at blanks, and after
// hyphens in what is longer than a line; a word that has none is broken where
// the line ends.
func wrap(text string, limit int) []string {
	limit = max(limit, 4)
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		for width(word) > limit {
			head, tail := breakWord(word, limit, line)
			if head != "" {
				line = join(line, head)
			}
			lines = append(lines, line)
			line, word = "", tail
		}
		if line != "" && width(line)+1+width(word) > limit {
			lines = append(lines, line)
			line = ""
		}
		line = join(line, word)
	}
	if line != "" || len(lines) == 0 {
		lines = append(lines, line)
	}
	return lines
}

func join(line, word string) string {
	if line == "" {
		return word
	}
	return line + " " + word
}

// breakWord takes from a long word what still fits behind line.
func breakWord(word string, limit int, line string) (head, tail string) {
	room := limit
	if line != "" {
		room = limit - width(line) - 1
	}
	if room < 4 {
		return "", word
	}
	used, hyphen, end := 0, 0, 0
	for i, r := range word {
		used += displaywidth.Rune(r)
		if used > room {
			break
		}
		end = i + len(string(r))
		if strings.ContainsRune("-/[,", r) {
			hyphen = end
		}
	}
	if hyphen > end/3 {
		end = hyphen
	}
	return word[:end], word[end:]
}
