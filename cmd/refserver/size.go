package main

import (
	"errors"
	"strconv"
	"strings"
)

// size is a flag's number of bytes, written as 4096, 64KiB or 1MiB.
type size int

var units = []struct {
	suffix string
	bytes  int
}{{"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}}

// Set parses text. Sizes are from 1 byte to 1 GiB.
func (s *size) Set(text string) error {
	for _, unit := range units {
		digits, found := strings.CutSuffix(text, unit.suffix)
		if !found {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 32)
		if err != nil || n < 1 || n > (1<<30)/int64(unit.bytes) {
			break
		}
		*s = size(n) * size(unit.bytes)
		return nil
	}
	return errors.New("want a number of bytes, as in 4096, 64KiB or 1MiB, and at most 1024MiB")
}

// String is the size in the largest unit that it is a whole number of.
func (s *size) String() string {
	n := int(*s)
	for _, unit := range units[:len(units)-1] {
		if n != 0 && n%unit.bytes == 0 {
			return strconv.Itoa(n/unit.bytes) + unit.suffix
		}
	}
	return strconv.Itoa(n)
}

// Type is what help shows after the flag's name.
func (s *size) Type() string { return "SIZE" }
