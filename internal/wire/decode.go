package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"strconv"
)

// Decode reads one message that the given side sent from the beginning of b
// into f and returns how many bytes it is long. The first shape of that side
// whose constants agree with the bytes fixes the fields.
//
// With ErrShort the number is how many bytes are needed at least before it is
// worth asking again; nothing is known about the rest of them. With a
// *MalformedError the number is 0 and the stream cannot be read any further.
// What has an end but is no message of the protocol is a Frame without Shape.
//
// Where the framing is datagram or chunk, all of b is one message: b is one
// datagram, or what one read has returned.
func (c *Codec) Decode(f *Frame, b []byte, from Side) (int, error) {
	return c.decode(f, b, from, false)
}

// DecodeQuiet is Decode for bytes after which nothing more has come for a
// while. A prompt that has no end is a message then, and the first part of a
// message in parts stands for itself.
func (c *Codec) DecodeQuiet(f *Frame, b []byte, from Side) (int, error) {
	return c.decode(f, b, from, true)
}

// Pauses says that there are messages of a side whose end only a pause shows:
// [Codec.DecodeQuiet] is worth asking.
func (c *Codec) Pauses(from Side) bool { return len(c.of(from).idle)+len(c.of(from).parted) > 0 }

// Unframed says that nothing on the wire tells where a message of this side
// ends: what one write sent is one.
func (c *Codec) Unframed(from Side) bool { return c.of(from).framing.kind == byChunk }

// LineEnd is what ends a line, where the messages of a side are lines; else nil.
func (c *Codec) LineEnd(from Side) []byte {
	if fr := c.of(from).framing; fr.kind == byLine {
		return fr.end.sought
	}
	return nil
}

// Excludes says that no message of a side begins like b. It is quick; that it
// does not say so means nothing.
func (c *Codec) Excludes(b []byte, from Side) bool {
	d := c.of(from)
	return d.framing.kind == byFields && !slices.ContainsFunc(d.shapes, func(s *Shape) bool { return !s.excludes(b) })
}

// IsDatagram says that every message of this side is a datagram.
func (c *Codec) IsDatagram(from Side) bool { return c.of(from).framing.kind == byDatagram }

func (c *Codec) decode(f *Frame, b []byte, from Side, quiet bool) (int, error) {
	n, err := c.decodeOne(f, b, from, quiet)
	if err != nil {
		return n, err
	}
	for _, m := range c.of(from).parted {
		if all, err := c.decodeParts(f, m, b, from, quiet); all > 0 || err != nil {
			return all, err
		}
	}
	return n, nil
}

// decodeOne reads one frame.
func (c *Codec) decodeOne(f *Frame, b []byte, from Side, quiet bool) (int, error) {
	f.parts, f.Malformed, f.first = nil, "", false
	d := c.of(from)
	if d.framing.kind == byFields {
		return c.decodeFields(f, b, from)
	}
	if len(d.idle) > 0 {
		if n := c.decodeIdle(f, b, from, quiet); n > 0 {
			return n, nil
		}
	}
	body, header, n, err := d.framing.split(b)
	if err != nil {
		return n, err
	}
	f.Raw = b[:n]
	for _, shape := range d.shapes {
		if !shape.excludes(b[body[0]:body[1]]) && f.decodeBody(b, body, header, shape) == nil {
			f.Shape = shape
			return n, nil
		}
	}
	var worst *MalformedError
	for _, shape := range d.shapes {
		if bad := f.decodeBody(b, body, header, shape); worst == nil || bad.Offset > worst.Offset {
			worst = bad
		}
	}
	f.Shape, f.Values, f.Malformed = nil, f.Values[:0], fmt.Sprintf("no message is ever sent by the %s", from)
	if worst != nil {
		f.Malformed = worst.Error()
	}
	return n, nil
}

// decodeBody reads the fields of a frame whose body is known, or says why it
// has not this shape.
func (f *Frame) decodeBody(b []byte, body [2]int, header []Value, shape *Shape) *MalformedError {
	d := decoder{b: b[:body[1]], begin: body[0], at: body[0], values: append(f.Values[:0], header...)}
	err := d.fields(shape.Fields)
	f.Values = d.values
	switch {
	case err == nil && d.at == body[1]:
		return nil
	case err == nil:
		return &MalformedError{d.at, fmt.Sprintf("%d bytes follow the last field", body[1]-d.at)}
	}
	bad := &MalformedError{body[1], "the message ends in the middle of its fields"}
	_ = errors.As(err, &bad)
	return bad
}

