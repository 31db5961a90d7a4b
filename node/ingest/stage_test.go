package ingest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal/node/ingest/api"
	"github.com/shoal-cdn/shoal/node/store"
)

// putHead is the head of a request for chunks.
func putHead(task string, first, count int, body []byte) string {
	return fmt.Sprintf("PUT %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s: %s\r\nContent-Length: %d\r\n\r\n",
		api.ChunksPath(task, first, count), api.ContentDigest, api.DigestOf(body).Field(), len(body))
}

// trickle sends head, as much of body as fits in a moment, and then so many bytes a second, until all is sent or
// the connection ends.
func trickle(conn net.Conn, head string, body []byte, atOnce, rate int) {
	_, err := io.WriteString(conn, head)
	for n := atOnce; err == nil && len(body) > 0; n = rate {
		n = min(n, len(body))
		if _, err = conn.Write(body[:n]); err == nil {
			time.Sleep(time.Second)
		}
		body = body[n:]
	}
}

// However many clients send large chunks as slowly as they may, there is memory for those that don't.
func TestSlowBodiesKeepNoMemory(t *testing.T) {
	const slow, chunk = 24, api.MaxChunkBytes
	inPipes(t, func(t *testing.T, s *Service, dial func() net.Conn) {
		u, _, err := s.cfg.Store.Create(&api.Description{Task: "t", Name: "f", Size: (slow + 1) * chunk, ChunkSize: chunk})
		if err != nil {
			t.Fatal(err)
		}
		body := make([]byte, chunk)
		for i := range slow {
			conn := dial()
			defer conn.Close()
			go func() { _, _ = io.Copy(io.Discard, conn) }()
			go trickle(conn, putHead("t", i, 1, body), body, 1<<20, 4<<10)
		}
		time.Sleep(2 * patience)
		synctest.Wait()
		if !s.memory.TryAcquire(memory - slow*firstBuf) {
			t.Error("slow clients hold memory")
		} else {
			s.memory.Release(memory - slow*firstBuf)
		}
		begun := time.Now()
		conn := dial()
		defer conn.Close()
		go func() {
			_, _ = io.WriteString(conn, putHead("t", slow, 1, body))
			_, _ = conn.Write(body)
		}()
		if got := answered(t, conn); got != http.StatusOK || !u.Has(slow) {
			t.Errorf("a fast client among slow ones: status %d", got)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// What comes slowly, or while there is no memory, is kept like anything else, and refused like anything else.
func TestSlowBodyIsKept(t *testing.T) {
	const chunk, count = 256 << 10, 3
	data := bytes.Repeat([]byte("0123456789abcdef"), count*chunk/16)
	data[0], data[chunk] = 'x', 'y'
	var digests []api.Digest
	for c := range slices.Chunk(data, chunk) {
		digests = append(digests, api.DigestOf(c))
	}
	for name, c := range map[string]struct {
		digests []api.Digest
		rate    int
		full    bool // memory
	}{
		"digests, slow": {digests, 50 << 10, false}, "slow": {nil, 50 << 10, false},
		"digests, no memory": {digests, len(data), true}, "no memory": {nil, len(data), true},
	} {
		t.Run(name, func(t *testing.T) {
			inPipes(t, func(t *testing.T, s *Service, dial func() net.Conn) {
				u, _, err := s.cfg.Store.Create(&api.Description{Task: "t", Name: "f", Size: int64(len(data)), ChunkSize: chunk, Digests: c.digests})
				if err != nil {
					t.Fatal(err)
				}
				if c.full && !s.memory.TryAcquire(memory) {
					t.Fatal("no memory to take")
				}
				wrong := slices.Clone(data)
				wrong[chunk+5] ^= 1
				for _, sent := range [][]byte{wrong, data} {
					conn := dial()
					defer conn.Close()
					go trickle(conn, putHead("t", 0, count, data), sent, c.rate, c.rate)
					want := http.StatusOK
					if &sent[0] == &wrong[0] {
						want = http.StatusUnprocessableEntity
					}
					if got := answered(t, conn); got != want {
						t.Errorf("status %d, want %d", got, want)
					}
					if want != http.StatusOK && u.Has(1) {
						t.Error("a wrong chunk is kept")
					}
				}
				if err := u.Finish(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got, err := os.ReadFile(u.Path()); err != nil || !bytes.Equal(got, data) {
					t.Errorf("another file: %v", err)
				}
				if c.full {
					s.memory.Release(memory)
				}
				synctest.Wait()
				if !s.memory.TryAcquire(memory) || !s.checking.TryAcquire(checking) {
					t.Error("memory is not given back")
				}
			})
		})
	}
}

// busyLibrary does something else for a day.
type busyLibrary struct{}

func (busyLibrary) Host(ctx context.Context, _ store.Content) (Hosted, error) {
	select {
	case <-time.After(24 * time.Hour):
	case <-ctx.Done():
	}
	return nil, context.Cause(ctx)
}

// endless is hosted, and cannot be ended.
type endless struct{ fakeHosted }

func (*endless) End() { <-time.After(24 * time.Hour) }

type endlessLibrary struct{ fakeLibrary }

func (l *endlessLibrary) Host(_ context.Context, c store.Content) (Hosted, error) {
	return &endless{fakeHosted{lib: &l.fakeLibrary, c: c}}, nil
}

// Nor does one that does not let go.
func TestLibraryHoldsOn(t *testing.T) {
	d, _, _ := describe(t)
	inPipes(t, func(t *testing.T, s *Service, dial func() net.Conn) {
		s.cfg.Library = &endlessLibrary{}
		u, _, err := s.cfg.Store.Create(d)
		if err != nil {
			t.Fatal(err)
		}
		s.attend(u).host(t.Context())
		request := "DELETE " + api.UploadPath("t") + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
		for range 2 {
			conn := dial()
			defer conn.Close()
			if got := exchange(t, conn, request); got != http.StatusServiceUnavailable {
				t.Errorf("status %d", got)
			}
		}
		time.Sleep(48 * time.Hour)
		if s.attend(u).ctx.Err() != nil {
			t.Error("what was not deleted is not attended to any more")
		}
		conn := dial()
		defer conn.Close()
		if got := exchange(t, conn, request); got != http.StatusNoContent {
			t.Errorf("in the end: status %d", got)
		}
	})
}

// A library that is busy holds no request up for long.
func TestLibraryIsBusy(t *testing.T) {
	d, data, _ := describe(t)
	inPipes(t, func(t *testing.T, s *Service, dial func() net.Conn) {
		s.cfg.Library = busyLibrary{}
		if _, _, err := s.cfg.Store.Create(d); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		for _, request := range []string{
			putHead("t", 0, 2, piece(data, 0, 2)) + string(piece(data, 0, 2)),
			putHead("t", 2, 3, piece(data, 2, 3)) + string(piece(data, 2, 3)),
			"POST " + api.CompletePath("t") + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
		} {
			conn := dial()
			defer conn.Close()
			if got := exchange(t, conn, request); got != http.StatusOK {
				t.Errorf("status %d", got)
			}
		}
		if took := time.Since(begun); took > 2*hostWait+announceTime {
			t.Errorf("they took %v", took)
		}
		conn := dial()
		defer conn.Close()
		if got := exchange(t, conn, "DELETE "+api.UploadPath("t")+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); got != http.StatusNoContent {
			t.Errorf("delete: status %d", got)
		}
	})
}
