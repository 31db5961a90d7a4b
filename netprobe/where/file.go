package where

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/shoal-cdn/shoal"
)

// maxDatabase bounds a MaxMind DB file: it is read into memory, since one that
// is mapped and then cut short under the reader would end the process.
const maxDatabase = 1 << 30

// file is a source's file and what was last loaded from it.
type file struct {
	source  Source
	path    string
	look    lookup      // nil until it was loaded
	problem string      // why the last load failed; "": it did not
	tried   fs.FileInfo // of the last load; nil: there was no file
	seen    fs.FileInfo // of the last look; nil: there was no file
}

// load reads the file. On an error what was loaded before stays in use.
func (f *file) load(log *slog.Logger) error {
	look, size, err := f.read()
	if err != nil {
		err = fmt.Errorf("load %s: %w", f.path, err)
		f.problem = err.Error()
		if f.look != nil {
			f.problem += "; the version loaded before is in use"
			log.Error("places are not reloaded, those loaded before stay in use", "file", f.path, "err", err)
		}
		return err
	}
	f.look, f.problem = look, ""
	log.Info("places loaded", "file", f.path, "source", string(f.source), "size", size)
	return nil
}

// read decodes the file; size describes what is in it.
func (f *file) read() (look lookup, size string, err error) {
	f.tried = nil
	h, err := os.Open(f.path)
	if err != nil {
		return nil, "", pathless(err)
	}
	defer h.Close()
	info, err := h.Stat()
	if err != nil {
		return nil, "", pathless(err)
	}
	f.tried, f.seen = info, info
	if !info.Mode().IsRegular() {
		return nil, "", fmt.Errorf("%w: no regular file", shoal.ErrInvalid)
	}
	data, err := io.ReadAll(io.LimitReader(h, maxDatabase+1))
	if err != nil {
		return nil, "", pathless(err)
	}
	if len(data) > maxDatabase {
		return nil, "", fmt.Errorf("%w: larger than %d bytes", shoal.ErrInvalid, maxDatabase)
	}
	if f.source == GeoIP {
		return database(data)
	}
	return table(filepath.Ext(f.path), data)
}

func database(data []byte) (lookup, string, error) {
	d, err := DecodeDatabase(data)
	if err != nil {
		return nil, "", err
	}
	return d.Lookup, d.Type(), nil
}

func table(extension string, data []byte) (lookup, string, error) {
	var t *Table
	var err error
	switch strings.ToLower(extension) {
	case ".csv":
		t, err = DecodeCSV(data)
	case ".yaml", ".yml":
		t, err = DecodeYAML(data)
	default:
		err = fmt.Errorf("%w: want a name that ends in .csv, .yaml or .yml", shoal.ErrInvalid)
	}
	if err != nil {
		return nil, "", err
	}
	look := func(a netip.Addr) (netip.Prefix, shoal.Locality, error) {
		p, l, _ := t.Lookup(a)
		return p, l, nil
	}
	return look, fmt.Sprintf("%d prefixes", t.Len()), nil
}

// due reports whether the file has changed since the last load and not since
// the last look: one that is just being written would be read in part.
func (f *file) due() bool {
	now, err := os.Stat(f.path)
	if err != nil {
		now = nil
	}
	settled := same(now, f.seen)
	f.seen = now
	return settled && !same(now, f.tried)
}

func same(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// pathless drops the path from an error: the caller names it.
func pathless(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
