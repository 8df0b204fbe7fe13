package pcap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
)

// ErrPrivilege means that this program may not capture.
var ErrPrivilege = errors.New("this takes a privilege (CAP_NET_RAW) that the program does not have")

// ErrInterface means that packets cannot be captured there: there is no such
// network interface, or it is switched off.
var ErrInterface = errors.New("no packets can be captured there")

// anyInterface is all of them.
const anyInterface = "any"

// Live captures what passes a network interface of this machine, "any" for all of
// them, and hands it out as [Read] does, until ctx ends; that is no error. It is
// for Linux only, and needs root or CAP_NET_RAW: without, the error is
// [ErrPrivilege]. Without such an interface it is [ErrInterface], and names those
// that there are.
//
// With a port, only packets of TCP and UDP from or to it are captured: the kernel
// throws the others away before they take the place of those. 0 is all.
//
// Packets have been handed out some 10 ms after they passed. Each is seen once, on
// the loopback interface too, with a time in nanoseconds. The interface is not
// made to listen to what is not meant for this machine. Stats.Dropped counts
// packets that came faster than the sink took them.
func Live(ctx context.Context, iface string, port uint16, sink Sink) (Stats, error) {
	index, err := interfaceIndex(iface)
	if err != nil {
		return Stats{}, fmt.Errorf("capture on %s: %w", iface, err)
	}
	a := newAssembler(sink)
	err = a.live(ctx, index, port)
	a.finish()
	if err != nil {
		err = fmt.Errorf("capture on %s: %w", iface, err)
	}
	return a.stats, err
}

// interfaceIndex is the number of an interface, 0 for any.
func interfaceIndex(name string) (int, error) {
	if name == anyInterface {
		return 0, nil
	}
	list, err := net.Interfaces()
	if err != nil {
		return 0, err
	}
	names := []string{anyInterface}
	for _, i := range list {
		switch {
		case i.Name != name:
			names = append(names, i.Name)
		case i.Flags&net.FlagUp == 0:
			return 0, fmt.Errorf("%w: it is switched off (ip link set %s up)", ErrInterface, name)
		default:
			return i.Index, nil
		}
	}
	return 0, fmt.Errorf("%w: there is no such network interface; there are %s", ErrInterface, strings.Join(names, ", "))
}
