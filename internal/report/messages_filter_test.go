package report_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/report"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

// chosen are the numbers of the messages that a filter lets pass.
func chosen(f report.Filter, list []*transcript.Decoded) []int {
	scene := report.Scene{User: userOf}
	var numbers []int
	for _, m := range list {
		scene.Learn(m)
		if f.Pass(m, &scene) {
			numbers = append(numbers, m.Number)
		}
	}
	return numbers
}

// must is what a parser returns that finds nothing wrong.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestFilter(t *testing.T) {
	from, times := must[report.From](t), must[report.Times](t)
	where := func(list ...string) (all []report.Condition) {
		for _, s := range list {
			all = append(all, must[report.Condition](t)(report.ParseCondition(s)))
		}
		return all
	}
	for _, c := range []struct {
		name string
		f    report.Filter
		want []int
	}{
		{"nothing", report.Filter{}, []int{1, 2, 3, 4, 5, 6, 7}},
		{"a message", report.Filter{Messages: []string{"login"}}, []int{2}},
		{"messages", report.Filter{Messages: []string{"login", "users"}}, []int{2, 7}},
		{"malformed", report.Filter{Malformed: true}, []int{1}},
		{"a message or malformed", report.Filter{Messages: []string{"login"}, Malformed: true}, []int{1, 2}},
		{"from the server", report.Filter{From: from(report.ParseFrom("server"))}, []int{1, 7}},
		{"from clients", report.Filter{From: from(report.ParseFrom("client"))}, []int{2, 3, 4, 5, 6}},
		{"from an address with a port", report.Filter{From: from(report.ParseFrom("127.0.0.1:4445"))}, []int{1, 7}},
		{"from an address", report.Filter{From: from(report.ParseFrom("127.0.0.1"))}, []int{1, 2, 3, 5, 6, 7}},
		{"from the beginning of an address", report.Filter{From: from(report.ParseFrom("127.0.0.1:444"))}, nil},
		{"from an address of version 6", report.Filter{From: from(report.ParseFrom("2001:db8:0::1:2:3"))}, []int{4}},
		{"from one in brackets", report.Filter{From: from(report.ParseFrom("[2001:db8::1:2:3]:50002"))}, []int{4}},
		{"a client, from its login on", report.Filter{Client: report.ParseClient("alice")}, []int{2, 3, 5, 6, 7}},
		{"a client nobody knows", report.Filter{Client: report.ParseClient("ali")}, nil},
		{"a client by address", report.Filter{Client: report.ParseClient("127.0.0.1:50001")}, []int{1, 2, 3, 5, 6, 7}},
		{"a server is no client", report.Filter{Client: report.ParseClient("127.0.0.1:4445")}, nil},
		{"a connection", report.Filter{Conn: 2}, nil},
		{"a field", report.Filter{Where: where("Username=alice")}, []int{2, 3}},
		{"a number", report.Filter{Where: where("MessageL=5")}, []int{3}},
		{"an empty field", report.Filter{Where: where("Username=")}, []int{5}},
		{"another value", report.Filter{Where: where("Username!=alice")}, []int{4, 5, 6}},
		{"a pattern", report.Filter{Where: where("Username~^(alice|bob)$")}, []int{2, 3, 4}},
		{"not a pattern", report.Filter{Where: where("Username!~^(alice|bob)$")}, []int{5, 6}},
		{"an entry of a list", report.Filter{Where: where("list=bob")}, []int{7}},
		{"no entry of a list", report.Filter{Where: where("list!=bob")}, nil},
		{"the name of a number", report.Filter{Where: where("kind=roster")}, []int{7}},
		{"the end of a text that is cut", report.Filter{Where: where("Message~a long text $")}, []int{4}},
		{"two conditions", report.Filter{Where: where("Username=alice", "Message=hello")}, []int{3}},
		{"everything at once", report.Filter{Messages: []string{"say"}, Client: report.ParseClient("alice"), Where: where("Message=hello"), Times: times(report.ParseTimes("0.003..0.003"))}, []int{3}},
		{"seconds", report.Filter{Times: times(report.ParseTimes("0.0015..0.0045"))}, []int{2, 3, 4}},
		{"from a second on", report.Filter{Times: times(report.ParseTimes("0.006.."))}, []int{5, 6, 7}},
		{"up to a second", report.Filter{Times: times(report.ParseTimes("..0.001"))}, []int{1}},
		{"a time of day", report.Filter{Times: times(report.ParseTimes("18:00..18:00:01"))}, []int{1, 2, 3, 4, 5, 6, 7}},
		{"another time of day", report.Filter{Times: times(report.ParseTimes("17:00:01..17:59:59"))}, nil},
		{"a date", report.Filter{Times: times(report.ParseTimes("2026-11-20T19:00:00.127+01:00..2026-11-20 18:00:00.130"))}, []int{4, 5}},
	} {
		if got := chosen(c.f, decoded()); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if isEmpty := c.name == "nothing"; c.f.IsEmpty() != isEmpty {
			t.Errorf("%s: IsEmpty() = %v", c.name, c.f.IsEmpty())
		}
	}
}

