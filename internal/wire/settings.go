package wire

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/chatprobe/chatprobe/internal/source"
)

// A Setting is a choice that two correct implementations may make differently.
type Setting struct {
	Name    string
	Default string
	OneOf   []string // the only values allowed; empty means any text
	Warn    []string // values that are reported as unusual
	About   string
	// OnWire says that bytes depend on the value: where it is "any" it has
	// to be found out before anything can be sent.
	OnWire bool
}

// Any is the value of a setting that accepts every choice.
const Any = "any"

func (p *Protocol) loadSettings(n source.Node, errs *source.Errors) {
	for _, pair := range n.Pairs(errs) {
		name := pair.Key.Raw()
		if !word.MatchString(name) {
			errs.Add(pair.Key.Pos(), "a setting's name is letters, digits, _ and -")
		}
		keys := pair.Value.Keys(errs, "default", "one_of", "about", "warn")
		s := &Setting{
			Name:    name,
			Default: keys["default"].Text(errs),
			OneOf:   keys["one_of"].Texts(errs),
			Warn:    keys["warn"].Texts(errs),
			About:   keys["about"].Text(errs),
		}
		if _, ok := keys["default"]; !ok {
			errs.Add(pair.Key.Pos(), "setting %q has no default", name)
		} else if err := s.Check(s.Default); err != nil {
			errs.Add(keys["default"].Pos(), "%v", err)
		}
		for _, w := range s.Warn {
			if err := s.Check(w); err != nil {
				errs.Add(keys["warn"].Pos(), "%v", err)
			}
		}
		p.Settings = append(p.Settings, s)
	}
}

// Check says whether value is allowed.
func (s *Setting) Check(value string) error {
	if len(s.OneOf) > 0 && !slices.Contains(s.OneOf, value) {
		return fmt.Errorf("setting %s cannot be %q: it is one of %s", s.Name, value, strings.Join(s.OneOf, ", "))
	}
	return nil
}

// Choices are the values that a setting can really have.
func (s *Setting) Choices() []string {
	return slices.DeleteFunc(slices.Clone(s.OneOf), func(v string) bool { return v == Any })
}

// Setting finds a setting by its name, or nil.
func (p *Protocol) Setting(name string) *Setting {
	for _, s := range p.Settings {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// SettingNames are the names of all settings as written.
func (p *Protocol) SettingNames() []string {
	names := make([]string, len(p.Settings))
	for i, s := range p.Settings {
		names[i] = s.Name
	}
	return names
}

// Defaults are the settings as the file has them. The map is the caller's.
func (p *Protocol) Defaults() map[string]string {
	values := map[string]string{}
	for _, s := range p.Settings {
		values[s.Name] = s.Default
	}
	return values
}

// Settle adds given to the defaults, or says which name or value is wrong.
func (p *Protocol) Settle(given map[string]string) (map[string]string, error) {
	values := p.Defaults()
	for _, name := range slices.Sorted(maps.Keys(given)) {
		s := p.Setting(name)
		if s == nil {
			return nil, unknown(source.DidYouMean(name, p.SettingNames()), "protocol %s has no setting %q", p.Name, name)
		}
		if err := s.Check(given[name]); err != nil {
			return nil, err
		}
		values[name] = given[name]
	}
	return values, nil
}

// unknown is an error with a hint, which may be empty.
func unknown(hint, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if hint != "" {
		text += ": " + hint
	}
	return errors.New(text)
}

// Open are the settings that are "any" under values although bytes depend on
// them: they must be found out.
func (p *Protocol) Open(values map[string]string) []*Setting {
	var open []*Setting
	for _, s := range p.Settings {
		if s.OnWire && values[s.Name] == Any {
			open = append(open, s)
		}
	}
	return open
}

// Guesses are all ways to fix what is open under values (see [Protocol.Open]),
// in the order in which the choices are written. The maps are the caller's.
func (p *Protocol) Guesses(values map[string]string) []map[string]string {
	list := []map[string]string{maps.Clone(values)}
	for _, s := range p.Open(values) {
		var next []map[string]string
		for _, v := range list {
			for _, choice := range s.Choices() {
				w := maps.Clone(v)
				w[s.Name] = choice
				next = append(next, w)
			}
		}
		list = next
	}
	return list
}
