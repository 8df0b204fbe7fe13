package target

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// launcher starts programs. There is one for the whole process, because what it arranges belongs to the process:
//
//   - All starts are made by one thread which never ends. The kernel is told to kill a program when its parent dies
//     (Pdeathsig), and to the kernel the parent is the thread. Go ends threads as it likes.
//   - This process adopts those descendants whose parents have died (it is their "child subreaper"), in place of
//     init, so that they can be found and waited for.
//   - Each program has in its environment a variable that no other has. Its descendants inherit it; by it an adopted
//     process is known to be this program's, whatever process group and session it has moved to.
//   - A keeper, see there, is told of every program.
type launcher struct {
	once   sync.Once
	token  string // part of the variable's name, random, so that a probe inside of a target uses another
	starts chan func()

	mu      sync.Mutex // held while a program is started, so that every child of ours is either known or adopted
	count   int
	leaders map[int]bool // the programs, and the keeper, that are not waited for yet
	keeper  *os.File
}

var theLauncher = launcher{leaders: map[int]bool{}, starts: make(chan func())}

// init makes the arrangements, before the first start.
func (l *launcher) init() {
	l.once.Do(func() {
		l.token = rand.Text()
		go func() {
			runtime.LockOSThread()
			for start := range l.starts {
				start()
			}
		}()
		// Where this is refused, Stop still finds what has stayed in the program's session.
		unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
		l.startKeeper()
	})
}

// variable returns the name of the variable that all programs have; its value is the number of the program.
func variable(token string) string { return "CHATPROBE_TARGET_" + token }

// start starts a program as the leader of a session of its own, and returns what marks it and its descendants in the
// environment.
func (l *launcher) start(cmd *exec.Cmd) (mark string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.init()
	l.count++
	mark = variable(l.token) + "=" + strconv.Itoa(l.count)
	cmd.Env = append(cmd.Env, mark)
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Pdeathsig = true, unix.SIGKILL
	done := make(chan struct{})
	l.starts <- func() {
		err = cmd.Start()
		close(done)
	}
	<-done
	if err != nil {
		return "", err
	}
	l.leaders[cmd.Process.Pid] = true
	l.tellKeeper('+', cmd.Process.Pid)
	return mark, nil
}

// startChild starts cmd; see launcher.
func (p *Process) startChild() (err error) {
	for try := 0; ; try++ {
		// A file that was just written cannot be started while any process has it open for writing, and each child
		// of ours has, from its birth until it becomes another program, everything open that we have.
		p.mark, err = theLauncher.start(p.cmd)
		if !errors.Is(err, unix.ETXTBSY) || try == 20 {
			return err
		}
		time.Sleep(time.Millisecond << min(try, 4))
		again := exec.Command(p.cmd.Path)
		again.Args, again.Dir, again.Env = p.cmd.Args, p.cmd.Dir, p.cmd.Env
		again.SysProcAttr = p.cmd.SysProcAttr
		again.Stdin, again.Stdout, again.Stderr = p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr
		p.cmd = again
	}
}

// forget is called when a program has been waited for.
func (l *launcher) forget(pid int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.leaders, pid)
}

// adopted returns the processes with a mark that have become children of this process. Of those adopted that are dead
// it takes notice, whosever they were.
func (l *launcher) adopted(mark string) []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	own, err := unix.Getsid(0)
	if err != nil {
		return nil
	}
	var list []int
	for _, pid := range children() {
		if l.leaders[pid] {
			continue
		}
		// A child in our own session was started by somebody else in this process, who will wait for it.
		if session, err := unix.Getsid(pid); err != nil || session == own {
			continue
		}
		if n, _ := unix.Wait4(pid, nil, unix.WNOHANG, nil); n != pid && hasMark(pid, mark+"\x00") {
			list = append(list, pid)
		}
	}
	return list
}

// hasMark reports whether a text is in the environment that a process was given.
func hasMark(pid int, text string) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return err == nil && bytes.Contains(b, []byte(text))
}
