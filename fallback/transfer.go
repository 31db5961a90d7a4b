package fallback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/shoal-cdn/shoal"
)

// transfer fetches what is missing of a segment by one request.
type transfer struct {
	f   *Fetcher
	c   *conn
	seg *segment
	how how
	// answer bounds the wait for the header, stall that for the next byte.
	answer, stall time.Duration

	link   *link       // in use
	watch  *time.Timer // cancels the request
	before int64       // bytes that the lane had brought
	cruise cruise
	out    outcome
	// unusable: the link must not be used again, although the range has come.
	unusable bool
}

// tailWait is how long to wait for the end of a body that is complete, so that
// the connection can be used again.
const tailWait = time.Second

// run is the life of the goroutine. It returns the outcome when the segment is
// complete, or its owner again is the loop.
func (t *transfer) run(ctx context.Context) outcome {
	began := time.Now()
	t.before = t.c.lane.got.Load()
	t.out = outcome{c: t.c, transport: t.how.transport}
	t.start()
	t.out.err = t.fetch(ctx)
	if ctx.Err() != nil {
		t.out.err = context.Cause(ctx)
	}
	t.out.took = time.Since(began)
	if t.c.got.Load() > 0 {
		t.out.rate = t.cruise.rate(time.Now(), t.c.lane.got.Load()-t.before, t.out.took)
	}
	t.c.lane.leave(t.link, t.out.err != nil || t.unusable)
	if t.seg.have == 0 {
		t.c.buf, t.seg.buf = t.seg.buf, nil
	}
	return t.out
}

func (t *transfer) fetch(parent context.Context) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	t.watch = time.AfterFunc(t.answer, func() { cancel(errSilence) })
	defer t.watch.Stop()

	from, to := t.seg.missing()
	resp, err := t.request(ctx, from, to)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	t.learn(resp)
	if f := checkAnswer(resp, from, to, t.f.cfg.Manifest.Files()[t.seg.file].Length); f != nil {
		return f
	}
	if !t.c.src.tags.same(t.seg.file, resp.Header.Get("ETag")) {
		t.waste(t.seg.drop())
		return faultf(changed, "%w: its file has changed: another ETag than before", shoal.ErrUnavailable)
	}
	return t.receive(ctx, parent, resp.Body, from, to)
}

// start readies connection and segment.
func (t *transfer) start() {
	t.link = t.c.lane.use(t.how, func() *link { return open(t.c.src, t.how, t.f.dial) })
	if t.seg.buf == nil {
		t.seg.buf, t.c.buf = t.c.buf, nil
	}
	// A piece of which a mixture did not verify must come from one source.
	if t.seg.suspect != nil && slices.ContainsFunc(t.seg.from, func(s *source) bool { return s != t.c.src }) {
		t.waste(t.seg.drop())
	}
}

func (t *transfer) request(ctx context.Context, from, to int64) (*http.Response, error) {
	src := t.c.src
	req := (&http.Request{
		Method: http.MethodGet,
		URL:    fileURL(src.Kind, src.base, t.f.cfg.Manifest, t.seg.file),
		Header: http.Header{
			"Accept-Encoding": {"identity"},
			"Range":           {"bytes=" + strconv.FormatInt(from, 10) + "-" + strconv.FormatInt(to-1, 10)},
			"User-Agent":      {"shoal"},
		},
	}).WithContext(ctx)
	began := time.Now()
	resp, err := t.link.client.Do(req)
	if err != nil {
		if context.Cause(ctx) == errSilence {
			return nil, silenceFault("wait for an answer", time.Since(began))
		}
		return nil, requestFault(err, time.Since(began))
	}
	t.link.answered.Store(true)
	t.link.rtt.CompareAndSwap(0, 1) // it is known now that there is one
	t.c.rtt.Store(t.link.rtt.Load())
	return resp, nil
}

// learn notes that the server offers HTTP/3; from now on that could take over.
func (t *transfer) learn(resp *http.Response) {
	port, ok := http3Port(resp.Header.Get("Alt-Svc"))
	if base := t.c.src.base; !ok || base.Scheme != "https" || resp.Request.URL.Host != base.Host {
		return
	}
	t.c.src.offer.Store(uint32(port))
	if t.how.transport == TCP {
		t.stall = min(t.stall, t.f.cfg.Limits.stallTCP(time.Duration(t.c.rtt.Load())))
	}
}

