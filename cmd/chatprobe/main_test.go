package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

func TestMain(m *testing.M) {
	os.Setenv("GORACE", "atexit_sleep_ms=0") // or every command takes a second to end under the race detector
	testscript.Main(m, map[string]func(){
		"chatprobe": main,
		"mute":      mute,
		"idle":      idle,
		"crash":     crash,
	})
}

// TestScripts plays testdata/script/*.txtar, which know these commands beside
// testscript's own:
//
//	exits CODE COMMAND …        runs a command, which must end with that exit code
//	wrong COMMAND …             the same with exit code 2, and nothing on standard output
//	serve ARGS…                 starts refserver ARGS in the background: $ADDR, $PORT
//	verdicts RESULT.json FILE   writes a line "scenario verdict" for each run of a JSON report
//	interrupted COMMAND …       runs a command that starts mute, and interrupts it when that has been connected to; it
//	                            must end with exit code 130, and what it printed is in stdout.txt and stderr.txt
//	gone                        nothing is left of what the scripts' programs have started
//	unhex FILE OUT              writes the bytes whose hexadecimal digits stand in FILE
//
// and these programs to test:
//
//	refserver, refclient        the reference server and client
//	mute PORT                   listens, and never says a word
//	idle                        never listens
//	crash [WORDS]               prints the words and ends with status 3
func TestScripts(t *testing.T) {
	programs := build(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", programs+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("PIDS", filepath.Join(env.WorkDir, "pids"))
			env.Setenv("NO_COLOR", "")
			return os.Mkdir(env.Getenv("PIDS"), 0o777)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":       exits,
			"wrong":       wrong,
			"serve":       serve,
			"verdicts":    verdicts,
			"interrupted": interrupted,
			"gone":        gone,
			"unhex":       unhex,
		},
	})
}

// build makes the reference programs and returns the folder they are in.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "../refserver", "../refclient").CombinedOutput()
	if err != nil {
		t.Fatalf("build the reference programs: %v\n%s", err, out)
	}
	return dir
}

// within is how long a script waits for something before it fails.
const within = 30 * time.Second

func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func wrong(ts *testscript.TestScript, neg bool, args []string) {
	exits(ts, neg, append([]string{"2"}, args...))
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("unexpected output: %s", out)
	}
}

func serve(ts *testscript.TestScript, _ bool, args []string) {
	cmd := exec.Command(lookPath(ts, "refserver"), args...)
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	in := bufio.NewReader(out)
	line, err := in.ReadString('\n')
	ts.Check(err)
	go in.WriteTo(new(bytes.Buffer)) // so that it is never held up
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		ts.Fatalf("refserver prints %q first", line)
	}
	_, port, err := net.SplitHostPort(addr)
	ts.Check(err)
	ts.Setenv("ADDR", addr)
	ts.Setenv("PORT", port)
}

// lookPath finds a program in the PATH of the script.
func lookPath(ts *testscript.TestScript, name string) string {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		for _, file := range []string{name, name + ".exe"} {
			if path := filepath.Join(dir, file); executable(path) {
				return path
			}
		}
	}
	ts.Fatalf("there is no program %s", name)
	return ""
}

func executable(file string) bool {
	_, err := exec.LookPath(file)
	return err == nil
}

func verdicts(ts *testscript.TestScript, _ bool, args []string) {
	var r transcript.Report
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &r))
	var b strings.Builder
	for _, run := range r.Runs {
		fmt.Fprintln(&b, run.Scenario, run.Verdict)
	}
	if len(r.Runs) == 0 {
		ts.Fatalf("%s holds no runs", args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(b.String()), 0o666))
}

func interrupted(ts *testscript.TestScript, _ bool, args []string) {
	cmd := exec.Command(lookPath(ts, args[0]), args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "PIDS", "HOME", "TMPDIR", "GORACE"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	ts.Check(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer cmd.Process.Kill()
	connected := filepath.Join(ts.Getenv("PIDS"), "connected")
	for deadline := time.Now().Add(within); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(connected); err == nil {
			break
		}
		if time.Now().After(deadline) {
			ts.Fatalf("nobody has connected to mute")
		}
	}
	ts.Check(cmd.Process.Signal(os.Interrupt))
	var err error
	select {
	case err = <-ended:
	case <-time.After(within):
		ts.Fatalf("does not end when it is interrupted")
	}
	ts.Check(os.WriteFile(ts.MkAbs("stdout.txt"), stdout.Bytes(), 0o666))
	ts.Check(os.WriteFile(ts.MkAbs("stderr.txt"), stderr.Bytes(), 0o666))
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != exitInterrupted {
		ts.Fatalf("ended with %v, want exit code %d\n%s%s", err, exitInterrupted, &stdout, &stderr)
	}
}

func gone(ts *testscript.TestScript, _ bool, _ []string) {
	entries, err := os.ReadDir(ts.Getenv("PIDS"))
	ts.Check(err)
	started := 0
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		started++
		if p, err := os.FindProcess(pid); err == nil && p.Signal(syscall.Signal(0)) == nil {
			ts.Fatalf("process %d is still there", pid)
		}
	}
	if started == 0 {
		ts.Fatalf("nothing was started")
	}
}

func unhex(ts *testscript.TestScript, _ bool, args []string) {
	var digits strings.Builder
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b, 0o666))
}

// The programs to test. Each says in the folder $PIDS that it is there.

func present(event string) {
	if dir := os.Getenv("PIDS"); dir != "" {
		_ = os.WriteFile(filepath.Join(dir, event), nil, 0o666)
	}
}

func mute() {
	present(strconv.Itoa(os.Getpid()))
	ln, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		conn, err := ln.Accept()
		if err != nil {
			os.Exit(1)
		}
		present("connected")
		go func() { _, _ = io.Copy(io.Discard, conn) }()
	}
}

func idle() {
	present(strconv.Itoa(os.Getpid()))
	fmt.Println("thinking about it")
	time.Sleep(time.Hour)
}

func crash() {
	present(strconv.Itoa(os.Getpid()))
	fmt.Fprintln(os.Stderr, strings.Join(os.Args[1:], " "))
	os.Exit(3)
}
