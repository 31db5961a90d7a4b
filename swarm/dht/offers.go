package dht

import (
	"cmp"
	"context"
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
)

const (
	maxOffered   = 512              // contents that a node offers
	renewFirst   = 15 * time.Second // then four times as long each time, up to renewEvery
	renewEvery   = recordTTL / 3
	offerRetry   = 10 * time.Second // after an offer that reached nobody
	offerTick    = 2 * time.Second
	offersTick   = 8 // begun each tick
	maxOffersNow = 8 // under way
)

// offers is when to offer which content. It is pure, and not safe for
// concurrent use.
type offers struct {
	seed  maphash.Seed
	plans map[shoal.ContentID]*offer
}

type offer struct {
	next     time.Time
	times    int // that it was offered
	underway bool
}

func newOffers() *offers {
	return &offers{seed: maphash.MakeSeed(), plans: make(map[shoal.ContentID]*offer)}
}

// due returns up to n contents, of those held, to offer now; done must be called
// for each. What is no longer held is forgotten.
func (o *offers) due(now time.Time, held []shoal.ContentID, n int) []shoal.ContentID {
	held = o.choose(held)
	chosen := make(map[shoal.ContentID]struct{}, len(held))
	var ready []shoal.ContentID
	for _, id := range held {
		chosen[id] = struct{}{}
		p := o.plans[id]
		if p == nil {
			p = &offer{next: now}
			o.plans[id] = p
		}
		if !p.underway && !now.Before(p.next) {
			ready = append(ready, id)
		}
	}
	maps.DeleteFunc(o.plans, func(id shoal.ContentID, p *offer) bool {
		_, stays := chosen[id]
		return !stays && !p.underway
	})
	slices.SortStableFunc(ready, func(a, b shoal.ContentID) int { return o.plans[a].next.Compare(o.plans[b].next) })
	ready = ready[:max(0, min(len(ready), n))]
	for _, id := range ready {
		o.plans[id].underway = true
	}
	return ready
}

// choose keeps to as many contents as records can be renewed of in time: the same
// ones each time, and other ones on each node, so that all are offered by somebody.
func (o *offers) choose(held []shoal.ContentID) []shoal.ContentID {
	if len(held) <= maxOffered {
		return held
	}
	held = slices.Clone(held)
	slices.SortFunc(held, func(a, b shoal.ContentID) int {
		return cmp.Compare(maphash.Comparable(o.seed, a), maphash.Comparable(o.seed, b))
	})
	return held[:maxOffered]
}

// done notes that an offer has ended; reached says that others took it.
func (o *offers) done(now time.Time, id shoal.ContentID, reached bool) {
	p := o.plans[id]
	p.underway = false
	if !reached {
		p.next = now.Add(offerRetry)
		return
	}
	p.next = now.Add(min(renewFirst<<min(2*p.times, 20), renewEvery))
	p.times++
}

// met says that there is somebody to take offers, where there was nobody before: those
// that reached nobody are due.
func (o *offers) met(now time.Time) {
	for _, p := range o.plans {
		if p.times == 0 {
			p.next = now
		}
	}
}

// offer keeps telling others what the node has, until ctx ends. told is called after each
// attempt, from any goroutine.
func (n *network) offer(ctx context.Context, held func() []shoal.ContentID, told func(taken bool)) {
	var (
		wg       sync.WaitGroup
		mu       sync.Mutex // guards what follows
		plan     = newOffers()
		underway int
	)
	defer wg.Wait()
	tick := time.NewTicker(offerTick)
	defer tick.Stop()
	for empty := true; ; {
		contents := held()
		mu.Lock()
		was := empty
		if empty = n.size() == 0; was && !empty {
			plan.met(time.Now())
		}
		due := plan.due(time.Now(), contents, min(offersTick, maxOffersNow-underway))
		underway += len(due)
		mu.Unlock()
		for _, id := range due {
			wg.Go(func() {
				err := n.provide(ctx, id)
				if ctx.Err() == nil {
					told(err == nil)
					if err != nil {
						n.log.Debug("a content was not offered", "content", id, "err", err)
					}
				}
				mu.Lock()
				defer mu.Unlock()
				underway--
				plan.done(time.Now(), id, err == nil)
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
