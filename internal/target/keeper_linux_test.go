package target

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A probe that is killed leaves no copy of a folder, wherever it was: while it copied, or while the program ran and
// wrote into it.
func TestKeeperRemovesFolders(t *testing.T) {
	temp := t.TempDir()
	dir := filepath.Join(temp, "a server")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c := script(t, "writes.py")
	cmd := exec.Command("/proc/self/exe")
	cmd.Dir = dir
	copies := filepath.Join(temp, "copies here") // with a blank, too
	if err := os.Mkdir(copies, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "TMPDIR="+copies, beProbe+"="+strings.Join(c.Args, "\n"), beCopying+"=yes")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	program := 0
	for lines.Scan() {
		if number, ok := strings.CutPrefix(lines.Text(), "program "); ok {
			program, _ = strconv.Atoi(number)
		}
		if where, ok := strings.CutPrefix(lines.Text(), "runs in "); ok {
			if filepath.Dir(where) != copies {
				t.Errorf("it runs in %s", where)
			}
			break
		}
	}
	keeper := keeperOf(t, cmd.Process.Pid)
	if in, _ := os.ReadDir(copies); len(in) != 1 {
		t.Errorf("in the folder for copies is %v", in)
	}
	cmd.Process.Kill()
	cmd.Wait()
	eventually(t, "keeper and program have ended", func() bool { return !isAlive(keeper) && !isAlive(program) })
	if in, _ := os.ReadDir(copies); len(in) != 0 {
		t.Errorf("%v is left behind", in)
	}
	if in, _ := os.ReadDir(dir); len(in) != 0 {
		t.Errorf("%v was written where the program was copied from", in)
	}
}
