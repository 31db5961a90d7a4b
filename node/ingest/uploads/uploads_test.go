package uploads

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// openStore opens a store as one more process would.
func openStore(t *testing.T, dir string, l Limits) *Store {
	t.Helper()
	s, err := Open(Config{Dir: dir, Limits: l})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// noise is n bytes, the same for a seed.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

const testChunk = api.MinChunkBytes

// kinds are the three ways to describe a file of data.
func kinds(t *testing.T, data []byte) map[string]*api.Description {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.bin")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := shoal.BuildManifest(t.Context(), path, shoal.BuildOptions{PieceLength: shoal.MinPieceLength})
	if err != nil {
		t.Fatal(err)
	}
	var digests []api.Digest
	for c := range slices.Chunk(data, testChunk) {
		digests = append(digests, sha256.Sum256(c))
	}
	return map[string]*api.Description{
		"torrent":    {Task: "t", Torrent: m.Torrent()},
		"digests":    {Task: "t", Name: "file.bin", Size: int64(len(data)), ChunkSize: testChunk, Digests: digests},
		"undigested": {Task: "t", Name: "file.bin", Size: int64(len(data)), ChunkSize: testChunk},
	}
}

// chunk is chunk k of a single file.
func chunk(u *Upload, data []byte, k int) []byte {
	_, off, n := u.chunks.at(k)
	return data[off : off+int64(n)]
}

func create(t *testing.T, s *Store, d *api.Description) *Upload {
	t.Helper()
	u, _, err := s.Create(d)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// R1, R3, R4, L1: chunks in any order, over a crash, over two processes, each kind of description.
func TestUpload(t *testing.T) {
	data := noise(1, 5*shoal.MinPieceLength/2)
	for name, d := range kinds(t, data) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			first, second := openStore(t, dir, Limits{}), openStore(t, dir, Limits{})
			u := create(t, first, d)
			order := rand.New(rand.NewPCG(7, 7)).Perm(u.Chunks())
			half := len(order) / 2
			for _, k := range order[:half] {
				if err := u.Write(k, chunk(u, data, k)); err != nil {
					t.Fatal(err)
				}
			}
			if err := u.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			// The first process is gone now, without a word.
			v, created, err := second.Create(d)
			if err != nil || created {
				t.Fatalf("resume: created %v, %v", created, err)
			}
			st := v.Status()
			var missing []int
			for _, r := range st.Missing {
				for k := range r.Count {
					missing = append(missing, r.First+k)
				}
			}
			rest := slices.Sorted(slices.Values(order[half:]))
			if !slices.Equal(missing, rest) || st.Next != rest[0] {
				t.Fatalf("missing %v, next %d; want %v", missing, st.Next, rest)
			}
			if err := v.Finish(t.Context()); !errors.Is(err, ErrIncomplete) {
				t.Fatalf("finish with chunks missing: %v", err)
			}
			for _, k := range rest {
				if err := v.Write(k, chunk(v, data, k)); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // twice does no harm
				if err := v.Finish(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			got, err := os.ReadFile(v.Path())
			if err != nil || !bytes.Equal(got, data) {
				t.Fatalf("the file is another: %v", err)
			}
			want, err := shoal.BuildManifest(t.Context(), v.Path(), shoal.BuildOptions{PieceLength: v.Manifest().PieceLength()})
			if err != nil || want.ID() != v.Manifest().ID() {
				t.Fatalf("content %s, want %s: %v", v.Manifest().ID(), want.ID(), err)
			}
			if u, err = first.Get("t"); err != nil || u.Status().State != api.Complete || !u.Pieces().Full() {
				t.Fatalf("the first server does not see it complete: %v", err)
			}
			readAll(t, u, data)
		})
	}
}

func readAll(t *testing.T, u *Upload, data []byte) {
	t.Helper()
	m := u.Manifest()
	for k := range m.NumPieces() {
		_, off := m.Locate(k)
		p := make([]byte, m.PieceSize(k))
		if err := u.ReadAt(p, k, 0); err != nil || !bytes.Equal(p, data[off:off+int64(len(p))]) {
			t.Fatalf("piece %d: %v", k, err)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	data := noise(2, 3*shoal.MinPieceLength)
	for name, d := range kinds(t, data) {
		t.Run(name, func(t *testing.T) {
			u := create(t, openStore(t, t.TempDir(), Limits{}), d)
			good := chunk(u, data, 1)
			bad := slices.Clone(good)
			bad[len(bad)/2] ^= 1
			for _, c := range []struct {
				what string
				k    int
				data []byte
				want error
			}{
				{"out of range", u.Chunks(), good, shoal.ErrInvalid},
				{"negative", -1, good, shoal.ErrInvalid},
				{"too long", 1, append(slices.Clone(good), 0), shoal.ErrInvalid},
				{"too short", 1, good[1:], shoal.ErrInvalid},
				{"another's", 1, chunk(u, data, 0), shoal.ErrCorrupt},
				{"one bit", 1, bad, shoal.ErrCorrupt},
			} {
				err := u.Write(c.k, c.data)
				if u.undigested() && c.want == shoal.ErrCorrupt {
					continue
				}
				if !errors.Is(err, c.want) {
					t.Errorf("%s: %v, want %v", c.what, err, c.want)
				}
			}
			if err := u.Write(1, good); u.undigested() {
				if !errors.Is(err, shoal.ErrConflict) {
					t.Errorf("other bytes than before: %v", err)
				}
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// A crash at any point costs at most what no Sync has returned for: the log is cut at every length.
func TestTornLog(t *testing.T) {
	data := noise(3, 9*testChunk)
	d := kinds(t, data)["digests"]
	dir := t.TempDir()
	s := openStore(t, dir, Limits{})
	u := create(t, s, d)
	for k := range u.Chunks() {
		if err := u.Write(k, chunk(u, data, k)); err != nil {
			t.Fatal(err)
		}
		if err := u.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	logs, err := filepath.Glob(filepath.Join(dir, "t", "have.*.log"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("logs %v: %v", logs, err)
	}
	whole, err := os.ReadFile(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) + 1 {
		torn := slices.Clone(whole[:n])
		if n > len(logMagic)+recordSize {
			torn = append(torn, 0xff) // and garbage behind
		}
		if err := os.WriteFile(logs[0], torn, 0o644); err != nil {
			t.Fatal(err)
		}
		other, err := openStore(t, dir, Limits{}).Get("t")
		if err != nil {
			t.Fatal(err)
		}
		if got, want := other.Status().Next, max(0, n-len(logMagic))/recordSize; got != want {
			t.Fatalf("%d bytes of the log: next %d, want %d", n, got, want)
		}
	}
}

// What somebody else has broken on disk is found at the end, and can be sent again.
func TestFinishFindsWrongData(t *testing.T) {
	data := noise(4, 3*shoal.MinPieceLength)
	for name, d := range kinds(t, data) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			u := create(t, openStore(t, dir, Limits{}), d)
			for k := range u.Chunks() {
				if err := u.Write(k, chunk(u, data, k)); err != nil {
					t.Fatal(err)
				}
			}
			if err := u.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(u.Path(), os.O_WRONLY, 0)
			if err == nil {
				_, err = f.WriteAt([]byte("broken"), 3)
			}
			if err = errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
			v := create(t, openStore(t, dir, Limits{}), d)
			if err := v.Finish(t.Context()); !errors.Is(err, ErrIncomplete) {
				t.Fatalf("finish: %v", err)
			}
			if missing, _ := v.Missing(0, v.Chunks()); !slices.Equal(missing, []api.Run{{First: 0, Count: 1}}) {
				t.Fatalf("missing %v", missing)
			}
			if u, err = u.store.Get("t"); err != nil || u.Status().Next != 0 {
				t.Fatalf("the other process does not know: next %d, %v", u.Status().Next, err)
			}
			if err := u.Write(0, chunk(u, data, 0)); err != nil {
				t.Fatal(err)
			}
			if err := u.Finish(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := v.Finish(t.Context()); err != nil || !v.Complete() {
				t.Fatalf("the first process does not see it complete: %v", err)
			}
		})
	}
}

// L1: two processes with two clients each, all sending all of it in their own order.
func TestEverybodyAtOnce(t *testing.T) {
	data := noise(5, 6*shoal.MinPieceLength)
	for name, d := range kinds(t, data) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var wg sync.WaitGroup
			for i := range 4 {
				s := openStore(t, dir, Limits{})
				wg.Go(func() {
					u, _, err := s.Create(d)
					if err != nil {
						t.Error(err)
						return
					}
					for _, k := range rand.New(rand.NewPCG(uint64(i), 9)).Perm(u.Chunks()) {
						if err := u.Write(k, chunk(u, data, k)); err != nil {
							t.Error(err)
						}
					}
					if err := u.Finish(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			u, err := openStore(t, dir, Limits{}).Get("t")
			if err != nil || u.Status().State != api.Complete {
				t.Fatalf("not complete: %v", err)
			}
			readAll(t, u, data)
		})
	}
}

func TestCreateRefuses(t *testing.T) {
	torrent := kinds(t, noise(6, 100))["torrent"].Torrent
	for name, c := range map[string]struct {
		d    api.Description
		want error
	}{
		"task escapes":      {api.Description{Task: "../x", Name: "f", Size: 1}, shoal.ErrInvalid},
		"name escapes":      {api.Description{Task: "t", Name: "../f", Size: 1}, shoal.ErrInvalid},
		"name is a path":    {api.Description{Task: "t", Name: "a/b", Size: 1}, shoal.ErrInvalid},
		"no name":           {api.Description{Task: "t", Size: 1}, shoal.ErrInvalid},
		"negative":          {api.Description{Task: "t", Name: "f", Size: -1}, shoal.ErrInvalid},
		"2^63-1":            {api.Description{Task: "t", Name: "f", Size: 1<<63 - 1, ChunkSize: 1 << 20}, shoal.ErrInvalid},
		"too many chunks":   {api.Description{Task: "t", Name: "f", Size: 1 << 30, ChunkSize: 1}, shoal.ErrInvalid},
		"large chunks":      {api.Description{Task: "t", Name: "f", Size: 1 << 30, ChunkSize: 1 << 30}, shoal.ErrInvalid},
		"small chunks":      {api.Description{Task: "t", Name: "f", Size: 1 << 20, ChunkSize: api.MinChunkBytes - 1}, shoal.ErrInvalid},
		"miscounted":        {api.Description{Task: "t", Name: "f", Size: 10, ChunkSize: 5, Chunks: 3}, shoal.ErrInvalid},
		"few digests":       {api.Description{Task: "t", Name: "f", Size: 10, ChunkSize: 5, Digests: make([]api.Digest, 1)}, shoal.ErrInvalid},
		"no torrent":        {api.Description{Task: "t", Torrent: []byte("d4:infoe")}, shoal.ErrInvalid},
		"another name":      {api.Description{Task: "t", Name: "g", Torrent: torrent}, shoal.ErrInvalid},
		"both":              {api.Description{Task: "t", Torrent: torrent, Digests: make([]api.Digest, 1)}, shoal.ErrInvalid},
		"dest escapes":      {api.Description{Task: "t", Name: "f", Size: 1, Distribute: distribute("n", "../x")}, shoal.ErrInvalid},
		"priority":          {api.Description{Task: "t", Name: "f", Size: 1, Distribute: &api.Distribute{NewTask: tapi.NewTask{Nodes: []string{"n"}, Priority: 11}}}, shoal.ErrInvalid},
		"distributed to no": {api.Description{Task: "t", Name: "f", Size: 1, Distribute: &api.Distribute{}}, shoal.ErrInvalid},
		"too large":         {api.Description{Task: "t", Name: "f", Size: 1 << 30}, ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openStore(t, dir, Limits{Size: 1 << 20})
			if _, _, err := s.Create(&c.d); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}

func distribute(node, dest string) *api.Distribute {
	var d api.Distribute
	d.Nodes, d.Dest = []string{node}, dest
	return &d
}

func TestLimits(t *testing.T) {
	free := int64(1000)
	s, err := Open(Config{Dir: t.TempDir(), Limits: Limits{Total: 300, Open: 2, Free: 800}, Space: func() (int64, bool) { return free, true }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	begin := func(task string, size int64) error {
		_, _, err := s.Create(&api.Description{Task: task, Name: "f", Size: size})
		return err
	}
	if err := begin("a", 150); err != nil {
		t.Fatal(err)
	}
	if err := begin("b", 60); !errors.Is(err, ErrFull) { // 150 of 200 are promised
		t.Errorf("no room on the disk: %v", err)
	}
	free = 2000
	if err := begin("b", 200); !errors.Is(err, ErrFull) {
		t.Errorf("no quota: %v", err)
	}
	if err := begin("b", 100); err != nil {
		t.Error(err)
	}
	if err := begin("c", 1); !errors.Is(err, ErrTooMany) {
		t.Errorf("third upload: %v", err)
	}
	if err := begin("a", 151); !errors.Is(err, shoal.ErrConflict) {
		t.Errorf("another description: %v", err)
	}
	if err := s.Delete("b"); err != nil {
		t.Error(err)
	}
	if err := s.Delete("b"); !errors.Is(err, shoal.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	if err := begin("c", 1); err != nil {
		t.Error(err)
	}
}

// Disk full in the middle: what is there stays, and the rest can come once there is room.
func TestDiskFull(t *testing.T) {
	free := int64(1 << 30)
	s, err := Open(Config{Dir: t.TempDir(), Limits: Limits{Free: 1 << 20}, Space: func() (int64, bool) { return free, true }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	data := noise(8, 4*testChunk)
	u := create(t, s, kinds(t, data)["digests"])
	if err := u.Write(0, chunk(u, data, 0)); err != nil {
		t.Fatal(err)
	}
	free = 1<<20 + testChunk/2
	s.space.at = time.Time{}
	if err := u.Write(1, chunk(u, data, 1)); !errors.Is(err, ErrFull) {
		t.Fatalf("full disk: %v", err)
	}
	if err := u.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := u.Status(); st.Next != 1 {
		t.Errorf("next %d, want 1", st.Next)
	}
	free = 1 << 30
	s.space.at = time.Time{}
	for k := range u.Chunks() {
		if err := u.Write(k, chunk(u, data, k)); err != nil {
			t.Fatal(err)
		}
	}
	if err := u.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Limits{Idle: time.Hour})
	data := noise(9, 10)
	done := create(t, s, &api.Description{Task: "done", Name: "f", Size: 10})
	if err := errors.Join(done.Write(0, data), done.Finish(t.Context())); err != nil {
		t.Fatal(err)
	}
	create(t, s, &api.Description{Task: "idle", Name: "f", Size: 10})
	old := time.Now().Add(-2 * litterAge)
	for _, litter := range []string{gonePrefix + "x", "half"} {
		if err := errors.Join(os.Mkdir(filepath.Join(dir, litter), 0o755), os.Chtimes(filepath.Join(dir, litter), old, old)); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.Sweep(time.Now()); len(got) != 0 {
		t.Errorf("deleted at once: %v", got)
	}
	if got := s.Sweep(time.Now().Add(time.Hour)); !slices.Equal(got, []string{"idle"}) {
		t.Errorf("deleted %v", got)
	}
	left, err := filepath.Glob(filepath.Join(dir, "[^.]*"))
	if gone, errGone := filepath.Glob(filepath.Join(dir, gonePrefix+"*")); err != nil || errGone != nil || len(gone) > 0 ||
		!slices.Equal(left, []string{filepath.Join(dir, "done")}) {
		t.Errorf("left %v and %v: %v", left, gone, err)
	}
}

// An upload that is in use, or has chunks on their way to the disk, is not idle.
func TestSweepSparesUse(t *testing.T) {
	s := openStore(t, t.TempDir(), Limits{Idle: time.Hour})
	u := create(t, s, &api.Description{Task: "t", Name: "f", Size: 10})
	later := time.Now().Add(2 * time.Hour)
	end := u.Use()
	if got := s.Sweep(later); len(got) != 0 {
		t.Errorf("deleted while it is used: %v", got)
	}
	end()
	u.completing <- struct{}{}
	if got := s.Sweep(later); len(got) != 0 {
		t.Errorf("deleted while it is completed: %v", got)
	}
	<-u.completing
	if got := s.Sweep(later); len(got) != 1 {
		t.Errorf("deleted %v", got)
	}
}

// Completions that read data wait for each other.
func TestHashingIsBounded(t *testing.T) {
	s := openStore(t, t.TempDir(), Limits{})
	u := create(t, s, &api.Description{Task: "t", Name: "f", Size: 10})
	if err := u.Write(0, noise(1, 10)); err != nil {
		t.Fatal(err)
	}
	for range maxHashing {
		s.hashing <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := u.Finish(ctx); !errors.Is(err, context.DeadlineExceeded) || u.Complete() {
		t.Errorf("finish: %v", err)
	}
	<-s.hashing
	if err := u.Finish(t.Context()); err != nil {
		t.Error(err)
	}
}

// L1: another server completes the upload while this one waits for its turn to hash.
func TestCompletedMeanwhile(t *testing.T) {
	dir, data := t.TempDir(), noise(1, 10)
	s, other := openStore(t, dir, Limits{}), openStore(t, dir, Limits{})
	u := create(t, s, &api.Description{Task: "t", Name: "f", Size: 10})
	if err := errors.Join(u.Write(0, data), u.Sync(t.Context())); err != nil {
		t.Fatal(err)
	}
	for range maxHashing {
		s.hashing <- struct{}{}
	}
	finished := make(chan error, 1)
	go func() { finished <- u.Finish(t.Context()) }()
	for len(u.completing) == 0 { // until it waits
		time.Sleep(time.Millisecond)
	}
	v, err := other.Get("t")
	if err == nil {
		err = errors.Join(v.Finish(t.Context()), u.Refresh())
	}
	if err != nil {
		t.Fatal(err)
	}
	<-s.hashing
	if err := <-finished; err != nil || !u.Complete() {
		t.Errorf("finish: %v", err)
	}
}

// An upload that is complete keeps nothing in memory for each of its chunks, in the process that completed it, in another,
// or in a later one; and still answers for them.
func TestCompleteIsSlim(t *testing.T) {
	data := noise(1, 5*shoal.MinPieceLength/2)
	for name, d := range kinds(t, data) {
		dir := t.TempDir()
		s, other := openStore(t, dir, Limits{}), openStore(t, dir, Limits{})
		u, v := create(t, s, d), create(t, other, d)
		for k := range u.Chunks() {
			check(t, u.Write(k, chunk(u, data, k)))
		}
		check(t, errors.Join(u.Finish(t.Context()), v.Refresh()))
		w, err := openStore(t, dir, Limits{}).Get("t")
		check(t, err)
		for who, u := range map[string]*Upload{"the one that completed it": u, "another": v, "a later one": w} {
			if !u.Complete() || u.digests != nil || u.rec.Digests != nil || u.ledger != nil || u.fresh != nil {
				t.Errorf("%s, %s: complete %v, %d+%d digests, %+v, %d fresh", name, who, u.Complete(), len(u.digests), len(u.rec.Digests), u.ledger, len(u.fresh))
			}
			if again := create(t, u.store, d); again != u || u.Undigested() != (name == "undigested") {
				t.Errorf("%s, %s: it is not the same any more", name, who)
			}
			check(t, u.Write(0, chunk(u, data, 0)))
			readAll(t, u, data)
		}
	}
}

// A folder that cannot be read for a while costs nothing of what is there.
func TestGetFailsForAWhile(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Limits{})
	data := noise(11, 3*testChunk)
	u := create(t, s, kinds(t, data)["digests"])
	if err := errors.Join(u.Write(0, chunk(u, data, 0)), u.Sync(t.Context())); err != nil {
		t.Fatal(err)
	}
	at, aside := filepath.Join(dir, "t"), filepath.Join(dir, "aside")
	if err := errors.Join(os.Rename(at, aside), os.WriteFile(at, nil, 0o644)); err != nil { // ENOTDIR
		t.Fatal(err)
	}
	if _, err := s.Get("t"); err == nil || errors.Is(err, shoal.ErrNotFound) {
		t.Errorf("get: %v", err)
	}
	if err := errors.Join(os.Remove(at), os.Rename(aside, at)); err != nil {
		t.Fatal(err)
	}
	u, err := s.Get("t")
	if err != nil || u.Status().Next != 1 {
		t.Fatalf("next %d: %v", u.Status().Next, err)
	}
	if err := errors.Join(u.Write(1, chunk(u, data, 1)), u.Sync(t.Context())); err != nil {
		t.Error(err)
	}
}

// A file that was changed after the end is hashed before it is served.
func TestReadAtNoticesChange(t *testing.T) {
	data := noise(10, 2*shoal.MinPieceLength)
	u := create(t, openStore(t, t.TempDir(), Limits{}), kinds(t, data)["torrent"])
	for k := range u.Chunks() {
		if err := u.Write(k, chunk(u, data, k)); err != nil {
			t.Fatal(err)
		}
	}
	if err := u.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	readAll(t, u, data)
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(u.Path(), later, later); err != nil {
		t.Fatal(err)
	}
	readAll(t, u, data) // touched, and the same
	data[5] ^= 1
	if err := errors.Join(os.WriteFile(u.Path(), data, 0o644), os.Chtimes(u.Path(), later.Add(time.Minute), later.Add(time.Minute))); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 10)
	if err := u.ReadAt(p, 0, 0); !errors.Is(err, shoal.ErrChanged) {
		t.Errorf("changed piece: %v", err)
	}
	if err := u.ReadAt(p, 1, 0); err != nil {
		t.Errorf("the other piece: %v", err)
	}
	if u.Pieces().Full() {
		t.Error("the changed piece is still there")
	}
}

// A folder with an empty file, an executable and a file in a folder below.
func TestFolder(t *testing.T) {
	src := filepath.Join(t.TempDir(), "folder")
	files := map[string]string{"empty": "", "sub/deep/file": strings.Repeat("x", 20_000), "run": "#!"}
	for name, text := range files {
		p := filepath.Join(src, filepath.FromSlash(name))
		mode := os.FileMode(0o644)
		if name == "run" {
			mode = 0o755
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, []byte(text), mode)); err != nil {
			t.Fatal(err)
		}
	}
	m, err := shoal.BuildManifest(t.Context(), src, shoal.BuildOptions{PieceLength: shoal.MinPieceLength})
	if err != nil {
		t.Fatal(err)
	}
	u := create(t, openStore(t, t.TempDir(), Limits{}), &api.Description{Task: "t", Torrent: m.Torrent()})
	for k := range m.NumPieces() {
		file, off := m.Locate(k)
		text := files[m.Files()[file].Path]
		if err := u.Write(k, []byte(text[off:off+int64(m.PieceSize(k))])); err != nil {
			t.Fatal(err)
		}
	}
	if err := u.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := shoal.BuildManifest(t.Context(), u.Path(), shoal.BuildOptions{PieceLength: shoal.MinPieceLength})
	if err != nil || got.ID() != m.ID() {
		t.Errorf("another folder: %v", err)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
