package docs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// programsOf are the Python programs that a page calls by these names, and what
// they are called with; PORT is their first argument, and ALL are all of them. A server.py makes one mistake and is correct in all
// else, so that what it is told does not depend on how fast this machine is.
var programsOf = map[string]map[string]string{
	"README.md":        {"server.py": "framed/wrong/wrong.py second-frame-in-segment-lost PORT --roster 500"},
	"docs/framed.md":   {"server.py": "framed/wrong/wrong.py chars-for-bytes-out PORT --roster 500"},
	"docs/lines.md":    {"server.py": "lines/wrong/wrong.py second-line-lost PORT"},
	"docs/direct.md":   {"server.py": "direct/wrong/wrong.py two-answers PORT"},
	"docs/datagram.md": {"server.py": "datagram/wrong/wrong.py second-greeting-doubles PORT"},
	"docs/servers.md":  {"server.py": "framed/wrong/wrong.py none PORT", "own.py": "framed/wrong/wrong.py none PORT"},
	"docs/clients.md":  {"client.py": "../clients/framed/naive/blocking.py ALL"},
	"docs/writing.md": {
		"server.py": "lines/wrong/wrong.py second-line-lost PORT",
		"words.py":  "variants.py words PORT",
	},
}

const servers = "../scenarios/testdata/servers/"

// capture is the capture.pcap of pages that have none of their own, as docs/x.md
// has testdata/x.pcap. All were made by tcpdump on the loopback interface, with
// refserver and two times refclient.
const capture = "testdata/capture.pcap"

// unplayed are pages that need no command: those about the project itself, and
// references.
var unplayed = []string{
	"CHANGELOG.md", "CONTRIBUTING.md", "docs/protocols.md", "docs/scenarios.md",
	"docs/mutants-framed.md", "docs/mutants-lines.md", "docs/mutants-direct.md", "docs/mutants-datagram.md",
}

func TestConsole(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: the commands on the pages are written for sh")
	}
	for _, p := range pages(t) {
		t.Run(p.name, func(t *testing.T) {
			if !*update {
				t.Parallel()
			}
			s := newShell(t, p)
			blocks := p.blocks(t)
			results := make([][]string, len(blocks))
			for i, b := range blocks {
				switch b.language {
				case "yaml":
					s.file(b)
				case "console":
					results[i] = s.play(b)
				}
			}
			if s.played == 0 && !slices.Contains(unplayed, p.name) {
				t.Error("this page shows no command that could be played")
			}
			if !*update {
				return
			}
			// From the last block to the first: what grows moves none of those
			// that are still to be written.
			for i, b := range slices.Backward(blocks) {
				if results[i] != nil {
					p.lines = slices.Replace(p.lines, b.from, b.to, results[i]...)
				}
			}
			p.write(t)
		})
	}
}

// A shell plays the commands of one page.
type shell struct {
	t      *testing.T
	dir    string
	port   string // instead of 4445
	played int
	status int // of the last command
}

func newShell(t *testing.T, p *page) *shell {
	s := &shell{t: t, dir: t.TempDir(), port: freePort(t)}
	file := filepath.Join("testdata", strings.TrimSuffix(filepath.Base(p.name), ".md")+".pcap")
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = os.ReadFile(capture)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.write("capture.pcap", string(data))
	for name, call := range programsOf[p.name] {
		script, arguments, _ := strings.Cut(call, " ")
		file, err := filepath.Abs(servers + script)
		if err != nil {
			t.Fatal(err)
		}
		s.write(name, fmt.Sprintf("import runpy, sys\nsys.argv = [%q] + %q.replace('PORT', (sys.argv + ['0'])[1]).replace('ALL', ' '.join(sys.argv[1:])).split()\n"+
			"runpy.run_path(sys.argv[0], run_name='__main__')\n", file, arguments))
	}
	return s
}

