package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/chatprobe/chatprobe/internal/refserver"
)

// datagramCommand is refserver datagram.
func datagramCommand() *cobra.Command {
	listen := "127.0.0.1:4447"
	clients := 10000
	buffer := size(8 << 20)

	cmd := &cobra.Command{
		Use:   "datagram [port]",
		Short: "chat by GREETING, MESSAGE and INCOMING (UDP)",
		Long: `Serves a chat over UDP. A client sends "GREETING" once, and from then on "MESSAGE <text>" to everybody who has greeted,
itself included; they receive "INCOMING <ip> <port> <text>". Everything else is ignored.

The first line on standard output says where the server listens, the second is "Server Initialized...".
Sizes are in bytes, or as 64KiB or 1MiB. An interrupt or SIGTERM stops the server.`,
		Example: `  refserver datagram 4447
  refserver datagram 0
  refserver datagram --listen 0.0.0.0:4447 --max-clients 100`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := listenAddress(listen, args)
			switch {
			case err != nil:
				return err
			case clients <= 0:
				return errors.New("--max-clients must be positive")
			}
			return serveUDP(cmd, address, refserver.Datagram{MaxClients: clients, Buffer: int(buffer), Log: logTo(cmd)})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&listen, "listen", listen, listenHelp)
	flags.IntVar(&clients, "max-clients", clients, "addresses that may greet, as they stay active for ever; more are ignored")
	flags.Var(&buffer, "buffer", "how much may wait while the server is sending; what comes then is lost")
	return cmd
}
