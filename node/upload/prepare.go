package upload

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/shoal-cdn/shoal"
)

// prepare hashes what is not hashed yet, and measures the candidates meanwhile
// (M9). It returns when both are done.
func (r *run) prepare(ctx context.Context) (*shoal.Manifest, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	hashed := make(chan struct{})
	probed := make(chan error, 1)
	_, size, err := Fingerprint(ctx, r.opts.Path)
	if err != nil {
		return nil, gone(err)
	}
	r.note(func(p *Progress) {
		p.Name, p.Size, p.Note = filepath.Base(r.opts.Path), size, "looking for ingest servers"
	})
	go func() {
		err := r.probe(ctx, size, hashed)
		if err != nil {
			cancel(err)
		}
		probed <- err
	}()
	m, err := r.hash(ctx)
	close(hashed)
	if err != nil {
		cancel(err)
		<-probed
		return nil, context.Cause(ctx)
	}
	return m, <-probed
}

// hash makes the manifest, unless it is there.
func (r *run) hash(ctx context.Context) (*shoal.Manifest, error) {
	if m := r.opts.Manifest; m != nil {
		return m, nil
	}
	began := time.Now()
	m, err := shoal.BuildManifest(ctx, r.opts.Path, shoal.BuildOptions{Progress: func(done, total int64) {
		r.note(func(p *Progress) { p.Hashed, p.Size = done, total })
	}})
	if err != nil {
		return nil, err
	}
	r.count(func(rep *Report) { rep.HashSeconds = time.Since(began).Seconds() })
	if r.opts.Hashed != nil {
		err = r.opts.Hashed(m)
	}
	return m, err
}

// probe finds the candidates and measures the ways to them. A tracker that does
// not answer is waited for.
func (r *run) probe(ctx context.Context, size int64, hashed <-chan struct{}) error {
	began := time.Now()
	for wait := new(backoff); ; {
		cs, err := r.opts.Candidates(ctx)
		switch {
		case err == nil && len(cs) == 0:
			return fmt.Errorf("%w: no ingest server is registered", shoal.ErrNotFound)
		case err == nil:
			r.candidates, r.findings.size = cs, size
			r.prober.run(ctx, r.findings, hashed, r.opts.Known)
			r.count(func(rep *Report) { rep.ProbeSeconds = time.Since(began).Seconds() })
			r.logMeasured()
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, shoal.ErrInvalid), errors.Is(err, shoal.ErrNotFound):
			return err
		case r.opts.Timeout > 0 && time.Since(began) >= r.opts.Timeout:
			return err
		}
		d := wait.next(time.Now(), began)
		r.note(func(p *Progress) { p.Note = fmt.Sprintf("waiting for the tracker: %v", err) })
		if err := pause(ctx, d); err != nil {
			return err
		}
	}
}

// logMeasured tells what was found out, to people too.
func (r *run) logMeasured() {
	for _, m := range r.publish() {
		r.log.Info("measured", "server", m.Server, "url", m.URL, "transport", m.Transport, "up", m.Up.Short(), "rtt", m.RTT, "err", m.Error)
	}
}

// publish tells what was found out.
func (r *run) publish() []Measured {
	measured := report(r.candidates, r.results)
	r.count(func(rep *Report) { rep.Candidates = measured })
	if r.opts.Probed != nil {
		r.opts.Probed(measured)
	}
	return measured
}
