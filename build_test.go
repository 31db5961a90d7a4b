package shoal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// writeTree writes files, by slash-separated path, into a new folder "d".
func writeTree(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestBuildFolder(t *testing.T) {
	const pl = 32 << 10
	contents := map[string][]byte{
		"a/z":                noise(100),
		"a.txt":              noise(pl + 1),
		"empty":              nil,
		"deep/er/日本/ü":       noise(3 * pl),
		"run.sh":             noise(pl),
		"copy of a.txt":      noise(pl + 1),
		"e\u0301 and \u00e9": noise(1),
	}
	dir := writeTree(t, contents)
	if err := errors.Join(os.Chmod(filepath.Join(dir, "run.sh"), 0o755), os.Mkdir(filepath.Join(dir, "no files"), 0o755)); err != nil {
		t.Fatal(err)
	}
	m, err := BuildManifest(t.Context(), dir, BuildOptions{PieceLength: pl, Workers: 3})
	if err != nil {
		t.Fatal(err)
	}
	checkManifest(t, m)
	if m.Name() != "d" || !m.IsFolder() || m.PieceLength() != pl {
		t.Errorf("name %q, folder %v, piece length %d", m.Name(), m.IsFolder(), m.PieceLength())
	}
	if len(m.Files()) != len(contents) {
		t.Errorf("%d files", len(m.Files()))
	}
	for _, f := range m.Files() {
		if int64(len(contents[f.Path])) != f.Length || f.Executable != (f.Path == "run.sh") {
			t.Errorf("%+v", f)
		}
	}
	for i := range m.NumPieces() {
		f, offset := m.Locate(i)
		data := contents[m.Files()[f].Path]
		if !m.VerifyPiece(i, data[offset:offset+int64(m.PieceSize(i))]) {
			t.Errorf("piece %d, of %s, is refused", i, m.Files()[f].Path)
		}
	}
	// The same by another name on the way, and with one worker.
	t.Chdir(filepath.Join(dir, "a"))
	for _, path := range []string{"..", "../", dir + "/a/.."} {
		again, err := BuildManifest(t.Context(), path, BuildOptions{PieceLength: pl, Workers: 1})
		if err != nil || again.ID() != m.ID() || again.Name() != "d" {
			t.Errorf("%s: %v, %v", path, again, err)
		}
	}
}

// A symlink that is named itself is followed, and names the content.
func TestBuildFollowsNamedSymlink(t *testing.T) {
	dir := writeTree(t, map[string][]byte{"f": noise(10)})
	link := filepath.Join(t.TempDir(), "latest")
	for _, target := range []string{dir, filepath.Join(dir, "f")} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
		m, err := BuildManifest(t.Context(), link, BuildOptions{})
		if err != nil || m.Name() != "latest" || m.IsFolder() != (target == dir) {
			t.Errorf("link to %s: %v, %v", target, m, err)
		}
		os.Remove(link)
	}
}

