package dht

import (
	"slices"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

var begin = time.Unix(1e9, 0)

func contents(n int) []shoal.ContentID {
	var out []shoal.ContentID
	for i := range n {
		out = append(out, contentOf(i))
	}
	return out
}

// An offer is renewed well before its record ends, the first ones soon.
func TestOffersRenew(t *testing.T) {
	o := newOffers()
	now, held := begin, contents(1)
	for i, pause := range []time.Duration{0, 15 * time.Second, time.Minute, 4 * time.Minute, renewEvery, renewEvery} {
		if pause > 0 {
			if got := o.due(now.Add(pause-1), held, 9); len(got) != 0 {
				t.Fatalf("offer %d comes before %v", i, pause)
			}
		}
		now = now.Add(pause)
		if got := o.due(now, held, 9); len(got) != 1 {
			t.Fatalf("offer %d does not come after %v", i, pause)
		}
		if got := o.due(now.Add(time.Hour), held, 9); len(got) != 0 {
			t.Fatal("an offer under way is made again")
		}
		o.done(now, held[0], true)
	}
	if 2*renewEvery >= recordTTL {
		t.Error("one offer that fails loses the record")
	}
	now = now.Add(renewEvery)
	o.due(now, held, 9)
	o.done(now, held[0], false)
	if got := o.due(now.Add(offerRetry), held, 9); len(got) != 1 {
		t.Error("an offer that failed is not made again soon")
	}
}

// What nobody could take is offered as soon as there is somebody; the rest waits for its
// time.
func TestOffersMet(t *testing.T) {
	o := newOffers()
	held := contents(2)
	o.due(begin, held, 2)
	o.done(begin, held[0], false)
	o.done(begin, held[1], true)
	o.met(begin.Add(time.Second))
	if got := o.due(begin.Add(time.Second), held, 9); !slices.Equal(got, held[:1]) {
		t.Errorf("%d offers", len(got))
	}
	o.met(begin.Add(2 * time.Second))
	if got := o.due(begin.Add(2*time.Second), held, 9); len(got) != 0 {
		t.Error("an offer under way is made again")
	}
}

func TestOffersOldestFirst(t *testing.T) {
	o := newOffers()
	held := contents(5)
	first := o.due(begin, held, 2)
	for i, id := range first {
		o.done(begin.Add(time.Duration(i)*time.Second), id, true)
	}
	later := begin.Add(time.Hour)
	second := o.due(later, held, 3)
	if slices.ContainsFunc(second, func(id shoal.ContentID) bool { return slices.Contains(first, id) }) || len(second) != 3 {
		t.Errorf("%d offers, some again before others came once", len(second))
	}
	if got := o.due(later, held, 3); !slices.Equal(got, first) {
		t.Error("the longest ago is not the next")
	}
	if got := o.due(later, held, -1); len(got) != 0 {
		t.Error("more than there is room for")
	}
}

// What is no longer held is forgotten, also where that happens in mid-offer.
func TestOffersForget(t *testing.T) {
	o := newOffers()
	ids := o.due(begin, contents(3), 2)
	o.due(begin, nil, 9)
	for _, id := range ids {
		o.done(begin, id, true)
	}
	o.due(begin, nil, 9)
	if len(o.plans) != 0 {
		t.Errorf("%d contents are remembered", len(o.plans))
	}
}

// Of many contents a node offers some, always the same ones, and other nodes
// offer others.
func TestOffersBound(t *testing.T) {
	held := contents(4 * maxOffered)
	chosen := func(o *offers) map[shoal.ContentID]bool {
		out := make(map[shoal.ContentID]bool)
		for _, id := range o.due(begin, held, len(held)) {
			out[id] = true
			o.done(begin, id, true)
		}
		return out
	}
	o := newOffers()
	first := chosen(o)
	slices.Reverse(held)
	if got := o.due(begin.Add(time.Second), held, len(held)); len(got) != 0 {
		t.Errorf("%d others are offered a second later", len(got))
	}
	if len(first) != maxOffered {
		t.Errorf("%d are offered", len(first))
	}
	both := 0
	for id := range chosen(newOffers()) {
		if first[id] {
			both++
		}
	}
	if both > maxOffered/2 {
		t.Errorf("two nodes offer %d of %d in common", both, maxOffered)
	}
}
