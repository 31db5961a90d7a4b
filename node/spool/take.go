package spool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/shoal-cdn/shoal"
)

// taker brings a file, or a folder's files, into a spool.
type taker struct {
	spool  *Spool
	from   string // absolute, not a symlink
	to     string // below the spool
	copied bool   // never link
}

// all takes everything in and returns how: by the weakest of the ways that were
// needed. It is durable then. Symlinks and special files are refused.
func (t taker) all(ctx context.Context) (Data, error) {
	how := Cloned
	files := 0
	folders := []string{filepath.Dir(t.to)}
	err := filepath.WalkDir(t.from, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		rel, err := filepath.Rel(t.from, path)
		if err != nil {
			return err
		}
		to := filepath.Join(t.to, rel)
		switch {
		case d.IsDir():
			folders = append(folders, to)
			return t.spool.root.Mkdir(to, 0o700)
		case !d.Type().IsRegular():
			return fmt.Errorf("%w: %q is neither a file nor a folder", shoal.ErrInvalid, rel)
		}
		if files++; files > shoal.MaxPieces {
			return fmt.Errorf("%w: more than %d files", shoal.ErrInvalid, shoal.MaxPieces)
		}
		way, err := t.file(path, to)
		if way == Copied || way == Linked && how == Cloned {
			how = way
		}
		if err != nil {
			return err
		}
		return t.spool.sync(to) // what is linked too: its writer may not have done so
	})
	for _, folder := range folders {
		if err == nil {
			err = t.spool.sync(folder)
		}
	}
	return how, err
}

// file takes one file in.
func (t taker) file(from, to string) (Data, error) {
	if err := t.write(from, to, reflink); err == nil {
		return Cloned, nil
	}
	if !t.copied {
		if err := os.Link(from, filepath.Join(t.spool.dir, to)); err == nil {
			return Linked, nil
		}
	}
	return Copied, t.write(from, to, func(w, r *os.File) error {
		_, err := io.Copy(w, r)
		return err
	})
}

// write makes a file by fill, with the time and the modes of another.
func (t taker) write(from, to string, fill func(w, r *os.File) error) error {
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	info, err := r.Stat()
	if err != nil {
		return err
	}
	w, err := t.spool.root.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm()|0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(fill(w, r), w.Close()); err != nil {
		return errors.Join(err, t.spool.root.Remove(to))
	}
	return t.spool.root.Chtimes(to, info.ModTime(), info.ModTime())
}

// same reports whether an item is for the target and distribution of n: the
// same task must not stand for two descriptions.
func same(it Item, n New) bool {
	a, err1 := json.Marshal([]any{it.Target, it.Distribute})
	b, err2 := json.Marshal([]any{n.Target, n.Distribute})
	return err1 == nil && err2 == nil && bytes.Equal(a, b)
}
