package target

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestExits(t *testing.T) {
	began := time.Now()
	err := fails(t, script(t, "crashes.py"))
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("noticed after %v", took)
	}
	exit, ok := errors.AsType[*ExitError](err)
	if !ok || exit.Status.Code != 1 || exit.Status.Signal != nil || exit.Left {
		t.Fatalf("error %#v", err)
	}
	for _, want := range []string{"the program exited with status 1 before it listened on port ", "; it printed:\n    starting up\n", "\n    AttributeError: "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in\n%v", want, err)
		}
	}
	if o := exit.Output; o.Chunks[0].Stream != Stdout || o.Chunks[len(o.Chunks)-1].Stream != Stderr {
		t.Errorf("streams of %+v", o)
	}
}

func TestExitsBySignal(t *testing.T) {
	err := fails(t, script(t, "segfault.py"))
	exit, ok := errors.AsType[*ExitError](err)
	if !ok || exit.Status.Signal != syscall.SIGSEGV {
		t.Fatalf("error %#v", err)
	}
	if want := "the program was killed by signal: segmentation fault before it listened on port "; !strings.HasPrefix(err.Error(), want) ||
		!strings.HasSuffix(err.Error(), "; it printed nothing") {
		t.Errorf("want %q in %v", want, err)
	}
}

func TestGoesIntoBackground(t *testing.T) {
	err := fails(t, script(t, "daemon.py"))
	exit, ok := errors.AsType[*ExitError](err)
	if !ok || exit.Status.Code != 0 || !exit.Left || !strings.Contains(err.Error(), "must stay in the foreground") {
		t.Errorf("error %v", err)
	}
}

func TestNeverListens(t *testing.T) {
	e := doesNotListen(t, script(t, "never.py"), func(e *ListenError) bool { return e.Output.Size > 30 })
	want := fmt.Sprintf(`the program did not listen on port %d within %v (it is still running); `+
		`it printed: \x1b[31mwaiting\x1b[0m for better times`, e.Port, seconds(e.Within))
	if e.Error() != want {
		t.Errorf("error %q\nwant  %q", e, want)
	}
	e = doesNotListen(t, script(t, "several.py"), func(e *ListenError) bool { return len(e.Others) > 0 })
	if !strings.Contains(e.Error(), "; it listens on 127.0.0.1:") || !strings.HasSuffix(e.Error(), " instead; it printed nothing") {
		t.Errorf("it listens on two other ports: %v", e)
	}
}

func TestListenErrors(t *testing.T) {
	r := newRecorder(0)
	r.add(Stdout, []byte("port five\n"))
	five := r.since(0)
	tests := []struct {
		name string
		e    ListenError
		want string
	}{
		{"told", ListenError{Port: 5000}, "the program did not listen on port 5000 within 2 s (it is still running); it printed nothing"},
		{"UDP", ListenError{Port: 5000, Network: "udp"}, "the program did not listen on UDP port 5000 within 2 s (it is still running); it printed nothing"},
		{"on others", ListenError{Port: 5000, Others: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:6000"), netip.MustParseAddrPort("[::1]:6001")}},
			"the program did not listen on port 5000 within 2 s (it is still running); it listens on 127.0.0.1:6000 and [::1]:6001 instead; it printed nothing"},
		{"nothing on a pipe", ListenError{Unprinted: `port (\d+)`, Piped: true}, "the program printed no port within 2 s (it is still running); " +
			"it may have to flush its output, which a program keeps back on a pipe; it printed nothing"},
		{"nothing on a terminal", ListenError{Unprinted: `port (\d+)`},
			"the program printed no port within 2 s (it is still running): nothing in its output matches \"port (\\d+)\"; it printed nothing"},
		{"no match", ListenError{Unprinted: `port (\d+)`, Piped: true, Output: five},
			"the program printed no port within 2 s (it is still running): nothing in its output matches \"port (\\d+)\"; it printed: port five"},
		{"no port", ListenError{NoPort: "five", Output: five},
			"the program printed \"five\", which is not a port (a number from 1 to 65535) within 2 s (it is still running); it printed: port five"},
		{"does not listen", ListenError{Printed: []int{5000}},
			"the program printed port 5000 but did not listen on it within 2 s (it is still running); it printed nothing"},
		{"somebody else does", ListenError{Printed: []int{5000, 5001}, Taken: true}, "the program printed port 5000 and port 5001 but did not listen " +
			"on any of them within 2 s (it is still running); another program listens there; it printed nothing"},
		{"after lingering", ListenError{Port: 5000, Lingered: 61 * time.Second}, "the program did not listen on port 5000 within 2 s (it is still running) " +
			"(it was started again after 61 s, because connections of an earlier instance could have kept its port busy); it printed nothing"},
	}
	for _, test := range tests {
		test.e.Within = 2 * time.Second
		if got := test.e.Error(); got != test.want {
			t.Errorf("%s: %s\nwant %s", test.name, got, test.want)
		}
	}
}

func TestSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{10 * time.Second: "10 s", 1500 * time.Millisecond: "1.5 s", 250 * time.Millisecond: "250 ms"} {
		if got := seconds(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestCannotStart(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"plain.py": "pass\n", "bad": "#!/no/such/interpreter\n", "noformat": "\x00\x01"} {
		mode := os.FileMode(0o755)
		if name == "plain.py" {
			mode = 0o644
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		program, dir, want string
	}{
		{"pyton3", "", `cannot start "pyton3": not found in PATH`},
		{"plain.py", dir, `cannot start "plain.py": not found in PATH (for the file of that name here, write "./plain.py")`},
		{"./missing", dir, `cannot start "./missing": no such file`},
		{"./plain.py", dir, `cannot start "./plain.py": not executable (name its interpreter before it, or run chmod +x on it)`},
		{"./bad", dir, `cannot start "./bad": the interpreter that its first line names is not there`},
		{"./noformat", dir, `cannot start "./noformat": not a program for this machine, and without a first line that names its interpreter`},
		{dir, "", `it is a directory`},
		{"true", filepath.Join(dir, "nowhere"), `cannot start "true": there is no directory`},
	}
	for _, test := range tests {
		clean(t)
		_, err := Start(t.Context(), Command{Args: []string{test.program}, Dir: test.dir})
		if _, ok := errors.AsType[*StartError](err); !ok || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v\nwant %s", test.program, err, test.want)
		}
	}
	if _, err := Start(t.Context(), Command{}); err == nil {
		t.Error("no program: no error")
	}
}

func TestPrinted(t *testing.T) {
	many := strings.Repeat("line\n", 100)
	tests := []struct{ text, want string }{
		{"", "it printed nothing"},
		{" \r\n\n", "it printed nothing"},
		{"Zürich\t1\n", "it printed: Zürich\t1"},
		{"a\r\nb\n", "it printed:\n    a\n    b"},
		{"\x1b]0;title\a \xff \u202e", `it printed: \x1b]0;title\a \xff \u202e`},
		{many, "it printed 100 lines, at the end:" + strings.Repeat("\n    line", printedLines)},
		{strings.Repeat("x", 310), "it printed: " + strings.Repeat("x", 300) + "… (10 bytes more)"},
	}
	for _, test := range tests {
		r := newRecorder(0)
		r.add(Stdout, []byte(test.text))
		if got := printed(r.since(0)); got != test.want {
			t.Errorf("%q: %q\nwant %q", test.text, got, test.want)
		}
	}
}
