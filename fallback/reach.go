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

// Reach begins to connect to a node, and returns at once. g guards the
// connections, as [Config.Nodes] does; nil: it may go anywhere. Each connection asks for
// one of first, as long as there are any: what [Pieces.Claim] is to give to begin with, in that order.
// That it fails shows when the upstream is used. The error is of kind [shoal.ErrInvalid].
func Reach(u Upstream, g *Guard, first ...Opening) (*Reached, error) {
	base, err := u.parse()
	if err != nil {
		return nil, err
	}
	return reach(newSource(u, base, g), nil, first), nil
}

// reach opens as many connections as a far upstream is read over to begin with. Of a near
// one's, all but one are given up again.
func reach(src *source, dial dialFunc, first []Opening) *Reached {
	limits := Limits{}.withDefaults()
	h, _ := src.how(time.Now(), src.route.current, &limits)
	for i := range src.bound(farBBR) {
		var l *link
		if i < len(first) {
			l = begin(src, h, first[i], i == 0, dial)
		} else {
			l = connect(src, h, limits.Answer, dial)
		}
		src.spares = append(src.spares, &lane{link: l})
	}
	return &Reached{to: src.Upstream, src: src}
}

// connect is a link that is being opened, by a request for the least that HTTP has: the
// header of what is at the base, for which a connected server has so long.
func connect(src *source, h how, answer time.Duration, dial dialFunc) *link {
	l := open(src, h, dial)
	ctx, cancel := context.WithTimeout(context.Background(), h.connect+answer)
	l.openBy(cancel, func() {
		defer cancel()
		if l.head(ctx, src) == nil {
			l.answered.Store(true)
		}
	})
	return l
}

// openBy begins the request that the link is opened by. Closing the link cancels that, and waits
// for it.
func (l *link) openBy(cancel, request func()) {
	var connecting sync.WaitGroup
	connecting.Go(request)
	end := l.close
	l.close = func() {
		cancel()
		connecting.Wait()
		end()
	}
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
