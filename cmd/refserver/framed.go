package main

import (
	"fmt"
	"log/slog"
	"net"
	"strconv"
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
			return serve(cmd, address, refserver.Framed{
				RosterEvery:  every,
				MaxMessage:   int(message),
				MaxName:      int(name),
				MaxClients:   clients,
				LoginTimeout: timeout,
				Outbox:       int(outbox),
				Roster:       cmd.OutOrStdout(),
				Log:          slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil)),
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&listen, "listen", listen, "`HOST:PORT` to listen on; a port given by itself replaces this one's")
	flags.DurationVar(&every, "roster-every", every, "how often the list of users is shown; 0: never")
	flags.Var(&message, "max-message", "longest message that is accepted; a longer one costs its sender the connection")
	flags.Var(&name, "max-name", "longest user name that is accepted")
	flags.IntVar(&clients, "max-clients", clients, "connections at a time; more are closed at once")
	flags.DurationVar(&timeout, "login-timeout", timeout, "how long a new connection may take to log in")
	flags.Var(&outbox, "outbox", "how much may wait for a client that reads slowly; with more it is disconnected")
	return cmd
}

// listenAddress is the address to listen on: that of --listen, with its port replaced by the positional one.
func listenAddress(listen string, args []string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("--listen %q: want HOST:PORT, as in 127.0.0.1:4445", listen)
	}
	if len(args) > 0 {
		port = args[0]
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("port %q: want a number from 0 to 65535", port)
	}
	return net.JoinHostPort(host, port), nil
}

// serve listens on address, says so, and serves until the command's context is done.
func serve(cmd *cobra.Command, address string, server refserver.Framed) error {
	ctx := cmd.Context()
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return failure{fmt.Errorf("cannot listen on %s: %w", address, err)}
	}
	fmt.Fprintf(cmd.OutOrStdout(), "listening on %v\nchatprobe settings: %s\n", ln.Addr(), server.Choices())

	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln) }()
	select {
	case err = <-served:
	case <-ctx.Done():
		select {
		case err = <-served:
		case <-time.After(atMost):
		}
	}
	if err != nil {
		return failure{err}
	}
	return nil
}
