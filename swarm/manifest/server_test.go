package manifest

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal"
)

// serverOf gives one manifest.
func serverOf(m *shoal.Manifest) *Server {
	return newServer(func(id shoal.ContentID) *shoal.Manifest {
		if id == m.ID() {
			return m
		}
		return nil
	}, discard)
}

// asks is a client's side of a stream to a server, which ends when the server is done.
func asks(s *Server, peer shoal.NodeID) (c net.Conn, done chan struct{}) {
	here, there := net.Pipe()
	done = make(chan struct{})
	go func() {
		defer close(done)
		s.serve(pipe{there, peer})
	}()
	return here, done
}

// gets asks for a manifest and takes it.
func gets(s *Server, peer shoal.NodeID, id shoal.ContentID) (*shoal.Manifest, error) {
	c, done := asks(s, peer)
	defer func() { c.Close(); <-done }()
	if _, err := c.Write(id[:]); err != nil {
		return nil, err
	}
	return readAnswer(c, id)
}

func TestServerIsBounded(t *testing.T) {
	m := testManifest(t, 3<<20, 1)
	synctest.Test(t, func(t *testing.T) {
		s, id := serverOf(m), m.ID()
		begun := time.Now()
		var all []chan struct{}
		// Peers that ask and take nothing hold all places, one each.
		for i := range maxServed {
			c, done := asks(s, shoal.NodeID([]byte{byte('a' + i)}))
			all = append(all, done)
			_, _ = c.Write(id[:])
		}
		synctest.Wait()
		if len(s.line.serving) != maxServed {
			t.Errorf("%d are served", len(s.line.serving))
		}
		if got, err := gets(s, "z", id); !errors.Is(err, errBusy) || time.Since(begun) != placeTime {
			t.Errorf("one more: %v, %v after %v", got, err, time.Since(begun))
		}
		if _, err := gets(s, "z", shoal.ContentID{1}); !errors.Is(err, errNone) || time.Since(begun) != placeTime {
			t.Errorf("what is not here needs no place: %v after %v", err, time.Since(begun))
		}
		_, silent := asks(s, "y")
		for _, done := range append(all, silent) {
			<-done
		}
		if took := time.Since(begun); took > placeTime+max(chunkTime, requestTime) || len(s.line.serving) > 0 {
			t.Errorf("they were let go after %v, %d are served", took, len(s.line.serving))
		}
		if got, err := gets(s, "z", id); err != nil || got.ID() != id {
			t.Errorf("later: %v", err)
		}
	})
}

// Many who ask at once all get it, and so does one peer that asks twice: a busy server
// is no server without the manifest.
func TestServerHasOthersWait(t *testing.T) {
	m := testManifest(t, 3<<20, 1)
	synctest.Test(t, func(t *testing.T) {
		s := serverOf(m)
		var all sync.WaitGroup
		for i := range maxServed + maxWaiting {
			all.Go(func() {
				if _, err := gets(s, shoal.NodeID([]byte{byte('0' + i/2)}), m.ID()); err != nil {
					t.Errorf("peer %d: %v", i, err)
				}
			})
		}
		all.Wait()
		if len(s.line.serving)+len(s.line.waiting) > 0 {
			t.Error("a place is not given back")
		}
	})
}

func TestLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine()
		ctx, cancel := context.WithTimeout(t.Context(), placeTime)
		defer cancel()
		var got []shoal.NodeID
		var mu sync.Mutex
		var refused int
		enter := func(peer shoal.NodeID) {
			go func() {
				ok := l.enter(ctx, peer)
				mu.Lock()
				defer mu.Unlock()
				if ok {
					got = append(got, peer)
				} else {
					refused++
				}
			}()
			synctest.Wait()
		}
		expect := func(what string, no int, want ...shoal.NodeID) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(got, want) || refused != no {
				t.Errorf("%s: %v have a place, %d were refused", what, got, refused)
			}
			got, refused = nil, 0
		}
		enter("a")
		expect("the first", 0, "a")
		enter("a")
		enter("b")
		expect("one to a peer", 0, "b")
		l.leave("a")
		expect("its second", 0, "a")
		for i := range maxServed - 2 {
			enter(shoal.NodeID([]byte{byte('c' + i)}))
		}
		got = nil
		for range maxPeerWaiting + 1 {
			enter("a")
		}
		expect("too many of one peer", 1)
		enter("y")
		enter("z")
		l.leave("b")
		expect("past those who have one", 0, "y")
		for i := range maxWaiting {
			enter(shoal.NodeID([]byte{1, byte(i)}))
		}
		expect("too many", maxPeerWaiting+1)
		time.Sleep(placeTime)
		expect("no longer than they wait", maxWaiting)
		l.leave("a")
		if len(l.waiting) > 0 || len(l.serving) != maxServed-1 {
			t.Errorf("%d wait, %d have a place", len(l.waiting), len(l.serving))
		}
	})
}
