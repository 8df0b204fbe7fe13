package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/chatprobe/chatprobe/internal/refserver"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"refclient": main})
}

func TestScripts(t *testing.T) {
	port, closed := listen(t, bob), closedPort(t)
	lines, _ := serveTCP(t, refserver.Lines{})
	direct, _ := serveTCP(t, refserver.Direct{})
	datagram, closedUDP := serveUDP(t, "127.0.0.1"), closedUDPPort(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PORT", port)
			env.Setenv("LINES_PORT", lines)
			env.Setenv("DIRECT_PORT", direct)
			env.Setenv("DATAGRAM_PORT", datagram)
			env.Setenv("CLOSED_PORT", closed)
			env.Setenv("CLOSED_UDP_PORT", closedUDP)
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// exitcode N COMMAND … requires that exit code.
			"exitcode": func(ts *testscript.TestScript, _ bool, args []string) {
				requireExit(ts, args[0], args[1:])
			},
			// usage COMMAND … requires exit code 2 and nothing on stdout.
			"usage": func(ts *testscript.TestScript, _ bool, args []string) {
				requireExit(ts, "2", args)
				if out := ts.ReadFile("stdout"); out != "" {
					ts.Fatalf("output %q", out)
				}
			},
		},
	})
}

func requireExit(ts *testscript.TestScript, want string, command []string) {
	err := ts.Exec(command[0], command[1:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(got) != want {
		ts.Fatalf("exit code %d, want %s", got, want)
	}
}

// listen serves every client until the test ends.
func listen(t *testing.T, serve func(net.Conn)) (port string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(within))
				serve(conn)
			}()
		}
	}()
	_, port, _ = net.SplitHostPort(listener.Addr().String())
	return port
}

// closedPort is one that nobody listens on, and that nobody else is given
// while the test runs: it is the near end of a connection.
func closedPort(t *testing.T) string {
	t.Helper()
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", listen(t, func(conn net.Conn) { io.ReadAll(conn) })))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_, port, _ := net.SplitHostPort(conn.LocalAddr().String())
	return port
}

// closedUDPPort is closedPort for datagrams: a socket that hears one other only.
func closedUDPPort(t *testing.T) string {
	t.Helper()
	conn, err := net.Dial("udp", net.JoinHostPort("127.0.0.1", serveUDP(t, "127.0.0.1")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_, port, _ := net.SplitHostPort(conn.LocalAddr().String())
	return port
}

// bob is a server with one more member, who repeats what is said.
func bob(conn net.Conn) {
	user, text, ok := receive(conn)
	if !ok {
		return
	}
	send(conn, "server", user+" has logged in")
	for ; ok; user, text, ok = receive(conn) {
		if text != "" {
			send(conn, "bob", user+" says "+text)
		}
	}
}

func receive(conn net.Conn) (user, text string, ok bool) {
	header := make([]byte, 6)
	if _, err := io.ReadFull(conn, header); err != nil {
		return "", "", false
	}
	name := int(binary.BigEndian.Uint16(header))
	body := make([]byte, name+int(binary.BigEndian.Uint32(header[2:])))
	if _, err := io.ReadFull(conn, body); err != nil {
		return "", "", false
	}
	return string(body[:name]), string(body[name:]), true
}

func send(conn net.Conn, user, text string) {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(user)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
	conn.Write(fmt.Append(b, user, text))
}

func TestChatAddress(t *testing.T) {
	tests := []struct{ text, want string }{
		{"chat://127.0.0.1:54307", "127.0.0.1:54307"},
		{"chat://[::1]:54307", "[::1]:54307"},
		{"chat://chat.example:1", "chat.example:1"},
		{"", ""},
		{"127.0.0.1:54307", ""},
		{"http://127.0.0.1:54307", ""},
		{"chat:127.0.0.1:54307", ""},
		{"chat://127.0.0.1", ""},
		{"chat://127.0.0.1:", ""},
		{"chat://127.0.0.1:0", ""},
		{"chat://127.0.0.1:65536", ""},
		{"chat://127.0.0.1:54307/", ""},
		{"chat://alice@127.0.0.1:http", ""},
		{"chat://:54307", ""},
		{"chat://::1:54307", ""},
	}
	for _, tt := range tests {
		got, err := chatAddress(tt.text)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("chatAddress(%q) = %q, %v, want %q", tt.text, got, err, tt.want)
		}
	}
}

func TestAddress(t *testing.T) {
	tests := []struct{ host, port, want string }{
		{"127.0.0.1", "4445", "127.0.0.1:4445"},
		{"::1", "4445", "[::1]:4445"},
		{"[::1]", "4445", "[::1]:4445"},
		{"fe80::1%eth0", "1", "[fe80::1%eth0]:1"},
		{"chat.example", "065535", "chat.example:65535"},
		{"localhost", "-1", ""},
		{"localhost", "+1", ""},
		{"localhost", "1e3", ""},
		{"localhost", "", ""},
		{"[]", "1", ""},
	}
	for _, tt := range tests {
		got, err := address(tt.host, tt.port)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("address(%q, %q) = %q, %v, want %q", tt.host, tt.port, got, err, tt.want)
		}
	}
}
