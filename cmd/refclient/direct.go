package main

import (
	"github.com/spf13/cobra"

	"github.com/chatprobe/chatprobe/internal/refclient"
)

func directCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "direct HOST PORT",
		Short: "Log in, list, and write to one user (TCP)",
		Long: `Connect to the server at HOST and PORT. Then these are the commands:

  login USERNAME           log in; a name has 20 characters at most
  list                     show who is logged in, as "users (2): alice, bob"
  sendto USERNAME MESSAGE  send the rest of the line to that user
  logout                   log out and stay
  exit                     leave, as the end of the input (Ctrl-D) does

The server's answer is shown as Success or Failure, what others write to you as
"username: message". A wrong command is answered at once, with Bad username, Bad
message or Invalid command, and not sent.`,
		Example: `  refclient direct 127.0.0.1 4446
  printf 'login alice\nsendto bob hello\n' | refclient direct ::1 4446`,
		Args: takesAll,
		RunE: func(command *cobra.Command, args []string) error {
			addr, err := address(args[0], args[1])
			if err != nil {
				return err
			}
			return play(command, refclient.Direct{Addr: addr}, args[1])
		},
	}
}
