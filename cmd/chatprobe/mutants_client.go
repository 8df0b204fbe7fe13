package main

import (
	"maps"

	"github.com/chatprobe/chatprobe/internal/builtin"
	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

// clientMost is in how many scenarios a mutant of a client is played at first:
// most are caught in the first of them.
const clientMost = 8

// builtinClient is the reference client for a suite that this program holds. It
// has no terminal.
func (p *plan) builtinClient(s *scenario.Suite) (part, error) {
	b, ok := builtin.ClientNamed(s.Protocol.Name)
	if !ok {
		return part{}, usage("there is no built-in client for %s: say what to test, with --client -- COMMAND", s.Protocol.Name)
	}
	p.target = "built-in reference client"
	config := p.config
	config.Settings = maps.Clone(b.Settings)
	maps.Copy(config.Settings, of(s, p.config.Settings))
	config.Trusted, config.Origin = true, transcript.Declared
	config.Told, config.NoTerminal = b.Told, true
	return part{program: b.Launch, config: config}, nil
}
