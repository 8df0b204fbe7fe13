package engine

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

// A Program is one running client program, as far as the engine needs to know
// it: a keyboard and a screen. The functions are safe for concurrent use.
type Program struct {
	// Shown is the text that the program has shown from an offset on, as a
	// user would have read it, and the offset of the end.
	Shown func(from int) (text string, end int)
	// Screen is what the screen looks like now, line by line; nil on pipes.
	Screen func() []string
	// Printed is what it has printed from an offset on, byte by byte.
	Printed func(from int64) (text []byte, end int64)
	// Echoes says that what is typed now will be shown by the program itself,
	// as line editors do.
	Echoes func() bool
	// Type types a text, and Enter behind it.
	Type func(text string, enter bool) error
	// EndInput ends the input, as Ctrl-D does.
	EndInput func() error
	// Stop ends the program from outside: "interrupt", "terminate" or "type:TEXT".
	Stop func(how string) error
	// Exited says how the program has ended, if it has.
	Exited func() (end ProgramEnd, ended bool)
	// Rest waits until the program waits for something to happen, but not
	// longer than limit, and says whether it does.
	Rest func(ctx context.Context, limit time.Duration) bool
	// TerminalChanged says in which way the terminal is not as the program
	// found it; empty if it is. Nil on pipes.
	TerminalChanged func() string
	// Notify has f called after new output and after the end of the program.
	Notify func(f func())
	// Close ends the program for good and frees what it holds.
	Close func()
}

// A ProgramEnd is how a program has ended.
type ProgramEnd struct {
	How    string // such as "exited with status 1"
	Status int    // that it exited with; -1 where a signal killed it
}

// An Invocation is what a client program is told when it is started.
type Invocation struct {
	Server netip.AddrPort
	// Host, Port, User and URL are told as {host}, {port}, {user} and {url}.
	Host, Port, User, URL string
	OnPipes               bool // no terminal
}

// A ProgramLaunch starts a client program. An error that is the program's own
// fault is a *[TargetError].
type ProgramLaunch func(ctx context.Context, how Invocation) (*Program, error)

// userName is the name that a client program is told to use.
const userName = "alice"

// Times of plays with client programs.
const (
	// connectWithin is how long a program may take from its start to its
	// connection: some are made by compilers that run first.
	connectWithin = 10 * time.Second
	// restWait bounds the wait until a program waits for what is typed next,
	// and restlessWait that for one which never does.
	restWait     = 3 * time.Second
	restlessWait = 100 * time.Millisecond
	// keyTime is how long keys may be on their way to a program.
	keyTime = 20 * time.Millisecond
)

// A host is the probe's side of a play that tests a client program: a server
// with one guest, a keyboard and a screen.
type host struct {
	play    *play
	launch  ProgramLaunch
	client  *client // the program's connection
	program *Program
	port    int
	token   string // of the proof that is being played
	tokenNo words

	listener net.Listener
	packets  *hostSocket // over UDP
	record   Recording   // empty where nothing is taken down

	// Only the player touches these.
	typed     int      // where in what is shown the last typing was
	prompt    string   // what stood on the last line then
	echoed    string   // what was typed then, if the program shows it itself
	found     [][2]int // what steps have found behind that
	forbidden []string // bytes that must not be printed
	opened    int      // connections taken

	// waiting are connections that the player has not taken yet, under play.mu.
	waiting []net.Conn
	closed  bool
}

// playProgram plays a scenario that tests a client program.
func (s *Session) playProgram(ctx context.Context, sc *scenario.Scenario, how manner) (transcript.Run, *failure) {
	run := s.newRun(sc)
	p := s.newPlay(ctx, sc, &run, &Target{Close: func() {}}, how)
	p.own, p.peer = p.peer, p.own
	h := &host{play: p, launch: s.Program, tokenNo: newWords(s.Seed, sc.Name, false)}
	h.client = p.newClient("program", false)
	h.client.name = userName
	p.host = h
	if s.Record != nil {
		h.record = s.Record(&run, how.slow)
	}
	var step *scenario.Step
	var f *failure
	if err := h.open(); err != nil {
		f = harnessError(err)
	} else {
		step, f = h.perform()
	}
	run.Seconds = time.Since(p.began).Seconds()
	s.judge(&run, sc, step, f)
	p.describe(&run, f)
	if h.program != nil {
		h.showScreen(&run, f != nil)
	}
	h.close()
	p.readers.Wait()
	run.Notes = p.notes
	if h.record.Done != nil {
		h.record.Done(run)
	}
	return run, f
}

func (h *host) perform() (*scenario.Step, *failure) {
	p := h.play
	p.mu.Lock()
	p.ready = true
	p.mu.Unlock()
	step, f := h.allSteps()
	if p.ctx.Err() != nil {
		return step, interrupted()
	}
	return step, f
}

func (h *host) allSteps() (*scenario.Step, *failure) {
	p := h.play
	if !p.scenario.StartsLater() {
		if f := h.start(nil); f != nil {
			f.where = "before the first step, the program is started"
			return nil, f
		}
	}
	for _, step := range p.scenario.Steps {
		p.record(event{Event: transcript.Event{Kind: transcript.Step, Text: step.Text}})
		if f := h.do(step); f != nil {
			return step, f
		}
		if p.ctx.Err() != nil {
			return step, nil
		}
	}
	if f := h.checkPrinted(); f != nil {
		f.where = "after the last step"
		return nil, f
	}
	return nil, nil
}

