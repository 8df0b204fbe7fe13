package report_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clipperhouse/displaywidth"

	"github.com/chatprobe/chatprobe/internal/golden"
	"github.com/chatprobe/chatprobe/internal/report"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

// crowd is what is said when so many clients of one server log in, each of
// whom says something that all others hear.
func crowd(clients int) []*transcript.Decoded {
	var list []*transcript.Decoded
	begin := time.Date(2026, 11, 20, 18, 0, 0, 0, time.UTC)
	add := func(client int, from, name, user, text string) {
		addr, server := fmt.Sprintf("127.0.0.1:%d", 50000+client), "127.0.0.1:4445"
		m := &transcript.Decoded{Number: len(list) + 1, Time: begin.Add(time.Duration(len(list)) * time.Millisecond), Conn: client, Protocol: "framed"}
		m.Message, m.Sender, m.Receiver = *frameMessage(name, from, user, text), addr, server
		if from == "server" {
			m.Sender, m.Receiver = server, addr
		}
		list = append(list, m)
	}
	for c := 1; c <= clients; c++ {
		add(c, "client", "login", fmt.Sprintf("user%d", c), "")
	}
	for c := 1; c <= clients; c++ {
		add(c, "client", "say", fmt.Sprintf("user%d", c), "hello")
		for other := 1; other <= clients; other++ {
			if other != c {
				add(other, "server", "hear", fmt.Sprintf("user%d", c), "hello")
			}
		}
	}
	return list
}

func TestDiagramOfManyClientsFitsTheScreen(t *testing.T) {
	list := crowd(9)
	for _, width := range []int{60, 80, 160} {
		out := messages(t, "diagram", report.View{Width: width}, list)
		golden.Check(t, filepath.Join("testdata", fmt.Sprintf("diagram-crowd-%d.golden", width)), out)
		for line := range strings.Lines(out) {
			if n := displaywidth.String(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("width %d: a line of %d columns: %s", width, n, line)
			}
		}
		if n := strings.Count(out, "say "); n != 9 {
			t.Errorf("width %d: %d of 9 messages are drawn", width, n)
		}
	}
}

// drawn reads a picture as XML and counts its arrows.
func drawn(t *testing.T, svg string) (arrows int) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return arrows
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, svg)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch start.Name.Local {
		case "path":
			arrows++
		case "script", "a", "image", "foreignObject", "use":
			t.Errorf("a picture with <%s>", start.Name.Local)
		}
		for _, a := range start.Attr {
			if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "href" {
				t.Errorf("a picture with the attribute %s", a.Name.Local)
			}
		}
	}
}

func TestPictureIsXMLWhateverIsSaid(t *testing.T) {
	if n := drawn(t, messages(t, "svg", report.View{}, decoded())); n != len(decoded()) {
		t.Errorf("%d arrows for %d messages", n, len(decoded()))
	}
	if n := drawn(t, messages(t, "svg", report.View{}, nil)); n != 0 {
		t.Errorf("%d arrows for nothing", n)
	}
	list := crowd(3)
	for _, m := range list {
		m.Name = `"><script>alert(1)</script>`
		m.Fields[0].Name, m.Fields[2].Value = "</title><a href='x'>", "]]>\x00\xff\u2028'\"&lt;<![CDATA["
		m.Sender += "<b>"
	}
	drawn(t, messages(t, "svg", report.View{}, list))
	if n := drawn(t, messages(t, "svg", report.View{}, crowd(44))); n != 44+44*44 {
		t.Errorf("%d arrows", n)
	}
}

func TestConversationsKeepABoundedNumberOfMessages(t *testing.T) {
	list := crowd(120) // 14520 messages
	for _, c := range []struct{ format, more string }{
		{"dialogue", "… and 4520 messages more"},
		{"diagram", "… and 4520 messages more"},
		{"svg", "… and 12520 messages more"},
	} {
		if out := messages(t, c.format, report.View{}, list); !strings.Contains(out, c.more) {
			t.Errorf("%s does not say %q", c.format, c.more)
		}
	}
	// One connection is written as it comes, all of it.
	one := crowd(1)
	for len(one) < 20_000 {
		one = append(one, one[1])
	}
	out := messages(t, "dialogue", report.View{One: true}, one)
	if n := strings.Count(out, "say"); n != len(one)-1 || strings.Contains(out, "more") {
		t.Errorf("%d of %d messages", n, len(one)-1)
	}
}

func TestConversationsKeepABoundedAmountOfText(t *testing.T) {
	m := *crowd(1)[1]
	for range 50 {
		m.Fields = append(m.Fields, transcript.Field{Name: "more", Value: strings.Repeat("x", 200)})
	}
	long := make([]*transcript.Decoded, 1500) // 15 MB in all
	for i := range long {
		long[i] = &m
	}
	for _, format := range []string{"dialogue", "diagram", "svg"} {
		if out := messages(t, format, report.View{}, long); len(out) > 12<<20 || !strings.Contains(out, "messages more") {
			t.Errorf("%s: %d bytes", format, len(out))
		}
	}
}

func TestDialogueCallsClientsByTheNameThatIsKnown(t *testing.T) {
	list := crowd(2)[1:] // the login of user1 is not in the capture
	out := messages(t, "dialogue", report.View{Width: 80}, list)
	for _, want := range []string{"connection 1: 127.0.0.1:50001, with 127.0.0.1:4445 (framed)", "client: say", "connection 2: user2, 127.0.0.1:50002", `user2: say "hello"`} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
