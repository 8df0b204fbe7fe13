package main

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/chatprobe/chatprobe/scenarios"
)

// Times and limits of a watcher.
const (
	pollEvery = 200 * time.Millisecond
	// quietFor must pass without a change before something is played:
	// editors write several files, and compilers write one for a while.
	quietFor = 150 * time.Millisecond
	// quietGone is the same where a file has gone: it is about to come back.
	quietGone = time.Second
	// restlessFor is how long a change may go on until it is no longer waited
	// for its end.
	restlessFor = 10 * time.Second
	watchLimit  = 20000 // files
	// ownWrites is in how many runs one after another a file may change until
	// it is taken for one that the target writes.
	ownWrites = 3
)

// skippedFolders hold what is made from sources, or belongs to others. Hidden
// ones are skipped too. What is watched by name is watched all the same.
var skippedFolders = []string{"__pycache__", "node_modules", "target", "deps", "incremental", "venv"}

// skippedFiles are what editors, compilers and servers leave behind. Not .class:
// it is what Java runs.
var skippedFiles = []string{".pyc", ".pyo", ".o", ".obj", ".tmp", ".log", ".pid", ".pcap", "~", "#"}

// A watcher notices that files have changed, been replaced, come or gone. It
// asks the file system again and again, which works everywhere, on network
// folders and with every editor.
//
// It compares with what it saw last: what changes between two calls of wait is
// found by the second. It is not safe for concurrent use.
type watcher struct {
	roots   []string        // absolute
	ignored map[string]bool // absolute
	seen    map[string]fs.FileInfo
	streak  map[string]int // in how many runs in a row a file has changed
	limit   int
	gone    time.Duration // quiet after a file has gone
	// remark is told which file is no reason to return any more; may be nil.
	remark func(name string)
}

// newWatcher watches files, and folders with all that is in them, as they are
// now. It is an error if one of them is not there, if there is none, or if they
// hold too many files to look at each of them five times a second.
func newWatcher(paths []string) (*watcher, error) {
	if len(paths) == 0 {
		return nil, usage("there is nothing to watch: --watch needs a command after --, or a suite in a folder")
	}
	w := &watcher{ignored: map[string]bool{}, streak: map[string]int{}, limit: watchLimit, gone: quietGone}
	for _, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			return nil, cannot("watch %s: %w", p, err)
		}
		if _, err := os.Stat(abs); err != nil {
			return nil, cannot("watch: %w", err)
		}
		if !slices.Contains(w.roots, abs) {
			w.roots = append(w.roots, abs)
		}
	}
	var err error
	w.seen, err = w.scan()
	return w, err
}

// ignore leaves out files, and folders with all that is in them: what a run
// writes itself.
func (w *watcher) ignore(paths ...string) {
	for _, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			continue
		}
		w.ignored[abs] = true
		maps.DeleteFunc(w.seen, func(name string, _ fs.FileInfo) bool {
			return name == abs || strings.HasPrefix(name, abs+string(filepath.Separator))
		})
	}
}

// String names what is watched.
func (w *watcher) String() string { return strings.Join(shortNames(w.roots), ", ") }

// wait returns when something has changed since the last call, or since the
// watcher was made, and nothing has for a moment. The names that it returns are
// relative to the current folder, and sorted. A file that has changed between
// the calls three times in a row, and never while it was waited for, is written
// by what is played, and no reason to return. The error is that of ctx, or says
// that there are too many files.
func (w *watcher) wait(ctx context.Context) (changed []string, err error) {
	for isFirst := true; ; isFirst = false {
		began := time.Now()
		now, err := w.scan()
		if err != nil {
			return nil, err
		}
		names := differing(w.seen, now)
		w.count(names, isFirst)
		if slices.ContainsFunc(names, w.isWorthy) {
			if now, err = w.settle(ctx, now); err != nil {
				return nil, err
			}
			names = differing(w.seen, now)
			w.seen = now
			if names = slices.DeleteFunc(names, func(name string) bool { return !w.isWorthy(name) }); len(names) > 0 {
				return shortNames(names), nil
			}
		}
		w.seen = now
		// Many files take long to look at; that must not be all that is done.
		if err := pause(ctx, max(pollEvery, 10*time.Since(began))); err != nil {
			return nil, err
		}
	}
}

// count tells files that people write from those that the target writes: these
// change in each run, and never when there is none.
func (w *watcher) count(changed []string, inRun bool) {
	for _, name := range changed {
		if w.streak[name]++; !inRun {
			w.streak[name] = 0
		}
		if w.streak[name] == ownWrites && w.remark != nil {
			w.remark(shortNames([]string{name})[0])
		}
	}
	if inRun {
		maps.DeleteFunc(w.streak, func(name string, _ int) bool { return !slices.Contains(changed, name) })
	}
}

func (w *watcher) isWorthy(name string) bool { return w.streak[name] < ownWrites }

