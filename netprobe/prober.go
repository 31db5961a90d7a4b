package netprobe

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync"
	"time"
)

// pingsAtOnce bounds how many round trips are measured at the same time, so
// that they don't wait for each other.
const pingsAtOnce = 16

// Config is what a [Prober] needs. The zero value trusts the system's
// certificate authorities.
type Config struct {
	// TLS returns how to verify the certificate of a target, for instance by
	// its node's key. The Prober works on a clone and sets NextProtos, and
	// ServerName where it is empty. nil, and a nil result: by the system's
	// certificate authorities.
	TLS func(Target) (*tls.Config, error)

	// OnStep is called when a step begins, from one goroutine at a time, and
	// should return soon. It may be nil.
	OnStep func(Step)
}

// Prober measures paths. It is safe for concurrent use, though measurements at
// the same time share this end's link.
type Prober struct {
	cfg   Config
	block []byte
}

// NewProber returns a prober that opens connections only while Run runs.
func NewProber(cfg Config) *Prober {
	return &Prober{cfg: cfg, block: newBlock()}
}

// Run takes the steps of a plan and returns a result for each path, in the
// order of their first steps. Pings that follow each other are done at the
// same time, transfers one by one, each step on a connection of its own. After a
// step that finds a path dead, its other steps are left out.
//
// When ctx ends, Run returns soon with what it has; what is missing has the
// cause of ctx as its error.
func (p *Prober) Run(ctx context.Context, plan []Step) []Result {
	r := run{Prober: p, results: map[Path]*Result{}}
	var order []Path
	for _, s := range plan {
		if r.results[s.Path] == nil {
			r.results[s.Path] = &Result{Path: s.Path}
			order = append(order, s.Path)
		}
	}
	for len(plan) > 0 {
		pings := 0
		for pings < len(plan) && plan[pings].Op == Ping {
			pings++
		}
		n := max(1, pings)
		r.together(ctx, plan[:n])
		plan = plan[n:]
	}
	results := make([]Result, len(order))
	for i, path := range order {
		results[i] = *r.results[path]
	}
	return results
}

// run is one call of Run.
type run struct {
	*Prober
	onStep  sync.Mutex
	results map[Path]*Result
}

// together takes steps of different paths at the same time; those of one path
// stay in order.
func (r *run) together(ctx context.Context, steps []Step) {
	byPath := map[Path][]Step{}
	var order []Path
	for _, s := range steps {
		if byPath[s.Path] == nil {
			order = append(order, s.Path)
		}
		byPath[s.Path] = append(byPath[s.Path], s)
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, pingsAtOnce)
	for _, path := range order {
		slots <- struct{}{} // freed soon once ctx has ended
		wg.Go(func() {
			defer func() { <-slots }()
			for _, s := range byPath[path] {
				r.take(ctx, s, r.results[path])
			}
		})
	}
	wg.Wait()
}

// take does one step and enters into its result what was found.
func (r *run) take(ctx context.Context, s Step, result *Result) {
	if result.Err != nil {
		return
	}
	if ctx.Err() != nil {
		result.fail(s.Op, fmt.Errorf("probe %s: %w", s.Path, context.Cause(ctx)))
		return
	}
	r.begin(s)
	err := r.measure(ctx, s, result)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		result.fail(s.Op, fmt.Errorf("probe %s: %w", s.Path, err))
	}
	result.At = time.Now()
}

func (r *run) begin(s Step) {
	if r.cfg.OnStep == nil {
		return
	}
	r.onStep.Lock()
	defer r.onStep.Unlock()
	r.cfg.OnStep(s)
}

func (r *run) measure(ctx context.Context, s Step, result *Result) error {
	conf, err := r.tlsConfig(s.Target)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	conn, err := open(ctx, s.Path, conf)
	if err != nil {
		return err
	}
	defer conn.close()
	return conn.step(ctx, s, r.block, result)
}

// tlsConfig is nil for plain HTTP. It is the caller's.
func (r *run) tlsConfig(t Target) (*tls.Config, error) {
	if !t.secure() {
		return nil, nil
	}
	if r.cfg.TLS != nil {
		conf, err := r.cfg.TLS(t)
		if err != nil || conf != nil {
			return conf.Clone(), err // nil's clone is nil
		}
	}
	return &tls.Config{MinVersion: tls.VersionTLS13}, nil
}

// fail enters why a step found nothing. Without a ping there is no result.
func (r *Result) fail(op Op, err error) {
	switch op {
	case Download:
		r.Down = Transfer{At: time.Now(), Err: err}
	case Upload:
		r.Up = Transfer{At: time.Now(), Err: err}
	default:
		r.Err = err
	}
}
