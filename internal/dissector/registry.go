package dissector

import (
	"slices"
	"strings"

	"github.com/chatprobe/chatprobe/internal/wire"
)

// A registry is the fields that can be filtered for. Those of one name and
// kind are one: the widest number, with the names of all enums.
type registry struct {
	fields []*filterField
}

// A filterField is a field as Wireshark knows it.
type filterField struct {
	filter string // its name behind the protocol's
	name   string
	kind   string // such as uint16, string, ipv4
	hex    bool
	names  []wire.EnumName
}

// kinds are what Wireshark calls the types; numbers from the narrowest.
var kinds = map[wire.Type]string{
	wire.U8: "uint8", wire.U16: "uint16", wire.U24: "uint24", wire.U32: "uint32", wire.U64: "uint64",
	wire.Varint: "uint64", wire.Digits: "uint64", wire.CRC16: "uint16", wire.CRC32: "uint32",
	wire.Text: "string", wire.JSON: "string", wire.Bytes: "bytes", wire.List: "none",
}

var numbers = []string{"uint8", "uint16", "uint24", "uint32", "uint64"}

// own are the filters that every dissector has; a protocol's own fields of
// that name are called otherwise.
var own = []string{"message", "from", "unreadable", "malformed", "no_message", "unnamed", "cut"}

// field finds or makes the entry of a field and returns its number, from 1.
// under is the list that it stands in, or empty.
func (r *registry) field(f *wire.Field, under string) int {
	kind := kinds[f.Type]
	if f.Type == wire.IP {
		kind = map[int]string{4: "ipv4", 16: "ipv6"}[f.Size]
	}
	n := r.add(filterField{filter: under + f.Name, name: f.Name, kind: kind, hex: f.Type == wire.CRC16 || f.Type == wire.CRC32})
	entry := r.fields[n-1]
	for _, e := range f.Enum {
		entry.addName(e)
	}
	return n
}

// param is the number of a parameter's entry: a text.
func (r *registry) param(name string) int {
	return r.add(filterField{filter: name, name: name, kind: "string"})
}

func (r *registry) add(f filterField) int {
	if slices.Contains(own, f.filter) {
		f.filter += "_"
	}
	number := slices.Index(numbers, f.kind)
	for try := f.filter; ; try += "_" + f.kind {
		i := slices.IndexFunc(r.fields, func(o *filterField) bool { return o.filter == try })
		switch {
		case i < 0:
			f.filter = try
			r.fields = append(r.fields, &f)
			return len(r.fields)
		case r.fields[i].kind == f.kind:
		case number >= 0 && slices.Contains(numbers, r.fields[i].kind):
			r.fields[i].kind = numbers[max(number, slices.Index(numbers, r.fields[i].kind))]
		default:
			continue // a text and a number have one name: the second says what it is
		}
		r.fields[i].hex = r.fields[i].hex && f.hex
		return i + 1
	}
}

// addName adds a name for a number; one that has several shows them all.
func (f *filterField) addName(e wire.EnumName) {
	i := slices.IndexFunc(f.names, func(o wire.EnumName) bool { return o.Number == e.Number })
	switch {
	case i < 0:
		f.names = append(f.names, e)
	case !slices.Contains(strings.Split(f.names[i].Name, " or "), e.Name):
		f.names[i].Name += " or " + e.Name
	}
}

func (r *registry) table() table {
	return list(r.fields, func(f *filterField) any {
		t := table{{"filter", f.filter}, {"name", f.name}, {"kind", f.kind}}
		t.set("hex", f.hex)
		if len(f.names) > 0 {
			t = append(t, pair{"names", list(f.names, func(e wire.EnumName) any {
				return table{{"", number(e.Number)}, {"", e.Name}}
			})})
		}
		return t
	})
}
