// Command decode measures how fast chatprobe decode is; bench/decode.sh calls it.
package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"hash"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	dir, chatprobe, tshark string
	messages, rounds       int
	long, open             int
	only                   string
}

// A peer is a program that reads a capture.
type peer struct {
	name    string
	command func(file string) *exec.Cmd
}

// A measurement is one run of a program.
type measurement struct {
	wall time.Duration
	rss  int64 // bytes; 0 where the system does not say
}

func main() {
	var o options
	flag.StringVar(&o.dir, "dir", os.TempDir(), "where captures are written")
	flag.StringVar(&o.chatprobe, "chatprobe", "chatprobe", "the program that is measured")
	flag.StringVar(&o.tshark, "tshark", "tshark", "what it is compared with")
	flag.IntVar(&o.messages, "messages", 1_000_000, "messages in each capture")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds in which all programs take turns")
	flag.IntVar(&o.long, "long", 10_000_000, "messages in the capture for memory; 0 leaves it out")
	flag.IntVar(&o.open, "open", 100_000, "half-open connections in the other capture for memory")
	flag.StringVar(&o.only, "only", "", "measure only captures whose name contains this")
	read := flag.String("read", "", "do nothing but read this capture by hand")
	write := flag.String("write", "", "do nothing but write this capture, of -messages over 200 connections, or with -open half-open ones")
	flag.Parse()
	var err error
	switch {
	case *read != "":
		err = readFile(*read)
	case *write != "":
		err = traffic{messages: o.messages, conns: 200, halfOpen: o.open}.write(os.Stdout)
	default:
		err = o.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func readFile(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	return read(file, os.Stdout)
}

// captures are the four kinds that are measured.
var captures = []struct {
	name string
	traffic
}{
	{"a message a segment", traffic{}},
	{"cut anywhere", traffic{cut: true}},
	{"a message a segment, 5 % displaced, 5 % twice", traffic{displaced: 0.05, twice: 0.05}},
	{"cut anywhere, 5 % displaced, 5 % twice", traffic{cut: true, displaced: 0.05, twice: 0.05}},
}

func (o *options) run() error {
	peers, err := o.peers()
	if err != nil {
		return err
	}
	fmt.Printf("%d messages, %d rounds in turn (one for what takes longer than %v); medians.\n"+
		"× is the median over the rounds of how much longer it takes than chatprobe.\n\n", o.messages, o.rounds, patience)
	fmt.Println("| capture | program | seconds | µs a message | × | MB of memory | same output |")
	fmt.Println("| --- | --- | --- | --- | --- | --- | --- |")
	for _, c := range captures {
		if !strings.Contains(c.name, o.only) {
			continue
		}
		c.messages, c.conns = o.messages, 20
		if err := o.compare(c.name, c.traffic, peers); err != nil {
			return err
		}
	}
	if o.long == 0 {
		return nil
	}
	fmt.Printf("\nMemory, read from a pipe:\n\n| capture | seconds | MB of memory | messages |\n| --- | --- | --- | --- |\n")
	for _, c := range []struct {
		name string
		args []string
	}{
		{fmt.Sprintf("%d messages over 200 connections", o.long), []string{"-messages", fmt.Sprint(o.long), "-open", "0"}},
		{fmt.Sprintf("%d messages, and %d half-open connections", o.messages, o.open), []string{"-messages", fmt.Sprint(o.messages), "-open", fmt.Sprint(o.open)}},
	} {
		if err := o.memory(c.name, c.args); err != nil {
			return err
		}
	}
	return nil
}

// peers are the programs, chatprobe first.
func (o *options) peers() ([]peer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	list := []peer{
		{"chatprobe", func(file string) *exec.Cmd {
			return exec.Command(o.chatprobe, "decode", "--protocol", "framed", "--format", "text", file)
		}},
		{"by hand", func(file string) *exec.Cmd { return exec.Command(self, "-read", file) }},
	}
	if _, err := exec.LookPath(o.tshark); err != nil {
		fmt.Fprintf(os.Stderr, "bench: there is no tshark (%v): it is left out\n", err)
		return list, nil
	}
	lua := filepath.Join(o.dir, "framed.lua")
	text, err := exec.Command(o.chatprobe, "dissector", "framed", "--set", "byte_order=big").Output()
	if err != nil {
		return nil, fmt.Errorf("make a dissector: %w", err)
	}
	if err := os.WriteFile(lua, text, 0o644); err != nil {
		return nil, err
	}
	return append(list, peer{"tshark", func(file string) *exec.Cmd {
		// Without this preference it loses most of what is out of order.
		return exec.Command(o.tshark, "-r", file, "-X", "lua_script:"+lua, "-o", "tcp.reassemble_out_of_order:TRUE", "-T", "fields",
			"-e", "framed.message", "-e", "frame.number", "-e", "frame.time_relative", "-e", "ip.src", "-e", "tcp.srcport", "-e", "ip.dst", "-e", "tcp.dstport",
			"-e", "framed.UNameL", "-e", "framed.MessageL", "-e", "framed.Username", "-e", "framed.Message")
	}}), nil
}

// patience is for how long a program is measured in every round, and not in the first alone.
const patience = 10 * time.Second

// compare measures all programs on one capture.
func (o *options) compare(name string, t traffic, peers []peer) error {
	file := filepath.Join(o.dir, "capture.pcap")
	if err := writeFile(file, t); err != nil {
		return err
	}
	defer os.Remove(file)
	runs := make([][]measurement, len(peers))
	for round := range o.rounds {
		for i, p := range peers {
			if round > 0 && runs[i][0].wall > patience {
				continue
			}
			m, err := measure(p.command(file), nil)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			runs[i] = append(runs[i], m)
		}
	}
	var outputs []*output
	for _, p := range peers {
		out := &output{sum: sha256.New(), names: map[string]int{}}
		cmd := p.command(file)
		cmd.Stdout = out
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		outputs = append(outputs, out)
	}
	for i, p := range peers {
		var walls, ratios, sizes []float64
		for round, m := range runs[i] {
			walls = append(walls, m.wall.Seconds())
			ratios = append(ratios, m.wall.Seconds()/runs[0][round].wall.Seconds())
			sizes = append(sizes, float64(m.rss)/1e6)
		}
		same := "yes"
		switch {
		case p.name == "tshark" && maps.Equal(outputs[i].names, outputs[0].names):
			same = "as many of each name"
		case !bytes.Equal(outputs[i].sum.Sum(nil), outputs[0].sum.Sum(nil)):
			same = "NO"
		}
		fmt.Printf("| %s | %s | %.3f | %.3f | %.2f | %.0f | %s |\n", name, p.name,
			median(walls), median(walls)*1e6/float64(t.messages), median(ratios), median(sizes), same)
	}
	return nil
}

// An output is what a program printed: a sum of it, and how often each name of
// a message stands in it. In lines of tshark the names come first, with commas.
type output struct {
	sum   hash.Hash
	names map[string]int
	rest  []byte // of a line
}

// Write takes more of the output.
func (o *output) Write(b []byte) (int, error) {
	o.sum.Write(b)
	o.rest = append(o.rest, b...)
	for {
		line, rest, ok := bytes.Cut(o.rest, []byte("\n"))
		if !ok {
			o.rest = append([]byte(nil), o.rest...)
			return len(b), nil
		}
		o.rest = rest
		if names, _, isFields := bytes.Cut(line, []byte("\t")); isFields {
			for name := range bytes.SplitSeq(names, []byte(",")) {
				if len(name) > 0 {
					o.names[string(name)]++
				}
			}
		} else if columns := bytes.SplitN(line, []byte(" "), 6); len(columns) == 6 {
			o.names[string(columns[4])]++
		}
	}
}

func writeFile(name string, t traffic) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(t.write(file), file.Close())
}

// memory pipes a capture into chatprobe.
func (o *options) memory(name string, args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	from := exec.Command(self, append([]string{"-write", "-"}, args...)...)
	from.Stderr = os.Stderr
	pipe, err := from.StdoutPipe()
	if err != nil {
		return err
	}
	if err := from.Start(); err != nil {
		return err
	}
	cmd := exec.Command(o.chatprobe, "decode", "--protocol", "framed", "--format", "text", "-")
	cmd.Stdin = pipe
	var lines counter
	m, err := measure(cmd, &lines)
	if err := errors.Join(err, from.Wait()); err != nil {
		return err
	}
	fmt.Printf("| %s | %.1f | %.0f | %d |\n", name, m.wall.Seconds(), float64(m.rss)/1e6, lines)
	return nil
}

// A counter counts lines.
type counter int

// Write counts.
func (c *counter) Write(b []byte) (int, error) {
	*c += counter(strings.Count(string(b), "\n"))
	return len(b), nil
}

// measure runs a program whose output nobody keeps.
func measure(cmd *exec.Cmd, out io.Writer) (measurement, error) {
	if cmd.Stdout = out; out == nil {
		cmd.Stdout = nil // the null device
	}
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		return measurement{}, err
	}
	return measurement{time.Since(begin), peakMemory(cmd.ProcessState)}, nil
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}
