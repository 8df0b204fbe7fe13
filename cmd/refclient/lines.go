package main

import (
	"fmt"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"github.com/chatprobe/chatprobe/internal/refclient"
)

func linesCommand() *cobra.Command {
	var chat refclient.Lines
	command := &cobra.Command{
		Use:   "lines USER ADDRESS",
		Short: "Enter a line-based chat (TCP)",
		Long: `Enter the line-based chat at ADDRESS, which is chat://HOST:PORT, under the name
USER.

What you type goes to everybody; what they say is shown as "@name: text", what
the server says as "* text". The end of the input (Ctrl-D) or an interrupt
leaves the chat: the server is told.`,
		Example: `  refclient lines alice chat://127.0.0.1:54307
  refclient lines alice chat://[::1]:54307
  printf 'hello\ngoodbye\n' | refclient lines bob chat://localhost:54307`,
		Args: takesAll,
		RunE: func(command *cobra.Command, args []string) error {
			addr, err := chatAddress(args[1])
			if err != nil {
				return err
			}
			chat.User, chat.Addr = args[0], addr
			if err := chat.Check(); err != nil {
				return err
			}
			_, port, _ := net.SplitHostPort(addr)
			return play(command, chat, port)
		},
	}
	command.Flags().IntVar(&chat.MaxLine, "max-line", refclient.MaxMessage,
		"most `bytes` that a line may have, typed or received")
	return command
}

// chatAddress is the HOST:PORT of chat://HOST:PORT.
func chatAddress(text string) (string, error) {
	rest, ok := strings.CutPrefix(text, "chat://")
	host, port, err := net.SplitHostPort(rest)
	if !ok || err != nil {
		return "", fmt.Errorf("ADDRESS is chat://HOST:PORT, not %q", text)
	}
	return address(host, port)
}
