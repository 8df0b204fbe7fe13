package dissector_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"

	"github.com/chatprobe/chatprobe/internal/decode"
	"github.com/chatprobe/chatprobe/internal/dissector"
	"github.com/chatprobe/chatprobe/internal/golden"
	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/pcap"
	"github.com/chatprobe/chatprobe/scenarios"
)

// builtin is the protocol of a built-in suite.
func builtin(t *testing.T, name string) *wire.Protocol {
	t.Helper()
	s, err := scenario.Load(scenarios.Files, name, scenarios.Files)
	if err != nil {
		t.Fatal(err)
	}
	return s.Protocol
}

// A direction is one side of a conversation.
type direction struct{ from, to string }

// A reading is what one of the two makes of a direction: a line for each
// message, up to where it cannot be read. stopped says that there is such a
// place, and reset that the connection was reset.
type reading struct {
	lines          []string
	stopped, reset bool
}

// decoded is what package decode makes of a capture, and the ports of servers.
func decoded(t *testing.T, capture []byte, p *wire.Protocol, settings map[string]string, k *kinds) (map[direction]*reading, []string) {
	t.Helper()
	codecs, err := decode.Codecs(p, settings)
	if err != nil {
		t.Fatal(err)
	}
	all := map[direction]*reading{}
	var ports []string
	d := decode.New(codecs, 0, func(m *transcript.Decoded) error {
		server := m.Receiver
		if m.From == string(wire.Server) {
			server = m.Sender
		}
		if port := server[strings.LastIndex(server, ":")+1:]; !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
		if m.Bytes.Length == 0 && p.Transport == "udp" {
			return nil // Wireshark shows no dissector an empty datagram
		}
		r := at(all, direction{m.Sender, m.Receiver})
		r.stopped = r.stopped || m.Malformed != "" && p.Transport == "tcp"
		if !r.stopped {
			r.lines = append(r.lines, decodedLine(m, k))
		}
		return nil
	})
	sink := d.Sink()
	end := sink.End
	sink.End = func(s pcap.Source, how pcap.End) {
		if how == pcap.Reset {
			at(all, direction{s.From.String(), s.To.String()}).reset = true
		}
		end(s, how)
	}
	_, err = pcap.Read(bytes.NewReader(capture), sink)
	if err != nil {
		t.Logf("the capture ends early: %v", err)
	}
	return all, ports
}

func at(all map[direction]*reading, d direction) *reading {
	if all[d] == nil {
		all[d] = &reading{}
	}
	return all[d]
}

// decodedLine is a message in one line: its name, and for each field where it
// stands and what it holds.
func decodedLine(m *transcript.Decoded, k *kinds) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %d bytes:", m.From, orUnknown(m.Name), m.Bytes.Length)
	for _, f := range m.Fields {
		if strings.HasPrefix(f.Note, "no message") || f.Name == "bytes" && f.Size == m.Bytes.Length && m.Name == "" {
			continue // no message: all of its bytes
		}
		if k.json[m.Name] {
			for _, text := range leaves(f.Value) {
				fmt.Fprintf(&b, " %s=%q", f.Name, text)
			}
			continue
		}
		fmt.Fprintf(&b, " %s[%d+%d]=%s", f.Name, f.Start, f.Size, valueText(f.Value))
	}
	return b.String()
}

func orUnknown(name string) string {
	if name == "" {
		return "?"
	}
	return name
}

func valueText(v any) string {
	if list, ok := v.([]any); ok {
		var parts []string
		for _, item := range list {
			parts = append(parts, valueText(item))
		}
		return "(" + strings.Join(parts, " ") + ")"
	}
	return fmt.Sprintf("%q", fmt.Sprint(v))
}

// textLimit is how much package decode keeps of a long text.
const textLimit = 200

// leaves are the texts of a parameter of a JSON message: of a list, each entry.
func leaves(v any) []string {
	list, ok := v.([]any)
	if !ok {
		return []string{fmt.Sprint(v)}
	}
	var all []string
	for _, item := range list {
		all = append(all, leaves(item)...)
	}
	return all
}

