package main

import (
	"context"
	"strings"
	"sync"

	"github.com/chatprobe/chatprobe/internal/engine"
	"github.com/chatprobe/chatprobe/internal/screen"
	"github.com/chatprobe/chatprobe/internal/target"
)

// launchProgram starts a client program for each scenario.
func launchProgram(command target.Command, answers []answer) engine.ProgramLaunch {
	return func(ctx context.Context, how engine.Invocation) (*engine.Program, error) {
		c := command
		c.Terminal = command.Terminal && !how.OnPipes
		c.Args = fillIn(command.Args, how)
		c.Type = fillIn(command.Type, how)
		p, err := target.StartClient(ctx, c, how.Server, how.User)
		if err != nil {
			return nil, err
		}
		s := &session{process: p, screen: screen.New(), answers: answers, how: how, terminal: c.Terminal}
		return s.program(), nil
	}
}

// fillIn replaces what a client program is told.
func fillIn(list []string, how engine.Invocation) []string {
	values := strings.NewReplacer("{host}", how.Host, "{port}", how.Port, "{user}", how.User, "{url}", how.URL)
	filled := make([]string, len(list))
	for i, text := range list {
		filled[i] = values.Replace(text)
	}
	return filled
}

// A session is a client program with its screen, and somebody who answers
// what it asks.
type session struct {
	process  *target.Process
	answers  []answer
	how      engine.Invocation
	terminal bool

	mu       sync.Mutex
	screen   *screen.Screen
	read     int64 // of the program's output
	answered int   // answers given
	asked    int   // where in what is shown the next question may begin
}

func (s *session) program() *engine.Program {
	p := &engine.Program{
		Shown:   s.shown,
		Printed: func(from int64) ([]byte, int64) { return printedSince(s.process, from) },
		Type:    s.enter,
		Stop:    s.stop,
		Exited: func() (engine.ProgramEnd, bool) {
			status, ended := s.process.Exited()
			return engine.ProgramEnd{How: howEnded(status), Status: status.Code}, ended
		},
		EndInput: s.process.EndInput,
		Rest:     s.process.AwaitRest,
		Close:    func() { _ = s.process.Stop() },
		Notify: func(f func()) {
			s.process.Notify(func() {
				s.answer()
				f()
			})
			s.answer()
		},
	}
	if s.terminal {
		p.Screen = s.display
		p.Echoes = s.process.Echoes
		p.TerminalChanged = s.process.TerminalChanged
	}
	return p
}

// update has the screen show what has been printed. s.mu is held.
func (s *session) update() {
	out, end := printedSince(s.process, s.read)
	if len(out) > 0 {
		s.screen.Write(out)
		if replies := s.screen.Replies(); len(replies) > 0 && s.terminal {
			go func() { _ = s.process.Write(string(replies)) }()
		}
	}
	s.read = end
}

func (s *session) shown(from int) (string, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.update()
	return s.screen.Text(from)
}

func (s *session) display() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.update()
	return s.screen.Display()
}

// answer types what a question that is shown asks for, each answer once and
// in their order.
func (s *session) answer() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answered == len(s.answers) {
		return
	}
	s.update()
	text, end := s.screen.Text(s.asked)
	for s.answered < len(s.answers) {
		a := s.answers[s.answered]
		m := a.asked.FindStringIndex(text)
		if m == nil {
			return
		}
		text = text[m[1]:]
		s.asked = end - len(text)
		s.answered++
		line := fillIn([]string{a.text}, s.how)[0]
		go func() { _ = s.process.Type(line) }()
	}
}

func (s *session) enter(text string, enter bool) error {
	if enter {
		return s.process.Type(text)
	}
	return s.process.Write(text)
}

func (s *session) stop(how string) error {
	if how == "interrupt" {
		return s.process.Interrupt() // as by the key
	}
	return signalProcess(s.process, how)
}
