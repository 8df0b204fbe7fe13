package wire

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/charmap"

	"github.com/chatprobe/chatprobe/internal/source"
)

// Type is how a field stands on the wire.
type Type int

// The types. Numbers are unsigned. U8 to U64 stand in the byte order of the
// field, Varint in seven bits a byte, the low ones first (as in Protocol
// Buffers), Digits in ASCII. CRC16 (CCITT-FALSE) and CRC32 (IEEE 802.3) are sums over all bytes of
// the message before them. IP is an address of 4 or 16 bytes. Text and Bytes
// are as long as their size, their terminator or the message says; List is a
// number of entries.
const (
	U8 Type = iota
	U16
	U24
	U32
	U64
	Varint
	Digits
	CRC16
	CRC32
	IP
	Text
	Bytes
	List
	JSON
)

var typeNames = []string{"u8", "u16", "u24", "u32", "u64", "varint", "digits", "crc16", "crc32", "ip", "text", "bytes", "list", "json"}

// String is the type's name in protocol files.
func (t Type) String() string { return typeNames[t] }

// typeNamed is the type that a field can be given by its name, or -1.
func typeNamed(name string) Type { return Type(slices.Index(typeNames[:List], name)) }

func (t Type) isNumber() bool { return t <= CRC32 }

// IsNumber says that what the type holds is a number.
func (t Type) IsNumber() bool { return t.isNumber() }

// isSum tells a number that is computed from the bytes before it.
func (t Type) isSum() bool { return t == CRC16 || t == CRC32 }

// width is the size of a number in bytes, 0 where that is not fixed.
func (t Type) width() int {
	switch t {
	case U8:
		return 1
	case U16, CRC16:
		return 2
	case U24:
		return 3
	case U32, CRC32:
		return 4
	case U64:
		return 8
	}
	return 0
}

// largest is the largest value of a number type.
func (t Type) largest() uint64 {
	if t.width() == 0 || t == U64 {
		return math.MaxUint64
	}
	return 1<<(8*t.width()) - 1
}

// A Shape is a sequence of fields: how some messages look on the wire.
type Shape struct {
	Name   string
	Fields []*Field

	begins []byte // what the constants in front are on the wire
}

// A Field is one field of a shape.
type Field struct {
	Name   string
	Type   Type
	Little bool // byte order of a number: little-endian; else big-endian

	// Where a Text, Bytes or List ends: after as many bytes (entries, for a
	// List) as the field SizeFrom says; before Terminator; with Rest at the end
	// of the message; or else after Size. Size is also the width of an IP and,
	// unless they have a Terminator, of Digits.
	SizeFrom   *Field
	Size       int
	Terminator []byte
	Rest       bool
	Pad        Pad

	// Constant is what a number with contents always holds, Text what anything
	// else does; HasConstant tells.
	Constant     uint64
	ConstantText string
	HasConstant  bool

	Enum    []EnumName // names for numbers
	Entries []*Field   // the fields of each entry of a List

	// Measures is the field whose length (or count) this number states; it is
	// computed when a message is built. Nil for any other field.
	Measures *Field

	isMere  bool // a number of fixed size, of which nothing else is said
	framing bool // it stands in front of the message, not in it
	charset *charmap.Charmap
}

// An EnumName is a name for a number.
type EnumName struct {
	Name   string
	Number uint64
}

type shapeDecl struct {
	name   string
	fields []*fieldDecl
	broken bool // something is wrong in it: what uses it is not looked at
}

type fieldDecl struct {
	pos      source.Pos
	field    Field // without the parts that depend on others or on settings
	order    string
	orderPos source.Pos
	size     string // a number or a field's name
	sizePos  source.Pos
	entries  []*fieldDecl
}

// loadFields reads a list of fields, which pos needs.
func loadFields(n source.Node, pos source.Pos, errs *source.Errors) []*fieldDecl {
	var fields []*fieldDecl
	for _, item := range n.Items() {
		if f := loadField(item, errs); f != nil {
			if slices.ContainsFunc(fields, func(o *fieldDecl) bool { return o.field.Name == f.field.Name }) {
				errs.Add(f.pos, "field %q stands here a second time", f.field.Name)
			}
			fields = append(fields, f)
		}
	}
	for _, f := range fields[:max(0, len(fields)-1)] {
		if f.field.Rest {
			errs.Add(f.pos, "field %s needs a size or a terminator: only the last field of a message may take the rest", f.field.Name)
		}
	}
	if len(n.Items()) == 0 {
		errs.Add(pos, "at least one field is needed here").Hint = "fields: [{name: Length, type: u16}, ...]"
	}
	return fields
}

