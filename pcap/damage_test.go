package pcap

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"
)

// Damage is done to lists of frames: those of a real capture, as Ethernet.

// frames are those of a capture, each with bytes of its own.
func frames(t testing.TB, name string) (list []frame) {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	src, err := open(file, nil)
	for err == nil {
		var f frame
		if err = src.next(&f); err == nil {
			f.data = bytes.Clone(f.data)
			list = append(list, f)
		}
	}
	if len(list) == 0 || list[0].link != linkEthernet {
		t.Fatalf("%s: %v; %d frames", name, err, len(list))
	}
	return list
}

// Where the IP header of a frame begins.
const ipAt = 14

func (f *frame) v6() bool { return f.data[ipAt]>>4 == 6 }

// transportAt is where the header of TCP or UDP begins.
func (f *frame) transportAt() int {
	if f.v6() {
		return ipAt + 40
	}
	return ipAt + int(f.data[ipAt]&15)*4
}

func (f *frame) transport() []byte { return f.data[f.transportAt():] }

func (f *frame) isTCP() bool {
	return f.data[ipAt+9] == protocolTCP && !f.v6() || f.data[ipAt+6] == protocolTCP && f.v6()
}

// bodyAt is where the bytes of a TCP stream begin.
func (f *frame) bodyAt() int { return f.transportAt() + int(f.transport()[12]>>4)*4 }

func (f *frame) body() []byte { return f.data[f.bodyAt():] }

func (f *frame) flags() byte { return f.transport()[13] }

func (f *frame) seq() uint32 { return binary.BigEndian.Uint32(f.transport()[4:]) }

// way is the direction of the connection that a frame belongs to.
func (f *frame) way() string { return string(f.transport()[:4]) }

// back is the other direction.
func (f *frame) back() string { return string(f.transport()[2:4]) + string(f.transport()[:2]) }

// copied is a frame with bytes of its own.
func (f frame) copied() frame {
	f.data = bytes.Clone(f.data)
	return f
}

// with is a frame with other bytes in its TCP segment, which begin at seq.
func (f frame) with(seq uint32, body []byte) frame {
	f.data = append(bytes.Clone(f.data[:f.bodyAt()]), body...)
	binary.BigEndian.PutUint32(f.transport()[4:], seq)
	f.fix()
	return f
}

// fix makes the lengths and the checksum of IP right.
func (f *frame) fix() {
	f.size = len(f.data)
	ip := f.data[ipAt:]
	if f.v6() {
		binary.BigEndian.PutUint16(ip[4:], uint16(len(ip)-40))
		return
	}
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	checksum(ip[:f.transportAt()-ipAt])
}

