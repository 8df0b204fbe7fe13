//go:build !linux

package record

func resetsUnread() bool { return false }
