package upload

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/netprobe"
	"github.com/shoal-cdn/shoal/node/ingest/api"
)

// Options describe an upload. Task, Path and Candidates are needed.
type Options struct {
	Task     string          // names the upload at every server, see [tapi.NewTaskID]; the same one resumes
	Path     string          // the file or folder
	Manifest *shoal.Manifest // of what is at Path; nil: it is hashed first

	// Hashed, unless nil, is called once with the manifest of what was hashed,
	// before any of it is sent. An error ends the upload.
	Hashed func(*shoal.Manifest) error

	// Distribute, unless nil, has the server create a distribution task.
	Distribute *api.Distribute

	// Candidates lists the servers that may be uploaded to. It is asked at the
	// start, and again while none of them can be reached.
	Candidates func(context.Context) ([]Candidate, error)

	// Known is what an earlier Run found out about the servers, and Probed, unless nil, is
	// told what this one did: before the first chunk is sent, and whenever there is more. What
	// still holds is not measured again.
	Known  []Measured
	Probed func([]Measured)

	Here    shoal.Locality // where this machine is; zero: unknown
	Timeout time.Duration  // to give up after so long without progress; 0: never

	Log      *slog.Logger   // nil: none
	Progress func(Progress) // one call at a time, from any goroutine; should return soon; nil: none
}

// run is one call of Run.
type run struct {
	*tally
	opts   Options
	log    *slog.Logger
	dialer *dialer
	prober prober
	task   string

	source      *source
	description api.Description

	*findings
	doubts  doubts
	refused map[string]error       // by key of the candidate that will not take the upload
	failed  map[netprobe.Path]bool // ways that failed in this round

	mu     sync.Mutex // guards the fields below
	homes  map[string]home
	latest string    // key of the candidate that was sent to last
	moved  time.Time // when chunks were settled last
}

// Run uploads a file or folder to one of the candidates, and goes on through
// whatever passes: it returns when a server has all of it, when ctx ends, when a
// timeout that was asked for is over, or when nothing that can be waited for
// would help. The report is valid in any case.
//
// Errors are of the kinds in package shoal. [shoal.ErrChanged]: what is at Path is
// not what was hashed. [shoal.ErrNotFound]: there are no candidates.
// [shoal.ErrUnavailable]: all servers that can be reached refuse, or the timeout
// is over; a later Run of the same task resumes.
func Run(ctx context.Context, opts Options) (Report, error) {
	r := newRun(opts)
	began := time.Now()
	err := r.upload(ctx)
	if r.source != nil {
		r.source.close()
	}
	rep := r.result(began)
	if err != nil {
		return rep, fmt.Errorf("upload: %w", err)
	}
	return rep, nil
}

func newRun(opts Options) *run {
	r := &run{
		tally: &tally{progress: opts.Progress}, opts: opts, log: opts.Log, dialer: &dialer{}, task: opts.Task,
		findings: &findings{here: opts.Here, unclear: map[netprobe.Path]bool{}},
		homes:    map[string]home{}, moved: time.Now(), refused: map[string]error{}, failed: map[netprobe.Path]bool{},
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.progress == nil {
		r.progress = func(Progress) {}
	}
	np := netprobe.NewProber(netprobe.Config{TLS: TLSConfig, OnStep: func(s netprobe.Step) {
		if s.Op == netprobe.Upload {
			r.note(func(p *Progress) { p.Note = "measuring " + s.Path.String() })
		}
	}})
	r.prober = prober{measure: np.Run, now: time.Now}
	r.report.Task = opts.Task
	r.report.Candidates, r.report.Connections = []Measured{}, []Connection{}
	return r
}

func (r *run) chunks() int { return r.source.manifest.NumPieces() }
func (r *run) size() int64 { return r.source.manifest.Size() }

func (r *run) upload(ctx context.Context) error {
	m, err := r.prepare(ctx)
	if err != nil {
		return err
	}
	if r.source, err = openSource(r.opts.Path, m); err != nil {
		return fmt.Errorf("open %s: %w", r.opts.Path, err)
	}
	r.description = api.Description{
		Task: r.task, Name: m.Name(), Size: m.Size(), ChunkSize: m.PieceLength(), Chunks: m.NumPieces(),
		Torrent: m.Torrent(), Distribute: r.opts.Distribute,
	}
	r.count(func(rep *Report) { rep.Content, rep.Name, rep.Size = m.ID(), m.Name(), m.Size() })
	for wait := new(backoff); ; {
		err := r.round(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case isFinal(err), isAny(err):
			return err
		}
		idle := time.Since(r.lastMoved())
		if r.opts.Timeout > 0 && idle >= r.opts.Timeout {
			return fmt.Errorf("no progress for %s: %w", idle.Round(time.Second), err)
		}
		r.count(func(rep *Report) { rep.Breaks++ })
		if err := r.wait(ctx, wait.next(time.Now(), r.lastMoved()), err); err != nil {
			return err
		}
	}
}
