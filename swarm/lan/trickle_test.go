package lan

import (
	"math/rand/v2"
	"testing"
	"time"
)

// times runs a trickle for a while and returns when it asked; others ask too, as
// often in each interval.
func times(t *trickle, now, end time.Time, others int, known bool) (asked []time.Duration) {
	begun := now
	for {
		for range others {
			t.hear()
		}
		now = t.next()
		if now.After(end) {
			return asked
		}
		if t.due(now, known) {
			asked = append(asked, now.Sub(begun))
		}
	}
}

func TestTrickleBacksOff(t *testing.T) { // RFC 6206 §4.2
	for seed := range uint64(50) {
		tr := newTrickle(testNow, rand.New(rand.NewPCG(seed, 1)))
		asked := times(tr, testNow, testNow.Add(10*time.Minute), 0, false)
		if asked[0] >= firstWindow {
			t.Errorf("first asked after %v", asked[0])
		}
		start, length := minInterval, 2*minInterval
		for i, at := range asked[1:] {
			if at < start+length/2 || at >= start+length {
				t.Errorf("query %d at %v, want it in the second half of %v + %v", i+1, at, start, length)
			}
			start, length = start+length, min(2*length, maxInterval)
		}
		if len(asked) < 14 || len(asked) > 16 {
			t.Errorf("%d queries in 10 minutes", len(asked))
		}
	}
}

func TestTrickleSuppresses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		heard int
		known bool
		most  int
		least int
	}{
		{"few ask", redundancy - 1, false, 16, 14},
		{"many ask, a holder is known", redundancy, true, 0, 0},
		{"many ask, and nobody has it", redundancy, false, 4, 3},
	} {
		// hear is called once for fire and once for end of an interval: both count
		// before the next fire only where it is the end's.
		tr := newTrickle(testNow, rand.New(rand.NewPCG(1, 1)))
		asked := times(tr, testNow, testNow.Add(10*time.Minute), tt.heard, tt.known)
		if len(asked) < tt.least || len(asked) > tt.most {
			t.Errorf("%s: asked at %v", tt.name, asked)
		}
	}
}

// A hint makes it ask soon, but not again and again.
func TestTrickleHint(t *testing.T) {
	tr := newTrickle(testNow, rand.New(rand.NewPCG(1, 1)))
	times(tr, testNow, testNow.Add(5*time.Minute), 0, false)
	now := testNow.Add(5 * time.Minute)
	tr.hint(now)
	if wait := tr.next().Sub(now); wait < 0 || wait > firstWindow {
		t.Errorf("asks %v after a hint", wait)
	}
	n := 0
	for end := now.Add(hintPause - time.Second); now.Before(end); now = now.Add(100 * time.Millisecond) {
		tr.hint(now)
		if tr.due(now, false) {
			n++
		}
	}
	if n > 8 {
		t.Errorf("%d queries in a minute of hints", n)
	}
}

// A machine that slept asks once when it wakes.
func TestTrickleAfterSleep(t *testing.T) {
	tr := newTrickle(testNow, rand.New(rand.NewPCG(1, 1)))
	now := testNow.Add(24 * time.Hour)
	if !tr.due(now, false) || tr.due(now, false) || tr.next().Before(now) {
		t.Errorf("next at %v", tr.next().Sub(now))
	}
}