// decodeFields reads a message that ends with its last field.
func (c *Codec) decodeFields(f *Frame, b []byte, from Side) (int, error) {
	shapes := c.of(from).shapes
	for _, shape := range shapes {
		if shape.excludes(b) {
			continue
		}
		d := decoder{b: b, values: f.Values[:0]}
		err := d.fields(shape.Fields)
		f.Values = d.values
		switch err {
		case nil:
			f.Shape, f.Raw = shape, b[:d.at]
			return d.at, nil
		case ErrShort:
			return d.need, ErrShort
		}
	}
	var best *MalformedError
	for _, shape := range shapes {
		d := decoder{b: b, values: f.Values[:0]}
		var bad *MalformedError
		if errors.As(d.fields(shape.Fields), &bad) && (best == nil || bad.Offset > best.Offset) {
			best = bad
		}
	}
	if best == nil {
		best = &MalformedError{Reason: fmt.Sprintf("no message is ever sent by the %s", from)}
	} else if len(shapes) > 1 && best.Offset == 0 {
		best = &MalformedError{Reason: "no message begins like this"}
	}
	return 0, best
}

type decoder struct {
	b      []byte
	begin  int // of the message's body
	at     int
	need   int
	values []Value
}

// fields appends the values of fields to d.values.
func (d *decoder) fields(fields []*Field) error {
	for _, f := range fields {
		if f.isMere {
			width := f.Type.width()
			if len(d.b)-d.at < width {
				d.need = d.at + width
				return ErrShort
			}
			d.values = append(d.values, Value{Field: f, Start: d.at, Size: width, Number: f.fixed(d.b[d.at : d.at+width])})
			d.at += width
			continue
		}
		d.values = append(d.values, Value{Field: f, Start: d.at})
		v := &d.values[len(d.values)-1]
		var err error
		switch {
		case f.Type == List:
			err = d.list(v, d.count(f))
		case f.Type.isNumber():
			err = d.number(v)
		default:
			err = d.text(v)
		}
		if err != nil {
			d.values = d.values[:len(d.values)-1]
			return err
		}
		v.Size = d.at - v.Start
		if len(f.Terminator) > 0 && !f.Type.isNumber() {
			v.Size -= len(f.Terminator)
		}
	}
	return nil
}

// text passes over what is no number.
func (d *decoder) text(v *Value) error {
	f, rest := v.Field, d.b[d.at:]
	switch {
	case f.Rest:
		d.at = len(d.b)
	case len(f.Terminator) > 0:
		i := bytes.Index(rest, f.Terminator)
		if i < 0 && len(rest) > lineLimit {
			return &MalformedError{d.at, fmt.Sprintf("%s does not end within %d MiB", f.Name, lineLimit>>20)}
		}
		if i < 0 {
			d.need = len(d.b) + 1
			return ErrShort
		}
		d.at += i + len(f.Terminator)
		return nil
	default:
		size := d.count(f)
		if size > uint64(len(rest)) {
			d.need = int(min(uint64(d.at)+size, math.MaxInt))
			return ErrShort
		}
		d.at += int(size)
	}
	text := d.b[v.Start:d.at]
	if f.HasConstant && string(text) != f.ConstantText {
		return &MalformedError{v.Start, fmt.Sprintf("%s is %q and not %q", f.Name, text, f.ConstantText)}
	}
	if f.Type == JSON {
		value, err := parseJSON(text)
		if err != nil {
			return &MalformedError{v.Start, "this is no JSON: " + err.Error()}
		}
		v.json = value
	}
	return nil
}

// count is the size of a text or the number of entries of a list.
func (d *decoder) count(f *Field) uint64 {
	if f.SizeFrom == nil {
		return uint64(f.Size)
	}
	for i := len(d.values) - 1; ; i-- {
		if d.values[i].Field == f.SizeFrom {
			return min(d.values[i].Number, math.MaxInt64)
		}
	}
}

