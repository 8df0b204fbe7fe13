//go:build !linux

package main

// busy is not known here.
func busy() bool { return false }
