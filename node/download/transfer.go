package download

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/time/rate"

	"github.com/shoal-cdn/shoal"
)

// BufferSize is how many bytes are read, written and hashed at a time.
const BufferSize = 256 << 10

const (
	patience    = 25 * time.Second // without progress, until another attempt is not worth it
	progressMin = 64 << 10         // bytes: less is no progress

	stallTime  = 10 * time.Second // within which an answer and so many bytes have to come
	stallBytes = 16 << 10

	firstPause, longestPause = 500 * time.Millisecond, 5 * time.Second // between attempts

	tellEvery = 100 * time.Millisecond

	// spareSpace stays free on the disk: other contents need some too.
	spareSpace = 256 << 20
)

// transfer fills a part. It belongs to one goroutine.
type transfer struct {
	part    *part
	client  *http.Client
	limiter *rate.Limiter // may be nil
	most    int64         // bytes
	log     *slog.Logger
	tell    func(Progress)
	ranges  bool         // as the last answer showed
	arrived atomic.Int64 // bytes since the watchdog looked
}

// run makes attempts until the file is complete, the reason of a failure is
// final, or nothing has been gained for too long.
func (t *transfer) run(ctx context.Context) error {
	if t.part.state.Durable > 0 {
		t.note("checking what is here")
	}
	if err := t.part.recover(ctx); err != nil {
		return err
	}
	pause := &backoff.ExponentialBackOff{InitialInterval: firstPause, MaxInterval: longestPause, Multiplier: 2, RandomizationFactor: 0.2}
	pause.Reset()
	best, gained := t.part.size(), time.Now()
	for {
		err := t.attempt(ctx)
		switch {
		case err == nil:
			return t.part.sync()
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case isFinal(err):
			return err
		}
		if size := t.part.size(); size >= best+progressMin {
			best, gained = size, time.Now()
			pause.Reset()
			if errors.Is(err, errCapped) {
				continue
			}
		}
		if time.Since(gained) >= patience {
			return fmt.Errorf("gave up at byte %d: %w: %w", t.part.size(), shoal.ErrUnavailable, err)
		}
		t.log.Info("a download goes on after a break", "url", place(t.part.state.URL), "at", t.part.size(), "err", err)
		if errors.Is(err, errChanged) {
			if err := t.part.restart(); err != nil {
				return err
			}
		}
		t.note("trying again: " + err.Error())
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause.NextBackOff()):
		}
	}
}

// attempt makes one request and stores what comes. nil: the file is complete.
func (t *transfer) attempt(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := t.watch(cancel)
	defer stop()

	resp, err := t.request(ctx)
	if err != nil {
		return whyNot(ctx, err)
	}
	defer resp.Body.Close()
	a, err := judge(resp, t.part.size(), t.part.state)
	if err != nil {
		return err
	}
	if err := t.begin(a); err != nil {
		return err
	}
	if err := t.copy(ctx, resp.Body, a); err != nil {
		return whyNot(ctx, err)
	}
	return nil
}

// request asks for the rest of the file, if it is still the one that there is a
// part of.
func (t *transfer) request(ctx context.Context) (*http.Response, error) {
	if t.part.size() > 0 && t.part.state.Validator == "" {
		if err := t.part.restart(); err != nil {
			return nil, final{err}
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.part.state.URL, nil)
	if err != nil {
		return nil, final{fmt.Errorf("%w: %w", shoal.ErrInvalid, err)}
	}
	// A range from the start on too: the answer shows whether parts are served.
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-", t.part.size()))
	if t.part.size() > 0 {
		req.Header.Set("If-Range", t.part.state.Validator)
	}
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "shoal")
	return t.client.Do(req)
}

// begin prepares the part for what the answer promises.
func (t *transfer) begin(a answer) error {
	if a.total > t.most {
		return final{fmt.Errorf("%w: it has %d bytes, and the operator of the node allows %d", shoal.ErrInvalid, a.total, t.most)}
	}
	if t.part.size() > a.first { // the server begins at the start
		if err := t.part.restart(); err != nil {
			return final{err}
		}
	}
	t.ranges = a.ranges
	t.part.state.Total = a.total
	if a.first == 0 { // later answers need not repeat it
		t.part.state.Validator = a.validator
	}
	return t.checkSpace(max(a.total-t.part.size(), 0))
}

// copy stores the body. It returns nil once the file is complete.
func (t *transfer) copy(ctx context.Context, body io.Reader, a answer) error {
	if a.length >= 0 {
		body = io.LimitReader(body, a.length)
	}
	buf := make([]byte, BufferSize)
	told, checked := time.Time{}, t.part.size()
	for {
		n, err := body.Read(buf)
		if t.part.size()+int64(n) > t.most {
			return final{fmt.Errorf("%w: it has more than the %d bytes that the operator of the node allows", shoal.ErrInvalid, t.most)}
		}
		if n > 0 {
			if err := t.part.append(buf[:n]); err != nil {
				return err
			}
			t.arrived.Add(int64(n))
			if t.limiter != nil {
				if err := t.limiter.WaitN(ctx, n); err != nil {
					return err
				}
			}
		}
		if size := t.part.size(); size-checked >= syncBytes {
			checked = size
			if err := t.checkSpace(max(a.total-size, 0)); err != nil {
				return err
			}
		}
		if now := time.Now(); now.Sub(told) >= tellEvery || err != nil {
			told = now
			t.note("")
		}
		switch {
		case err == io.EOF:
			switch size := t.part.size(); {
			case a.length >= 0 && size < a.first+a.length:
				return io.ErrUnexpectedEOF
			case size < a.total:
				return errCapped
			}
			t.part.state.Total = t.part.size()
			return nil
		case err != nil:
			return err
		}
	}
}

// checkSpace refuses what would fill the disk.
func (t *transfer) checkSpace(need int64) error {
	free, known := freeSpace(t.part.folder.cfg.Dir)
	if known && free < need+spareSpace {
		return final{fmt.Errorf("%w: it needs another %v on the node's disk, and %v are free, %v of which have to stay so: %w",
			shoal.ErrUnavailable, shoal.Size(need), shoal.Size(free), shoal.Size(spareSpace), syscall.ENOSPC)}
	}
	return nil
}

func (t *transfer) note(note string) {
	t.tell(Progress{Done: t.part.size(), Total: t.part.state.Total, Note: note})
}

// watch ends an attempt by cancel when too little comes, until stop is called.
func (t *transfer) watch(cancel context.CancelCauseFunc) (stop func()) {
	t.arrived.Store(0)
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(stallTime)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				if n := t.arrived.Swap(0); n < stallBytes {
					cancel(fmt.Errorf("%w: %d bytes in %v", shoal.ErrUnavailable, n, stallTime))
				}
			}
		}
	}()
	return func() { close(quit); <-ended }
}

// whyNot is why an attempt failed: without the URL, which may hold a secret,
// and final where another one would fail alike.
func whyNot(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if isFinal(err) {
		return err
	}
	if errors.Is(err, shoal.ErrInvalid) { // the client does not want to reach it
		return final{fmt.Errorf("%w: %w", ErrRefused, err)}
	}
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted {
		return final{fmt.Errorf("%w: %w", shoal.ErrInvalid, err)}
	}
	return err
}

// errCapped says that the server sends less at a time than it was asked for,
// as it may.
var errCapped = errors.New("the server sends the file in parts")

// ErrRefused says that the client does not reach an address, by the operator's rules.
var ErrRefused = errors.New("refused by the node")

// teller is progress, made optional.
func teller(progress func(Progress)) func(Progress) {
	if progress == nil {
		return func(Progress) {}
	}
	return progress
}
