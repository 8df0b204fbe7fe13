package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	os.Setenv("GORACE", "atexit_sleep_ms=0") // or a server under the race detector takes a second to end
	testscript.Main(m, map[string]func(){"refserver": main})
}

// TestScripts plays testdata/*.txtar, which know the condition ipv6, and these commands beside testscript's own:
//
//	serve ARGS…      starts refserver ARGS and waits until it says where it listens: $addr and $port
//	say BYTES        connects to $addr, sends BYTES, written as in a Go string, and stays connected
//	hears BYTES      receives exactly BYTES on the last connection that has said something
//	exchange D… GOT  sends the datagrams D… to $addr from one socket, which must then receive GOT, where HERE is its
//	                 own address and port as an INCOMING shows them
//	shows LINE       waits until the server prints LINE on standard output
//	wrong ARGS…      runs refserver ARGS, which must end with exit code 2
//	fails ARGS…      runs refserver ARGS, which must end with exit code 3
//	signal NAME      sends it interrupt or terminate; it must end soon, with exit code 0. What it
//	                 has printed on standard error is in the file stderr.txt
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Values[running{}] = new(running)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"serve":    serveCommand,
			"say":      sayCommand,
			"hears":    hearsCommand,
			"exchange": exchangeCommand,
			"shows":    showsCommand,
			"signal":   signalCommand,
			"wrong":    exits(exitUsage),
			"fails":    exits(exitFailed),
		},
		Condition: func(cond string) (bool, error) {
			if cond != "ipv6" {
				return false, fmt.Errorf("unknown condition %q", cond)
			}
			ln, err := net.Listen("tcp", "[::1]:0")
			if err != nil {
				return false, nil
			}
			return true, ln.Close()
		},
	})
}

// running is the server that a script has started, and the key under which the script finds it.
type running struct {
	cmd    *exec.Cmd
	lines  chan string // of standard output
	stderr *bytes.Buffer
	conn   net.Conn // the last that a script has said something on
}

// within is how long a script waits for something before it fails.
const within = 10 * time.Second

// tooLong is what a server never takes to stop: much more than the half second that it allows itself, since it may
// have to wait for a processor.
const tooLong = 5 * time.Second

func serveCommand(ts *testscript.TestScript, neg bool, args []string) {
	server := ts.Value(running{}).(*running)
	server.cmd = exec.Command("refserver", args...)
	server.stderr = new(bytes.Buffer)
	server.cmd.Stderr = server.stderr
	stdout, err := server.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(server.cmd.Start())
	ts.Defer(func() { server.cmd.Process.Kill() })

	server.lines = make(chan string, 1000)
	go func() {
		defer close(server.lines)
		for in := bufio.NewScanner(stdout); in.Scan(); {
			server.lines <- in.Text()
		}
	}()
	line := server.line(ts)
	addr, found := strings.CutPrefix(line, "listening on ")
	if !found {
		ts.Fatalf("the first line is %q", line)
	}
	_, port, err := net.SplitHostPort(addr)
	ts.Check(err)
	ts.Setenv("addr", addr)
	ts.Setenv("port", port)
}

// line is the next line of the server's standard output.
func (server *running) line(ts *testscript.TestScript) string {
	select {
	case line, ok := <-server.lines:
		if ok {
			return line
		}
		ts.Fatalf("refserver has ended: %s", server.stderr)
	case <-time.After(within):
		ts.Fatalf("refserver prints nothing")
	}
	return ""
}

func sayCommand(ts *testscript.TestScript, neg bool, args []string) {
	said, err := strconv.Unquote(`"` + args[0] + `"`)
	ts.Check(err)
	conn, err := net.Dial("tcp", ts.Getenv("addr"))
	ts.Check(err)
	ts.Defer(func() { conn.Close() })
	_, err = conn.Write([]byte(said))
	ts.Check(err)
	ts.Value(running{}).(*running).conn = conn
}

func hearsCommand(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Unquote(`"` + args[0] + `"`)
	ts.Check(err)
	conn := ts.Value(running{}).(*running).conn
	conn.SetReadDeadline(time.Now().Add(within))
	got := make([]byte, len(want))
	if n, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		ts.Fatalf("heard %q (%v), want %q", got[:n], err, want)
	}
}

