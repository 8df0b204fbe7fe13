package decode_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/chatprobe/chatprobe/internal/decode"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/pcap"
)

// Datagrams are read without a connection: who is the server is told by what
// is said, and from then on by its address. Others' datagrams are left alone.
func TestDatagrams(t *testing.T) {
	var got []string
	d := decode.New(slices.Concat(codecs(t, nil), codecsOf(t, "datagram")), 0, func(m *transcript.Decoded) error {
		line := fmt.Sprintf("%d %s %s %s", m.Conn, m.From, m.Sender, m.Name)
		for _, f := range m.Fields {
			line += fmt.Sprintf(" %s=%v", f.Name, f.Value)
		}
		if m.Malformed != "" {
			line += " malformed: " + m.Malformed
		}
		got = append(got, line)
		return nil
	})
	sink := d.Sink()
	alice, bob, carol := at("10.0.0.1:1111"), at("10.0.0.2:2222"), at("10.0.0.3:3333")
	server, dns := at("10.0.0.9:9999"), at("10.0.0.9:53")
	for i, x := range []struct {
		from, to netip.AddrPort
		body     string
		cut      int
	}{
		{server, alice, "what?", 0}, // nothing is known yet
		{alice, dns, "\x12\x34\x01\x00", 0},
		{alice, server, "GREETING", 0},
		{bob, server, "hello", 0},
		{bob, server, "MESSAGE hi", 0},
		{server, alice, "INCOMING 10.0.0.2 2222 hi", 0},
		{server, alice, "INCOMING 10.0.0.2 2222 h", 1},
		{server, bob, "", 0},
		{carol, bob, "GREETING", 0}, // bob's port is a server's now
		{server, bob, "INCOMING 10.0.0.1 1111 ho", 0},
	} {
		sink.Datagram(pcap.Source{From: x.from, To: x.to, Packet: i + 1, Cut: x.cut}, []byte(x.body))
	}
	want := []string{
		"1 client 10.0.0.1:1111 login text=GREETING",
		"2 client 10.0.0.2:2222  text=hello malformed: this is no message of the protocol",
		"2 client 10.0.0.2:2222 say text=hi",
		"1 server 10.0.0.9:9999 hear ip=10.0.0.2 port=2222 text=hi",
		"1 server 10.0.0.9:9999  malformed: 1 byte is missing at the end of this datagram in the capture",
		"2 server 10.0.0.9:9999  text= malformed: this is no message of the protocol",
		"3 client 10.0.0.3:3333 login text=GREETING",
		"2 server 10.0.0.9:9999 hear ip=10.0.0.1 port=1111 text=ho",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

func at(addr string) netip.AddrPort { return netip.MustParseAddrPort(addr) }
