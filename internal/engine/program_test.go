package engine

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

// roomForPrograms is a protocol in lines, small enough to be read beside the
// programs of these tests.
const roomForPrograms = `
protocol: room
framing: line
messages:
  login: {from: client, line: 'HELLO {user}'}
  say: {from: client, line: 'SAY {text...}'}
  hear: {from: server, line: 'FROM {user} {text...}'}
commands: {say: '{text}', shout: '!{text}'}
procedures:
  arrive: [program sends: {login: {user: $program}}]
  proof: [program types: {say: {text: $token}}, program sends: {say: {text: $token}}]
`

// A puppet is a client program in this process. Its zero value is right.
type puppet struct {
	chatty     bool   // sends something by itself when something comes
	deaf       bool   // shows nothing of what comes
	raw        bool   // passes on control characters
	echo       bool   // shows what is typed, as line editors do
	mute       bool   // sends nothing that is typed
	trace      bool   // ends with the trace of an error
	status     int    // with which it ends
	stays      bool   // after its server has gone
	lingers    bool   // half-closes at the end of its input, and waits for the server to close
	changed    string // in what way it leaves the terminal
	startError error

	mu     sync.Mutex
	screen strings.Builder
	end    *ProgramEnd
	notify func()
	conn   net.Conn
	half   string // typed without Enter
	told   Invocation
}

func (p *puppet) launch(_ context.Context, how Invocation) (*Program, error) {
	if p.startError != nil {
		return nil, p.startError
	}
	p = &puppet{chatty: p.chatty, deaf: p.deaf, raw: p.raw, echo: p.echo, mute: p.mute, trace: p.trace, status: p.status,
		stays: p.stays, lingers: p.lingers, changed: p.changed, told: how}
	go p.run()
	return &Program{
		Shown: func(from int) (string, int) {
			p.mu.Lock()
			defer p.mu.Unlock()
			text := p.screen.String()
			return text[min(from, len(text)):], len(text)
		},
		Screen: func() []string {
			p.mu.Lock()
			defer p.mu.Unlock()
			return strings.Split(p.screen.String(), "\n")
		},
		Printed: func(from int64) ([]byte, int64) {
			p.mu.Lock()
			defer p.mu.Unlock()
			return []byte(p.screen.String()[from:]), int64(p.screen.Len())
		},
		Echoes:          func() bool { return p.echo },
		Type:            p.typed,
		EndInput:        func() error { return p.inputEnds() },
		Stop:            func(string) error { p.ends(130); return nil },
		Rest:            func(context.Context, time.Duration) bool { time.Sleep(20 * time.Millisecond); return true },
		TerminalChanged: func() string { return p.changed },
		Exited: func() (ProgramEnd, bool) {
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.end == nil {
				return ProgramEnd{}, false
			}
			return *p.end, true
		},
		Notify: func(f func()) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.notify = f
		},
		Close: func() { p.ends(-1) },
	}, nil
}

func (p *puppet) run() {
	conn, err := net.Dial("tcp", net.JoinHostPort(p.told.Host, p.told.Port))
	if err != nil {
		p.show("there is no server\n")
		p.ends(max(p.status, 1))
		return
	}
	p.mu.Lock()
	p.conn = conn
	p.mu.Unlock()
	_, _ = io.WriteString(conn, "HELLO "+p.told.User+"\n")
	buf := make([]byte, 1<<16)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			break
		}
		if p.chatty {
			_, _ = io.WriteString(conn, "SAY thank you\n")
		}
		text := string(buf[:n])
		if !p.raw {
			text = strings.ReplaceAll(text, "\x1b", `\x1b`)
		}
		if !p.deaf {
			p.show(text)
		}
	}
	if !p.stays {
		p.ends(p.status)
	}
}

func (p *puppet) typed(text string, enter bool) error {
	if p.echo {
		p.show(text + "\n")
	}
	p.mu.Lock()
	conn := p.conn
	p.half += text
	line := p.half
	if enter {
		p.half = ""
	}
	p.mu.Unlock()
	if conn == nil {
		return errors.New("it is not ready")
	}
	if enter && !p.mute {
		_, _ = io.WriteString(conn, "SAY "+line+"\n")
	}
	return nil
}

