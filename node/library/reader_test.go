package library

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal"
)

func (s *fakeSession) Want(first, count int) (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := [2]int{first, count}
	s.wanted = append(s.wanted, w)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.wanted = slices.DeleteFunc(s.wanted, func(o [2]int) bool { return o == w })
	}
}

func (s *fakeSession) WaitPieces(ctx context.Context, first, count int) error {
	for !s.st.Pieces().Has(first) {
		select {
		case <-s.done:
			return fmt.Errorf("%w: the swarm was left", shoal.ErrUnavailable)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

func (s *fakeSession) urgent() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprint(s.wanted)
}

// mayPull is the library's Config.Pull.
func (w *world) mayPull(p Pull) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pulls = append(w.pulls, p)
	return w.noPull
}

func (w *world) read() *Reader {
	w.t.Helper()
	r, err := w.Read(w.t.Context(), w.manifest.ID())
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// wait calls Wait in the background.
func (w *world) wait(r *Reader, first, count int) <-chan error {
	done := make(chan error, 1)
	go func() { done <- r.Wait(w.t.Context(), first, count) }()
	synctest.Wait()
	return done
}

// check reads a piece that was waited for.
func (w *world) check(r *Reader, piece int) {
	w.t.Helper()
	got, want := make([]byte, 100), w.data[piece*32<<10+5:]
	if err := r.ReadAt(got, piece, 5); err != nil || !bytes.Equal(got, want[:100]) {
		w.t.Errorf("piece %d: %v, or wrong bytes", piece, err)
	}
}

// B5: the first read of what is not here has it fetched, to a folder named by
// the content's ID, and the pieces that are waited for come first.
func TestReaderPulls(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.read()
		synctest.Wait()
		if len(w.sessions) != 0 || w.Len() != 0 {
			t.Fatal("looking at a manifest fetches the content")
		}
		done := w.wait(r, 3, 4)
		s := w.session()
		if got := s.urgent(); got != "[[3 4]]" {
			t.Errorf("urgent: %s", got)
		}
		if c := w.content(); c.Path != "/memory/"+w.manifest.ID().String()+"/film.bin" {
			t.Errorf("fetched to %s", c.Path)
		}
		if want := (Pull{Size: w.manifest.Size()}); len(w.pulls) != 1 || w.pulls[0] != want {
			t.Errorf("asked about %+v, want %+v", w.pulls, want)
		}
		s.receive(t, w.data, 3, 5)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		w.check(r, 3)
		if err := r.Wait(t.Context(), 4, 2); err != nil || s.urgent() != "[[4 2]]" {
			t.Errorf("next piece: %v, urgent %s", err, s.urgent())
		}
		if err := r.Close(); err != nil || s.urgent() != "[]" {
			t.Errorf("after Close: %v, urgent %s", err, s.urgent())
		}
		s.receive(t, w.data, 0, 3)
		s.receive(t, w.data, 5, 10)
		if got := w.outcomes(); len(got) != 1 || got[0] != nil {
			t.Errorf("the fetch does not go on without the reader: %v", got)
		}
		r = w.read()
		if err := r.Wait(t.Context(), 9, 1); err != nil {
			t.Error(err)
		}
		w.check(r, 9)
	})
}

func TestReaderRefused(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		if _, err := w.Read(t.Context(), shoal.ContentID{1}); !errors.Is(err, shoal.ErrNotFound) {
			t.Errorf("unknown content: %v", err)
		}
		w.noPull = fmt.Errorf("%w: no room", shoal.ErrUnavailable)
		r := w.read()
		if err := r.Wait(t.Context(), 0, 1); !errors.Is(err, shoal.ErrUnavailable) || w.Len() != 0 {
			t.Errorf("%v, %d contents", err, w.Len())
		}
		if err := r.ReadAt(make([]byte, 1), 0, 0); !errors.Is(err, shoal.ErrNotFound) {
			t.Errorf("read before Wait: %v", err)
		}
		w.trackers = fmt.Errorf("%w: nobody there", shoal.ErrUnavailable)
		begun := time.Now()
		if _, err := w.Read(t.Context(), shoal.ContentID{2}); !errors.Is(err, shoal.ErrUnavailable) || time.Since(begun) != 0 {
			t.Errorf("no tracker: %v after %v", err, time.Since(begun))
		}
	})
}

