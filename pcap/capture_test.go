package pcap

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
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
	if err != nil {
		t.Skipf("SKIPPED, NOT TESTED: %s is not installed here", name)
	}
	return path
}

// TestAgainstTshark lets tshark put the same streams together, also where the
// packets are out of order.
func TestAgainstTshark(t *testing.T) {
	t.Parallel()
	tshark := tool(t, "tshark")
	for _, name := range []string{"lo.pcap", "any.pcap", "any-v1.pcap", "lo.pcapng"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file, err := os.ReadFile("testdata/" + name)
			if err != nil {
				t.Fatal(err)
			}
			followed(t, tshark, "testdata/"+name, file)
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
	for key, stream := range l.streams {
		if got, _, _ := strings.Cut(stream, "|"); key != "udp" && got != streams[key] {
			t.Errorf("stream %s is\n%.300q, with tshark\n%.300q", key, got, streams[key])
		}
	}
}

// TestLive captures a connection while it is made.
func TestLive(t *testing.T) {
	t.Parallel()
	tcpdump := tool(t, "tcpdump")
	door, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer door.Close()
	port := door.Addr().(*net.TCPAddr).Port
	name := filepath.Join(t.TempDir(), "live.pcap")
	var log bytes.Buffer
	cmd := exec.Command(tcpdump, "-U", "-i", "lo", "-w", name, "tcp", "port", fmt.Sprint(port))
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	died := make(chan error, 1)
	go func() { died <- cmd.Wait() }()
	// The header of the file is written when the capture has begun.
	for begun := false; !begun; {
		select {
		case err := <-died:
			t.Skipf("SKIPPED, NOT TESTED: tcpdump may not capture here: %v: %s", err, log.String())
		case <-time.After(20 * time.Millisecond):
			info, err := os.Stat(name)
			begun = err == nil && info.Size() >= 24
		}
	}
	served := make(chan error, 1)
	go func() {
		c, err := door.Accept()
		if err == nil {
			io.ReadFull(c, make([]byte, 5))
			_, err = c.Write([]byte("welcome"))
			c.Close()
		}
		served <- err
	}()
	c, err := net.Dial("tcp", door.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Write([]byte("hello"))
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	io.ReadAll(c)
	c.Close()
	// tcpdump gets its packets a moment later; it is not asked to stop before.
	var l listener
	for range 100 {
		time.Sleep(20 * time.Millisecond)
		file, _ := os.ReadFile(name)
		Read(bytes.NewReader(file), l.sink()) // the file may end anywhere as yet
		if l.streams["1>"] == "hello|closed" && l.streams["1<"] == "welcome|closed" {
			break
		}
	}
	cmd.Process.Signal(os.Interrupt)
	<-died
	l.want(t, map[string]string{"1>": "hello|closed", "1<": "welcome|closed"})
}
