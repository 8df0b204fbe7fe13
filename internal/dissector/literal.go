package dissector

import (
	"fmt"
	"strconv"
	"strings"
)

// A pair is an entry of a Lua table. An empty key is the next number.
type pair struct {
	key   string
	value any
}

// A table is a Lua table in a fixed order.
type table []pair

// list is a table of values without keys.
func list[T any](values []T, literal func(T) any) table {
	t := table{}
	for _, v := range values {
		t = append(t, pair{"", literal(v)})
	}
	return t
}

// set adds a value that is not nil, false or empty.
func (t *table) set(key string, value any) {
	switch v := value.(type) {
	case nil:
		return
	case bool:
		if !v {
			return
		}
	case string:
		if v == "" {
			return
		}
	}
	*t = append(*t, pair{key, value})
}

// simple says that a table fits one line.
func (t table) simple() bool {
	size := 0
	for _, p := range t {
		inner, isTable := p.value.(table)
		switch {
		case isTable && !inner.simple():
			return false
		case isTable:
			size += len(inner.line())
		default:
			size += len(fmt.Sprint(p.value))
		}
		size += len(p.key) + 4
	}
	return size < 100
}

func (t table) line() string {
	var parts []string
	for _, p := range t {
		parts = append(parts, key(p.key)+literal(p.value, 0))
	}
	if len(parts) == 0 {
		return "{}"
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}

// literal is a value as Lua reads it.
func literal(value any, depth int) string {
	switch v := value.(type) {
	case table:
		if v.simple() {
			return v.line()
		}
		indent := strings.Repeat("  ", depth+1)
		var b strings.Builder
		b.WriteString("{\n")
		for _, p := range v {
			b.WriteString(indent + key(p.key) + literal(p.value, depth+1) + ",\n")
		}
		return b.String() + strings.Repeat("  ", depth) + "}"
	case string:
		return quote(v)
	}
	return fmt.Sprint(value) // numbers, true and false
}

// key is written so that whatever it holds is a key and nothing else.
func key(name string) string {
	switch {
	case name == "":
		return ""
	case isName(name):
		return name + " = "
	}
	return "[" + quote(name) + "] = "
}

// isName says that a key can stand without quotes. Lua's own words have none
// of the keys that are written here.
func isName(s string) bool {
	for i, c := range s {
		if c != '_' && (c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && !reserved[s]
}

var reserved = map[string]bool{
	"and": true, "break": true, "do": true, "else": true, "elseif": true, "end": true, "false": true, "for": true,
	"function": true, "goto": true, "if": true, "in": true, "local": true, "nil": true, "not": true, "or": true,
	"repeat": true, "return": true, "then": true, "true": true, "until": true, "while": true,
}

// quote is any bytes as a Lua string that every Lua since 5.1 reads alike: what
// is no plain ASCII stands in three decimal digits.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			b.WriteString(`\` + fmt.Sprintf("%03d", c))
		default:
			b.WriteByte(c)
		}
	}
	return b.String() + `"`
}

// comment is text that can stand in one line behind --.
func comment(s string) string { return strings.Trim(strconv.QuoteToASCII(s), `"`) }
