//go:build !linux

package pcap

import (
	"context"
	"errors"
)

// live is for Linux only: elsewhere it takes a library that is not part of the system.
func (a *assembler) live(context.Context, int, uint16) error {
	return errors.New("this works on Linux only; let tcpdump or Wireshark capture, and read what they write (tcpdump -U -w - writes to a pipe)")
}
