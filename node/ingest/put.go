package ingest

import (
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
)

// put is one request's chunks.
type put struct {
	a      *active
	run    api.Run
	r      *http.Request
	body   io.Reader
	sum    hash.Hash
	digest api.Digest // of the body, as the request has it
	stage  *stage
}

// each stores chunks that can be verified one by one.
func (p *put) each() error {
	var refused []api.Run
	for k := p.run.First; k < p.run.First+p.run.Count; k++ {
		size, _ := p.a.u.ChunkSize(k)
		if err := p.stage.fill(p.body, p.sum, int64(size)); err != nil {
			return err
		}
		err := p.stage.use(p.r.Context(), 0, int64(size), func(data []byte) error {
			if err := p.a.u.Write(k, data); err != nil {
				return err
			}
			p.a.tell(p.r.Context(), k, data)
			return nil
		})
		switch {
		case errors.Is(err, shoal.ErrCorrupt):
			refused = appendRun(refused, k)
		case err != nil:
			return err
		}
	}
	fits, err := p.end()
	switch {
	case err != nil:
		return err
	case len(refused) > 0:
		return refusal(refused, "they do not verify")
	case !fits:
		return refusal(nil, "each chunk verifies, but the body is not what its digest says")
	}
	return nil
}

// whole stores chunks that only the request's digest can be verified against.
func (p *put) whole(total int64) error {
	if err := p.stage.fill(p.body, p.sum, total); err != nil {
		return err
	}
	fits, err := p.end()
	if err != nil {
		return err
	}
	if !fits {
		return refusal([]api.Run{p.run}, "the body is not what its digest says")
	}
	var at int64
	for k := p.run.First; k < p.run.First+p.run.Count; k++ {
		size, _ := p.a.u.ChunkSize(k)
		err := p.stage.use(p.r.Context(), at, int64(size), func(data []byte) error { return p.a.u.Write(k, data) })
		if err != nil {
			return err
		}
		at += int64(size)
	}
	return nil
}

// end makes sure that the body ends, and reports whether it fits its digest.
func (p *put) end() (fits bool, err error) {
	n, err := io.ReadFull(p.body, make([]byte, 1))
	switch {
	case n > 0:
		return false, fmt.Errorf("%w: the body is longer than they are", shoal.ErrInvalid)
	case !errors.Is(err, io.EOF):
		return false, brokenBody(err)
	}
	return api.Digest(p.sum.Sum(nil)) == p.digest, nil
}

func refusal(refused []api.Run, why string) error {
	p := api.ProblemOf(fmt.Errorf("%w: %s", shoal.ErrCorrupt, why))
	p.Refused = refused
	return p
}

func appendRun(runs []api.Run, k int) []api.Run {
	if n := len(runs); n > 0 && runs[n-1].First+runs[n-1].Count == k {
		runs[n-1].Count++
		return runs
	}
	return append(runs, api.Run{First: k, Count: 1})
}
