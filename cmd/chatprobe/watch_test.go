package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// A desk is a folder of files that somebody works on.
type desk struct {
	*testing.T
	dir string
}

// file is where a file of the desk is.
func (d desk) file(name string) string { return filepath.Join(d.dir, filepath.FromSlash(name)) }

func (d desk) check(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

// write makes a file, and the folders that it is in.
func (d desk) write(name, text string) {
	d.Helper()
	d.check(os.MkdirAll(filepath.Dir(d.file(name)), 0o777))
	d.check(os.WriteFile(d.file(name), []byte(text), 0o666))
}

func (d desk) move(from, to string) {
	d.Helper()
	d.check(os.Rename(d.file(from), d.file(to)))
}

func (d desk) remove(name string) {
	d.Helper()
	d.check(os.RemoveAll(d.file(name)))
}

func (d desk) watch(name string) *watcher {
	d.Helper()
	w, err := newWatcher([]string{d.file(name)})
	d.check(err)
	return w
}

// wait is that of w, with the names as they are on the desk.
func (d desk) wait(ctx context.Context, w *watcher) ([]string, error) {
	changed, err := w.wait(ctx)
	for i, name := range changed {
		changed[i] = filepath.ToSlash(strings.TrimPrefix(name, d.dir+string(filepath.Separator)))
	}
	return changed, err
}

// sees fails the test unless wait returns these names.
func (d desk) sees(w *watcher, want ...string) {
	d.Helper()
	ctx, cancel := context.WithTimeout(d.Context(), within)
	defer cancel()
	changed, err := d.wait(ctx, w)
	if err != nil || !slices.Equal(changed, want) {
		d.Fatalf("changed: %q, error %v; want %q", changed, err, want)
	}
}

// seesNothing fails the test if wait returns.
func (d desk) seesNothing(w *watcher) {
	d.Helper()
	ctx, cancel := context.WithTimeout(d.Context(), 3*quietFor)
	defer cancel()
	if changed, err := d.wait(ctx, w); !errors.Is(err, context.DeadlineExceeded) {
		d.Fatalf("changed: %q, error %v; want nothing", changed, err)
	}
}

// newDesk has three files to watch, and some that are not watched.
func newDesk(t *testing.T) desk {
	t.Helper()
	t.Parallel() // what these tests do is to wait
	d := desk{t, t.TempDir()}
	for _, name := range []string{"server.py", "lib/room.py", "lib/Room.class", ".git/index", "__pycache__/room.pyc",
		"node_modules/a/index.js", "target/debug/server", ".server.py.swp", "room.pyc", "server.log", "server.py~"} {
		d.write(name, "one")
	}
	return d
}

func TestWatcherNoticesEveryWayToChangeAFile(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(d desk)
		want   []string // nil: it is none of its business
	}{
		{"other text", func(d desk) { d.write("server.py", "other text") }, []string{"server.py"}},
		{"text as long", func(d desk) { d.write("server.py", "two") }, []string{"server.py"}},
		{"in a folder", func(d desk) { d.write("lib/room.py", "two") }, []string{"lib/room.py"}},
		{"two files", func(d desk) {
			d.write("server.py", "three")
			d.write("lib/room.py", "three")
		}, []string{"lib/room.py", "server.py"}},
		{"what Java runs", func(d desk) { d.write("lib/Room.class", "two") }, []string{"lib/Room.class"}},
		{"a new file", func(d desk) { d.write("new.py", "one") }, []string{"new.py"}},
		{"a new folder", func(d desk) { d.write("more/new.py", "one") }, []string{"more/new.py"}},
		{"replaced", func(d desk) {
			d.write("server.tmp", "two")
			d.move("server.tmp", "server.py")
		}, []string{"server.py"}},
		{"kept as a backup and written anew", func(d desk) {
			d.move("server.py", "server.py~")
			d.write("server.py", "two")
		}, []string{"server.py"}},
		{"gone and back", func(d desk) {
			d.remove("server.py")
			d.write("server.py", "one")
		}, []string{"server.py"}},
		{"gone", func(d desk) { d.remove("lib/room.py") }, []string{"lib/room.py"}},
		{"a folder gone", func(d desk) { d.remove("lib") }, []string{"lib/Room.class", "lib/room.py"}},
		{"renamed", func(d desk) { d.move("server.py", "main.py") }, []string{"main.py", "server.py"}},
		{"only its time", func(d desk) {
			d.check(os.Chtimes(d.file("server.py"), time.Time{}, time.Unix(1e9, 0)))
		}, []string{"server.py"}},
		{"what no program needs", func(d desk) {
			for _, name := range []string{".git/index", "__pycache__/room.pyc", "node_modules/a/index.js", "target/debug/server",
				".server.py.swp", "room.pyc", "server.log", "server.py~", "#server.py#", ".git/new"} {
				d.write(name, "other text")
			}
		}, nil},
		{"nothing", func(desk) {}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDesk(t)
			w := d.watch(".")
			test.change(d)
			if test.want == nil {
				d.seesNothing(w)
				return
			}
			d.sees(w, test.want...)
		})
	}
}

