package pcap

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// hello is a TCP segment with a byte string, as an IP packet.
func hello() []byte {
	b, _ := seg{from: ">", seq: 7, data: "hello"}.ip()
	return b
}

// hello6 is the same over IPv6, behind some extension headers.
func hello6(extensions ...[]byte) []byte {
	n := ip6(layers.IPProtocolTCP)
	t := &layers.TCP{SrcPort: 50000, DstPort: 4445, Seq: 7, ACK: true}
	b := serialize(n, t, gopacket.Payload("hello"))
	head, rest := b[:40], b[40:]
	next := head[6]
	for _, e := range slices.Backward(extensions) {
		e = slices.Clone(e)
		kind := e[0]
		e[0], next = next, kind
		rest = append(e, rest...)
	}
	head[6] = next
	binary.BigEndian.PutUint16(head[4:], uint16(len(rest)))
	return append(slices.Clone(head), rest...)
}

var macs = "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02"

func TestLinks(t *testing.T) {
	ethernet := func(kind layers.EthernetType) *layers.Ethernet {
		return &layers.Ethernet{SrcMAC: net.HardwareAddr(macs[:6]), DstMAC: net.HardwareAddr(macs[6:]), EthernetType: kind}
	}
	payload := gopacket.Payload(hello())
	cooked2 := "\x08\x00\x00\x00\x00\x00\x00\x01\x03\x04\x00\x06" + macs[:6] + "\x00\x00"
	tests := []struct {
		name string
		link uint32
		data []byte
	}{
		{"Ethernet", 1, serialize(ethernet(layers.EthernetTypeIPv4), payload)},
		{"Ethernet with a checksum at the end", 1 | 0x24000000, append(serialize(ethernet(layers.EthernetTypeIPv4), payload), 1, 2, 3, 4)},
		{"Ethernet filled up", 1, append(serialize(ethernet(layers.EthernetTypeIPv4), payload), make([]byte, 20)...)},
		{"VLAN", 1, serialize(ethernet(layers.EthernetTypeDot1Q), &layers.Dot1Q{VLANIdentifier: 5, Type: layers.EthernetTypeIPv4}, payload)},
		{"QinQ", 1, serialize(ethernet(layers.EthernetTypeQinQ), &layers.Dot1Q{VLANIdentifier: 5, Type: layers.EthernetTypeDot1Q}, &layers.Dot1Q{VLANIdentifier: 6, Type: layers.EthernetTypeIPv4}, payload)},
		{"QinQ of old", 1, []byte(macs + "\x91\x00\x00\x05\x81\x00\x00\x06\x08\x00" + string(hello()))},
		{"cooked", 113, []byte("\x00\x00\x00\x01\x00\x06" + macs[:6] + "\x00\x00\x08\x00" + string(hello()))},
		{"cooked with VLAN", 113, []byte("\x00\x00\x00\x01\x00\x06" + macs[:6] + "\x00\x00\x81\x00\x00\x05\x08\x00" + string(hello()))},
		{"cooked v2", 276, []byte(cooked2 + string(hello()))},
		{"null", 0, serialize(&layers.Loopback{Family: layers.ProtocolFamilyIPv4}, payload)},
		{"null of another byte order", 0, []byte("\x00\x00\x00\x02" + string(hello()))},
		{"loop", 108, []byte("\x00\x00\x00\x02" + string(hello()))},
		{"raw", 101, hello()}, {"raw of BSD", 12, hello()}, {"raw of OpenBSD", 14, hello()}, {"IPv4", 228, hello()},
		{"IPv6", 229, hello6()}, {"null with IPv6", 0, []byte("\x1e\x00\x00\x00" + string(hello6()))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, stats := listen(t, pcapFileOf(tt.link, frame{data: tt.data}))
			l.want(t, map[string]string{"1>": "hello" + up, "1<": up})
			if stats.TCP != 1 || stats.Missing != 0 {
				t.Errorf("counted %+v", stats)
			}
			// Of a packet that is cut anywhere all is read that is there.
			for n := range tt.data {
				l, _ := listen(t, pcapFileOf(tt.link, frame{data: tt.data[:n], size: len(tt.data)}))
				got, _, _ := strings.Cut(strings.ReplaceAll(l.streams["1>"], "[", "|"), "|")
				if !strings.HasPrefix("hello", got) {
					t.Errorf("cut at %d: %q", n, got)
				}
			}
		})
	}
}

func TestNetworks(t *testing.T) {
	options := ip4(layers.IPProtocolTCP)
	options.Options = []layers.IPv4Option{{OptionType: 7, OptionLength: 7, OptionData: []byte{4, 0, 0, 0, 0}}}
	offloaded := hello()
	offloaded[2], offloaded[3] = 0, 0
	withOptions := serialize(options, &layers.TCP{
		SrcPort: 50000, DstPort: 4445, Seq: 7,
		Options: []layers.TCPOption{{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: make([]byte, 8)}},
	}, gopacket.Payload("hello"))
	tests := []struct {
		name string
		data []byte
		ok   bool
	}{
		{"options of IPv4 and TCP", withOptions, true},
		{"length left to the network card", offloaded, true},
		{"IPv6", hello6(), true},
		{"hop by hop", hello6([]byte{0, 0, 1, 4, 0, 0, 0, 0}), true},
		{"several extensions", hello6([]byte{0, 0, 1, 4, 0, 0, 0, 0}, append([]byte{43, 1}, make([]byte, 14)...), []byte{60, 0, 1, 4, 0, 0, 0, 0}), true},
		{"authenticated", hello6(append([]byte{51, 4}, make([]byte, 22)...)), true},
		{"a fragment that is the whole", hello6([]byte{44, 0, 0, 0, 0, 0, 0, 9}), true},
		{"an extension longer than the packet", hello6([]byte{0, 200, 1, 4, 0, 0, 0, 0}), false},
		{"a header longer than the packet", append([]byte{0x4f}, hello()[1:30]...), false},
		{"a header shorter than any", append([]byte{0x44}, hello()[1:]...), false},
		{"version 5", append([]byte{0x55}, hello()[1:]...), false},
		{"nothing", nil, false},
		{"ICMP", serialize(ip4(layers.IPProtocolICMPv4), gopacket.Payload("12345678123456781234567812345678")), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, stats := listen(t, pcapFileOf(linkRaw, frame{data: tt.data}))
			want := map[string]string{"1>": "hello" + up, "1<": up}
			if !tt.ok {
				want = nil
			}
			l.want(t, want)
			if (stats.Other == 0) != tt.ok {
				t.Errorf("counted %+v", stats)
			}
		})
	}
}

func datagram(body string) []byte {
	return serialize(ip4(layers.IPProtocolUDP), &layers.UDP{SrcPort: 50000, DstPort: 4445}, gopacket.Payload(body))
}

func TestDatagrams(t *testing.T) {
	b := datagram("hello")
	l, stats := listen(t, pcapFileOf(linkRaw,
		frame{data: b}, frame{data: datagram("")}, frame{data: b[:len(b)-2], size: len(b)}, frame{data: b[:24], size: len(b)}))
	l.want(t, map[string]string{"udp": "50000>4445 hello;50000>4445 ;50000>4445 hel[2 missing];"})
	if stats.UDP != 3 || stats.Other != 1 || stats.Missing != 2 {
		t.Errorf("counted %+v", stats)
	}
}

