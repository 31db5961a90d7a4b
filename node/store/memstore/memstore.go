package memstore

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/store"
)

// Store keeps contents in memory. The zero value is empty and ready.
type Store struct {
	mu       sync.Mutex
	closed   bool
	contents map[shoal.ContentID]*content
}

var _ store.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store { return &Store{} }

// Create implements [store.Store].
func (s *Store) Create(m *shoal.Manifest, dest string) (store.Content, error) {
	fail := func(err error) (store.Content, error) {
		return nil, fmt.Errorf("create %s: %w", m.ID().Short(), err)
	}
	want := dest
	if want == "" {
		want = m.Name()
	}
	if err := store.CheckDest(want); err != nil {
		return fail(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fail(os.ErrClosed)
	}
	if c := s.contents[m.ID()]; c != nil {
		if err := c.fit(dest); err != nil {
			return fail(err)
		}
		return c.handle(), nil
	}
	for id, other := range s.contents {
		if other.dest != "" && (strings.HasPrefix(want+"/", other.dest+"/") || strings.HasPrefix(other.dest+"/", want+"/")) {
			return fail(fmt.Errorf("destination %q: %w: content %s is at %q", want, shoal.ErrConflict, id, other.dest))
		}
	}
	return s.add(&content{m: m, dest: want, data: make([][]byte, m.NumPieces())}), nil
}

// Seed implements [store.Store].
func (s *Store) Seed(m *shoal.Manifest, path string) (store.Content, error) {
	fail := func(err error) (store.Content, error) {
		return nil, fmt.Errorf("seed %q as %s: %w", path, m.ID().Short(), err)
	}
	in, err := lookAt(m, path)
	if err != nil {
		return fail(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fail(os.ErrClosed)
	}
	if c := s.contents[m.ID()]; c != nil {
		if err := c.moveInPlace(in); err != nil {
			return fail(err)
		}
		return c.handle(), nil
	}
	return s.add(&content{m: m, in: in, held: shoal.FullPieceSet(m.NumPieces())}), nil
}

// add needs s.mu.
func (s *Store) add(c *content) store.Content {
	if c.held == nil {
		c.held = shoal.NewPieceSet(c.m.NumPieces())
	}
	if s.contents == nil {
		s.contents = map[shoal.ContentID]*content{}
	}
	s.contents[c.m.ID()] = c
	return c.handle()
}

// Open implements [store.Store].
func (s *Store) Open(id shoal.ContentID) (store.Content, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.contents[id], error(nil)
	switch {
	case s.closed:
		err = os.ErrClosed
	case c == nil:
		err = shoal.ErrNotFound
	default:
		return c.handle(), nil
	}
	return nil, fmt.Errorf("open %s: %w", id.Short(), err)
}

// List implements [store.Store].
func (s *Store) List() ([]shoal.ContentID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, os.ErrClosed
	}
	return slices.SortedFunc(maps.Keys(s.contents), func(a, b shoal.ContentID) int { return bytes.Compare(a[:], b[:]) }), nil
}

// Delete implements [store.Store].
func (s *Store) Delete(id shoal.ContentID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.contents[id], error(nil)
	switch {
	case s.closed:
		err = os.ErrClosed
	case c == nil:
		err = shoal.ErrNotFound
	default:
		c.end(shoal.ErrNotFound)
		delete(s.contents, id)
		return nil
	}
	return fmt.Errorf("delete %s: %w", id.Short(), err)
}

// Recheck implements [store.Store].
func (s *Store) Recheck(ctx context.Context, id shoal.ContentID, progress func(done, total int64)) error {
	opened, err := s.Open(id)
	if err != nil {
		return err
	}
	defer opened.Close()
	return opened.(*handle).recheck(ctx, progress)
}

// Close implements [store.Store].
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, c := range s.contents {
		c.end(os.ErrClosed)
	}
	return nil
}
