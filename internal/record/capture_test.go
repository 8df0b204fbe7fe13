package record

import (
	"bytes"
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

	"github.com/chatprobe/chatprobe/pcap"
)

// A seen is a connection as a capture shows it.
type seen struct {
	client, server netip.AddrPort
	opened         bool
	said           [2]string // by the client, by the server
	missing        [2]int64
	how            [2]pcap.End
	parts          []string // what was said by either, in order: ">hello"
}

// A capture is all that a file shows.
type capture struct {
	conns     []*seen
	datagrams []string // "port>port text"
	times     []time.Time
	stats     pcap.Stats
}

// read has the package pcap read the capture of a log.
func read(t testing.TB, l *Log) (*capture, []byte) {
	t.Helper()
	var file bytes.Buffer
	if err := l.WriteCapture(&file); err != nil {
		t.Fatal(err)
	}
	c := &capture{}
	conn := func(s pcap.Source) (*seen, int) {
		for len(c.conns) < s.Conn.ID {
			c.conns = append(c.conns, &seen{})
		}
		one := c.conns[s.Conn.ID-1]
		one.client, one.server, one.opened = s.Conn.Client, s.Conn.Server, s.Conn.Opened
		c.times = append(c.times, s.Time)
		if s.FromClient {
			return one, 0
		}
		return one, 1
	}
	var err error
	c.stats, err = pcap.Read(bytes.NewReader(file.Bytes()), pcap.Sink{
		Data: func(s pcap.Source, b []byte) {
			one, from := conn(s)
			one.said[from] += string(b)
			one.parts = append(one.parts, string("><"[from])+string(b))
		},
		Gap: func(s pcap.Source, n int) {
			one, from := conn(s)
			one.missing[from] += int64(n)
		},
		End: func(s pcap.Source, how pcap.End) {
			one, from := conn(s)
			one.how[from] = how
		},
		Datagram: func(s pcap.Source, b []byte) {
			c.times = append(c.times, s.Time)
			c.datagrams = append(c.datagrams, fmt.Sprintf("%v>%v %s", s.From, s.To, b))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if s := c.stats; s.Other+s.Repeated+s.Conflict != 0 {
		t.Errorf("the capture has faults: %+v", s)
	}
	return c, file.Bytes()
}

// faultless has tcpdump and tshark look for anything that is not as it should be.
func faultless(t *testing.T, file []byte) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "play.pcap")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if tcpdump, err := exec.LookPath("tcpdump"); err == nil {
		out, err := exec.Command(tcpdump, "-n", "-vv", "-r", name).Output()
		if err != nil {
			t.Errorf("tcpdump: %v", err)
		}
		if sums := bytes.Count(out, []byte("cksum")) + bytes.Count(out, []byte("sum ok")); sums == 0 || bytes.Contains(out, []byte("incorrect")) || bytes.Contains(out, []byte(" bad ")) || bytes.Contains(out, []byte("[bad ")) {
			t.Errorf("tcpdump finds %d checksums, and fault:\n%.5000s", sums, out)
		}
	} else if os.Getenv("CI") != "" {
		t.Error("tcpdump is not installed")
	}
	if tshark, err := exec.LookPath("tshark"); err == nil {
		out, err := exec.Command(tshark, "-r", name,
			"-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-Y",
			"_ws.malformed || tcp.checksum.status == 0 || udp.checksum.status == 0 || ip.checksum.status == 0 || (tcp.analysis.flags && !tcp.analysis.reused_ports)").Output()
		if err != nil {
			t.Errorf("tshark: %v", err)
		}
		if len(out) > 0 {
			t.Errorf("tshark finds fault with\n%.5000s", out)
		}
	}
}

// pair makes a connection over the address, such as 127.0.0.1:0.
func pair(t testing.TB, address string) (dialed, accepted *net.TCPConn) {
	t.Helper()
	door, err := net.Listen("tcp", address)
	if err != nil {
		if strings.HasPrefix(address, "[") {
			t.Skipf("SKIPPED, NOT TESTED: there is no IPv6 here: %v", err)
		}
		t.Fatal(err)
	}
	defer door.Close()
	a, err := net.Dial("tcp", door.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := door.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a.(*net.TCPConn), b.(*net.TCPConn)
}

func say(t testing.TB, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Error(err)
	}
}

func hear(t testing.TB, c net.Conn, text string) {
	t.Helper()
	b := make([]byte, len(text))
	if _, err := io.ReadFull(c, b); err != nil || string(b) != text {
		t.Errorf("heard %.40q and %v, not %.40q", b, err, text)
	}
}

// hearEnd reads until the connection is over, and says how it ended.
func hearEnd(c net.Conn) error {
	_, err := io.Copy(io.Discard, struct{ io.Reader }{c})
	return err
}

func halfClose(t testing.TB, c net.Conn) {
	t.Helper()
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Error(err)
	}
}

func resetNow(t testing.TB, c net.Conn) {
	t.Helper()
	if err := c.(interface{ SetLinger(int) error }).SetLinger(0); err != nil {
		t.Error(err)
	}
	c.Close()
}
