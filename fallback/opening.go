package fallback

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"

	"github.com/shoal-cdn/shoal"
)

// Opening is a range of a content that is asked for before the content's manifest is here, so
// that its bytes are on their way by then. It is used if the first range that is claimed for
// its connection is the same one; else it is broken off.
type Opening struct {
	Content  shoal.ContentID
	Path     string // the file's, in the content
	From, To int64  // bytes of the file: [From, To)
}

// opening is an [Opening] that was asked for. cancel ends it; whoever took it off its link
// does that, or has read the answer.
type opening struct {
	url      string
	from, to int64
	ctx      context.Context
	cancel   context.CancelCauseFunc
	done     chan struct{} // closed when what follows is set

	resp *http.Response
	err  error
}

// errNear is why an opening is given up: one connection is enough there.
var errNear = errors.New("the upstream is near")

// begin is a link that is being opened by asking for o. Of the links of a near upstream, only the
// first one goes on with that.
func begin(src *source, h how, o Opening, first bool, dial dialFunc) *link {
	l := open(src, h, dial)
	at := nodeFileURL(src.base, o.Content, o.Path)
	k := &opening{url: at.String(), from: o.From, to: o.To, done: make(chan struct{})}
	k.ctx, k.cancel = context.WithCancelCause(context.Background())
	ctx := httptrace.WithClientTrace(k.ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		if rtt := l.rtt.Load(); !first && rtt > 0 && rtt < int64(nearRTT) {
			k.cancel(errNear)
		}
	}})
	l.opening.Store(k)
	l.openBy(k.drop, func() {
		defer close(k.done)
		if k.resp, k.err = l.client.Do(rangeRequest(at, o.From, o.To).WithContext(ctx)); k.err == nil {
			l.answered.Store(true)
		}
	})
	return l
}

// opened is the answer to a request for a range by which the link was opened; not ok where that
// was for another one, which is of no use then. An answer is the caller's until ctx ends.
func (l *link) opened(ctx context.Context, req *http.Request, from, to int64) (resp *http.Response, ok bool, err error) {
	k := l.opening.Swap(nil)
	if k == nil {
		return nil, false, nil
	}
	if k.url != req.URL.String() || k.from != from || k.to != to {
		k.drop()
		return nil, false, nil
	}
	context.AfterFunc(ctx, func() { k.cancel(context.Cause(ctx)) })
	<-k.done // soon after ctx has ended
	return k.resp, context.Cause(k.ctx) != errNear, k.err
}

// drop breaks it off.
func (k *opening) drop() {
	k.cancel(nil)
	<-k.done
	if k.err == nil {
		_ = k.resp.Body.Close()
	}
}

// rangeRequest asks for the bytes [from, to) of what is at a URL.
func rangeRequest(at *url.URL, from, to int64) *http.Request {
	return &http.Request{
		Method: http.MethodGet,
		URL:    at,
		Header: http.Header{
			"Accept-Encoding": {"identity"},
			"Range":           {"bytes=" + strconv.FormatInt(from, 10) + "-" + strconv.FormatInt(to-1, 10)},
			"User-Agent":      {"shoal"},
		},
	}
}
