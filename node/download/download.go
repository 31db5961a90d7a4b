package download

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/journal"
)

const (
	partsDir = "parts"
	partExt  = ".part"

	// keepParts is for how long an unfinished download waits to be continued.
	keepParts = 7 * 24 * time.Hour
)

// Config says where a [Folder] is and how it works.
type Config struct {
	Dir    string       // the folder, made where missing; nobody else may use it. Required
	Client *http.Client // required; its timeout, if it has one, is not used
	Max    int64        // the most bytes of a file; required

	// Limiter is waited for with every byte; it must let [BufferSize] bytes
	// pass at once. nil: none.
	Limiter *rate.Limiter

	Log *slog.Logger // nil discards
}

// Progress is how far a fetch is.
type Progress struct {
	Done, Total int64  // bytes; Total is -1 while it is not known
	Note        string // what holds it up; "" while bytes arrive
}

// Folder has the files that were fetched and those that are being fetched. It
// is safe for concurrent use.
type Folder struct {
	cfg    Config
	client *http.Client
	root   *os.Root
	states *journal.Journal[state]

	mu      sync.Mutex // held over the removal of files, which must not be of those in use
	parts   map[string]state
	busy    map[string]bool // keys of the parts at which somebody is at work
	keeping map[shoal.ContentID]int
}

// state is what is kept of a part over a restart.
type state struct {
	URL       string `json:"url"`
	Validator string `json:"validator,omitempty"` // for If-Range; "": the part cannot be continued
	Total     int64  `json:"total"`               // bytes; -1: not known
	Durable   int64  `json:"durable"`             // so many of the part's first bytes are safe from a power cut
}

// Open opens the folder.
func Open(cfg Config) (*Folder, error) {
	f, err := open(cfg)
	if err != nil {
		return nil, fmt.Errorf("open downloads: %w", err)
	}
	return f, nil
}

func open(cfg Config) (*Folder, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(cfg.Dir)
	if err != nil {
		return nil, err
	}
	f := &Folder{
		cfg: cfg, client: bounded(cfg.Client), root: root,
		busy: make(map[string]bool), keeping: make(map[shoal.ContentID]int),
	}
	if err := f.load(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *Folder) load() (err error) {
	if f.states, err = journal.Open[state](path.Join(f.cfg.Dir, partsDir), f.cfg.Log); err != nil {
		return err
	}
	if f.parts, err = f.states.Load(); err != nil {
		return err
	}
	entries, err := fs.ReadDir(f.root.FS(), partsDir)
	if err != nil {
		return err
	}
	for _, e := range entries { // what nothing is known of cannot be continued
		if key, ok := strings.CutSuffix(e.Name(), partExt); ok && f.parts[key].Durable == 0 {
			if err := f.root.Remove(path.Join(partsDir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close lets go of the folder. Nothing may be going on in it any more.
func (f *Folder) Close() error {
	err := f.root.Close()
	if f.states != nil {
		err = errors.Join(err, f.states.Close())
	}
	return err
}

// Fetch brings the file at rawURL, which the content's manifest will call name.
// Unless it is nil, progress is called from the calling goroutine, about ten
// times a second. The caller must close the File.
//
// A fetch that was cut off by ctx, or that gave up for now, can be continued by
// another one of the same URL. The error is of kind [shoal.ErrInvalid] where
// the URL, the name or what the server sends can never be accepted,
// [shoal.ErrNotFound] where the server says so, [shoal.ErrConflict] where the
// URL is being fetched already, else [shoal.ErrUnavailable].
func (f *Folder) Fetch(ctx context.Context, rawURL, name string, progress func(Progress)) (*File, error) {
	if err := shoal.CheckWebSeed(rawURL); err != nil {
		return nil, err
	}
	hash, err := shoal.NewFileHasher(name)
	if err != nil {
		return nil, fmt.Errorf("download as %q: %w", name, err)
	}
	file, err := f.fetch(ctx, rawURL, name, hash, progress)
	if err != nil {
		return nil, fmt.Errorf("download: %w", err)
	}
	return file, nil
}

func (f *Folder) fetch(ctx context.Context, rawURL, name string, hash *shoal.FileHasher, progress func(Progress)) (_ *File, err error) {
	key := keyOf(rawURL)
	if !f.take(key) {
		return nil, fmt.Errorf("%w: this URL is being fetched already", shoal.ErrConflict)
	}
	defer func() {
		if err != nil {
			f.leave(key)
		}
	}()
	p, err := f.openPart(key, rawURL, hash)
	if err != nil {
		return nil, err
	}
	t := &transfer{part: p, client: f.client, limiter: f.cfg.Limiter, most: f.cfg.Max, log: f.cfg.Log, tell: teller(progress)}
	if err := t.run(ctx); err != nil {
		return nil, errors.Join(err, p.leave(isFinal(err)))
	}
	m, err := hash.Manifest()
	if err != nil {
		return nil, errors.Join(err, p.leave(true))
	}
	return &File{folder: f, part: p, name: name, manifest: m, ranges: t.ranges}, nil
}

func (f *Folder) take(key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy[key] {
		return false
	}
	f.busy[key] = true
	return true
}

func (f *Folder) leave(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.busy, key)
}

// keyOf is a file name for a URL.
func keyOf(rawURL string) string {
	sum := sha256.Sum256([]byte(rawURL))
	return hex.EncodeToString(sum[:16])
}

// place is where a URL leads, without what may be a secret: the query of a
// presigned URL.
func place(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return ""
	}
	u.RawQuery, u.User = "", nil
	return u.String()
}
