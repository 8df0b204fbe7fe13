package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/chatprobe/chatprobe/internal/decode"
	"github.com/chatprobe/chatprobe/internal/report"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/pcap"
)

type decodeFlags struct {
	protocol string
	format   string
	set      []string
	port     int
}

func newDecodeCommand() *cobra.Command {
	var f decodeFlags
	cmd := &cobra.Command{
		Use:   "decode FILE",
		Short: "Show the messages in a capture, field by field",
		Long: `Show every message in a capture of tcpdump or Wireshark (pcap or pcapng, also
gzip): one line a message, with every field of its header. TCP connections are
put together first, so a message may lie in any number of packets.
FILE - is standard input.

Connections whose bytes are no messages of the protocol are named at the end.`,
		Example: `  chatprobe decode capture.pcap
  chatprobe decode capture.pcapng --protocol framed --format csv > messages.csv
  tcpdump -i lo -w - tcp port 4445 | chatprobe decode -`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("decode takes one capture file, or - for standard input")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr(), args[0])
		},
	}
	cmd.Flags().StringVar(&f.protocol, "protocol", "", "the `SUITE` whose protocol is spoken (default: the built-in one that fits)")
	cmd.Flags().StringVar(&f.format, "format", "table", "table, json or csv")
	cmd.Flags().StringArrayVar(&f.set, "set", nil, "say which choice the server made, as `NAME=VALUE` (may be repeated)")
	cmd.Flags().IntVar(&f.port, "port", 0, "only connections with this port at one end")
	return cmd
}

func (f *decodeFlags) run(stdin io.Reader, stdout, stderr io.Writer, name string) error {
	if f.port < 0 || f.port > 65535 {
		return usage("--port: a port is a number from 1 to 65535")
	}
	codecs, err := f.codecs()
	if err != nil {
		return err
	}
	b := bufio.NewWriter(stdout)
	out, err := report.NewMessages(b, f.format, screenWidth(stdout))
	if err != nil {
		return usage("--format: %w", err)
	}
	in := stdin
	if name != "-" {
		file, err := openFile(name)
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	d := decode.New(codecs, f.port, out.Add)
	stats, readErr := pcap.Read(in, d.Sink())
	if err := errors.Join(d.Err(), out.Close(), b.Flush()); err != nil {
		return cannot("write messages: %w", err)
	}
	for _, line := range d.Strangers() {
		fmt.Fprintln(stderr, line)
	}
	if d.Messages == 0 && readErr == nil {
		fmt.Fprintf(stderr, "no message in %d packets (%d TCP connections)\n", stats.Packets, stats.Conns)
	}
	if readErr != nil {
		return usage("%s: %w", name, readErr)
	}
	return nil
}

// codecs are all ways to read what the flags allow.
func (f *decodeFlags) codecs() ([]*wire.Codec, error) {
	var names []string
	if f.protocol != "" {
		names = []string{f.protocol}
	}
	suites, err := loadSuites(names)
	if err != nil {
		return nil, err
	}
	settings, err := parseSettings(f.set)
	if err != nil {
		return nil, err
	}
	var codecs []*wire.Codec
	for _, s := range suites {
		list, err := decode.Codecs(s.Protocol, settings)
		if err != nil {
			return nil, usage("%w", err)
		}
		codecs = append(codecs, list...)
	}
	return codecs, nil
}
