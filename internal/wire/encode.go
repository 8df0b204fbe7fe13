package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/chatprobe/chatprobe/internal/source"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

// Encode builds a message. Lengths and counts are computed. set overrides
// fields by name, lengths included, to build messages that are wrong on
// purpose; it may be nil.
func (c *Codec) Encode(m *Message, args Args, set Args) ([]byte, error) {
	if err := m.CanSend(); err != nil {
		return nil, err
	}
	return c.build(m, args, set)
}

// Example is how a message with exactly these parameters looks on the wire. It
// fails where a parameter is open or the text is described by a regular
// expression.
func (c *Codec) Example(m *Message, args Args) ([]byte, error) { return c.build(m, args, nil) }

func (c *Codec) build(m *Message, args, set Args) ([]byte, error) {
	b, err := c.encode(m, m.From, args, set)
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", m.Name, err)
	}
	return b, nil
}

func (c *Codec) encode(m *Message, from Side, args, set Args) ([]byte, error) {
	var all []byte
	for _, part := range m.parts {
		b, err := c.encode(part, from, args, set)
		if err != nil {
			return nil, err
		}
		all = append(all, b...)
	}
	if len(m.parts) > 0 {
		return all, nil
	}
	e := encoder{message: m, args: args, set: set}
	values := make([]any, len(m.Shape.Fields))
	for i, f := range m.Shape.Fields {
		v, err := e.value(f)
		if err != nil {
			return nil, err
		}
		values[i] = v
	}
	body, err := e.append(nil, m.Shape.Fields, values)
	if err != nil || m.Idle {
		return body, err
	}
	if from == "" {
		from = Client // a mere shape: whose framing it has is open
	}
	return c.of(from).framing.wrap(body, set)
}

// CheckSet says whether name is a field of m that a step may override with
// value, or what is wrong.
func (m *Message) CheckSet(name, value string) error {
	if m.header != nil && name == m.header.Name {
		_, err := m.header.number(value)
		return err
	}
	i := slices.IndexFunc(m.Shape.Fields, func(f *Field) bool { return f.Name == name })
	if i < 0 {
		var names []string
		if m.header != nil {
			names = append(names, m.header.Name)
		}
		for _, f := range m.Shape.Fields {
			names = append(names, f.Name)
		}
		return unknown(source.DidYouMean(name, names), "%s has no field %q", m.Name, name)
	}
	switch f := m.Shape.Fields[i]; {
	case f.Type == List:
		return fmt.Errorf("%s is a list: give it as a parameter", name)
	case f.Type.isNumber():
		_, err := f.number(value)
		return err
	}
	return nil
}

type encoder struct {
	message *Message
	args    Args
	set     Args
}

// value is what a field of the shape itself holds: a string or a list. Nil
// stands for a number that is still to be computed.
func (e *encoder) value(f *Field) (any, error) {
	if v, ok := e.set[f.Name]; ok {
		return v, nil
	}
	if c := e.message.condition(f); c != nil {
		if c.json != nil {
			b, err := c.json.append(nil, e.args)
			return string(b), err
		}
		text, err := c.pattern.fill(e.args)
		if err != nil {
			return nil, err
		}
		return f.encoded(text)
	}
	switch {
	case f.HasConstant:
		return f.constant(), nil
	case f.Measures != nil, f.Type.isSum():
		return nil, nil
	}
	v, ok := e.args[f.Name]
	if !ok {
		return nil, fmt.Errorf("the parameter %q has no value", f.Name)
	}
	if text, ok := v.(string); ok {
		return f.encoded(text)
	}
	return v, nil
}

func (f *Field) constant() string {
	if f.Type.isNumber() {
		return strconv.FormatUint(f.Constant, 10)
	}
	return f.ConstantText
}

// encoded is a text in the encoding of its field.
func (f *Field) encoded(text string) (any, error) {
	if f.charset == nil || f.Type != Text {
		return text, nil
	}
	b, err := f.charset.NewEncoder().String(text)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be written in %s: %s", quoteShort(text), f.charset, err)
	}
	return b, nil
}

