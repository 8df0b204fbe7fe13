// Refserver is a reference chat server: a sound implementation of each protocol that chatprobe has a suite for, to
// run one's client against, to compare one's server with, and to read.
//
//	refserver framed 4445
//
// It says on standard output where it listens and, where the protocol wants it, who is there; everything else is on
// standard error. An interrupt or a SIGTERM stops it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// Exit codes. The shell's own for a command that an interrupt has killed does not occur: to be stopped is success.
const (
	exitOK     = 0
	exitUsage  = 2 // the command line makes no sense
	exitFailed = 3 // it does, but the server cannot listen, or cannot go on
)

// atMost is how long the server may take to stop. Only a standard output that nobody reads can make it take longer.
const atMost = 500 * time.Millisecond

func main() {
	signal.Ignore(syscall.SIGPIPE) // a reader of the roster that goes away does not take the server with it
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program: it runs the command line args until ctx is done and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cmd := &cobra.Command{
		Use:   "refserver",
		Short: "a reference chat server",
		Long: `Refserver is a reference chat server: a sound implementation of a protocol that chatprobe has a suite for, to run a
client against, to compare a server with, and to read.`,
		Example: `  refserver framed                          # on 127.0.0.1, the protocol's own port
  refserver lines 0                         # a free port; which one is printed
  refserver framed --listen 0.0.0.0:4445    # for the whole network`,
		Args:              cobra.ArbitraryArgs,
		RunE:              func(_ *cobra.Command, args []string) error { return unknown(args) },
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	cmd.AddCommand(framedCommand(), linesCommand(), directCommand(), datagramCommand())
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)

	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(stderr, "refserver: %v\n", err)
	if _, failed := errors.AsType[failure](err); failed {
		return exitFailed
	}
	return exitUsage
}

// unknown is the error of a command line that begins with no protocol, or with one that there is no server for.
func unknown(args []string) error {
	if len(args) == 0 {
		return errors.New("which protocol? there are framed, lines, direct and datagram; see refserver --help")
	}
	return fmt.Errorf("unknown protocol %q: there are framed, lines, direct and datagram; see refserver --help", args[0])
}

// failure is an error of a server that was asked for properly. Every other error is wrong usage.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }
