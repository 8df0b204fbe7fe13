package pcap_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/chatprobe/chatprobe/pcap"
)

func ExampleRead() {
	file, err := os.Open("testdata/lo.pcap")
	if err != nil {
		panic(err)
	}
	defer file.Close()
	stats, err := pcap.Read(file, pcap.Sink{
		Data: func(s pcap.Source, b []byte) {
			if s.Conn.ID == 2 && s.FromClient {
				fmt.Printf("packet %d, %s -> %s: %q\n", s.Packet, s.From, s.To, b)
			}
		},
		End: func(s pcap.Source, how pcap.End) {
			if s.FromClient {
				fmt.Printf("connection %d: %s\n", s.Conn.ID, how)
			}
		},
	})
	fmt.Println(stats.Packets, "packets,", stats.Conns, "connections,", err)
	// Output:
	// connection 1: closed
	// packet 22, [::1]:50002 -> [::1]:4445: "bob says line 0\n"
	// packet 26, [::1]:50002 -> [::1]:4445: "bob says line 1\n"
	// packet 28, [::1]:50002 -> [::1]:4445: "bob says line 2\n"
	// packet 30, [::1]:50002 -> [::1]:4445: "bob says line 3\n"
	// packet 32, [::1]:50002 -> [::1]:4445: "bob says line 4\n"
	// connection 2: closed
	// connection 3: reset
	// 58 packets, 3 connections, <nil>
}

func ExampleWriter() {
	var file bytes.Buffer
	w := pcap.NewWriter(&file)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := w.Open(at, netip.MustParseAddrPort("127.0.0.1:50001"), netip.MustParseAddrPort("127.0.0.1:4445"))
	r.Data(at.Add(time.Second), true, []byte("hello"))
	r.Data(at.Add(2*time.Second), false, []byte("HELLO"))
	r.Close(at.Add(3*time.Second), true)
	r.Close(at.Add(3*time.Second), false)
	if err := w.Flush(); err != nil {
		panic(err)
	}

	pcap.Read(&file, pcap.Sink{
		Data: func(s pcap.Source, b []byte) { fmt.Printf("%s %s\n", s.Time.Format(time.TimeOnly), b) },
	})
	// Output:
	// 03:04:06 hello
	// 03:04:07 HELLO
}
