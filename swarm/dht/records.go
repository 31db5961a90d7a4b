package dht

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/shoal-cdn/shoal"
)

// recordTTL is how long a provider is believed. kad-dht's own default is two days.
const recordTTL = 15 * time.Minute

// Bounds on what others may store here: some 10 MB in all.
const (
	maxRecords   = 1 << 14
	maxProviders = 64   // of a key
	maxPerPeer   = 1024 // records of a node: twice what an honest one offers
	maxAddrs     = 8    // of a record
	sweepEvery   = time.Minute
)

// records is who provides which key: kad-dht's ProviderStore, in memory and
// bounded. It is safe for concurrent use.
type records struct {
	self func() peer.AddrInfo // this node, as others can dial it

	mu    sync.Mutex
	keys  map[string]map[peer.ID]entry
	count map[peer.ID]int
	total int
	swept time.Time
}

type entry struct {
	addrs []ma.Multiaddr
	until time.Time
}

func newRecords(self func() peer.AddrInfo) *records {
	return &records{self: self, keys: make(map[string]map[peer.ID]entry), count: make(map[peer.ID]int)}
}

// AddProvider stores or renews a record. Where a key has all the providers that it
// may have, or all keys together have, one of them, whichever, makes room: those who
// fill it on purpose do not keep the others out.
func (r *records) AddProvider(_ context.Context, key []byte, p peer.AddrInfo) error {
	if !isKey(key) {
		return fmt.Errorf("provider record: %w: no content's key", shoal.ErrInvalid)
	}
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweep(now)
	k := string(key)
	if _, known := r.keys[k][p.ID]; !known {
		switch {
		case r.count[p.ID] >= maxPerPeer:
			return fmt.Errorf("provider record: %w: too many", shoal.ErrUnavailable)
		case len(r.keys[k]) >= maxProviders:
			r.dropAny(k)
		case r.total >= maxRecords:
			for other := range r.keys {
				r.dropAny(other)
				break
			}
		}
		if r.keys[k] == nil {
			r.keys[k] = make(map[peer.ID]entry)
		}
		r.count[p.ID]++
		r.total++
	}
	r.keys[k][p.ID] = entry{addrs: p.Addrs[:min(len(p.Addrs), maxAddrs)], until: now.Add(recordTTL)}
	return nil
}

// GetProviders returns a key's providers, in no order.
func (r *records) GetProviders(_ context.Context, key []byte) ([]peer.AddrInfo, error) {
	now, self := time.Now(), r.self()
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []peer.AddrInfo
	for id, e := range r.keys[string(key)] {
		switch {
		case !now.Before(e.until):
		case id == self.ID: // stored without addresses, which may change
			out = append(out, self)
		default:
			out = append(out, peer.AddrInfo{ID: id, Addrs: e.addrs})
		}
	}
	return out, nil
}

// Close implements kad-dht's ProviderStore.
func (r *records) Close() error { return nil }

func (r *records) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.total
}

// sweep forgets what is over, now and then. The caller holds mu.
func (r *records) sweep(now time.Time) {
	if now.Sub(r.swept) < sweepEvery {
		return
	}
	r.swept = now
	for key, providers := range r.keys {
		for id, e := range providers {
			if !now.Before(e.until) {
				r.drop(key, id)
			}
		}
	}
}

// dropAny forgets one record of a key. The caller holds mu.
func (r *records) dropAny(key string) {
	for id := range r.keys[key] {
		r.drop(key, id)
		return
	}
}

// drop forgets one record. The caller holds mu.
func (r *records) drop(key string, id peer.ID) {
	delete(r.keys[key], id)
	if len(r.keys[key]) == 0 {
		delete(r.keys, key)
	}
	if r.count[id]--; r.count[id] == 0 {
		delete(r.count, id)
	}
	r.total--
}
