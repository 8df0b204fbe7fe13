package target

import "golang.org/x/sys/unix"

// The system's numbers for reading and for setting the modes of a terminal.
const (
	getModes = unix.TCGETS
	putModes = unix.TCSETS
)

// lineLimit is how many bytes of a line, without its end, a terminal takes that hands over whole lines.
const lineLimit = 4095
