package dissector_test

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/dissector"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/pcap"
)

// A said is what one side says in one packet.
type said struct {
	from wire.Side
	text string
}

// conversation writes a capture of a connection to a server at a port.
func conversation(t *testing.T, port uint16, packets ...said) string {
	t.Helper()
	var b bytes.Buffer
	w := pcap.NewWriter(&b)
	now := time.Unix(1_700_000_000, 0)
	server := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
	r := w.Open(now, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), 1025), server)
	for i, p := range packets {
		r.Data(now.Add(time.Duration(i)*time.Millisecond), p.from == wire.Client, []byte(p.text))
	}
	r.Close(now.Add(time.Second), true)
	r.Close(now.Add(time.Second), false)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "made.pcap")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// frame is a message of the suite framed.
func frame(user, text string) string {
	return string([]byte{0, byte(len(user)), 0, 0, 0, byte(len(text))}) + user + text
}

// littleFrame is one in the other byte order.
func littleFrame(user, text string) string {
	return string([]byte{byte(len(user)), 0, byte(len(text)), 0, 0, 0}) + user + text
}

// names are the names of messages, with who sent them.
func names(t *testing.T, filter string, list []shown) []string {
	t.Helper()
	var all []string
	for _, s := range list {
		name := "unreadable"
		if from := s.find(filter + ".from"); from != nil {
			name = from.Show + " " + s.label(filter)
		}
		all = append(all, name)
	}
	return all
}

