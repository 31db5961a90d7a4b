package upload

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/shoal-cdn/shoal"
)

// Fingerprint tells one state of a file or folder from another without reading
// it: from the names, sizes and modification times. It also returns the sum of
// the sizes. The result has 64 hexadecimal digits.
func Fingerprint(ctx context.Context, path string) (print string, size int64, err error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", 0, err
	}
	sum := sha256.New()
	files := 0
	err = filepath.WalkDir(real, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if files++; files > shoal.MaxPieces {
			return fmt.Errorf("%w: more than %d files", shoal.ErrInvalid, shoal.MaxPieces)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(real, name)
		if err != nil {
			return err
		}
		size += info.Size()
		return stampInto(sum, rel, info)
	})
	if err != nil {
		return "", 0, fmt.Errorf("look at %s: %w", path, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), size, nil
}

func stampInto(w io.Writer, name string, info os.FileInfo) error {
	_, err := fmt.Fprintf(w, "%q %d %d\n", name, info.Size(), info.ModTime().UnixNano())
	return err
}
