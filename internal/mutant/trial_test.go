package mutant_test

import (
	"context"
	"flag"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/chatprobe/chatprobe/internal/builtin"
	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/mutant"
	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/scenarios"
)

var all = flag.Bool("all", false, "play against all mutants, which takes minutes")

// trial is one of a built-in suite, with the scenarios of these names or all.
func trial(t testing.TB, suite string, names ...string) mutant.Trial {
	t.Helper()
	s, err := scenario.Load(scenarios.Files, suite, scenarios.Files)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := builtin.Named(suite)
	var list []*scenario.Scenario
	for _, sc := range s.Scenarios {
		if !sc.TestsClient && (len(names) == 0 || slices.Contains(names, sc.Name)) {
			list = append(list, sc)
		}
	}
	if len(names) > len(list) {
		t.Fatalf("%s: one of %v is no scenario", suite, names)
	}
	s.Scenarios = list
	return mutant.Trial{
		Suite: s, Scenarios: list, Launch: b.Launch, AtOnce: 8,
		Config: engine.Config{Settings: b.Settings, OwnPort: b.OwnPort, Seed: 1, Timeout: time.Second, Slots: make(chan struct{}, 16)},
	}
}

// TestRoomIsNotNoticed plays all suites through a room that breaks nothing.
func TestRoomIsNotNoticed(t *testing.T) {
	for _, name := range scenarios.Names() {
		t.Run(name, func(t *testing.T) {
			tr := trial(t, name)
			values, err := tr.Suite.Protocol.Settle(tr.Config.Settings)
			if err != nil {
				t.Fatal(err)
			}
			codec, err := tr.Suite.Protocol.Bind(values)
			if err != nil {
				t.Fatal(err)
			}
			c := tr.Config
			c.Trusted, c.Strict, c.Timeout = true, true, 10*time.Second
			var census mutant.Census
			s := engine.Session{Suite: tr.Suite, Launch: census.Count(tr.Launch, codec), Config: c}
			_, runs := s.Run(context.Background(), tr.Scenarios)
			for _, run := range runs {
				if run.Verdict != transcript.Pass && run.Verdict != transcript.Skip {
					t.Errorf("%s: %s %s", run.Scenario, run.Verdict, run.Reason)
				}
			}
			if len(mutant.All(tr.Suite, codec, &census)) < 60 {
				t.Errorf("%d mutants", len(mutant.All(tr.Suite, codec, &census)))
			}
		})
	}
}

