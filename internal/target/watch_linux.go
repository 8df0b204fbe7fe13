package target

import (
	"slices"
	"time"

	"github.com/chatprobe/chatprobe/internal/sockets"
)

// watch looks for the sockets on which a program listens, among those that were not there when the watch began.
type watch struct {
	network string
	table   *sockets.Table
	old     map[uint32]bool // there before
	strange map[uint32]time.Time
	others  bool // somebody else listens on a port that is looked for
}

// How long a socket on another port that was not the program's is not looked at again. With many programs starting at
// the same time each would otherwise look for the owners of all the others' sockets, over and over.
const strangeFor = 100 * time.Millisecond

func openWatch(network string, port int) (*watch, error) {
	table, err := sockets.Open()
	if err != nil {
		return nil, err
	}
	w := &watch{network: network, table: table, old: map[uint32]bool{}, strange: map[uint32]time.Time{}}
	list, err := table.Listeners()
	if err != nil {
		table.Close()
		return nil, err
	}
	for _, l := range list {
		w.old[l.Inode] = true
		w.others = w.others || l.Network == network && int(l.Addr.Port()) == port
	}
	return w, nil
}

func (w *watch) close() { w.table.Close() }

// inUse reports whether somebody listened on the port when the watch began.
func (w *watch) inUse() bool { return w.others }

// foreign reports whether in the last look somebody else, and not the program, listened on a port that was looked for.
func (w *watch) foreign() bool { return w.others }

// look returns the sockets of a program and of its descendants: those on the given ports, and the others.
func (w *watch) look(p *Process, ports ...int) (on, others []sockets.Listener) {
	all, err := w.table.Listeners()
	if err != nil {
		return nil, nil // the next look may do better; there is a deadline
	}
	now := time.Now()
	var fresh []sockets.Listener
	taken := false
	for _, l := range all {
		if l.Network != w.network {
			continue
		}
		wanted := slices.Contains(ports, int(l.Addr.Port()))
		taken = taken || wanted
		if w.old[l.Inode] || !wanted && now.Sub(w.strange[l.Inode]) < strangeFor {
			continue
		}
		fresh = append(fresh, l)
	}
	// Mostly it is the program itself, which is quickly seen; its whole tree is looked at when it is not.
	mine := sockets.Owned(fresh, []int{p.PID()})
	if len(mine) < len(fresh) {
		mine = sockets.Owned(fresh, sockets.Tree(p.PID()))
	}
	owned := make(map[uint32]bool, len(mine))
	for _, l := range mine {
		owned[l.Inode] = true
		if slices.Contains(ports, int(l.Addr.Port())) {
			on = append(on, l)
		} else {
			others = append(others, l)
		}
	}
	for _, l := range fresh {
		if !owned[l.Inode] && !slices.Contains(ports, int(l.Addr.Port())) {
			w.strange[l.Inode] = now
		}
	}
	w.others = taken && len(on) == 0
	return on, others
}
