package uploads

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
)

func begin(s *Store, task string, size int64) error {
	_, _, err := s.Create(&api.Description{Task: task, Name: "f", Size: size})
	return err
}

// L1: however many begin at once, at two servers, by two protocols, the limits hold.
func TestReserveAtOnce(t *testing.T) {
	const most = 3
	for name, l := range map[string]Limits{"open": {Open: most}, "total": {Total: most * 100}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			servers := []*Store{openStore(t, dir, l), openStore(t, dir, l)}
			var wg sync.WaitGroup
			start := make(chan struct{})
			results := make(chan error, 40)
			for i := range cap(results) {
				s, task := servers[i%2], fmt.Sprintf("t%d", i)
				wg.Go(func() {
					<-start
					if i%3 == 0 {
						results <- s.Reserve(task, ".other/"+task, 100)
						return
					}
					results <- begin(s, task, 100)
				})
			}
			close(start)
			wg.Wait()
			close(results)
			taken := 0
			for err := range results {
				switch {
				case err == nil:
					taken++
				case !errors.Is(err, ErrTooMany) && !errors.Is(err, ErrFull):
					t.Error(err)
				}
			}
			if taken > most {
				t.Errorf("%d uploads, want at most %d", taken, most)
			}
		})
	}
}

// What one protocol has reserved, another neither overwrites nor gives back.
func TestReservationIsKept(t *testing.T) {
	s := openStore(t, t.TempDir(), Limits{Open: 1})
	if err := s.Reserve("x", ".other/x", 100); err != nil {
		t.Fatal(err)
	}
	if err := begin(s, "x", 1); !errors.Is(err, shoal.ErrConflict) {
		t.Errorf("the same task: %v", err)
	}
	if err := begin(s, "y", 1); !errors.Is(err, ErrTooMany) {
		t.Errorf("another: %v", err)
	}
}

// Of many that begin at one server as many are taken as there is room for, and two that begin the same are one.
func TestReserveAll(t *testing.T) {
	s := openStore(t, t.TempDir(), Limits{Open: 3})
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			if err := begin(s, fmt.Sprintf("t%d", i%3), 100); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := begin(s, "more", 100); !errors.Is(err, ErrTooMany) {
		t.Errorf("one more: %v", err)
	}
}

// What another protocol has reserved counts until it is given back, taken over or abandoned.
func TestReserve(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, Limits{Total: 300})
	data := filepath.Join(dir, "data")
	if err := errors.Join(s.Reserve("a", "data", 100), s.Reserve("b", "gone", 100)); err != nil {
		t.Fatal(err)
	}
	if err := begin(s, "c", 101); !errors.Is(err, ErrFull) {
		t.Errorf("no quota: %v", err)
	}
	if err := s.Reserve("c", "data", 201); !errors.Is(err, ErrFull) {
		t.Errorf("no quota: %v", err)
	}
	if err := s.Reserve("whole", "whole", 200, "a", "b"); err != nil {
		t.Errorf("in the place of its parts: %v", err)
	}
	if err := errors.Join(s.Unreserve("whole"), s.Unreserve("whole")); err != nil {
		t.Error(err)
	}
	// Of two that are old the data of one is there, which an upload under way has.
	old := time.Now().Add(-2 * litterAge)
	if err := os.WriteFile(data, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		if err := os.Chtimes(filepath.Join(dir, reservedDir, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := begin(s, "c", 201); !errors.Is(err, ErrFull) {
		t.Errorf("no quota: %v", err)
	}
	if err := begin(s, "c", 200); err != nil {
		t.Errorf("an abandoned one counts: %v", err)
	}
	if err := s.Unreserve("a"); err != nil {
		t.Error(err)
	}
	if err := begin(s, "d", 100); err != nil {
		t.Error(err)
	}
}
