package sockets

import (
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A shell starts three children and goes on: one plain; one that has its parent die; and one of which the parent dies
// too, in a session of its own, so that nothing binds it to the shell any more.
func TestTree(t *testing.T) {
	script := `sleep 60 & (sleep 60 &) ; if command -v setsid >/dev/null; then (setsid sleep 60 &); fi; echo started; wait`
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	sh, err := os.StartProcess("/bin/sh", []string{"sh", "-c", script}, &os.ProcAttr{
		Files: []*os.File{nil, in, in},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	in.Close()
	if err != nil {
		t.Skipf("SKIPPED: no /bin/sh: %v", err)
	}
	defer func() {
		sh.Kill()
		sh.Wait()
	}()

	if _, err := io.ReadFull(out, make([]byte, len("started\n"))); err != nil {
		t.Fatal(err)
	}

	name := func(pid int) string {
		b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
		return strings.TrimSpace(string(b))
	}
	var tree []int
	for start := time.Now(); time.Since(start) < time.Minute; time.Sleep(2 * time.Millisecond) {
		tree = Tree(sh.Pid)
		sleeping := slices.DeleteFunc(slices.Clone(tree), func(pid int) bool { return name(pid) != "sleep" })
		if len(tree) == 3 && len(sleeping) == 2 {
			break
		}
	}
	if len(tree) != 3 || tree[0] != sh.Pid || slices.Contains(tree, os.Getpid()) {
		t.Fatalf("tree of %d: %v; want itself and two that sleep", sh.Pid, tree)
	}
	if !slices.Contains(Children(os.Getpid()), sh.Pid) {
		t.Errorf("children of the test: %v; want %d among them", Children(os.Getpid()), sh.Pid)
	}
	if children := Children(sh.Pid); len(children) != 1 || !slices.Contains(tree, children[0]) {
		t.Errorf("children of %d: %v; want one", sh.Pid, children)
	}

	// The independent one: it holds the pipe open, and can be found only by that.
	for _, p := range processes() {
		if link, _ := os.Readlink("/proc/" + strconv.Itoa(p.pid) + "/fd/1"); link == pipeName(t, out) {
			unix.Kill(p.pid, unix.SIGKILL)
		}
	}
	if tree = Tree(1 << 30); len(tree) != 1 {
		t.Errorf("tree of no process: %v", tree)
	}
}

func pipeName(t *testing.T, f *os.File) string {
	name, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(int(f.Fd())))
	if err != nil {
		t.Fatal(err)
	}
	return name
}
