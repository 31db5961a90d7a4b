package download

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/shoal-cdn/shoal"
)

// File is a complete file. Its methods are for one goroutine.
type File struct {
	folder   *Folder
	part     *part
	name     string
	manifest *shoal.Manifest
	ranges   bool
	kept     bool
	closed   bool
}

// Manifest describes the file.
func (f *File) Manifest() *shoal.Manifest { return f.manifest }

// Ranges reports whether the server serves parts of the file, as a web seed has to.
func (f *File) Ranges() bool { return f.ranges }

// Keep moves the file to where it stays, until [Folder.Sweep] finds that its
// content is not used, and returns its absolute path. One that was kept before,
// with the same bytes, is replaced. It is called once.
func (f *File) Keep() (string, error) {
	id := f.manifest.ID()
	f.folder.mu.Lock()
	f.folder.keeping[id]++ // before the file is there for Sweep to find
	f.folder.mu.Unlock()
	f.kept = true
	to := path.Join(id.String(), f.name)
	if err := f.part.publish(id.String(), to); err != nil {
		return "", fmt.Errorf("keep the download: %w", err)
	}
	return filepath.Join(f.folder.cfg.Dir, filepath.FromSlash(to)), nil
}

// Discard removes what was kept.
func (f *File) Discard() error { return f.folder.root.RemoveAll(f.manifest.ID().String()) }

// Close lets go of the file: one that was kept is from then on in Sweep's
// hands; one that was not can be fetched again without another transfer, if
// the server then says that it is still the same.
func (f *File) Close() error {
	if f.closed {
		return nil
	}
	f.closed = true
	err := f.part.leave(false)
	f.folder.leave(f.part.key)
	if f.kept {
		id := f.manifest.ID()
		f.folder.mu.Lock()
		if f.folder.keeping[id]--; f.folder.keeping[id] == 0 {
			delete(f.folder.keeping, id)
		}
		f.folder.mu.Unlock()
	}
	return err
}

// Sweep removes the files of contents that are not used any more, and parts
// that nobody has continued for a week. used is called with the folder locked.
func (f *Folder) Sweep(used func(shoal.ContentID) bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	entries, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return fmt.Errorf("sweep downloads: %w", err)
	}
	var errs []error
	for _, e := range entries {
		id, err := shoal.ParseContentID(e.Name())
		if err != nil || f.keeping[id] > 0 || used(id) {
			continue
		}
		f.cfg.Log.Info("removing a download that is not used any more", "content", id)
		errs = append(errs, f.root.RemoveAll(e.Name()))
	}
	parts, err := fs.ReadDir(f.root.FS(), partsDir)
	for _, e := range parts {
		key, ok := strings.CutSuffix(e.Name(), partExt)
		if info, err := e.Info(); ok && err == nil && !f.busy[key] && time.Since(info.ModTime()) > keepParts {
			errs = append(errs, f.forget(key))
		}
	}
	if err := errors.Join(append(errs, err)...); err != nil {
		return fmt.Errorf("sweep downloads: %w", err)
	}
	return nil
}

// forget removes a part. The caller holds mu.
func (f *Folder) forget(key string) error {
	delete(f.parts, key)
	if err := f.states.Delete(key); err != nil { // first: a part without a record is removed at the next start
		return err
	}
	if err := f.root.Remove(path.Join(partsDir, key+partExt)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
