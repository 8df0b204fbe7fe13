package engine

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

// do plays one step of a play with a client program.
func (h *host) do(step *scenario.Step) *failure {
	p, c := h.play, h.client
	switch do := step.Do.(type) {
	case scenario.ProgramDoes:
		return h.procedure(do.Procedure, false)
	case scenario.ProgramStarts:
		return h.start(do.With)
	case scenario.ProgramConnects:
		return h.connected()
	case scenario.ProgramSends:
		return h.sends(do.Receive)
	case scenario.ProgramSendsNothing:
		return h.sendsNothing()
	case scenario.ProgramDisconnects:
		return h.disconnects()
	case scenario.Types:
		return h.types(do)
	case scenario.Shows:
		return h.shows(do)
	case scenario.PrintsNo:
		text, err := do.Text.Text(p.lookup)
		if err != nil {
			return harnessError(err)
		}
		h.forbidden = append(h.forbidden, text)
		return h.checkPrinted()
	case scenario.InputEnds:
		p.stopped = true
		p.remark("the input ends")
		return h.keyboard(h.program.EndInput())
	case scenario.ProgramStop:
		how, err := do.How.Text(p.lookup)
		if err != nil {
			return harnessError(err)
		}
		h.rest()
		p.stopped = true
		p.remark("stopped by " + how)
		return h.keyboard(h.program.Stop(how))
	case scenario.ProgramExits:
		return h.exits(do)
	case scenario.RestoresTerminal:
		return h.restoresTerminal()
	case scenario.ServerCloses:
		h.shut()
		p.close(c, transcript.Close)
		return nil
	case scenario.ServerResets:
		if f := h.connected(); f != nil {
			return f
		}
		h.shut()
		p.close(c, transcript.Reset)
		return nil
	case scenario.ServerSends:
		return h.serverSends(do)
	case scenario.ServerSendsBytes:
		text, err := do.Data.Text(p.lookup)
		if err != nil {
			return harnessError(err)
		}
		if f := h.connected(); f != nil {
			return f
		}
		if do.How.IsWhole() {
			return p.sendRaw(c, []byte(text), "raw bytes")
		}
		return p.sendCut(c, []byte(text), do.How)
	}
	return harnessError(fmt.Errorf("step %q cannot be played", step.Text))
}

// procedure plays the steps of a procedure. What came up to the end of the
// program's arrival matches no step any more. With next, what the program
// sends must be the very next message.
func (h *host) procedure(proc *scenario.Procedure, next bool) *failure {
	p := h.play
	h.token = h.tokenNo.next(8)
	for _, step := range proc.Steps {
		play := *step
		if sends, ok := step.Do.(scenario.ProgramSends); ok && next {
			sends.Next = true
			play.Do = sends
		}
		if !step.Optional {
			if f := h.do(&play); f != nil {
				f.inner = step.Text
				return f
			}
			continue
		}
		// Once the program waits for something, it sends no more by itself.
		if f := h.connected(); f != nil {
			return f
		}
		h.rest()
		deadline := p.deadline
		p.deadline = min(optionalWait, deadline)
		f := h.do(&play)
		p.deadline = deadline
		if f != nil && f.verdict != transcript.Fail {
			return f
		}
	}
	if proc.Name == scenario.ArriveProcedure {
		h.rest()
		p.mu.Lock()
		h.client.forget()
		p.mu.Unlock()
	}
	return nil
}

// restless is how many waits in vain, in all plays, show that a program never
// rests: it asks again and again whether something has come.
const restless = 4

// rest waits until the program waits for what happens next.
func (h *host) rest() {
	p := h.play
	limit := restWait
	if p.session.unrest.Load() >= restless {
		limit = restlessWait
	}
	if h.program.Rest(p.ctx, limit) {
		p.session.unrest.Store(0)
	} else {
		p.session.unrest.Add(1)
	}
}

func (h *host) sends(do scenario.Receive) *failure {
	if f := h.connected(); f != nil {
		return f
	}
	f := h.play.doReceive(h.client, do)
	if f != nil && h.opened > 1 {
		h.play.note(fmt.Sprintf("the program connected %d times", h.opened))
	}
	return f
}

