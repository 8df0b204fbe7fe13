package engine

import (
	"cmp"
	"context"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/chatprobe/chatprobe/internal/transcript"
)

const shoutProtocol = `protocol: shout
transport: udp
requirements:
  F-3: {level: must, text: it}
messages:
  login: {from: client, text: 'HELLO {user}'}
  ok: {from: server, text: HELLO}
  say: {from: client, text: 'SHOUT {text...}'}
  hear: {from: server, text: 'HEARD {user}: {text...}'}
  list: {from: client, text: WHO}
  listed: {from: server, text: 'HERE {users...}'}
procedures:
  login:
    - client sends: login
    - client receives: ok
`

// shout is a server that tells all others what one has said; unless it is deaf
// to strangers, also what these say.
func shout(deaf bool) func(context.Context, *net.UDPConn) {
	return func(_ context.Context, conn *net.UDPConn) {
		var room []string
		names, buf := map[string]string{}, make([]byte, 1500)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			who := from.String()
			switch word, rest, _ := strings.Cut(string(buf[:n]), " "); {
			case word == "HELLO":
				if names[who] == "" {
					room = append(room, who)
				}
				names[who] = rest
				conn.WriteToUDPAddrPort([]byte("HELLO"), from)
			case word == "WHO":
				conn.WriteToUDPAddrPort([]byte("HERE "+strings.Join(room, ",")), from)
			case word == "SHOUT" && (slices.Contains(room, who) || !deaf):
				for _, to := range room {
					if to != who {
						addr, _ := net.ResolveUDPAddr("udp", to)
						conn.WriteToUDP([]byte("HEARD "+cmp.Or(names[who], "somebody")+": "+rest), addr)
					}
				}
			}
		}
	}
}

// TestSilenceOverUDPIsProvedByAQuestion: somebody who is not in the room cannot
// ask, and who is alone in it hears no token of its own.
func TestSilenceOverUDPIsProvedByAQuestion(t *testing.T) {
	const text = `scenarios:
  - name: stranger
    title: what a stranger says is not passed on
    requirement: F-3
    clients: [alice]
    steps:
      - mallory connects:
      - mallory sends: {say: {text: hello}}
      - alice receives no: {hear: {text: hello}}
`
	for name, fence := range map[string]string{
		"question":           "question: list, answer: listed",
		"question and token": "question: list, answer: listed, token: {say: {text: $token}}, arrives: {hear: {text: $token}}",
		"token":              "token: {say: {text: $token}}, arrives: {hear: {text: $token}}",
	} {
		for deaf, want := range map[bool]transcript.Verdict{true: transcript.Pass, false: transcript.Fail} {
			suite := loadFiles(t, shoutProtocol+"fence: {"+fence+"}\n", text)
			s := &Session{Suite: suite, Launch: launchUDP(shout(deaf)), Config: Config{Trusted: true, Seed: 7}}
			if _, runs := s.Run(t.Context(), suite.Scenarios); runs[0].Verdict != want {
				t.Errorf("%s, passes strangers on %v: %s (%s), want %s", name, !deaf, runs[0].Verdict, runs[0].Reason, want)
			}
		}
	}
}
