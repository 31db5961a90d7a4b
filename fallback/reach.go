package fallback

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Reached is an upstream to which connections are being opened before it is known what
// to fetch there: that takes as many round trips as the first bytes. They become a
// [Fetcher]'s by [Config.Reached], one's at most, or are closed. It is safe for concurrent
// use.
type Reached struct {
	to   Upstream
	src  *source     // of whoever sets gone
	gone atomic.Bool // to a Fetcher, or closed
}

// Reach begins to connect to an upstream, and returns at once. g guards the
// connections, as [Config.Nodes] does; nil: it may go anywhere. That it fails shows when
// the upstream is used. The error is of kind [shoal.ErrInvalid].
func Reach(u Upstream, g *Guard) (*Reached, error) {
	base, err := u.parse()
	if err != nil {
		return nil, err
	}
	return reach(newSource(u, base, g), nil), nil
}

// reach opens as many connections as the upstream is read over to begin with.
func reach(src *source, dial dialFunc) *Reached {
	limits := Limits{}.withDefaults()
	h, _ := src.how(time.Now(), src.route.current, &limits)
	for range src.bound(src.connections.start) {
		src.spares = append(src.spares, &lane{link: connect(src, h, limits.Answer, dial)})
	}
	return &Reached{to: src.Upstream, src: src}
}

// connect is a link that is being opened, by a request for the least that HTTP has: the
// header of what is at the base, for which a connected server has so long.
func connect(src *source, h how, answer time.Duration, dial dialFunc) *link {
	l := open(src, h, dial)
	ctx, cancel := context.WithTimeout(context.Background(), h.connect+answer)
	var connecting sync.WaitGroup
	connecting.Go(func() {
		defer cancel()
		if l.head(ctx, src) == nil {
			l.answered.Store(true)
		}
	})
	end := l.close
	l.close = func() {
		cancel()
		connecting.Wait()
		end()
	}
	return l
}

func (l *link) head(ctx context.Context, src *source) error {
	req := (&http.Request{Method: http.MethodHead, URL: src.base, Header: http.Header{"User-Agent": {"shoal"}}}).WithContext(ctx)
	resp, err := l.client.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxHeaderBytes)) // nothing, of a server that is right
	_ = resp.Body.Close()
	return err
}

// Close gives the connections up, unless a [Fetcher] has them: then that closes them. More
// than once is no error.
func (r *Reached) Close() {
	if r.gone.CompareAndSwap(false, true) {
		r.src.dismiss()
	}
}

// take has the connections be the caller's; nil where they are not to u, or gone.
func (r *Reached) take(u Upstream) *source {
	if r.to.Name != u.Name || r.to.URL != u.URL || r.to.Kind != u.Kind || !r.gone.CompareAndSwap(false, true) {
		return nil
	}
	return r.src
}
