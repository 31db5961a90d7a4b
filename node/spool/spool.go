package spool

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/shoal-cdn/shoal"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// What the names of an item's files end with.
const (
	recordSuffix  = ".json"
	torrentSuffix = ".torrent"
	dataSuffix    = ".data"
	cancelSuffix  = ".cancel"
	lockSuffix    = ".lock"
	newSuffix     = ".new" // what a crash may leave of a write
	runnerLock    = "runner.lock"
)

// Spool is a folder of uploads. It is safe for concurrent use, also by several
// processes.
type Spool struct {
	root *os.Root
	dir  string // absolute
}

// Open opens a spool, and makes the folder where it is missing. The caller
// closes it.
func Open(dir string) (*Spool, error) {
	abs, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(abs, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	return &Spool{root: root, dir: abs}, nil
}

// Close lets go of the folder.
func (s *Spool) Close() error { return s.root.Close() }

// Dir is the folder's absolute path.
func (s *Spool) Dir() string { return s.dir }

// List returns the items, the oldest first. Records that cannot be read are
// left out; damaged has an error for each.
func (s *Spool) List() (items []Item, damaged []error, err error) {
	entries, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return nil, nil, fmt.Errorf("list spool %s: %w", s.dir, err)
	}
	for _, e := range entries {
		task, ok := strings.CutSuffix(e.Name(), recordSuffix)
		if !ok || tapi.CheckTaskID(task) != nil {
			continue
		}
		it, err := s.Item(task)
		switch {
		case errors.Is(err, shoal.ErrNotFound): // it was removed meanwhile
		case err != nil:
			damaged = append(damaged, err)
		default:
			items = append(items, it)
		}
	}
	slices.SortFunc(items, func(a, b Item) int { return cmp.Or(a.Added.Compare(b.Added), cmp.Compare(a.Task, b.Task)) })
	return items, damaged, nil
}

// Item returns one item: [shoal.ErrNotFound] where there is none,
// [shoal.ErrCorrupt] where its record is not one.
func (s *Spool) Item(task string) (Item, error) {
	if err := tapi.CheckTaskID(task); err != nil {
		return Item{}, err
	}
	b, err := s.readFile(task+recordSuffix, maxRecord)
	if err != nil {
		return Item{}, fmt.Errorf("item %s of spool %s: %w", task, s.dir, err)
	}
	return decodeItem(task, b)
}

// manifest is that of an item; nil where it is not known yet, or where the file
// does not say what the record does.
func (s *Spool) manifest(it Item) *shoal.Manifest {
	b, err := s.readFile(it.Task+torrentSuffix, shoal.MaxTorrentSize)
	if err != nil {
		return nil
	}
	m, err := shoal.DecodeManifest(b)
	if err != nil || m.ID().String() != it.Content || m.Name() != it.Name || m.Size() != it.Size {
		return nil
	}
	return m
}

// path is where an item's data is.
func (s *Spool) path(it Item) string {
	if it.Data == InPlace {
		return it.Source
	}
	return filepath.Join(s.dir, it.Task+dataSuffix, it.Name)
}

// put writes a record, durably.
func (s *Spool) put(it Item) error {
	it.Changed = time.Now().UTC()
	it.Error = clip(it.Error)
	b, err := json.Marshal(it)
	if err == nil && len(b) > maxRecord {
		err = fmt.Errorf("%w: more than %d bytes", shoal.ErrInvalid, maxRecord)
	}
	if err == nil {
		err = s.writeFile(it.Task+recordSuffix, b)
	}
	if err != nil {
		return fmt.Errorf("write item %s of spool %s: %w", it.Task, s.dir, err)
	}
	return nil
}

// Remove takes an item and its data out of the spool. The record goes first:
// what else a crash leaves is swept up later.
func (s *Spool) Remove(task string) error {
	if err := tapi.CheckTaskID(task); err != nil {
		return err
	}
	var errs []error
	for _, suffix := range []string{recordSuffix, torrentSuffix, cancelSuffix, dataSuffix, lockSuffix} {
		errs = append(errs, s.root.RemoveAll(task+suffix))
	}
	if err := errors.Join(append(errs, s.sync("."))...); err != nil {
		return fmt.Errorf("remove item %s of spool %s: %w", task, s.dir, err)
	}
	return nil
}

// dropData gives up the data of an item that is done.
func (s *Spool) dropData(it Item) error {
	return errors.Join(s.root.RemoveAll(it.Task+dataSuffix), s.root.RemoveAll(it.Task+torrentSuffix))
}

// Cancel orders an item to be given up: at once where nobody works on it, else
// whoever does finds the order within a second or so. forget deletes what servers
// have of it and may be nil; its error does not keep the item.
func (s *Spool) Cancel(ctx context.Context, task string, forget func(context.Context, Item) error) error {
	it, err := s.Item(task)
	if err != nil && !errors.Is(err, shoal.ErrCorrupt) {
		return err
	}
	if err := s.writeFile(task+cancelSuffix, nil); err != nil {
		return fmt.Errorf("cancel item %s of spool %s: %w", task, s.dir, err)
	}
	unlock, lockErr := s.lock(task + lockSuffix)
	if lockErr != nil {
		return nil // whoever has it finds the order
	}
	defer unlock()
	var forgot error
	if err == nil && forget != nil && it.State != Done {
		forgot = forget(ctx, it)
	}
	return errors.Join(s.Remove(task), forgot)
}

// cancelled reports whether an item is to be given up.
func (s *Spool) cancelled(task string) bool {
	_, err := s.root.Lstat(task + cancelSuffix)
	return err == nil
}

func (s *Spool) readFile(name string, most int64) ([]byte, error) {
	f, err := s.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", shoal.ErrNotFound, err)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s: %w: more than %d bytes", name, shoal.ErrCorrupt, most)
	}
	return b, err
}
