package uploads

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// Config says where a store is and what it may take.
type Config struct {
	Dir    string // is created where missing; other processes may use it too
	Limits Limits

	// Session names this process: no two that use Dir may have the same, ever. "" takes a random one.
	Session string

	// Space is how many bytes can be written to Dir; nil: not known, and not looked at.
	Space func() (free int64, known bool)

	// Log takes what no caller is there to be told; nil discards it.
	Log *slog.Logger
}

// openFiles is how many data files are kept open.
const openFiles = 256

// Store is a folder of uploads. It is safe for concurrent use.
type Store struct {
	cfg   Config
	abs   string
	root  *os.Root
	files *files
	space space

	ctx     context.Context // ends with the store
	stop    context.CancelCauseFunc
	working sync.WaitGroup // commits
	hashing chan struct{}  // a place for each completion that reads data

	opening sync.Mutex // over opening and ending uploads; taken before mu

	mu   sync.Mutex
	open map[string]*Upload
}

// maxHashing is how many completions read their data at a time: more would only slow each other, and what is served.
const maxHashing = 2

// Open opens the store in a folder.
func Open(cfg Config) (*Store, error) {
	if cfg.Session == "" {
		cfg.Session = strings.ToLower(rand.Text())
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Limits.Idle <= 0 {
		cfg.Limits.Idle = defaultIdle
	}
	abs, err := filepath.Abs(cfg.Dir)
	if err == nil {
		err = os.MkdirAll(abs, 0o755)
	}
	if err != nil {
		return nil, fmt.Errorf("upload store: %w", err)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, fmt.Errorf("upload store: %w", err)
	}
	s := &Store{
		cfg: cfg, abs: abs, root: root, files: newFiles(openFiles), space: space{ask: cfg.Space}, open: make(map[string]*Upload),
		hashing: make(chan struct{}, maxHashing),
	}
	s.ctx, s.stop = context.WithCancelCause(context.Background())
	return s, nil
}

// Create begins an upload, or finds the one that is there by the same description; created tells
// which. [shoal.ErrInvalid] where there can be no such upload, [shoal.ErrConflict]
// where the task has another description, and the errors of the limits.
func (s *Store) Create(d *api.Description) (u *Upload, created bool, err error) {
	rec, m, err := plan(d)
	if err != nil {
		return nil, false, err
	}
	if u, err = s.find(rec); !errors.Is(err, shoal.ErrNotFound) {
		return u, false, err
	}
	if err := s.admit(rec.Size); err != nil {
		return nil, false, fmt.Errorf("upload %s: %w", rec.Task, err)
	}
	if created, err = s.begin(rec, m); err != nil {
		return nil, false, fmt.Errorf("upload %s: %w", rec.Task, room(err))
	}
	if u, err = s.find(rec); err != nil {
		return nil, false, err
	}
	return u, created, nil
}

// find returns the upload with that record.
func (s *Store) find(rec record) (*Upload, error) {
	u, err := s.Get(rec.Task)
	if err != nil {
		return nil, err
	}
	same, err := u.same(rec)
	if err == nil && !same {
		err = fmt.Errorf("upload %s: %w: the task has another description; has the file changed?", rec.Task, shoal.ErrConflict)
	}
	if err != nil {
		return nil, err
	}
	return u, nil
}

// begin makes an upload's folder. Of several that try one makes the description, which
// comes last.
func (s *Store) begin(rec record, m *shoal.Manifest) (created bool, err error) {
	rec.Created = time.Now().UTC()
	b, err := json.Marshal(rec)
	if err != nil {
		return false, err
	}
	if err := s.root.Mkdir(rec.Task, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	root, err := s.root.OpenRoot(rec.Task)
	if err != nil {
		return false, err
	}
	defer root.Close()
	if m != nil {
		if err := replaceFile(root, torrentName(m.ID()), m.Torrent()); err != nil {
			return false, err
		}
	}
	err = createFile(root, descriptionFile, b)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	return err == nil, errors.Join(err, syncDir(s.root, "."))
}

// refreshAge is for which what is known of other processes is good for [Store.Recent].
const refreshAge = time.Second

// Recent is Get without looking at the disk where that was done a moment ago.
func (s *Store) Recent(task string) (*Upload, error) {
	s.mu.Lock()
	u := s.open[task]
	s.mu.Unlock()
	if u != nil && time.Since(time.Unix(0, u.refreshed.Load())) < refreshAge {
		return u, nil
	}
	return s.Get(task)
}

// Get returns an upload as it is now, whoever has changed it: [shoal.ErrNotFound] where there is none.
func (s *Store) Get(task string) (*Upload, error) {
	if err := tapi.CheckTaskID(task); err != nil {
		return nil, err
	}
	s.opening.Lock()
	defer s.opening.Unlock()
	if s.ctx.Err() != nil {
		return nil, os.ErrClosed
	}
	s.mu.Lock()
	u := s.open[task]
	s.mu.Unlock()
	if u != nil {
		now, err := s.root.Stat(filepath.Join(task, descriptionFile))
		switch {
		case err == nil && os.SameFile(now, u.self):
			return u, u.Refresh()
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			// It may well be there, and what it has of its own log cannot be read back.
			return nil, fmt.Errorf("upload %s: %w", task, err)
		}
		s.drop(u)
	}
	u, err := s.load(task)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[task] = u
	return u, nil
}

func (s *Store) load(task string) (*Upload, error) {
	u, err := s.openUpload(task)
	if err != nil && !errors.Is(err, shoal.ErrNotFound) {
		return nil, fmt.Errorf("upload %s: %w", task, err)
	}
	return u, err
}

// drop lets go of an upload that is not there any more. The caller holds opening.
func (s *Store) drop(u *Upload) {
	s.mu.Lock()
	delete(s.open, u.rec.Task)
	s.mu.Unlock()
	u.end(s.ctx, fmt.Errorf("upload %s: %w: it was deleted", u.rec.Task, shoal.ErrNotFound))
}

// List returns all uploads, newest first. Those that cannot be read are left out.
func (s *Store) List() ([]*Upload, error) {
	all, err := names(s.root)
	if err != nil {
		return nil, fmt.Errorf("upload store: %w", err)
	}
	var list []*Upload
	for _, name := range all {
		if tapi.CheckTaskID(name) != nil {
			continue
		}
		u, err := s.Get(name)
		if err == nil {
			list = append(list, u)
		} else if !errors.Is(err, shoal.ErrNotFound) {
			s.cfg.Log.Warn("unreadable upload", "err", err)
		}
	}
	slices.SortFunc(list, func(a, b *Upload) int {
		if c := b.rec.Created.Compare(a.rec.Created); c != 0 {
			return c
		}
		return strings.Compare(a.rec.Task, b.rec.Task)
	})
	return list, nil
}

// Delete deletes an upload with its data: [shoal.ErrNotFound] where there is none.
func (s *Store) Delete(task string) error {
	if err := tapi.CheckTaskID(task); err != nil {
		return err
	}
	s.opening.Lock()
	defer s.opening.Unlock()
	s.mu.Lock()
	u := s.open[task]
	s.mu.Unlock()
	if u != nil {
		s.drop(u)
	}
	away := gonePrefix + rand.Text()
	if err := s.root.Rename(task, away); err != nil {
		return gone(task, err)
	}
	if err := errors.Join(syncDir(s.root, "."), s.root.RemoveAll(away)); err != nil {
		return fmt.Errorf("delete upload %s: %w", task, err)
	}
	return nil
}

// gonePrefix is of folders that are being deleted.
const gonePrefix = ".gone-"

// Close makes what was written durable and lets go of everything.
func (s *Store) Close() error {
	s.opening.Lock()
	defer s.opening.Unlock()
	s.mu.Lock()
	open := s.open
	s.open = make(map[string]*Upload)
	s.mu.Unlock()
	for _, u := range open {
		u.end(s.ctx, os.ErrClosed)
	}
	s.stop(os.ErrClosed)
	s.working.Wait()
	s.files.forgetAll(nil)
	return s.root.Close()
}