// TestMutantsAreWrong plays scenarios against the mutants that they are about.
func TestMutantsAreWrong(t *testing.T) {
	for i, test := range []struct{ suite, mutant, scenario string }{
		{"framed", "drop/left", "close-names-who-left"},
		{"framed", "drop-for-second/hear", "every-other-client-hears"},
		{"framed", "twice/hear", "heard-once"},
		{"framed", "echo/hear", "sender-does-not-hear-itself"},
		{"framed", "same-once/hear", "same-text-twice"},
		{"framed", "impersonation/hear", "no-speaking-as-somebody-else"},
		{"framed", "user-other/hear", "two-clients-chat"},
		{"framed", "text-as-latin1/hear", "text-in-many-languages"},
		{"framed", "byte-order/hear", "two-clients-chat"},
		{"framed", "MessageL-too-small/hear", "two-clients-chat"},
		{"framed", "first-of-segment", "two-messages-in-one-segment"},
		{"framed", "lost-behind-login", "login-and-message-in-one-segment"},
		{"framed", "piece-ends-connection", "message-cut-anywhere"},
		{"framed", "cut-after-3", "message-byte-by-byte"},
		{"framed", "one-buffer", "two-senders-in-pieces"},
		{"framed", "piece-blocks-all", "half-a-message-blocks-nobody"},
		{"framed", "unnoticed-reset", "reset-names-who-left"},
		{"framed", "dies-on-close", "others-go-on-after-close"},
		{"framed", "deaf-after-close", "others-go-on-after-close"},
		{"framed", "name-never-free", "return-after-close"},
		{"framed", "returns-mute", "return-after-close"},
		{"framed", "serves-four", "five-clients-at-once"},
		{"framed", "silent-blocks-all", "silent-connection-blocks-nobody"},
		{"framed", "stalled-blocks-all", "stalled-reader-delays-nobody"},
		{"framed", "dies/invalid-utf8", "text-is-not-utf8"},
		{"framed", "dies/cut-off-message", "cut-off-message"},
		{"framed", "throws-out-first/name-in-use", "name-in-use-first-keeps-working"},
		{"lines", "text-cut-at-1024/hear", "longest-text"},
		{"lines", "piece-is-line", "message-cut-anywhere"},
		{"lines", "instead/ok/bad_registration", "good-registration-is-answered-200"},
		{"lines", "prints-other-numbers", "port-is-reported"},
		{"lines", "stops-by-reset", "shutdown-is-told-to-everybody"},
		{"direct", "list-without-last/listed", "close-is-a-logout"},
		{"direct", "result-failure/response", "private-text"},
		{"direct", "drop/told", "private-text"},
		{"datagram", "no-echo/hear", "sender-is-included"},
		{"datagram", "port-other/hear", "address-of-the-sender"},
		{"datagram", "relays/garbage", "garbage-is-ignored[text=HELLO]"},
	} {
		t.Run(test.suite+"/"+test.mutant, func(t *testing.T) {
			if !*all && i%4 > 0 {
				t.Skip("every fourth without -all")
			}
			t.Parallel()
			tr := trial(t, test.suite, test.scenario)
			tr.Only = func(name string) bool { return name == test.mutant }
			table, err := tr.Run(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if len(table.Mutants) != 1 {
				t.Fatalf("there is no such mutant")
			}
			if m := table.Mutants[0]; len(m.Caught) != 1 || m.Caught[0] != test.scenario {
				t.Errorf("caught by %v, want %s; %d occasions", m.Caught, test.scenario, m.Occasions)
			}
		})
	}
}

// TestTable: what survives, what is equivalent, and what is said in vain.
func TestTable(t *testing.T) {
	tr := trial(t, "datagram", "two-clients-chat")
	names := []string{"drop/hear", "text-upper/hear", "obey-twice/login", "user-other/hear", "serves-64"}
	tr.Only = func(name string) bool { return slices.Contains(names, name) }
	tr.Equivalents = map[string]string{"obey-twice/login": "once is enough", "drop/hear": "a lie", "fly/hear": "no such thing"}
	table, err := tr.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	fates := map[string]string{}
	for _, m := range table.Mutants {
		switch {
		case m.Survived():
			fates[m.Name] = "survived"
		case len(m.Caught) > 0:
			fates[m.Name] = "caught"
		default:
			fates[m.Name] = m.Equivalent
		}
	}
	want := map[string]string{"drop/hear": "caught", "text-upper/hear": "caught", "obey-twice/login": "once is enough", "serves-64": "survived"}
	for name, fate := range want {
		if fates[name] != fate {
			t.Errorf("%s: %q, want %q", name, fates[name], fate)
		}
	}
	if caught, all := table.Score(); caught != 2 || all != 3 {
		t.Errorf("score %d of %d, want 2 of 3", caught, all)
	}
	if !slices.Equal(table.Stale, []string{"fly/hear", "drop/hear"}) || table.Sound() {
		t.Errorf("stale %v, sound %v", table.Stale, table.Sound())
	}
}

// TestEndOfPlayIsNoOccasion: that all connections are reset when a scenario is
// over is nothing that the scenario does.
func TestEndOfPlayIsNoOccasion(t *testing.T) {
	names := []string{"unnoticed-reset", "dies-on-reset", "dies-when-empty", "dies/nothing-said"}
	for scenario, want := range map[string]int{"two-clients-chat": 0, "reset-names-who-left": 1} {
		tr := trial(t, "framed", scenario)
		tr.Only = func(name string) bool {
			return slices.Contains(names[:2], name) || want == 0 && slices.Contains(names, name)
		}
		table, err := tr.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range table.Mutants {
			if m.Occasions != want {
				t.Errorf("%s: %s has %d occasions, want %d", scenario, m.Name, m.Occasions, want)
			}
		}
	}
}

// TestWrongServer: of a server that does not pass, no mutant is made.
func TestWrongServer(t *testing.T) {
	tr := trial(t, "framed", "two-clients-chat")
	tr.Launch = mutant.Degenerates()[0].Launch("tcp")
	tr.Config.Timeout = 50 * time.Millisecond
	if _, err := tr.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "two-clients-chat does not pass with the server as it is") {
		t.Error(err)
	}
}

