package record

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A Dir is a folder with the recordings of a run: for each play a capture and,
// beside it, a text.
//
//	framed/two-clients-chat.pcap
//	framed/two-clients-chat.txt
//	framed/two-clients-chat.slow.pcap
//
// What is played again gets a number, as in framed/first-contact-2.pcap. A Dir
// is safe for concurrent use.
type Dir struct {
	path string

	mu    sync.Mutex
	err   error
	taken map[string]bool // paths that were written, or are being written
}

// A Play says what was played.
type Play struct {
	Suite    string
	Scenario string // with the values of its parameters, as in long-text[size=10]
	Slow     bool   // it was played once more, slowly
}

// Create makes the folder, unless it is there. What else is in it stays.
func Create(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, fmt.Errorf("make folder for recordings: %w", err)
	}
	// Better now than when all has been played.
	f, err := os.CreateTemp(path, ".new-*")
	if err != nil {
		return nil, fmt.Errorf("use folder for recordings: %w", err)
	}
	_ = f.Close()
	_ = os.Remove(f.Name())
	return &Dir{path: path, taken: map[string]bool{}}, nil
}

// Write writes the capture of a play and its text, unless text is nil. Files of
// an earlier run are replaced, each as a whole; where the play is not slow, those
// of a slow one are removed too, because they do not belong to this run. Files
// that this Dir has written stay: what is played again gets a number.
func (d *Dir) Write(p Play, log *Log, text func(io.Writer) error) error {
	err := d.write(p, log, text)
	if err != nil {
		err = fmt.Errorf("write recording of %s/%s: %w", p.Suite, p.Scenario, err)
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.err == nil {
			d.err = err
		}
	}
	return err
}

// Err is the first error of all calls of Write.
func (d *Dir) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

func (d *Dir) write(p Play, log *Log, text func(io.Writer) error) error {
	path, old := d.take(p)
	err := writeTo(filepath.Join(d.path, filepath.FromSlash(path)), old, log, text)
	if err != nil {
		d.mu.Lock()
		delete(d.taken, path)
		d.mu.Unlock()
	}
	return err
}

func writeTo(stem string, old []string, log *Log, text func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(stem), 0o777); err != nil {
		return err
	}
	for _, ending := range old {
		if err := os.Remove(stem + ending); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if err := replace(stem+".pcap", log.WriteCapture); err != nil || text == nil {
		return err
	}
	return replace(stem+".txt", text)
}

// take finds a path for p that nobody else has, and says with which endings
// there may be files that belong to an earlier run.
func (d *Dir) take(p Play) (path string, old []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	nth := 1
	for d.taken[p.path(nth)] {
		nth++
	}
	path = p.path(nth)
	d.taken[path] = true
	old = []string{".txt"}
	if !p.Slow && !d.taken[path+slow] {
		old = append(old, slow+".pcap", slow+".txt")
	}
	return path, old
}

// replace writes a file, which is there when all of it is.
func replace(name string, render func(io.Writer) error) error {
	// Not os.CreateTemp, whose files are for their owner alone.
	temporary := filepath.Join(filepath.Dir(name), fmt.Sprintf(".new-%016x", rand.Uint64()))
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	err = errors.Join(render(f), f.Close())
	if err == nil {
		err = os.Rename(temporary, name)
	}
	if err != nil {
		_ = os.Remove(temporary)
	}
	return err
}

// Path is where in a [Dir] the files of p are, with slashes and without the
// ending, as in framed/two-clients-chat. Parameters follow a comma:
// framed/long-text,size=10. Names differ also where a file system does not tell
// small letters from capitals.
func (p Play) Path() string { return p.path(1) }

// path is Path for what is played for the nth time.
func (p Play) path(nth int) string {
	path := fileName(p.Suite) + "/" + fileName(p.Scenario)
	if nth > 1 {
		path += "-" + strconv.Itoa(nth)
	}
	if p.Slow {
		path += slow
	}
	return path
}

// slow ends the names of slow plays. No other name has a dot.
const slow = ".slow"

// plainName is a name that all file systems take, apart from its brackets.
var plainName = regexp.MustCompile(`^[a-z0-9_][a-z0-9_-]*(\[[a-z0-9_-]+=[a-z0-9_=-]*\])*$`)

// longestName leaves room for endings; file systems take 255 bytes, some
// programs fewer.
const longestName = 100

// fileName makes a name one that all file systems take. A name that has to be
// changed gets a part that depends on all of it, so that different ones differ.
func fileName(name string) string {
	plain := strings.NewReplacer("[", ",", "]", "").Replace(name)
	if plainName.MatchString(name) && len(plain) <= longestName && !isDevice(plain) {
		return plain
	}
	safe := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', strings.ContainsRune("_-=,", r):
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '_'
	}, plain)
	safe = strings.TrimLeft(safe[:min(len(safe), longestName)], "-")
	sum := sha256.Sum256([]byte(name))
	return fmt.Sprintf("%s-%x", safe, sum[:4])
}

// isDevice says that Windows takes the name, with any ending, for a device.
func isDevice(name string) bool {
	if slices.Contains([]string{"con", "prn", "aux", "nul"}, name) {
		return true
	}
	port, number := name[:min(3, len(name))], name[min(3, len(name)):]
	return (port == "com" || port == "lpt") && len(number) == 1 && number[0] >= '0' && number[0] <= '9'
}
