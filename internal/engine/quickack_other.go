//go:build !linux

package engine

import "net"

// quickAck does nothing here: only Linux lets a program acknowledge at once.
func quickAck(net.Conn) {}
