package upload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
)

const maxRounds = 5 // of sending what the end notice found missing

// final is an error after which no server and no waiting helps.
type final struct{ error }

func (e final) Unwrap() error { return e.error }

// isFinal reports whether an upload ends with err.
func isFinal(err error) bool {
	_, ok := errors.AsType[final](err)
	return ok || errors.Is(err, shoal.ErrChanged)
}

// session is the sending to one server over one transport, from the moment that
// it says what it lacks until it has all or no connection is left.
type session struct {
	*run
	route   route
	control *client
	work    *work
	turns   chan struct{} // one for each request whose body may be on its way
	gate    gate          // shut while another way is measured alone

	mu       sync.Mutex // guards the fields below
	lanes    []*lane
	spare    []*client   // for further lanes
	refusals map[int]int // by chunk
}

// send brings the server all that it lacks, and completes the upload.
func (r *run) send(ctx context.Context, rt route) (status, error) {
	c, err := r.dialer.client(rt.path)
	if err != nil {
		return status{}, err
	}
	defer c.close()
	warm, cool := r.warm(ctx, rt)
	defer cool()
	st, err := r.open(ctx, c, rt)
	if err != nil {
		return st, err
	}
	for round := 0; ; round++ {
		s := &session{run: r, route: rt, control: c, spare: warm, refusals: map[int]int{}, work: newWork(st.missing, r.source.manifest.PieceSize)}
		warm = nil
		if err := s.transfer(ctx); err != nil {
			return st, err
		}
		if err := r.source.unchanged(); err != nil {
			return st, err
		}
		r.note(func(p *Progress) { p.Note, p.Speed = "verifying on "+rt.candidate.Name, 0 })
		st, err = c.complete(ctx, r.task, r.chunks())
		p, ok := errors.AsType[*api.Problem](err)
		if !ok || len(p.Missing) == 0 || round == maxRounds {
			return st, afterEnd(st, err)
		}
		missing, ok := checkMissing(spansOf(p.Missing), r.chunks())
		if !ok {
			return st, fmt.Errorf("complete: %w: %w", shoal.ErrCorrupt, err)
		}
		st.missing = missing
		r.log.Info("the server misses chunks at the end", "server", rt.candidate.Name, "chunks", len(missing))
		r.holds(rt, r.size()-bytesOf(r.source.manifest, missing))
	}
}

// warm opens the connections that a large upload begins with, beside the one by which the
// server is asked what it has. What goes wrong with them shows when they are used. After cool
// they may be used no more.
func (r *run) warm(ctx context.Context, rt route) (clients []*client, cool func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	first, _ := connections(rt.path.Transport, rt.rtt, r.dialer.bbr())
	for range lanesPerTurn * first {
		c, err := r.dialer.client(rt.path)
		if err != nil || r.size() < raceAbove {
			break
		}
		clients = append(clients, c)
		wg.Go(func() { _, _ = c.status(ctx, r.task, r.chunks()) })
	}
	return slices.Clone(clients), func() {
		cancel()
		wg.Wait()
		for _, c := range clients {
			c.close()
		}
	}
}

// afterEnd is what the answer to the end notice means.
func afterEnd(st status, err error) error {
	switch {
	case err != nil:
		if errors.Is(err, shoal.ErrNotFound) {
			return lost{err}
		}
		return err
	case st.State == api.Failed:
		return unwilling{fmt.Errorf("%s: %w: %s", st.Server, shoal.ErrConflict, st.Error)}
	}
	return nil
}

// describeAbove is how many bytes a .torrent file may have to be sent without
// asking first whether the server knows the upload.
const describeAbove = 256 << 10

// open begins or resumes the upload on the server.
func (r *run) open(ctx context.Context, c *client, rt route) (st status, err error) {
	r.note(func(p *Progress) { p.Note, p.Speed = "asking "+rt.candidate.Name+" what it has", 0 })
	ask := r.known(rt) || len(r.description.Torrent) > describeAbove
	if ask {
		st, err = c.status(ctx, r.task, r.chunks())
	}
	if !ask || errors.Is(err, shoal.ErrNotFound) {
		st, err = c.describe(ctx, r.description)
	}
	switch {
	case err != nil:
		return st, err
	case st.State == api.Failed:
		return st, unwilling{fmt.Errorf("%s: %w: %s", rt.candidate.Name, shoal.ErrConflict, st.Error)}
	}
	r.holds(rt, r.size()-bytesOf(r.source.manifest, st.missing))
	r.log.Info("sending", "server", cmp.Or(rt.candidate.Name, st.Server), "url", rt.path.URL, "transport", rt.path.Transport,
		"why", rt.why, "speed", rt.up, "has", st.Received, "of", st.Size)
	return st, nil
}
