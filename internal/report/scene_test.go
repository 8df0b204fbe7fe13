package report_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/chatprobe/chatprobe/internal/report"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

func TestSceneKnowsWhoIsBehindAConnection(t *testing.T) {
	message := func(conn int, from, name, user string) *transcript.Decoded {
		m := &transcript.Decoded{Conn: conn, Sender: fmt.Sprint("127.0.0.1:", 50000+conn), Receiver: "127.0.0.1:4445", Message: *frameMessage(name, from, user, "")}
		if from == "server" {
			m.Sender, m.Receiver = m.Receiver, m.Sender
		}
		return m
	}
	scene := report.Scene{User: userOf}
	for _, c := range []struct {
		m    *transcript.Decoded
		want string
	}{
		{message(1, "server", "notice", "server"), ""},
		{message(1, "client", "login", "alice"), "alice"},
		{message(1, "server", "hear", "bob"), "alice"},
		{message(2, "client", "say", "bob"), ""},
		{message(2, "server", "login", "carol"), ""}, // only a client logs in
		{message(2, "client", "login", ""), ""},
		{message(1, "client", "login", "ali\x1bce"), `ali\x1bce`}, // under another name
		{message(1, "client", "say", "bob"), `ali\x1bce`},
	} {
		scene.Learn(c.m)
		if got := scene.Name(c.m); got != c.want {
			t.Errorf("%s from the %s on connection %d: %q, want %q", c.m.Name, c.m.From, c.m.Conn, got, c.want)
		}
	}
	// A conversation over UDP may have the same number.
	other := message(1, "client", "say", "bob")
	other.Sender = "127.0.0.1:9"
	if got := scene.Name(other); got != "" {
		t.Errorf("another client is %q", got)
	}
	if got := scene.Names(); !slices.Equal(got, []string{`ali\x1bce`}) {
		t.Errorf("names: %q", got)
	}
	for i := range 70_000 {
		scene.Learn(message(i+10, "client", "login", fmt.Sprint("user", i)))
	}
	if n := len(scene.Names()); n > 1<<16 {
		t.Errorf("%d names are kept", n)
	}
}
