package peerbook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/google/renameio/v2"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
)

const (
	saveEvery = 10 * time.Second // between two writes, at least
	saveCheck = time.Second      // how soon the first change is written
)

// Book is the nodes that this one knew last. It is safe for concurrent use.
type Book struct {
	path string
	log  *slog.Logger

	mu      sync.Mutex
	table   *table
	changed bool // since it was read or written
}

// Open reads the book at path, or starts an empty one where there is none that
// can be read. self is not entered.
func Open(path string, self shoal.NodeID, log *slog.Logger) *Book {
	b := &Book{path: path, log: log, table: newTable(self)}
	now := time.Now()
	es, err := load(path, now)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("the last-known peers cannot be read and are forgotten", "file", path, "err", err)
	}
	for _, e := range es {
		b.table.note(e)
	}
	b.table.expire(now)
	return b
}

func load(path string, now time.Time) ([]Entry, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("%w: more than %d bytes", shoal.ErrCorrupt, maxFile)
	}
	return decode(b, now)
}

// Told takes in nodes that a tracker named just now.
func (b *Book) Told(peers []swarm.Peer) { b.note(peers, true) }

// Met takes in nodes that are connected, or were found, just now.
func (b *Book) Met(peers ...swarm.Peer) { b.note(peers, false) }

func (b *Book) note(peers []swarm.Peer, vouched bool) {
	now := time.Now().UTC().Truncate(time.Second)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range peers {
		e := Entry{
			ID: p.ID, Name: p.Name, Addrs: p.Addrs[:min(len(p.Addrs), maxAddrs)],
			Locality: p.Locality, Seen: now, Vouched: vouched,
		}
		if valid(e) && b.table.note(e) {
			b.changed = true
		}
	}
}

// Peers returns up to n nodes, the most promising ones for a node at here first:
// of each carrier in turn the nearest, and of those the last seen.
func (b *Book) Peers(here shoal.Locality, n int) []swarm.Peer {
	b.mu.Lock()
	defer b.mu.Unlock()
	es := b.table.list(here, n)
	peers := make([]swarm.Peer, 0, len(es))
	for _, e := range es {
		peers = append(peers, swarm.Peer{ID: e.ID, Name: e.Name, Addrs: e.Addrs, Locality: e.Locality})
	}
	return peers
}

// Len is the number of nodes.
func (b *Book) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.table.entries)
}

// Run writes the book when it has changed, until ctx ends, and then once more.
func (b *Book) Run(ctx context.Context) {
	tick := time.NewTicker(saveCheck)
	defer tick.Stop()
	for saved := (time.Time{}); ; {
		select {
		case now := <-tick.C:
			if now.Sub(saved) >= saveEvery && b.save() {
				saved = now
			}
		case <-ctx.Done():
			b.save()
			return
		}
	}
}

// save writes the book where it changed, and reports whether it did or tried. What cannot
// be written is tried again after a while.
func (b *Book) save() (tried bool) {
	b.mu.Lock()
	if !b.changed {
		b.mu.Unlock()
		return false
	}
	b.changed = false
	b.table.expire(time.Now())
	es := b.table.list(shoal.Locality{}, maxEntries)
	b.mu.Unlock()
	data, err := encode(es)
	if err == nil {
		err = renameio.WriteFile(b.path, data, 0o600)
	}
	if err != nil {
		b.log.Warn("the last-known peers could not be saved", "file", b.path, "err", err)
		b.mu.Lock()
		b.changed = true
		b.mu.Unlock()
	}
	return true
}