func TestFilterTakesWhatIsMalformedForNoMessage(t *testing.T) {
	m := *decoded()[2]
	m.Malformed = "cut at its end"
	list := []*transcript.Decoded{&m}
	if got := chosen(report.Filter{Messages: []string{"say"}}, list); got != nil {
		t.Error("it passes as a message")
	}
	if got := chosen(report.Filter{Where: []report.Condition{must[report.Condition](t)(report.ParseCondition("Username=alice"))}}, list); got != nil {
		t.Error("it passes with its fields")
	}
}

func TestTimeAsItIsShownFindsItsMessage(t *testing.T) {
	list := decoded()
	list[2].Time = list[2].Time.Add(999) // it is still shown as 0.003000
	if got := chosen(report.Filter{Times: must[report.Times](t)(report.ParseTimes("0.003..0.003"))}, list); !slices.Equal(got, []int{3}) {
		t.Errorf("%v", got)
	}
}

func TestTimeOfDayIsTheNearestToTheBeginning(t *testing.T) {
	for _, c := range []struct{ begin, times, at, want string }{
		{"2026-11-20T23:59:00Z", "00:01..00:02", "2026-11-21T00:01:30Z", "in"},
		{"2026-11-20T23:59:00Z", "00:01..00:02", "2026-11-20T23:59:00Z", "out"},
		{"2026-11-20T23:59:00Z", "23:00..00:02", "2026-11-21T00:01:30Z", "in"},
		{"2026-11-20T00:10:00Z", "23:50..00:20", "2026-11-20T00:10:00Z", "in"},
		{"2026-11-20T18:00:00Z", "17:00..17:30", "2026-11-20T18:00:00Z", "out"},
		{"2026-11-20T18:00:00+01:00", "17:00..17:30", "2026-11-20T17:10:00Z", "in"},
	} {
		parse := must[time.Time](t)
		f := report.Filter{Times: must[report.Times](t)(report.ParseTimes(c.times))}
		scene := report.Scene{Begin: parse(time.Parse(time.RFC3339, c.begin))}
		m := &transcript.Decoded{Time: parse(time.Parse(time.RFC3339, c.at))}
		if got := f.Pass(m, &scene); got != (c.want == "in") {
			t.Errorf("%+v: %v", c, got)
		}
	}
	f := report.Filter{Times: must[report.Times](t)(report.ParseTimes("0.."))}
	if f.Pass(&transcript.Decoded{}, &report.Scene{}) {
		t.Error("a message without a time is in a stretch of time")
	}
}

func TestFilterIsWrittenWrong(t *testing.T) {
	parse := map[string]func(string) error{
		"from":  func(s string) error { _, err := report.ParseFrom(s); return err },
		"where": func(s string) error { _, err := report.ParseCondition(s); return err },
		"time":  func(s string) error { _, err := report.ParseTimes(s); return err },
	}
	for _, c := range []struct{ what, in, want string }{
		{"from", "", "neither client nor server nor an address"},
		{"from", "alice", "neither client nor server nor an address"},
		{"from", "127.0.0.1:99999", "neither client nor server nor an address"},
		{"where", "", "it is written FIELD=VALUE"},
		{"where", "Username", "it is written FIELD=VALUE"},
		{"where", "=alice", "it is written FIELD=VALUE"},
		{"where", "User name=alice", "it is written FIELD=VALUE"},
		{"where", "Username~(", "missing closing )"},
		{"time", "", "it is written FROM..TO"},
		{"time", "5", "it is written FROM..TO"},
		{"time", "..", "it is written FROM..TO"},
		{"time", "3..1", "ends before it begins"},
		{"time", "2026-11-20T18:00..2026-11-20T17:00", "ends before it begins"},
		{"time", "soon..", `"soon" is neither seconds`},
		{"time", "..25:00", `"25:00" is neither seconds`},
		{"time", "NaN..", `"NaN" is neither seconds`},
		{"time", "1e300..", `"1e300" is neither seconds`},
	} {
		if err := parse[c.what](c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: %v, want %q", c.what, c.in, err, c.want)
		}
	}
}
