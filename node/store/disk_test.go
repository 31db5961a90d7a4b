package store_test

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/store"
	"github.com/shoal-cdn/shoal/node/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return openDisk(t, store.Config{}) })
}

// The same with every limit at its smallest: files are reopened for each
// piece, and synced all the time.
func TestConformanceSmallest(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		return openDisk(t, store.Config{OpenFiles: 1, SyncBytes: 1, SyncInterval: 1})
	})
}

// openDisk opens a store in cfg.Root or a new folder, and closes it when the
// test ends.
func openDisk(t testing.TB, cfg store.Config) *store.Disk {
	t.Helper()
	if cfg.Root == "" {
		cfg.Root = t.TempDir()
	}
	cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	d, err := store.OpenDisk(cfg)
	must(t, err)
	t.Cleanup(func() { d.Close() })
	return d
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("error %v, want %v", err, kind)
	}
}

func create(t testing.TB, d *store.Disk, x storetest.Sample, dest string) store.Content {
	t.Helper()
	c, err := d.Create(x.M, dest)
	must(t, err)
	return c
}

// published creates a sample's content, complete and at dest.
func published(t testing.TB, d *store.Disk, x storetest.Sample, dest string) store.Content {
	t.Helper()
	c := create(t, d, x, dest)
	storetest.Fill(t, c, x)
	must(t, c.Publish())
	return c
}

// tree lists everything below a folder, folders with a slash at the end.
func tree(t testing.TB, dir string) []string {
	t.Helper()
	names := []string{}
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		if rel != "." {
			if e.IsDir() {
				rel += "/"
			}
			names = append(names, filepath.ToSlash(rel))
		}
		return err
	}))
	return names
}

