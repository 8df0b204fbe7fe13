package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/chatprobe/chatprobe/internal/refclient"
)

// takesAll requires the arguments that the command's line of usage names.
func takesAll(command *cobra.Command, args []string) error {
	_, names, _ := strings.Cut(command.Use, " ")
	want := len(strings.Fields(names))
	if len(args) != want {
		words := [...]string{2: "two", 3: "three"}
		return fmt.Errorf("%s takes %s, %s arguments and not %d", command.Name(), names, words[want], len(args))
	}
	return nil
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

// play runs a client at the command's streams. The port is the one to start a
// server on, if none is there.
func play(command *cobra.Command, client interface {
	Run(context.Context, *refclient.Terminal) error
}, port string) error {
	terminal := refclient.NewTerminal(command.InOrStdin(), command.OutOrStdout(), command.ErrOrStderr())
	err := client.Run(command.Context(), terminal)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ECONNREFUSED):
		err = fmt.Errorf("%w\nno server listens there; this starts one: refserver %s %s", err, command.Name(), port)
	}
	return sessionError{err}
}
