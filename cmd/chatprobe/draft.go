package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/pflag"

	"github.com/chatprobe/chatprobe/internal/draft"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// onlyScenario says that something else is asked for beside a scenario.
func (f *decodeFlags) onlyScenario(flags *pflag.FlagSet) error {
	var err error
	flags.Visit(func(flag *pflag.Flag) {
		if f.scenario && f.chooses(flag.Name) {
			err = usage("--%s does not go with --scenario: all messages together make one", flag.Name)
		}
	})
	return err
}

// chooses says that a flag is about which messages are shown, and how.
func (f *decodeFlags) chooses(name string) bool {
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	new(showFlags).register(own)
	new(chooseFlags).register(own)
	return own.Lookup(name) != nil
}

// writeScenario writes a scenario made from what is captured.
func (f *decodeFlags) writeScenario(ctx context.Context, stdin io.Reader, stdout io.Writer, args []string) error {
	suites, err := loadSuites(f.named())
	if err != nil {
		return err
	}
	var protocols []*wire.Protocol
	for _, s := range suites {
		protocols = append(protocols, s.Protocol)
	}
	codecs, err := f.codecs(protocols)
	if err != nil {
		return err
	}
	in, err := f.input.open(ctx, stdin, args, f.port)
	if err != nil {
		return err
	}
	defer in.close()
	name := in.name
	settings, err := parseSettings(f.set)
	if err != nil {
		return err
	}
	about := draft.About{File: name, Protocol: f.protocol, Settings: settings, Port: f.port}
	if name == "-" || f.input.iface != "" {
		about.File = ""
	}
	c := draft.New(codecs, f.port)
	if _, err := in.read(c.Sink()); err != nil {
		return f.input.failed(name, err)
	}
	err = c.Write(stdout, suites, about)
	if refused, ok := errors.AsType[*draft.RefusedError](err); ok {
		return usage("%s: no scenario can be made of it: %w", name, refused)
	}
	if err != nil {
		return cannot("write scenario: %w", err)
	}
	return nil
}
