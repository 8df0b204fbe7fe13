// Chatprobe plays scenarios against a chat server and says what it gets right
// and wrong. See the README, or chatprobe --help.
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
	"github.com/spf13/pflag"

	"github.com/chatprobe/chatprobe/internal/source"
)

func main() {
	os.Exit(chatprobe())
}

// chatprobe runs the program as a process: arguments, streams and signals are
// those of the process, and the result is its exit code.
func chatprobe() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		// A second interrupt ends the program without a report.
		<-ctx.Done()
		stop()
	}()
	return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

// Exit codes.
const (
	exitPassed      = 0   // all that is required passed
	exitFailed      = 1   // some of it failed or was blocked
	exitUsage       = 2   // wrong usage, a wrong file, nothing selected
	exitCannot      = 3   // the probe could not do its work
	exitInterrupted = 130 // after the report
)

// An exitError ends the program with a code of its own.
type exitError struct {
	code int
	err  error // nil: everything is said
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usage is an error in how the program was called.
func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// cannot is something that keeps the probe from its work.
func cannot(format string, args ...any) error {
	return &exitError{exitCannot, fmt.Errorf(format, args...)}
}

// run executes one command line.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitPassed
	}
	complain(stderr, err)
	var exit *exitError
	var files source.List
	if errors.As(err, &exit) && (exit.err == nil || !errors.As(err, &files)) {
		return exit.code
	}
	return exitUsage // the mistakes of a file, or complaints of the flag parser
}

// complain says what went wrong, unless everything is said.
func complain(screen io.Writer, err error) {
	var exit *exitError
	var files source.List
	switch {
	case errors.As(err, &exit) && exit.err == nil:
	case errors.As(err, &files):
		fmt.Fprintln(screen, files)
	case errors.As(err, &exit):
		fmt.Fprintf(screen, "chatprobe: %v\n", exit.err)
	default:
		fmt.Fprintf(screen, "chatprobe: %v\n", err)
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "chatprobe",
		Short: "Does this chat server speak the protocol?",
		Long: `chatprobe plays scenarios against a chat server (logins, broadcasts, departures,
frames in pieces, garbage) and prints which pass and which fail, and why.`,
		Example: `  chatprobe run                                      every suite against the built-in servers
  chatprobe run framed -- python3 server.py {port}   your server: started, tested, stopped
  chatprobe run framed --target 127.0.0.1:4445       a server that is running already
  chatprobe decode capture.pcap                      the messages in a capture
  chatprobe list                                     what there is to test
  chatprobe explain framed                           what a protocol asks
  chatprobe init mysuite                             begin a suite of your own`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			var names []string
			for _, c := range cmd.Commands() {
				names = append(names, c.Name())
			}
			return unknownCommand(args[0], names)
		},
	}
	root.SetVersionTemplate(versionLine())
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(newRunCommand(), newDecodeCommand(), newListCommand(), newRequirementsCommand(), newExplainCommand(),
		newLintCommand(), newInitCommand(), newSchemaCommand(), newMutantsCommand(), newDissectorCommand(), newVersionCommand())
	// Flags are told within the width of a terminal.
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages ", ".FlagUsagesWrapped 80 "))
	completeAll(root)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		return flagError(cmd.CommandPath(), names, err)
	})
	return root
}
