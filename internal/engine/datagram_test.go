package engine

import (
	"bytes"
	"context"
	"io/fs"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chatprobe/chatprobe/internal/refserver"
	"github.com/chatprobe/chatprobe/internal/scenario"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/scenarios"
)

// leavesNothing fails the test if goroutines are left at its end.
func leavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		if n := settledCount(runtime.NumGoroutine, before); n > before {
			t.Errorf("%d goroutines are left, there were %d", n, before)
		}
	})
}

// builtin is scenarios of a built-in protocol from text.
func builtin(t testing.TB, protocol, text string) *scenario.Suite {
	t.Helper()
	data, err := fs.ReadFile(scenarios.Files, protocol+"/protocol.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return loadFiles(t, strings.Replace(string(data), "requirements:", "requirements:\n  F-3: {level: must, text: it}", 1), text)
}

// launchUDP launches what serve does with a socket.
func launchUDP(serve func(ctx context.Context, conn *net.UDPConn)) Launch {
	return func(context.Context) (*Target, error) {
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return nil, err
		}
		ctx, stop := context.WithCancel(context.Background())
		var done sync.WaitGroup
		done.Go(func() { serve(ctx, conn) })
		context.AfterFunc(ctx, func() { conn.Close() })
		return &Target{Dial: DialUDP(conn.LocalAddr().String()), Close: func() { stop(); done.Wait() }}, nil
	}
}

func referenceUDP(ctx context.Context, conn *net.UDPConn) {
	_ = refserver.Datagram{}.Serve(ctx, conn)
}

// overUDP plays one scenario of the datagram protocol at a server.
func overUDP(t *testing.T, text string, serve func(context.Context, *net.UDPConn)) transcript.Run {
	t.Helper()
	leavesNothing(t)
	suite := builtin(t, "datagram", text)
	s := &Session{Suite: suite, Launch: launchUDP(serve), Config: Config{
		Trusted: true, Transcripts: true, Seed: 7, Settings: map[string]string{"ungreeted": "ignore"},
	}}
	_, runs := s.Run(t.Context(), suite.Scenarios)
	return runs[0]
}

const heardFromAlice = "{hear: {ip: $alice.ip, port: $alice.port, text: hello}}"

func TestDatagrams(t *testing.T) {
	for name, test := range map[string]struct {
		header string
		lines  []string
		weak   bool
		reason string // of a failure
	}{
		"all hear, the sender too": {two, []string{hello[0], "alice, bob receive: " + heardFromAlice, "alice, bob receive nothing:"}, false, ""},
		"one alone hears itself":   {"clients: [alice]", []string{hello[0], "alice receives: " + heardFromAlice, "alice receives nothing:"}, false, ""},
		"the sender would hear":    {two, []string{hello[0], "alice receives no: {hear: {text: hello}}"}, false, "alice received one"},
		"one comes later":          {two, []string{"carol does: login", hello[0], "carol receives: " + heardFromAlice}, false, ""},
		"one has gone":             {three, []string{"carol closes:", hello[0], "bob receives: " + heardFromAlice, "bob receives nothing:"}, false, ""},
		"one says something and goes": {three, []string{hello[0], "alice closes:", "bob, carol receive: {hear: {text: hello}}",
			"bob receives nothing:"}, false, ""},
		"who has not greeted is not heard": {two, []string{"mallory connects:", "mallory sends: {say: {text: hello}}", "alice, bob receive nothing:"}, false, ""},
		"and hears nothing":                {two, []string{"mallory connects:", hello[0], "bob receives: " + heardFromAlice, "mallory receives nothing:"}, true, ""},
		"the server is up":                 {two, []string{"alice sends text: NONSENSE", "server is up:"}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			run := overUDP(t, steps(test.header, test.lines...), referenceUDP)
			verdict := transcript.Pass
			if test.reason != "" {
				verdict = transcript.Fail
			}
			check(t, run, verdict, test.reason)
			if slices.Contains(run.Notes, weakNote) != test.weak {
				t.Errorf("notes: %v", run.Notes)
			}
		})
	}
}

