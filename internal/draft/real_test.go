package draft_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/golden"
)

// A scenario made from a capture of a server passes against that server, and
// fails against one that makes a mistake.

const servers = "../../scenarios/testdata/servers"

// probe runs chatprobe, and says how it ended and what it printed.
type probe struct {
	exe string
	dir string
}

func newProbe(t *testing.T) probe {
	t.Helper()
	if testing.Short() {
		t.Skip("plays against other programs for a while")
	}
	dir := t.TempDir()
	out, err := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "../../cmd/chatprobe", "../../cmd/refserver", "../../cmd/refclient").CombinedOutput()
	if err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return probe{exe: filepath.Join(dir, "chatprobe"), dir: dir}
}

func (p probe) run(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.exe, args...)
	cmd.Env = append(os.Environ(), "NO_COLOR=1")
	cmd.WaitDelay = time.Second
	b, err := cmd.CombinedOutput()
	exit, failed := errors.AsType[*exec.ExitError](err)
	if err != nil && !failed {
		t.Fatalf("chatprobe %s: %v", strings.Join(args, " "), err)
	}
	if failed {
		code = exit.ExitCode()
	}
	return code, string(b)
}

// draft makes a suite of one scenario from a capture, and checks it.
func (p probe) draft(t *testing.T, suite, capture string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	out, err := exec.Command(p.exe, "decode", capture, "--scenario").Output()
	if err != nil {
		t.Fatalf("decode --scenario: %v", err)
	}
	for name, text := range map[string]string{
		"protocol.yaml": "protocol: " + suite + "-more\nextends: " + suite + "\n",
		"captured.yaml": string(out),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if code, text := p.run(t, "lint", dir); code != 0 || strings.Contains(text, "captured.yaml") {
		t.Errorf("lint: exit code %d\n%s\nof\n%s", code, text, out)
	}
	return dir
}

// python is the command of a server in testdata, with {port}. Without Python
// the test is skipped, and on CI it fails.
func python(t *testing.T, file string, args ...string) []string {
	t.Helper()
	exe, err := exec.LookPath("python3")
	if err != nil {
		missing(t, "python3", err)
	}
	path, err := filepath.Abs(filepath.Join(servers, file))
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{exe, path}, args...)
}

func missing(t *testing.T, what string, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is needed: %v", what, err)
	}
	t.Skipf("SKIPPED, NOT TESTED: %s is needed: %v", what, err)
}

func (p probe) play(t *testing.T, dir string, server []string) (code int, out string) {
	t.Helper()
	return p.run(t, append([]string{"run", dir, "--scenario", "captured*", "--timeout", "500ms", "--"}, server...)...)
}

func TestPythonServerPassesAndBrokenOnesFail(t *testing.T) {
	p := newProbe(t)
	for _, test := range []struct {
		suite, right, scenario string
		wrong                  []string
	}{
		{"framed", "framed/right/threads.py", "every-other-client-hears",
			[]string{"echoes-to-sender", "wrong-sender-name",
				"no-arrival-notice"}},
		{"framed", "framed/naive/selectnaive.py", "two-clients-chat", []string{"sender-name-in-text"}},
		{"lines", "lines/right/loop.py", "every-other-client-hears",
			[]string{"echoes-to-sender", "prefix-missing"}},
		{"direct", "direct/right/threads.py", "private-text",
			[]string{"list-misses-last", "response-to-receiver-only"}},
		{"datagram", "datagram/right/loop.py", "every-other-client-hears",
			[]string{"sender-left-out", "delivered-twice", "port-of-receiver"}},
	} {
		t.Run(test.right, func(t *testing.T) {
			right := python(t, test.right, "{port}")
			evidence := t.TempDir()
			code, out := p.run(t, append([]string{"run", test.suite, "--scenario", test.scenario, "--record", evidence, "--"}, right...)...)
			if code != 0 {
				t.Fatalf("the recording has exit code %d\n%s", code, out)
			}
			dir := p.draft(t, test.suite, filepath.Join(evidence, test.suite, test.scenario+".pcap"))
			if code, out := p.play(t, dir, right); code != 0 {
				t.Errorf("the server it was made from: exit code %d\n%s", code, out)
			}
			fails := func(name string, server []string) {
				t.Run(name, func(t *testing.T) {
					t.Parallel() // a server that answers nothing takes a while
					if code, out := p.play(t, dir, server); code != 1 {
						t.Errorf("exit code %d\n%s", code, out)
					}
				})
			}
			for _, mistake := range test.wrong {
				fails(mistake, python(t, test.suite+"/wrong/wrong.py", mistake, "{port}"))
			}
			if test.suite == "framed" { // one that answers nothing takes long to fail
				fails("silent", python(t, "degenerate/silent.py", "{port}"))
				fails("echo", python(t, "degenerate/echo.py", "{port}"))
			}
		})
	}
}