func exchangeCommand(ts *testscript.TestScript, neg bool, args []string) {
	conn, err := net.Dial("udp", ts.Getenv("addr"))
	ts.Check(err)
	defer conn.Close()
	for _, payload := range args[:len(args)-1] {
		_, err := conn.Write([]byte(payload))
		ts.Check(err)
	}
	conn.SetReadDeadline(time.Now().Add(within))
	got := make([]byte, 64<<10)
	n, err := conn.Read(got)
	ts.Check(err)
	addr := conn.LocalAddr().String()
	colon := strings.LastIndexByte(addr, ':')
	want := strings.Replace(args[len(args)-1], "HERE", addr[:colon]+" "+addr[colon+1:], 1)
	if string(got[:n]) != want {
		ts.Fatalf("received %q, want %q", got[:n], want)
	}
}

func showsCommand(ts *testscript.TestScript, neg bool, args []string) {
	server := ts.Value(running{}).(*running)
	for server.line(ts) != args[0] {
	}
}

func signalCommand(ts *testscript.TestScript, neg bool, args []string) {
	server := ts.Value(running{}).(*running)
	began := time.Now()
	ts.Check(server.cmd.Process.Signal(map[string]os.Signal{"interrupt": os.Interrupt, "terminate": syscall.SIGTERM}[args[0]]))
	for range server.lines {
	}
	ts.Check(server.cmd.Wait())
	if took := time.Since(began); took > tooLong {
		ts.Fatalf("refserver took %v to stop", took)
	}
	ts.Check(os.WriteFile(ts.MkAbs("stderr.txt"), server.stderr.Bytes(), 0o666))
}

// exits is a command that runs refserver and checks its exit code. Usage is one line, without the whole help.
func exits(code int) func(ts *testscript.TestScript, neg bool, args []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		err := ts.Exec("refserver", args...)
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != code {
			ts.Fatalf("ended with %v, want exit code %d", err, code)
		}
		if stdout := ts.ReadFile("stdout"); stdout != "" {
			ts.Fatalf("unexpected output: %s", stdout)
		}
	}
}

// A standard output that nobody reads, or that nobody can read any more, keeps the server neither from serving nor
// from stopping.
func TestUnreadOutput(t *testing.T) {
	for _, closed := range []bool{false, true} {
		t.Run("closed="+strconv.FormatBool(closed), func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			cmd := exec.Command("refserver", "framed", "0", "--roster-every", "1us")
			cmd.Stdout = w
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Process.Kill()
			w.Close()
			line := make([]byte, len("listening on 127.0.0.1:12345"))
			if _, err := io.ReadFull(r, line); err != nil {
				t.Fatal(err)
			}
			if closed {
				r.Close()
			}
			time.Sleep(200 * time.Millisecond) // the pipe is full, or found broken, by now; nothing can tell us so
			began := time.Now()
			cmd.Process.Signal(os.Interrupt)
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took > tooLong {
				t.Errorf("took %v to stop", took)
			}
		})
	}
}

func TestSize(t *testing.T) {
	for _, test := range []struct {
		in   string
		want int // 0: refused
		out  string
	}{
		{"1", 1, "1"}, {"4096", 4096, "4KiB"}, {"4097", 4097, "4097"}, {"64KiB", 64 << 10, "64KiB"},
		{"3MiB", 3 << 20, "3MiB"}, {"1024KiB", 1 << 20, "1MiB"}, {"1024MiB", 1 << 30, "1024MiB"},
		{"", 0, ""}, {"0", 0, ""}, {"0KiB", 0, ""}, {"-1", 0, ""}, {"KiB", 0, ""}, {"1.5MiB", 0, ""}, {"1 KiB", 0, ""},
		{"1GiB", 0, ""}, {"1025MiB", 0, ""}, {"99999999999999999999", 0, ""}, {"64kb", 0, ""},
	} {
		var got size
		err := got.Set(test.in)
		if int(got) != test.want || (err == nil) != (test.want > 0) {
			t.Errorf("%q: got %d, %v, want %d", test.in, got, err, test.want)
		}
		if err == nil && got.String() != test.out {
			t.Errorf("%q: shown as %q, want %q", test.in, &got, test.out)
		}
	}
}
