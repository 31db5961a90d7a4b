package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// bars is the display on a terminal: a live bar for each job.
type bars struct {
	mpb  *mpb.Progress
	bars map[string]*bar
	once sync.Once
}

type bar struct {
	bar   *mpb.Bar
	speed speed

	mu   sync.Mutex // the terminal is drawn by a goroutine of mpb
	text string
}

func newBars(ctx context.Context, w io.Writer) *bars {
	return &bars{
		mpb:  mpb.NewWithContext(ctx, mpb.WithOutput(w), mpb.WithWidth(40), mpb.WithRefreshRate(100*time.Millisecond)),
		bars: map[string]*bar{},
	}
}

func (b *bars) show(gauges []gauge) {
	for _, g := range collapse(gauges) {
		one := b.bars[g.name]
		if one == nil {
			one = b.add(g)
		}
		one.show(g)
	}
}

func (b *bars) add(g gauge) *bar {
	one := &bar{}
	// A bar with a total from the start is complete for mpb once it gets there
	// and moves no more; a job may still have to publish, or to start over.
	one.bar = b.mpb.AddBar(0,
		mpb.PrependDecorators(decor.Name(nameOf(g), decor.WCSyncSpaceR)),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
			one.mu.Lock()
			defer one.mu.Unlock()
			return one.text
		})),
	)
	b.bars[g.name] = one
	return one
}

func (b *bar) show(g gauge) {
	text := gaugeText(g, b.speed.read(time.Now(), g.done))
	b.mu.Lock()
	b.text = text
	b.mu.Unlock()
	total := max(g.total, 1)
	b.bar.SetTotal(total, g.ended && g.done >= g.total)
	b.bar.SetCurrent(min(g.done, total))
}

func (b *bars) say(format string, args ...any) {
	// mpb keeps lines written to it above the bars.
	fmt.Fprintf(b.mpb, format+"\n", args...)
}

// close stops drawing; bars that are not full stay as they are.
func (b *bars) close() {
	b.once.Do(func() {
		for _, one := range b.bars {
			one.bar.Abort(false)
		}
		b.mpb.Wait()
	})
}
