package explain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// shown is how much of a long text is shown.
const shown = 40

// refWords says what a reference stands for.
func (n *narrator) refWords(r scenario.Ref) (string, error) {
	switch r.Kind {
	case scenario.ClientName:
		return r.Client.Name, nil
	case scenario.ClientIP:
		return "<the address of " + r.Client.Name + ">", nil
	case scenario.ClientPort:
		return "<the port of " + r.Client.Name + ">", nil
	case scenario.Setting:
		return n.codec.Settings[r.Name], nil
	case scenario.SelfName:
		return "<its own name>", nil
	case scenario.TokenText:
		return "<a random word>", nil
	case scenario.ServerPort:
		return "<the server's port>", nil
	}
	return "<" + r.Name + ", as received before>", nil
}

// value says what a value is, in words.
func (n *narrator) value(v scenario.Value) string {
	if v.Bind != "" {
		return "anything, called " + v.Bind + " from here on"
	}
	out, err := v.Expand(n.refWords)
	if err != nil {
		return "a value that is known only while it is played"
	}
	switch out := out.(type) {
	case []any:
		words := make([]string, len(out))
		for i, item := range out {
			words[i] = fmt.Sprint(item)
		}
		if len(words) > 8 {
			words = append(words[:6], fmt.Sprintf("… (%d in all)", len(words)))
		}
		return "[" + strings.Join(words, ", ") + "]"
	case wire.Raw:
		return string(out)
	case string:
		if r, ok := v.Alone(); ok && r.Kind != scenario.Literal && r.Kind != scenario.Setting {
			return strings.Trim(out, "<>")
		}
		return quote(out)
	}
	return fmt.Sprint(out)
}

// quote shows a text, shortened.
func quote(text string) string {
	if len(text) <= 2*shown {
		return strconv.Quote(text)
	}
	head := text[:shown]
	for !utf8.ValidString(head) && utf8.ValidString(text) {
		head = head[:len(head)-1]
	}
	return fmt.Sprintf("%s… (%s bytes)", strings.TrimSuffix(strconv.Quote(head), `"`)+`"`, thousands(len(text)))
}

// thousands writes a number with commas.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// arguments says which parameters of a message hold what.
func (n *narrator) arguments(name string, args map[string]scenario.Value) string {
	m := n.codec.Message(name)
	if m == nil || len(args) == 0 {
		return ""
	}
	var words []string
	for _, param := range m.Params() {
		if v, ok := args[param]; ok {
			words = append(words, param+" "+n.value(v))
		}
	}
	return strings.Join(words, ", ")
}

// message is a message and its parameters in words.
func (n *narrator) message(name string, args map[string]scenario.Value) string {
	if words := n.arguments(name, args); words != "" {
		return name + " (" + words + ")"
	}
	return name
}

func (n *narrator) outgoing(list []scenario.Outgoing) string {
	words := make([]string, len(list))
	for i, o := range list {
		words[i] = n.message(o.Message, o.Args)
	}
	return and(words)
}

// plain is the argument of a message that has no other one but user, which
// is sent or received under a name that says everything.
func plain(args map[string]scenario.Value) bool {
	_, text := args["text"]
	_, user := args["user"]
	return text && (len(args) == 1 || user && len(args) == 2)
}

func (n *narrator) expected(list []scenario.Expected) []string {
	words := make([]string, len(list))
	for i, x := range list {
		if words[i] = n.message(x.Message, x.Args); x.Disconnect {
			words[i] = "the end of the connection"
		}
	}
	return words
}

// who names clients; a crowd is counted.
func who(list []*scenario.Client) string {
	var words []string
	var crowd []*scenario.Client
	for _, c := range list {
		switch {
		case c == scenario.Self:
			words = append(words, "the client")
		case c == scenario.Program:
			words = append(words, "the program")
		case c.Crowd:
			crowd = append(crowd, c)
		default:
			words = append(words, c.Name)
		}
	}
	switch {
	case len(crowd) == 1:
		words = append(words, crowd[0].Name)
	case len(crowd) > 0:
		words = append(words, thousands(len(crowd))+" others")
	}
	return and(words)
}

// verb is singular for one client, else plural.
func verb(list []*scenario.Client, singular, plural string) string {
	if len(list) == 1 {
		return singular
	}
	return plural
}

// each marks what every one of several clients does for itself.
func each(list []*scenario.Client) string { return verb(list, "must ", "must each ") }

// number is a value that counts something.
func (n *narrator) number(v scenario.Value) string {
	text, err := v.Text(n.refWords)
	if err != nil {
		return "some"
	}
	if i, err := strconv.Atoi(text); err == nil {
		return thousands(i)
	}
	return text
}

// cutting says how bytes are spread over segments.
func (n *narrator) cutting(c scenario.Cutting) string {
	switch {
	case c.Everywhere:
		return ", first in one segment and then, with all steps again each time, cut in two behind each byte"
	case c.Cut.IsSet():
		return fmt.Sprintf(", but only the first %s of its bytes; the rest is held back", n.number(c.Cut))
	case c.Pieces.IsSet() && n.number(c.Pieces) == "1":
		return ", one byte at a time"
	case c.Pieces.IsSet():
		return fmt.Sprintf(", %s bytes at a time", n.number(c.Pieces))
	case len(c.Split) > 0:
		var at []string
		for _, v := range c.Split {
			at = append(at, n.number(v))
		}
		return ", cut behind byte " + and(at)
	}
	return ""
}

// isPlain says that bytes are best shown as text.
func isPlain(b []byte) bool {
	return utf8.Valid(b) && !slices.ContainsFunc([]rune(string(b)), func(r rune) bool {
		return !unicode.IsPrint(r) && !strings.ContainsRune("\n\r\t", r)
	})
}
