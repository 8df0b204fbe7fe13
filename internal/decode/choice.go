package decode

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/chatprobe/chatprobe/internal/wire"
)

// A Choice says how what was said with a server was read, where there were
// several ways.
type Choice struct {
	Server   netip.AddrPort
	Protocol string
	// Settings are the choices that the bytes decided, as NAME=VALUE.
	Settings []string
	Messages int // that were found
	// Sample is how many messages made up the choice: those that came until it
	// was clear, on all connections. Another protocol would have made
	// OtherSample messages of the same bytes; Other is empty where that is less
	// than half as many.
	Sample      int
	Other       string
	OtherSample int
}

// String is the choice in a line.
func (c Choice) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: protocol %s", c.Server, c.Protocol)
	if len(c.Settings) > 0 {
		fmt.Fprintf(&b, " with %s", strings.Join(c.Settings, ", "))
	}
	fmt.Fprintf(&b, " (%s", plural(c.Messages, "message"))
	if c.Other != "" {
		fmt.Fprintf(&b, "; of the bytes of the first %d, %s would make %d", c.Sample, c.Other, c.OtherSample)
	}
	return b.String() + ")"
}

// A choice is a [Choice] that grows.
type choice struct {
	server   netip.AddrPort
	codec    *wire.Codec
	messages int
	samples  map[*wire.Codec]int
}

// choices are those of all servers, in order of appearance.
type choices struct {
	list   []*choice
	server map[netip.AddrPort]*choice
}

// of is the choice for a server. It is not remembered where there are too many.
func (c *choices) of(server netip.AddrPort, codec *wire.Codec) *choice {
	if known := c.server[server]; known != nil {
		return known
	}
	o := &choice{server: server, codec: codec, samples: map[*wire.Codec]int{}}
	if len(c.list) < maxServers {
		if c.server == nil {
			c.server = map[netip.AddrPort]*choice{}
		}
		c.server[server] = o
		c.list = append(c.list, o)
	}
	return o
}

// Choices says how the bytes of each server were read, in order of appearance.
// Where there was only one way to read them, or no message, nothing was chosen.
func (d *Decoder) Choices() []Choice {
	var list []Choice
	for _, c := range d.choices.list {
		if c.messages > 0 {
			list = append(list, c.summary(d.codecs))
		}
	}
	return list
}

func (c *choice) summary(codecs []*wire.Codec) Choice {
	s := Choice{Server: c.server, Protocol: c.codec.Protocol.Name, Messages: c.messages, Sample: c.samples[c.codec]}
	for _, name := range slices.Sorted(maps.Keys(c.codec.Settings)) {
		value := c.codec.Settings[name]
		decided, open := false, false
		for _, o := range codecs {
			if o.Protocol == c.codec.Protocol && o.Settings[name] != value {
				decided = decided || c.samples[o] < s.Sample
				open = open || c.samples[o] >= s.Sample
			}
		}
		if decided && !open {
			s.Settings = append(s.Settings, name+"="+value)
		}
	}
	for _, o := range codecs {
		if n := c.samples[o]; o.Protocol != c.codec.Protocol && n > s.OtherSample && 2*n >= s.Sample {
			s.Other, s.OtherSample = o.Protocol.Name, n
		}
	}
	return s
}