func (e *encoder) append(b []byte, fields []*Field, values []any) ([]byte, error) {
	for i, f := range fields {
		var err error
		switch {
		case f.Type == List:
			b, err = e.appendList(b, f, values[i])
		case f.Type.isNumber():
			var n uint64
			if n, err = e.number(b, f, fields, values); err == nil {
				b, err = f.appendNumber(b, n)
			}
		default:
			b, err = f.appendText(b, values[i])
		}
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (f *Field) appendText(b []byte, value any) ([]byte, error) {
	text, ok := value.(string)
	switch {
	case !ok:
		return nil, fmt.Errorf("%s must be a text", f.Name)
	case f.Type == IP:
		addr, err := netip.ParseAddr(text)
		if err != nil || f.Size == 4 && !addr.Unmap().Is4() {
			return nil, fmt.Errorf("%s cannot be %s: it is an IP address of %d bytes", f.Name, quoteShort(text), f.Size)
		}
		if f.Size == 4 {
			return append(b, addr.Unmap().AsSlice()...), nil
		}
		long := addr.As16()
		return append(b, long[:]...), nil
	case len(f.Terminator) > 0:
		if strings.Contains(text, string(f.Terminator)) {
			return nil, fmt.Errorf("%s cannot hold what ends it (%q)", f.Name, f.Terminator)
		}
		return append(append(b, text...), f.Terminator...), nil
	case f.SizeFrom == nil && !f.Rest && f.Size != len(text):
		return nil, fmt.Errorf("%s is %d bytes long and must be %d", f.Name, len(text), f.Size)
	}
	return append(b, text...), nil
}

// number is what a number field holds; b is the message before it.
func (e *encoder) number(b []byte, f *Field, fields []*Field, values []any) (uint64, error) {
	switch v := values[slices.Index(fields, f)].(type) {
	case string:
		return f.number(v)
	case Raw:
		return f.number(string(v))
	case nil:
	default:
		return 0, fmt.Errorf("%s must be a number", f.Name)
	}
	if f.Type.isSum() {
		return f.sum(b), nil
	}
	var n uint64
	switch measured := values[slices.Index(fields, f.Measures)].(type) {
	case string:
		n = uint64(len(measured))
	case []any:
		n = uint64(len(measured))
	}
	if n > f.Type.largest() {
		unit := "bytes long"
		if f.Measures.Type == List {
			unit = "entries long"
		}
		return 0, fmt.Errorf("%s is %d %s and %s, a %s, ends at %d",
			f.Measures.Name, n, unit, f.Name, f.Type, f.Type.largest())
	}
	return n, nil
}

// appendNumber writes a number as its type has it.
func (f *Field) appendNumber(b []byte, n uint64) ([]byte, error) {
	switch f.Type {
	case Varint:
		return binary.AppendUvarint(b, n), nil
	case Digits:
		text, err := f.digits(n)
		return append(b, text...), err
	}
	if n > f.Type.largest() {
		return nil, fmt.Errorf("%s cannot be %d: a %s ends at %d", f.Name, n, f.Type, f.Type.largest())
	}
	for i := range f.Type.width() {
		shift := 8 * (f.Type.width() - 1 - i)
		if f.Little {
			shift = 8 * i
		}
		b = append(b, byte(n>>shift))
	}
	return b, nil
}

// appendList writes the entries of a list. An entry with one open field is
// given as that field's value.
func (e *encoder) appendList(b []byte, f *Field, value any) ([]byte, error) {
	list, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf("%s must be a list", f.Name)
	}
	if f.SizeFrom == nil && f.Size != len(list) {
		return nil, fmt.Errorf("%s has %d entries and must have %d", f.Name, len(list), f.Size)
	}
	for _, item := range list {
		values := make([]any, len(f.Entries))
		for i, entry := range f.Entries {
			var err error
			switch {
			case entry.HasConstant:
				values[i] = entry.constant()
			case entry.isValue():
				values[i] = item
				if text, ok := item.(string); ok {
					values[i], err = entry.encoded(text)
				}
			}
			if err != nil {
				return nil, err
			}
		}
		var err error
		if b, err = e.append(b, f.Entries, values); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func quoteShort(s string) string {
	const limit = 60
	if len(s) <= limit {
		return `"` + transcript.Printable([]byte(s)) + `"`
	}
	return fmt.Sprintf(`"%s…" (%d bytes)`, transcript.Printable([]byte(s[:limit/2])), len(s))
}

func quoteList(list []any) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = quoteShort(fmt.Sprint(v))
	}
	return strings.Join(parts, " and ")
}
