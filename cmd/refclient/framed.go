package main

import (
	"github.com/spf13/cobra"

	"github.com/chatprobe/chatprobe/internal/refclient"
)

func framedCommand() *cobra.Command {
	var room refclient.Framed
	command := &cobra.Command{
		Use:   "framed HOST PORT USER",
		Short: "Enter a chat room with a standard binary header (TCP)",
		Long: `Enter the chat room at HOST and PORT under the name USER.

What you type goes to everybody; what they say is shown as "name: text", what
the server says as "* text". The end of the input (Ctrl-D) leaves the room.`,
		Example: `  refclient framed 127.0.0.1 4445 alice
  refclient framed ::1 4445 alice
  printf 'hello\ngoodbye\n' | refclient framed localhost 4445 bob`,
		Args: takesAll,
		RunE: func(command *cobra.Command, args []string) error {
			addr, err := address(args[0], args[1])
			if err != nil {
				return err
			}
			room.Addr, room.User = addr, args[2]
			if err := room.Check(); err != nil {
				return err
			}
			return play(command, room, args[1])
		},
	}
	flags := command.Flags()
	flags.StringVar(&room.LoginText, "login-text", "",
		"`text` of the login message, for a server that takes an empty message for the end")
	flags.IntVar(&room.MaxMessage, "max-message", refclient.MaxMessage,
		"most `bytes` that a message may have, typed or received")
	return command
}
