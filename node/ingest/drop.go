package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/shoal-cdn/shoal"
)

// Drop is a folder in which FILE, a file or a folder, is seeded in place and distributed once a
// task file is beside it, FILE.task.json or FILE.task.yaml, that has the fields of a task
// but its content (M10). Neither is touched before both have stayed as they are from one look to the
// next. What became of it is written beside it: FILE.done.json, or FILE.error with one line
// that says what is wrong; after a change of FILE or its task file it is tried again.
type Drop struct {
	Dir string // absolute
	// Seed seeds what is at a path, which stays there.
	Seed func(ctx context.Context, path string) (shoal.ContentID, error)

	seen map[string]state // by FILE, as of the last look
}

// state is what is compared from one look to the next.
type state struct {
	size, files int64
	newest      time.Time
}

const (
	lookEvery  = 2 * time.Second
	doneSuffix = ".done.json"
	failSuffix = ".error"
)

var taskSuffixes = []string{".task.json", ".task.yaml", ".task.yml"}

// run looks at the folder until ctx ends.
func (d *Drop) run(ctx context.Context, s *Service) {
	d.seen = make(map[string]state)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := d.look(ctx, s); err != nil && ctx.Err() == nil {
			s.log.Warn("could not look at the drop folder", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look takes what is ready.
func (d *Drop) look(ctx context.Context, s *Service) error {
	root, err := os.OpenRoot(d.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	seen := make(map[string]state)
	for _, e := range entries {
		name, ok := cutTask(e.Name())
		if !ok || ctx.Err() != nil {
			continue
		}
		now, err := d.state(root, name, e.Name())
		if errors.Is(err, fs.ErrNotExist) || err == nil && d.settled(root, name, now) {
			continue
		}
		before, known := d.seen[name]
		seen[name] = now
		if err == nil && (!known || before != now) {
			continue
		}
		if err == nil {
			err = d.take(ctx, s, root, name, e.Name())
		}
		if err == nil {
			continue
		}
		if ctx.Err() != nil || errors.Is(err, shoal.ErrUnavailable) {
			s.log.Warn("a dropped file has to wait", "file", name, "err", err)
			continue
		}
		s.log.Warn("a dropped file is not distributed", "file", name, "err", err)
		if err := writeBeside(root, name+failSuffix, []byte(err.Error()+"\n")); err != nil {
			return err
		}
	}
	d.seen = seen
	return nil
}

// cutTask is the name of what a task file is for.
func cutTask(name string) (string, bool) {
	for _, suffix := range taskSuffixes {
		if base, ok := strings.CutSuffix(name, suffix); ok && base != "" {
			return base, true
		}
	}
	return "", false
}

// state looks at a file or folder and at its task file.
func (d *Drop) state(root *os.Root, name, task string) (st state, err error) {
	add := func(info fs.FileInfo) {
		st.size += info.Size()
		st.files++
		if info.ModTime().After(st.newest) {
			st.newest = info.ModTime()
		}
	}
	info, err := root.Lstat(task)
	if err != nil {
		return st, err
	}
	add(info)
	err = fs.WalkDir(root.FS(), name, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil {
			add(info)
		}
		return err
	})
	return st, err
}

// take seeds and distributes a file.
func (d *Drop) take(ctx context.Context, s *Service, root *os.Root, name, taskName string) error {
	task, err := readTask(root, taskName)
	if err != nil {
		return fmt.Errorf("%s: %w", taskName, err)
	}
	if task.Content, err = d.Seed(ctx, filepath.Join(d.Dir, name)); err != nil {
		return err
	}
	if task.ID == "" { // the same at each try
		b, err := json.Marshal(task)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(append(b, name...))
		task.ID = "drop-" + hex.EncodeToString(sum[:8])
	}
	if s.cfg.Announce != nil {
		if err := s.cfg.Announce(ctx); err != nil {
			return err
		}
	}
	if err := distribute(ctx, s.cfg.Tracker, task, s.cfg.Name); err != nil {
		return fmt.Errorf("distribute: %w", err)
	}
	b, err := json.Marshal(outcome{Content: task.Content, Task: task.ID, At: time.Now().UTC()})
	if err != nil {
		return err
	}
	s.log.Info("dropped file distributed", "file", name, "content", task.Content, "task", task.ID)
	return writeBeside(root, name+doneSuffix, append(b, '\n'))
}
