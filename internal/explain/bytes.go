package explain

import (
	"errors"
	"fmt"
	"strconv"
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
		return r.Client.Name, nil
	case scenario.Setting:
		return n.codec.Settings[r.Name], nil
	}
	return "", errLater
}

// bytes is what a client sends for a message, if that is fixed.
func (n *narrator) bytes(from string, o scenario.Outgoing) ([]byte, *wire.Message, error) {
	m := n.codec.Message(o.Message)
	if m == nil {
		return nil, nil, errLater
	}
	args := wire.Args{"user": from}
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
		if s, ok := field.Value.(string); ok {
			if text = quote(s); field.Size > len(s) {
				text = fmt.Sprintf("%s… (%s bytes)", strconv.Quote(s[:min(shown, len(s))]), thousands(field.Size))
			}
		}
		words = append(words, field.Name+" "+text)
	}
	return strings.Join(words, " · ")
}
