package uploads

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/shoal-cdn/shoal/node/ingest/api"
)

// The order in which logs are read does not matter.
func TestLedgerCommutes(t *testing.T) {
	written, lost := entry{epoch: 1}, entry{epoch: 1, lost: true}
	for _, c := range []struct {
		entries []entry
		has     bool
	}{
		{nil, false},
		{[]entry{written, written}, true},
		{[]entry{written, lost}, false},
		{[]entry{written, written, lost}, false},
		{[]entry{written, lost, {epoch: 2}}, true},
		{[]entry{written, lost, lost, {epoch: 2}, {epoch: 2, lost: true}}, false},
	} {
		for range 10 {
			order := slices.Clone(c.entries)
			rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			l := newLedger(1, false)
			for _, e := range order {
				l.take(e)
			}
			if l.has(0) != c.has {
				t.Errorf("%v: %v, want %v", order, l.has(0), c.has)
			}
		}
	}
}

func TestMissing(t *testing.T) {
	l := newLedger(6, false)
	for _, k := range []int{1, 4} {
		l.take(l.next(k, api.Digest{}))
	}
	for _, c := range []struct {
		first, end, most int
		want             []api.Run
	}{
		{0, 6, 9, []api.Run{{First: 0, Count: 1}, {First: 2, Count: 2}, {First: 5, Count: 1}}},
		{0, 6, 2, []api.Run{{First: 0, Count: 1}, {First: 2, Count: 2}}},
		{1, 2, 9, []api.Run{}},
		{3, 6, 9, []api.Run{{First: 3, Count: 1}, {First: 5, Count: 1}}},
	} {
		if got := l.missing(c.first, c.end, c.most); !slices.Equal(got, c.want) {
			t.Errorf("%v: %v", c, got)
		}
	}
}
