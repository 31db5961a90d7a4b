package library

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/store"
	"github.com/shoal-cdn/shoal/swarm"
)

// unit is one content. Its goroutine (run.go) opens, fetches, publishes and
// serves it; start, halt and want are called with the library's op held.
type unit struct {
	id     shoal.ContentID
	lib    *Library
	hosted store.Content // for one that somebody else keeps; nil where it is in the store

	cancel context.CancelCauseFunc // guarded by op

	// Changed with both op and mu held.
	ready chan struct{} // closed when it is in the swarm, or has ended
	ended chan struct{} // closed when the goroutine has let go of everything

	saving sync.Mutex // held while the record is written, so that the newest is the last

	busy atomic.Bool // with what is on the disk

	mu       sync.Mutex
	running  bool            // the goroutine will still look at wanted
	wanted   bool            // what is missing shall be fetched
	complete bool            // all of it is here, published
	manifest *shoal.Manifest // nil until known
	content  store.Content   // nil until opened; still good for Pieces after the goroutine closed it
	at       string          // content's Path
	inPlace  bool            // content's InPlace
	session  Session         // nil while it is in no swarm
	pieces   swarm.Store     // the session's
	early    []swarm.Peer    // told of before there was a session
	sent     int64           // payload bytes of earlier sessions
	err      error           // why the goroutine ended; nil while it runs
	failed   time.Time       // when it ended by a failure; zero where that was before a restart
	rec      record          // counters: of earlier sessions
	saved    record
}

func newUnit(l *Library, id shoal.ContentID, r record, wanted bool) *unit {
	u := &unit{id: id, lib: l, rec: r, saved: r, wanted: wanted}
	if r.Error != "" {
		u.err = errors.New(r.Error)
	}
	return u
}

// start sets the goroutine off. The one before must have ended.
func (u *unit) start() {
	ctx, cancel := context.WithCancelCause(u.lib.ctx)
	ready, ended := make(chan struct{}), make(chan struct{})
	u.cancel = cancel
	u.mu.Lock()
	u.ready, u.ended = ready, ended
	u.running, u.session = true, nil
	u.mu.Unlock()
	u.lib.running.Go(func() {
		defer cancel(nil)
		u.run(ctx, sync.OnceFunc(func() { close(ready) }), ended)
	})
}

// halt ends the goroutine and waits for it.
func (u *unit) halt(cause error) {
	u.cancel(cause)
	<-u.ended
}

// want is [Library.Want] for a content that is known.
func (u *unit) want(dest string, operator bool) (complete bool, err error) {
	u.mu.Lock()
	if err := u.checkDest(dest); err != nil {
		u.mu.Unlock()
		return false, err
	}
	complete = u.complete && u.running
	idle := !u.running
	if !complete {
		u.wanted = true
		u.rec.Wanted = u.rec.Wanted || operator && u.hosted == nil
		u.rec.Error = ""
		if dest != "" {
			u.rec.Dest = dest
		}
	}
	u.mu.Unlock()
	if complete {
		return true, nil
	}
	if operator {
		u.save()
	}
	if idle {
		<-u.ended
		u.mu.Lock()
		u.err, u.complete = nil, false
		u.mu.Unlock()
		u.start()
		u.lib.cfg.Changed()
	}
	return false, nil
}

// checkDest makes sure that dest is where the content is or will be. The
// caller holds mu.
func (u *unit) checkDest(dest string) error {
	if dest == "" || dest == u.rec.Dest {
		return nil
	}
	at := u.path()
	if u.content == nil && u.err != nil { // nothing of it is there: the next attempt may go elsewhere
		return nil
	}
	if at == filepath.Join(u.lib.cfg.Files, filepath.FromSlash(dest)) {
		return nil
	}
	if at == "" {
		at = "its own name"
	}
	verb := "is being fetched to"
	if u.complete {
		verb = "is already at"
	}
	return fmt.Errorf("fetch %s to %q: %w: the content %s %s; leave the destination out, or remove the content first",
		u.id.Short(), dest, shoal.ErrConflict, verb, at)
}

// path is where the content is or will be; "" while its name is not known.
// The caller holds mu.
func (u *unit) path() string {
	switch {
	case u.content != nil:
		return u.at
	case u.rec.Dest != "":
		return filepath.Join(u.lib.cfg.Files, filepath.FromSlash(u.rec.Dest))
	case u.manifest != nil:
		return filepath.Join(u.lib.cfg.Files, u.manifest.Name())
	}
	return ""
}

// keep reports whether the content stays when no task wants it.
func (u *unit) keep() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.complete || u.rec.Wanted || u.inPlace || u.hosted != nil
}

// fail records why a unit that has stopped cannot go on.
func (u *unit) fail(err error) {
	u.mu.Lock()
	u.err, u.rec.Error = err, err.Error()
	u.mu.Unlock()
	u.save()
	u.lib.cfg.Changed()
}

// save makes the record durable where it changed.
func (u *unit) save() {
	u.saving.Lock()
	defer u.saving.Unlock()
	u.mu.Lock()
	r := u.rec.with(u.session)
	same := reflect.DeepEqual(r, u.saved)
	u.saved = r
	u.mu.Unlock()
	if same {
		return
	}
	if err := u.lib.records.Put(u.id.String(), r); err != nil {
		u.lib.cfg.Log.Warn("could not save the counters of a content", "content", u.id, "err", err)
	}
}
