package refserver

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// asServer, in the environment, makes the test binary a framed server on a free port, which it prints: a server whose
// memory can be told from its clients'. It stops at the end of its input.
const asServer = "CHATPROBE_TEST_FRAMED_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) == "" {
		os.Exit(m.Run())
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(ln.Addr())
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	if err := (Framed{Roster: io.Discard}).Serve(ctx, ln); err != nil {
		panic(err)
	}
}

// crowd logs in a sender and readers, and has everybody read all notices.
func crowd(b *testing.B, addr string, readers int) (sender *client, crowd []*client) {
	sender = login(b, addr, "sender", nil)
	for i := range readers {
		crowd = append(crowd, login(b, addr, fmt.Sprint("reader", i), sender))
	}
	sender.say("ready")
	for _, c := range crowd {
		c.awaitReady()
		c.SetDeadline(time.Time{})
	}
	sender.SetDeadline(time.Time{})
	return sender, crowd
}

// awaitReady reads all notices until somebody is ready, after which nothing may come.
func (c *client) awaitReady() {
	c.SetReadDeadline(time.Now().Add(time.Minute))
	in := bufio.NewReader(c)
	for text := ""; text != "ready"; {
		var err error
		if _, text, err = readFrame(in); err != nil {
			c.Errorf("%s waits for ready: %v", c.name, err)
			return
		}
	}
}

// BenchmarkFanout has one client pipeline texts of 64 bytes to 10, 100 and 1000 readers over loopback sockets. Server
// and clients share the processor. Deliveries are what all the readers together received.
func BenchmarkFanout(b *testing.B) {
	for _, readers := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("readers=%d", readers), func(b *testing.B) {
			sender, crowd := crowd(b, serve(b, Framed{RosterEvery: -1}), readers)
			pipeline(b, sender, crowd, encode("sender", strings.Repeat("x", 64)))
		})
	}
}

// BenchmarkLinesFanout is BenchmarkFanout for lines.
func BenchmarkLinesFanout(b *testing.B) {
	for _, readers := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("readers=%d", readers), func(b *testing.B) {
			addr := serve(b, Lines{})
			sender := register(b, addr, "sender")
			var crowd []*client
			for i := range readers {
				crowd = append(crowd, register(b, addr, fmt.Sprint("reader", i)))
				crowd[i].SetDeadline(time.Time{})
			}
			sender.SetDeadline(time.Time{})
			pipeline(b, sender, crowd, []byte("@sender: "+strings.Repeat("x", 64)+"\n"))
		})
	}
}

// pipeline has sender send b.N frames and everybody in the crowd receive them.
func pipeline(b *testing.B, sender *client, crowd []*client, frame []byte) {
	block := bytes.Repeat(frame, 1000)
	b.ResetTimer()
	var reading sync.WaitGroup
	for _, c := range crowd {
		reading.Go(func() {
			buf := make([]byte, 64<<10)
			for left := b.N * len(frame); left > 0; {
				n, err := c.TCPConn.Read(buf)
				if err != nil {
					b.Errorf("%s: %v, %d bytes to come", c.name, err, left)
					return
				}
				left -= n
			}
		})
	}
	for left := b.N * len(frame); left > 0; {
		n, err := sender.Write(block[:min(left, len(block))])
		if err != nil {
			b.Fatal(err)
		}
		left -= n
	}
	reading.Wait()
	b.ReportMetric(float64(len(crowd)*b.N)/b.Elapsed().Seconds()/1e6, "Mdeliveries/s")
}

// BenchmarkDatagramFanout has one client send a text of 64 bytes to as many as there are, itself included, and wait
// until all have it; beside that a bare loop that sends to as many.
func BenchmarkDatagramFanout(b *testing.B) {
	for _, readers := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("readers=%d/served", readers), func(b *testing.B) {
			server := serveDatagrams(b, Datagram{}, "127.0.0.1")
			sender := greeted(b, server)
			crowd := []*peer{sender}
			for len(crowd) < readers {
				p := newPeer(b, server)
				p.send("GREETING")
				crowd = append(crowd, p)
			}
			distribute(b, crowd, func() { sender.send("MESSAGE " + strings.Repeat("x", 64)) })
		})
		b.Run(fmt.Sprintf("readers=%d/bare", readers), func(b *testing.B) {
			bare, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				b.Fatal(err)
			}
			defer bare.Close()
			from := netip.MustParseAddrPort(bare.LocalAddr().String())
			payload := appendIncoming(nil, from, []byte(strings.Repeat("x", 64)))
			var crowd []*peer
			var to []netip.AddrPort
			for range readers {
				p := newPeer(b, from)
				crowd, to = append(crowd, p), append(to, netip.MustParseAddrPort(p.LocalAddr().String()))
			}
			distribute(b, crowd, func() {
				for _, addr := range to {
					if _, err := bare.WriteToUDPAddrPort(payload, addr); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// distribute sends a datagram to everybody in the crowd, waits until all have it, and does so again.
func distribute(b *testing.B, crowd []*peer, send func()) {
	buf := make([]byte, 1024)
	for _, p := range crowd {
		p.SetReadDeadline(time.Time{})
	}
	for b.Loop() {
		send()
		for _, p := range crowd {
			if _, err := p.Read(buf); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(len(crowd)*b.N), "µs/delivery")
}

// BenchmarkOneOutstanding has one client say a text of 64 bytes and wait until every reader has it.
func BenchmarkOneOutstanding(b *testing.B) {
	for _, readers := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("readers=%d", readers), func(b *testing.B) {
			sender, crowd := crowd(b, serve(b, Framed{RosterEvery: -1}), readers)
			frame := encode("sender", strings.Repeat("x", 64))
			b.ResetTimer()
			buf := make([]byte, 1024)
			for b.Loop() {
				if _, err := sender.Write(frame); err != nil {
					b.Fatal(err)
				}
				for _, c := range crowd {
					for left := len(frame); left > 0; {
						n, err := c.TCPConn.Read(buf)
						if err != nil {
							b.Fatal(err)
						}
						left -= n
					}
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(readers*b.N), "µs/delivery")
		})
	}
}

// BenchmarkIdle reports what a client costs that is logged in and says nothing: bytes of the server's resident memory,
// after a thousand clients have come (or as many as -benchtime=10000x says), and heard of each other.
func BenchmarkIdle(b *testing.B) {
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), asServer+"=1")
	stdin, err := server.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	defer server.Wait()
	defer stdin.Close()
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	addr = strings.TrimSpace(addr)
	before, ok := resident(server.Process.Pid)
	if !ok {
		b.Skip("there is no /proc here to tell memory from")
	}

	clients := max(b.N, 1000)
	first := login(b, addr, "first", nil)
	var hearing sync.WaitGroup
	for i := range clients {
		c := connect(b, addr, fmt.Sprint("client", i))
		c.send(encode(c.name, ""))
		hearing.Go(c.awaitReady)
	}
	for range clients {
		if _, _, err := first.read(); err != nil {
			b.Fatal(err)
		}
	}
	first.say("ready")
	hearing.Wait()
	after, _ := resident(server.Process.Pid)
	b.ReportMetric(float64(after-before)/float64(clients), "B/client")
	b.ReportMetric(0, "ns/op")
}

// resident is the resident memory of a process in bytes.
func resident(pid int) (bytes int, ok bool) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(status)) {
		if value, found := strings.CutPrefix(line, "VmRSS:"); found {
			kib, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")))
			return kib << 10, err == nil
		}
	}
	return 0, false
}
