package swarm

import (
	"fmt"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm/transport"
)

// fakeSender is a connection whose counters the test sets.
type fakeSender struct {
	transport.Counters
	closed bool
}

type fakeConn struct{ *fakeSender }

func (f fakeConn) Counters() (transport.Counters, bool) { return f.fakeSender.Counters, !f.closed }

// send has a connection do something within an interval: KiB acknowledged and sent again.
func (f fakeConn) send(acked, resent int64, busy, rtt time.Duration) {
	f.Acked += acked << 10
	f.Sent += (acked + resent) << 10
	f.Resent += resent << 10
	f.Busy += busy
	f.RTT = rtt
}

type pathsTest struct {
	*paths[fakeConn]
	now time.Time
}

func newPathsTest() *pathsTest {
	p := &pathsTest{newPaths[fakeConn](), time.Unix(1000, 0)}
	p.sample(p.now)
	return p
}

func (p *pathsTest) conn(from, to string) fakeConn {
	c := fakeConn{&fakeSender{}}
	p.watch(c, from, to)
	return c
}

// tick lets an interval pass.
func (p *pathsTest) tick() {
	p.now = p.now.Add(pathInterval)
	p.sample(p.now)
}

// stat is the only line, as it is published next.
func (p *pathsTest) stat(t *testing.T) PathStat {
	t.Helper()
	for range pathPublish {
		p.tick()
	}
	if len(p.stats()) != 1 {
		t.Fatalf("%+v, want one path", p.stats())
	}
	return p.stats()[0]
}

const ms = time.Millisecond

func TestPathStats(t *testing.T) {
	const kib = 1 << 10
	for name, tt := range map[string]struct {
		do   func(p *pathsTest)
		want PathStat
	}{
		"nothing was sent": {func(p *pathsTest) { p.conn("a", "b") }, PathStat{}},
		"one connection": {func(p *pathsTest) {
			c := p.conn("a", "b")
			c.send(990, 10, time.Second, 70*ms)
			p.tick()
			c.send(495, 5, 500*ms, 60*ms)
		}, PathStat{Bytes: 1485 * kib, RTT: 60 * ms, Loss: 0.01, Goodput: 990 * kib}},
		"several at once share the line": {func(p *pathsTest) {
			for range 3 {
				p.conn("a", "b").send(100, 0, 900*ms, 70*ms)
			}
		}, PathStat{Bytes: 300 * kib, RTT: 70 * ms, Goodput: 300 * kib}},
		"one after the other": {func(p *pathsTest) {
			for range 2 {
				p.conn("a", "b").send(100, 0, 250*ms, 70*ms)
			}
		}, PathStat{Bytes: 200 * kib, RTT: 70 * ms, Goodput: 400 * kib}},
		"requests alone tell the RTT only": {func(p *pathsTest) {
			p.conn("a", "b").send(20, 1, time.Second, 70*ms)
		}, PathStat{Bytes: 20 * kib, RTT: 70 * ms}},
		"busy is not told": {func(p *pathsTest) {
			p.conn("a", "b").send(100, 0, 0, 70*ms)
		}, PathStat{Bytes: 100 * kib, RTT: 70 * ms, Goodput: 100 * kib}},
		"an old RTT of an idle connection does not count": {func(p *pathsTest) {
			idle := p.conn("a", "b")
			p.tick()
			idle.RTT = 10 * ms
			p.conn("a", "b").send(100, 0, time.Second, 70*ms)
		}, PathStat{Bytes: 100 * kib, RTT: 70 * ms, Goodput: 100 * kib}},
		"a connection that is closed": {func(p *pathsTest) {
			c := p.conn("a", "b")
			c.send(100, 0, time.Second, 70*ms)
			c.closed = true
		}, PathStat{Bytes: 100 * kib, RTT: 70 * ms, Goodput: 100 * kib}},
		"two contents on one connection": {func(p *pathsTest) {
			c := p.conn("a", "b")
			c.send(100, 0, time.Second, 70*ms)
			p.watch(c, "a", "b")
		}, PathStat{Bytes: 100 * kib, RTT: 70 * ms, Goodput: 100 * kib}},
		"a connection that is within a carrier after all": {func(p *pathsTest) {
			c := p.conn("a", "b")
			p.watch(c, "b", "b")
			c.send(100, 0, time.Second, 70*ms)
		}, PathStat{}},
		"counters that go back": {func(p *pathsTest) { // QUIC, where what was lost arrives after all
			c := p.conn("a", "b")
			c.send(100, 50, time.Second, 70*ms)
			p.tick()
			c.Resent, c.Acked = 0, 0
		}, PathStat{Bytes: 100 * kib, RTT: 70 * ms, Loss: 1. / 3, Goodput: 100 * kib}},
		"only the newest intervals count": {func(p *pathsTest) {
			c := p.conn("a", "b")
			c.send(1000, 1000, time.Second, 10*ms)
			p.tick()
			for range pathIntervals - 1 {
				c.send(100, 0, time.Second, 70*ms)
				p.tick()
			}
			c.send(100, 0, time.Second, 70*ms)
		}, PathStat{Bytes: 2000 * kib, RTT: 70 * ms, Goodput: 100 * kib}},
		"long ago": {func(p *pathsTest) {
			p.conn("a", "b").send(100, 0, time.Second, 70*ms)
			p.tick()
			p.now = p.now.Add(pathMemory)
		}, PathStat{Bytes: 100 * kib}},
	} {
		p := newPathsTest()
		tt.do(p)
		tt.want.From, tt.want.To = "a", "b"
		if got := p.stat(t); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
		for c := range p.conns {
			if c.closed {
				t.Errorf("%s: a closed connection is still watched", name)
			}
		}
	}
}

