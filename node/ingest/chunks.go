package ingest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
	"github.com/shoal-cdn/shoal/node/ingest/uploads"
)

// putChunks stores the chunks of a request, each as soon as it is here and verified, and answers
// when they are durable.
func (s *Service) putChunks(w http.ResponseWriter, r *http.Request) error {
	select {
	case s.requests <- struct{}{}:
		defer func() { <-s.requests }()
	default:
		return errBusy
	}
	digest, err := api.ParseField(strings.Join(r.Header.Values(api.ContentDigest), ","))
	if err != nil {
		return err
	}
	u, err := s.cfg.Store.Recent(r.PathValue("task"))
	if err != nil {
		return err
	}
	defer u.Use()()
	run, err := parseRun(r.PathValue("chunks"))
	if err != nil {
		return err
	}
	most, total, err := measure(u, run)
	if err != nil {
		return err
	}
	if r.ContentLength >= 0 && r.ContentLength != total {
		return fmt.Errorf("chunks %s: %w: the body has %d bytes, want %d", r.PathValue("chunks"), shoal.ErrInvalid, r.ContentLength, total)
	}
	need := int64(most)
	if u.Undigested() {
		need = total // nothing is kept before all of it is verified
	}
	free, err := s.reserve(r.Context(), need)
	if err != nil {
		return err
	}
	defer free()
	a := s.attend(u)
	a.host(r.Context())
	p := &put{a: a, run: run, r: r, body: paced(w, r), sum: sha256.New(), digest: digest}
	if u.Undigested() {
		err = p.whole(total)
	} else {
		err = p.each(most)
	}
	if err != nil {
		return fmt.Errorf("chunks %s: %w", r.PathValue("chunks"), err)
	}
	return s.acknowledge(w, r, u, run)
}

// acknowledge answers once the chunks are durable.
func (s *Service) acknowledge(w http.ResponseWriter, r *http.Request, u *uploads.Upload, run api.Run) error {
	err := u.Sync(r.Context())
	var ack api.Ack
	ack.Missing, ack.Next = u.Missing(run.First, run.First+run.Count)
	if len(ack.Missing) > 0 {
		if err == nil {
			err = u.Failure()
		}
		if err == nil {
			err = fmt.Errorf("%w: try again", shoal.ErrUnavailable)
		}
		return err
	}
	reply(w, http.StatusOK, ack)
	return nil
}

// parseRun reads "7" or "7-12".
func parseRun(v string) (api.Run, error) {
	from, to, isRange := strings.Cut(v, "-")
	first, err := strconv.ParseUint(from, 10, 31)
	last := first
	if err == nil && isRange {
		last, err = strconv.ParseUint(to, 10, 31)
	}
	if err != nil || last < first {
		return api.Run{}, fmt.Errorf("chunks: %w: want N or FIRST-LAST", shoal.ErrInvalid)
	}
	return api.Run{First: int(first), Count: int(last-first) + 1}, nil
}

// measure says how long the longest of some chunks is, and all together.
func measure(u *uploads.Upload, run api.Run) (most int, total int64, err error) {
	limit := int64(api.MaxRequestBytes)
	if u.Undigested() {
		limit = api.MaxUndigestedBytes
	}
	for k := run.First; k < run.First+run.Count; k++ {
		size, ok := u.ChunkSize(k)
		if !ok {
			return 0, 0, fmt.Errorf("chunk %d of upload %s: %w: there are %d", k, u.Task(), shoal.ErrInvalid, u.Chunks())
		}
		most = max(most, size)
		if total += int64(size); total > limit {
			return 0, 0, fmt.Errorf("chunks %d to %d of upload %s: %w: want at most %d bytes in a request",
				run.First, run.First+run.Count-1, u.Task(), errLong, limit)
		}
	}
	return most, total, nil
}

// put is one request's chunks.
type put struct {
	a      *active
	run    api.Run
	r      *http.Request
	body   io.Reader
	sum    hash.Hash
	digest api.Digest // of the body, as the request has it
}

// each stores chunks that can be verified one by one.
func (p *put) each(most int) error {
	buf := make([]byte, most)
	var refused []api.Run
	for k := p.run.First; k < p.run.First+p.run.Count; k++ {
		size, _ := p.a.u.ChunkSize(k)
		data := buf[:size]
		if err := p.read(data); err != nil {
			return err
		}
		err := p.a.u.Write(k, data)
		switch {
		case errors.Is(err, shoal.ErrCorrupt):
			refused = appendRun(refused, k)
		case err != nil:
			return err
		default:
			p.a.tell(p.r.Context(), k, data)
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
	buf := make([]byte, total)
	if err := p.read(buf); err != nil {
		return err
	}
	fits, err := p.end()
	if err != nil {
		return err
	}
	if !fits {
		return refusal([]api.Run{p.run}, "the body is not what its digest says")
	}
	for k := p.run.First; k < p.run.First+p.run.Count; k++ {
		size, _ := p.a.u.ChunkSize(k)
		if err := p.a.u.Write(k, buf[:size]); err != nil {
			return err
		}
		buf = buf[size:]
	}
	return nil
}

func (p *put) read(data []byte) error {
	if _, err := io.ReadFull(p.body, data); err != nil {
		return brokenBody(err)
	}
	p.sum.Write(data)
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
