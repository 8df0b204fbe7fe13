// Package scenarios holds the built-in suites: a folder for each protocol with
// its protocol.yaml and its scenario files. They are embedded in the program;
// nothing about any protocol is written in Go.
package scenarios

import "embed"

// Files are the built-in suites, a folder each, and in common the scenarios for
// every protocol that has what they need.
//
//go:embed common framed lines direct datagram
var Files embed.FS

// Names are the built-in suites in the order in which they are run.
func Names() []string { return []string{"framed", "lines", "direct", "datagram"} }
