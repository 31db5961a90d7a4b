package ingest

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/ingest/api"
	"github.com/shoal-cdn/shoal/node/ingest/pace"
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
	total, err := measure(u, run)
	if err != nil {
		return err
	}
	if r.ContentLength >= 0 && r.ContentLength != total {
		return fmt.Errorf("chunks %s: %w: the body has %d bytes, want %d", r.PathValue("chunks"), shoal.ErrInvalid, r.ContentLength, total)
	}
	a := s.attend(u)
	a.host(r.Context())
	p := &put{a: a, run: run, r: r, body: pace.New(w, r), sum: sha256.New(), digest: digest, stage: s.newStage()}
	defer p.stage.close()
	if u.Undigested() {
		err = p.whole(total)
	} else {
		err = p.each()
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

// measure says how long some chunks are, all together.
func measure(u *uploads.Upload, run api.Run) (total int64, err error) {
	limit := int64(api.MaxRequestBytes)
	if u.Undigested() {
		limit = api.MaxUndigestedBytes
	}
	for k := run.First; k < run.First+run.Count; k++ {
		size, ok := u.ChunkSize(k)
		if !ok {
			return 0, fmt.Errorf("chunk %d of upload %s: %w: there are %d", k, u.Task(), shoal.ErrInvalid, u.Chunks())
		}
		if total += int64(size); total > limit {
			return 0, fmt.Errorf("chunks %d to %d of upload %s: %w: want at most %d bytes in a request",
				run.First, run.First+run.Count-1, u.Task(), errLong, limit)
		}
	}
	return total, nil
}
