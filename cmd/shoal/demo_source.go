package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// demoSource returns the path to distribute and its digest. Where no file was
// given it makes one: random, but the same each time.
func demoSource(ctx context.Context, a *app, dir string, o demoOptions) (string, digest, error) {
	path := o.file
	if path == "" {
		path = filepath.Join(dir, "source", "demo.bin")
		if err := randomFile(ctx, a, path, int64(o.size)); err != nil {
			return "", nil, failed(demoOp, path, err)
		}
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", nil, failed(demoOp, path, err)
	}
	d, err := digestOf(ctx, abs)
	return abs, d, failed(demoOp, path, err)
}

func randomFile(ctx context.Context, a *app, path string, size int64) (err error) {
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	fmt.Fprintf(a.stderr, "making a random file of %s\n", bytesText(size))
	random := rand.NewChaCha8([32]byte([]byte("the seed of the demo's random fi")))
	_, err = io.Copy(f, io.LimitReader(reader{ctx, random}, size))
	return err
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// digest describes a file or a folder by what must arrive: the SHA-256 of each
// file, and whether it is executable, by slash-separated path; a single file's
// path is ".".
type digest map[string]string

// digestOf reads all files at or below root.
func digestOf(ctx context.Context, root string) (digest, error) {
	d := digest{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		d[filepath.ToSlash(rel)], err = fileDigest(ctx, path)
		return err
	})
	return d, err
}

func fileDigest(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	if _, err := io.Copy(h, reader{ctx, f}); err != nil {
		return "", err
	}
	sum := hex.EncodeToString(h.Sum(nil))
	if st.Mode()&0o100 != 0 {
		sum += " executable"
	}
	return sum, nil
}

// difference names the first file, in the order of their paths, in which got
// is not want; "" where there is none.
func (want digest) difference(got digest) string {
	all := maps.Clone(want)
	maps.Copy(all, got)
	for _, path := range slices.Sorted(maps.Keys(all)) {
		w, inWant := want[path]
		g, inGot := got[path]
		switch {
		case !inGot:
			return path + " is missing"
		case !inWant:
			return path + " is not in the source"
		case g != w:
			return fmt.Sprintf("%s is %.16s…, want %.16s…", path, g, w)
		}
	}
	return ""
}