func loadField(n source.Node, errs *source.Errors) *fieldDecl {
	keys := n.Keys(errs, "name", "type", "order", "size", "terminator", "width", "pad", "contents", "enum", "repeat", "fields")
	if n.IsNull() {
		errs.Add(n.Pos(), "a field is missing here").Hint = "- {name: Length, type: u16}"
	}
	if !n.IsMap() {
		return nil
	}
	d := &fieldDecl{pos: n.Pos(), orderPos: keys["order"].Pos()}
	d.field.Name = keys["name"].Text(errs)
	if !word.MatchString(d.field.Name) {
		errs.Add(n.Pos(), "a field needs a name of letters, digits, _ and -")
		return nil
	}
	if !keys["repeat"].IsNull() {
		d.loadList(keys, errs)
		return d
	}
	if fields := keys["fields"]; !fields.IsNull() {
		errs.Add(fields.Pos(), "only a list has fields of its own").Hint = "{repeat: Count, name: users, fields: [...]}"
	}
	typ := typeNamed(keys["type"].Text(errs))
	if typ < 0 {
		errs.Add(n.Pos(), "field %s has no type that is known", d.field.Name).Hint =
			source.DidYouMean(keys["type"].Text(errs), typeNames[:List])
		return nil
	}
	d.field.Type = typ
	d.order, d.size, d.sizePos = keys["order"].Text(errs), keys["size"].Text(errs), keys["size"].Pos()
	d.loadDigits(keys, errs)
	d.loadConstants(keys["contents"], keys["enum"], errs)
	d.loadEnd(keys["terminator"], errs)
	if typ.width() == 0 && d.order != "" {
		errs.Add(keys["order"].Pos(), "only numbers of fixed size have a byte order")
	}
	return d
}

// loadEnd reads what says where a field ends.
func (d *fieldDecl) loadEnd(terminator source.Node, errs *source.Errors) {
	f := &d.field
	switch text := f.Type == Text || f.Type == Bytes; {
	case f.Type.isNumber() && d.size != "":
		errs.Add(d.sizePos, "a %s has its own size", f.Type)
	case f.Type == Digits: // read by loadDigits
	case !terminator.IsNull() && (!text || d.size != "" || f.HasConstant):
		errs.Add(terminator.Pos(), "only a text or bytes without a size have a terminator")
	case !terminator.IsNull():
		if f.Terminator = []byte(terminator.Text(errs)); len(f.Terminator) == 0 {
			errs.Add(terminator.Pos(), "a terminator has at least one byte")
		}
	case f.Type == IP && d.size == "":
		f.Size = 4
	case f.Type == IP && d.size != "4" && d.size != "16":
		errs.Add(d.sizePos, "an address has a size of 4 or 16")
	case text && f.HasConstant:
		if d.size != "" {
			errs.Add(d.sizePos, "contents have their own size")
		}
		f.Size = len(f.ConstantText)
	case text && d.size == "":
		f.Rest = true
	}
}

// loadList reads {repeat: Count, name: users, fields: [...]}.
func (d *fieldDecl) loadList(keys map[string]source.Node, errs *source.Errors) {
	d.field.Type = List
	d.size, d.sizePos = keys["repeat"].Text(errs), keys["repeat"].Pos()
	for _, key := range []string{"type", "order", "size", "terminator", "width", "pad", "contents", "enum"} {
		if n := keys[key]; !n.IsNull() {
			errs.Add(n.Pos(), "a list has no %s:, only its fields have", key)
		}
	}
	d.entries = loadFields(keys["fields"], d.pos, errs)
	sizes := map[string]bool{}
	for _, e := range d.entries {
		sizes[e.size] = true
	}
	number, values := false, 0
	for _, e := range d.entries {
		number = number || e.field.Type.isNumber() || len(e.field.Terminator) > 0
		if e.field.Rest {
			errs.Add(e.pos, "field %s needs a size or a terminator: only the last field of a message may take the rest", e.field.Name)
		}
		if !e.field.HasConstant && !sizes[e.field.Name] {
			values++
		}
	}
	switch {
	case len(d.entries) == 0:
	case !number:
		errs.Add(d.pos, "an entry of %s needs a number or a terminator: entries must not be empty", d.field.Name)
	case values != 1:
		errs.Add(d.pos, "an entry of %s must carry one value, and here it carries %d", d.field.Name, values).Hint =
			"sizes and constants do not count"
	}
}