// TestRecordedScenariosPassAgain records scenarios of all sorts, and makes a
// scenario of each recording.
func TestRecordedScenariosPassAgain(t *testing.T) {
	if os.Getenv("CI") != "" {
		t.Skip("takes too long there: it is for whoever changes this package")
	}
	p := newProbe(t)
	for suite, globs := range map[string][]string{
		"framed":   {"cut-off-*", "message-*", "two-*", "name-in-*", "crash-*", "return-*", "empty-name"},
		"lines":    {"cut-off-*", "message-in-*", "name-is-*", "return-*", "silent-*", "refused-*"},
		"direct":   {"login-byte-*", "list-*", "refused-*", "private-text", "others-*"},
		"datagram": {"second-*", "come-and-go", "many-have-gone", "gone-*", "same-*"},
	} {
		t.Run(suite, func(t *testing.T) {
			evidence, dir := t.TempDir(), t.TempDir()
			server := []string{filepath.Join(p.dir, "refserver"), suite, "{port}"}
			args := []string{"run", suite, "--record", evidence}
			for _, glob := range globs {
				args = append(args, "--scenario", suite+"/"+glob)
			}
			if code, out := p.run(t, append(append(args, "--"), server...)...); code != 0 {
				t.Fatalf("the recording has exit code %d\n%s", code, out)
			}
			if err := os.WriteFile(filepath.Join(dir, "protocol.yaml"), []byte("protocol: more\nextends: "+suite+"\n"), 0o666); err != nil {
				t.Fatal(err)
			}
			made := 0
			for _, file := range golden.Glob(t, filepath.Join(evidence, suite, "*.pcap")) {
				if strings.HasPrefix(filepath.Base(file), "first-contact") {
					continue // it is cut short
				}
				b, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				text, err := write(t, file, b)
				if err != nil {
					t.Errorf("%s: %v", filepath.Base(file), err)
					continue
				}
				made++
				if err := os.WriteFile(filepath.Join(dir, strings.TrimSuffix(filepath.Base(file), ".pcap")+".yaml"), []byte(text), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			if code, out := p.play(t, dir, server); code != 0 || strings.Contains(out, " skip ") {
				t.Errorf("%d scenarios: exit code %d\n%s", made, code, out)
			}
		})
	}
}

// TestCaptureOfTcpdump captures what real clients say to a Python server.
func TestCaptureOfTcpdump(t *testing.T) {
	if _, err := exec.LookPath("tcpdump"); err != nil || os.Getuid() != 0 {
		missing(t, "tcpdump, and the right to capture,", errors.Join(err, fmt.Errorf("user %d", os.Getuid())))
	}
	p := newProbe(t)
	server := python(t, "framed/right/selectloop.py", "{port}")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	start(t, exec.Command(server[0], server[1], port))
	await(t, "the server listens", func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	file := filepath.Join(t.TempDir(), "real.pcap")
	stop := tcpdump(t, file, port)
	typing := map[string]io.Writer{}
	for _, name := range []string{"alice", "bob"} {
		cmd := exec.Command(filepath.Join(p.dir, "refclient"), "framed", "127.0.0.1", port, name)
		if typing[name], err = cmd.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		start(t, cmd)
		awaitText(t, file, name, 1)
	}
	awaitText(t, file, "bob", 2) // alice is told
	for i, text := range []string{"hello bob", "hello yourself", "good bye"} {
		fmt.Fprintln(typing[[]string{"alice", "bob"}[i%2]], text)
		awaitText(t, file, text, 2) // said, and heard
	}
	time.Sleep(300 * time.Millisecond) // what else comes belongs to the capture
	stop()

	dir := p.draft(t, "framed", file)
	if code, out := p.play(t, dir, server); code != 0 {
		text, _ := os.ReadFile(filepath.Join(dir, "captured.yaml"))
		t.Errorf("the server it was made from: exit code %d\n%s\n%s", code, out, text)
	}
	for _, mistake := range []string{"echoes-to-sender", "sender-name-in-text"} {
		if code, out := p.play(t, dir, python(t, "framed/wrong/wrong.py", mistake, "{port}")); code != 1 {
			t.Errorf("with the mistake %s: exit code %d\n%s", mistake, code, out)
		}
	}
}

// start starts a program that is ended with the test.
func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// tcpdump captures what goes over a port of the loopback interface.
func tcpdump(t *testing.T, file, port string) (stop func()) {
	t.Helper()
	cmd := exec.Command("tcpdump", "-i", "lo", "-U", "-w", file, "tcp", "port", port)
	err, pipeErr := cmd.StderrPipe()
	if pipeErr != nil {
		t.Fatal(pipeErr)
	}
	start(t, cmd)
	lines := bufio.NewScanner(err)
	for lines.Scan() && !strings.Contains(lines.Text(), "listening on") {
	}
	return func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_, _ = io.Copy(io.Discard, err)
		_ = cmd.Wait()
	}
}

// await waits until something is so.
func await(t *testing.T, what string, isSo func() bool) {
	t.Helper()
	for until := time.Now().Add(20 * time.Second); !isSo(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

// awaitText waits until a file has a text, several times.
func awaitText(t *testing.T, file, text string, times int) {
	t.Helper()
	await(t, fmt.Sprintf("%q is captured %d times", text, times), func() bool {
		b, _ := os.ReadFile(file)
		return bytes.Count(b, []byte(text)) >= times
	})
}
