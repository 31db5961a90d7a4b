package linkem

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

const ms = time.Millisecond

// arrivals runs the pipe until it is empty, waking only when Next says so, and
// returns when each packet, named by its first byte, arrived.
func arrivals(t *testing.T, p *Pipe) map[byte]time.Duration {
	t.Helper()
	got := make(map[byte]time.Duration)
	for {
		at, ok := p.Next()
		if !ok {
			return got
		}
		if data := p.Receive(at - 1); data != nil {
			t.Fatalf("Next said %v, but packet %d had arrived before", at, data[0])
		}
		for data := p.Receive(at); data != nil; data = p.Receive(at) {
			got[data[0]] = at
		}
	}
}

func packetOf(name byte, size int) []byte {
	b := make([]byte, size)
	b[0] = name
	return b
}

func TestPipeTimes(t *testing.T) {
	type send struct {
		at   time.Duration
		size int
	}
	for _, tt := range []struct {
		name string
		cfg  Config
		send []send
		want map[byte]time.Duration // by index; absent: dropped
	}{
		{"nothing set: at once", Config{}, []send{{0, 1500}, {5 * ms, 1500}}, map[byte]time.Duration{0: 0, 1: 5 * ms}},
		{"delay alone", Config{Delay: 30 * ms}, []send{{0, 1500}, {1 * ms, 40}}, map[byte]time.Duration{0: 30 * ms, 1: 31 * ms}},
		{"back to back at 1 byte a µs", Config{Rate: 1e6}, []send{{0, 1000}, {0, 500}, {0, 250}},
			map[byte]time.Duration{0: 1 * ms, 1: 1500 * time.Microsecond, 2: 1750 * time.Microsecond}},
		{"an idle line saves nothing up", Config{Rate: 1e6}, []send{{0, 1000}, {9 * ms, 1000}, {9 * ms, 1000}},
			map[byte]time.Duration{0: 1 * ms, 1: 10 * ms, 2: 11 * ms}},
		{"rate and delay add", Config{Rate: 1e6, Delay: 10 * ms}, []send{{0, 1000}, {0, 1000}},
			map[byte]time.Duration{0: 11 * ms, 1: 12 * ms}},
		// The first is on the line and takes no room; the next two wait.
		{"full queue drops the tail", Config{Rate: 1e6, QueueBytes: 2000}, []send{{0, 1000}, {0, 1000}, {0, 1000}, {0, 1}},
			map[byte]time.Duration{0: 1 * ms, 1: 2 * ms, 2: 3 * ms}},
		{"room again once the next has begun", Config{Rate: 1e6, QueueBytes: 1000}, []send{{0, 1000}, {0, 1000}, {1 * ms, 1000}},
			map[byte]time.Duration{0: 1 * ms, 1: 2 * ms, 2: 3 * ms}},
		{"an idle line takes what the queue could not hold", Config{Rate: 1e6, QueueBytes: 1}, []send{{0, 1000}, {0, 1000}},
			map[byte]time.Duration{0: 1 * ms}},
		{"all lost", Config{Rate: 1e6, Loss: 1}, []send{{0, 1000}, {0, 1000}}, map[byte]time.Duration{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := NewPipe(tt.cfg)
			for i, s := range tt.send {
				_, kept := tt.want[byte(i)]
				if took := p.Send(s.at, packetOf(byte(i), s.size)); took != (kept || tt.cfg.Loss == 1) {
					t.Errorf("Send of packet %d = %v", i, took)
				}
			}
			got := arrivals(t, p)
			if len(got) != len(tt.want) {
				t.Errorf("arrived: %v, want %v", got, tt.want)
			}
			for i, want := range tt.want {
				if got[i] != want {
					t.Errorf("packet %d arrived at %v, want %v", i, got[i], want)
				}
			}
			checkSum(t, p)
		})
	}
}

// checkSum holds for an empty pipe: every packet is in exactly one count.
func checkSum(t *testing.T, p *Pipe) {
	t.Helper()
	c := p.Counters()
	if c.OfferedPackets != c.DeliveredPackets+c.DroppedPackets+c.LostPackets ||
		c.OfferedBytes != c.DeliveredBytes+c.DroppedBytes+c.LostBytes {
		t.Errorf("counts do not add up: %+v", c)
	}
}

