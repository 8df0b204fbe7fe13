package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// A reading is what one would write by hand who needs to read captures of one
// link type and one protocol only, in byte order big: no package of this
// module is used. It shows what is possible, and checks what chatprobe says.
type reading struct {
	out    *bufio.Writer
	flows  map[flow]*direction
	number int
	begin  int64
	begun  bool
	line   []byte
}

// A flow is one direction of a connection: addresses and ports as they stand in
// a packet.
type flow [12]byte

// A direction is a stream that is put together.
type direction struct {
	next     uint32
	ahead    map[uint32]segment
	buf      []byte
	ends     string
	isClient bool
	any      bool
}

type segment struct {
	data []byte
	time int64
}

// read writes a line for each message in a capture.
func read(r io.Reader, w io.Writer) error {
	in := bufio.NewReaderSize(r, 1<<18)
	k := &reading{out: bufio.NewWriterSize(w, 1<<16), flows: map[flow]*direction{}}
	if _, err := in.Discard(24); err != nil {
		return err
	}
	for {
		head, err := in.Peek(16)
		if errors.Is(err, io.EOF) && len(head) == 0 {
			return k.out.Flush()
		}
		if err != nil {
			return err
		}
		time := int64(binary.LittleEndian.Uint32(head))*1e6 + int64(binary.LittleEndian.Uint32(head[4:]))
		size := int(binary.LittleEndian.Uint32(head[8:]))
		all, err := in.Peek(16 + size)
		if err != nil {
			return err
		}
		k.packet(all[16:], time)
		if _, err := in.Discard(16 + size); err != nil {
			return err
		}
	}
}

func (k *reading) packet(b []byte, time int64) {
	ip := b[14:]
	tcp := ip[int(ip[0]&15)*4 : binary.BigEndian.Uint16(ip[2:])]
	data := tcp[int(tcp[12]>>4)*4:]
	seq := binary.BigEndian.Uint32(tcp[4:])
	var f flow
	copy(f[:8], ip[12:20])
	copy(f[8:], tcp[:4])
	d := k.flows[f]
	if tcp[13]&flagSYN != 0 || d == nil {
		if tcp[13]&flagSYN != 0 {
			seq++
		}
		k.flows[f] = &direction{
			next: seq, isClient: tcp[13]&flagACK == 0, ahead: map[uint32]segment{},
			ends: fmt.Sprintf(" %d.%d.%d.%d:%d %d.%d.%d.%d:%d ", f[0], f[1], f[2], f[3], binary.BigEndian.Uint16(f[8:]),
				f[4], f[5], f[6], f[7], binary.BigEndian.Uint16(f[10:])),
		}
		return
	}
	switch ahead := int32(seq - d.next); {
	case len(data) == 0 || ahead < 0: // here, what comes again comes as it was
		return
	case ahead > 0:
		if _, waits := d.ahead[seq]; !waits {
			d.ahead[seq] = segment{append([]byte(nil), data...), time}
		}
		return
	}
	k.take(d, data, time)
	for len(d.ahead) > 0 {
		s, ok := d.ahead[d.next]
		if !ok {
			return
		}
		delete(d.ahead, d.next)
		k.take(d, s.data, s.time)
	}
}

func (k *reading) take(d *direction, b []byte, time int64) {
	d.next += uint32(len(b))
	if len(d.buf) > 0 {
		d.buf = append(d.buf, b...)
		b = d.buf
	}
	for len(b) >= 6 {
		user, text := int(binary.BigEndian.Uint16(b)), int(binary.BigEndian.Uint32(b[2:]))
		if len(b) < 6+user+text {
			break
		}
		k.message(d, b[6:6+user], b[6+user:6+user+text], time)
		b = b[6+user+text:]
	}
	d.buf = append(d.buf[:0], b...)
}

func (k *reading) message(d *direction, user, text []byte, time int64) {
	if !k.begun {
		k.begun, k.begin = true, time
	}
	k.number++
	l := strconv.AppendInt(k.line[:0], int64(k.number), 10)
	us := time - k.begin
	l = strconv.AppendInt(append(l, ' '), us/1e6, 10)
	l = append(l, '.')
	for unit := int64(1e5); unit > 0; unit /= 10 {
		l = append(l, byte('0'+us/unit%10))
	}
	l = append(l, d.ends...)
	switch {
	case d.isClient && !d.any && len(text) == 0:
		l = append(l, "login"...)
	case d.isClient:
		l = append(l, "say"...)
	default:
		l = append(l, heard(text)...)
	}
	d.any = true
	l = strconv.AppendInt(append(l, " UNameL="...), int64(len(user)), 10)
	l = strconv.AppendInt(append(l, " MessageL="...), int64(len(text)), 10)
	l = append(append(l, ` Username="`...), user...) // here, texts are words and blanks
	l = append(append(l, `" Message="`...), text...)
	k.line = append(l, "\"\n"...)
	k.out.Write(k.line)
}

// heard is what a message of the server is called: there are words that tell of
// somebody who leaves or comes.
func heard(text []byte) string {
	joined := false
	for i := 0; i < len(text); i++ {
		if !isLetter(text[i]) || i > 0 && isLetter(text[i-1]) {
			continue
		}
		end := i
		for end < len(text) && isLetter(text[end]) {
			end++
		}
		word, rest := text[i:end], text[end:]
		switch text[i] | 0x20 {
		case 'l':
			if begins(word, "left") || begins(word, "leav") || logs(word, rest, "out", "off") {
				return "left"
			}
			joined = joined || logs(word, rest, "in", "on")
		case 'q', 'g', 'd', 'e', 'o':
			if begins(word, "quit") || begins(word, "exit") || begins(word, "disconnect") || begins(word, "gone") || begins(word, "offline") {
				return "left"
			}
			joined = joined || begins(word, "enter") || begins(word, "online")
		case 'j', 'c', 'a':
			joined = joined || begins(word, "join") || begins(word, "connected") || begins(word, "arriv")
		}
		i = end
	}
	if joined {
		return "joined"
	}
	return "hear"
}

// logs tells "logged in": a word that begins with log and goes on with one of
// two others, or is followed by it.
func logs(word, rest []byte, one, other string) bool {
	if !begins(word, "log") {
		return false
	}
	for i := 3; i < len(word); i++ {
		if begins(word[i:], one) || begins(word[i:], other) {
			return true
		}
	}
	return len(rest) > 0 && rest[0] == ' ' && (begins(rest[1:], one) || begins(rest[1:], other))
}

func isLetter(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_'
}

func begins(b []byte, word string) bool {
	if len(b) < len(word) {
		return false
	}
	for i := range len(word) {
		if b[i]|0x20 != word[i] {
			return false
		}
	}
	return true
}
