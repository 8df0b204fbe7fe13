package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/spf13/pflag"

	"github.com/chatprobe/chatprobe/pcap"
)

// decodeInput is where packets come from: a file, standard input, or an interface.
type decodeInput struct {
	follow bool
	iface  string
}

func (f *decodeInput) register(flags *pflag.FlagSet) {
	flags.BoolVar(&f.follow, "follow-file", false, "wait at the end of FILE for what is still written to it, until interrupted")
	flags.StringVarP(&f.iface, "interface", "i", "", "capture on network interface `IFACE` until interrupted (any: on all; Linux, as root)")
}

// args checks how many files are named.
func (f *decodeInput) args(args []string) error {
	switch {
	case f.iface != "" && (len(args) > 0 || f.follow):
		return usage("--interface captures by itself: it takes no file")
	case f.iface == "" && len(args) != 1:
		return usage("decode takes one capture file, or - for standard input")
	case f.follow && args[0] == "-":
		return usage("--follow-file: standard input is followed anyway, as long as it is open")
	}
	return nil
}

// A packetSource is an input that has been opened.
type packetSource struct {
	name  string // for messages
	read  func(pcap.Sink) (pcap.Stats, error)
	waits bool // more may come later
	close func() error
}

// open opens the input; of an interface only what goes over a port, if that is
// not 0. What waits ends when ctx does.
func (f *decodeInput) open(ctx context.Context, stdin io.Reader, args []string, port int) (*packetSource, error) {
	if f.iface != "" {
		read := func(sink pcap.Sink) (pcap.Stats, error) { return pcap.Live(ctx, f.iface, uint16(port), sink) }
		return &packetSource{name: f.iface, read: read, waits: true, close: func() error { return nil }}, nil
	}
	name := args[0]
	if name == "-" {
		file, ok := stdin.(*os.File)
		return &packetSource{
			name: name, waits: !ok || !isRegular(file), close: func() error { return nil },
			read: func(sink pcap.Sink) (pcap.Stats, error) { return pcap.Read(stdin, sink) },
		}, nil
	}
	// To open a pipe would wait for whoever writes to it.
	if info, err := os.Stat(name); f.follow && err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		return nil, usage("--follow-file: %s is no ordinary file; without the flag it is read until its writer closes it", name)
	}
	file, err := openFile(name)
	if err != nil {
		return nil, err
	}
	in := io.ReadCloser(file)
	if f.follow {
		_ = file.Close() // it was only looked whether it is there
		if in, err = pcap.Follow(ctx, name); err != nil {
			return nil, usage("%w", err)
		}
	}
	return &packetSource{
		name: name, waits: f.follow || !isRegular(file), close: in.Close,
		read: func(sink pcap.Sink) (pcap.Stats, error) { return pcap.Read(in, sink) },
	}, nil
}

func isRegular(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode().IsRegular()
}

// failed is an error in reading what is called name, with what can be done.
func (f *decodeInput) failed(name string, err error) error {
	switch {
	case errors.Is(err, pcap.ErrPrivilege):
		return cannot("%w. Run chatprobe with sudo, or let tcpdump capture: sudo tcpdump -i %s -U -w - | chatprobe decode -", err, f.iface)
	case f.iface != "":
		return usage("%w", err)
	}
	if name == "-" {
		name = "standard input"
	}
	return usage("%s: %w", name, err)
}