func (p *puppet) inputEnds() error {
	if p.lingers {
		return p.conn.(*net.TCPConn).CloseWrite()
	}
	p.ends(p.status)
	return nil
}

func (p *puppet) show(text string) {
	p.mu.Lock()
	p.screen.WriteString(text)
	notify := p.notify
	p.mu.Unlock()
	if notify != nil {
		notify()
	}
}

func (p *puppet) ends(status int) {
	if p.trace {
		p.show("Traceback (most recent call last):\n")
	}
	p.mu.Lock()
	if p.end == nil {
		p.end = &ProgramEnd{How: "exited", Status: status}
	}
	conn, notify := p.conn, p.notify
	p.mu.Unlock()
	if conn != nil {
		_ = conn.Close()
	}
	if notify != nil {
		notify()
	}
}

// use plays the steps with a program.
func use(t *testing.T, u *puppet, lines ...string) transcript.Run {
	t.Helper()
	text := strings.Replace(steps("tests: client", lines...), "    requirement: F-3\n", "", 1)
	suite := loadFiles(t, roomForPrograms, text)
	s := &Session{Suite: suite, Program: u.launch, Config: Config{Timeout: 300 * time.Millisecond, Told: []string{"host", "port", "user"}}}
	_, runs := s.Run(t.Context(), suite.Scenarios)
	return runs[0]
}

