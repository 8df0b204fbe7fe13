package decode_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/decode"
	"github.com/chatprobe/chatprobe/internal/report"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/pcap"
)

// What tcpdump captures during a run is what the transcript of the run says.
func TestLiveCaptureIsTheTranscript(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs programs")
	}
	dir := t.TempDir()
	build(t, dir, "chatprobe")
	build(t, dir, "refserver")
	for _, suite := range []string{"framed", "lines", "direct", "datagram"} {
		t.Run(suite, func(t *testing.T) { compare(t, 0, suite, filepath.Join(dir, "chatprobe"), "run", suite) })
	}
	t.Run("target", func(t *testing.T) {
		port := freePort(t)
		address := fmt.Sprintf("127.0.0.1:%d", port)
		startProgram(t, "listening on "+address, filepath.Join(dir, "refserver"), "framed", "--listen", address)
		compare(t, port, "framed", filepath.Join(dir, "chatprobe"), "run", "framed", "--target", address)
	})
}

// examples are a few scenarios of each sort: pieces, resets, several messages
// in a segment.
var examples = map[string][]string{
	"framed":   {"two-clients-chat", "close-is-announced", "reset-is-announced", "message-byte-by-byte", "two-messages-*", "cut-off-frame"},
	"lines":    {"two-clients-chat", "others-go-on-after-reset", "message-byte-by-byte", "two-messages-*", "cut-off-message"},
	"direct":   {"private-text", "private-text-byte-by-byte", "private-texts-in-one-segment", "login-byte-by-byte", "login-list-and-text-in-one-segment", "first-survives-*"},
	"datagram": {"two-clients-chat", "every-other-client-hears", "come-and-go", "same-text-twice"},
}

func compare(t *testing.T, port int, suite, name string, args ...string) {
	capture := filepath.Join(t.TempDir(), "x.pcap")
	stop := startTcpdump(t, capture)
	result := filepath.Join(t.TempDir(), "x.json")
	for _, glob := range examples[suite] {
		args = append(args, "--scenario", suite+"/"+glob)
	}
	args = append(args, "--report", "json="+result)
	if suite == "framed" {
		args = append(args, "--set", "byte_order=big")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	stop()
	said := fromTranscript(t, result)
	seen := fromCapture(t, capture, port, suite)
	messages, later := 0, 0
	for _, key := range keys(said, seen) {
		s, c := said[key], seen[key]
		if s == nil && port == 0 {
			continue // of another program on this machine
		}
		sent, captured := strings.Join(s, "\n"), strings.Join(c, "\n")
		if slices.Contains(s, piece) {
			// What was sent in pieces is compared as one string of bytes.
			sent, captured = strings.NewReplacer("\n", "", piece, "").Replace(sent), strings.ReplaceAll(captured, "\n", "")
		}
		switch {
		case sent == captured:
		case key.fromServer && strings.HasPrefix(captured, sent):
			// A play ends when it is judged. What the server says afterwards,
			// such as that others have left, is in the capture alone.
			later += len(c) - len(s)
		default:
			t.Errorf("%v, %v, from the server %v:\nin the transcript\n%s\nin the capture\n%s", key.client, key.server, key.fromServer, sent, captured)
		}
		messages += len(c)
	}
	t.Logf("%d messages in %d directions, %d of them after the end of a play", messages, len(said), later)
	if messages < 20 {
		t.Errorf("only %d messages", messages)
	}
}

// A direction of a connection.
type direction struct {
	client, server netip.AddrPort
	fromServer     bool
}

func keys(a, b map[direction][]string) []direction {
	all := map[direction]bool{}
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	var list []direction
	for k := range all {
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b direction) int {
		return cmp.Or(a.client.Compare(b.client), a.server.Compare(b.server), strings.Compare(fmt.Sprint(a.fromServer), fmt.Sprint(b.fromServer)))
	})
	return list
}

// piece marks a direction in which something was sent that is no whole message.
const piece = "piece"

// whole is a body in hexadecimal digits, and its hash if it is long.
func whole(b transcript.Body) string {
	return hex.EncodeToString(b.Head) + hex.EncodeToString(b.Tail) + b.SHA256
}

