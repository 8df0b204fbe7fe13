package dissector_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/dissector"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// needTshark skips a test where tshark is missing; where CI is set, that fails.
func needTshark(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("tshark"); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("there is no tshark: nothing is compared (Debian: apt-get install tshark)")
	}
	t.Skip("SKIPPED: there is no tshark (Debian: apt-get install tshark)")
}

// generate writes the dissector of a protocol into a file, and says what it is
// called in filters.
func generate(t *testing.T, p *wire.Protocol, o dissector.Options) (name, filter string) {
	t.Helper()
	var b bytes.Buffer
	if err := dissector.Write(&b, p, o); err != nil {
		t.Fatal(err)
	}
	name = filepath.Join(t.TempDir(), "dissector.lua")
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(b.String(), "filter = \"")
	filter, _, _ = strings.Cut(rest, "\"")
	if filter == "irc" {
		filter = "chatprobe_irc" // Wireshark has a dissector of that name itself
	}
	return name, filter
}

// tshark runs it and returns what it prints. What it complains about fails the
// test: a mistake in Lua is told there.
func tshark(t *testing.T, args ...string) []byte {
	t.Helper()
	needTshark(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "tshark", append([]string{"-n", "-o", "tcp.reassemble_out_of_order:TRUE"}, args...)...)
	// No plugins and preferences of whoever runs this.
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	for line := range strings.Lines(stderr.String()) {
		// "Running as user root" is said to root alone, "cut short" of captures that are.
		if !strings.HasPrefix(line, "Running as user") && !strings.Contains(line, "cut short") && strings.TrimSpace(line) != "" {
			t.Errorf("tshark says: %s", line)
		}
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() != 2) { // 2: a capture that is cut short
		t.Fatalf("tshark %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	if bytes.Contains(out, []byte("Lua Error")) {
		i := bytes.Index(out, []byte("Lua Error"))
		t.Fatalf("tshark says: %s", out[i:min(len(out), i+300)])
	}
	return out
}

// A node is an element of what tshark writes: a protocol or a field.
type node struct {
	Kind   string // proto or field
	Name   string
	Show   string
	Value  string // the bytes
	Pos    int
	Size   int
	Fields []*node
}

// A shown is one message as the dissector shows it.
type shown struct {
	packet   int
	from, to string // addresses and ports
	*node
}

// find is the first field of a name, at any depth, or nil.
func (n *node) find(name string) *node {
	for _, f := range n.Fields {
		if f.Name == name {
			return f
		}
		if inner := f.find(name); inner != nil {
			return inner
		}
	}
	return nil
}

// messages are what the dissector makes of a capture.
func messages(t *testing.T, filter string, out []byte) []shown {
	t.Helper()
	var list []shown
	d := xml.NewDecoder(bytes.NewReader(out))
	stack := []*node{{}}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatalf("read what tshark writes: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			n := &node{Kind: token.Name.Local}
			for _, a := range token.Attr {
				number, _ := strconv.Atoi(a.Value)
				switch a.Name.Local {
				case "name":
					n.Name = a.Value
				case "show":
					n.Show = a.Value
				case "value":
					n.Value = a.Value
				case "pos":
					n.Pos = number
				case "size":
					n.Size = number
				}
			}
			above := stack[len(stack)-1]
			above.Fields = append(above.Fields, n)
			stack = append(stack, n)
		case xml.EndElement:
			n := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if n.Kind == "packet" {
				list = append(list, packetMessages(t, filter, n)...)
				stack[len(stack)-1].Fields = nil
			}
		}
	}
}

func packetMessages(t *testing.T, filter string, packet *node) []shown {
	t.Helper()
	show := func(names ...string) string {
		for _, name := range names {
			if f := packet.find(name); f != nil {
				return f.Show
			}
		}
		t.Fatalf("a packet has none of %v", names)
		return ""
	}
	var list []shown
	for _, p := range packet.Fields {
		if p.Kind != "proto" || p.Name != filter || packet.find("tcp.srcport") == nil && packet.find("udp.srcport") == nil {
			continue // such as a datagram that is quoted in an error of ICMP
		}
		number, _ := strconv.Atoi(show("num"))
		from := address(show("ip.src", "ipv6.src"), show("tcp.srcport", "udp.srcport"))
		to := address(show("ip.dst", "ipv6.dst"), show("tcp.dstport", "udp.dstport"))
		list = append(list, shown{number, from, to, p})
	}
	return list
}

func address(host, port string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + port
}

// read runs tshark with the dissector in a file.
func read(t *testing.T, filter, lua, capture string, args ...string) []shown {
	t.Helper()
	all := []string{"-X", "lua_script:" + lua, "-r", capture, "-Y", filter, "-T", "pdml", "-J", "frame ip ipv6 tcp udp " + filter}
	return messages(t, filter, tshark(t, append(all, args...)...))
}

// raw is the bytes of a field.
func (n *node) raw(t *testing.T) []byte {
	t.Helper()
	b, err := hex.DecodeString(n.Value)
	if err != nil {
		t.Fatalf("%s holds %q", n.Name, n.Value)
	}
	return b
}

// label says what a message is and of whom.
func (s shown) label(filter string) string {
	name := "?"
	if f := s.find(filter + ".message"); f != nil {
		name = f.Show
	}
	return cmp.Or(name, "?")
}

func (s shown) String() string {
	return fmt.Sprintf("packet %d, %s -> %s", s.packet, s.from, s.to)
}
