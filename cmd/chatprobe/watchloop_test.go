package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/source"
	"github.com/chatprobe/chatprobe/internal/transcript"
)

// A turn is one call of play: what it is to be asked, and what it answers.
type turn struct {
	only []string
	runs []string // as played takes them; nil: there is no report
	err  error
	stop bool // the user interrupts it
}

var errWrongSuite = source.List{{Pos: source.Pos{File: source.NewFile("talk.yaml", nil)}, Text: "something is wrong"}}

func TestWatchLoop(t *testing.T) {
	pass, fail := func(name string) string { return name + " pass" }, func(name string) string { return name + " fail no" }
	all := []string{pass(once), pass(twice), pass(chat)}
	for _, test := range []struct {
		name  string
		turns []turn
		says  []string // in this order
		not   string
	}{
		{"all pass", []turn{{runs: all}, {runs: all}}, []string{"waiting for a change in", "changed: new1.py\n", "waiting for"}, "failed before"},
		{"what failed comes first", []turn{
			{runs: []string{pass(once), fail(twice), pass(chat)}},
			{only: []string{twice}, runs: []string{fail(twice)}},
			{only: []string{twice}, runs: []string{pass(twice)}},
			{runs: all},
			{runs: all},
		}, []string{"changed: new1.py", "only what failed before was played; when it passes, so are the other 2", "waiting for",
			"changed: new2.py", "what failed before passes; now everything", "waiting for", "changed: new3.py, new4.py"}, "chatprobe:"},
		{"what still fails comes first", []turn{
			{runs: []string{fail(once), fail(twice), pass(chat), pass("framed/a")}},
			{only: []string{once, twice}, runs: []string{pass(once), fail(twice)}},
			{only: []string{twice}, runs: []string{pass(twice)}},
			{runs: []string{fail(once), pass(twice), pass(chat), pass("framed/a")}},
			{only: []string{once}, runs: []string{fail(once)}},
		}, []string{"so are the other 2", "now everything", "so are the other 3"}, ""},
		{"one other", []turn{
			{runs: []string{fail(once), pass(twice)}},
			{only: []string{once}, runs: []string{fail(once)}},
		}, []string{"when it passes, so is the other scenario\n"}, "so are"},
		{"blocked and not judged has not passed, a warning and a skip have", []turn{
			{runs: []string{once + " blocked a", twice + " error b", chat + " warn c", "framed/a skip", "framed/b pass"}},
			{only: []string{once, twice}, runs: []string{pass(once), twice + " warn b"}},
			{runs: all},
		}, nil, ""},
		{"hardly anything passes", []turn{
			{runs: []string{fail(once), fail(twice), pass(chat)}},
			{runs: all},
		}, nil, "failed before"},
		{"the names are no more", []turn{
			{runs: []string{pass(once), fail(twice), pass(chat)}},
			{only: []string{twice}, runs: []string{}},
			{runs: all},
		}, nil, ""},
		{"a suite with mistakes", []turn{
			{runs: all},
			{err: errWrongSuite},
			{runs: all},
		}, []string{"changed: new1.py", "\ntalk.yaml: something is wrong\n", "waiting for", "changed: new2.py"}, "chatprobe:"},
		{"a suite with mistakes from the beginning", []turn{
			{err: errWrongSuite},
			{runs: all},
		}, []string{"talk.yaml: something is wrong\n", "waiting for", "changed: new1.py"}, ""},
		{"a suite with mistakes after a failure", []turn{
			{runs: []string{pass(once), fail(twice), pass(chat)}},
			{only: []string{twice}, err: errWrongSuite},
			{runs: all},
		}, []string{"something is wrong"}, ""},
		{"a suite that is gone", []turn{
			{runs: all},
			{err: usage("there is no folder mine")},
			{runs: all},
		}, []string{"\nchatprobe: there is no folder mine\n"}, ""},
		{"everything is said already", []turn{
			{runs: all},
			{runs: all, err: &exitError{code: exitFailed}},
			{runs: all},
		}, nil, "chatprobe:"},
		{"interrupted while it plays", []turn{
			{runs: all},
			{runs: []string{once + " error interrupted"}, stop: true},
		}, []string{"changed: new1.py"}, ""},
		{"interrupted while it plays what failed", []turn{
			{runs: []string{pass(once), fail(twice), pass(chat)}},
			{only: []string{twice}, runs: []string{twice + " error interrupted"}, stop: true},
		}, nil, "only what failed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDesk(t)
			w := d.watch(".")
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			n := 0
			play := func(_ context.Context, only []string) (*transcript.Report, error) {
				if n == len(test.turns) {
					t.Errorf("called once more, for %q", only)
					cancel()
					return nil, nil
				}
				turn := test.turns[n]
				n++
				if !slices.Equal(only, turn.only) || (only == nil) != (turn.only == nil) {
					t.Errorf("call %d is for %q, want %q", n, only, turn.only)
				}
				d.write(fmt.Sprintf("new%d.py", n), "") // while it plays
				if turn.stop {
					cancel()
				}
				if turn.runs == nil {
					return nil, turn.err
				}
				return played(turn.runs...), turn.err
			}
			var screen bytes.Buffer
			err := watchLoop(ctx, w, stopper{&screen, func() bool { return n == len(test.turns) }, cancel}, play)
			exit, ok := errors.AsType[*exitError](err)
			if !ok || exit.code != exitInterrupted || exit.err != nil {
				t.Errorf("it ends with %v", err)
			}
			if n != len(test.turns) {
				t.Errorf("%d calls, want %d", n, len(test.turns))
			}
			text := strings.ReplaceAll(screen.String(), shortNames([]string{d.dir})[0]+string(filepath.Separator), "")
			rest := text
			for _, says := range test.says {
				_, after, ok := strings.Cut(rest, says)
				if !ok {
					t.Fatalf("it does not say %q, or not there:\n%s", says, text)
				}
				rest = after
			}
			if test.not != "" && strings.Contains(text, test.not) {
				t.Errorf("it says %q:\n%s", test.not, text)
			}
		})
	}
}