func (d *fieldDecl) loadConstants(contents, enum source.Node, errs *source.Errors) {
	f := &d.field
	number := f.Type.isNumber() && !f.Type.isSum()
	switch {
	case contents.IsNull():
	case number:
		v, err := strconv.ParseUint(contents.Raw(), 0, 64)
		if err != nil || v > f.Type.largest() {
			errs.Add(contents.Pos(), "contents must be a number that fits a %s", f.Type)
		}
		f.Constant, f.HasConstant = v, true
	case f.Type == Text || f.Type == Bytes:
		f.ConstantText, f.HasConstant = contents.Text(errs), true
		if f.ConstantText == "" {
			errs.Add(contents.Pos(), "contents have at least one byte")
		}
	default:
		errs.Add(contents.Pos(), "a %s has no contents of its own", f.Type)
	}
	if !enum.IsNull() && !number {
		errs.Add(enum.Pos(), "an enum is for numbers")
		return
	}
	for _, p := range enum.Pairs(errs) {
		v, err := strconv.ParseUint(p.Value.Raw(), 0, 64)
		if err != nil || v > d.field.Type.largest() {
			errs.Add(p.Value.Pos(), "an enum gives each name a number that fits a %s", d.field.Type)
		}
		d.field.Enum = append(d.field.Enum, EnumName{p.Key.Raw(), v})
	}
}

// bindFields makes the fields of a shape, or of an entry, under some settings.
func (b *binder) bindFields(decls []*fieldDecl) []*Field {
	var fields []*Field
	for _, d := range decls {
		f := d.field
		f.Little, f.charset = b.order(d), b.charset
		if d.size != "" {
			b.bindSize(&f, d, fields)
		}
		f.Entries = b.bindFields(d.entries)
		f.isMere = f.Type.width() > 0 && !f.HasConstant && !f.Type.isSum()
		fields = append(fields, &f)
	}
	return fields
}

func (b *binder) order(d *fieldDecl) (little bool) {
	switch order := b.substitute(d.order, d.orderPos); order {
	case "little":
		return true
	case "", "big", Any:
		return false
	default:
		b.errs.Add(d.orderPos, "the byte order is big or little, not %q", order)
		return false
	}
}

func (b *binder) bindSize(f *Field, d *fieldDecl, earlier []*Field) {
	size := b.substitute(d.size, d.sizePos)
	if n, err := strconv.Atoi(size); err == nil && n >= 0 {
		f.Size = n
		return
	}
	i := slices.IndexFunc(earlier, func(e *Field) bool { return e.Name == size })
	switch {
	case i < 0:
		var names []string
		for _, e := range earlier {
			if e.Type.isNumber() {
				names = append(names, e.Name)
			}
		}
		b.errs.Add(d.sizePos, "field %s: %q is neither a number nor an earlier field", f.Name, size).Hint =
			source.DidYouMean(size, names)
	case !earlier[i].Type.isNumber() || earlier[i].Type.isSum():
		b.errs.Add(d.sizePos, "field %s: the size must be a number field, and %s is %s", f.Name, size, earlier[i].Type)
	case earlier[i].Measures != nil:
		b.errs.Add(d.sizePos, "field %s: %s is the size of another field already", f.Name, size)
	case earlier[i].HasConstant:
		b.errs.Add(d.sizePos, "field %s: %s is always %d", f.Name, size, earlier[i].Constant).Hint = fmt.Sprintf("size: %d", earlier[i].Constant)
	default:
		f.SizeFrom = earlier[i]
		f.SizeFrom.Measures = f
	}
}

// isValue tells a field that holds something of its own: no constant, no size
// of another field, no sum.
func (f *Field) isValue() bool {
	return !f.HasConstant && f.Measures == nil && !f.framing && !f.Type.isSum()
}

// carries is the field of a list's entries that holds their value.
func (f *Field) carries() *Field {
	i := slices.IndexFunc(f.Entries, (*Field).isValue)
	if i < 0 {
		return f
	}
	return f.Entries[i]
}

// number reads a field's number from text: a name of its enum or digits.
func (f *Field) number(text string) (uint64, error) {
	for _, e := range f.Enum {
		if e.Name == text {
			return e.Number, nil
		}
	}
	v, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		if len(f.Enum) > 0 {
			var names []string
			for _, e := range f.Enum {
				names = append(names, e.Name)
			}
			return 0, fmt.Errorf("%s cannot be %q: it is a number or one of %s", f.Name, text, strings.Join(names, ", "))
		}
		return 0, fmt.Errorf("%s cannot be %q: it is a number", f.Name, text)
	}
	if v > f.Type.largest() {
		return 0, fmt.Errorf("%s cannot be %d: a %s ends at %d", f.Name, v, f.Type, f.Type.largest())
	}
	return v, nil
}

// show is a number as text: its name, if it has one.
func (f *Field) show(v uint64) string {
	for _, e := range f.Enum {
		if e.Number == v {
			return e.Name
		}
	}
	return strconv.FormatUint(v, 10)
}

// note is the name of a number, empty if it has none.
func (f *Field) note(v uint64) string {
	if len(f.Enum) == 0 {
		return ""
	}
	if name := f.show(v); name != strconv.FormatUint(v, 10) {
		return name
	}
	return ""
}