func TestProgram(t *testing.T) {
	arrive, heard := "program does: arrive", "server sends: {hear: {user: bob, text: hello}}"
	for _, test := range []struct {
		name   string
		puppet *puppet
		steps  []string
		want   transcript.Verdict
		reason string
	}{
		{"sends what is typed", &puppet{}, []string{arrive, "program types: {say: {text: hello}}", "program sends: {say: {text: hello}}\nnext: yes", "program sends nothing:"}, transcript.Pass, ""},
		{"half a line is kept", &puppet{}, []string{arrive, "program types: he\nenter: no", heard, "program shows: hello", "program types: llo", "program sends: {say: {text: hello}}"}, transcript.Pass, ""},
		{"answers nothing", &puppet{}, []string{arrive, heard, "program shows: hello", "program sends nothing:"}, transcript.Pass, ""},
		{"answers", &puppet{chatty: true}, []string{arrive, heard, "program shows: hello", "program sends nothing:"}, transcript.Fail, "it sent a message"},
		{"shows nothing", &puppet{deaf: true}, []string{arrive, heard, "program shows: hello"}, transcript.Fail, "~it showed nothing within"},
		{"shows something else", &puppet{}, []string{arrive, heard, "program shows: good day"}, transcript.Fail, `~; what it showed: "FROM bob hello"`},
		{"each place counts once", &puppet{}, []string{arrive, heard, "program shows: hello", "program shows: hello"}, transcript.Fail, `~; what it showed: "FROM bob hello"`},
		{"in any order", &puppet{}, []string{arrive, "server sends: [{hear: {user: bob, text: one}}, {hear: {user: bob, text: two}}]", "program shows: two", "program shows: /one/"}, transcript.Pass, ""},
		{"an echo does not count", &puppet{echo: true, deaf: true}, []string{arrive, "program types: {say: {text: hello}}", "program sends: {say: {text: hello}}", heard, "program shows: hello"}, transcript.Fail, "~it showed nothing within"},
		{"behind an echo it counts", &puppet{echo: true}, []string{arrive, "program types: {say: {text: hello}}", "program sends: {say: {text: hello}}", heard, "program shows: hello"}, transcript.Pass, ""},
		{"only what is shown since the last typing counts", &puppet{}, []string{arrive, heard, "program shows: hello", "program types: x", "program sends: {say: {text: x}}", "program shows: hello"}, transcript.Fail, "~it showed nothing within"},
		{"passes nothing on", &puppet{}, []string{arrive, `server sends: {hear: {user: bob, text: "\e[2Jend"}}`, "program shows: end", `program prints no: "\e[2J"`}, transcript.Pass, ""},
		{"passes it on", &puppet{raw: true}, []string{arrive, `server sends: {hear: {user: bob, text: "\e[2Jend"}}`, "program shows: end", `program prints no: "\e[2J"`}, transcript.Fail, "it printed them, and a terminal obeys them"},
		{"passes it on later", &puppet{raw: true}, []string{arrive, `program prints no: "\e[2J"`, `server sends: {hear: {user: bob, text: "\e[2Jend"}}`, "program shows: end"}, transcript.Fail, "it printed them, and a terminal obeys them"},
		{"ends", &puppet{}, []string{arrive, "server closes:", "program exits: success"}, transcript.Pass, ""},
		{"ends after a reset", &puppet{}, []string{arrive, "server resets:", "program exits:"}, transcript.Pass, ""},
		{"stays", &puppet{stays: true}, []string{arrive, "server closes:", "program exits:"}, transcript.Fail, "it is still running after 300ms"},
		{"ends with a status", &puppet{status: 3}, []string{arrive, "server closes:", "program exits: success"}, transcript.Fail, "it exited"},
		{"ends with none", &puppet{}, []string{arrive, "server closes:", "program exits: failure"}, transcript.Fail, "it exited"},
		{"ends with a trace", &puppet{trace: true, status: 1}, []string{arrive, "server closes:", "program exits: failure"}, transcript.Fail, "it ended with the trace of an error (exited)"},
		{"ends cleanly", &puppet{status: 3}, []string{arrive, "server closes:", "program exits: cleanly"}, transcript.Pass, ""},
		{"ends with a trace, whatever the status", &puppet{trace: true}, []string{arrive, "server closes:", "program exits: cleanly"}, transcript.Fail, "it ended with the trace of an error (exited)"},
		{"finds no server", &puppet{}, []string{"server closes:", "program starts:", "program shows: no server", "program exits: failure"}, transcript.Pass, ""},
		{"is told another name", &puppet{}, []string{"program starts: {user: carol}", "program sends: {login: {user: carol}}"}, transcript.Pass, ""},
		{"cannot be told a url", &puppet{}, []string{"program starts: {url: x}", "program sends: login"}, transcript.Skip, "needs {url} in the command"},
		{"says goodbye", &puppet{}, []string{arrive, "program input ends:", "program disconnects:", "program exits:"}, transcript.Pass, ""},
		{"waits for the server to close", &puppet{lingers: true}, []string{arrive, "program input ends:", "program disconnects:", "program exits: success"}, transcript.Pass, ""},
		{"restores the terminal", &puppet{}, []string{arrive, "program is stopped: interrupt", "program exits:", "program restores the terminal:"}, transcript.Pass, ""},
		{"leaves it changed", &puppet{changed: "what is typed is shown"}, []string{arrive, "program is stopped: interrupt", "program exits:", "program restores the terminal:"}, transcript.Fail, "what is typed is shown"},
		{"cannot be used", &puppet{mute: true}, []string{arrive}, transcript.Blocked, "the program cannot be used at all"},
		{"cannot be started", &puppet{startError: errors.New("no such file")}, []string{arrive}, transcript.Error, "the program could not be started"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			run := use(t, test.puppet, test.steps...)
			check(t, run, test.want, test.reason)
			if run.Verdict == transcript.Fail && run.Screen == "" && !test.puppet.deaf && len(run.Events) == 0 {
				t.Error("nothing is told of what happened")
			}
		})
	}
}

// With no server to be found, and with servers, a suite for clients and one
// for servers do not mix.
func TestProgramsAndServers(t *testing.T) {
	text := "scenarios:\n  - {name: a, tests: client, steps: [program does: arrive]}\n  - {name: b, steps: [alice connects:]}\n"
	suite := loadFiles(t, roomForPrograms, text)
	s := &Session{Suite: suite, Program: (&puppet{}).launch, Config: Config{Timeout: time.Second}}
	_, runs := s.Run(t.Context(), suite.Scenarios)
	if got := verdicts(runs); got != "pass skip" {
		t.Errorf("with a client program: %s", got)
	}
	if want := "tests a server, and this target is a client program"; runs[1].Reason != want {
		t.Errorf("reason %q, want %q", runs[1].Reason, want)
	}
}
