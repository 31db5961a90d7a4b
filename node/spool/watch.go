package spool

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/upload"
)

// Watching says how a folder is watched.
type Watching struct {
	New    New                          // what to spool, but for Path
	Settle time.Duration                // for how long a file must not have changed; 0: 2 s
	Added  func(Item)                   // may be nil
	Failed func(path string, err error) // may be nil; a path is told of again only after it changed
}

// Watch spools the files and folders that are put into a folder, and those that are in
// it already, until ctx ends: each once its names, sizes and times have
// stood still for a while, and again when it is replaced by another one. Names that begin
// with a dot are passed over, so that what is still being written can be called so; symlinks
// and special files are too. Nothing is removed from the folder.
func (s *Spool) Watch(ctx context.Context, dir string, w Watching) error {
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = s.outside(dir)
	}
	if err != nil {
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	changes, err := watchFolder(dir)
	if err != nil {
		return err
	}
	defer changes.close()
	if w.Settle <= 0 {
		w.Settle = 2 * time.Second
	}
	look := looker{spool: s, dir: dir, Watching: w, seen: map[string]sight{}}
	tick := time.NewTicker(max(w.Settle/2, 10*time.Millisecond))
	defer tick.Stop()
	for {
		if err := look.once(ctx, time.Now()); err != nil {
			return fmt.Errorf("watch %s: %w", dir, err)
		}
		// Folders inside tell nothing: they are looked at with each tick.
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changes.changes:
		case <-tick.C:
		}
	}
}

// outside refuses a folder that holds the spool, or is in it: it would spool itself.
func (s *Spool) outside(dir string) error {
	for _, pair := range [][2]string{{dir, s.dir}, {s.dir, dir}} {
		rel, err := filepath.Rel(pair[0], pair[1])
		if err == nil && filepath.IsLocal(rel) {
			return fmt.Errorf("%w: the spool %s must be elsewhere", shoal.ErrInvalid, s.dir)
		}
	}
	return nil
}

// sight is how something in the folder looked, and since when.
type sight struct {
	print string
	since time.Time
	past  bool // it is spooled, or cannot be
}

// looker remembers what it saw of a folder.
type looker struct {
	Watching
	spool *Spool
	dir   string
	seen  map[string]sight
}

// once looks at the folder, and spools what has settled.
func (l *looker) once(ctx context.Context, now time.Time) error {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || !e.IsDir() && !e.Type().IsRegular() {
			continue
		}
		there[name] = true
		path := filepath.Join(l.dir, name)
		print, size, err := upload.Fingerprint(ctx, path)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s := l.seen[name]
		switch {
		case err != nil: // it is being changed; look again
			delete(l.seen, name)
		case s.print != print:
			l.seen[name] = sight{print: print, since: now}
		case !s.past && now.Sub(s.since) >= l.Settle && (size > 0 || !e.IsDir()):
			s.past = true
			l.seen[name] = s
			if err := l.spoolOnce(ctx, path, print); err != nil && ctx.Err() == nil && l.Failed != nil {
				l.Failed(path, err)
			}
		}
	}
	for name := range l.seen {
		if !there[name] {
			delete(l.seen, name)
		}
	}
	return nil
}

// spoolOnce spools what is at path, unless it was spooled before.
func (l *looker) spoolOnce(ctx context.Context, path, print string) error {
	items, _, err := l.spool.List()
	if err != nil || Has(items, path, print) {
		return err
	}
	n := l.New
	n.Path = path
	it, err := l.spool.Add(ctx, n)
	if err == nil && l.Added != nil {
		l.Added(it)
	}
	return err
}