func TestBuildRefuses(t *testing.T) {
	in := func(dir, name string) string { return filepath.Join(dir, name) }
	tests := []struct {
		name string
		kind error
		want string
		edit func(dir string) (path string, err error)
	}{
		{"missing", fs.ErrNotExist, "nowhere: no such file", func(dir string) (string, error) { return in(dir, "nowhere"), nil }},
		{"symlink", ErrInvalid, `"sub/link": symlinks are not supported`, func(dir string) (string, error) {
			return dir, os.Symlink("../f", in(dir, "sub/link"))
		}},
		{"dangling symlink", ErrInvalid, `"link": symlinks`, func(dir string) (string, error) {
			return dir, os.Symlink("nowhere", in(dir, "link"))
		}},
		{"pipe", ErrInvalid, `"pipe" is a named pipe`, func(dir string) (string, error) {
			return dir, syscall.Mkfifo(in(dir, "pipe"), 0o600)
		}},
		{"pipe itself", ErrInvalid, "a named pipe, neither", func(dir string) (string, error) {
			return in(dir, "pipe"), syscall.Mkfifo(in(dir, "pipe"), 0o600)
		}},
		{"name", ErrInvalid, `'\\' is not allowed`, func(dir string) (string, error) {
			return dir, os.WriteFile(in(dir, `a\b`), nil, 0o600)
		}},
		{"name not UTF-8", ErrInvalid, `not UTF-8`, func(dir string) (string, error) {
			return dir, os.WriteFile(in(dir, "\xff"), nil, 0o600)
		}},
		{"folder's name not UTF-8", ErrInvalid, `not UTF-8`, func(dir string) (string, error) {
			return dir, os.Mkdir(in(dir, "\xff"), 0o700)
		}},
		{"no files", ErrInvalid, "no files in it", func(dir string) (string, error) {
			return in(dir, "void"), os.MkdirAll(in(dir, "void/inner"), 0o700)
		}},
		{"file of the folder's name", ErrInvalid, "cannot tell a folder", func(dir string) (string, error) {
			return in(dir, "x"), errors.Join(os.Mkdir(in(dir, "x"), 0o700), os.WriteFile(in(dir, "x/x"), nil, 0o600))
		}},
		{"root", ErrInvalid, `name "/"`, func(string) (string, error) { return "/", nil }},
		{"too large", ErrInvalid, "larger than", func(dir string) (string, error) {
			for i := range 3 { // sparse, and each as large as common file systems allow
				name := in(dir, fmt.Sprint("huge", i))
				if err := errors.Join(os.WriteFile(name, nil, 0o600), os.Truncate(name, 7<<40)); err != nil {
					return "", err
				}
			}
			return dir, nil
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path, err := tt.edit(writeTree(t, map[string][]byte{"f": noise(10), "sub/g": nil}))
			if err != nil {
				t.Skipf("this file system cannot hold it: %v", err)
			}
			_, err = BuildManifest(t.Context(), path, BuildOptions{})
			if !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "hash "+path+": ") {
				t.Errorf("error %v, want %v with %q", err, tt.kind, tt.want)
			}
		})
	}
	dir := writeTree(t, map[string][]byte{"f": noise(10)})
	for _, n := range []int{-1, 1, MinPieceLength / 2, MinPieceLength + 1, 2 * MaxPieceLength} {
		_, err := BuildManifest(t.Context(), dir, BuildOptions{PieceLength: n})
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "power of two") {
			t.Errorf("piece length %d: error %v", n, err)
		}
	}
}

func TestBuildUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	for _, name := range []string{"sub/g", "sub"} {
		dir := writeTree(t, map[string][]byte{"f": noise(10), "sub/g": noise(10)})
		if err := os.Chmod(filepath.Join(dir, name), 0); err != nil {
			t.Fatal(err)
		}
		_, err := BuildManifest(t.Context(), dir, BuildOptions{})
		if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), `"`+name+`"`) {
			t.Errorf("%s: error %v", name, err)
		}
		os.Chmod(filepath.Join(dir, name), 0o700)
	}
}

