package uploads

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
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

const (
	openFiles = 256 // data files that are kept open
	openRoots = 128 // folders of uploads that are kept open
)

// Store is a folder of uploads. It is safe for concurrent use.
type Store struct {
	cfg   Config
	abs   string
	root  *os.Root
	files *handles[fileKey, *os.File]
	roots *handles[*Upload, *os.Root]
	space space

	ctx     context.Context // ends with the store
	stop    context.CancelCauseFunc
	working sync.WaitGroup // commits
	hashing chan struct{}  // a place for each completion that reads data

	opening sync.Mutex // over opening and ending uploads; taken before mu

	admitting sync.Mutex // held while what there is is counted

	mu    sync.Mutex
	open  map[string]*Upload
	known map[string]known // complete uploads that were counted
}

// fileKey is one data file of an upload.
type fileKey struct {
	of   *Upload
	file int
}

func (k fileKey) open() (*os.File, error) { return k.of.openData(k.file) }

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
		cfg: cfg, abs: abs, root: root, space: space{ask: cfg.Space}, open: make(map[string]*Upload), known: make(map[string]known),
		files:   newHandles(openFiles, fileKey.open),
		roots:   newHandles(openRoots, (*Upload).openFolder),
		hashing: make(chan struct{}, maxHashing),
	}
	s.ctx, s.stop = context.WithCancelCause(context.Background())
	return s, nil
}

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
	s.files.forgetIf(func(fileKey) bool { return true })
	s.roots.forgetIf(func(*Upload) bool { return true })
	return s.root.Close()
}
