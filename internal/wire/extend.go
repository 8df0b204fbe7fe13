package wire

import (
	"slices"

	"github.com/chatprobe/chatprobe/internal/source"
)

// Open finds the protocol file that another one extends.
type Open func(name string) (file string, data []byte, err error)

// extend lays root over the protocol that it extends, if it does.
func extend(root source.Node, open Open, chain []string, errs *source.Errors) (base string, all source.Node) {
	var extends source.Node
	for _, pair := range pairsOf(root, errs) {
		if pair.Key.Raw() == "extends" {
			extends = pair.Value
		}
	}
	if extends.IsNull() {
		return "", root
	}
	base = extends.Text(errs)
	switch {
	case open == nil:
		errs.Add(extends.Pos(), "%s cannot be extended from here", base)
		return "", root
	case len(chain) > 0 && chain[len(chain)-1] == base:
		errs.Add(extends.Pos(), "%s extends itself", base)
		return "", root
	case slices.Contains(chain, base):
		errs.Add(extends.Pos(), "%s extends itself, by way of %s", base, chain[len(chain)-1])
		return "", root
	}
	file, data, err := open(base)
	if err != nil {
		errs.Add(extends.Pos(), "%v", err)
		return "", root
	}
	under := source.Parse(file, data, errs)
	if !under.IsMap() {
		return "", root
	}
	_, under = extend(under, open, append(chain, base), errs)
	return base, overlay(under, root, errs)
}

// overlay lays what a protocol changes over what it extends. Entries of
// settings and requirements keep what is not named again; of a message, what
// it looks like is replaced as a whole.
func overlay(under, over source.Node, errs *source.Errors) source.Node {
	deep := map[string]bool{"settings": true, "requirements": true, "messages": true, "procedures": false}
	return source.Overlay(under, over, func(key string, under, over source.Node) source.Node {
		inner, known := deep[key]
		if !known {
			return over
		}
		return source.Overlay(under, over, func(_ string, under, over source.Node) source.Node {
			if !inner {
				return over
			}
			for _, body := range bodies {
				if key == "messages" && over.Has(body) {
					under = under.Without(append([]string{"where", "except", "ends"}, bodies...)...)
				}
			}
			return source.Overlay(under, over, nil)
		})
	})
}