func (d *decoder) number(v *Value) error {
	f := v.Field
	var err error
	switch f.Type {
	case Varint:
		err = d.varint(v)
	case Digits:
		err = d.digits(v)
	default:
		err = d.fixed(v)
	}
	if err != nil {
		return err
	}
	if f.HasConstant && v.Number != f.Constant {
		return &MalformedError{v.Start, fmt.Sprintf("%s is %d and not %d", f.Name, v.Number, f.Constant)}
	}
	if f.Type.isSum() {
		if want := f.sum(d.b[d.begin:v.Start]); v.Number != want {
			return &MalformedError{v.Start, fmt.Sprintf("%s is %#x, and the bytes before it give %#x", f.Name, v.Number, want)}
		}
	}
	return nil
}

func (d *decoder) fixed(v *Value) error {
	width := v.Field.Type.width()
	if len(d.b)-d.at < width {
		d.need = d.at + width
		return ErrShort
	}
	v.Number = v.Field.fixed(d.b[d.at : d.at+width])
	d.at += width
	return nil
}

// fixed is the number that all of b is.
func (f *Field) fixed(b []byte) uint64 {
	n := uint64(0)
	switch {
	case f.Little:
		for i := len(b) - 1; i >= 0; i-- {
			n = n<<8 | uint64(b[i])
		}
	case len(b) == 2:
		return uint64(binary.BigEndian.Uint16(b))
	case len(b) == 4:
		return uint64(binary.BigEndian.Uint32(b))
	default:
		for _, octet := range b {
			n = n<<8 | uint64(octet)
		}
	}
	return n
}

func (d *decoder) varint(v *Value) error {
	for shift := 0; ; shift += 7 {
		if d.at == len(d.b) {
			d.need = d.at + 1
			return ErrShort
		}
		octet := d.b[d.at]
		if shift == 63 && octet > 1 {
			return &MalformedError{v.Start, v.Field.Name + " does not fit 64 bits"}
		}
		d.at++
		v.Number |= uint64(octet&0x7f) << shift
		if octet < 0x80 {
			return nil
		}
	}
}

func (d *decoder) digits(v *Value) error {
	f := v.Field
	text := d.b[d.at:]
	if f.Size > 0 {
		if len(text) < f.Size {
			d.need = d.at + f.Size
			return ErrShort
		}
		text = text[:f.Size]
		d.at += f.Size
	} else {
		i := bytes.Index(text, f.Terminator)
		if i < 0 && len(text) < longestNumber+len(f.Terminator) && isDigits(bytes.TrimRight(text, string(f.Terminator))) {
			d.need = len(d.b) + 1
			return ErrShort
		}
		if i < 0 || i > longestNumber {
			return &MalformedError{v.Start, f.Name + " is no number in digits"}
		}
		text = text[:i]
		d.at += i + len(f.Terminator)
	}
	n, err := strconv.ParseUint(string(bytes.Trim(text, " ")), 10, 64)
	if err != nil {
		reason := f.Name + " is no number in digits"
		if f.Size > 0 { // else how much of it has come depends on the cuts
			reason += fmt.Sprintf(": %q", text)
		}
		return &MalformedError{v.Start, reason}
	}
	v.Number = n
	return nil
}

func isDigits(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && c != ' ' {
			return false
		}
	}
	return true
}

// list reads the entries of a list. They take memory only as they arrive: an
// entry has at least one byte.
func (d *decoder) list(v *Value, count uint64) error {
	for i := range count {
		inner := decoder{b: d.b, begin: d.begin, at: d.at}
		err := inner.fields(v.Field.Entries)
		d.at = inner.at
		if err != nil {
			d.need = max(inner.need, int(min(uint64(d.at)+count-i, math.MaxInt)))
			return err
		}
		v.Entries = append(v.Entries, inner.values)
	}
	return nil
}

// sum is the check sum of b.
func (f *Field) sum(b []byte) uint64 {
	if f.Type == CRC32 {
		return uint64(crc32.ChecksumIEEE(b))
	}
	crc := uint16(0xffff)
	for _, octet := range b {
		crc ^= uint16(octet) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return uint64(crc)
}