func checksum(header []byte) {
	header[10], header[11] = 0, 0
	sum := uint32(0)
	for i := 0; i < len(header); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(header[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(header[10:], ^uint16(sum))
}

// each makes any number of frames of each.
func each(change func(p plan, f frame) []frame) func(plan, []frame) []frame {
	return func(p plan, list []frame) (out []frame) {
		for _, f := range list {
			out = append(out, change(p, f.copied())...)
		}
		return out
	}
}

// relinked puts other headers before IP.
func relinked(header func(v6 bool) string) func(plan, []frame) []frame {
	return each(func(_ plan, f frame) []frame {
		f.data = append([]byte(header(f.v6())), f.data[ipAt:]...)
		f.size = len(f.data)
		return []frame{f}
	})
}

// displaced moves some frames behind others, at most far.
func displaced(share float64, far int) func(plan, []frame) []frame {
	return func(p plan, list []frame) []frame {
		list = slices.Clone(list)
		for i := len(list) - 1; i >= 0; i-- {
			f := list[i]
			to := min(i+1+p.IntN(far), len(list)-1)
			if p.Float64() < share && f.isTCP() && f.flags()&flagSYN == 0 && !resets(list[i:to+1], &f) {
				list = slices.Insert(slices.Delete(list, i, i+1), to, f)
			}
		}
		return list
	}
}

// resets says whether the receiver of f resets the connection in a list. What
// comes behind that, it does not receive.
func resets(list []frame, f *frame) bool {
	return slices.ContainsFunc(list, func(g frame) bool {
		return g.isTCP() && g.flags()&flagRST != 0 && g.back() == f.way()
	})
}

// twice sends some frames again, now or later.
func twice(p plan, list []frame) (out []frame) {
	var later []frame
	for _, f := range list {
		out = append(out, f)
		switch p.IntN(16) {
		case 0:
			out = append(out, f)
		case 1:
			later = append(later, f)
		}
		if len(later) > 0 && p.IntN(8) == 0 {
			out = append(out, later...)
			later = nil
		}
	}
	return append(out, later...)
}

// again sends bytes once more, before those that are new.
func again(change func(p plan, old []byte) []byte) func(plan, []frame) []frame {
	return func(p plan, list []frame) (out []frame) {
		before := map[string]frame{}
		for _, f := range list {
			if len(f.body()) == 0 || f.flags()&(flagFIN|flagSYN) != 0 {
				out = append(out, f)
				continue
			}
			old, ok := before[f.way()]
			before[f.way()] = f
			if ok && p.IntN(3) == 0 && f.seq() == old.seq()+uint32(len(old.body())) {
				skip := p.IntN(len(old.body()))
				repeated := change(p, bytes.Clone(old.body()[skip:]))
				f = f.with(old.seq()+uint32(skip), append(repeated, f.body()...))
			}
			out = append(out, f)
		}
		return out
	}
}

func unchanged(_ plan, b []byte) []byte { return b }

func changed(p plan, b []byte) []byte {
	b[p.IntN(len(b))] ^= 0x20
	return b
}

// lost leaves out a share of the frames that carry something.
func lost(share float64) func(plan, []frame) []frame {
	return each(func(p plan, f frame) []frame {
		if len(f.body()) > 0 && p.Float64() < share {
			return nil
		}
		return []frame{f}
	})
}

// cutAt captures no more than n bytes of each.
func cutAt(n int) func(plan, []frame) []frame {
	return each(func(_ plan, f frame) []frame {
		f.data = f.data[:min(n, len(f.data))]
		return []frame{f}
	})
}

// shifted adds to the sequence numbers, differently for each way; by says how
// much, given the first number.
func shifted(by func(p plan, first uint32) uint32) func(plan, []frame) []frame {
	return func(p plan, list []frame) (out []frame) {
		shift := map[string]uint32{}
		amount := func(way string, first uint32) uint32 {
			if _, ok := shift[way]; !ok {
				shift[way] = by(p, first)
			}
			return shift[way]
		}
		for _, f := range list {
			f = f.copied()
			t := f.transport()
			binary.BigEndian.PutUint32(t[4:], f.seq()+amount(f.way(), f.seq()))
			if ack := binary.BigEndian.Uint32(t[8:]); f.flags()&flagACK != 0 {
				binary.BigEndian.PutUint32(t[8:], ack+amount(f.back(), ack))
			}
			out = append(out, f)
		}
		return out
	}
}

func near2To32(p plan, first uint32) uint32 { return -first - 1 - p.Uint32N(40) }

func anywhere(p plan, _ uint32) uint32 { return p.Uint32() }

// reused is everything twice: with the same ends, and other sequence numbers.
func reused(p plan, list []frame) []frame {
	later := list[len(list)-1].time.Sub(list[0].time) + 90*time.Second
	second := shifted(anywhere)(p, list)
	for i := range second {
		second[i].time = second[i].time.Add(later)
	}
	return append(slices.Clone(list), second...)
}

// crossing lets both sides of each connection close at the same time: neither has
// seen the other's FIN when it sends its own.
func crossing(_ plan, list []frame) (out []frame) {
	first := map[string]int{} // where in out
	for _, f := range list {
		at, crosses := first[f.back()]
		switch {
		case f.flags()&flagFIN == 0:
			out = append(out, f)
		case !crosses || len(f.body()) > 0 || out[at].flags()&flagFIN == 0:
			first[f.way()] = len(out)
			out = append(out, f)
		default:
			// It goes to just behind the other, if nothing of its way lies between.
			between := slices.ContainsFunc(out[at:], func(g frame) bool { return g.way() == f.way() && len(g.body()) > 0 })
			if between {
				out = append(out, f)
				continue
			}
			f = f.copied()
			binary.BigEndian.PutUint32(f.transport()[8:], out[at].seq()+uint32(len(out[at].body())))
			f.time = out[at].time
			out = slices.Insert(out, at+1, f)
			for way, i := range first {
				if i > at {
					first[way] = i + 1
				}
			}
		}
	}
	return out
}

// probed asks now and then whether the other is still there: with a byte before
// those that are new.
func probed(p plan, f frame) []frame {
	if len(f.body()) == 0 || f.flags()&(flagSYN|flagFIN) != 0 || p.IntN(3) > 0 {
		return []frame{f}
	}
	end := f.seq() + uint32(len(f.body()))
	return []frame{f, f.with(end-1, []byte{0})}
}

// offloaded is as the network card gets it, which fills in lengths and checksums.
func offloaded(_ plan, f frame) []frame {
	ip := f.data[ipAt:]
	copy(ip[10:], []byte{0, 0})
	copy(f.transport()[16:], []byte{0xfe, 0x28})
	if len(f.body()) > 0 {
		copy(ip[2:], []byte{0, 0})
	}
	return []frame{f}
}

// padded has bytes behind the packet: what fills a short frame up, and a checksum.
func padded(p plan, f frame) []frame {
	f.data = append(f.data, make([]byte, max(60-len(f.data), 0))...)
	f.data = binary.BigEndian.AppendUint32(f.data, p.Uint32())
	f.size = len(f.data)
	return []frame{f}
}

// optioned has options of IPv4.
func optioned(_ plan, f frame) []frame {
	f.data[ipAt] += 3
	options := []byte{1, 7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0} // nothing, and the way that it went
	f.data = slices.Insert(f.data, ipAt+20, options...)
	f.fix()
	return []frame{f}
}

// extended has extension headers of IPv6.
func extended(_ plan, f frame) []frame {
	next := f.data[ipAt+6]
	f.data[ipAt+6] = protocolHopByHop
	f.data = slices.Insert(f.data, ipAt+40, append([]byte{protocolDestination, 0, 1, 4, 0, 0, 0, 0}, next, 0, 1, 4, 0, 0, 0, 0)...)
	f.fix()
	return []frame{f}
}

// fragmentedFrame cuts what IP carries, if it is long, and displaces the pieces.
func fragmentedFrame(p plan, f frame) (list []frame) {
	const size = 32
	header, kind := 20, f.data[ipAt+9]
	if f.v6() {
		header, kind = 40, f.data[ipAt+6]
	}
	rest := f.data[ipAt+header:]
	if len(rest) <= size || kind == protocolFragment || !f.v6() && binary.BigEndian.Uint16(f.data[ipAt+6:])&0x3fff != 0 {
		return []frame{f} // it is short, or a fragment already
	}
	id := p.Uint32()
	for at := 0; at < len(rest); at += size {
		piece := rest[at:min(at+size, len(rest))]
		more := at+size < len(rest)
		g := f
		g.data = bytes.Clone(f.data[:ipAt+header])
		if f.v6() {
			field := uint16(at)
			if more {
				field |= 1
			}
			g.data[ipAt+6] = protocolFragment
			g.data = append(g.data, kind, 0, byte(field>>8), byte(field))
			g.data = binary.BigEndian.AppendUint32(g.data, id)
		} else {
			field := uint16(at / 8)
			if more {
				field |= 1 << 13
			}
			binary.BigEndian.PutUint16(g.data[ipAt+4:], uint16(id))
			binary.BigEndian.PutUint16(g.data[ipAt+6:], field)
		}
		g.data = append(g.data, piece...)
		g.fix()
		list = append(list, g)
	}
	if p.IntN(2) == 0 {
		rand.New(p).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	}
	return list
}

// fromClients is what the clients send, by the port of the server.
func fromClients(port uint16) func(plan, []frame) []frame {
	return each(func(_ plan, f frame) []frame {
		if binary.BigEndian.Uint16(f.transport()[2:]) != port {
			return nil
		}
		return []frame{f}
	})
}

// without leaves out some frames.
func without(drop func(p plan, f *frame) bool) func(plan, []frame) []frame {
	return each(func(p plan, f frame) []frame {
		if drop(p, &f) {
			return nil
		}
		return []frame{f}
	})
}

// from leaves out the beginning.
func from(share float64) func(plan, []frame) []frame {
	return func(_ plan, list []frame) []frame { return list[int(float64(len(list))*share):] }
}

// both does one thing after the other.
func both(first, second func(plan, []frame) []frame) func(plan, []frame) []frame {
	return func(p plan, list []frame) []frame { return second(p, first(p, list)) }
}
