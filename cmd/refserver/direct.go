package main

import (
	"errors"
	"math"

	"github.com/spf13/cobra"

	"github.com/chatprobe/chatprobe/internal/refserver"
)

// directCommand is refserver direct.
func directCommand() *cobra.Command {
	listen := "127.0.0.1:4446"
	clients := 10000
	outbox := size(8 << 20)

	cmd := &cobra.Command{
		Use:   "direct [port]",
		Short: "log in, list, send to one user, log out (TCP)",
		Long: `Serves direct messages over TCP. A client sends LOGIN (1, name), LIST (2), SENDTO (3, destination, text) and LOGOUT (4),
and gets one answer to each: the list of users (5) or a RESPONSE (6: 0 ok, 1 failure, 2 malformed packet). What others
send to it arrives as SENDTO (7, sender, text). A name has its length in front in 1 byte, a text and the list in 2,
big-endian.

The first line on standard output says where the server listens.
Sizes are in bytes, or as 64KiB or 1MiB. An interrupt or SIGTERM stops the server.`,
		Example: `  refserver direct 4446
  refserver direct 0
  refserver direct --listen [::1]:4446 --max-clients 100`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := listenAddress(listen, args)
			switch {
			case err != nil:
				return err
			case clients <= 0 || clients > math.MaxUint16:
				return errors.New("--max-clients must be positive, and at most 65535, which is what a list can count")
			}
			return serveTCP(cmd, address, refserver.Direct{MaxClients: clients, Outbox: int(outbox), Log: logTo(cmd)})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&listen, "listen", listen, listenHelp)
	flags.IntVar(&clients, "max-clients", clients, clientsHelp)
	flags.Var(&outbox, "outbox", outboxHelp)
	return cmd
}
