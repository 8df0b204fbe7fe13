package explain

import (
	"errors"
	"fmt"
	"strings"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// errLater means that a value is known only while the scenario is played.
var errLater = errors.New("known only while it is played")

// refBytes is what a reference is on the wire, where that is fixed.
func (n *narrator) refBytes(r scenario.Ref) (string, error) {
	switch r.Kind {
	case scenario.ClientName:
		return n.name(r.Client)
	case scenario.Setting:
		return n.codec.Settings[r.Name], nil
	}
	return "", errLater
}

// name is what a client is called on the wire, if that is fixed.
func (n *narrator) name(c *scenario.Client) (string, error) {
	if name, ok := n.names[c]; ok && name == "" {
		return "", errLater
	} else if ok {
		return name, nil
	}
	return c.Name, nil
}

// rename notes under which name a client logs in.
func (n *narrator) rename(step *scenario.Step) {
	if do, ok := step.Do.(scenario.Do); ok && do.HasAs {
		for _, c := range step.Who {
			n.names[c], _ = do.As.Text(n.refBytes) // empty where it is not fixed
		}
	}
}

// bytes is what a client, or the server where from is nil, sends for a
// message, if that is fixed.
func (n *narrator) bytes(from *scenario.Client, o scenario.Outgoing) ([]byte, *wire.Message, error) {
	m := n.codec.Message(o.Message)
	if m == nil {
		return nil, nil, errLater
	}
	args := wire.Args{}
	if from != nil {
		user, err := n.name(from)
		if err != nil {
			return nil, nil, err
		}
		args["user"] = user
	}
	for name, v := range o.Args {
		var err error
		if args[name], err = v.Expand(n.refBytes); err != nil {
			return nil, nil, err
		}
	}
	set := wire.Args{}
	for name, v := range o.Set {
		var err error
		if set[name], err = v.Text(n.refBytes); err != nil {
			return nil, nil, err
		}
	}
	if m.From == wire.Server {
		b, err := n.codec.Example(m, args)
		return b, m, err
	}
	b, err := n.codec.Encode(m, args, set)
	return b, m, err
}

// dump shows bytes: a text as it is, anything else in hexadecimal, with the
// fields that stand in them below.
func (n *narrator) dump(p *page, indent int, b []byte, m *wire.Message) {
	if isPlain(b) {
		p.paragraph(indent, quote(string(b)))
		return
	}
	const row, rows = 16, 3
	left := strings.Repeat(" ", indent)
	for at := 0; at < len(b) && at < row*rows; at += row {
		fmt.Fprintf(p, "%s% x\n", left, b[at:min(at+row, len(b))])
	}
	if len(b) > row*rows {
		fmt.Fprintf(p, "%s… %s bytes in all\n", left, thousands(len(b)))
	}
	if fields := n.fields(b, m); fields != "" {
		p.paragraph(indent, fields)
	}
}

// fields names the fields in the bytes of a message; it is empty where they
// are no whole message.
func (n *narrator) fields(b []byte, m *wire.Message) string {
	if m == nil {
		return ""
	}
	var f wire.Frame
	size, err := n.codec.DecodeQuiet(&f, b, m.From)
	if err != nil || size != len(b) || f.Shape == nil {
		return ""
	}
	var words []string
	for _, field := range f.Transcript(m, m.From).Fields {
		text := fmt.Sprint(field.Value)
		switch value := field.Value.(type) {
		case string:
			text = `"` + value + `"`
			if runes := []rune(value); len(runes) > 2*shown {
				text = fmt.Sprintf(`"%s"… (%s bytes)`, string(runes[:shown]), thousands(field.Size))
			}
		case []any:
			text = strings.ReplaceAll(strings.Trim(text, "[]"), " ", ", ")
		}
		words = append(words, field.Name+" "+text)
	}
	return strings.Join(words, " · ")
}
