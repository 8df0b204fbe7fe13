package decode

import (
	"runtime"

	"github.com/chatprobe/chatprobe/pcap"
)

// Behind is a sink that lets another one run behind it, in a goroutine of its
// own: while messages are decoded, the next packets are read. The other sink is
// given the same, in the same order. done must be called when all has been
// read; it returns when the other sink has got everything.
//
// With one processor it is the other sink itself.
func Behind(sink pcap.Sink) (front pcap.Sink, done func()) {
	if runtime.GOMAXPROCS(0) == 1 {
		return sink, func() {}
	}
	b := &behind{sink: sink, full: make(chan *batch, batches), free: make(chan *batch, batches), over: make(chan struct{})}
	for range batches - 1 {
		b.free <- &batch{}
	}
	b.batch = &batch{}
	go b.run()
	front = pcap.Sink{ServerPort: sink.ServerPort, Wait: b.wait}
	if sink.Data != nil {
		front.Data = func(s pcap.Source, bytes []byte) { b.add(event{what: data, source: s, n: len(bytes)}, bytes) }
	}
	if sink.Datagram != nil {
		front.Datagram = func(s pcap.Source, bytes []byte) { b.add(event{what: datagram, source: s, n: len(bytes)}, bytes) }
	}
	if sink.Gap != nil {
		front.Gap = func(s pcap.Source, n int) { b.add(event{what: gap, source: s, n: n}, nil) }
	}
	if sink.End != nil {
		front.End = func(s pcap.Source, how pcap.End) { b.add(event{what: end, source: s, n: int(how)}, nil) }
	}
	return front, b.done
}

// behind hands batches of events from one goroutine to another.
type behind struct {
	sink  pcap.Sink
	batch *batch // the one that is being filled
	full  chan *batch
	free  chan *batch
	over  chan struct{}
}

// A batch is what is handed over at once: each time takes as long as a few
// messages.
type batch struct {
	events []event
	bytes  []byte
	wait   bool // Wait was called at its end
}

// An event is one call of a sink.
type event struct {
	what   what
	source pcap.Source
	n      int // of bytes; how a direction ends
}

type what int

const (
	data what = iota
	datagram
	gap
	end
)

const (
	batches    = 4
	batchSize  = 64 << 10 // bytes
	batchCount = 512      // events
)

func (b *behind) add(e event, bytes []byte) {
	f := b.batch
	f.events = append(f.events, e)
	f.bytes = append(f.bytes, bytes...)
	if len(f.events) == batchCount || len(f.bytes) >= batchSize {
		b.hand()
	}
}

func (b *behind) hand() {
	b.full <- b.batch
	b.batch = <-b.free
}

func (b *behind) wait() {
	b.batch.wait = true
	b.hand()
}

func (b *behind) done() {
	b.full <- b.batch
	close(b.full)
	<-b.over
}

func (b *behind) run() {
	defer close(b.over)
	for f := range b.full {
		f.play(&b.sink)
		f.events, f.bytes, f.wait = f.events[:0], f.bytes[:0], false
		b.free <- f
	}
}

func (f *batch) play(sink *pcap.Sink) {
	at := 0
	for i := range f.events {
		switch e := &f.events[i]; e.what {
		case data:
			sink.Data(e.source, f.bytes[at:at+e.n:at+e.n])
			at += e.n
		case datagram:
			sink.Datagram(e.source, f.bytes[at:at+e.n:at+e.n])
			at += e.n
		case gap:
			sink.Gap(e.source, e.n)
		case end:
			sink.End(e.source, pcap.End(e.n))
		}
	}
	if f.wait && sink.Wait != nil {
		sink.Wait()
	}
}
