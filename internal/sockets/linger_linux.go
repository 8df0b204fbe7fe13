package sockets

// Lingering returns the ports of TCP connections within this machine whose end belongs to no program any more, but which
// the system keeps for a while: a minute in TIME_WAIT, for example, when this end was closed first. A program that has not set
// SO_REUSEADDR cannot bind such a port. Ports of clients are left out, as far as these can be told from servers: a
// server has the same port in several connections.
func Lingering() []int {
	type connection struct{ own, other uint16 }
	var list []connection
	uses := map[uint16]int{}
	for _, k := range kinds[:2] {
		_ = readEntries(k.file, func(e entry) bool { // what cannot be read is not known to linger
			waits := e.state == Listen || e.state == SynReceived || e.state == NewSynReceived
			if e.inode == 0 && !waits && e.own.Port() != 0 && e.own.Addr().Unmap().IsLoopback() {
				list = append(list, connection{e.own.Port(), e.other.Port()})
				uses[e.own.Port()]++
				uses[e.other.Port()]++
			}
			return true
		})
	}
	// From here on Linux takes the ports of clients, unless it is told otherwise. Below, a server's is likely to be the
	// lower one; above, a connection that is alone tells nothing.
	const firstOfClients = 32_768
	var ports []int
	seen := map[uint16]bool{}
	for _, c := range list {
		server := uses[c.own] > uses[c.other] || uses[c.own] == uses[c.other] && (c.own < c.other || c.own >= firstOfClients)
		if server && !seen[c.own] {
			seen[c.own] = true
			ports = append(ports, int(c.own))
		}
	}
	return ports
}
