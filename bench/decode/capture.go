package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
)

// A traffic says what is in a capture: a room of the framed protocol, byte order
// big, in which people talk.
type traffic struct {
	messages  int
	conns     int     // clients
	cut       bool    // the streams are cut anywhere; else each segment holds one message
	displaced float64 // share of the segments that come up to 16 too late
	twice     float64 // share of the segments that come again
	halfOpen  int     // connections more that never get beyond the header of a message
}

// A writer makes packets and puts them into disorder.
type writer struct {
	traffic
	out    *bufio.Writer
	random *rand.Rand
	time   uint64 // microseconds
	count  int    // packets made
	late   []packet
	err    error
}

// A packet waits for its place in the file.
type packet struct {
	place int
	data  []byte
}

// A stream is one direction of a connection.
type stream struct {
	from, to host
	seq      uint32
	wait     []byte // what is said and not yet sent
	next     int    // how much of it is sent at once
}

type host struct {
	ip   [4]byte
	port uint16
}

// write writes a capture.
func (t traffic) write(w io.Writer) error {
	const magic, ethernet = 0xa1b2c3d4, 1
	c := &writer{traffic: t, out: bufio.NewWriterSize(w, 1<<20), random: rand.New(rand.NewPCG(1, 2)), time: 1_700_000_000_000_000}
	head := binary.LittleEndian.AppendUint32(nil, magic)
	head = append(head, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	head = binary.LittleEndian.AppendUint32(head, 1<<18)
	head = binary.LittleEndian.AppendUint32(head, ethernet)
	c.put(head)
	server := host{[4]byte{10, 0, 0, 1}, 4445}
	var up, down []*stream
	open := func(i int) (*stream, *stream) {
		client := host{[4]byte{10, 1, byte(i >> 14), byte(i>>6&0xff) | 1}, uint16(20000 + i&0x3fff)}
		u, d := &stream{from: client, to: server, seq: uint32(i * 7919)}, &stream{from: server, to: client, seq: uint32(i * 104729)}
		c.segment(u, d, nil, flagSYN)
		c.segment(d, u, nil, flagSYN|flagACK)
		return u, d
	}
	for i := range t.conns {
		u, d := open(i)
		up, down = append(up, u), append(down, d)
		c.say(u, d, frame(name(i), ""))
	}
	for i := range t.halfOpen {
		u, d := open(t.conns + i)
		c.segment(u, d, []byte{0, 5, 0}, flagACK)
	}
	for n := t.conns; n < t.messages; n++ {
		i := c.random.IntN(t.conns)
		switch text := c.text(); {
		case n%4 == 0:
			c.say(up[i], down[i], frame(name(i), text))
		case n%100 == 1:
			c.say(down[i], up[i], frame("", name(n%t.conns)+" has left the room"))
		case n%100 == 2:
			c.say(down[i], up[i], frame("", name(n%t.conns)+" has joined the room"))
		default:
			c.say(down[i], up[i], frame(name(n%t.conns), text))
		}
	}
	for i := range up {
		for _, pair := range [][2]*stream{{up[i], down[i]}, {down[i], up[i]}} {
			for s := pair[0]; len(s.wait) > 0; {
				c.send(s, pair[1], min(len(s.wait), c.size()))
			}
		}
	}
	c.flush(c.count + 1000)
	for i := range up {
		c.segment(up[i], down[i], nil, flagFIN|flagACK)
		c.segment(down[i], up[i], nil, flagFIN|flagACK)
	}
	c.flush(c.count + 1000)
	if err := c.out.Flush(); err != nil {
		return err
	}
	return c.err
}

func name(i int) string { return fmt.Sprintf("u%04d", i%10000) }

func frame(user, text string) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(user)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
	return append(append(b, user...), text...)
}

var words = strings.Fields(`the a to and is of in it you that was for on are with as be this have
	not what we can your about would think message server works again tomorrow maybe lunch because
	homework socket thread deadline never always really good bad fine yes no ok where when who why`)

// text is about as long as what people say.
func (c *writer) text() string {
	var b strings.Builder
	for b.Len() < 46 {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(words[c.random.IntN(len(words))])
	}
	return b.String()
}

// say sends a message, cut up where that is asked for.
func (c *writer) say(s, peer *stream, message []byte) {
	s.wait = append(s.wait, message...)
	if !c.cut {
		c.send(s, peer, len(s.wait))
		return
	}
	for s.next == 0 || len(s.wait) >= s.next {
		if s.next > 0 {
			c.send(s, peer, s.next)
		}
		s.next = c.size()
	}
}

// size is that of a segment where streams are cut anywhere: in the mean about
// that of a message.
func (c *writer) size() int { return 1 + c.random.IntN(115) }

func (c *writer) send(s, peer *stream, n int) {
	c.segment(s, peer, s.wait[:n], flagACK)
	s.wait = append(s.wait[:0], s.wait[n:]...)
}

const (
	flagFIN = 1
	flagSYN = 2
	flagACK = 16
)

// segment makes a packet, and gives it its place.
func (c *writer) segment(s, peer *stream, data []byte, flags byte) {
	const disorder = 16
	b := make([]byte, 14+20+20, 14+20+20+len(data))
	b[12] = 8 // IPv4
	ip := b[14:]
	ip[0], ip[8], ip[9] = 0x45, 64, 6
	binary.BigEndian.PutUint16(ip[2:], uint16(20+20+len(data)))
	copy(ip[12:], s.from.ip[:])
	copy(ip[16:], s.to.ip[:])
	tcp := ip[20:]
	binary.BigEndian.PutUint16(tcp, s.from.port)
	binary.BigEndian.PutUint16(tcp[2:], s.to.port)
	binary.BigEndian.PutUint32(tcp[4:], s.seq)
	binary.BigEndian.PutUint32(tcp[8:], peer.seq)
	tcp[12], tcp[13] = 5<<4, flags
	binary.BigEndian.PutUint16(tcp[14:], 65535)
	b = append(b, data...)
	s.seq += uint32(len(data))
	if flags&(flagSYN|flagFIN) != 0 {
		s.seq++
	}
	c.count++
	place := c.count
	if len(data) > 0 && c.random.Float64() < c.displaced {
		place += 1 + c.random.IntN(disorder)
	}
	c.queue(packet{place, b})
	if len(data) > 0 && c.random.Float64() < c.twice {
		c.queue(packet{c.count + 1 + c.random.IntN(disorder), b})
	}
	c.flush(c.count)
}

// queue puts a packet behind those that have the same place.
func (c *writer) queue(p packet) {
	i := len(c.late)
	for i > 0 && c.late[i-1].place > p.place {
		i--
	}
	c.late = append(c.late, packet{})
	copy(c.late[i+1:], c.late[i:])
	c.late[i] = p
}

// flush writes the packets whose place is not behind.
func (c *writer) flush(place int) {
	n := 0
	for n < len(c.late) && c.late[n].place <= place {
		data := c.late[n].data
		c.time += 10
		var head [16]byte
		binary.LittleEndian.PutUint32(head[:], uint32(c.time/1e6))
		binary.LittleEndian.PutUint32(head[4:], uint32(c.time%1e6))
		binary.LittleEndian.PutUint32(head[8:], uint32(len(data)))
		binary.LittleEndian.PutUint32(head[12:], uint32(len(data)))
		c.put(head[:])
		c.put(data)
		n++
	}
	c.late = append(c.late[:0], c.late[n:]...)
}

func (c *writer) put(b []byte) {
	if _, err := c.out.Write(b); err != nil && c.err == nil {
		c.err = err
	}
}
