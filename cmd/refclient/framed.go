package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"

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
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 3 {
				return fmt.Errorf("framed takes HOST PORT USER, three arguments and not %d", len(args))
			}
			return nil
		},
		RunE: func(command *cobra.Command, args []string) error {
			addr, err := address(args[0], args[1])
			if err != nil {
				return err
			}
			room.Addr, room.User = addr, args[2]
			if err := room.Check(); err != nil {
				return err
			}
			terminal := refclient.NewTerminal(command.InOrStdin(), command.OutOrStdout(), command.ErrOrStderr())
			err = room.Run(command.Context(), terminal)
			switch {
			case err == nil:
				return nil
			case errors.Is(err, syscall.ECONNREFUSED):
				err = fmt.Errorf("%w\nno server listens there; this starts one: refserver framed %s", err, args[1])
			}
			return sessionError{err}
		},
	}
	flags := command.Flags()
	flags.StringVar(&room.LoginText, "login-text", "",
		"`text` of the login message, for a server that takes an empty message for the end")
	flags.IntVar(&room.MaxMessage, "max-message", refclient.MaxMessage,
		"most `bytes` that a message may have, typed or received")
	return command
}

// address joins host and port. A host with colons is an IPv6 address, with or
// without brackets.
func address(host, port string) (string, error) {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		host = strings.TrimSuffix(inner, "]")
	}
	if host == "" {
		return "", errors.New("HOST is empty")
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return "", fmt.Errorf("PORT is a number from 1 to 65535, not %q", port)
	}
	return net.JoinHostPort(host, strconv.FormatUint(number, 10)), nil
}
