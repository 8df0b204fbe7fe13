// Command refclient is a chat client, small and correct, for each protocol
// that chatprobe knows: for trying out a server by hand, and as an example of
// a client.
//
//	refclient framed 127.0.0.1 4445 alice
//	refclient lines alice chat://127.0.0.1:54307
//	refclient direct 127.0.0.1 4446
//	refclient datagram 127.0.0.1 4447
//
// Exit codes: 0 the user has ended the session; 1 it could not begin, or the
// server ended it; 2 wrong usage; 130 interrupted, and in general 128 and the
// number of the signal.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/chatprobe/chatprobe/internal/refclient"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the program with its streams; it returns the exit code.
func run(args []string, in io.Reader, out, errOut io.Writer) int {
	ctx, release := untilSignal(context.Background())
	defer release()
	root := &cobra.Command{
		Use:   "refclient",
		Short: "A chat client for each protocol that chatprobe knows",
		Long: `A chat client for each protocol that chatprobe knows.

At a terminal there is a prompt; on pipes a line in is a message, and a message
is a line out.`,
		Example: `  refclient framed 127.0.0.1 4445 alice
  refclient lines alice chat://127.0.0.1:54307
  refclient direct 127.0.0.1 4446
  refclient datagram 127.0.0.1 4447
  echo hello | refclient framed 127.0.0.1 4445 alice`,
		Args:              cobra.ArbitraryArgs,
		RunE:              withoutProtocol,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.AddCommand(framedCommand(), linesCommand(), directCommand(), datagramCommand())
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)

	command, err := root.ExecuteContextC(ctx)
	code := exitCode(err)
	switch {
	case err == nil || code > 128: // the user knows
	case code == 2:
		fmt.Fprintf(errOut, "refclient: %v\n('%s --help' shows how)\n", err, command.CommandPath())
	default:
		fmt.Fprintf(errOut, "refclient: %v\n", err)
	}
	return code
}

// withoutProtocol is the error of a command line that names no protocol, or one
// that there is no client for.
func withoutProtocol(root *cobra.Command, args []string) error {
	var names []string
	for _, command := range root.Commands() {
		if command.IsAvailableCommand() && command.Name() != "help" {
			names = append(names, command.Name())
		}
	}
	there := strings.Join(names, ", ")
	if len(args) == 0 {
		return fmt.Errorf("which protocol? There are: %s", there)
	}
	return fmt.Errorf("unknown protocol %q; there are: %s", args[0], there)
}

// sessionError is an error of a session. All others are wrong usage: cobra has
// no type for its own.
type sessionError struct{ error }

func (e sessionError) Unwrap() error { return e.error }

// stoppedError is the end of a session by a signal.
type stoppedError struct{ signal os.Signal }

func (e stoppedError) Error() string { return "stopped: " + e.signal.String() }

func exitCode(err error) int {
	var stopped stoppedError
	var session sessionError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, refclient.ErrInterrupted):
		return 128 + int(syscall.SIGINT)
	case errors.As(err, &stopped):
		if number, ok := stopped.signal.(syscall.Signal); ok {
			return 128 + int(number)
		}
		return 1
	case errors.As(err, &session):
		return 1
	}
	return 2
}

// untilSignal is ctx, cancelled with a stoppedError by the first signal that
// asks the program to end, so that the terminal is given back. A second one
// ends the program without ado.
func untilSignal(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(stoppedError{s})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}
