package pcap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	client6 = netip.MustParseAddrPort("[fd00::1]:50001")
	server6 = netip.MustParseAddrPort("[fd00::2]:4445")
)

// written is a capture with everything in it that can be written.
func written(t *testing.T) (file []byte, want map[string]string) {
	var b bytes.Buffer
	w := NewWriter(&b)
	at := epoch
	tick := func() time.Time { at = at.Add(time.Millisecond); return at }
	long := newPlan(1).text(200_000)

	r := w.Open(tick(), client, server)
	r6 := w.Open(tick(), client6, server6)
	r.Data(tick(), true, []byte("hello"))
	r6.Data(tick(), false, []byte("welcome"))
	r.Data(tick(), false, []byte("HELLO"))
	r.Data(tick(), true, nil)
	w.Datagram(tick(), client, server, []byte("a datagram"))
	r.Data(tick(), true, []byte(long))
	r.Close(tick(), false)
	r.Data(tick(), true, []byte("bye"))
	r.Close(tick(), true)
	r.Close(tick(), true)
	w.Datagram(tick(), client6, server6, nil)
	r6.Reset(tick(), true)
	again := w.Open(tick(), client, server)
	again.Data(tick(), true, []byte("back"))
	w.Refused(tick(), client6, server6)
	w.Refused(tick(), client6, server6)
	w.Unanswered(tick(), netip.AddrPortFrom(client.Addr(), 0), server)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), map[string]string{
		"1>": "hello" + long + "bye|closed", "1<": "HELLO|closed",
		"2>": "|reset", "2<": "welcome|reset",
		"3>": "back" + up, "3<": up,
		"4>": "|reset", "4<": "|reset",
		"5>": "|reset", "5<": "|reset",
		"6>": up, "6<": up,
		"udp": "50000>4445 a datagram;50001>4445 ;",
	}
}

func TestWriter(t *testing.T) {
	file, want := written(t)
	l, stats := listen(t, file)
	l.want(t, want)
	if stats.Repeated+stats.Conflict+stats.Other != 0 || stats.Missing != 0 {
		t.Errorf("counted %+v", stats)
	}
	if c := l.conns[1]; c.Client != client6 || c.Server != server6 || !c.Opened {
		t.Errorf("connection %+v", c)
	}
	var first time.Time
	Read(bytes.NewReader(file), Sink{Data: func(s Source, b []byte) {
		if first.IsZero() {
			first = s.Time
		}
	}})
	if want := epoch.Add(3 * time.Millisecond); !first.Equal(want) {
		t.Errorf("time %v, not %v", first, want)
	}
	again, _ := written(t)
	if !bytes.Equal(file, again) {
		t.Error("the same conversation makes another file")
	}
}

// TestWriterInTshark lets Wireshark look for anything that is not as it should
// be: checksums, numbers, windows.
func TestWriterInTshark(t *testing.T) {
	t.Parallel()
	tshark := tool(t, "tshark")
	file, _ := written(t)
	name := filepath.Join(t.TempDir(), "written.pcap")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	faultless(t, tshark, name)
	followed(t, tshark, name, file)
}

// faultless fails the test if tshark finds anything wrong with a capture.
func faultless(t *testing.T, tshark, name string) {
	t.Helper()
	out, err := exec.Command(tshark, "-r", name, "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
		"-Y", "_ws.malformed || tcp.checksum.status == 0 || udp.checksum.status == 0 || ip.checksum.status == 0 || (tcp.analysis.flags && !tcp.analysis.reused_ports)").Output()
	if err != nil {
		t.Fatal(err)
	}
	if len(out) > 0 {
		t.Errorf("tshark finds fault with\n%s", out)
	}
}

// TestWriterCut: what is not known is told, and what follows is in its place.
func TestWriterCut(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := NewWriter(&b)
	r := w.Open(epoch, client, server)
	r.Data(epoch, false, []byte("known"))
	r.Cut(epoch, false, 200_000)
	r.Cut(epoch, true, 1)
	r.Data(epoch, false, []byte("known again"))
	r.Close(epoch, true)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	l, stats := listen(t, b.Bytes())
	l.want(t, map[string]string{
		"1>": "[1 missing]|closed",
		"1<": "known[65024 missing][65024 missing][65024 missing][4928 missing]known again" + up,
	})
	if stats.Missing != 200_001 || stats.Repeated+stats.Conflict+stats.Other != 0 {
		t.Errorf("counted %+v", stats)
	}
	if b.Len() > 2000 {
		t.Errorf("%d bytes for what is not there", b.Len())
	}
	tshark := tool(t, "tshark")
	name := filepath.Join(t.TempDir(), "cut.pcap")
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	faultless(t, tshark, name)
}

func TestWriterErrors(t *testing.T) {
	mapped := netip.AddrPortFrom(netip.AddrFrom16(client.Addr().As16()), 5)
	for name, tt := range map[string]struct {
		do   func(w *Writer)
		want string
	}{
		"families":     {func(w *Writer) { w.Open(epoch, client, server6) }, "write capture: a connection between 10.0.0.1 and fd00::2, which are not of one family"},
		"no addresses": {func(w *Writer) { w.Open(epoch, netip.AddrPort{}, server) }, "write capture: a connection without addresses"},
		"long":         {func(w *Writer) { w.Datagram(epoch, client, server, make([]byte, 65508)) }, "write capture: a datagram of 65508 bytes is longer than UDP allows"},
		"longest":      {func(w *Writer) { w.Datagram(epoch, client, server, make([]byte, 65507)) }, ""},
		"mapped":       {func(w *Writer) { w.Open(epoch, mapped, server) }, ""},
		"first": {func(w *Writer) {
			w.Open(epoch, client, server6).Data(epoch, true, []byte("a"))
			w.Datagram(epoch, client, server, nil)
		}, "write capture: a connection between 10.0.0.1 and fd00::2, which are not of one family"},
	} {
		w := NewWriter(io.Discard)
		tt.do(w)
		if err := w.Flush(); errorText(err) != tt.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	full := errors.New("disk full")
	w := NewWriter(writerFunc(func([]byte) (int, error) { return 0, full }))
	r := w.Open(epoch, client, server)
	r.Data(epoch, true, []byte(strings.Repeat("x", 200_000)))
	if err := w.Flush(); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// A checksum of 0 means that there is none, which IPv6 does not allow. Of all
// datagrams of two bytes one has that sum.
func TestWriterChecksumIsNeverZero(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	for i := range 1 << 16 {
		w.Datagram(epoch, client6, server6, []byte{byte(i >> 8), byte(i)})
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	const fileHeader, record, size = 24, 16, 40 + udpHeader + 2
	var sums [1 << 16]int
	for file := b.Bytes()[fileHeader:]; len(file) > 0; file = file[record+size:] {
		sums[binary.BigEndian.Uint16(file[record+46:])]++
	}
	if sums[0] != 0 || sums[0xffff] == 0 {
		t.Errorf("%d checksums of 0, %d of 0xffff", sums[0], sums[0xffff])
	}
}
