package target

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Status is how a program has ended.
type Status struct {
	Code   int       // the status it exited with; -1 where a signal killed it
	Signal os.Signal // that killed it, or nil
}

// String returns "exited with status 1" or "killed by signal: segmentation fault".
func (s Status) String() string {
	if s.Signal != nil {
		return "killed by signal: " + s.Signal.String()
	}
	return "exited with status " + strconv.Itoa(s.Code)
}

// sentence returns what happened to "the program".
func (s Status) sentence() string {
	if s.Signal != nil {
		return "the program was " + s.String()
	}
	return "the program " + s.String()
}

// StartError says that there is nothing that could be started: no such program, or no right to run it. It is the
// user's command that is wrong, rather than the target.
type StartError struct {
	Program string // as given
	Reason  string // such as "not found in PATH"
	Err     error  // what the system said; nil where it was not asked
}

func (e *StartError) Error() string { return fmt.Sprintf("cannot start %q: %s", e.Program, e.Reason) }

// Unwrap returns Err.
func (e *StartError) Unwrap() error { return e.Err }

// PortError says that the port asked for is in use by another program, which would take the target's clients.
type PortError struct {
	Network string
	Port    int
}

func (e *PortError) Error() string {
	return fmt.Sprintf("%s is in use by another program", portName(e.Network, e.Port))
}

// ExitError says that the program ended before it listened.
type ExitError struct {
	Status   Status
	Network  string
	Port     int           // that it was told; 0 where it is to print the one that it has
	Output   Output        // all that it printed
	Left     bool          // a process that it started was still running
	Lingered time.Duration // see [Process.Lingered]
}

func (e *ExitError) Error() string {
	s := e.Status.sentence() + " before it listened"
	if e.Port != 0 {
		s += " on " + portName(e.Network, e.Port)
	}
	if e.Left {
		s += " (a process that it started was still running: a server must stay in the foreground)"
	}
	return s + afterLingering(e.Lingered) + "; " + printed(e.Output)
}

// ListenError says that the program did not listen in time. It was still running, and has been stopped.
type ListenError struct {
	Network  string
	Port     int // that it was told
	Within   time.Duration
	Output   Output
	Others   []netip.AddrPort // where it listened instead
	Lingered time.Duration    // see [Process.Lingered]

	// Of a program that prints its port, see [Command.PortFrom]:
	Unprinted string // the expression, where nothing matched it
	NoPort    string // what matched last and is no port
	Printed   []int  // the ports that it printed
	Taken     bool   // another program listens on one of them
	Piped     bool   // its output is a pipe, on which a program may keep back what it prints
}

func (e *ListenError) Error() string {
	within := fmt.Sprintf(" within %v (it is still running)", seconds(e.Within))
	var s string
	switch {
	case e.Unprinted != "" && e.Output.Size == 0 && e.Piped:
		s = "the program printed no port" + within + "; it may have to flush its output, which a program keeps back on a pipe"
	case e.Unprinted != "":
		s = fmt.Sprintf("the program printed no port%s: nothing in its output matches %s", within, quoted(e.Unprinted))
	case len(e.Printed) == 0 && e.NoPort != "":
		s = fmt.Sprintf("the program printed %s, which is not a port (a number from 1 to 65535)%s", quoted(e.NoPort), within)
	case len(e.Printed) > 0:
		var names []string
		for _, port := range e.Printed {
			names = append(names, portName(e.Network, port))
		}
		s = fmt.Sprintf("the program printed %s but did not listen on it%s", strings.Join(names, " and "), within)
		if len(names) > 1 {
			s = strings.Replace(s, "on it", "on any of them", 1)
		}
		if e.Taken {
			s += "; another program listens there"
		}
	default:
		s = fmt.Sprintf("the program did not listen on %s%s", portName(e.Network, e.Port), within)
	}
	for i, other := range e.Others {
		if i == 0 {
			s += "; it listens on "
		} else {
			s += " and "
		}
		s += other.String()
	}
	if len(e.Others) > 0 {
		s += " instead"
	}
	return s + afterLingering(e.Lingered) + "; " + printed(e.Output)
}

// afterLingering says that the program was started a second time, and why.
func afterLingering(d time.Duration) string {
	if d == 0 {
		return ""
	}
	const because = "connections of an earlier instance could have kept its port busy"
	return fmt.Sprintf(" (it was started again after %.0f s, because %s)", d.Seconds(), because)
}

// quoted writes a text between quotes, as it is, as part of a sentence.
func quoted(text string) string {
	const most = 80
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return `"` + visible(text) + `"`
}

func portName(network string, port int) string {
	if network == "udp" {
		return fmt.Sprintf("UDP port %d", port)
	}
	return fmt.Sprintf("port %d", port)
}

// seconds writes 10 s rather than 10s.
func seconds(d time.Duration) string {
	if d >= time.Second {
		return strconv.FormatFloat(d.Seconds(), 'g', 4, 64) + " s"
	}
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'g', 4, 64) + " ms"
}

const (
	printedLines = 30  // of output that an error shows; the last ones, because tracebacks end with the reason
	printedLine  = 300 // characters of a line
)

// printed describes output in an error: "it printed nothing", "it printed: …" or the lines, indented.
func printed(o Output) string {
	text := strings.TrimRight(o.Text(), " \t\r\n")
	if text == "" {
		return "it printed nothing"
	}
	lines := strings.Split(text, "\n")
	if len(lines) == 1 {
		return "it printed: " + visible(lines[0])
	}
	s := "it printed:"
	if n := len(lines) - printedLines; n > 0 {
		s = fmt.Sprintf("it printed %d lines, at the end:", len(lines))
		lines = lines[n:]
	}
	for _, line := range lines {
		s += "\n    " + visible(strings.TrimRight(line, "\r"))
	}
	return s
}

// visible makes a line of a stranger's output harmless: an error goes to terminals, where control characters act.
func visible(line string) string {
	var b strings.Builder
	for n := 0; len(line) > 0; n++ {
		if n == printedLine {
			fmt.Fprintf(&b, "… (%d bytes more)", len(line))
			break
		}
		r, size := utf8.DecodeRuneInString(line)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, line[0])
		case r == '\t' || unicode.IsPrint(r):
			b.WriteString(line[:size])
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
		line = line[size:]
	}
	return b.String()
}