// receive reads a body that begins at byte from of the file and should end at to.
func (t *transfer) receive(ctx, parent context.Context, body io.Reader, from, to int64) error {
	at := from
	for {
		piece, ok := t.seg.current()
		if !ok {
			break
		}
		size := t.f.cfg.Manifest.PieceSize(piece)
		if t.seg.buf == nil {
			t.seg.buf = make([]byte, t.f.cfg.Manifest.PieceLength())
		}
		for t.seg.have < size {
			n, err := t.read(ctx, body, t.seg.buf[t.seg.have:min(size, t.seg.have+chunk)])
			at += int64(n)
			if err != nil && t.seg.have < size {
				if f, ok := errors.AsType[*fault](err); ok {
					return f
				}
				return bodyFault(err, at-from, to-from)
			}
			if 2*(at-from) >= to-from {
				t.cruise.mark(time.Now(), t.c.lane.got.Load()-t.before)
			}
		}
		if err := t.deliver(parent, piece, size); err != nil {
			return err
		}
	}
	if at < to { // cut short in favour of another connection
		return nil
	}
	return t.end(ctx, body, to-from)
}

// read reads once, and accounts for it.
func (t *transfer) read(ctx context.Context, body io.Reader, p []byte) (int, error) {
	t.watch.Reset(t.stall)
	began := time.Now()
	n, err := body.Read(p)
	waited := time.Since(began)
	t.watch.Stop()
	if n > 0 {
		t.seg.received(n, t.c.src)
		t.c.src.bytes.Add(int64(n))
		t.c.got.Add(int64(n))
		t.c.lane.got.Add(int64(n))
		if werr := t.f.limit(ctx, n); werr != nil {
			return n, werr
		}
	}
	if err != nil && context.Cause(ctx) == errSilence {
		return n, silenceFault("transfer", waited)
	}
	if err != nil {
		return n, err
	}
	limits := &t.f.cfg.Limits
	switch t.c.floor.add(n, waited) {
	case good:
		t.f.progressed()
	case tooSlow:
		return n, faultf(slow, "%w: too slow: less than %s for %s", shoal.ErrUnavailable, limits.MinRate.Short(), round(limits.Window))
	}
	return n, nil
}

func (t *transfer) deliver(ctx context.Context, piece, size int) error {
	first, err := t.seg.store(func() error {
		t.f.atHome.Add(1)
		defer t.f.atHome.Add(-1)
		return t.f.cfg.Pieces.Deliver(ctx, piece, t.seg.buf[:size])
	})
	switch {
	case !first:
		t.waste(t.seg.drop())
		return errLost
	case errors.Is(err, shoal.ErrCorrupt):
		senders := t.seg.from
		t.waste(t.seg.drop())
		if len(senders) > 1 {
			t.seg.suspect = senders
			return faultf(mixed, "piece %d, from several upstreams: %w", piece, err)
		}
		return faultf(corrupted, "piece %d: %w: its bytes do not verify", piece, shoal.ErrCorrupt)
	case err != nil:
		return &localError{fmt.Errorf("fetch: %w", err)}
	}
	t.out.guilty = append(t.out.guilty, guilty(t.seg.suspect, t.c.src)...)
	t.seg.advance()
	t.f.delivered.Add(int64(size))
	t.f.progressed()
	return nil
}

// guilty are those of the senders of a piece that did not verify whose fault that
// was, now that it did verify from src alone: certain only where src was one of two.
func guilty(senders []*source, src *source) []*source {
	others := slices.DeleteFunc(slices.Clone(senders), func(s *source) bool { return s == src })
	slices.SortFunc(others, func(a, b *source) int { return strings.Compare(a.Name, b.Name) })
	others = slices.Compact(others)
	if len(others) != 1 || !slices.Contains(senders, src) {
		return nil
	}
	return others
}

// end finds out whether a body of n bytes is over.
func (t *transfer) end(ctx context.Context, body io.Reader, n int64) error {
	t.watch.Reset(tailWait)
	var one [1]byte
	more, err := io.ReadFull(body, one[:])
	t.watch.Stop()
	if more > 0 {
		return faultf(endless, "%w: sends more than the %d bytes asked for", shoal.ErrCorrupt, n)
	}
	if err != io.EOF {
		t.unusable = true // all is here, but the connection is of no use any more
	}
	return nil
}

func (t *transfer) waste(n int) { t.f.wasted.Add(int64(n)) }

// limit waits until n more bytes are within the limit.
func (f *Fetcher) limit(ctx context.Context, n int) error {
	l := f.cfg.Limiter
	if l == nil {
		return nil
	}
	f.atHome.Add(1)
	defer f.atHome.Add(-1)
	for n > 0 {
		part := n
		if l.Limit() != rate.Inf {
			part = min(n, max(1, l.Burst()))
		}
		if err := l.WaitN(ctx, part); err != nil {
			return err
		}
		n -= part
	}
	return nil
}
