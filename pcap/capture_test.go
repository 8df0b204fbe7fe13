package pcap

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chatprobe/chatprobe/internal/golden"
)

// said is what talk.py says in testdata: by client port, lines and all.
func said(who string, n int, more string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s says line %d\n", who, i)
	}
	return b.String() + more
}

var sixteen = "0123456789abcdef"

// conversation is what talk.py makes of it, as a listener notes it.
func conversation() map[string]string {
	m := map[string]string{}
	for i, s := range []struct{ text, end string }{
		{said("alice", 5, ""), "|closed"}, {said("bob", 5, ""), "|closed"}, {said("carol", 2, strings.Repeat(sixteen, 300)), "|reset"},
	} {
		m[fmt.Sprint(i+1, ">")] = s.text + s.end
		m[fmt.Sprint(i+1, "<")] = strings.ToUpper(s.text) + s.end
	}
	for _, text := range []string{"dave was here", strings.Repeat(sixteen, 200)} {
		m["udp"] += "50004>4445 " + text + ";4445>50004 " + strings.ToUpper(text) + ";"
	}
	return m
}

func TestCaptures(t *testing.T) {
	seen := 0
	for _, pattern := range []string{"*.pcap", "*.pcapng", "*.gz"} {
		names, _ := filepath.Glob("testdata/" + pattern)
		for _, name := range names {
			seen++
			t.Run(filepath.Base(name), func(t *testing.T) {
				file, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				if len(file) > 50_000 {
					t.Errorf("it is %d bytes long", len(file))
				}
				l, stats := listen(t, file)
				want, packets := conversation(), 58
				twice := false
				switch filepath.Base(name) {
				case "cut.pcap":
					// 200 bytes hold 134 of carol's 4800, and no whole fragment.
					for _, k := range []string{"3>", "3<"} {
						want[k] = want[k][:36+134] + "[4666 missing]|reset"
					}
					want["udp"] = "50004>4445 dave was here;4445>50004 DAVE WAS HERE;"
				case "middle.pcap":
					packets = 6
					want = map[string]string{
						"1>": "alice says line 2\nalice says line 3\nalice says line 4\n|the capture ends",
						"1<": "ALICE SAYS LINE 1\nALICE SAYS LINE 2\nALICE SAYS LINE 3\n|the capture ends",
					}
				case "holes.pcap":
					packets = 55
					want["1>"] = "alice says line 0\n[36 missing]alice says line 3\nalice says line 4\n|closed"
					want["2>"] = "bob says line 0\nbob says line 1\n[16 missing]bob says line 3\nbob says line 4\n|closed"
				case "two.pcapng":
					packets, twice = 116, true
					want["udp"] = l.streams["udp"] // each datagram comes twice
				}
				l.want(t, want)
				if stats.Packets != packets || stats.Conflict != 0 || (stats.Repeated > 0) != twice {
					t.Errorf("counted %+v", stats)
				}
				if c := l.conns[0]; c.Server != netip.MustParseAddrPort("127.0.0.1:4445") || c.Client.Port() != 50001 {
					t.Errorf("connection %+v", c)
				}
			})
		}
	}
	if seen < 13 {
		t.Errorf("only %d captures in testdata", seen)
	}
}

// tool finds a program that a test compares with.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err != nil && os.Getenv("CI") != "":
		t.Fatalf("%s is not installed here", name)
	case err != nil:
		t.Skipf("SKIPPED, NOT TESTED: %s is not installed here", name)
	}
	return path
}

// TestAgainstTshark lets tshark put the same streams together, also where the
// packets are out of order.
func TestAgainstTshark(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it mostly waits for tshark")
	}
	tshark := tool(t, "tshark")
	names := golden.Glob(t, "testdata/*.pcap*")
	names = append(names, golden.Glob(t, "testdata/chat/*.pcap*")...)
	// tshark says nothing of bytes that were cut off, and takes whoever speaks
	// first for the client.
	others := regexp.MustCompile(`cut|middle|one-way`)
	for _, name := range names {
		if others.MatchString(name) {
			continue
		}
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			file, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			followed(t, tshark, name, file)
		})
	}
	t.Run("displaced", func(t *testing.T) {
		t.Parallel()
		name := filepath.Join(t.TempDir(), "displaced.pcap")
		segs := shuffled(newPlan(3), 2000)
		for i := range segs[2:] {
			// tshark gives up on what is confirmed before it comes.
			segs[2+i].ack = map[string]uint32{">": segs[1].seq + 1, "<": segs[0].seq + 1}[segs[2+i].from]
		}
		file := rawFile(segs...)
		if err := os.WriteFile(name, file, 0o600); err != nil {
			t.Fatal(err)
		}
		followed(t, tshark, name, file)
	})
}