// TestLostDatagrams has a server lose every third MESSAGE: a token is said
// again, and what the play says itself would be missed.
func TestLostDatagrams(t *testing.T) {
	var lost atomic.Int32
	lossy := func(_ context.Context, conn *net.UDPConn) {
		var greeted []netip.AddrPort
		buf := make([]byte, 64<<10)
		said := 0
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			text, ok := bytes.CutPrefix(buf[:n], []byte("MESSAGE "))
			if !ok {
				greeted = append(greeted, from)
				continue
			}
			if said++; said%3 == 1 {
				lost.Add(1)
				continue
			}
			for _, to := range greeted {
				answer := "INCOMING " + from.Addr().Unmap().String() + " " + portOf(from) + " " + string(text)
				_, _ = conn.WriteToUDPAddrPort([]byte(answer), to)
			}
		}
	}
	run := overUDP(t, steps(three, "alice, bob, carol receive nothing:", "dora does: login", "bob receives nothing:"), lossy)
	check(t, run, transcript.Pass, "")
	if lost.Load() < 2 || len(run.Notes) > 0 {
		t.Errorf("%d were lost, notes %v\n%s", lost.Load(), run.Notes, story(run))
	}
}

func portOf(a netip.AddrPort) string {
	_, port, _ := net.SplitHostPort(a.String())
	return port
}

// TestDatagramBurst: the probe does not send faster than a socket can hold.
func TestDatagramBurst(t *testing.T) {
	run := overUDP(t, steps(two, "alice sends: {say: {text: {repeat: w, times: 900}}}\ntimes: 500", "bob receives: hear\ntimes: 500", "bob receives nothing:"), referenceUDP)
	check(t, run, transcript.Pass, "")
}

func TestThousandDatagramClients(t *testing.T) {
	run := overUDP(t, steps("clients: [alice, bob, 998 others]", hello[0], "others, bob receive: "+heardFromAlice), referenceUDP)
	check(t, run, transcript.Pass, "")
	if run.Seconds > 20 {
		t.Errorf("took %.1f s", run.Seconds)
	}
	t.Logf("%.1f s", run.Seconds)
}

// TestDatagramSocket: an answer may come from another port of the server, and
// nothing from elsewhere is taken for one.
func TestDatagramSocket(t *testing.T) {
	leavesNothing(t)
	server, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	conn, err := DialUDP(server.LocalAddr().String())(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if conn.RemoteAddr().String() != server.LocalAddr().String() {
		t.Errorf("it talks to %v", conn.RemoteAddr())
	}
	if _, err := conn.Write([]byte("GREETING")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	n, from, err := server.ReadFromUDPAddrPort(buf)
	if err != nil || string(buf[:n]) != "GREETING" {
		t.Fatalf("%q, %v", buf[:n], err)
	}
	for _, ip := range []string{"127.0.0.2", "127.0.0.1"} {
		other, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(ip)})
		if err != nil {
			t.Skipf("%s is no address of this machine: %v", ip, err)
		}
		defer other.Close()
		if _, err := other.WriteToUDPAddrPort([]byte("from "+ip), from); err != nil {
			t.Fatal(err)
		}
	}
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err = conn.Read(buf); err != nil || string(buf[:n]) != "from 127.0.0.1" {
		t.Errorf("received %q, %v", buf[:n], err)
	}
}

// Clients of one server have one address, and those of another server another:
// what is sent to a port that was one's own does not reach somebody else.
func TestDialUDPAddresses(t *testing.T) {
	server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	addr := server.LocalAddr().String()
	one, other := DialUDP(addr), DialUDP(addr)
	var ips []string
	for _, dial := range []func(context.Context, int) (net.Conn, error){one, one, other} {
		conn, err := dial(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		ips = append(ips, addrPort(conn.LocalAddr()).Addr().String())
		if _, err := conn.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 9)
		n, from, err := server.ReadFromUDP(buf)
		if err != nil || string(buf[:n]) != "hello" || from.IP.String() != ips[len(ips)-1] {
			t.Errorf("the server reads %q from %v, %v", buf[:n], from, err)
		}
	}
	if runtime.GOOS == "linux" && (ips[0] != ips[1] || ips[0] == ips[2]) {
		t.Errorf("addresses %v", ips)
	}
}