func fromTranscript(t *testing.T, file string) map[direction][]string {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := report.ReadJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	runs := r.Runs
	for _, s := range r.Suites {
		if s.Contact != nil {
			runs = append(runs, *s.Contact)
		}
	}
	said := map[direction][]string{}
	for _, run := range runs {
		if run.Verdict == transcript.Skip && len(run.Events) == 0 {
			continue
		}
		if run.Verdict != transcript.Pass || len(run.Events) == 0 || run.Dropped > 0 {
			t.Errorf("%s: %s %s, %d events, %d dropped, %v", run.Scenario, run.Verdict, run.Reason, len(run.Events), run.Dropped, run.Notes)
		}
		ends := map[string]direction{} // of each client, as it is connected now
		for _, e := range run.Events {
			switch e.Kind {
			case transcript.Connect:
				ends[e.Client] = direction{client: netip.MustParseAddrPort(e.Local), server: netip.MustParseAddrPort(e.Text)}
			case transcript.Send, transcript.Receive:
				key := ends[e.Client]
				key.fromServer = e.Kind == transcript.Receive
				switch {
				case e.Message != nil:
					said[key] = append(said[key], whole(e.Message.Bytes))
				case e.Text == "a segment of it":
					// The message that it is a segment of stands before it.
				case e.Body != nil:
					said[key] = append(said[key], whole(*e.Body), piece)
				}
			}
		}
	}
	return said
}

func fromCapture(t *testing.T, file string, port int, suite string) map[direction][]string {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seen := map[direction][]string{}
	d := decode.New(codecsOf(t, suite), port, func(m *transcript.Decoded) error {
		key := direction{netip.MustParseAddrPort(m.Sender), netip.MustParseAddrPort(m.Receiver), m.From == "server"}
		if key.fromServer {
			key.client, key.server = key.server, key.client
		}
		seen[key] = append(seen[key], whole(m.Bytes))
		return nil
	})
	if _, err := pcap.Read(bufio.NewReader(f), d.Sink()); err != nil {
		t.Fatal(err)
	}
	return seen
}

func build(t *testing.T, dir, name string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, name), "github.com/chatprobe/chatprobe/cmd/"+name).CombinedOutput()
	if err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// codecsOf are the ways to read the protocol of a suite.
func codecsOf(t *testing.T, suite string) []*wire.Codec {
	t.Helper()
	file := "../../scenarios/" + suite + "/protocol.yaml"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := wire.Load(file, text, nil)
	if err != nil {
		t.Fatal(err)
	}
	list, err := decode.Codecs(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// startTcpdump captures the loopback interface until stop is called, which
// returns when all is in the file.
func startTcpdump(t *testing.T, file string) (stop func()) {
	t.Helper()
	path, err := exec.LookPath("tcpdump")
	if err != nil {
		skip(t, "tcpdump is not installed")
	}
	// Its buffer would hold very few packets of full length. Without -Z it
	// gives up root, and may not write the file any more.
	interrupt := startProgram(t, "listening on", path, "-i", "lo", "--immediate-mode", "-U", "-s", "4096", "-B", "65536", "-Z", "root", "-w", file, "tcp or udp")
	return func() {
		// It may be behind. When it has a word said after all others, it has all.
		word := []byte("the capture may end here: " + file)
		say(t, word)
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(b, word) {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("tcpdump has not captured what was said last; its file has %d bytes", len(b))
			}
		}
		interrupt()
	}
}

// say sends something over the loopback interface.
func say(t *testing.T, word []byte) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write(word); err != nil {
		t.Fatal(err)
	}
}

func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s, and it must not be missing in CI", why)
	}
	t.Skipf("NOT TESTED AGAINST A REAL CAPTURE: %s", why)
}

// startProgram waits until a program prints a word, and interrupts it at the
// end of the test, or when it is told to.
func startProgram(t *testing.T, word, name string, args ...string) (interrupt func()) {
	t.Helper()
	const patience = 10 * time.Second
	printed, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = w, w, time.Second
	err = cmd.Start()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	interrupt = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		limit := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer limit.Stop()
		_ = cmd.Wait() // an interrupt is no success, and no failure either
		printed.Close()
	})
	t.Cleanup(interrupt)
	heard := make(chan string, 1) // all that came up to the word, or to the end
	go func() {
		var text strings.Builder
		lines := bufio.NewScanner(printed)
		found := false
		for lines.Scan() {
			if found {
				continue // so that the program is never stopped by a full pipe
			}
			text.WriteString(lines.Text() + "\n")
			if found = strings.Contains(lines.Text(), word); found {
				heard <- text.String()
			}
		}
		if !found {
			heard <- text.String()
		}
	}()
	select {
	case text := <-heard:
		switch {
		case strings.Contains(text, word):
			return interrupt
		case strings.Contains(text, "ermi"): // permission denied, not permitted
			skip(t, text)
		}
		t.Fatalf("%s: %s", name, text)
	case <-time.After(patience):
		t.Fatalf("%s says nothing for %v", name, patience)
	}
	return nil
}