// open makes the server that the program is going to be told.
func (h *host) open() error {
	if h.play.codec.IsDatagram(h.play.own) {
		socket, err := listenPackets()
		if err != nil {
			return err
		}
		h.packets, h.port = socket, int(socket.addr().Port())
		return nil
	}
	l, err := (&net.ListenConfig{}).Listen(h.play.ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("open a port for the program: %w", err)
	}
	h.listener, h.port = l, l.Addr().(*net.TCPAddr).Port
	h.play.readers.Go(h.accept)
	return nil
}

func (h *host) accept() {
	for {
		conn, err := h.listener.Accept()
		if err != nil {
			return
		}
		conn = h.recorded(conn)
		h.play.mu.Lock()
		late := h.closed || len(h.waiting) > 100
		if !late {
			h.waiting = append(h.waiting, conn)
		}
		h.play.mu.Unlock()
		if late {
			_ = conn.Close()
		}
		h.play.changed()
	}
}

// recorded is the same connection, taken down if that is wanted.
func (h *host) recorded(conn net.Conn) net.Conn {
	if h.record.Conn == nil {
		return conn
	}
	return h.record.Conn(conn)
}

// shut takes no more connections: there is no server any more.
func (h *host) shut() {
	if h.listener != nil {
		_ = h.listener.Close()
	}
	if h.packets != nil && h.program == nil {
		_ = h.packets.Close() // else it is the connection
	}
	h.play.mu.Lock()
	h.closed = true
	waiting := h.waiting
	h.waiting = nil
	h.play.mu.Unlock()
	for _, conn := range waiting {
		_ = conn.Close()
	}
}

func (h *host) close() {
	h.shut()
	h.play.close(h.client, transcript.Reset)
	if h.packets != nil {
		_ = h.packets.Close()
	}
	if h.program != nil {
		h.program.Close()
	}
}

// start starts the program; with replaces what it is usually told.
func (h *host) start(with map[string]scenario.Value) *failure {
	p := h.play
	told := Invocation{
		Server: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(h.port)),
		Host:   "127.0.0.1", Port: fmt.Sprint(h.port), User: userName, OnPipes: p.scenario.OnPipes,
	}
	told.URL = "chat://" + told.Server.String()
	for name, v := range with {
		text, err := v.Text(p.lookup)
		if err != nil {
			return harnessError(err)
		}
		switch name {
		case "host":
			told.Host = text
		case "port":
			told.Port = text
		case "user":
			told.User, h.client.name = text, text
		case "url":
			told.URL = text
		}
	}
	program, err := h.launch(p.ctx, told)
	if err != nil {
		return launchFailure(err)
	}
	h.program = program
	p.target = &Target{
		Printed: program.Printed,
		Exited: func() (string, bool) {
			end, ended := program.Exited()
			return end.How, ended
		},
		Notify: program.Notify,
		Close:  program.Close,
	}
	program.Notify(p.changed)
	if h.packets != nil {
		h.take(h.recorded(h.packets))
	}
	return nil
}

// take makes a connection the program's. A connection before that is over.
func (h *host) take(conn net.Conn) {
	p, c := h.play, h.client
	h.opened++
	p.close(c, transcript.Close)
	p.begin(c, conn, h.packets == nil)
}

// programAddr is the program's end of its connection.
func (h *host) programAddr() netip.AddrPort {
	if h.packets != nil {
		return h.packets.guest()
	}
	return h.client.remote
}

// connected waits until the program has connected, and takes its connection.
func (h *host) connected() *failure {
	p, c := h.play, h.client
	if c.conn != nil && c.isOpen() || p.stopped {
		return nil
	}
	within := connectWithin
	if h.opened > 0 {
		within = 0 // it was there; should it have come again, take that
	}
	var conn net.Conn
	cond := func() bool {
		if h.packets != nil {
			return h.packets.guest().IsValid()
		}
		if len(h.waiting) == 0 {
			return false
		}
		conn = h.waiting[0]
		h.waiting = slices.Delete(h.waiting, 0, 1)
		return true
	}
	e := p.await(max(within, time.Millisecond), within > 0, nil, cond)
	switch {
	case conn != nil:
		h.take(conn)
	case e == met, h.opened > 0:
	default:
		got := fmt.Sprintf("no connection came within %s", round(p.waited))
		if h.packets != nil {
			got = fmt.Sprintf("no datagram came within %s", round(p.waited))
		}
		if how, exited := p.exited(); exited {
			got = "the program " + how
		}
		return fail(nil, "the program connects to the server", "%s", got).unreached()
	}
	return nil
}

// showScreen puts what the user would see into the run: after a failure the
// screen, else, where there is something to be said about it, what was shown.
func (h *host) showScreen(run *transcript.Run, failed bool) {
	if h.program.Screen == nil {
		return // what it printed is all there is
	}
	if run.Output != "" {
		shown, _ := h.program.Shown(0)
		run.Output = transcript.PrintableLines(tail([]byte(shown), 4096))
	}
	if !failed {
		return
	}
	run.Output = ""
	lines := h.program.Screen()
	for len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) == "" {
		lines = lines[:len(lines)-1]
	}
	run.Screen = transcript.PrintableLines([]byte(strings.Join(lines, "\n")))
}
