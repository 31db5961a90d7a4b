//go:build linux

package system

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/shoal-cdn/shoal"
)

// randomTree makes a folder of n files from 0 B to most bytes, the large ones
// few, in folders up to four deep, a tenth of them executable.
func randomTree(t *testing.T, root string, n int, most shoal.Size) {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 5))
	for i := range n {
		dir := root
		for range rng.IntN(5) {
			dir = filepath.Join(dir, fmt.Sprintf("ordner-ü%d", rng.IntN(4)))
		}
		must(t, os.MkdirAll(dir, 0o755))
		size := shoal.Size(rng.IntN(20_000))
		switch {
		case i%50 == 0:
			size = 0
		case i%200 == 1:
			size = shoal.Size(rng.Int64N(int64(most)))
		case i == 2:
			size = most
		}
		path := filepath.Join(dir, fmt.Sprintf("%04d 文件.dat", i))
		randomFile(t, path, size, uint64(i))
		mode := fs.FileMode(0o644)
		if i%10 == 3 {
			mode = 0o755
		}
		must(t, os.Chmod(path, mode))
	}
}

// A folder of 3,000 files, 0 B to 30 MB, arrives identical, modes included (M1).
func TestFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, 0)
	source := filepath.Join(t.TempDir(), "site")
	randomTree(t, source, 3000, 30_000_000)
	seeded, err := w.origin.Seed(t.Context(), source)
	must(t, err)
	task := w.distribute(within(t, patience), seeded.Content, "n00", "n01")
	t.Logf("%v in %d pieces: %.2f s", seeded.Size, seeded.Pieces, task.Seconds)
	for _, n := range w.nodes {
		published := filepath.Join(n.Dir, "files", "site")
		if out, err := exec.Command("diff", "-r", source, published).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %.2000s", n.Name(), err, out)
		}
		sameModes(t, source, published)
	}
}

func sameModes(t *testing.T, a, b string) {
	t.Helper()
	must(t, fs.WalkDir(os.DirFS(a), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		want, err := d.Info()
		if err != nil {
			return err
		}
		got, err := os.Stat(filepath.Join(b, path))
		if err != nil {
			return err
		}
		if got.Mode() != want.Mode() {
			t.Errorf("%s has mode %v, want %v", path, got.Mode(), want.Mode())
		}
		return nil
	}))
}
