package scenario

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/chatprobe/chatprobe/internal/source"
)

var (
	nameSyntax   = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	clientSyntax = regexp.MustCompile(`^[a-z][a-z0-9]*$`)
	eachSyntax   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	crowdSyntax  = regexp.MustCompile(`^([0-9]+) others$`)
)

// Words that stand for somebody else than a client.
const (
	serverWho  = "server"
	programWho = "program"
	othersWho  = "others"
	otherName  = "other"
)

const maxClients = 20000

// loadClients reads `clients: [alice, bob, 98 others]`.
func (l *loader) loadClients(n source.Node) {
	for _, item := range n.Items() {
		text := item.Text(l.errs)
		if !item.IsScalar() {
			continue
		}
		m := crowdSyntax.FindStringSubmatch(text)
		if m == nil {
			l.addClient(item.Pos(), text, true)
			continue
		}
		count, err := strconv.Atoi(m[1])
		if err != nil || count > maxClients {
			l.errs.Add(item.Pos(), "a crowd has at most %d clients", maxClients)
			continue
		}
		for i := range count {
			name := fmt.Sprintf("%s%d", otherName, i+1)
			l.addClient(item.Pos(), name, true)
			if c := l.client(name); c != nil {
				c.Crowd = true
			}
		}
	}
}

func (l *loader) addClient(pos source.Pos, name string, listed bool) {
	switch {
	case !clientSyntax.MatchString(name):
		l.errs.Add(pos, "%q cannot be a client: a name is lower-case letters and digits", name).Hint = "clients: [alice, bob, 10 others]"
		return
	case name == serverWho || name == programWho || name == othersWho || name == Self.Name:
		l.errs.Add(pos, "%q cannot be the name of a client: the word has a meaning of its own", name)
		return
	case l.client(name) != nil:
		l.errs.Add(pos, "client %q is named twice", name)
		return
	}
	l.scenario.Clients = append(l.scenario.Clients, &Client{Name: name, Listed: listed})
}

// declareClients finds the clients that appear in the steps only: those whose
// first step is a connection of their own. It also notes who stops reading.
func (l *loader) declareClients(steps source.Node) {
	for _, step := range steps.Items() {
		if !step.IsMap() {
			continue
		}
		pairs := step.Pairs(l.errs)
		if len(pairs) == 0 {
			continue
		}
		who, verb := splitKey(pairs[0].Key.Raw())
		for _, name := range who {
			c := l.client(name)
			switch verb {
			case "connects", "connect", "does", "do":
				if c == nil && name != othersWho && name != serverWho {
					l.addClient(pairs[0].Key.Pos(), name, false)
				}
			case "stops reading", "stop reading":
				if c != nil {
					c.Stalls = true
				}
				if name == othersWho {
					for _, c := range l.scenario.Clients {
						c.Stalls = c.Stalls || c.Crowd
					}
				}
			}
		}
	}
}

// splitKey takes `bob, carol receive` apart.
func splitKey(key string) (who []string, verb string) {
	words := strings.Fields(strings.ReplaceAll(key, ",", ", "))
	for i, w := range words {
		name, more := strings.CutSuffix(w, ",")
		who = append(who, name)
		if !more {
			return who, strings.Join(words[i+1:], " ")
		}
	}
	return who, ""
}

// client finds a client by name, or nil.
func (l *loader) client(name string) *Client {
	if l.inProtocol && name == Self.Name {
		return Self
	}
	if name == programWho && (l.inProtocol || l.scenario != nil && l.scenario.TestsClient) {
		return Program
	}
	if l.scenario == nil {
		return nil
	}
	for _, c := range l.scenario.Clients {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// who resolves the names at the beginning of a step.
func (l *loader) who(pos source.Pos, names []string) []*Client {
	var list []*Client
	for _, name := range names {
		if name == othersWho {
			for _, c := range l.crowd(pos) {
				if !slices.Contains(list, c) {
					list = append(list, c)
				}
			}
			continue
		}
		c := l.client(name)
		if c == nil {
			var known []string
			if l.scenario != nil {
				for _, c := range l.scenario.Clients {
					known = append(known, c.Name)
				}
			}
			if l.inProtocol {
				known = []string{Self.Name}
			}
			e := l.errs.Add(pos, "there is no client %q", name)
			if e.Hint = source.DidYouMean(name, known); l.scenario != nil && !strings.HasPrefix(e.Hint, "did you mean") {
				e.Hint = "name it in clients:, or let it begin with " + name + " connects:"
			}
			continue
		}
		if slices.Contains(list, c) {
			l.errs.Add(pos, "%q is named twice in this step", name)
			continue
		}
		list = append(list, c)
	}
	return list
}

// crowd is the clients that `98 others` made.
func (l *loader) crowd(pos source.Pos) []*Client {
	var list []*Client
	if l.scenario != nil {
		for _, c := range l.scenario.Clients {
			if c.Crowd {
				list = append(list, c)
			}
		}
	}
	if len(list) == 0 {
		l.errs.Add(pos, "there are no others").Hint = "clients: [alice, bob, 10 others]"
	}
	return list
}
