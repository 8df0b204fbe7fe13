// Package docs_test holds the pages to what the program really does. The
// pages are the README, CONTRIBUTING, CHANGELOG and everything in docs.
//
// A block that begins with ```console is played. Each line "$ command" is
// given to sh, in a folder of the page's own where the programs are found, and
// what follows up to the next one is what it must print:
//
//   - Words are compared, not blanks and line ends.
//   - A line "..." stands for anything, also for nothing.
//   - Times (2.1s, 0.3 ms), ports (port 4445, 127.0.0.1:4445) and seeds (--seed 5) may
//     differ.
//   - A command must succeed, unless the next one is "$ echo $?".
//   - A command that ends with & goes on until the end of the page.
//   - go run ./cmd/chatprobe is the program that was built for the test, port
//     4445 is one that is free, and run waits one second and not two for what
//     never comes (except under -update).
//
// A block that begins with ```yaml is loaded:
//
//   - whose first line is # folder/file.yaml: it is written to that file (or
//     added to it: # folder/file.yaml, continued), and then the whole folder
//     is loaded, if it has a protocol file. What is in a folder called wrong
//     must not load;
//   - otherwise it is a part of a file: keys of a protocol file, scenarios, or
//     steps. What it lacks is taken from testdata/rest.
//
// Blocks in other languages are only looked at. To write what the program
// prints now into the pages, and then to read the difference:
//
//	go test ./docs -update
package docs_test

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write what the commands print into the pages")

// programs is the folder with chatprobe, refserver, refclient and python3;
// pythonErr says why the last one is missing.
var (
	programs  string
	pythonErr error
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(withPrograms(m.Run))
}

func withPrograms(run func() int) int {
	dir, err := os.MkdirTemp("", "docs")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "../cmd/...")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		panic(err)
	}
	programs = dir
	// What is called python3 may be a script that chooses one, and takes its
	// time. The interpreter itself stands beside the programs.
	if python, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output(); err == nil {
		pythonErr = os.Symlink(strings.TrimSpace(string(python)), filepath.Join(dir, "python3"))
	} else {
		pythonErr = err
	}
	return run()
}

// A page is a Markdown file, by lines.
type page struct {
	name  string // as the reader sees it, from the root: docs/framed.md
	lines []string
}

// A block is what stands between two lines of three backquotes.
type block struct {
	page     *page
	language string
	from, to int // the lines between them
}

func (b block) lines() []string { return b.page.lines[b.from:b.to] }
func (b block) text() string    { return strings.Join(b.lines(), "\n") + "\n" }

// pages are all pages. It fails where there is none.
func pages(t *testing.T) []*page {
	t.Helper()
	var list []*page
	for _, pattern := range []string{"../*.md", "*.md"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("no page is called %s (%v): there is nothing to test", pattern, err)
		}
		for _, name := range names {
			list = append(list, readPage(t, name))
		}
	}
	return list
}

func readPage(t *testing.T, file string) *page {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return &page{name: filepath.ToSlash(filepath.Join("docs", file)), lines: strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")}
}

// write puts the page back where it was read.
func (p *page) write(t *testing.T) {
	t.Helper()
	file := filepath.Join("..", filepath.FromSlash(p.name))
	data := []byte(strings.Join(p.lines, "\n") + "\n")
	old, err := os.ReadFile(file)
	if err == nil && !bytes.Equal(old, data) {
		err = os.WriteFile(file, data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (p *page) blocks(t *testing.T) []block {
	t.Helper()
	var list []block
	open := -1
	for i, line := range p.lines {
		switch fence := strings.HasPrefix(line, "```"); {
		case !fence && strings.HasPrefix(strings.TrimSpace(line), "```"):
			t.Errorf("%s:%d: a block must begin in the first column to be tested", p.name, i+1)
		case fence && open < 0:
			open = i
		case fence:
			list = append(list, block{p, strings.TrimPrefix(p.lines[open], "```"), open + 1, i})
			open = -1
		}
	}
	if open >= 0 {
		t.Errorf("%s:%d: this block has no end", p.name, open+1)
	}
	return list
}

// The languages of blocks: what can go wrong in any other would go unseen.
var languages = []string{"console", "yaml", "sh", "text"}

func TestPagesFit(t *testing.T) {
	const columns = 100
	for _, p := range pages(t) {
		for _, b := range p.blocks(t) {
			if !strings.Contains(" "+strings.Join(languages, " ")+" ", " "+b.language+" ") {
				t.Errorf("%s:%d: %q is none of %s", p.name, b.from, b.language, languages)
			}
			for i, line := range b.lines() {
				if utf8.RuneCountInString(line) > columns {
					t.Errorf("%s:%d: more than %d columns", p.name, b.from+i+1, columns)
				}
				if strings.ContainsRune(line, '\t') {
					t.Errorf("%s:%d: a tab, whose width nobody knows", p.name, b.from+i+1)
				}
			}
		}
	}
}

var (
	linkSyntax    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headingSyntax = regexp.MustCompile(`^#+ +(.*)$`)
	notInAnchor   = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

func TestLinksLead(t *testing.T) {
	found := 0
	for _, p := range pages(t) {
		for i, line := range p.prose(t) {
			for _, m := range linkSyntax.FindAllStringSubmatch(line, -1) {
				target, anchor, _ := strings.Cut(m[1], "#")
				if strings.Contains(target, "://") {
					continue
				}
				found++
				file := filepath.Join("..", filepath.Dir(p.name), target)
				if target == "" {
					file = filepath.Join("..", p.name)
				}
				if _, err := os.Stat(file); err != nil {
					t.Errorf("%s:%d: %s leads nowhere: %v", p.name, i+1, m[1], err)
					continue
				}
				if anchor != "" && !readPage(t, file).hasAnchor(t, anchor) {
					t.Errorf("%s:%d: %s has no heading for #%s", p.name, i+1, file, anchor)
				}
			}
		}
	}
	if found == 0 {
		t.Error("no link was found on any page")
	}
}

// prose is the lines of a page with those of blocks left empty.
func (p *page) prose(t *testing.T) []string {
	t.Helper()
	lines := append([]string(nil), p.lines...)
	for _, b := range p.blocks(t) {
		for i := b.from; i < b.to; i++ {
			lines[i] = ""
		}
	}
	return lines
}

func (p *page) hasAnchor(t *testing.T, anchor string) bool {
	t.Helper()
	for _, line := range p.prose(t) {
		if m := headingSyntax.FindStringSubmatch(line); m != nil {
			slug := notInAnchor.ReplaceAllString(strings.ToLower(m[1]), "")
			if strings.ReplaceAll(slug, " ", "-") == anchor {
				return true
			}
		}
	}
	return false
}

// Words that only mean something on the machine of a developer.
var private = regexp.MustCompile(`/work/|/root/|/home/|/tmp/`)

func TestPagesAreForReaders(t *testing.T) {
	for _, p := range pages(t) {
		for i, line := range p.lines {
			if m := private.FindString(line); m != "" {
				t.Errorf("%s:%d: %s is a place that readers do not have", p.name, i+1, m)
			}
		}
	}
}
