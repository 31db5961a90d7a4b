package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/durable"
)

const (
	suffix    = ".json"
	temporary = ".new"     // what a crash may leave of an unfinished Put
	damaged   = ".damaged" // a record that could not be read, kept for a person
	maxKey    = 128
	maxRecord = 1 << 20 // bytes
)

// Journal is a folder of records of type T. It is safe for concurrent use.
// Two Journals must not share a folder.
type Journal[T any] struct {
	root *os.Root
	log  *slog.Logger

	mu sync.Mutex // held while a record is written or deleted
}

// Open makes the folder dir where it is missing.
func Open[T any](dir string, log *slog.Logger) (*Journal[T], error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return &Journal[T]{root: root, log: log}, nil
}

// Close lets go of the folder.
func (j *Journal[T]) Close() error { return j.root.Close() }

// Load reads all records. One that cannot be decoded is set aside under
// another name and logged: a damaged record must not keep a node from
// starting. Load is meant for the start, before the first Put.
func (j *Journal[T]) Load() (map[string]T, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	entries, err := fs.ReadDir(j.root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("load journal %s: %w", j.root.Name(), err)
	}
	records := make(map[string]T)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), temporary) {
			_ = j.root.Remove(e.Name()) // if it stays, the next Put overwrites it
			continue
		}
		key, ok := strings.CutSuffix(e.Name(), suffix)
		if !ok || checkKey(key) != nil {
			continue
		}
		v, err := j.read(e.Name())
		switch {
		case err == nil:
			records[key] = v
		case errors.Is(err, shoal.ErrCorrupt):
			j.log.Error("set aside a damaged record", "journal", j.root.Name(), "record", e.Name(), "err", err)
			if err := j.root.Rename(e.Name(), e.Name()+damaged); err != nil {
				return nil, fmt.Errorf("load journal %s: %w", j.root.Name(), err)
			}
		default:
			return nil, fmt.Errorf("load journal %s: %s: %w", j.root.Name(), e.Name(), err)
		}
	}
	return records, nil
}

func (j *Journal[T]) read(name string) (v T, err error) {
	f, err := j.root.Open(name)
	if err != nil {
		return v, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxRecord+1))
	if err != nil {
		return v, err
	}
	if len(b) > maxRecord {
		return v, fmt.Errorf("%w: more than %d bytes", shoal.ErrCorrupt, maxRecord)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, fmt.Errorf("%w: %v", shoal.ErrCorrupt, err)
	}
	return v, nil
}

// Put stores v under key, replacing what was there. A key has 1 to 128
// characters of A–Z, a–z, 0–9, ".", "-" and "_"; any other is [shoal.ErrInvalid].
func (j *Journal[T]) Put(key string, v T) error {
	if err := checkKey(key); err != nil {
		return err
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("journal record %s: %w", key, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := durable.Replace(j.root, key+suffix, key+suffix+temporary, b, 0o600); err != nil {
		return fmt.Errorf("write journal record %s: %w", key, err)
	}
	return nil
}

// Delete removes the record, durably; one that is not there is no error.
func (j *Journal[T]) Delete(key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	err := j.root.Remove(key + suffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = durable.Sync(j.root, ".")
	}
	if err != nil {
		return fmt.Errorf("delete journal record %s: %w", key, err)
	}
	return nil
}

// checkKey keeps keys, which other machines choose, to what is a file name
// everywhere.
func checkKey(key string) error {
	if key == "" || len(key) > maxKey {
		return fmt.Errorf("journal key: %w: want 1 to %d characters", shoal.ErrInvalid, maxKey)
	}
	for _, r := range key {
		if (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '.' && r != '-' && r != '_' {
			return fmt.Errorf("journal key %q: %w: unexpected character %q", key, shoal.ErrInvalid, r)
		}
	}
	return nil
}
