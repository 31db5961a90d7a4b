package store_test

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/store"
	"github.com/shoal-cdn/shoal/node/store/storetest"
)

// writerEnv makes this test binary a process that writes a content's pieces
// into a store until it is killed: the store's folder, and the source's.
const writerEnv = "SHOAL_TEST_STORE_WRITER"

func TestMain(m *testing.M) {
	if root := os.Getenv(writerEnv); root != "" {
		if err := writeUntilKilled(root, os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// writeUntilKilled prints each piece once WritePiece has returned.
func writeUntilKilled(root, source string) error {
	d, err := store.OpenDisk(store.Config{Root: root, SyncInterval: 5 * time.Millisecond})
	if err != nil {
		return err
	}
	torrent, err := os.ReadFile(source + ".torrent")
	if err != nil {
		return err
	}
	m, err := shoal.DecodeManifest(torrent)
	if err != nil {
		return err
	}
	c, err := d.Create(m, "")
	if err != nil {
		return err
	}
	data, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	for i := range m.NumPieces() {
		i = i * 7 % m.NumPieces()
		if err := c.WritePiece(i, data[i*m.PieceLength():][:m.PieceSize(i)]); err != nil {
			return err
		}
		fmt.Println(i)
	}
	select {}
}

// A process that is killed loses nothing that WritePiece has returned for.
func TestKill9(t *testing.T) {
	root := t.TempDir()
	x := storetest.SampleFile(t, "x", 500*storetest.PieceLength)
	must(t, os.WriteFile(x.Path+".torrent", x.M.Torrent(), 0o600))
	var written []int
	for round := range 3 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], x.Path)
		cmd.Env = append(os.Environ(), writerEnv+"="+root)
		cmd.Stderr = t.Output()
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		for lines := bufio.NewScanner(out); len(written) < 150*(round+1) && lines.Scan(); {
			i, err := strconv.Atoi(lines.Text())
			must(t, err)
			if !slices.Contains(written, i) { // a later round begins anew
				written = append(written, i)
			}
		}
		must(t, cmd.Process.Kill())
		cmd.Wait() // "signal: killed"
	}
	d := openDisk(t, store.Config{Root: root})
	c, err := d.Open(x.M.ID())
	must(t, err)
	held := c.Pieces()
	for _, i := range written {
		if !held.Has(i) {
			t.Errorf("piece %d was written and is lost", i)
		}
	}
	storetest.WantPieces(t, c, x, slices.Collect(held.All())...)
	storetest.Fill(t, c, x)
	must(t, c.Publish())
}

// snapshot copies a store as a kill -9 would leave it.
func snapshot(t testing.TB, root string) string {
	t.Helper()
	dst := filepath.Join(t.TempDir(), "snapshot")
	out, err := exec.Command("cp", "-a", root, dst).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dst
}

func statePath(root string, x storetest.Sample, ext string) string {
	return filepath.Join(root, "state", x.M.ID().String()+ext)
}

// halfDone is a store with a content of 8 pieces: 0 to 2 are synced, 3 and 4
// only in the journal.
func halfDone(t *testing.T) (root string, x storetest.Sample) {
	root = t.TempDir()
	d := openDisk(t, store.Config{Root: root, SyncInterval: time.Hour})
	x = storetest.SampleFile(t, "x", 8*storetest.PieceLength)
	c := create(t, d, x, "")
	for i := range 5 {
		must(t, c.WritePiece(i, x.Piece(t, i)))
		if i == 2 {
			must(t, c.Sync())
		}
	}
	onDisk, err := store.OnDisk(d, x.M)
	must(t, err)
	if got := slices.Collect(onDisk.All()); !slices.Equal(got, []int{0, 1, 2}) {
		t.Fatalf("the bitmap claims %v", got)
	}
	return snapshot(t, root), x
}

func overwrite(t testing.TB, path string, off int64, data []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt(data, off)
	must(t, err)
	must(t, f.Close())
}