// fragmentsOf cuts an IPv4 packet without options.
func fragmentsOf(packet []byte, size int, id uint16) (list []frame) {
	body := packet[20:]
	for at := 0; at < len(body); at += size {
		end := min(at+size, len(body))
		field := uint16(at / 8)
		if end < len(body) {
			field |= 0x2000
		}
		f := slices.Concat(packet[:20], body[at:end])
		binary.BigEndian.PutUint16(f[2:], uint16(len(f)))
		binary.BigEndian.PutUint16(f[4:], id)
		binary.BigEndian.PutUint16(f[6:], field)
		list = append(list, frame{data: f})
	}
	return list
}

func TestFragments(t *testing.T) {
	text := strings.Repeat("0123456789", 10)
	want := map[string]string{"udp": "50000>4445 " + text + ";"}
	whole := fragmentsOf(datagram(text), 24, 1)
	if len(whole) != 5 {
		t.Fatal(len(whole))
	}
	reversed := slices.Clone(whole)
	slices.Reverse(reversed)
	rest := fragmentsOf(datagram(text), 48, 1)
	other := fragmentsOf(datagram(strings.Repeat("x", len(text))), 16, 1)
	for name, list := range map[string][]frame{
		"in order":                       whole,
		"reversed":                       reversed,
		"twice":                          {whole[0], whole[0], whole[1], whole[2], whole[3], whole[1], whole[4]},
		"overlapping":                    {whole[1], rest[0], rest[1], whole[4]},
		"overlapping with other bytes":   {whole[0], whole[1], other[0], whole[2], other[2], whole[4], other[3], whole[3]},
		"between fragments of another":   slices.Concat(whole[:2], fragmentsOf(datagram("y"), 8, 2)[:1], whole[2:]),
		"after a piece that says little": append([]frame{fragmentsOf(datagram(text+"a lot more"), 104, 3)[0]}, whole...),
	} {
		t.Run(name, func(t *testing.T) {
			l, stats := listen(t, pcapFileOf(linkRaw, list...))
			l.want(t, want)
			if stats.UDP != 1 || stats.Packets != len(list) {
				t.Errorf("counted %+v", stats)
			}
		})
	}
	t.Run("not complete", func(t *testing.T) {
		l, _ := listen(t, pcapFileOf(linkRaw, whole[0], whole[1], whole[3], whole[4]))
		l.want(t, nil)
	})
	t.Run("too many", func(t *testing.T) {
		var list []frame
		for i := range uint16(500) {
			list = append(list, fragmentsOf(datagram(text), 24, 10+i)[1])
		}
		a := newAssembler(Sink{})
		for _, f := range list {
			f.link, f.size = linkRaw, len(f.data)
			a.frame(&f)
		}
		if n := len(a.fragments.packets); n > maxFragmented || n != len(a.fragments.order) {
			t.Errorf("%d are kept", n)
		}
	})
	t.Run("IPv6", func(t *testing.T) {
		b := hello6()
		var list []frame
		for at := 0; at < len(b)-40; at += 16 {
			end, more := min(at+16, len(b)-40), byte(1)
			if end == len(b)-40 {
				more = 0
			}
			f := slices.Concat(b[:40], []byte{b[6], 0, byte(at >> 8), byte(at) | more, 1, 2, 3, 4}, b[40+at:40+end])
			f[6] = 44
			binary.BigEndian.PutUint16(f[4:], uint16(len(f)-40))
			list = append(list, frame{data: f})
		}
		slices.Reverse(list)
		l, _ := listen(t, pcapFileOf(linkRaw, list...))
		l.want(t, map[string]string{"1>": "hello" + up, "1<": up})
	})
}

// TestUnknownLink: a capture none of whose packets can be read says so.
func TestUnknownLink(t *testing.T) {
	var l listener
	for link, name := range map[uint32]string{105: "105 (802.11)", 300: "300"} {
		_, err := Read(bytes.NewReader(pcapFileOf(link, frame{data: hello()})), l.sink())
		want := fmt.Sprintf("read capture: its packets are of link type %s, which cannot be read", name)
		if err == nil || err.Error() != want {
			t.Errorf("error is %v", err)
		}
	}
}
