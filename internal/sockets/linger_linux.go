package sockets

// Lingering returns the ports of TCP connections within this machine whose end belongs to no program any more, but which
// the system keeps for a while: a minute in TIME_WAIT, for example, when this end was closed first. A program that has not set
// SO_REUSEADDR cannot bind such a port. Ports of clients are left out, as far as these can be told from servers.
func Lingering() []int {
	var list []loopback
	for _, k := range kinds[:2] {
		_ = readEntries(k.file, func(e entry) bool { // what cannot be read is not known to linger
			waits := e.state == Listen || e.state == SynReceived || e.state == NewSynReceived
			if e.inode == 0 && !waits && e.own.Port() != 0 && e.own.Addr().Unmap().IsLoopback() {
				list = append(list, loopback{e.own.Port(), e.other.Port()})
			}
			return true
		})
	}
	return ofServers(list)
}

// loopback is a connection within this machine, by the ports of its ends.
type loopback struct{ own, other uint16 }

// firstOfClients is where the ports begin that Linux gives to clients, unless it is told otherwise.
const firstOfClients = 32_768

// ofServers returns the own ports of those connections whose own end is likely to be a server's: it is below the ports of
// clients and the other is not, or it is in more of the connections than the other. Two that are in as many tell
// nothing above, where servers listen whose port the system has chosen, and the lower one is the server's below.
func ofServers(list []loopback) []int {
	uses := map[uint16]int{}
	for _, c := range list {
		uses[c.own]++
		uses[c.other]++
	}
	var ports []int
	seen := map[uint16]bool{}
	for _, c := range list {
		low, otherLow := c.own < firstOfClients, c.other < firstOfClients
		server := low
		if low == otherLow {
			server = uses[c.own] > uses[c.other] || uses[c.own] == uses[c.other] && (c.own < c.other || !low)
		}
		if server && !seen[c.own] {
			seen[c.own] = true
			ports = append(ports, int(c.own))
		}
	}
	return ports
}
