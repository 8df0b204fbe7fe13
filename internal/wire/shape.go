package wire

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/chatprobe/chatprobe/internal/source"
)

// Type is how a field stands on the wire.
type Type int

// The types. Numbers are unsigned, in the byte order of the field; Text and
// Bytes are as long as their size says; List is a number of entries.
const (
	U8 Type = iota
	U16
	U24
	U32
	U64
	Text
	Bytes
	List
)

var typeNames = []string{"u8", "u16", "u24", "u32", "u64", "text", "bytes", "list"}

// String is the type's name in protocol files.
func (t Type) String() string { return typeNames[t] }

// width is the size of a number in bytes, 0 for what is no number.
func (t Type) width() int {
	switch t {
	case U8:
		return 1
	case U16:
		return 2
	case U24:
		return 3
	case U32:
		return 4
	case U64:
		return 8
	}
	return 0
}

// largest is the largest value of a number type.
func (t Type) largest() uint64 {
	if t == U64 {
		return math.MaxUint64
	}
	return 1<<(8*t.width()) - 1
}

// A Shape is a sequence of fields: how some messages look on the wire.
type Shape struct {
	Name   string
	Fields []*Field
}

// A Field is one field of a shape.
type Field struct {
	Name   string
	Type   Type
	Little bool // byte order of a number: little-endian; else big-endian

	// Where a Text, Bytes or List ends: after as many bytes (entries, for a
	// List) as the field SizeFrom says, or else after Size.
	SizeFrom *Field
	Size     int

	// Constant is what a field with contents always holds; HasConstant tells.
	Constant    uint64
	HasConstant bool

	Enum    []EnumName // names for numbers
	Entries []*Field   // the fields of each entry of a List

	// Measures is the field whose length (or count) this number states; it is
	// computed when a message is built. Nil for any other field.
	Measures *Field
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
	if len(n.Items()) == 0 {
		errs.Add(pos, "at least one field is needed here").Hint = "fields: [{name: Length, type: u16}, ...]"
	}
	return fields
}

func loadField(n source.Node, errs *source.Errors) *fieldDecl {
	keys := n.Keys(errs, "name", "type", "order", "size", "contents", "enum", "repeat", "fields")
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
	typ := slices.Index(typeNames[:List], keys["type"].Text(errs))
	if typ < 0 {
		errs.Add(n.Pos(), "field %s has no type that is known", d.field.Name).Hint =
			source.DidYouMean(keys["type"].Text(errs), typeNames[:List])
		return nil
	}
	d.field.Type = Type(typ)
	d.order, d.size, d.sizePos = keys["order"].Text(errs), keys["size"].Text(errs), keys["size"].Pos()
	number := d.field.Type.width() > 0
	switch {
	case number && d.size != "":
		errs.Add(keys["size"].Pos(), "a %s has its own size", d.field.Type)
	case !number && d.size == "":
		errs.Add(n.Pos(), "field %s needs a size: a number or an earlier field", d.field.Name)
	case !number && d.order != "":
		errs.Add(keys["order"].Pos(), "only numbers have a byte order")
	}
	d.loadConstants(keys["contents"], keys["enum"], errs)
	return d
}

// loadList reads {repeat: Count, name: users, fields: [...]}.
func (d *fieldDecl) loadList(keys map[string]source.Node, errs *source.Errors) {
	d.field.Type = List
	d.size, d.sizePos = keys["repeat"].Text(errs), keys["repeat"].Pos()
	for _, key := range []string{"type", "order", "size", "contents", "enum"} {
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
		number = number || e.field.Type.width() > 0
		if !e.field.HasConstant && !sizes[e.field.Name] {
			values++
		}
	}
	switch {
	case len(d.entries) == 0:
	case !number:
		errs.Add(d.pos, "an entry of %s needs a number: entries must not be empty", d.field.Name)
	case values != 1:
		errs.Add(d.pos, "an entry of %s must carry one value, and here it carries %d", d.field.Name, values).Hint =
			"sizes and constants do not count"
	}
}

func (d *fieldDecl) loadConstants(contents, enum source.Node, errs *source.Errors) {
	number := d.field.Type.width() > 0
	if !number && (!contents.IsNull() || !enum.IsNull()) {
		errs.Add(d.pos, "contents and enum are for numbers")
		return
	}
	if !contents.IsNull() {
		v, err := strconv.ParseUint(contents.Raw(), 0, 64)
		if err != nil || v > d.field.Type.largest() {
			errs.Add(contents.Pos(), "contents must be a number that fits a %s", d.field.Type)
		}
		d.field.Constant, d.field.HasConstant = v, true
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
		f.Little = b.order(d)
		if d.size != "" {
			b.bindSize(&f, d, fields)
		}
		f.Entries = b.bindFields(d.entries)
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
			if e.Type.width() > 0 {
				names = append(names, e.Name)
			}
		}
		b.errs.Add(d.sizePos, "field %s: %q is neither a number nor an earlier field", f.Name, size).Hint =
			source.DidYouMean(size, names)
	case earlier[i].Type.width() == 0:
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

// isValue tells a field that holds something of its own: no constant and no
// size of another field.
func (f *Field) isValue() bool { return !f.HasConstant && f.Measures == nil }

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
