package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/chatprobe/chatprobe/internal/refserver"
)

// framedCommand is refserver framed.
func framedCommand() *cobra.Command {
	listen := "127.0.0.1:4445"
	every := 5 * time.Second
	timeout := 30 * time.Second
	clients := 10000
	message, name, outbox := size(1<<20), size(1024), size(8<<20)

	cmd := &cobra.Command{
		Use:   "framed [port]",
		Short: "chat room with a standard binary header (TCP)",
		Long: `Serves a chat room over TCP. Every message, in both directions, is a frame: the length of Username (2 bytes), the
length of Message (4 bytes), both big-endian, Username, Message. The first frame's Username is the login; what a client
says goes to all the others; "server" tells who has logged in and who has left.

The first line on standard output says where the server listens; then, every --roster-every, who is in the room.
Sizes are in bytes, or as 64KiB or 1MiB. An interrupt or SIGTERM stops the server.`,
		Example: `  refserver framed 4445
  refserver framed 0 --roster-every 1s
  refserver framed --listen 0.0.0.0:4445 --max-clients 100`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := listenAddress(listen, args)
			switch {
			case err != nil:
				return err
			case every < 0 || timeout <= 0:
				return fmt.Errorf("--roster-every must not be negative and --login-timeout must be positive")
			case clients <= 0:
				return fmt.Errorf("--max-clients must be positive")
			case outbox < message:
				return fmt.Errorf("--outbox %v is too small for a message of --max-message %v", &outbox, &message)
			case every == 0:
				every = -1
			}
			return serveTCP(cmd, address, refserver.Framed{
				RosterEvery:  every,
				MaxMessage:   int(message),
				MaxName:      int(name),
				MaxClients:   clients,
				LoginTimeout: timeout,
				Outbox:       int(outbox),
				Roster:       cmd.OutOrStdout(),
				Log:          logTo(cmd),
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&listen, "listen", listen, listenHelp)
	flags.DurationVar(&every, "roster-every", every, "how often the list of users is shown; 0: never")
	flags.Var(&message, "max-message", "longest message that is accepted; a longer one costs its sender the connection")
	flags.Var(&name, "max-name", "longest user name that is accepted")
	flags.IntVar(&clients, "max-clients", clients, clientsHelp)
	flags.DurationVar(&timeout, "login-timeout", timeout, "how long a new connection may take to log in")
	flags.Var(&outbox, "outbox", outboxHelp)
	return cmd
}