func TestPipeLossIsSeededAndTakesTime(t *testing.T) {
	const n = 20_000
	run := func(seed uint64) (order []int, last time.Duration, c Counters) {
		p := NewPipe(Config{Rate: 1e6, Loss: 0.05, QueueBytes: math.MaxInt32, Seed: seed})
		for i := range n {
			p.Send(0, []byte{byte(i >> 8), byte(i), 0, 0})
		}
		for at, ok := p.Next(); ok; at, ok = p.Next() {
			for d := p.Receive(at); d != nil; d = p.Receive(at) {
				order = append(order, int(d[0])<<8|int(d[1]))
				last = at
			}
		}
		checkSum(t, p)
		return order, last, p.Counters()
	}
	order, last, c := run(7)
	if c.LostPackets < n*4/100 || c.LostPackets > n*6/100 {
		t.Errorf("lost %d of %d packets at 5 %%", c.LostPackets, n)
	}
	if !slices.IsSorted(order) {
		t.Error("packets were reordered")
	}
	if want := time.Duration(order[len(order)-1]+1) * 4 * time.Microsecond; last != want {
		t.Errorf("last packet at %v, want %v: lost ones take their time on the line", last, want)
	}
	if again, _, _ := run(7); !slices.Equal(order, again) {
		t.Error("the same seed lost other packets")
	}
	if other, _, _ := run(8); slices.Equal(order, other) {
		t.Error("another seed lost the same packets")
	}
}

func TestPipeSetConfig(t *testing.T) {
	t.Run("slower: what waits follows, what has begun does not", func(t *testing.T) {
		p := NewPipe(Config{Rate: 1e6})
		for i := range byte(3) {
			p.Send(0, packetOf(i, 1000))
		}
		p.SetConfig(500*time.Microsecond, Config{Rate: 1e5})
		got := arrivals(t, p)
		for i, want := range []time.Duration{1 * ms, 11 * ms, 21 * ms} {
			if got[byte(i)] != want {
				t.Errorf("packet %d at %v, want %v", i, got[byte(i)], want)
			}
		}
	})
	t.Run("shorter delay does not reorder", func(t *testing.T) {
		p := NewPipe(Config{Delay: 100 * ms})
		p.Send(0, packetOf(0, 100))
		p.SetConfig(ms, Config{Delay: ms})
		p.Send(2*ms, packetOf(1, 100))
		got := arrivals(t, p)
		if got[0] != 100*ms || got[1] != 100*ms {
			t.Errorf("arrived at %v, want both at 100ms", got)
		}
	})
	t.Run("cut and mended", func(t *testing.T) {
		p := NewPipe(Config{Delay: ms})
		p.SetConfig(0, Config{Delay: ms, Loss: 1})
		p.Send(1*ms, packetOf(0, 100))
		p.SetConfig(2*ms, Config{Delay: ms})
		p.Send(3*ms, packetOf(1, 100))
		got := arrivals(t, p)
		if _, ok := got[0]; ok || got[1] != 4*ms {
			t.Errorf("arrived: %v, want only packet 1 at 4ms", got)
		}
	})
}

// A steady flow reuses its buffers and rings.
func TestPipeAllocatesNothingWhenSteady(t *testing.T) {
	p := NewPipe(Config{Rate: 1e6, Delay: 20 * ms})
	data, now := make([]byte, 1000), time.Duration(0)
	step := func() {
		now += ms
		p.Send(now, data)
		p.Receive(now)
	}
	for range 1000 {
		step()
	}
	if n := testing.AllocsPerRun(1000, step); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func TestConfigValidate(t *testing.T) {
	for _, c := range []Config{{Rate: -1}, {Delay: -1}, {Loss: -0.1}, {Loss: 1.1}, {Loss: math.NaN()}, {QueueBytes: -1}} {
		if err := c.Validate(); !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("%+v: error %v, want kind invalid", c, err)
		}
	}
	if err := (Config{Rate: 1, Delay: 1, Loss: 1, QueueBytes: 1}).Validate(); err != nil {
		t.Error(err)
	}
}