func TestReadEquivalents(t *testing.T) {
	for text, want := range map[string]string{
		"# nothing\n\n":                    "",
		"a/b: because: of this\n":          "",
		"a/b\n":                            "list:1: want the name of a mutant, a colon and the reason why nothing can catch it",
		"a/b: \n":                          "list:1: want the name",
		"# x\na/b: one\na/b: two\n":        "list:3: a/b is named twice",
		strings.Repeat("x", 100_000) + ":": "read list: bufio.Scanner: token too long",
	} {
		_, err := mutant.ReadEquivalents(fstest.MapFS{"list": {Data: []byte(text)}}, "list")
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
	list, err := mutant.ReadEquivalents(fstest.MapFS{"list": {Data: []byte("a/b: because: of this\n")}}, "list")
	if err != nil || list["a/b"] != "because: of this" {
		t.Errorf("%q, %v", list, err)
	}
	if list, err := mutant.ReadEquivalents(fstest.MapFS{}, "list"); list != nil || err != nil {
		t.Errorf("no file: %v, %v", list, err)
	}
}

// TestDegenerates has each do what its name says.
func TestDegenerates(t *testing.T) {
	for _, d := range mutant.Degenerates() {
		for _, transport := range []string{"tcp", "udp"} {
			t.Run(d.Name+" "+transport, func(t *testing.T) {
				target, err := d.Launch(transport)(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				defer target.Close()
				conn, err := target.Dial(context.Background(), 0)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				_, _ = conn.Write([]byte("hello"))
				_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
				got := readSome(conn, 200)
				switch d.Name {
				case "silent", "closing":
					if len(got) > 0 {
						t.Errorf("it says %q", got)
					}
				case "echoing":
					if string(got) != "hello" {
						t.Errorf("it says %q", got)
					}
				case "random":
					if len(got) == 0 {
						t.Error("it says nothing")
					}
				case "flooding":
					if len(got) < 200 {
						t.Errorf("it says %d bytes", len(got))
					}
				}
			})
		}
	}
}

func readSome(conn net.Conn, most int) []byte {
	var all []byte
	buf := make([]byte, 4096)
	for len(all) < most {
		n, err := conn.Read(buf)
		all = append(all, buf[:n]...)
		if err != nil && err != io.EOF || n == 0 {
			break
		}
	}
	return all
}

// TestAlterKeepsWhatItIs: a mutant that is not about a message passes it as it is.
func TestAlterKeepsWhatItIs(t *testing.T) {
	tr := trial(t, "framed", "two-clients-chat")
	values, _ := tr.Suite.Protocol.Settle(tr.Config.Settings)
	codec, err := tr.Suite.Protocol.Bind(values)
	if err != nil {
		t.Fatal(err)
	}
	b, err := codec.Encode(codec.Message("hear"), wire.Args{"user": "alice", "text": "hello"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var f wire.Frame
	if _, err := codec.Decode(&f, b, wire.Server); err != nil {
		t.Fatal(err)
	}
	same, err := codec.Alter(&f, wire.Server, func(_ *wire.Field, held any) any { return held }, nil)
	if err != nil || string(same) != string(b) {
		t.Errorf("%q, %v, want %q", same, err, b)
	}
}
