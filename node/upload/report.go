package upload

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/netprobe"
)

// Report says how an upload went. Bytes are those of chunks, without headers,
// TLS and what transports send again by themselves.
type Report struct {
	Task      string             `json:"task"`
	Content   shoal.ContentID    `json:"content"`
	Name      string             `json:"name"`
	Size      int64              `json:"size"`
	Server    string             `json:"server"`    // the one that has all of it, or had most when the upload ended
	URL       string             `json:"url"`       // its base URL
	Transport netprobe.Transport `json:"transport"` // by which it was sent last
	Why       string             `json:"why"`       // why that transport

	// Distribution is the task that the server had the tracker create; "" where
	// none was asked for, or the server has not said so yet.
	Distribution string `json:"distribution"`

	Candidates  []Measured   `json:"candidates"`  // what was measured before the first chunk
	Connections []Connection `json:"connections"` // by server, transport and number

	Had     int64 `json:"bytes_had"`      // what the server had before this run
	Sent    int64 `json:"bytes_sent"`     // what connections took, whether or not it arrived
	Resent  int64 `json:"bytes_resent"`   // of these, what was not new to the server
	Refused int   `json:"chunks_refused"` // whose digest was wrong at the server
	Breaks  int   `json:"breaks"`         // how often no connection was left, or another server was chosen

	HashSeconds  float64 `json:"hash_seconds"`  // 0: the digests were there
	ProbeSeconds float64 `json:"probe_seconds"` // beside the hashing
	Seconds      float64 `json:"seconds"`       // in all
}

// Connection is what one of the parallel connections did. Where a connection
// broke, the one that took its place goes on with its figures.
type Connection struct {
	Server    string             `json:"server"`
	Transport netprobe.Transport `json:"transport"`
	Number    int                `json:"number"`
	Speed     shoal.Rate         `json:"speed"` // bytes/s, smoothed, when it was last used
	Bytes     int64              `json:"bytes"`
	Requests  int                `json:"requests"`
	Least     int64              `json:"least_request"` // bytes
	Most      int64              `json:"most_request"`
	Failures  int                `json:"failures"`
}

// Progress is how far an upload is.
type Progress struct {
	Name   string
	Size   int64      // bytes; 0: not known yet
	Hashed int64      // bytes
	Done   int64      // bytes that the server has
	Speed  shoal.Rate // of all connections together; 0: unknown
	Note   string     // what is being done or waited for
}

// tally collects a Report. It is safe for concurrent use.
type tally struct {
	progress func(Progress)

	mu     sync.Mutex // guards the fields below, and calls of progress
	report Report
	now    Progress
}

// note changes what is shown.
func (t *tally) note(change func(*Progress)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.now)
	t.progress(t.now)
}

func (t *tally) count(change func(*Report)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.report)
}

// settled says that the server has n more bytes, or, where it lost some, fewer.
func (t *tally) settled(n int64) { t.note(func(p *Progress) { p.Done += n }) }

// request enters what a connection did; failed is whether it was for nothing.
func (t *tally) request(c Connection, sent, asked int64, failed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.report.Sent += sent
	all := t.report.Connections
	i := slices.IndexFunc(all, func(o Connection) bool {
		return o.Server == c.Server && o.Transport == c.Transport && o.Number == c.Number
	})
	if i < 0 {
		all = append(all, Connection{Server: c.Server, Transport: c.Transport, Number: c.Number, Least: asked})
		i = len(all) - 1
		t.report.Connections = all
	}
	o := &all[i]
	o.Speed = cmp.Or(c.Speed, o.Speed)
	o.Bytes += sent
	o.Requests++
	o.Least, o.Most = min(o.Least, asked), max(o.Most, asked)
	if failed {
		o.Failures++
	}
}

// result is the report so far.
func (t *tally) result(began time.Time) Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.report
	r.Connections = slices.Clone(r.Connections)
	r.Seconds = time.Since(began).Seconds()
	r.Resent = max(0, r.Sent-(t.now.Done-r.Had))
	return r
}
