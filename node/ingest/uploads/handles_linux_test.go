package uploads

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/shoal-cdn/shoal/node/ingest/api"
)

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// Uploads that are complete hold no files open, however many there are, and can be read.
func TestCompleteHoldsNoFiles(t *testing.T) {
	const n = 40
	dir := t.TempDir()
	one, two := openStore(t, dir, Limits{}), openStore(t, dir, Limits{})
	before := descriptors(t)
	data := noise(15, 1000)
	for i := range n {
		d := &api.Description{Task: fmt.Sprintf("t%d", i), Name: "f", Size: int64(len(data))}
		u, v := create(t, one, d), create(t, two, d)
		if err := errors.Join(u.Write(0, data), u.Finish(t.Context()), v.Refresh()); err != nil || !v.Complete() {
			t.Fatal(err)
		}
	}
	if now := descriptors(t); now > before {
		t.Errorf("%d files are open besides", now-before)
	}
	for i := range n {
		u, err := one.Get(fmt.Sprintf("t%d", i))
		if err != nil {
			t.Fatal(err)
		}
		readAll(t, u, data)
	}
}

// Those that are not complete share a bounded number.
func TestManyUploadsHoldFewFiles(t *testing.T) {
	s := openStore(t, t.TempDir(), Limits{})
	before := descriptors(t)
	data := noise(16, 1000)
	for i := range openRoots + 50 {
		create(t, s, &api.Description{Task: fmt.Sprintf("t%d", i), Name: "f", Size: int64(len(data))})
	}
	if now := descriptors(t); now > before+openRoots {
		t.Errorf("%d files are open besides", now-before)
	}
	u, err := s.Get("t0")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(u.Write(0, data), u.Finish(t.Context())); err != nil {
		t.Error(err)
	}
}