func TestWatcherReportsAChangeOnce(t *testing.T) {
	d := newDesk(t)
	w := d.watch(".")
	d.write("server.py", "two")
	d.sees(w, "server.py")
	d.seesNothing(w)
}

func TestWatcherNoticesAReplacementThatIsAsLongAndAsOld(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("it does not look so closely there")
	}
	d := newDesk(t)
	w := d.watch(".")
	info, err := os.Stat(d.file("server.py"))
	d.check(err)
	d.write("server.tmp", "two")
	d.check(os.Chtimes(d.file("server.tmp"), info.ModTime(), info.ModTime()))
	d.move("server.tmp", "server.py")
	d.sees(w, "server.py")
}

func TestWatcherNoticesWhatALinkLeadsTo(t *testing.T) {
	d := newDesk(t)
	d.check(os.Mkdir(d.file("here"), 0o777))
	if err := errors.Join(os.Symlink(d.file("server.py"), d.file("here/server.py")), os.Symlink(d.file("here"), d.file("link")),
		os.Symlink(d.file("nowhere"), d.file("here/dangling"))); err != nil {
		t.Skipf("no links here: %v", err)
	}
	w := d.watch("link")
	d.seesNothing(w)
	d.write("server.py", "two and more")
	d.sees(w, "link/server.py")
}

func TestWatcherWaitsUntilAllIsWritten(t *testing.T) {
	d := newDesk(t)
	w := d.watch(".")
	const files = 5
	go func() {
		for i := range files {
			_ = os.WriteFile(d.file(fmt.Sprintf("new%d.py", i)), nil, 0o666)
			time.Sleep(quietFor / 3)
		}
	}()
	var all []string
	for len(all) < files {
		changed, err := d.wait(t.Context(), w)
		d.check(err)
		all = append(all, changed...)
	}
	slices.Sort(all)
	if want := []string{"new0.py", "new1.py", "new2.py", "new3.py", "new4.py"}; !slices.Equal(all, want) {
		t.Errorf("changed: %q", all)
	}
}

// A compiler deletes what it is about to write.
func TestWatcherWaitsForAFileThatIsAboutToComeBack(t *testing.T) {
	d := newDesk(t)
	w := d.watch(".")
	w.gone = within
	d.remove("server.py")
	isBack := make(chan struct{})
	go func() {
		time.Sleep(2 * quietFor)
		close(isBack)
		_ = os.WriteFile(d.file("server.py"), []byte("two"), 0o666)
	}()
	d.sees(w, "server.py")
	select {
	case <-isBack:
	default:
		t.Error("it did not wait")
	}
}

func TestWatcherIgnores(t *testing.T) {
	d := newDesk(t)
	w := d.watch(".")
	d.write("result.json", "one")
	d.write("record/one.txt", "one")
	w.ignore(d.file("result.json"), d.file("record"), d.file("none.xml"))
	d.seesNothing(w)
	for _, name := range []string{"result.json", "record/one.txt", "record/two.txt", "none.xml"} {
		d.write(name, "other text")
	}
	d.seesNothing(w)
	d.write("result.json.py", "one")
	d.sees(w, "result.json.py")
}

