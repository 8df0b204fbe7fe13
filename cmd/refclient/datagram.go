package main

import (
	"github.com/spf13/cobra"

	"github.com/chatprobe/chatprobe/internal/refclient"
)

func datagramCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "datagram HOST PORT",
		Short: "Greet, and write to all that have greeted (UDP)",
		Long: `Greet the server at HOST and PORT.

What you type goes to everybody who has greeted, you included, and is shown as
"<From ip:port>: text". At a terminal the prompt is "] ". The end of the input
(Ctrl-D) ends the program; the server does not notice.

UDP loses messages without a word. When nobody is there, you are told once, and
may go on typing.`,
		Example: `  refclient datagram 127.0.0.1 4447
  echo hello | refclient datagram ::1 4447`,
		Args: takesAll,
		RunE: func(command *cobra.Command, args []string) error {
			addr, err := address(args[0], args[1])
			if err != nil {
				return err
			}
			return play(command, refclient.Datagram{Addr: addr}, args[1])
		},
	}
}