// A stopper interrupts when the loop waits and the last turn is over.
type stopper struct {
	screen *bytes.Buffer
	isLast func() bool
	cancel func()
}

func (s stopper) Write(b []byte) (int, error) {
	if s.isLast() && bytes.Contains(b, []byte("waiting for")) {
		s.cancel()
	}
	return s.screen.Write(b)
}

func TestWatchLoopEndsWhereTheCommandLineIsWrong(t *testing.T) {
	d := newDesk(t)
	wrong := usage("--scenario is wrong")
	err := watchLoop(t.Context(), d.watch("."), new(bytes.Buffer), func(context.Context, []string) (*transcript.Report, error) {
		return nil, wrong
	})
	if !errors.Is(err, wrong) {
		t.Errorf("it ends with %v", err)
	}
}

func TestWatchLoopEndsWhereThereAreTooManyFiles(t *testing.T) {
	d := newDesk(t)
	w := d.watch(".")
	w.limit = len(w.seen)
	err := watchLoop(t.Context(), w, new(bytes.Buffer), func(context.Context, []string) (*transcript.Report, error) {
		d.write("new.py", "")
		return played(once + " pass"), nil
	})
	if exit, ok := errors.AsType[*exitError](err); !ok || exit.code != exitCannot {
		t.Errorf("it ends with %v", err)
	}
}

func TestWatchLoopSaysWhichFileTheServerWrites(t *testing.T) {
	d := newDesk(t)
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	n := 0
	var screen bytes.Buffer
	stop := stopper{&screen, func() bool { return strings.Contains(screen.String(), "users.db changes in each run") }, cancel}
	_ = watchLoop(ctx, d.watch("."), stop, func(context.Context, []string) (*transcript.Report, error) {
		if n++; n <= ownWrites {
			d.write("users.db", strings.Repeat("user ", n))
		} else {
			cancel()
		}
		if n == ownWrites {
			go func() { // when it has been waited for it for a while
				time.Sleep(3 * pollEvery)
				_ = os.WriteFile(d.file("server.py"), []byte("two"), 0o666)
			}()
		}
		return played(once + " pass"), nil
	})
	if got := strings.Count(screen.String(), "users.db changes in each run"); got != 1 || n != ownWrites+1 {
		t.Errorf("%d plays, %d remarks:\n%s", n, got, &screen)
	}
}

func TestListNames(t *testing.T) {
	for _, test := range []struct{ names, want string }{
		{"a", "a"},
		{"a b c d", "a, b, c, d"},
		{"a b c d e f", "a, b, c, d and 2 more"},
		{"\x1b[31m", `\x1b[31m`},
	} {
		if got := listNames(strings.Fields(test.names)); got != test.want {
			t.Errorf("%q is %q, want %q", test.names, got, test.want)
		}
	}
}

// A display is what a program in the background has printed so far.
type display struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *display) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

// after waits for text, and returns what has been printed up to its end from
// the offset on, and the offset behind it.
func (s *display) after(t *testing.T, from int, text string) (string, int) {
	t.Helper()
	for deadline := time.Now().Add(within); ; time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		all := s.text.String()
		s.mu.Unlock()
		if at := strings.Index(all[from:], text); at >= 0 {
			end := from + at + len(text)
			return all[from:end], end
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not print %q. It prints\n%s", text, all)
		}
	}
}

// A student mends a server, and chatprobe watches.
func TestRunWatchesAServerThatIsBeingWritten(t *testing.T) {
	if err := exec.Command("python3", "--version").Run(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("python3 is needed: %v", err)
		}
		t.Skipf("python3 is needed: %v", err)
	}
	base, err := os.ReadFile("../../scenarios/testdata/servers/framed/wrong/wrong.py")
	if err != nil {
		t.Fatal(err)
	}
	d := desk{t, t.TempDir()}
	t.Chdir(d.dir)
	d.write("base.py", string(base))
	server := func(mistake string) {
		d.write("new", "import sys\nimport base\nsys.argv = ['base', '"+mistake+"', sys.argv[1]]\nbase.main()\n")
		d.move("new", "server.py")
	}
	server("same-text-once")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out display
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"run", "framed", "--watch", "--timeout", "500ms", "--report", "json=result.json",
			"--scenario", "heard-once", "--scenario", "same-text-twice", "--", "python3", "server.py", "{port}"}, nil, &out, &out)
	}()
	text, at := out.after(t, 0, "waiting for a change in .\n")
	if !strings.Contains(text, "2 scenarios: 1 pass, 1 fail") {
		t.Fatalf("at first it prints\n%s", text)
	}
	server("no-such-mistake")
	_, at = out.after(t, at, "changed: server.py\n")
	text, at = out.after(t, at, "waiting for")
	if !strings.Contains(text, "1 scenario: ") || !strings.Contains(text, "so is the other scenario") {
		t.Fatalf("then it prints\n%s", text)
	}
	server("none")
	_, at = out.after(t, at, "changed: server.py\n")
	text, _ = out.after(t, at, "waiting for")
	if !strings.Contains(text, "1 scenario: 1 pass") || !strings.Contains(text, "2 scenarios: 2 pass") {
		t.Fatalf("at last it prints\n%s", text)
	}
	cancel()
	select {
	case code := <-ended:
		if code != exitInterrupted {
			t.Errorf("exit code %d, want %d", code, exitInterrupted)
		}
	case <-time.After(within):
		t.Fatal("it does not end when it is interrupted")
	}
}
