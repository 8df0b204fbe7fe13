package sockets

import (
	"bytes"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// process is what /proc/PID/stat says of the descent of a process.
type process struct {
	pid, parent, group, session int
}

// Tree returns a process and all that stem from it, itself first: its descendants, and the processes that are in a
// process group or session led by one of these, which is how a child is recognised whose parent has died. Dead
// processes whose parents have not taken notice (zombies) are included. It returns pid alone when that is gone and
// left nothing behind. It looks through /proc, which takes some microseconds for each process of the machine.
//
// A process that has been re-parented and has moved to a session of its own is bound to pid by nothing that /proc
// tells, and is not found.
func Tree(pid int) []int {
	tree := []int{pid}
	all := processes()
	in := map[int]bool{pid: true}
	// A child may stand before its parent in the list, so go on until nothing is added. This program itself is never
	// part of what it has started, whatever the numbers say.
	in[os.Getpid()] = pid == os.Getpid()
	for grown := true; grown; {
		grown = false
		for _, p := range all {
			if p.pid == os.Getpid() || in[p.pid] || !in[p.parent] && !in[p.group] && !in[p.session] {
				continue
			}
			in[p.pid] = true
			tree = append(tree, p.pid)
			grown = true
		}
	}
	return tree
}

// Processes returns the numbers of all processes of the machine that can be seen.
func Processes() []int {
	var pids []int
	for _, p := range processes() {
		pids = append(pids, p.pid)
	}
	return pids
}

// Children returns the direct children of a process, zombies included, in ascending order.
func Children(pid int) []int {
	children, ok := listedChildren(pid)
	if !ok {
		for _, p := range processes() {
			if p.parent == pid {
				children = append(children, p.pid)
			}
		}
	}
	slices.Sort(children)
	return children
}

// listedChildren asks each thread of a process for its children, which most kernels answer; ok is false where not.
func listedChildren(pid int) (children []int, ok bool) {
	tasks := "/proc/" + strconv.Itoa(pid) + "/task"
	dir, err := os.Open(tasks)
	if err != nil {
		return nil, true // the process is gone
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var buf [4096]byte
	for _, name := range names {
		b, err := readSmall(tasks+"/"+name+"/children", buf[:])
		if err == unix.ENOENT {
			if _, gone := os.Stat(tasks + "/" + name); gone != nil {
				continue // the thread has ended
			}
		}
		if err != nil || len(b) == len(buf) {
			return nil, false
		}
		for _, f := range bytes.Fields(b) {
			if n, err := strconv.Atoi(string(f)); err == nil {
				children = append(children, n)
			}
		}
	}
	return children, true
}

// processes returns all processes of the machine that /proc shows.
func processes() []process {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	list := make([]process, 0, len(names))
	var buf [1024]byte
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		b, err := readSmall("/proc/"+name+"/stat", buf[:])
		if err != nil {
			continue // it has ended in the meantime
		}
		if p, ok := parseStat(b); ok {
			p.pid = pid
			list = append(list, p)
		}
	}
	return list
}

// parseStat reads "1234 (name) S 1 1234 1234 …": the state, the parent, the group, the session. The name may itself
// contain blanks and parentheses.
func parseStat(b []byte) (p process, ok bool) {
	f := bytes.SplitN(bytes.TrimSpace(b[bytes.LastIndexByte(b, ')')+1:]), []byte(" "), 5)
	if len(f) < 5 {
		return process{}, false
	}
	var err1, err2, err3 error
	p.parent, err1 = strconv.Atoi(string(f[1]))
	p.group, err2 = strconv.Atoi(string(f[2]))
	session, _, _ := bytes.Cut(f[3], []byte(" "))
	p.session, err3 = strconv.Atoi(string(session))
	return p, err1 == nil && err2 == nil && err3 == nil
}

// readSmall reads a file of /proc with one read and without the poller, since these are read by the hundred.
func readSmall(name string, buf []byte) ([]byte, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	n, err := retry(func() (int, error) { return unix.Read(fd, buf) })
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}
