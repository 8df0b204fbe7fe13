package target

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// copied returns the command that runs a script of testdata in a copy of the folder it lies in, which is returned, and
// in which there are a few other things. The test looks at its end that no copy is left.
func copied(t *testing.T, name string) (c Command, dir string) {
	t.Helper()
	c = script(t, name)
	b, err := os.ReadFile(c.Args[1])
	if err != nil {
		t.Fatal(err)
	}
	top := t.TempDir()
	dir = filepath.Join(top, "my first server")
	write(t, filepath.Join(dir, "a server.py"), string(b), 0o644)
	write(t, filepath.Join(dir, "words and more", "some words"), "hello", 0o600)
	c.Args[1], c.Dir, c.Copy = "a server.py", dir, true
	temp := filepath.Join(top, "copies")
	if err := os.Mkdir(temp, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, temp)
	}
	t.Cleanup(func() {
		if left, err := os.ReadDir(temp); len(left) > 0 || err != nil {
			t.Errorf("%v left behind, %v", left, err)
		}
	})
	return c, dir
}

func write(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// folder returns where a program runs, which it has printed.
func folder(t *testing.T, p *Process) string {
	t.Helper()
	eventually(t, "it has said where it runs", func() bool { return strings.HasSuffix(p.Output().Text(), "\n") })
	name, _ := strings.CutPrefix(strings.TrimSpace(p.Output().Text()), "runs in ")
	return name
}

// Files that one instance writes are not there for the next, nor in the folder itself.
func TestCopyIsFresh(t *testing.T) {
	c, dir := copied(t, "writes.py")
	clean(t)
	var running [3]*Process
	var wg sync.WaitGroup
	f := NewFleet(c)
	for i := range running {
		wg.Go(func() {
			p, err := f.Start(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			running[i] = p
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, p := range running {
		if p == nil {
			continue
		}
		where := folder(t, p)
		seen[where] = true
		if b, err := os.ReadFile(filepath.Join(where, "words and more", "some words")); string(b) != "hello" {
			t.Errorf("the copy has %q, %v", b, err)
		}
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(where); err == nil {
			t.Errorf("%s is still there after Stop", where)
		}
	}
	if len(seen) != len(running) {
		t.Errorf("%d instances in %v", len(running), seen)
	}
	if in, _ := os.ReadDir(dir); len(in) != 2 {
		t.Errorf("in the folder that was copied there is %v", in)
	}
}

// Without a copy, the second instance meets what the first has left: what Copy is for.
func TestNoCopyIsNotFresh(t *testing.T) {
	c, _ := copied(t, "writes.py")
	c.Copy = false
	start(t, c).Stop()
	if err := fails(t, c); !strings.Contains(err.Error(), "somebody has left a lock here") {
		t.Errorf("error %v", err)
	}
}

// The current directory is copied where none is named, and a link is followed where it is one.
func TestCopyOf(t *testing.T) {
	c, dir := copied(t, "writes.py")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Skip(err)
	}
	for name, of := range map[string]string{"current": "", "relative": ".", "link": link} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(dir)
			c := c
			c.Dir = of
			folder(t, start(t, c))
		})
	}
}

// A program may be executable by itself, and lie in the folder.
func TestCopyOfExecutable(t *testing.T) {
	c, dir := copied(t, "writes.py")
	b, err := os.ReadFile(filepath.Join(dir, "a server.py"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "run me"), "#!"+c.Args[0]+"\n"+string(b), 0o755)
	c.Args = []string{"./run me", "{port}"}
	folder(t, start(t, c))
}

func TestCopyFolder(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links and modes are others there")
	}
	top := t.TempDir()
	dir := filepath.Join(top, "from")
	write(t, filepath.Join(dir, "a b", "c d"), "text", 0o640)
	write(t, filepath.Join(dir, "run"), "#!/bin/sh\n", 0o755)
	write(t, filepath.Join(dir, "only read"), "x", 0o400)
	write(t, filepath.Join(dir, ".hidden"), "", 0o666)
	write(t, filepath.Join(top, "beside"), "outside", 0o644)
	if err := os.Chmod(filepath.Join(dir, ".hidden"), 0o666); err != nil { // whatever the umask
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := os.Chtimes(filepath.Join(dir, "run"), old, old); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	links := map[string]string{
		"inside": "a b/c d", "a b/up": "../run", "nowhere": "no such file", "loop": ".", "out": "../beside", "a b/out": "../../beside",
		"absolute": filepath.Join(top, "beside"),
	}
	for name, to := range links {
		if err := os.Symlink(to, filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	makeFIFO(t, filepath.Join(dir, "fifo"))

	to := filepath.Join(dir, "copy") // inside of it
	if err := os.Mkdir(to, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := copyFolder(dir, to); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	err = filepath.Walk(to, func(path string, info os.FileInfo, err error) error {
		if err != nil || path == to {
			return err
		}
		name, _ := filepath.Rel(to, path)
		link, _ := os.Readlink(path)
		if link != "" {
			fmt.Fprintf(&got, "%s -> %s\n", name, strings.ReplaceAll(link, top, "TOP"))
			return nil
		}
		fmt.Fprintf(&got, "%s %v\n", name, info.Mode())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = `.hidden -rw-rw-rw-
a b drwxr-xr-x
a b/c d -rw-r-----
a b/out -> TOP/beside
a b/up -> ../run
absolute -> TOP/beside
empty drwxr-xr-x
inside -> a b/c d
loop -> .
nowhere -> no such file
only read -r--------
out -> TOP/beside
run -rwxr-xr-x
`
	if got.String() != want {
		t.Errorf("the copy is\n%swant\n%s", got.String(), want)
	}
	for name, text := range map[string]string{"a b/c d": "text", "inside": "text", "out": "outside", "a b/out": "outside"} {
		if b, err := os.ReadFile(filepath.Join(to, filepath.FromSlash(name))); string(b) != text {
			t.Errorf("%s holds %q, %v", name, b, err)
		}
	}
	if info, err := os.Stat(filepath.Join(to, "run")); err != nil || !info.ModTime().Equal(old) {
		t.Errorf("its time is not kept: %v", err)
	}
}

// What is too large is not copied, and that is the user's command.
func TestCopyTooMuch(t *testing.T) {
	c, dir := copied(t, "writes.py")
	large := filepath.Join(dir, "large")
	write(t, large, "", 0o644)
	if err := os.Truncate(large, copyBytes+1); err != nil { // which takes no room on most disks
		t.Skip(err)
	}
	copyFails(t, c, "there is more than 256 MiB in it, too much to be copied for each start")
	if err := os.Remove(large); err != nil {
		t.Fatal(err)
	}
	if testing.Short() {
		t.Skip("20,000 files take a while")
	}
	many := filepath.Join(dir, "many")
	if err := os.Mkdir(many, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range copyFiles {
		if err := os.Mkdir(filepath.Join(many, fmt.Sprint(i)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	copyFails(t, c, "there are more than 20000 files in it, too many to be copied for each start")
}

func copyFails(t *testing.T, c Command, want string) {
	t.Helper()
	err := fails(t, c)
	if _, ok := errors.AsType[*StartError](err); !ok || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), c.Dir) {
		t.Errorf("error %v\nwant  %s", err, want)
	}
}

// Whatever goes wrong, no copy is left; copied looks for one.
func TestCopyRemovedAfterFailure(t *testing.T) {
	for name, change := range map[string]func(c *Command){
		"no such folder":  func(c *Command) { c.Dir = filepath.Join(c.Dir, "no such") },
		"a file":          func(c *Command) { c.Dir = filepath.Join(c.Dir, "a server.py") },
		"no such program": func(c *Command) { c.Args = []string{"./no such program"} },
		"ends":            func(c *Command) { c.Args = []string{c.Args[0], "-c", "open('x', 'w'); raise SystemExit(1)"} },
		"never listens": func(c *Command) {
			c.Args, c.ReadyWithin = []string{c.Args[0], "-c", "import time; open('x', 'w'); time.sleep(60)"}, 50*time.Millisecond
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := copied(t, "writes.py")
			change(&c)
			err := fails(t, c)
			if _, ok := errors.AsType[*StartError](err); ok == (name == "ends" || name == "never listens") {
				t.Errorf("error %v", err)
			}
			if (name == "no such folder" || name == "a file") && !strings.Contains(err.Error(), "there is no directory ") {
				t.Errorf("error %v", err)
			}
		})
	}
}

// Folders that the program has made so that nobody can write to them are removed too.
func TestCopyUnwritable(t *testing.T) {
	c, _ := copied(t, "writes.py")
	p := start(t, c)
	where := filepath.Join(folder(t, p), "made")
	if err := os.Chmod(where, 0o500); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
}
