package linkem

import (
	"math/rand/v2"
	"time"
)

// Pipe models one direction of a line. Every method takes the time as a
// duration since some fixed instant; it must not run backwards. A Pipe is not
// safe for concurrent use.
type Pipe struct {
	cfg   Config
	queue int // effective bound in bytes
	rng   *rand.Rand

	waiting      fifo // accepted, serialisation not begun
	waitingBytes int
	idleAt       time.Duration // when the serialiser is done with all it began
	line         fifo          // begun and not lost, by due time
	lastDue      time.Duration
	counters     Counters
}

type packet struct {
	data []byte
	at   time.Duration // while waiting: its arrival; on the line: when it is due
}

// NewPipe returns an idle pipe. cfg must be valid.
func NewPipe(cfg Config) *Pipe {
	p := &Pipe{rng: rand.New(rand.NewPCG(cfg.Seed, 0))}
	p.configure(cfg)
	return p
}

// SetConfig changes the pipe from now on. Packets whose serialisation has begun
// arrive as they would have; those that wait, and later ones, follow cfg, but
// none overtakes another. A smaller queue evicts nothing. The seed is left as
// it was: changing a line does not restart its sequence of losses.
func (p *Pipe) SetConfig(now time.Duration, cfg Config) {
	p.advance(now)
	p.configure(cfg)
}

func (p *Pipe) configure(cfg Config) {
	p.cfg, p.queue = cfg, cfg.QueueBytes
	if p.queue == 0 {
		p.queue = cfg.DefaultQueueBytes()
	}
}

// Send offers a packet to the line and reports whether the line took it; then
// the data belongs to the pipe until Receive returns it.
func (p *Pipe) Send(now time.Duration, data []byte) bool {
	p.advance(now)
	p.counters.OfferedPackets++
	p.counters.OfferedBytes += int64(len(data))
	busy := p.waiting.n > 0 || p.idleAt > now
	if busy && p.waitingBytes+len(data) > p.queue {
		p.counters.DroppedPackets++
		p.counters.DroppedBytes += int64(len(data))
		return false
	}
	p.waiting.push(packet{data, now})
	p.waitingBytes += len(data)
	return true
}

// Receive returns the next packet that has arrived by now, or nil.
func (p *Pipe) Receive(now time.Duration) []byte {
	p.advance(now)
	if p.line.n == 0 || p.line.front().at > now {
		return nil
	}
	data := p.line.pop().data
	p.counters.DeliveredPackets++
	p.counters.DeliveredBytes += int64(len(data))
	return data
}

// Next is a time before which Receive returns nil unless Send or SetConfig is
// called; ok is false while the pipe is empty. Receive may still return nil
// then, where the packet was lost.
func (p *Pipe) Next() (at time.Duration, ok bool) {
	switch {
	case p.line.n > 0:
		return p.line.front().at, true
	case p.waiting.n > 0:
		w := p.waiting.front()
		return p.due(max(p.idleAt, w.at) + p.serialisation(len(w.data))), true
	}
	return 0, false
}

// Counters returns the counts as of the latest call.
func (p *Pipe) Counters() Counters { return p.counters }

// advance begins every serialisation that was to begin by now. It computes the
// times afterwards, so nobody has to wake up at each of them.
func (p *Pipe) advance(now time.Duration) {
	for p.waiting.n > 0 {
		start := max(p.idleAt, p.waiting.front().at)
		if start > now {
			return
		}
		w := p.waiting.pop()
		p.waitingBytes -= len(w.data)
		p.idleAt = start + p.serialisation(len(w.data))
		if p.cfg.Loss > 0 && p.rng.Float64() < p.cfg.Loss {
			p.counters.LostPackets++
			p.counters.LostBytes += int64(len(w.data))
			continue
		}
		p.lastDue = p.due(p.idleAt)
		p.line.push(packet{w.data, p.lastDue})
	}
}

// due is the arrival of a packet whose last bit leaves at the given time: a
// delay that was cut must not let it overtake.
func (p *Pipe) due(sent time.Duration) time.Duration { return max(sent+p.cfg.Delay, p.lastDue) }

func (p *Pipe) serialisation(size int) time.Duration {
	if p.cfg.Rate == 0 {
		return 0
	}
	return time.Duration(int64(size) * int64(time.Second) / int64(p.cfg.Rate))
}