// Whatever happened to the state files, all good data counts and no bad data
// does. Pieces 1 and 4 are damaged on disk: claims on piece 1 by an intact
// bitmap are believed, all others are not.
func TestDamagedState(t *testing.T) {
	base, x := halfDone(t)
	cut := func(n int64) func(string) error {
		return func(path string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			return os.Truncate(path, max(0, info.Size()+n))
		}
	}
	garbage := func(path string) error { return os.WriteFile(path, []byte("\x00garbage\xff in a state file"), 0o600) }
	zeros := func(path string) error { return os.WriteFile(path, make([]byte, 45), 0o600) }
	ways := map[string]func(string) error{
		"torn": cut(-3), "empty": cut(-1 << 20), "longer": cut(8), "garbage": garbage, "zeros": zeros, "missing": os.Remove,
		"a folder": func(path string) error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.Mkdir(path, 0o700)
		},
	}
	for name, damage := range ways {
		for _, ext := range []string{".have", ".journal"} {
			if ext == ".journal" && name == "a folder" {
				continue // cannot be appended to: an error, tested below
			}
			t.Run(ext+" "+name, func(t *testing.T) {
				root := snapshot(t, base)
				data := filepath.Join(root, "partial", x.M.ID().String(), "x")
				overwrite(t, data, 4*storetest.PieceLength+9, []byte("bad"))
				want := []int{0, 1, 2, 3}
				if ext == ".have" {
					overwrite(t, data, 1*storetest.PieceLength+9, []byte("bad"))
					want = []int{0, 2, 3}
				} else if name == "empty" {
					want = []int{0, 1, 2} // as if nothing had been written since
				}
				must(t, damage(statePath(root, x, ext)))
				d := openDisk(t, store.Config{Root: root})
				c, err := d.Open(x.M.ID())
				must(t, err)
				if name == "a folder" {
					// The bitmap cannot be renamed over it; the pieces are held all the same.
					must(t, os.Remove(statePath(root, x, ext)))
				}
				storetest.WantPieces(t, c, x, want...)
				storetest.Fill(t, c, x)
				must(t, c.Publish())
			})
		}
	}
	t.Run("journal is a folder", func(t *testing.T) {
		root := snapshot(t, base)
		must(t, ways["a folder"](statePath(root, x, ".journal")))
		if _, err := openDisk(t, store.Config{Root: root}).Open(x.M.ID()); err == nil {
			t.Fatal("opened without a journal")
		}
	})
}

// What is hashed for want of a bitmap is hashed again where that was interrupted: what it had not come to is not missing.
func TestHashingIsInterrupted(t *testing.T) {
	root := t.TempDir()
	x := storetest.SampleFile(t, "x", 200*storetest.PieceLength)
	d := openDisk(t, store.Config{Root: root})
	storetest.Fill(t, create(t, d, x, ""), x)
	must(t, d.Close())
	d = openDisk(t, store.Config{Root: root})
	create(t, d, x, "") // from now on only the bitmap tells of them
	must(t, d.Close())
	must(t, os.Remove(statePath(root, x, ".have")))

	d = openDisk(t, store.Config{Root: root, SyncInterval: time.Hour})
	store.StopHashing(d, 20)
	_, err := d.Open(x.M.ID())
	wantErr(t, err, os.ErrClosed)
	must(t, d.Close())

	c, err := openDisk(t, store.Config{Root: root}).Open(x.M.ID())
	must(t, err)
	if held := c.Pieces().Count(); held != x.M.NumPieces() {
		t.Errorf("%d of %d pieces", held, x.M.NumPieces())
	}
}

// After a power failure, data since the last sync may be anything.
func TestPowerFailure(t *testing.T) {
	root, x := halfDone(t)
	data := filepath.Join(root, "partial", x.M.ID().String(), "x")
	overwrite(t, data, 3*storetest.PieceLength, make([]byte, storetest.PieceLength))
	must(t, os.Truncate(data, 4*storetest.PieceLength+100))
	d := openDisk(t, store.Config{Root: root})
	c, err := d.Open(x.M.ID())
	must(t, err)
	storetest.WantPieces(t, c, x, 0, 1, 2)
}

// A bitmap is not believed on data that cannot be there.
func TestPartialDataIsGone(t *testing.T) {
	base, x := halfDone(t)
	for name, test := range map[string]struct {
		damage func(path string) error
		want   []int
	}{
		"file":      {os.Remove, nil},
		"folder":    {func(p string) error { return os.RemoveAll(filepath.Dir(p)) }, nil},
		"truncated": {func(p string) error { return os.Truncate(p, 2*storetest.PieceLength+1) }, []int{0, 1}},
		"a folder": {func(p string) error {
			must(t, os.Remove(p))
			return os.Mkdir(p, 0o700)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			root := snapshot(t, base)
			must(t, test.damage(filepath.Join(root, "partial", x.M.ID().String(), "x")))
			c, err := openDisk(t, store.Config{Root: root}).Open(x.M.ID())
			must(t, err)
			storetest.WantPieces(t, c, x, test.want...)
		})
	}
}

