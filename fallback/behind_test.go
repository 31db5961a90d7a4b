package fallback

import (
	"bytes"
	"math"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// The pulse follows a change within little more than its span, and says nothing before one is over.
func TestPulse(t *testing.T) {
	const span = time.Second
	var p pulse
	var bytes int64
	rate := func(at time.Duration) float64 { // 1 MB/s for 10 s, then nothing
		r, ok := p.rate(start.Add(at), bytes, span)
		if ok != (at >= span) {
			t.Fatalf("after %v: known %v", at, ok)
		}
		return r
	}
	for at := time.Duration(0); at < 20*time.Second; at += 25 * time.Millisecond {
		switch got := rate(at); {
		case at < span:
		case at < 10*time.Second && math.Abs(got-1e6) > 1e5:
			t.Fatalf("after %v: %.0f", at, got)
		case at > 10*time.Second+span+span/pulseMarks && got != 0:
			t.Fatalf("after %v: %.0f, want nothing", at, got)
		}
		p.observe(start.Add(at), bytes, span)
		if at < 10*time.Second {
			bytes += 25e3
		}
		if len(p.marks) > pulseMarks+2 {
			t.Fatalf("%d marks", len(p.marks))
		}
	}
	p.reset()
	if _, ok := p.rate(at(time.Hour), bytes, span); ok {
		t.Error("something is known after a reset")
	}
}

// What is asked for second over a lane comes after what was asked for first.
func TestOutstandingWaitsInLine(t *testing.T) {
	c := oneFile(t, 8*pieceLength)
	l := new(lane)
	l.conns = []*conn{{lane: l}, {lane: l}}
	for i, on := range l.conns {
		on.seg, on.began = newSegment(c.m, 4*i, 4), at(time.Duration(i)*100*time.Millisecond)
	}
	for d := time.Duration(0); d <= 2*time.Second; d += tickInterval {
		l.pulse.observe(at(d), l.got.Add(1000), hedgeAge)
	}
	for i, want := range []int64{4 * pieceLength, 8 * pieceLength} {
		if o := l.conns[i].outstanding(at(2 * time.Second)); o.left != want || o.tail != 3*pieceLength {
			t.Errorf("range %d: %d bytes to come, and %d to take over", i, o.left, o.tail)
		}
	}
}

// tiring is an origin whose first answer falls behind: from some byte of the content on, one
// comes now and then.
type tiring struct {
	origin
	from int
}

func (o *tiring) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	first := o.requests.Add(1) == 1
	for _, data := range o.c.bytes {
		body := http.ResponseWriter(&countingWriter{ResponseWriter: w, o: &o.origin})
		if first {
			body = &tiringWriter{body, o, r}
		}
		http.ServeContent(body, r, "", time.Time{}, bytes.NewReader(data))
	}
}

type tiringWriter struct {
	http.ResponseWriter
	o *tiring
	r *http.Request
}

func (w *tiringWriter) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		part := p[n:min(len(p), n+16<<10)]
		if w.o.sent.Load() >= int64(w.o.from) {
			part = part[:1]
			select {
			case <-time.After(100 * time.Millisecond):
			case <-w.r.Context().Done():
				return n, w.r.Context().Err()
			}
		}
		var k int
		k, err = w.ResponseWriter.Write(part)
		n += k
		_ = http.NewResponseController(w.ResponseWriter).Flush()
	}
	return n, err
}

// What comes last over the only connection, and well behind its pace so far, is asked for over another
// one: nothing is fetched twice but one piece.
func TestTailIsHedged(t *testing.T) {
	for name, connections := range map[string]int{"one connection allowed": 1, "as many as pay": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := oneFile(t, 40*pieceLength)
				n := newMemnet()
				o := &tiring{origin: origin{c: c, pause: 10 * time.Millisecond}, from: 37*pieceLength + 100}
				defer n.serve("192.0.2.1:80", o)()
				p := newPieces(c.m)
				f := newFetcher(t, n, c, p)
				add(t, f, Upstream{Name: "seed", Kind: WebSeed, URL: "http://192.0.2.1/f", Connections: connections})
				f.sources[0].guard = &Guard{Private: true}
				begun := time.Now()
				if err := f.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				p.check(t, true)
				took := time.Since(begun)
				t.Logf("%v, %d connections, %d bytes of %d sent, %d wasted", took, n.dials, o.sent.Load(), c.m.Size(), f.Stats().Wasted)
				// 40 pieces take 1.6 s; a span later it shows, and what is left comes.
				if took > 1600*time.Millisecond+2*hedgeAge {
					t.Errorf("took %v", took)
				}
				if f.Stats().Wasted > pieceLength || o.sent.Load() > c.m.Size()+2*pieceLength {
					t.Errorf("%d bytes sent of %d, %d wasted", o.sent.Load(), c.m.Size(), f.Stats().Wasted)
				}
			})
		})
	}
}
