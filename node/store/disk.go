package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/durable"
)

// Disk is a [Store] in a folder; see the package comment for its layout.
type Disk struct {
	cfg     Config
	abs     string // Config.Root, absolute
	root    *os.Root
	lock    *os.File
	files   *openCache[int, *dataFile]   // of contents, by their index in the manifest
	folders *openCache[string, *os.Root] // of contents, by their path in the place

	ctx  context.Context // done once the store is closed; ends verification
	stop context.CancelFunc

	hashed func(*content) // called after each piece that verify has hashed, one call at a time; nil but in tests

	moving sync.Mutex // over renames into the files folder, and over removing empty folders there

	mu      sync.Mutex                 // never held over I/O
	known   map[shoal.ContentID]string // contents there are records of, with dest; "" is in place or unreadable
	entries map[shoal.ContentID]*entry // contents open or being worked on
}

var _ Store = (*Disk)(nil)

// entry serialises what opens, closes and removes one content.
type entry struct {
	users int // goroutines at it; guarded by Disk.mu

	mu      sync.Mutex
	c       *content // nil while not open
	handles int      // on c
}

// OpenDisk opens the store in cfg.Root, which no other process may have open:
// ErrConflict. It reads the records of all contents, but no data.
func OpenDisk(cfg Config) (*Disk, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(cfg.Root)
	if err == nil {
		err = os.MkdirAll(abs, 0o755)
	}
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	d := &Disk{
		cfg: cfg, abs: abs, root: root,
		files:   newOpenCache(cfg.OpenFiles, (*content).openFile),
		folders: newOpenCache(max(1, cfg.OpenFiles/2), (*content).openFolder),
		known:   map[shoal.ContentID]string{}, entries: map[shoal.ContentID]*entry{},
	}
	d.ctx, d.stop = context.WithCancel(context.Background())
	if err := d.start(); err != nil {
		d.stop()
		d.closeFiles()
		return nil, fmt.Errorf("open store %q: %w", abs, err)
	}
	return d, nil
}

func (d *Disk) start() error {
	err := errors.Join(
		d.root.MkdirAll(d.cfg.State, 0o700),
		d.root.MkdirAll(d.cfg.Partial, 0o700),
		d.root.MkdirAll(d.cfg.Files, 0o755),
	)
	if err != nil {
		return err
	}
	d.lock, err = d.root.OpenFile(path.Join(d.cfg.State, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := lock(d.lock); err != nil {
		return fmt.Errorf("%w: in use by another process: %w", shoal.ErrConflict, err)
	}
	return errors.Join(d.scanState(), durable.Sync(d.root, "."))
}

// List implements [Store].
func (d *Disk) List() ([]shoal.ContentID, error) {
	if d.ctx.Err() != nil {
		return nil, os.ErrClosed
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.SortedFunc(maps.Keys(d.known), func(a, b shoal.ContentID) int { return bytes.Compare(a[:], b[:]) }), nil
}

// Close implements [Store].
func (d *Disk) Close() error {
	d.stop()
	d.mu.Lock()
	open := maps.Clone(d.entries)
	d.mu.Unlock()
	var errs []error
	for _, e := range open {
		e.mu.Lock()
		if e.c != nil {
			errs = append(errs, e.c.shut(os.ErrClosed))
			e.c = nil
		}
		e.mu.Unlock()
	}
	d.closeFiles()
	return errors.Join(errs...)
}

func (d *Disk) closeFiles() {
	if d.lock != nil {
		d.lock.Close()
	}
	d.root.Close()
}

// with runs fn as the only one at a content's entry.
func (d *Disk) with(id shoal.ContentID, fn func(e *entry) error) error {
	d.mu.Lock()
	e := d.entries[id]
	if e == nil {
		e = &entry{}
		d.entries[id] = e
	}
	e.users++
	d.mu.Unlock()

	err := func() error {
		e.mu.Lock()
		defer e.mu.Unlock()
		if d.ctx.Err() != nil {
			return os.ErrClosed
		}
		if err := fn(e); !errors.Is(err, context.Canceled) {
			return err
		}
		return os.ErrClosed // only closing the store cancels what fn does
	}()

	d.mu.Lock()
	defer d.mu.Unlock()
	if e.users--; e.users == 0 && e.c == nil {
		delete(d.entries, id)
	}
	return err
}

// handle is what one caller gets of a content.
type handle struct {
	*content
	once sync.Once
	err  error
}

// handle returns a new handle on the entry's content, which is open.
func (e *entry) handle() Content {
	e.handles++
	return &handle{content: e.c}
}

// Close implements [Content].
func (h *handle) Close() error {
	h.once.Do(func() { h.err = h.d.release(h.content) })
	return h.err
}

// release gives up one handle on c and shuts it after the last.
func (d *Disk) release(c *content) error {
	err := d.with(c.id, func(e *entry) error {
		if e.c != c {
			return nil // deleted meanwhile
		}
		if e.handles--; e.handles > 0 {
			return c.Sync()
		}
		e.c = nil
		return c.shut(os.ErrClosed)
	})
	if d.ctx.Err() != nil && errors.Is(err, os.ErrClosed) {
		return nil // the store's Close has done it
	}
	return err
}
