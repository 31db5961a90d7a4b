package leases

import (
	"fmt"
	"time"

	"github.com/shoal-cdn/shoal"
)

const (
	// bookIdle is how long a content that nobody asks about is remembered.
	bookIdle    = 10 * time.Minute
	maxCarriers = 1024
	maxMemory   = 256 << 20 // bytes of all ledgers

	// lookEvery is how old the picture of who holds what may be; a large one is
	// taken less often, so that it costs the registry a small part of its time.
	lookEvery   = 250 * time.Millisecond
	lookPerWord = 40 * time.Nanosecond
)

// book is what the planner keeps of a content.
type book struct {
	content *Content
	seeds   []string           // the content's web seeds, the one to be preferred first
	ledgers map[string]*ledger // by carrier
	origins map[string]*origin // by upstream
	ends    int                // leases in endings
	asked   time.Time
}

// origin is what is leased of one origin for a content.
type origin struct {
	leases int
	rate   shoal.Rate // of those leases that are bounded
}

// ledger returns a carrier's ledger of a content, up to date.
func (p *Planner) ledger(now time.Time, id shoal.ContentID, c *Content, carrier string) (*ledger, error) {
	b := p.books[id]
	if b == nil {
		if c == nil || c.id != id {
			return nil, fmt.Errorf("content %s: %w: it has been dropped meanwhile", id.Short(), shoal.ErrUnavailable)
		}
		b = &book{content: c, seeds: c.webSeeds, ledgers: make(map[string]*ledger), origins: make(map[string]*origin)}
	}
	l := b.ledgers[carrier]
	if l == nil {
		if p.memory+b.ledgerBytes() > maxMemory || len(b.ledgers) >= maxCarriers {
			return nil, fmt.Errorf("content %s: %w: leases of too many contents", id.Short(), shoal.ErrUnavailable)
		}
		l = newLedger(carrier, b.content.pieces)
		b.ledgers[carrier] = l
		p.memory += b.ledgerBytes()
		p.books[id] = b
	}
	b.asked = now
	p.look(now, b, l)
	return l, nil
}

// look brings a ledger's picture of who holds what up to date.
func (p *Planner) look(now time.Time, b *book, l *ledger) {
	every := lookEvery + time.Duration(l.fetchers*b.content.pieces/64)*lookPerWord
	if l.held == nil || now.Sub(l.looked) >= every {
		held, fetchers := p.cfg.Nodes.Coverage(b.content.id, l.carrier, b.content.pieces)
		l.see(now, held, fetchers)
	}
}

// ledgerBytes is about what one ledger takes: its sets, and itself.
func (b *book) ledgerBytes() int64 { return 5*int64(b.content.pieces)/8 + 1024 }

func (b *book) memory() int64 { return int64(len(b.ledgers)) * b.ledgerBytes() }

// sweep forgets who no longer asks or serves. It reports whether the book is
// still needed.
func (b *book) sweep(now time.Time) bool {
	owed := false
	for _, l := range b.ledgers {
		owed = l.sweep(now) || owed
	}
	for name, o := range b.origins {
		if o.leases == 0 {
			delete(b.origins, name)
		}
	}
	return owed || b.ends > 0 || now.Sub(b.asked) <= bookIdle
}

func (b *book) origin(name string) *origin {
	o := b.origins[name]
	if o == nil {
		o = new(origin)
		b.origins[name] = o
	}
	return o
}
