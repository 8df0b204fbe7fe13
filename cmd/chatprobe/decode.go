package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/chatprobe/chatprobe/internal/decode"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/pcap"
)

type decodeFlags struct {
	protocol string
	set      []string
	port     int
	show     showFlags
	input    decodeInput
	choose   chooseFlags
	scenario bool // instead of messages
}

func newDecodeCommand() *cobra.Command {
	var f decodeFlags
	cmd := &cobra.Command{
		Use:   "decode FILE | --interface IFACE",
		Short: "Show the messages in a capture, field by field",
		Long: `Show every message in a capture of tcpdump or Wireshark (pcap or pcapng, also
compressed), with every field of its header. TCP connections are put together
first, so a message may lie in any number of packets. FILE - is standard input.
Connections whose bytes are no messages of the protocol are named at the end.

What is shown, by --format:

  table     a row for each message; the usual one
  text      a line for each message, for grep and awk
  hex       all bytes, those of each field beside its name and value
  json      an object a line for each message
  csv       for spreadsheets
  dialogue  one connection after another: who said what
  diagram   a line for everybody who speaks, an arrow for each message
  svg       the same as a picture, for a browser

--stats and --summary show instead what there is altogether.

Of all messages --message, --malformed, --from, --client, --where, --time and
--conversation choose some: those for which everything holds that is asked for.`,
		Example: `  chatprobe decode capture.pcap
  chatprobe decode capture.pcapng --protocol framed --format csv > messages.csv
  tcpdump -i lo -U -w - tcp port 4445 | chatprobe decode -
  chatprobe decode --follow-file growing.pcap
  sudo chatprobe decode -i lo --port 4445
  chatprobe decode capture.pcap --summary
  chatprobe decode capture.pcap --conversation 2
  chatprobe decode capture.pcap --format svg > picture.svg
  chatprobe decode capture.pcap --format hex --malformed
  chatprobe decode capture.pcap --client alice --message say,hear --time 1.5..10
  chatprobe decode capture.pcap --from server --where Username=bob --where 'Message~(?i)hello'
  chatprobe decode capture.pcap --format text | grep 'Username="alice"'`,
		Args: func(_ *cobra.Command, args []string) error { return f.input.args(args) },
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.choose.conversation != "" && !cmd.Flags().Changed("format") && !f.show.stats && !f.show.summary {
				f.show.format = "dialogue"
			}
			if err := f.onlyScenario(cmd.Flags()); err != nil {
				return err
			}
			return f.run(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr(), args)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.register(flags)
	f.input.register(flags)
	f.show.register(flags)
	f.choose.register(flags)
	flags.BoolVar(&f.scenario, "scenario", false, "write a scenario that does again what the clients did, and expects the same answers")
	return cmd
}

func (f *decodeFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.protocol, "protocol", "", "the `SUITE` whose protocol is spoken (default: the built-in one that fits)")
	flags.StringArrayVar(&f.set, "set", nil, "say which choice the server made, as `NAME=VALUE` (may be repeated)")
	flags.IntVar(&f.port, "port", 0, "only connections with port `N` at one end")
}

func (f *decodeFlags) run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer, args []string) error {
	if f.port < 0 || f.port > 65535 {
		return usage("--port: a port is a number from 1 to 65535")
	}
	if f.scenario {
		return f.writeScenario(ctx, stdin, stdout, args)
	}
	protocols, err := loadProtocols(f.named())
	if err != nil {
		return err
	}
	codecs, err := f.codecs(protocols)
	if err != nil {
		return err
	}
	filter, err := f.choose.filter(protocols)
	if err != nil {
		return err
	}
	screen := &screenWriter{w: stdout}
	v, err := f.show.view(screen, screenOf(stdout), filter, codecs)
	if err != nil {
		return err
	}
	in, err := f.input.open(ctx, stdin, args, f.port)
	if err != nil {
		return err
	}
	defer in.close()
	name := in.name
	d := v.decoder(codecs, f.port)
	sink, done := decode.Behind(v.watch(d.Sink(), screen, in.waits))
	stats, readErr := in.read(sink)
	done()
	if errors.Is(readErr, pcap.ErrFormat) || readErr != nil && stats.Packets == 0 && f.input.iface != "" {
		return f.input.failed(name, readErr)
	}
	if err := errors.Join(d.Flush(), v.close(name, d, stats, readErr), screen.flush()); err != nil {
		return cannot("write messages: %w", err)
	}
	v.remarks(stderr, d, stats, readErr)
	if f.protocol == "" && !v.summary {
		sayChoices(stderr, d.Choices())
	}
	if readErr != nil {
		return f.input.failed(name, readErr)
	}
	return nil
}

// sayChoices says which protocol was found out to be spoken, server by server.
func sayChoices(w io.Writer, choices []decode.Choice) {
	const most = 10
	for _, c := range choices[:min(len(choices), most)] {
		fmt.Fprintln(w, c)
	}
	if n := len(choices) - most; n > 0 {
		fmt.Fprintf(w, "and %d servers more\n", n)
	}
}

// named are the suites whose protocol may be spoken; all if there is none.
func (f *decodeFlags) named() []string {
	if f.protocol == "" {
		return nil
	}
	return []string{f.protocol}
}

// codecs are all ways to read what the flags allow.
func (f *decodeFlags) codecs(protocols []*wire.Protocol) ([]*wire.Codec, error) {
	settings, err := parseSettings(f.set)
	if err != nil {
		return nil, err
	}
	var codecs []*wire.Codec
	for _, p := range protocols {
		list, err := decode.Codecs(p, settings)
		if err != nil {
			return nil, usage("%w", err)
		}
		codecs = append(codecs, list...)
	}
	return codecs, nil
}

// remarks says on the side what was not shown, and why.
func (v *decodeView) remarks(stderr io.Writer, d *decode.Decoder, stats pcap.Stats, readErr error) {
	if !v.summary { // which tells them itself
		for _, line := range d.Strangers() {
			fmt.Fprintln(stderr, line)
		}
	}
	if stats.Dropped > 0 {
		fmt.Fprintf(stderr, "%d packets came too fast to be captured; with --port N fewer are looked at\n", stats.Dropped)
	}
	switch {
	case readErr != nil, v.summary && d.Messages == 0:
	case d.Messages == 0:
		fmt.Fprintf(stderr, "no message in %d packets (%d TCP connections)\n", stats.Packets, stats.Conns)
	case v.shown == 0 && !v.lines:
		fmt.Fprintf(stderr, "none of %d messages is chosen\n", d.Messages)
		if names := v.scene.Names(); v.filter.Client.IsNamed() && len(names) > 0 {
			const most = 12
			fmt.Fprintf(stderr, "who has logged in: %s", strings.Join(names[:min(len(names), most)], ", "))
			if n := len(names) - most; n > 0 {
				fmt.Fprintf(stderr, " and %d more", n)
			}
			fmt.Fprintln(stderr)
		}
	}
}
