//go:build !linux

package target

import "testing"

// clean does nothing: what is left behind cannot be found out on this operating system.
func clean(t *testing.T) {}