// Whatever carriers peers claim, only so many are kept, and not at the expense of
// those that are in use.
func TestPathsAreBounded(t *testing.T) {
	p := newPathsTest()
	used := p.conn("a", "used")
	for i := range 2 * maxPaths {
		c := p.conn("a", fmt.Sprint("claimed", i))
		c.send(int64(i), 0, 0, ms)
		c.closed = true
		p.tick()
	}
	used.send(100, 0, 0, ms)
	for range pathPublish {
		p.tick()
	}
	got := p.stats()
	if len(got) != maxPaths || got[len(got)-1].Bytes != 100<<10 {
		t.Errorf("%d paths, the last %+v", len(got), got[len(got)-1])
	}
	for i := range maxPaths { // all in use
		p.conn("a", fmt.Sprint("new", i))
	}
	if p.conn("a", "one more"); len(p.lines) != maxPaths || p.lines[carriers{"a", "one more"}] != nil {
		t.Errorf("%d lines", len(p.lines))
	}
	if p.watch(fakeConn{&fakeSender{}}, "", "b"); p.lines[carriers{"", "b"}] != nil {
		t.Error("an unknown carrier is counted")
	}
}

// A transfer between two carriers is counted at the sender, one within a carrier is not.
func TestHubPaths(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("this system counts nothing")
	}
	man, data := content(t, 4<<20)
	origin := newMember(t, "origin", Config{Locality: shoal.Locality{Carrier: "a"}})
	origin.join(t, man, seeded(man, data), true)
	for _, carrier := range []string{"a", "b"} {
		m := newMember(t, carrier, Config{Locality: shoal.Locality{Carrier: carrier}})
		waitComplete(t, m.join(t, man, newMemory(man), false, origin.peer))
	}
	within(t, time.Minute, "the transfer is counted", func() bool {
		origin.paths.sample(time.Now())
		got := origin.Paths()
		if len(got) > 1 {
			t.Fatalf("%+v, want the one to carrier b", got)
		}
		return len(got) == 1 && got[0].From == "a" && got[0].To == "b" && got[0].Bytes >= int64(len(data)) &&
			got[0].RTT > 0 && got[0].Goodput > 0
	})
}
