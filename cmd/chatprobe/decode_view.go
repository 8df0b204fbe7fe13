package main

import (
	"bufio"
	"io"
	"os"
	"slices"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/chatprobe/chatprobe/internal/decode"
	"github.com/chatprobe/chatprobe/internal/report"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/pcap"
)

// showFlags say how messages are shown.
type showFlags struct {
	format  string
	stats   bool
	summary bool
}

func (f *showFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.format, "format", "table", "`FORMAT` of what is shown: table, text, hex, json, csv, dialogue, diagram or svg")
	flags.BoolVar(&f.stats, "stats", false, "count messages by kind and by client instead; with --format json, as an object")
	flags.BoolVar(&f.summary, "summary", false, "say in a few sentences what was spoken, and what went wrong")
}

// A decodeView shows messages as the flags ask: each as it comes, or numbers at
// the end.
type decodeView struct {
	showFlags
	w       io.Writer
	screen  report.View
	filter  report.Filter
	all     bool // nothing is left out
	lines   bool // the decoder writes them
	scene   *report.Scene
	out     report.Messages
	counter *report.Counter // where numbers are asked for, instead of out
	gaps    int
	shown   int // messages
}

// view makes a view that writes to w.
func (f *showFlags) view(w io.Writer, screen report.View, filter report.Filter, codecs []*wire.Codec) (*decodeView, error) {
	v := &decodeView{showFlags: *f, w: w, screen: screen, filter: filter, all: filter.IsEmpty(), scene: &report.Scene{}}
	v.screen.Scene, v.screen.One = v.scene, filter.Conn != 0
	isPicture := slices.Contains([]string{"dialogue", "diagram", "svg"}, f.format)
	if f.stats || f.summary || isPicture || filter.Client.IsNamed() {
		v.scene.User = userOf(codecs)
	}
	switch {
	case f.summary && f.format != "table":
		return nil, usage("--summary is a text: it has no --format %s", f.format)
	case f.stats && f.format != "table" && f.format != "json":
		return nil, usage("--stats has no --format %s: there is table and json", f.format)
	case f.stats || f.summary:
		v.counter = report.NewCounter(v.scene)
		v.out.Add = v.counter.Add
		return v, nil
	}
	v.lines = f.format == "text" && v.all && v.scene.User == nil
	var err error
	if v.out, err = v.screen.Messages(w, f.format); err != nil {
		return nil, usage("--format: %w", err)
	}
	return v, nil
}

func (v *decodeView) add(m *transcript.Decoded) error {
	v.scene.Learn(m)
	if !v.all && !v.filter.Pass(m, v.scene) {
		return nil
	}
	v.shown++
	return v.out.Add(m)
}

// decoder makes a decoder whose messages the view shows. Lines of text of all
// messages it writes itself, which is much faster.
func (v *decodeView) decoder(codecs []*wire.Codec, port int) *decode.Decoder {
	if v.lines {
		return decode.NewText(codecs, port, v.w)
	}
	return decode.New(codecs, port, v.add)
}

// watch counts what passes on the way to the decoder, and shows what is there
// before more is waited for. Of a file that does not grow nothing is waited for.
func (v *decodeView) watch(sink pcap.Sink, screen *screenWriter, waits bool) pcap.Sink {
	if gap := sink.Gap; v.counter != nil {
		sink.Gap = func(s pcap.Source, n int) {
			v.gaps++
			gap(s, n)
		}
	}
	wait := sink.Wait
	sink.Wait = func() {
		wait()
		_ = screen.flush() // an error comes again with the next write
	}
	if !waits {
		sink.Wait = nil
	}
	return sink
}

// close writes what is only known at the end of the capture called name.
func (v *decodeView) close(name string, d *decode.Decoder, stats pcap.Stats, readErr error) error {
	if v.counter == nil {
		return v.out.Close()
	}
	capture := report.CaptureStats{
		Packets: stats.Packets, TCP: stats.TCP, UDP: stats.UDP, Other: stats.Other, Connections: stats.Conns,
		Repeated: stats.Repeated, Conflict: stats.Conflict, Gaps: v.gaps, Missing: stats.Missing,
		Dropped: stats.Dropped, Strangers: d.Strangers(),
	}
	for _, c := range d.Choices() {
		if c.Other != "" {
			capture.Doubts = append(capture.Doubts, c.String())
		}
	}
	if readErr != nil {
		capture.Error = readErr.Error()
	}
	if name == "-" {
		name = "standard input"
	}
	s := v.counter.Stats(capture)
	if v.summary {
		if err := s.Summary(v.w, name, v.screen.Width); err != nil || !v.stats {
			return err
		}
		if _, err := io.WriteString(v.w, "\n"); err != nil {
			return err
		}
	}
	if v.format == "json" {
		return s.JSON(v.w)
	}
	return s.Table(v.w)
}

// userOf finds the name under which a message logs in: it is the parameter
// user of one that is called login, or that only ever comes first.
func userOf(codecs []*wire.Codec) func(*transcript.Decoded) string {
	var f wire.Frame
	return func(m *transcript.Decoded) string {
		if len(m.Bytes.Tail) > 0 {
			return ""
		}
		for _, codec := range codecs {
			if codec.Protocol.Name != m.Protocol {
				continue
			}
			login := codec.Message(m.Name)
			if login == nil || login.Name != "login" && !login.First || !slices.Contains(login.Params(), "user") {
				return ""
			}
			n, err := codec.Decode(&f, m.Bytes.Head, wire.Client)
			if err != nil || n != m.Bytes.Length {
				continue // it is read in another way
			}
			f.SetFirst(true)
			found := wire.Args{}
			if !login.Match(&f, nil, found) {
				continue
			}
			switch user := found["user"].(type) {
			case string:
				return transcript.Printable([]byte(user))
			case wire.Raw:
				return transcript.Printable([]byte(user))
			}
		}
		return ""
	}
}

// screenOf is how wide a table may be. What goes to a terminal is cut at its
// edge; in a file nothing is left out.
func screenOf(w io.Writer) report.View {
	v := report.View{Width: screenWidth(w)}
	if file, ok := w.(*os.File); ok {
		width, _, err := term.GetSize(int(file.Fd()))
		v.Cut = err == nil
		v.Width = max(v.Width, width) // that may be wider than lines of prose should be
	}
	return v
}

// A screenWriter keeps what is written until there is much of it, or until
// there is nothing more to read: of a capture that grows, each message is seen
// when it is there.
type screenWriter struct {
	w io.Writer
	b *bufio.Writer
}

// Write adds to what is kept.
func (s *screenWriter) Write(p []byte) (int, error) {
	if s.b == nil {
		s.b = bufio.NewWriterSize(s.w, 1<<16)
	}
	return s.b.Write(p)
}

func (s *screenWriter) flush() error {
	if s.b == nil {
		return nil
	}
	return s.b.Flush()
}
