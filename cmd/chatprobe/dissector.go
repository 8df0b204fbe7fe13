package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/chatprobe/chatprobe/internal/dissector"
)

type dissectorFlags struct {
	set  []string
	port int
}

func newDissectorCommand() *cobra.Command {
	var f dissectorFlags
	cmd := &cobra.Command{
		Use:   "dissector SUITE",
		Short: "Write a dissector for Wireshark",
		Long: `Write a dissector, in Lua, with which Wireshark and tshark read the protocol of
a suite: every message by its name, every field, in any number of packets.
SUITE is a built-in suite or a folder with one of your own.

Save it in the folder "Personal Lua Plugins" of Wireshark (Help, About
Wireshark, Folders) and start Wireshark again. Servers at the port of the
protocol are recognized by that, others by what they say, or by Decode As.`,
		Example: `  chatprobe dissector framed > framed.lua
  tshark -X lua_script:framed.lua -r capture.pcap
  tshark -X lua_script:framed.lua -r capture.pcap -Y 'framed.message == "say"'
  chatprobe dissector ./mysuite --port 5000 --set byte_order=little > my.lua`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("dissector takes one suite, as in chatprobe dissector framed")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.OutOrStdout(), args[0]) },
	}
	cmd.Flags().StringArrayVar(&f.set, "set", nil, "say which choice the server made, as `NAME=VALUE` (may be repeated)")
	cmd.Flags().IntVar(&f.port, "port", 0, "the port of the server (default: the one that the protocol names)")
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return completeSuites(cmd, args, begun)
	}
	_ = cmd.RegisterFlagCompletionFunc("set", completeSetting) // the flag is there
	_ = cmd.RegisterFlagCompletionFunc("port", cobra.NoFileCompletions)
	return cmd
}

func (f *dissectorFlags) run(stdout io.Writer, name string) error {
	if f.port < 0 || f.port > 65535 {
		return usage("--port: a port is a number from 1 to 65535")
	}
	suites, err := loadSuites([]string{name})
	if err != nil {
		return err
	}
	settings, err := parseSettings(f.set)
	if err != nil {
		return err
	}
	protocol := suites[0].Protocol
	if _, err := protocol.Settle(settings); err != nil {
		return usage("--set: %w", err)
	}
	if err := dissector.Write(stdout, protocol, dissector.Options{Settings: settings, Port: f.port}); err != nil {
		return cannot("%w", err)
	}
	return nil
}