// followed compares the streams of a capture with those that tshark follows.
func followed(t *testing.T, tshark, name string, file []byte) {
	t.Helper()
	l, _ := listen(t, file)
	args := []string{"-r", name, "-q", "-o", "tcp.reassemble_out_of_order:TRUE"}
	for i := range l.conns {
		args = append(args, "-z", fmt.Sprintf("follow,tcp,raw,%d", i))
	}
	out, err := exec.Command(tshark, args...).Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	streams := map[string]string{}
	id := 0
	for line := range strings.Lines(string(out)) {
		fmt.Sscanf(line, "Filter: tcp.stream eq %d", &id)
		key := fmt.Sprint(id+1, ">")
		if strings.HasPrefix(line, "\t") {
			key = fmt.Sprint(id+1, "<")
		}
		if b, err := hex.DecodeString(strings.TrimSpace(line)); err == nil {
			streams[key] += string(b)
		}
	}
	atEnd := regexp.MustCompile(`\[\d+ missing\]$`)
	lost := regexp.MustCompile(`\[(\d+) bytes missing in capture file\]\x00`)
	for key, stream := range l.streams {
		theirs := lost.ReplaceAllString(streams[key], "[$1 missing]")
		// tshark does not wait for what is confirmed before it comes, and does not
		// say that the end is missing.
		if got := atEnd.ReplaceAllString(spoken(stream), ""); key != "udp" && got != theirs && !(lost.MatchString(streams[key]) && fits(theirs, got)) {
			t.Errorf("stream %s is\n%.300q, with tshark\n%.300q", key, got, theirs)
		}
	}
}

// TestTcpdump captures a conversation with tcpdump, and reads what it writes while
// it writes: into a pipe, and into a file.
func TestTcpdump(t *testing.T) {
	for _, name := range []string{"pipe", "file"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			door, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer door.Close()
			to := "-"
			if name == "file" {
				to = filepath.Join(t.TempDir(), "growing.pcap")
			}
			in := tcpdump(t, "-U", "--immediate-mode", "-i", "lo", "-w", to, "tcp", "port", fmt.Sprint(door.Addr().(*net.TCPAddr).Port))
			if name == "file" {
				if in, err = Follow(t.Context(), to); err != nil {
					t.Fatal(err)
				}
			}
			r := readLater(in)
			served := make(chan net.Conn, 1)
			go func() {
				c, _ := door.Accept()
				served <- c
			}()
			c, err := net.Dial("tcp", door.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			s := <-served
			for _, said := range []struct {
				conn net.Conn
				text string
			}{{c, "hello"}, {s, "welcome"}, {c, "good bye"}} {
				if _, err := said.conn.Write([]byte(said.text)); err != nil {
					t.Fatal(err)
				}
				r.expect(t, said.text)
			}
			// What has been read when it is closed is closed without a reset.
			io.ReadFull(s, make([]byte, len("hellogood bye")))
			io.ReadFull(c, make([]byte, len("welcome")))
			s.Close()
			r.expect(t, Closed.String())
			c.Close()
			r.expect(t, Closed.String())
		})
	}
}

// tcpdump starts tcpdump, and returns its output. It has begun to listen by then.
func tcpdump(t *testing.T, args ...string) io.ReadCloser {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), tool(t, "tcpdump"), args...)
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Wait() })
	said := ""
	for lines := bufio.NewScanner(log); ; said += lines.Text() + "\n" {
		switch {
		case !lines.Scan():
			t.Skipf("SKIPPED, NOT TESTED: tcpdump may not capture here: %s", said)
		case strings.Contains(lines.Text(), "listening on"):
			go io.Copy(io.Discard, log)
			return out
		}
	}
}