// What happens to a file between the listing and the end of its hashing.
func TestBuildNoticesChanges(t *testing.T) {
	tests := map[string]func(path string) error{
		"grown":   func(path string) error { return os.WriteFile(path, noise(101), 0o644) },
		"cut":     func(path string) error { return os.Truncate(path, 99) },
		"touched": func(path string) error { return os.Chtimes(path, time.Time{}, time.Unix(1e9, 0)) },
		"removed": os.Remove,
		"replaced": func(path string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			return errors.Join(os.WriteFile(path+".new", noise(100), 0o644),
				os.Chtimes(path+".new", time.Time{}, info.ModTime()), os.Rename(path+".new", path))
		},
	}
	for name, change := range tests {
		for _, single := range []bool{false, true} {
			dir := writeTree(t, map[string][]byte{"e": noise(5), "f": noise(100)})
			path := dir
			if single {
				path = filepath.Join(dir, "f")
			}
			src, err := scan(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			b := &builder{source: src, pieceLength: MinPieceLength}
			if err := errors.Join(b.layOut(), change(filepath.Join(dir, "f"))); err != nil {
				t.Fatal(err)
			}
			err = b.hash(t.Context(), 1)
			if !errors.Is(err, ErrChanged) || strings.Contains(err.Error(), `"f"`) == single {
				t.Errorf("%s, single %v: error %v", name, single, err)
			}
			src.close()
		}
	}
}

func TestBuildIsCancelled(t *testing.T) {
	dir := writeTree(t, map[string][]byte{"f": noise(10)})
	if err := os.Truncate(filepath.Join(dir, "f"), 8<<30); err != nil { // sparse: seconds of hashing
		t.Skip(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := BuildManifest(ctx, dir, BuildOptions{Progress: func(hashed, total int64) {
		if hashed > 0 && hashed < total {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestBuildProgress(t *testing.T) {
	dir := writeTree(t, map[string][]byte{"f": noise(100_000), "g": noise(1), "e": nil})
	var calls []int64
	start := time.Now()
	if _, err := BuildManifest(t.Context(), dir, BuildOptions{Progress: func(hashed, total int64) {
		if total != 100_001 {
			t.Errorf("total %d", total)
		}
		calls = append(calls, hashed) // a race, were it called from several goroutines
	}}); err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(calls) || calls[len(calls)-1] != 100_001 {
		t.Errorf("progress %v", calls)
	}
	if most := 1 + int(time.Since(start)/progressInterval); len(calls) > most {
		t.Errorf("%d calls, want at most %d", len(calls), most)
	}
}

func TestChoosePieceLength(t *testing.T) {
	files := func(n int, size int64) (s source) {
		for range n {
			s.files = append(s.files, sourceFile{info: fakeInfo(size)})
			s.size += size
		}
		return s
	}
	tests := []struct {
		src  source
		want int
	}{
		{files(1, 0), 32 << 10},
		{files(1, 64<<20), 32 << 10},
		{files(1, 128<<20), 64 << 10},
		{files(1, 100<<20), 64 << 10},
		{files(1, 90<<20), 32 << 10},
		{files(1, 1<<30), 512 << 10},
		{files(1, 100<<30), 4 << 20},
		{files(1, 4<<40), 4 << 20},
		{files(1, 4<<40+1), 8 << 20},
		{files(1, 16<<40), 16 << 20},
		{files(10_000, 100), 32 << 10},
	}
	for _, tt := range tests {
		if got := tt.src.choosePieceLength(); got != tt.want {
			t.Errorf("%d files, %d bytes: %d, want %d", len(tt.src.files), tt.src.size, got, tt.want)
		}
	}
}

type fakeInfo int64

func (f fakeInfo) Size() int64      { return int64(f) }
func (fakeInfo) Name() string       { return "" }
func (fakeInfo) Mode() fs.FileMode  { return 0 }
func (fakeInfo) ModTime() time.Time { return time.Time{} }
func (fakeInfo) IsDir() bool        { return false }
func (fakeInfo) Sys() any           { return nil }

func BenchmarkBuildManifest(b *testing.B) {
	b.Run("file=256MiB", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "f")
		if err := os.WriteFile(path, noise(256<<20), 0o644); err != nil {
			b.Fatal(err)
		}
		benchmarkBuild(b, path, 256<<20)
	})
	b.Run("files=10000", func(b *testing.B) {
		files := map[string][]byte{}
		for i := range 10_000 {
			files[fmt.Sprintf("%02d/%02d", i/100, i%100)] = noise(1000)
		}
		benchmarkBuild(b, writeTree(b, files), 10_000*1000)
	})
}

func benchmarkBuild(b *testing.B, path string, size int64) {
	b.SetBytes(size)
	b.ReportAllocs()
	runtime.GC()
	for b.Loop() {
		if _, err := BuildManifest(b.Context(), path, BuildOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

// A file that changes after it was hashed, while others still are, must not
// end up in a manifest that it contradicts.
func TestBuildNoticesLateChange(t *testing.T) {
	dir := writeTree(t, map[string][]byte{"a": []byte("a is hashed"), "b": []byte("b is hashed")})
	src, err := scan(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer src.close()
	if err := src.stillUnchanged(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "b"), []byte("b is hashed, and longer now"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := src.stillUnchanged(); !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("changed: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	if err := src.stillUnchanged(); !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), `"a"`) {
		t.Errorf("gone: %v", err)
	}
}