func wantTree(t testing.TB, dir string, want ...string) {
	t.Helper()
	slices.Sort(want)
	got := tree(t, dir)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("in %s:\n%s\nwant:\n%s", dir, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestOpenDiskTwice(t *testing.T) {
	cfg := store.Config{Root: filepath.Join(t.TempDir(), "made", "here")}
	d := openDisk(t, cfg)
	_, err := store.OpenDisk(cfg)
	wantErr(t, err, shoal.ErrConflict)
	must(t, d.Close())
	openDisk(t, cfg)
}

func TestConfigInvalid(t *testing.T) {
	root := t.TempDir()
	for _, cfg := range []store.Config{
		{},
		{Root: root, State: "../state"},
		{Root: root, Partial: "/partial"},
		{Root: root, Files: "a/../b"},
		{Root: root, SyncBytes: -1},
		{Root: root, SyncInterval: -1},
		{Root: root, OpenFiles: -1},
	} {
		_, err := store.OpenDisk(cfg)
		wantErr(t, err, shoal.ErrInvalid)
	}
	wantTree(t, root)
}

// What a web server on the files folder sees: nothing, then everything, with
// its final modes whatever the umask is.
func TestPublishedFiles(t *testing.T) {
	root := t.TempDir()
	d := openDisk(t, store.Config{Root: root})
	files := filepath.Join(root, "files")
	x, y := storetest.SampleFolder(t, "x"), storetest.SampleFile(t, "y", 3*storetest.PieceLength)

	defer umask(umask(0o077))
	c := create(t, d, x, "in/x")
	storetest.Fill(t, c, x)
	must(t, c.Sync())
	wantTree(t, files)
	must(t, c.Publish())
	published(t, d, y, "in/y.bin")
	wantTree(t, files, "in/", "in/x/", "in/x/a/", "in/x/a/deep/", "in/x/a/deep/er/", "in/x/a/deep/er/one",
		"in/x/a/empty", "in/x/a/two", "in/x/b/", "in/x/b/größe.bin", "in/x/run.sh", "in/x/zero", "in/y.bin")
	wantTree(t, filepath.Join(root, "partial"))
	for _, name := range tree(t, files) {
		want := fs.FileMode(0o644)
		if strings.HasSuffix(name, "/") || name == "in/x/run.sh" || name == "in/x/zero" {
			want = 0o755
		}
		info, err := os.Stat(filepath.Join(files, name))
		must(t, err)
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", name, info.Mode().Perm(), want)
		}
	}
	for i := range x.M.Files() {
		want, err := os.ReadFile(x.File(i))
		must(t, err)
		got, err := os.ReadFile(filepath.Join(c.Path(), x.M.Files()[i].Path))
		must(t, err)
		if string(got) != string(want) {
			t.Errorf("%s differs", x.M.Files()[i].Path)
		}
	}
}

func TestDestIsTakenByAStranger(t *testing.T) {
	root := t.TempDir()
	d := openDisk(t, store.Config{Root: root})
	x := storetest.SampleFile(t, "x", 100)
	taken := filepath.Join(root, "files", "taken")
	must(t, os.WriteFile(taken, []byte("mine"), 0o644))
	for _, dest := range []string{"taken", "taken/below"} {
		_, err := d.Create(x.M, dest)
		wantErr(t, err, shoal.ErrConflict)
	}

	// It may also appear while data arrives.
	c := create(t, d, x, "free")
	storetest.Fill(t, c, x)
	late := filepath.Join(root, "files", "free")
	must(t, os.WriteFile(late, []byte("mine"), 0o644))
	wantErr(t, c.Publish(), shoal.ErrConflict)
	storetest.WantPieces(t, c, x, 0)
	for _, name := range []string{taken, late} {
		if b, _ := os.ReadFile(name); string(b) != "mine" {
			t.Errorf("%s was overwritten", name)
		}
	}
	must(t, os.Remove(late))
	must(t, c.Publish())
}

// "shoal get" keeps its state in a hidden folder below the output's folder.
func TestFilesFolderIsTheRoot(t *testing.T) {
	root := t.TempDir()
	cfg := store.Config{Root: root, State: ".shoal/state", Partial: ".shoal/partial", Files: "."}
	d := openDisk(t, cfg)
	x := storetest.SampleFile(t, "x", 100)
	for _, dest := range []string{".shoal", ".shoal/state", ".shoal/state/x", ".shoal/partial/x"} {
		_, err := d.Create(x.M, dest)
		wantErr(t, err, shoal.ErrInvalid)
	}
	c := published(t, d, x, "x")
	if c.Path() != filepath.Join(root, "x") {
		t.Fatalf("path %q", c.Path())
	}
	must(t, d.Delete(x.M.ID()))
	wantTree(t, root, ".shoal/", ".shoal/partial/", ".shoal/state/", ".shoal/state/lock")
}

func TestDeleteRemovesAll(t *testing.T) {
	root := t.TempDir()
	d := openDisk(t, store.Config{Root: root})
	x, y, z := storetest.SampleFolder(t, "x"), storetest.SampleFile(t, "y", 100), storetest.SampleFolder(t, "z")
	published(t, d, x, "a/b/x")
	published(t, d, y, "a/y")
	c := create(t, d, z, "z")
	must(t, c.WritePiece(0, z.Piece(t, 0)))
	must(t, os.WriteFile(filepath.Join(root, "files/a/b/x/b/stranger"), nil, 0o644))

	must(t, d.Delete(x.M.ID()))
	must(t, d.Delete(y.M.ID()))
	must(t, d.Delete(z.M.ID()))
	wantTree(t, root, "files/", "files/a/", "files/a/b/", "files/a/b/x/", "files/a/b/x/b/", "files/a/b/x/b/stranger",
		"partial/", "state/", "state/lock")

	must(t, os.Remove(filepath.Join(root, "files/a/b/x/b/stranger")))
	must(t, os.RemoveAll(filepath.Join(root, "files/a")))
	published(t, d, x, "a/b/x")
	must(t, d.Delete(x.M.ID()))
	wantTree(t, root, "files/", "partial/", "state/", "state/lock")
}

// Thousands of small files take few descriptors.
func TestManySmallFiles(t *testing.T) {
	root := t.TempDir()
	d := openDisk(t, store.Config{Root: root, OpenFiles: 8})
	x := storetest.SampleTree(t, 500, 1000)
	before := openFiles(t)
	c := create(t, d, x, "")
	storetest.Fill(t, c, x)
	storetest.WantPieces(t, c, x, x.All()...)
	if n := openFiles(t) - before; n > 8+10 {
		t.Errorf("%d files are open", n)
	}
	must(t, c.Publish())
	must(t, c.Close())
	must(t, d.Close())
	if n := openFiles(t) - before; n > 0 {
		t.Errorf("%d files are left open", n)
	}
	d = openDisk(t, store.Config{Root: root})
	c, err := d.Open(x.M.ID())
	must(t, err)
	storetest.WantPieces(t, c, x, x.All()...)
}

func openFiles(t testing.TB) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("needs /proc to count open files")
	}
	return len(names)
}
