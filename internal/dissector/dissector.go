// Package dissector writes a dissector for Wireshark: a program in Lua that
// reads a protocol as its protocol.yaml describes it.
//
//	err := dissector.Write(os.Stdout, suite.Protocol, dissector.Options{})
//
// The program is the protocol as a Lua table, and behind it the files of the
// folder lua, which read bytes as that table says. They keep to what Lua 5.1 to
// 5.4 and Wireshark 3.4 and newer have in common. Whatever stands in a protocol
// file is data there, never Lua.
//
// It reads as package wire does, with these differences, which come from what
// Wireshark shows a dissector:
//
//   - the end of a connection is not seen, so a message that was cut off is not
//     marked, and neither is an empty datagram;
//   - bytes behind what cannot be read are tried anew with each packet;
//   - in messages in parts, a parameter that an earlier part has given must be
//     what a regular expression finds first.
package dissector

import (
	"bufio"
	"embed"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/chatprobe/chatprobe/internal/wire"
)

// Options say what a protocol file leaves open.
type Options struct {
	// Settings are the choices of the server by name. What is not named has its
	// default; what bytes depend on and is "any" is found out by the dissector
	// for each connection, and can be chosen in its preferences.
	Settings map[string]string
	// Port of the servers; 0 is the one that the protocol names, if any.
	Port int
}

// runtime are the files of lua in the order in which they need each other.
//
//go:embed lua/*.lua
var runtime embed.FS

var runtimeFiles = []string{"json", "bytes", "regex", "pattern", "frames", "show", "register"}

// Write writes the dissector of p. An error is a setting that p does not have,
// or one of w.
func Write(w io.Writer, p *wire.Protocol, o Options) error {
	protocol, err := describe(p, o)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, header, comment(p.Title), comment(p.Name))
	fmt.Fprintf(out, "\nlocal protocol = %s\n", literal(protocol, 0))
	for _, name := range runtimeFiles {
		text, err := runtime.ReadFile("lua/" + name + ".lua")
		if err != nil {
			return fmt.Errorf("read %s.lua: %w", name, err)
		}
		fmt.Fprintf(out, "\n%s", text)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write dissector: %w", err)
	}
	return nil
}

const header = `-- %s: a dissector for Wireshark and tshark.
--
-- Written by chatprobe from the protocol %s. To use it, put this file into the
-- folder "Personal Lua Plugins" of Wireshark (Help, About Wireshark, Folders)
-- and start Wireshark again; or try it:
--
--   tshark -X lua_script:THIS.lua -r capture.pcap
`

// describe is the protocol as the Lua files want it.
func describe(p *wire.Protocol, o Options) (table, error) {
	values, err := p.Settle(o.Settings)
	if err != nil {
		return nil, err
	}
	r := &registry{}
	port := o.Port
	if port == 0 {
		port = p.Port
	}
	ports := ""
	if port > 0 {
		ports = strconv.Itoa(port)
	}
	title := p.Title
	if title == "" {
		title = p.Name
	}
	t := table{
		{"filter", filterName(p.Name)}, {"title", title}, {"transport", p.Transport}, {"ports", ports},
		{"settings", list(p.Open(values), func(s *wire.Setting) any {
			return table{{"name", s.Name}, {"preference", preference(s.Name)}, {"about", s.About}, {"choices", list(s.Choices(), func(c string) any { return c })}}
		})},
	}
	variants := table{}
	for _, guess := range p.Guesses(values) {
		codec, err := p.Bind(guess)
		if err != nil {
			return nil, err
		}
		variant := table{}
		settings := table{}
		for _, name := range slices.Sorted(maps.Keys(guess)) {
			settings = append(settings, pair{name, guess[name]})
		}
		variant = append(variant, pair{"settings", settings})
		for _, from := range []wire.Side{wire.Client, wire.Server} {
			l := codec.Layout(from)
			side, err := r.side(&l)
			if err != nil {
				return nil, err
			}
			variant = append(variant, pair{string(from), side})
			if decode := codec.Charset(); decode != nil && from == wire.Client {
				t = append(t, pair{"charset", charset(decode)})
			}
		}
		variants = append(variants, pair{"", variant})
	}
	return append(t, pair{"fields", r.table()}, pair{"variants", variants}), nil
}

// filterName is a name as filters can have it: small letters, digits, _ and -.
func filterName(name string) string {
	clean := strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_', c == '-':
			return c
		case c >= 'A' && c <= 'Z':
			return c - 'A' + 'a'
		}
		return '_'
	}, name)
	if clean == "" || clean[0] == '-' || clean[0] >= '0' && clean[0] <= '9' {
		clean = "chat_" + clean
	}
	return clean
}

// preference is what a setting is called among the preferences: small letters,
// digits and _. One is there already.
func preference(name string) string {
	name = strings.ReplaceAll(strings.ToLower(name), "-", "_")
	if name == "ports" {
		return "ports_"
	}
	return name
}

// charset is what the bytes mean that do not mean what ASCII says.
func charset(decode func(byte) rune) table {
	var t table
	for i := range 256 {
		if r := decode(byte(i)); r != rune(i) || i >= 128 {
			t = append(t, pair{string([]byte{byte(i)}), string(r)})
		}
	}
	return t
}
