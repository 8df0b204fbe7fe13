package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/chatprobe/chatprobe/internal/report"
	"github.com/chatprobe/chatprobe/internal/source"
	"github.com/chatprobe/chatprobe/internal/wire"
)

// chooseFlags say which messages are shown.
type chooseFlags struct {
	messages     []string
	malformed    bool
	from         string
	client       string
	where        []string
	time         string
	conversation string
}

func (f *chooseFlags) register(flags *pflag.FlagSet) {
	flags.StringSliceVar(&f.messages, "message", nil, "only messages of this `NAME` (several: NAME,NAME, or repeated)")
	flags.BoolVar(&f.malformed, "malformed", false, "only what is no message; with --message, that too")
	flags.StringVar(&f.from, "from", "", "only what `WHO` said: client, server, or an address such as 127.0.0.1 or 127.0.0.1:4445")
	flags.StringVar(&f.client, "client", "", "only what the client `NAME` said and heard, from its login on; or the client with this address")
	flags.StringArrayVar(&f.where, "where", nil, "only messages with a field that holds something: `FIELD=VALUE`, FIELD!=VALUE, FIELD~PATTERN, FIELD!~PATTERN (may be repeated)")
	flags.StringVar(&f.time, "time", "", "only what came in `FROM..TO`: seconds as the table shows them (1.5..3), times of day (18:00:05..18:01) or dates and times, in UTC; one of them may be left out")
	flags.StringVar(&f.conversation, "conversation", "", "only connection `N`, as --stats numbers them, or all; as a dialogue, if no --format is given")
}

// filter is what the flags say. Names that the protocols do not have are
// errors.
func (f *chooseFlags) filter(protocols []*wire.Protocol) (report.Filter, error) {
	filter := report.Filter{Messages: f.messages, Malformed: f.malformed}
	messages, fields := namesIn(protocols)
	for _, name := range f.messages {
		if !slices.Contains(messages, name) {
			return filter, usage("--message: there is no message %q%s", name, hint(name, messages))
		}
	}
	var err error
	if f.from != "" {
		if filter.From, err = report.ParseFrom(f.from); err != nil {
			return filter, usage("--from: %w", err)
		}
	}
	if f.client != "" {
		filter.Client = report.ParseClient(f.client)
	}
	for _, text := range f.where {
		c, err := report.ParseCondition(text)
		if err != nil {
			return filter, usage("--where %w", err)
		}
		if !slices.Contains(fields, c.Field) {
			return filter, usage("--where: there is no field %q%s", c.Field, hint(c.Field, fields))
		}
		filter.Where = append(filter.Where, c)
	}
	if f.time != "" {
		if filter.Times, err = report.ParseTimes(f.time); err != nil {
			return filter, usage("--time %w", err)
		}
	}
	if f.conversation != "" && f.conversation != "all" {
		if filter.Conn, err = strconv.Atoi(f.conversation); err != nil || filter.Conn < 1 {
			return filter, usage("--conversation %q: it is the number of a connection, from 1, or all", f.conversation)
		}
	}
	return filter, nil
}

// namesIn are the names of all messages and of all fields in protocols.
func namesIn(protocols []*wire.Protocol) (messages, fields []string) {
	for _, p := range protocols {
		for _, m := range p.Messages() {
			if m.From != "" {
				messages = append(messages, m.Name)
			}
			for _, f := range m.Shape.Fields {
				fields = append(fields, f.Name)
				if f.Rest { // it is told by its parameters
					fields = append(fields, m.Params()...)
				}
			}
		}
	}
	return sorted(messages), sorted(append(fields, "bytes"))
}

func sorted(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// hint says what a wrong name was probably meant to be, or what there is.
func hint(name string, names []string) string {
	if text := source.DidYouMean(name, names); text != "" {
		return ": " + text
	}
	return ": there is " + strings.Join(names, ", ")
}
