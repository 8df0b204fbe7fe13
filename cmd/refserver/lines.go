package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/chatprobe/chatprobe/internal/refserver"
)

// linesCommand is refserver lines.
func linesCommand() *cobra.Command {
	listen := "127.0.0.1:0"
	timeout := 30 * time.Second
	clients := 10000
	line, outbox := size(64<<10), size(8<<20)

	cmd := &cobra.Command{
		Use:   "lines [port]",
		Short: "line-based chat with registration (TCP)",
		Long: `Serves a line-based chat over TCP. A client's first line is "REGISTER <user> CHAT/1.0", answered 200, 400 or 401; then
"@<user>: <text>" goes to all the others, and "DISCONNECT <user> CHAT/1.0" ends it. A line ends in LF; a CR before it is
ignored. When the server stops it tells everybody: "DISCONNECT CHAT/1.0".

The first line on standard output says where the server listens; without a port it picks a free one.
Sizes are in bytes, or as 64KiB or 1MiB. An interrupt or SIGTERM stops the server.`,
		Example: `  refserver lines
  refserver lines 54307
  refserver lines --listen 0.0.0.0:54307 --max-line 1KiB`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := listenAddress(listen, args)
			switch {
			case err != nil:
				return err
			case timeout <= 0:
				return errors.New("--login-timeout must be positive")
			case clients <= 0:
				return errors.New("--max-clients must be positive")
			case outbox < line:
				return fmt.Errorf("--outbox %v is too small for a line of --max-line %v", &outbox, &line)
			}
			return serveTCP(cmd, address, refserver.Lines{
				MaxLine:      int(line),
				MaxClients:   clients,
				LoginTimeout: timeout,
				Outbox:       int(outbox),
				Log:          logTo(cmd),
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&listen, "listen", listen, listenHelp)
	flags.Var(&line, "max-line", "longest line that is accepted; a longer one costs its sender the connection")
	flags.IntVar(&clients, "max-clients", clients, clientsHelp)
	flags.DurationVar(&timeout, "login-timeout", timeout, "how long a new connection may take to register")
	flags.Var(&outbox, "outbox", outboxHelp)
	return cmd
}
