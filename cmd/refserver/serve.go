package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/chatprobe/chatprobe/internal/refserver"
)

// What help says of flags that several commands have.
const (
	listenHelp  = "`HOST:PORT` to listen on; a port given by itself replaces this one's"
	clientsHelp = "connections at a time; more are closed at once"
	outboxHelp  = "how much may wait for a client that reads slowly; with more it is disconnected"
)

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

// logTo is the log of a server.
func logTo(cmd *cobra.Command) *slog.Logger {
	return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
}

// serveTCP listens on address and serves until the command's context is done.
func serveTCP(cmd *cobra.Command, address string, server interface {
	Serve(ctx context.Context, ln net.Listener) error
}) error {
	ln, err := (&net.ListenConfig{}).Listen(cmd.Context(), "tcp", address)
	if err != nil {
		return failure{fmt.Errorf("cannot listen on %s: %w", address, err)}
	}
	announcement := fmt.Sprintf("listening on %v\n", ln.Addr())
	if chooser, ok := server.(interface{ Choices() string }); ok {
		announcement += settingsLine(chooser.Choices())
	}
	return serve(cmd, announcement, func(ctx context.Context) error { return server.Serve(ctx, ln) })
}

// serveUDP is serveTCP for datagrams.
func serveUDP(cmd *cobra.Command, address string, server refserver.Datagram) error {
	conn, err := (&net.ListenConfig{}).ListenPacket(cmd.Context(), "udp", address)
	if err != nil {
		return failure{fmt.Errorf("cannot listen on %s: %w", address, err)}
	}
	announcement := fmt.Sprintf("listening on %v\nServer Initialized...\n", conn.LocalAddr()) + settingsLine(server.Choices())
	return serve(cmd, announcement, func(ctx context.Context) error { return server.Serve(ctx, conn) })
}

// settingsLine is how a server tells the probe what it does where the protocol leaves a choice.
func settingsLine(choices string) string { return "chatprobe settings: " + choices + "\n" }

// serve prints the announcement of a server that listens, and runs it until the command's context is done.
func serve(cmd *cobra.Command, announcement string, run func(context.Context) error) error {
	fmt.Fprint(cmd.OutOrStdout(), announcement)
	ctx := cmd.Context()
	served := make(chan error, 1)
	go func() { served <- run(ctx) }()
	var err error
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
