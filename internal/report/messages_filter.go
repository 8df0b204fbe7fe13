package report

import (
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// A Filter says which messages of a capture are shown: those to which all of
// its parts apply. The zero Filter lets everything pass.
type Filter struct {
	Messages  []string    // any of these names; together with Malformed, either
	Malformed bool        // what is no message
	From      From        // who says it
	Client    Client      // whose connection it is on
	Conn      int         // the number of that connection; 0 is any
	Where     []Condition // what fields hold
	Times     Times       // when it came
}

// IsEmpty says that everything passes.
func (f *Filter) IsEmpty() bool {
	return len(f.Messages) == 0 && !f.Malformed && f.From == From{} && f.Client == Client{} && f.Conn == 0 &&
		len(f.Where) == 0 && f.Times == Times{}
}

// Pass says whether m is shown. The scene must have learnt it.
func (f *Filter) Pass(m *transcript.Decoded, scene *Scene) bool {
	if len(f.Messages) > 0 || f.Malformed {
		isMalformed := m.Malformed != ""
		if !(f.Malformed && isMalformed || !isMalformed && slices.Contains(f.Messages, m.Name)) {
			return false
		}
	}
	if f.Conn != 0 && m.Conn != f.Conn || !f.From.is(m) || !f.Client.is(m, scene) || !f.Times.hold(m.Time, scene.begin(m)) {
		return false
	}
	for i := range f.Where {
		if !f.Where[i].holds(m) {
			return false
		}
	}
	return true
}

// A From is one who speaks: the client or the server of a connection, or who
// has an address.
type From struct {
	side string
	addr addr
}

// ParseFrom reads client, server, or an address with or without a port.
func ParseFrom(s string) (From, error) {
	if s == "client" || s == "server" {
		return From{side: s}, nil
	}
	a, ok := parseAddr(s)
	if !ok {
		return From{}, fmt.Errorf("%q is neither client nor server nor an address such as 127.0.0.1 or 127.0.0.1:4445", s)
	}
	return From{addr: a}, nil
}

func (f From) is(m *transcript.Decoded) bool {
	return (f.side == "" || f.side == m.From) && f.addr.is(m.Sender)
}

// A Client is the client of a connection: who has an address, or has logged in
// under a name.
type Client struct {
	name string
	addr addr
}

// ParseClient reads a name, or an address with or without a port.
func ParseClient(s string) Client {
	if a, ok := parseAddr(s); ok {
		return Client{addr: a}
	}
	return Client{name: s}
}

// IsNamed says that it is known by a name.
func (c Client) IsNamed() bool { return c.name != "" }

func (c Client) is(m *transcript.Decoded, scene *Scene) bool {
	return (c.name == "" || c.name == scene.Name(m)) && (c.addr == addr{} || c.addr.is(linkOf(m).client))
}

// An addr is an address as messages have it. Where it is only that of a host,
// it ends with a colon. The zero addr is any.
type addr struct{ text string }

func parseAddr(s string) (addr, bool) {
	if a, err := netip.ParseAddrPort(s); err == nil {
		return addr{netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String()}, true
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		return addr{}, false
	}
	return addr{strings.TrimSuffix(netip.AddrPortFrom(a.Unmap(), 0).String(), "0")}, true
}

func (a addr) is(s string) bool {
	if strings.HasSuffix(a.text, ":") {
		return strings.HasPrefix(s, a.text)
	}
	return a.text == "" || a.text == s
}

// A Condition says what a field holds.
type Condition struct {
	Field string

	value   string
	not     bool
	pattern *regexp.Regexp // instead of value
}

var conditionSyntax = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9_-]*)(!=|=~|!~|~|=)(?s:(.*))$`)

// ParseCondition reads FIELD=VALUE, FIELD!=VALUE, or FIELD~PATTERN and
// FIELD!~PATTERN with a regular expression.
func ParseCondition(s string) (Condition, error) {
	m := conditionSyntax.FindStringSubmatch(s)
	if m == nil {
		return Condition{}, fmt.Errorf("%q: it is written FIELD=VALUE, FIELD!=VALUE or FIELD~PATTERN, such as Username=alice", s)
	}
	c := Condition{Field: m[1], value: m[3], not: m[2][0] == '!'}
	if !strings.Contains(m[2], "~") {
		return c, nil
	}
	var err error
	if c.pattern, err = regexp.Compile(c.value); err != nil {
		return Condition{}, fmt.Errorf("%q: %w", s, err)
	}
	return c, nil
}

// holds says whether m has the field, and any value of it fits (with != or !~,
// none does).
func (c *Condition) holds(m *transcript.Decoded) bool {
	if m.Malformed != "" {
		return false
	}
	found := false
	for i := range m.Fields {
		f := &m.Fields[i]
		if f.Name != c.Field {
			continue
		}
		if found = true; slices.ContainsFunc(texts(m, f), c.fits) {
			return !c.not
		}
	}
	return found && c.not
}

func (c *Condition) fits(text string) bool {
	if c.pattern != nil {
		return c.pattern.MatchString(text)
	}
	return c.value == text
}

// texts are what a field is called when somebody asks for it: its value, the
// name of a number, each entry of a list.
func texts(m *transcript.Decoded, f *transcript.Field) []string {
	switch v := f.Value.(type) {
	case string:
		// A long text is cut, but its bytes are there.
		if raw := field(m.Bytes, *f); len(raw) == f.Size && len(raw) > len(v) {
			if whole := transcript.Printable(raw); strings.HasPrefix(whole, v) {
				return []string{whole}
			}
		}
		return []string{v}
	case uint64:
		number := strconv.FormatUint(v, 10)
		if f.Note != "" {
			return []string{number, f.Note}
		}
		return []string{number}
	case []any:
		var list []string
		for _, item := range v {
			list = append(list, fmt.Sprint(item))
		}
		return list
	}
	return []string{fmt.Sprint(f.Value)}
}

// Times are a stretch of time. Each end is missing, or seconds from the
// beginning of the capture, or a moment, or a time of day in UTC.
type Times struct{ from, to moment }

type moment struct {
	kind    momentKind
	seconds time.Duration // from the beginning, or of the day
	at      time.Time
}

type momentKind int

const (
	open momentKind = iota
	fromBeginning
	ofDay
	absolute
)

// ParseTimes reads FROM..TO, of which one may be missing.
func ParseTimes(s string) (Times, error) {
	from, to, ok := strings.Cut(s, "..")
	if !ok || from == "" && to == "" {
		return Times{}, fmt.Errorf("%q: it is written FROM..TO, such as 10.. or 1.5..3 (seconds) or 18:00:05..18:01 (UTC)", s)
	}
	var t Times
	var err error
	if t.from, err = parseMoment(from); err == nil {
		t.to, err = parseMoment(to)
	}
	if err != nil {
		return Times{}, fmt.Errorf("%q: %w", s, err)
	}
	if t.from.kind == t.to.kind && (t.from.kind == fromBeginning && t.from.seconds > t.to.seconds || t.from.kind == absolute && t.from.at.After(t.to.at)) {
		return Times{}, fmt.Errorf("%q ends before it begins", s)
	}
	return t, nil
}

func parseMoment(s string) (moment, error) {
	if s == "" {
		return moment{}, nil
	}
	if seconds, err := strconv.ParseFloat(s, 64); err == nil && seconds > -1e9 && seconds < 1e9 {
		return moment{kind: fromBeginning, seconds: time.Duration(math.Round(seconds * float64(time.Second)))}, nil
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return moment{kind: ofDay, seconds: t.Sub(t.Truncate(24 * time.Hour))}, nil
		}
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04"} {
		if t, err := time.Parse(layout, s); err == nil {
			return moment{kind: absolute, at: t}, nil
		}
	}
	return moment{}, fmt.Errorf("%q is neither seconds (1.5) nor a time of day (18:00:05) nor a date and time (2026-11-20T18:00:05)", s)
}

// when is the moment in a capture that begins at begin. A time of day is the
// one nearest to the beginning.
func (m moment) when(begin time.Time) time.Time {
	switch m.kind {
	case fromBeginning:
		return begin.Add(m.seconds)
	case ofDay:
		const day = 24 * time.Hour
		at := begin.UTC().Truncate(day).Add(m.seconds)
		switch {
		case begin.Sub(at) > day/2:
			return at.Add(day)
		case at.Sub(begin) > day/2:
			return at.Add(-day)
		}
		return at
	}
	return m.at
}

// hold says whether t lies between the ends, or is one of them.
func (t Times) hold(at, begin time.Time) bool {
	if t == (Times{}) {
		return true
	}
	if at.IsZero() {
		return false
	}
	// A time as it is shown is cut to microseconds, and is that of its message.
	at = begin.Add(at.Sub(begin).Truncate(time.Microsecond))
	return (t.from.kind == open || !at.Before(t.from.when(begin))) && (t.to.kind == open || !at.After(t.to.when(begin)))
}