// sendsNothing has the program send something that is known to be good: no
// other message may come before that. A program that has left sends no more.
func (h *host) sendsNothing() *failure {
	p, c := h.play, h.client
	if f := h.connected(); f != nil {
		return f
	}
	h.rest()
	p.mu.Lock()
	over, fresh, begun := c.over != notOver, c.fresh(), c.malformed != nil || len(c.partial) > 0
	p.mu.Unlock()
	switch {
	case fresh > 0:
		return fail(c, "the program sends nothing", "it sent a message")
	case begun:
		return fail(c, "the program sends nothing", "it sent bytes that are no message")
	case over:
		return nil
	}
	f := h.procedure(p.session.Suite.Procedure(scenario.ProofProcedure), true)
	if f != nil && f.got == anotherFirst {
		f.expected, f.got, f.wanted = "the program sends nothing", "it sent a message", nil
	}
	return f
}

func (h *host) disconnects() *failure {
	p, c := h.play, h.client
	if f := h.connected(); f != nil {
		return f
	}
	e := p.wait(p.deadline, nil, func() bool { return c.over == serverClosed || c.over == serverReset })
	if e == timedOut {
		return fail(c, "the program ends its connection", "it is still open after %s", round(p.deadline))
	}
	return nil
}

// types types once the program waits for that: some throw away what was typed
// before they are ready.
func (h *host) types(do scenario.Types) *failure {
	text, err := do.Text.Text(h.play.lookup)
	if err != nil {
		return harnessError(err)
	}
	h.rest()
	var shown string
	shown, h.typed = h.program.Shown(0)
	h.prompt = shown[strings.LastIndexByte(shown, '\n')+1:]
	h.found, h.echoed = nil, ""
	if h.program.Echoes != nil && h.program.Echoes() {
		h.echoed = text
	}
	body := transcript.NewBody([]byte(text))
	h.play.record(event{Event: transcript.Event{Kind: transcript.Typed, Body: &body}})
	f := h.keyboard(h.program.Type(text, !do.NoEnter))
	if do.NoEnter {
		h.play.sleep(keyTime) // what comes next is meant to find half a line
		h.rest()
	}
	return f
}

// keyboard says why something could not be typed.
func (h *host) keyboard(err error) *failure {
	if err == nil {
		return nil
	}
	got := err.Error()
	if how, exited := h.play.exited(); exited {
		got = "the program " + how
	}
	return fail(nil, "the program reads what is typed", "%s", got)
}

func (h *host) shows(do scenario.Shows) *failure {
	p := h.play
	want := printed{}
	var words string
	var err error
	if do.Text.IsRegex {
		if want.regex, err = do.Text.Compile(p.lookup); err == nil {
			words = "/" + want.regex.String() + "/"
		}
	} else if want.text, err = do.Text.Text.Text(p.lookup); err == nil {
		words = transcript.Printable([]byte(want.text))
		if len(words) > 200 {
			words = fmt.Sprintf("%s… (%d bytes)", words[:100], len(want.text))
		}
		words = `"` + words + `"`
	}
	if err != nil {
		return harnessError(err)
	}
	e := p.wait(p.deadline, nil, func() bool { return h.find(want) })
	if e == met {
		return nil
	}
	shown, _ := h.program.Shown(h.typed)
	shown = strings.Trim(h.withoutEcho(shown), "\x00 \t\r\n")
	got := fmt.Sprintf("it showed nothing within %s", round(p.waited))
	switch how, exited := p.exited(); {
	case exited && shown == "":
		got = "it showed nothing, and the program " + how
	case exited:
		got = "it did not, and the program " + how
	case shown != "":
		got = fmt.Sprintf("it did not within %s", round(p.waited))
	}
	if shown != "" {
		if len(shown) > 300 {
			shown = "…" + strings.ToValidUTF8(shown[len(shown)-300:], "")
		}
		got += `; what it showed: "` + transcript.Printable([]byte(shown)) + `"`
	}
	return fail(nil, "the program shows "+words, "%s", got)
}