// shownLine is the same line, made from what the dissector shows.
func shownLine(t *testing.T, filter string, s shown, k *kinds) string {
	t.Helper()
	from := s.find(filter + ".from")
	if from == nil {
		t.Fatalf("%v: the dissector does not say who sent it", s)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %d bytes:", from.Show, s.label(filter), s.Size)
	for _, f := range s.Fields {
		name, ok := strings.CutPrefix(f.Name, filter+".")
		if !ok || name == "message" || name == "from" || name == "unreadable" {
			continue
		}
		name = strings.TrimSuffix(name, "_") // one of the dissector's own names
		if k.json[s.label(filter)] {
			fmt.Fprintf(&b, " %s=%q", name, printableShow(f.Show))
			continue
		}
		fmt.Fprintf(&b, " %s[%d+%d]=", name, f.Pos-s.Pos, f.Size)
		if carrier, isList := k.lists[name]; isList {
			var parts []string
			for _, e := range f.Fields {
				if e.Name == filter+"."+name+"."+carrier {
					parts = append(parts, k.shown(t, e, k.types[name+"."+carrier], false))
				}
			}
			b.WriteString("(" + strings.Join(parts, " ") + ")")
			continue
		}
		b.WriteString(k.shown(t, f, k.types[name], true))
	}
	return b.String()
}

// shown is what a field of a type holds, if long cut as package decode cuts it.
func (k *kinds) shown(t *testing.T, f *node, typ wire.Type, cut bool) string {
	t.Helper()
	switch typ {
	case wire.Text, wire.Bytes, wire.JSON:
		text := f.raw(t)
		if k.charset != nil {
			text, _ = k.charset.NewDecoder().Bytes(text)
		}
		if cut {
			text = text[:min(len(text), textLimit)]
		}
		return fmt.Sprintf("%q", transcript.Printable(text))
	case wire.IP:
		return fmt.Sprintf("%q", f.Show)
	}
	n, err := strconv.ParseUint(f.Show, 0, 64)
	if err != nil {
		t.Fatalf("%s is shown as %q", f.Name, f.Show)
	}
	return fmt.Sprintf("%q", strconv.FormatUint(n, 10))
}

// shortEscape is how tshark shows a control character.
var shortEscape = regexp.MustCompile(`\\x([0-9a-f])\b`)

// printableShow is a text that tshark shows, as package transcript shows it.
func printableShow(text string) string {
	return shortEscape.ReplaceAllString(transcript.Printable([]byte(text)), `\x0$1`)
}

// kinds is what is known of the fields of a protocol.
type kinds struct {
	lists   map[string]string    // which field of a list's entries holds their value
	types   map[string]wire.Type // of fields and parameters
	json    map[string]bool      // the messages that are JSON values
	charset *charmap.Charmap
}

func kindsOf(p *wire.Protocol) *kinds {
	k := &kinds{map[string]string{}, map[string]wire.Type{}, map[string]bool{}, nil}
	if p.Name == "latin" {
		k.charset = charmap.Windows1252
	}
	for _, m := range p.Messages() {
		for _, param := range m.Params() {
			if _, known := k.types[param]; !known {
				k.types[param] = wire.Text
			}
		}
		for _, f := range m.Shape.Fields {
			k.types[f.Name] = f.Type
			k.json[m.Name] = f.Type == wire.JSON
			for _, e := range f.Entries {
				if !e.HasConstant && e.Measures == nil {
					k.lists[f.Name] = e.Name
					k.types[f.Name+"."+e.Name] = e.Type
				}
			}
		}
	}
	return k
}

// agree compares the two readings of a capture, direction by direction, and
// returns how many messages they agree about.
func agree(t *testing.T, file string, p *wire.Protocol, settings map[string]string) int {
	t.Helper()
	capture, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	k := kindsOf(p)
	want, ports := decoded(t, capture, p, settings, k)
	lua, filter := generate(t, p, dissector.Options{Settings: settings})
	var args []string
	for _, port := range ports {
		args = append(args, "-d", fmt.Sprintf("%s.port==%s,%s", p.Transport, port, filter))
	}
	got := map[direction]*reading{}
	for _, s := range read(t, filter, lua, file, args...) {
		r := at(got, direction{s.from, s.to})
		if s.find("_ws.expert.message") != nil && s.find(filter+".from") == nil {
			r.stopped = true
		}
		if !r.stopped {
			r.lines = append(r.lines, shownLine(t, filter, s, k))
		}
	}
	agreed := 0
	for d, w := range want {
		g := at(got, d)
		for i, line := range w.lines {
			if i >= len(g.lines) && strings.Contains(line, " 1 bytes:") && strings.Contains(file, "displaced") {
				t.Logf("%s -> %s: to Wireshark, a packet that is late and has one byte keeps the connection alive: %s", d.from, d.to, line)
				break
			}
			if i >= len(g.lines) {
				t.Errorf("%s -> %s: the dissector shows %d messages, and not this one:\n%s", d.from, d.to, len(g.lines), line)
				break
			}
			if g.lines[i] != line {
				t.Errorf("%s -> %s: message %d:\n  decode     %s\n  dissector  %s", d.from, d.to, i+1, line, g.lines[i])
				break
			}
			agreed++
		}
		switch {
		case len(g.lines) <= len(w.lines) || w.stopped:
		case w.reset:
			t.Logf("%s -> %s: to Wireshark, what crosses a reset belongs to the connection: %s", d.from, d.to, g.lines[len(w.lines)])
		default:
			t.Errorf("%s -> %s: the dissector shows more than is there:\n%s", d.from, d.to, g.lines[len(w.lines)])
		}
	}
	for d, g := range got {
		if want[d] == nil && len(g.lines) > 0 {
			t.Errorf("%s -> %s: only the dissector reads this:\n%s", d.from, d.to, g.lines[0])
		}
	}
	return agreed
}

// bound are the settings under which the captures of a suite were made. What is
// open would have both find out, and they may see different parts of a
// conversation by then.
var bound = map[string]map[string]string{"framed": {"byte_order": "big"}, "lines": {"end": "lf"}}

func TestDissectorReadsCapturesAsDecodeDoes(t *testing.T) {
	needTshark(t)
	total := 0
	for _, file := range golden.Glob(t, "../../pcap/testdata/chat/*") {
		base := filepath.Base(file)
		if testing.Short() && !strings.Contains(base, "-room.pcap") {
			continue // each takes half a second
		}
		t.Run(base, func(t *testing.T) {
			name, _, _ := strings.Cut(base, "-")
			n := agree(t, file, builtin(t, name), bound[name])
			if n == 0 && !strings.Contains(base, "-cut") { // of those, no packet is whole
				t.Error("not one message was compared")
			}
			total += n
		})
	}
	t.Logf("%d messages agree", total)
}
