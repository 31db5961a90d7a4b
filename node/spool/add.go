package spool

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
	"github.com/shoal-cdn/shoal/node/upload"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// New describes what is to be spooled.
type New struct {
	Path       string
	InPlace    bool // refer to the data where it is, rather than take it in
	Copy       bool // copy the data, rather than link it
	Target     Target
	Distribute *api.Distribute
}

// Add takes an upload into the spool. When it returns, the upload survives the
// caller, this process and a power cut; nothing is hashed or sent yet.
func (s *Spool) Add(ctx context.Context, n New) (Item, error) {
	it, err := s.add(ctx, n)
	if err != nil {
		return it, fmt.Errorf("spool %s: %w", n.Path, err)
	}
	return it, nil
}

func (s *Spool) add(ctx context.Context, n New) (Item, error) {
	abs, err := filepath.Abs(n.Path)
	if err != nil {
		return Item{}, err
	}
	it := Item{
		Task: tapi.NewTaskID(), Source: abs, Name: filepath.Base(abs), Data: InPlace, Added: time.Now().UTC(),
		Target: n.Target, Distribute: n.Distribute, State: Waiting,
	}
	if it.Origin, it.Size, err = upload.Fingerprint(ctx, abs); err != nil {
		return Item{}, err
	}
	unlock, err := s.lock(it.Task + lockSuffix) // or it would be swept up
	if err != nil {
		return Item{}, err
	}
	defer unlock()
	it.Print = it.Origin
	if !n.InPlace {
		if err := s.takeIn(ctx, &it, n.Copy); err != nil {
			_ = s.Remove(it.Task) // else it is swept up later
			return Item{}, err
		}
	}
	if why := it.check(it.Task); why != "" {
		_ = s.Remove(it.Task)
		return Item{}, fmt.Errorf("%w: %s", shoal.ErrInvalid, why)
	}
	return it, s.put(it)
}

// takeIn brings the data into the spool.
func (s *Spool) takeIn(ctx context.Context, it *Item, copied bool) error {
	real, err := filepath.EvalSymlinks(it.Source)
	if err != nil {
		return err
	}
	folder := it.Task + dataSuffix
	if err := s.root.Mkdir(folder, 0o700); err != nil {
		return err
	}
	t := taker{spool: s, to: filepath.Join(folder, it.Name), from: real, copied: copied}
	if it.Data, err = t.all(ctx); err != nil {
		return err
	}
	if it.Print, _, err = upload.Fingerprint(ctx, s.path(*it)); err != nil {
		return err
	}
	now, _, err := upload.Fingerprint(ctx, it.Source)
	if err == nil && now != it.Origin {
		err = shoal.ErrChanged // while it was taken in
	}
	return err
}

// Find returns the item that has what is at a path as it is now, for the same
// target and distribution; [shoal.ErrNotFound] where there is none. Items of what
// was at the path before, and nobody is sending, are removed.
func (s *Spool) Find(ctx context.Context, n New) (Item, error) {
	abs, err := filepath.Abs(n.Path)
	if err != nil {
		return Item{}, err
	}
	print, _, err := upload.Fingerprint(ctx, abs)
	if err != nil {
		return Item{}, err
	}
	items, _, err := s.List()
	if err != nil {
		return Item{}, err
	}
	var found *Item
	for _, it := range items {
		switch {
		case it.Source != abs:
		case it.Origin != print:
			s.removeIdle(it.Task)
		case found == nil && same(it, n):
			found = &it
		}
	}
	if found == nil {
		return Item{}, fmt.Errorf("spool %s: %w: nothing of %s", s.dir, shoal.ErrNotFound, abs)
	}
	return *found, nil
}

// Has reports whether there is an item, in any state, of what is at a path.
func Has(items []Item, path, print string) bool {
	for _, it := range items {
		if it.Source == path && it.Origin == print {
			return true
		}
	}
	return false
}

// removeIdle removes an item unless somebody works on it.
func (s *Spool) removeIdle(task string) {
	unlock, err := s.lock(task + lockSuffix)
	if err != nil {
		return
	}
	defer unlock()
	_ = s.Remove(task) // it is looked at again
}