// find looks for what no step has found yet, behind the last typing.
func (h *host) find(want printed) bool {
	text, _ := h.program.Shown(h.typed)
	text = h.withoutEcho(text)
	for at := 0; at <= len(text); {
		from, to := -1, -1
		if want.regex != nil {
			if m := want.regex.FindStringIndex(text[at:]); m != nil {
				from, to = at+m[0], at+m[1]
			}
		} else if i := strings.Index(text[at:], want.text); i >= 0 {
			from, to = at+i, at+i+len(want.text)
		}
		if from < 0 {
			return false
		}
		next := from + 1
		for _, f := range h.found {
			if from < f[1] && f[0] < to {
				next = max(next, f[1])
			}
		}
		if next == from+1 {
			h.found = append(h.found, [2]int{from, to})
			return true
		}
		at = next
	}
	return false
}

// withoutEcho takes out what the program shows only because it was typed: at
// the beginning, perhaps behind its prompt drawn again. Not every line editor
// shows it. The offsets of what comes after it stay.
func (h *host) withoutEcho(text string) string {
	for _, before := range []string{"", h.prompt, "\n" + h.prompt} {
		if h.echoed != "" && strings.HasPrefix(text, before+h.echoed) {
			end := len(before) + len(h.echoed)
			return strings.Repeat("\x00", end) + text[end:]
		}
	}
	return text
}

func (h *host) exits(do scenario.ProgramExits) *failure {
	p := h.play
	p.stopped = true
	expected := "the program ends"
	switch do.Status {
	case scenario.ExitSuccess:
		expected += " with status 0"
	case scenario.ExitFailure:
		expected += " with a status that is not 0"
	case scenario.ExitCleanly:
		expected += " without the trace of an error"
	}
	e := p.wait(p.deadline, nil, func() bool { _, ended := p.exited(); return ended })
	if e != met && e != gone {
		return fail(nil, expected, "it is still running after %s", round(p.deadline))
	}
	end, _ := h.program.Exited()
	out, _ := h.program.Printed(0)
	switch {
	case do.Status == "":
	case crashed.Match(out):
		return fail(nil, expected, "it ended with the trace of an error (%s)", end.How)
	case do.Status == scenario.ExitCleanly:
	case (end.Status == 0) != (do.Status == scenario.ExitSuccess):
		return fail(nil, expected, "it %s", end.How)
	}
	return nil
}

func (h *host) restoresTerminal() *failure {
	if h.program.TerminalChanged == nil {
		return nil
	}
	if how := h.program.TerminalChanged(); how != "" {
		return fail(nil, "the program leaves the terminal as it found it", "%s", how)
	}
	return nil
}

// checkPrinted looks for bytes that the program must not pass on.
func (h *host) checkPrinted() *failure {
	if h.program == nil {
		return nil
	}
	out, _ := h.program.Printed(0)
	for _, text := range h.forbidden {
		if bytes.Contains(out, []byte(text)) {
			if strings.IndexFunc(text, unicode.IsControl) < 0 {
				return fail(nil, fmt.Sprintf("the program never prints %q", text), "it printed that")
			}
			return fail(nil, fmt.Sprintf("the program does not pass on the bytes %q as they are", text), "it printed them, and a terminal obeys them")
		}
	}
	return nil
}

func (h *host) serverSends(do scenario.ServerSends) *failure {
	p := h.play
	if f := h.connected(); f != nil {
		return f
	}
	if h.packets != nil && !h.packets.guest().IsValid() {
		return fail(h.client, "the program can be sent something", "it has sent nothing yet, so its address is not known")
	}
	b, err := p.build(h.client, do.Messages)
	if err != nil {
		return harnessError(err)
	}
	return p.sendCut(h.client, b, do.How)
}

// remark notes something that the probe does.
func (p *play) remark(text string) {
	p.record(event{Event: transcript.Event{Kind: transcript.Remark, Text: text}})
}

// errNoGuest says that there is nobody to send to.
var errNoGuest = errors.New("no datagram has come yet, so there is nobody to answer")
