package decode_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chatprobe/chatprobe/internal/decode"
	"github.com/chatprobe/chatprobe/internal/transcript"
	"github.com/chatprobe/chatprobe/internal/wire"
	"github.com/chatprobe/chatprobe/pcap"
)

func TestChoicesSayHowEachServerWasRead(t *testing.T) {
	list, err := protocols()
	if err != nil {
		t.Fatal(err)
	}
	var all, lines []*wire.Codec
	for _, p := range list {
		more, err := decode.Codecs(p, nil)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains([]string{"framed", "lines", "direct", "datagram"}, p.Name) {
			all = append(all, more...)
		}
		if p.Name == "lines" || p.Name == "words" {
			lines = append(lines, more...)
		}
	}
	for _, test := range []struct {
		name   string
		codecs []*wire.Codec
		play   func(k *talk)
		want   []string
	}{
		{"two servers", all, func(k *talk) {
			k.says(1, client, big("alice", "")+big("alice", "hi"))
			k.says(101, client, "REGISTER alice CHAT/1.0\n")
			k.says(2, client, big("bob", ""))
			k.says(1, server, big("bob", "hi"))
		}, []string{
			"127.0.0.1:4101: protocol lines (1 message)",
			"127.0.0.1:4445: protocol framed with byte_order=big (4 messages)"}},
		{"the bytes do not tell the byte order", all, func(k *talk) { k.says(1, client, big("", "")) }, []string{
			"127.0.0.1:4445: protocol framed (1 message)"}},
		{"the other way round", all, func(k *talk) { k.says(1, client, little("bob", "")) }, []string{
			"127.0.0.1:4445: protocol framed with byte_order=little (1 message; of the bytes of the first 1, direct would make 1)"}},
		{"a close one", lines, func(k *talk) {
			k.says(1, client, "REGISTER alice CHAT/1.0\n@alice: hi\n@alice: again\n")
		}, []string{"127.0.0.1:4445: protocol lines (3 messages; of the bytes of the first 3, words would make 2)"}},
		{"datagrams", all, func(k *talk) {
			s := k.source(1, client)
			s.Conn = nil
			k.sink.Datagram(s, []byte("GREETING"))
		}, []string{"127.0.0.1:4445: protocol datagram (1 message)"}},
		{"strangers", all, func(k *talk) { k.says(1, client, "\xff\xff\xff") }, nil},
		{"only one way", all[:1], func(k *talk) { k.says(1, client, big("alice", "")) }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := decode.New(test.codecs, 0, func(*transcript.Decoded) error { return nil })
			k := &talk{sink: d.Sink(), conns: map[int]*pcap.Conn{}}
			test.play(k)
			for n := range k.conns {
				k.ends(n, pcap.Closed)
			}
			var got []string
			for _, c := range d.Choices() {
				got = append(got, fmt.Sprint(c))
			}
			slices.Sort(got)
			if !slices.Equal(got, test.want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(test.want, "\n\t"))
			}
		})
	}
}

func TestChoicesAreBounded(t *testing.T) {
	k := newTalk(t, nil, 0)
	for n := 101; n < 3000; n++ {
		k.says(n, client, big("alice", "hello"))
		k.ends(n, pcap.Closed)
	}
	if n := len(k.decoder.Choices()); n != 1024 {
		t.Errorf("%d choices", n)
	}
}
