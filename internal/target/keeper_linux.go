package target

import (
	"bufio"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chatprobe/chatprobe/internal/sockets"
)

// The keeper is a second process that does nothing until the first has died. Then, and if the first has not stopped
// its targets itself, it kills them with all their descendants. (The kernel would kill the programs, by Pdeathsig, but
// not what they have started, such as the server behind a shell or behind "go run".)
//
// It is this same executable, started with the name keeperName and the launcher's token, and reads lines +PID and -PID
// from its standard input: a program has been started, and is gone; likewise +/DIR and -/DIR for a folder to remove. The
// end of that input is the sign, because the kernel closes the other end of the pipe however its owner dies.
//
// It has a session of its own, so what kills the probe's process group does not kill it.
const keeperName = "probe-keeper"

func init() {
	// Every program that imports this package can be a keeper, test binaries included, without help by its main.
	if len(os.Args) == 2 && os.Args[0] == keeperName {
		keep(os.Args[1])
		os.Exit(0)
	}
}

// startKeeper starts the keeper. Without one, Pdeathsig has to do.
func (l *launcher) startKeeper() {
	r, w, err := os.Pipe()
	if err != nil {
		return
	}
	defer r.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{keeperName, l.token}
	cmd.Env = []string{}
	cmd.Dir = "/" // so as not to hold a directory that somebody wants to remove
	cmd.Stdin = r
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if cmd.Start() != nil {
		w.Close()
		return
	}
	l.keeper = w
	l.leaders[cmd.Process.Pid] = true
}

// tellKeeper tells the keeper that a program was started ('+') or is gone ('-').
func (l *launcher) tellKeeper(sign byte, pid int) {
	if l.keeper != nil {
		l.keeper.Write([]byte(string(sign) + strconv.Itoa(pid) + "\n")) // in one piece: it is short
	}
}

// tellKeeperOfFolder tells the keeper of a folder that is to be removed ('+'), or has been ('-').
func tellKeeperOfFolder(sign byte, dir string) {
	theLauncher.mu.Lock()
	defer theLauncher.mu.Unlock()
	theLauncher.init()
	if theLauncher.keeper != nil && filepath.IsAbs(dir) && !strings.ContainsRune(dir, '\n') {
		theLauncher.keeper.Write([]byte(string(sign) + dir + "\n"))
	}
}

// keep is the keeper's life.
func keep(token string) {
	signal.Ignore(unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
	programs, folders := map[int]bool{}, map[string]bool{}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		line := lines.Text()
		if len(line) > 1 && line[1] == '/' {
			if folders[line[1:]] = line[0] == '+'; !folders[line[1:]] {
				delete(folders, line[1:])
			}
			continue
		}
		pid, err := strconv.Atoi(line[min(1, len(line)):])
		if err != nil {
			continue
		}
		if programs[pid] = line[0] == '+'; !programs[pid] {
			delete(programs, pid)
		}
	}
	killLeft(programs, variable(token)+"=")
	for folder := range folders {
		removeAll(folder)
	}
}

// killLeft kills what is left of programs, and every process with a mark, until there is none.
func killLeft(programs map[int]bool, mark string) {
	for start := time.Now(); time.Since(start) < killTime; time.Sleep(5 * time.Millisecond) {
		found := false
		for _, pid := range sockets.Processes() {
			if hasMark(pid, mark) && unix.Kill(pid, unix.SIGKILL) == nil {
				found = true
			}
		}
		for program := range programs {
			for _, pid := range sockets.Tree(program) {
				if pid != os.Getpid() && isAlive(pid) && unix.Kill(pid, unix.SIGKILL) == nil {
					found = true
				}
			}
		}
		if !found {
			return
		}
	}
}

// isAlive tells the living from zombies, which some containers never bury.
func isAlive(pid int) bool {
	_, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	return err == nil
}