// settle waits until nothing changes any more, and returns what is there then.
func (w *watcher) settle(ctx context.Context, last map[string]fs.FileInfo) (map[string]fs.FileInfo, error) {
	began := time.Now()
	for quietSince := began; ; {
		if err := pause(ctx, quietFor/3); err != nil {
			return nil, err
		}
		now, err := w.scan()
		if err != nil {
			return nil, err
		}
		if len(differing(last, now)) > 0 {
			quietSince = time.Now()
		}
		last = now
		quiet := quietFor
		for name := range w.seen {
			if now[name] == nil {
				quiet = w.gone
			}
		}
		if time.Since(quietSince) >= quiet || time.Since(began) >= restlessFor {
			return now, nil
		}
	}
}

// scan looks at all files.
func (w *watcher) scan() (map[string]fs.FileInfo, error) {
	files := map[string]fs.FileInfo{}
	for _, root := range w.roots {
		// The root may be a link, and may be gone for the moment.
		info, err := os.Stat(root)
		switch {
		case err != nil:
			continue
		case !info.IsDir():
			files[root] = info
			continue
		}
		// A link to a folder is only followed where it has a slash behind it.
		err = filepath.WalkDir(root+string(filepath.Separator), func(name string, entry fs.DirEntry, err error) error {
			name = filepath.Clean(name)
			switch {
			case name == root:
				return nil
			case err != nil:
				return nil // it went while it was looked at, or may not be read
			case w.ignored[name] || isSkipped(entry):
				if entry.IsDir() {
					return filepath.SkipDir
				}
				return nil
			case entry.IsDir():
				return nil
			}
			info, err := os.Stat(name) // what a link leads to
			if err != nil || !info.Mode().IsRegular() {
				return nil
			}
			if files[name] = info; len(files) > w.limit {
				return cannot("watch %s: there are more than %d files in it; put the program into a folder of its own", root, w.limit)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

func isSkipped(entry fs.DirEntry) bool {
	name := entry.Name()
	if strings.HasPrefix(name, ".") {
		return true
	}
	if entry.IsDir() {
		return slices.Contains(skippedFolders, name)
	}
	return slices.ContainsFunc(skippedFiles, func(end string) bool { return strings.HasSuffix(name, end) })
}

// differing are the names of the files that are not the same in both, sorted.
func differing(before, now map[string]fs.FileInfo) []string {
	var names []string
	for name, info := range now {
		if old := before[name]; old == nil || !isSame(old, info) {
			names = append(names, name)
		}
	}
	for name := range before {
		if now[name] == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// isSame compares size and time, and whether it is still the same file: one
// that replaces it may be as long and as old. On Windows that would mean to open
// each file each time.
func isSame(a, b fs.FileInfo) bool {
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && a.Mode() == b.Mode() &&
		(runtime.GOOS == "windows" || os.SameFile(a, b))
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// shortNames are paths as one would type them here.
func shortNames(paths []string) []string {
	here, err := os.Getwd()
	if err != nil {
		return paths
	}
	names := slices.Clone(paths)
	for i, p := range paths {
		if rel, err := filepath.Rel(here, p); err == nil && (rel == "." || filepath.IsLocal(rel)) {
			names[i] = rel
		}
	}
	return names
}

// watchPaths is what a run depends on: the suites that are folders, and what
// the command names. A program that it names by its file is not alone in its
// folder, unless that is one where the system keeps programs. Where the command
// names nothing that is there, as in java Server {port}, it is about what is in
// the current folder.
func watchPaths(suites, command []string) []string {
	var paths []string
	for _, name := range suites {
		if !slices.Contains(scenarios.Names(), name) {
			paths = append(paths, name)
		}
	}
	found := false
	for _, arg := range command {
		for _, p := range pathsIn(arg) {
			paths, found = append(paths, p), true
		}
	}
	if !found && len(command) > 0 {
		paths = append(paths, ".")
	}
	return paths
}

// pathsIn are the folders and files that an argument names: -cp=bin, bin:lib
// and server.py.
func pathsIn(arg string) []string {
	var paths []string
	parts := filepath.SplitList(arg)
	if _, value, ok := strings.Cut(arg, "="); ok {
		parts = append(parts, filepath.SplitList(value)...)
	}
	for _, p := range append([]string{arg}, parts...) {
		info, err := os.Stat(p)
		if err != nil || !info.IsDir() && !info.Mode().IsRegular() {
			continue
		}
		if dir := filepath.Dir(p); !info.IsDir() && !keepsPrograms(dir) {
			p = dir
		}
		if !slices.Contains(paths, p) {
			paths = append(paths, p)
		}
	}
	return paths
}

// keepsPrograms says whether dir is one in which commands are looked for.
func keepsPrograms(dir string) bool {
	abs, err := filepath.Abs(dir)
	return err == nil && slices.Contains(filepath.SplitList(os.Getenv("PATH")), abs)
}