// Readers cannot make a node try what has just failed again and again.
func TestReaderOfFailure(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.read()
		done := w.wait(r, 0, 1)
		w.session().end(syscall.ENOSPC)
		if err := <-done; !errors.Is(err, shoal.ErrUnavailable) || !strings.Contains(err.Error(), "no space") {
			t.Errorf("waiting: %v", err)
		}
		if err := r.Wait(t.Context(), 0, 1); !errors.Is(err, shoal.ErrUnavailable) || len(w.sessions) != 1 {
			t.Errorf("at once: %v", err)
		}
		time.Sleep(pullPause)
		done = w.wait(r, 0, 1)
		w.session().receive(t, w.data, 0, 1)
		if err := <-done; err != nil || len(w.sessions) != 2 {
			t.Errorf("later: %v, %d sessions", err, len(w.sessions))
		}
	})
}

// What only readers asked for is not in the way of an order.
func TestOrderOverReader(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.read()
		done := w.wait(r, 7, 1)
		w.session().receive(t, w.data, 0, 5)
		if w.want("films/a.bin", true) {
			t.Error("complete at once")
		}
		s := w.session()
		if c := w.content(); c.Path != "/memory/films/a.bin" || c.PiecesHeld != 0 || len(w.sessions) != 2 {
			t.Errorf("%+v", c)
		}
		s.receive(t, w.data, 0, 10)
		if err := <-done; err != nil {
			t.Errorf("the reader: %v", err)
		}
		w.check(r, 7)
		if _, err := w.Want(w.manifest.ID(), "elsewhere", false); !errors.Is(err, shoal.ErrConflict) {
			t.Errorf("a copy that was ordered: %v", err)
		}
	})
}

// After a restart a reader's content rests until the next one comes.
func TestReaderAfterRestart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.read()
		w.wait(r, 0, 1)
		w.session().receive(t, w.data, 0, 4)
		w.restart()
		if c := w.content(); c.PiecesHeld != 4 || len(w.sessions) != 1 {
			t.Fatalf("%+v", c)
		}
		other := &shoal.Manifest{}
		if got, want := w.account(other), (Pull{Pulled: 4 * 32 << 10}); got != want {
			t.Errorf("at rest it counts as %+v, want %+v", got, want)
		}
		r = w.read()
		done := w.wait(r, 9, 1)
		if got, want := w.account(other), (Pull{Pulled: w.manifest.Size(), Coming: w.manifest.Size() - 4*32<<10}); got != want {
			t.Errorf("under way it counts as %+v, want %+v", got, want)
		}
		w.session().receive(t, w.data, 4, 10)
		if err := <-done; err != nil {
			t.Error(err)
		}
		w.want("", false)
		if got := w.account(other); got != (Pull{}) {
			t.Errorf("once it is ordered it counts as %+v", got)
		}
	})
}

// A seed that is put in place anew does not break readers off.
func TestReaderOfSeed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		seed := func() {
			if _, err := w.Seed(t.Context(), w.path, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		seed()
		r := w.read()
		if err := r.Wait(t.Context(), 0, 2); err != nil {
			t.Fatal(err)
		}
		w.check(r, 0)
		if f, ok := r.File(0); ok {
			f.Close()
			t.Error("a file in place is somebody else's")
		}
		seed()
		if err := r.ReadAt(make([]byte, 1), 0, 0); err != nil && !errors.Is(err, shoal.ErrNotFound) {
			t.Error(err)
		}
		if err := r.Wait(t.Context(), 1, 1); err != nil {
			t.Error(err)
		}
		w.check(r, 1)
	})
}

// Readers that come while another's pull begins find the manifest whole.
func TestConcurrentPulls(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // no piece comes
		defer cancel()
		done := make(chan error, 8)
		for range cap(done) {
			go func() {
				r, err := w.Read(ctx, w.manifest.ID())
				if err == nil {
					err = r.Wait(ctx, 0, 1)
					r.Close()
				}
				done <- err
			}()
		}
		for range cap(done) {
			if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		}
	})
}