func TestWatcherOfAFileLooksAtNothingElse(t *testing.T) {
	d := newDesk(t)
	w := d.watch("server.log")
	d.write("server.py", "two")
	d.seesNothing(w)
	d.write("server.log", "one more")
	d.sees(w, "server.log")
}

// Else a server that keeps a file would be played for ever.
func TestWatcherKnowsAFileThatIsWrittenInEachRun(t *testing.T) {
	d := newDesk(t)
	w := d.watch(".")
	var remarks []string
	w.remark = func(name string) { remarks = append(remarks, name) }
	for i := range ownWrites - 1 {
		d.write("users.db", strings.Repeat("user ", i+1))
		d.sees(w, "users.db")
	}
	d.write("users.db", "")
	d.seesNothing(w)
	if want := shortNames([]string{d.file("users.db")}); !slices.Equal(remarks, want) {
		t.Errorf("remarks about %q", remarks)
	}
	d.write("users.db", "one")
	d.write("server.py", "other text")
	d.sees(w, "server.py")
	// While it is waited for, it is somebody else who writes it. The first look
	// of wait does not know that; a later one does.
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	changed := make(chan []string)
	go func() {
		names, _ := d.wait(ctx, w)
		changed <- names
	}()
	for i := 0; ; i++ {
		d.write("users.db", fmt.Sprint("by hand", i))
		select {
		case got := <-changed:
			if !slices.Equal(got, []string{"users.db"}) {
				t.Errorf("changed: %q", got)
			}
			return
		case <-time.After(2 * pollEvery):
		}
	}
}

func TestNewWatcherRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, test := range []struct {
		name  string
		paths []string
		code  int
		want  string
	}{
		{"nothing", nil, exitUsage, "there is nothing to watch"},
		{"what is not there", []string{"nowhere"}, exitCannot, "nowhere"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := newWatcher(test.paths)
			exit, ok := errors.AsType[*exitError](err)
			if !ok || exit.code != test.code || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestWatcherHasALimit(t *testing.T) {
	d := newDesk(t)
	w := d.watch(".")
	w.limit = len(w.seen)
	d.seesNothing(w)
	d.write("new.py", "")
	_, err := w.wait(t.Context())
	if err == nil || !strings.Contains(err.Error(), "more than 3 files") {
		t.Errorf("error %v", err)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	d := newDesk(t)
	w := d.watch(".")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestWatchPaths(t *testing.T) {
	d := desk{t, t.TempDir()}
	t.Chdir(d.dir)
	for _, name := range []string{"server.py", "my server", "bin/Server.class", "lib/x.jar", "tools/python", "suite/protocol.yaml"} {
		d.write(name, "")
	}
	t.Setenv("PATH", filepath.Join(d.dir, "tools"))
	list := string(filepath.ListSeparator)
	for _, test := range []struct {
		name            string
		suites, command []string
		want            []string
	}{
		{"nothing", nil, nil, nil},
		{"a built-in suite", []string{"framed"}, nil, nil},
		{"a suite", []string{"./suite"}, nil, []string{"./suite"}},
		{"a script", []string{"framed"}, []string{"python3", "server.py", "{port}"}, []string{"."}},
		{"a program", nil, []string{"./my server", "{port}"}, []string{"."}},
		{"a folder", nil, []string{"java", "-cp", "bin", "Server", "{port}"}, []string{"bin"}},
		{"a folder in a flag", nil, []string{"java", "-cp=bin", "Server"}, []string{"bin"}},
		{"a list of folders and files", nil, []string{"java", "-cp", "bin" + list + "lib/x.jar" + list + "none", "Server"}, []string{"bin", "lib"}},
		{"the folder here", nil, []string{"go", "run", ".", "{port}"}, []string{"."}},
		{"nothing that is there", nil, []string{"java", "Server", "{port}"}, []string{"."}},
		{"a program of the system", nil, []string{"tools/python", "bin/Server.class"}, []string{"tools/python", "bin"}},
		{"a suite and a script", []string{"suite"}, []string{"python3", "server.py"}, []string{"suite", "."}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := watchPaths(test.suites, test.command); !slices.Equal(got, test.want) {
				t.Errorf("watches %q, want %q", got, test.want)
			}
		})
	}
}