func TestDissectorFindsOutWhatIsOpenAndWhoIsTheServer(t *testing.T) {
	talk := []said{
		{wire.Client, frame("alice", "")}, {wire.Server, frame("bob", "hello") + frame("server", "bob has left")},
		{wire.Client, frame("alice", "hi")},
	}
	little := []said{{wire.Client, littleFrame("alice", "")[:3]}, {wire.Client, littleFrame("alice", "")[3:] + littleFrame("alice", "hi")}}
	all := []string{"client login", "server hear", "server left", "client say"}
	for name, c := range map[string]struct {
		port    uint16
		packets []said
		options dissector.Options
		args    []string
		want    []string
	}{
		"at the port of the protocol":     {4445, talk, dissector.Options{}, nil, all},
		"at a port that was said":         {7, talk, dissector.Options{Port: 7}, nil, all},
		"at a port that is a preference":  {7, talk, dissector.Options{}, []string{"-o", "framed.ports:6-8"}, all},
		"at another one, by Decode As":    {50000, talk, dissector.Options{}, []string{"-d", "tcp.port==50000,framed"}, all},
		"at another one, by what is said": {50000, talk, dissector.Options{}, nil, all},
		"with a port lower than its own":  {60000, talk, dissector.Options{}, []string{"-d", "tcp.port==1025,framed"}, all},
		"another byte order, found out":   {4445, little, dissector.Options{}, nil, []string{"client login", "client say"}},
		"another byte order, said": {4445, little, dissector.Options{Settings: map[string]string{"byte_order": "little"}}, nil,
			[]string{"client login", "client say"}},
		"another byte order, a preference": {4445, little, dissector.Options{}, []string{"-o", "framed.byte_order:little"},
			[]string{"client login", "client say"}},
		"the wrong byte order, a preference": {4445, little[:1], dissector.Options{}, []string{"-o", "framed.byte_order:big"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			lua, filter := generate(t, builtin(t, "framed"), c.options)
			got := names(t, filter, read(t, filter, lua, conversation(t, c.port, c.packets...), c.args...))
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestDissectorLeavesOtherProtocolsAlone(t *testing.T) {
	lua, filter := generate(t, builtin(t, "framed"), dissector.Options{})
	file := conversation(t, 50000, said{wire.Client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"}, said{wire.Server, "HTTP/1.1 200 OK\r\n\r\n"})
	if got := read(t, filter, lua, file); len(got) > 0 {
		t.Errorf("%d messages in a conversation that is none", len(got))
	}
}

func TestDissectorMarksWhatIsNoMessage(t *testing.T) {
	for name, c := range map[string]struct {
		suite   string
		packets []said
		want    string // in the expert infos
	}{
		"a length that nobody can mean": {"length", []said{{wire.Client, "\xff\xff\xff\xff..."}}, "more than 16 MiB"},
		"an unknown type":               {"direct", []said{{wire.Client, "\x63\x01x"}}, "no message begins like this"},
		"what is nearly JSON":           {"objects", []said{{wire.Client, "{\"type\":1,}"}}, "this is no JSON"},
		"what follows something unreadable": {"direct", []said{{wire.Client, "\x63"}, {wire.Client, "\x63"}},
			"what came before could not be read"},
	} {
		t.Run(name, func(t *testing.T) {
			lua, filter := generate(t, protocols(t)[c.suite], dissector.Options{Port: 4000})
			out := tshark(t, "-X", "lua_script:"+lua, "-r", conversation(t, 4000, c.packets...),
				"-T", "fields", "-e", "_ws.expert.message", "-e", "_ws.expert.severity", "-Y", filter+" && _ws.expert.severity == error")
			if !strings.Contains(string(out), c.want) {
				t.Errorf("the marks are\n%s\nwant one with %q", out, c.want)
			}
		})
	}
}

func TestDissectorReadsOnWhereThingsMakeSenseAgain(t *testing.T) {
	lua, filter := generate(t, builtin(t, "direct"), dissector.Options{})
	file := conversation(t, 4446, said{wire.Client, "\x63\x63"}, said{wire.Client, "\x02"}, said{wire.Client, "\x01\x03bob\x02"})
	got := names(t, filter, read(t, filter, lua, file))
	want := []string{"unreadable", "client list", "client login", "client list"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFieldsCanBeFilteredFor(t *testing.T) {
	lua, _ := generate(t, builtin(t, "framed"), dissector.Options{})
	file := conversation(t, 4445, said{wire.Client, frame("alice", "")}, said{wire.Server, frame("bob", "hello") + frame("alice", "é")})
	for filter, want := range map[string]string{
		`framed.Username == "alice"`:                    "4 6",
		`framed.message == "login"`:                     "4",
		`framed.from == "server" && framed.UNameL == 3`: "6",
		`framed.Message contains "ell"`:                 "6",
		`framed.Message == "é"`:                         "6",
		`framed.Username == "carol"`:                    "",
		`framed.MessageL > 4000`:                        "",
	} {
		out := tshark(t, "-X", "lua_script:"+lua, "-r", file, "-Y", filter, "-T", "fields", "-e", "frame.number")
		if got := strings.Join(strings.Fields(string(out)), " "); got != want {
			t.Errorf("%s: packets %q, want %q", filter, got, want)
		}
	}
}

func TestEveryMessageOfAPacketIsListed(t *testing.T) {
	lua, _ := generate(t, builtin(t, "framed"), dissector.Options{})
	file := conversation(t, 4445, said{wire.Client, frame("alice", "") + frame("alice", "hi\x01")[:7]},
		said{wire.Client, frame("alice", "hi\x01")[7:] + frame("alice", "you")})
	out := tshark(t, "-X", "lua_script:"+lua, "-r", file, "-Y", "framed", "-T", "fields", "-e", "_ws.col.Protocol", "-e", "_ws.col.Info")
	want := "FRAMED\tlogin Username=alice Message=\n" +
		"FRAMED\tsay Username=alice Message=hi\\x01, say Username=alice Message=you\n"
	if string(out) != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

func TestSettingsThatTheProtocolDoesNotHaveAreRefused(t *testing.T) {
	for setting, want := range map[string]string{"byte_order=middle": "cannot be", "color=red": "no setting"} {
		name, value, _ := strings.Cut(setting, "=")
		err := dissector.Write(&bytes.Buffer{}, builtin(t, "framed"), dissector.Options{Settings: map[string]string{name: value}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", setting, err, want)
		}
	}
}
