package lan

import (
	"time"

	"golang.org/x/time/rate"
)

// Token buckets: events a second, and how many at once.
const (
	receiveRate, receiveBurst             = 200, 400 // messages looked at, in all
	receiveSourceRate, receiveSourceBurst = 10, 40   // of one address
	sendRate, sendBurst                   = 20, 60   // messages of a node, in all; a query counts once
	answerRate, answerBurst               = 2, 10    // answers about one content
	answerSourceRate, answerSourceBurst   = 2, 10    // answers to one address
)

// maxBuckets bounds how many subjects are told apart. Beyond it, new ones are
// refused until old ones have been idle.
const maxBuckets = 2048

// buckets is a token bucket for each subject. It is not safe for concurrent use.
type buckets[K comparable] struct {
	rate  rate.Limit
	burst int
	by    map[K]*rate.Limiter
	swept time.Time
}

func newBuckets[K comparable](r rate.Limit, burst int) *buckets[K] {
	return &buckets[K]{rate: r, burst: burst, by: make(map[K]*rate.Limiter)}
}

func (b *buckets[K]) allow(k K, now time.Time) bool {
	l := b.by[k]
	if l == nil {
		if len(b.by) >= maxBuckets && !b.sweep(now) {
			return false
		}
		l = rate.NewLimiter(b.rate, b.burst)
		b.by[k] = l
	}
	return l.AllowN(now, 1)
}

// sweep forgets those that are as good as new, and reports whether there is room.
func (b *buckets[K]) sweep(now time.Time) bool {
	if now.Sub(b.swept) < time.Second {
		return false // a flood of new ones must not cost a look at all of them each
	}
	b.swept = now
	for k, l := range b.by {
		if l.TokensAt(now) >= float64(b.burst) {
			delete(b.by, k)
		}
	}
	return len(b.by) < maxBuckets
}