func freePort(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

func (s *shell) write(name, text string) {
	file := filepath.Join(s.dir, filepath.FromSlash(name))
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	if err == nil {
		err = os.WriteFile(file, []byte(text), 0o644)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// file writes a block that is a file, or adds it to one.
func (s *shell) file(b block) {
	name, continued := fileName(b)
	if name == "" {
		return
	}
	before, _ := os.ReadFile(filepath.Join(s.dir, filepath.FromSlash(name)))
	if !continued {
		before = nil
	}
	s.write(name, string(before)+b.text())
}

// An act is a command and what the page says that it prints.
type act struct {
	block    block
	line     int // of the command, in the block
	command  string
	expected []string
	mayFail  bool // the next command looks at its status
}

func acts(t *testing.T, b block) []act {
	t.Helper()
	var list []act
	for i, line := range b.lines() {
		command, ok := strings.CutPrefix(line, "$ ")
		switch {
		case ok:
			if len(list) > 0 && command == "echo $?" {
				list[len(list)-1].mayFail = true
			}
			list = append(list, act{block: b, line: i, command: command})
		case len(list) == 0:
			t.Fatalf("%s:%d: a console block begins with a command: $ chatprobe ...", b.page.name, b.from+i+1)
		default:
			a := &list[len(list)-1]
			a.expected = append(a.expected, line)
		}
	}
	return list
}

// play plays a block and returns what it should look like.
func (s *shell) play(b block) []string {
	var lines []string
	for _, a := range acts(s.t, b) {
		where := fmt.Sprintf("%s:%d", b.page.name, b.from+a.line+1)
		out, ok := s.run(where, a)
		lines = append(lines, "$ "+a.command)
		if !ok {
			lines = append(lines, a.expected...)
			continue
		}
		got := strings.Split(strings.TrimRight(out, "\n"), "\n")
		for i := range got {
			got[i] = strings.TrimRight(got[i], " ")
		}
		if out == "" {
			got = nil
		}
		s.played++
		if *update {
			lines = append(lines, renew(a.expected, got)...)
			if n := len(a.expected); n > 0 && a.expected[n-1] == "" {
				lines = append(lines, "") // before the next command
			}
			continue
		}
		if why := differ(a.expected, got); why != "" {
			s.t.Errorf("%s: $ %s\n%s\nthe page says\n\t%s\nthe program says\n\t%s\n(go test ./docs -update writes it)",
				where, a.command, why, strings.Join(a.expected, "\n\t"), strings.Join(got, "\n\t"))
		}
	}
	return lines
}

var fixedPort = regexp.MustCompile(`\b4445\b`)

// run runs a command and returns what it printed on both streams; ok is false
// where it could not be run.
func (s *shell) run(where string, a act) (out string, ok bool) {
	if a.command == "echo $?" {
		return fmt.Sprintln(s.status), true
	}
	if strings.Contains(a.command, "python3") && !s.hasPython() {
		return "", false
	}
	command := strings.ReplaceAll(a.command, "go run ./cmd/chatprobe", "chatprobe")
	if !*update {
		command = strings.ReplaceAll(command, "chatprobe run", "chatprobe run --timeout 1s")
	}
	command = fixedPort.ReplaceAllString(command, s.port)
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	s.t.Cleanup(cancel)
	var printed output
	line, goesOn := strings.CutSuffix(command, "&")
	if goesOn {
		line = "exec " + line
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "PATH="+programs+string(filepath.ListSeparator)+os.Getenv("PATH"), "NO_COLOR=1")
	cmd.Stdout, cmd.Stderr = &printed, &printed
	cmd.WaitDelay = time.Second
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("%s: %v", where, err)
	}
	if goesOn {
		s.t.Cleanup(func() {
			cancel()
			_ = cmd.Wait()
		})
		for i := 0; i < 3000 && differ(a.expected, strings.Split(s.said(&printed), "\n")) != ""; i++ {
			time.Sleep(10 * time.Millisecond)
		}
		return s.said(&printed), true
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		s.t.Errorf("%s: $ %s\ntakes too long; so far:\n%s", where, a.command, printed.String())
	case err != nil && !errors.As(err, &exit):
		s.t.Errorf("%s: %v", where, err)
	case err != nil && !a.mayFail:
		s.t.Errorf("%s: $ %s\n%v; where that is right, $ echo $? must follow\n%s", where, a.command, err, printed.String())
	}
	s.status = cmd.ProcessState.ExitCode()
	return s.said(&printed), true
}

// said is what was printed, with the port that the page speaks of.
func (s *shell) said(o *output) string { return strings.ReplaceAll(o.String(), ":"+s.port, ":4445") }

// hasPython says whether python3 runs. Where CI is set, it must.
func (s *shell) hasPython() bool {
	switch {
	case pythonErr == nil:
		return true
	case os.Getenv("CI") != "":
		s.t.Errorf("python3 is needed: %v", pythonErr)
	default:
		fmt.Fprintf(os.Stderr, "SKIPPED: python3 does not run (%v), so commands on the pages that need it were not played\n", pythonErr)
	}
	return false
}

// output is what a program prints while others look.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