// Every state between the steps of Publish leads to the same end.
func TestPublishCrashPoints(t *testing.T) {
	for _, x := range []storetest.Sample{storetest.SampleFolder(t, "x"), storetest.SampleFile(t, "x", 3*storetest.PieceLength),
		storetest.SampleFile(t, "x", 0)} {
		root := t.TempDir()
		d := openDisk(t, store.Config{Root: root})
		c := create(t, d, x, "to/x")
		storetest.Fill(t, c, x)
		filled := snapshot(t, root)
		must(t, c.Publish())
		done := snapshot(t, root)
		record, err := os.ReadFile(statePath(done, x, ".json"))
		must(t, err)
		partial := filepath.Join("partial", x.M.ID().String())

		for name, at := range map[string]func() string{
			"before": func() string { return snapshot(t, filled) },
			"after":  func() string { return snapshot(t, done) },
			"record written": func() string {
				root := snapshot(t, filled)
				for i, f := range x.M.Files() { // as finishFile left them
					if f.Length == 0 {
						must(t, os.WriteFile(filepath.Join(root, partial, x.M.Files()[i].Path), nil, 0o755))
					}
				}
				must(t, os.MkdirAll(filepath.Join(root, "files/to"), 0o755))
				must(t, os.WriteFile(statePath(root, x, ".json"), record, 0o600))
				return root
			},
			"renamed": func() string {
				root := snapshot(t, done)
				if !x.M.IsFolder() {
					must(t, os.Mkdir(filepath.Join(root, partial), 0o755))
				}
				must(t, os.WriteFile(statePath(root, x, ".journal"), []byte("left"), 0o600))
				return root
			},
		} {
			t.Run(fmt.Sprintf("%s %d", name, x.M.NumPieces()), func(t *testing.T) {
				root := at()
				d := openDisk(t, store.Config{Root: root})
				c, err := d.Open(x.M.ID())
				must(t, err)
				storetest.WantPieces(t, c, x, x.All()...)
				must(t, c.Publish())
				wantTree(t, filepath.Join(root, "files"), tree(t, filepath.Join(done, "files"))...)
				must(t, c.Close())
				must(t, d.Delete(x.M.ID()))
				wantTree(t, root, "files/", "partial/", "state/", "state/lock")
			})
		}
	}
}

// A lost or unreadable record does not lose the partial data.
func TestDamagedRecord(t *testing.T) {
	base, x := halfDone(t)
	for name, record := range map[string]string{
		"garbage": "\x00", "empty": "", "array": "[]", "version": `{"version":9,"dest":"x"}`,
		"escape": `{"version":1,"dest":"../x"}`, "both": `{"version":1,"dest":"x","path":"/x"}`,
	} {
		t.Run(name, func(t *testing.T) {
			root := snapshot(t, base)
			must(t, os.WriteFile(statePath(root, x, ".json"), []byte(record), 0o600))
			d := openDisk(t, store.Config{Root: root})
			_, err := d.Open(x.M.ID())
			wantErr(t, err, shoal.ErrCorrupt)
			if ids, _ := d.List(); !slices.Equal(ids, []shoal.ContentID{x.M.ID()}) {
				t.Fatalf("list %v", ids)
			}
			must(t, os.WriteFile(filepath.Join(root, "files", "taken"), nil, 0o644))
			_, err = d.Create(x.M, "taken")
			wantErr(t, err, shoal.ErrConflict)
			storetest.WantPieces(t, create(t, d, x, "y"), x, 0, 1, 2, 3, 4)
		})
	}
	t.Run("manifest", func(t *testing.T) {
		root := snapshot(t, base)
		must(t, os.WriteFile(statePath(root, x, ".torrent"), []byte("d"), 0o600))
		d := openDisk(t, store.Config{Root: root})
		_, err := d.Open(x.M.ID())
		wantErr(t, err, shoal.ErrCorrupt)
		must(t, d.Delete(x.M.ID()))
		wantTree(t, root, "files/", "partial/", "state/", "state/lock")
	})
}

// What an interrupted write of a state file left is removed.
func TestTemporaryFiles(t *testing.T) {
	root := t.TempDir()
	must(t, os.Mkdir(filepath.Join(root, "state"), 0o700))
	id := hex.EncodeToString(make([]byte, 32))
	must(t, os.WriteFile(filepath.Join(root, "state", id+".json.tmp"), []byte("{"), 0o600))
	d := openDisk(t, store.Config{Root: root})
	wantTree(t, root, "files/", "partial/", "state/", "state/lock")
	if ids, _ := d.List(); len(ids) != 0 {
		t.Fatalf("list %v", ids)
	}
}
