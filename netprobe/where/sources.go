package where

import (
	"errors"
	"iter"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/shoal-cdn/shoal"
)

// Config names the files of a [Sources].
type Config struct {
	Places string       // the operator's table; "": none
	GeoIP  []string     // MaxMind DB files, asked in this order
	Log    *slog.Logger // takes what reloading brings; nil discards it
}

// Sources answers from files that it can load anew. It is safe for concurrent
// use. The zero value has no files: it knows of labels only.
type Sources struct {
	log     *slog.Logger
	loading sync.Mutex // one Reload at a time, and guards files
	files   []*file
	current atomic.Pointer[[]view]
}

// view is a file as lookups see it. It never changes.
type view struct {
	source  Source
	path    string
	look    lookup
	problem string
}

// lookup answers for an address; the zero Prefix says that it knows nothing of it.
type lookup func(netip.Addr) (netip.Prefix, shoal.Locality, error)

// Open loads the files. All must be readable and without mistakes; the error
// names the file, and its lines, and is of kind [shoal.ErrInvalid] where its
// content is at fault.
func Open(cfg Config) (*Sources, error) {
	s := &Sources{log: cfg.Log}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if cfg.Places != "" {
		s.files = append(s.files, &file{source: Places, path: cfg.Places})
	}
	for _, path := range cfg.GeoIP {
		s.files = append(s.files, &file{source: GeoIP, path: path})
	}
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.load(s.log))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	s.publish()
	return s, nil
}

// Reload loads all files anew. What can't be loaded stays as it was; the error
// names it.
func (s *Sources) Reload() error {
	return s.reload(func(*file) bool { return true })
}

// reload loads the files that are due.
func (s *Sources) reload(due func(*file) bool) error {
	s.loading.Lock()
	defer s.loading.Unlock()
	var errs []error
	tried := false
	for _, f := range s.files {
		if due(f) {
			tried = true
			errs = append(errs, f.load(s.log))
		}
	}
	if tried {
		s.publish()
	}
	return errors.Join(errs...)
}

func (s *Sources) publish() {
	views := make([]view, len(s.files))
	for i, f := range s.files {
		views[i] = view{f.source, f.path, f.look, f.problem}
	}
	s.current.Store(&views)
}

// Locate is where an address is; labels are those of the node that has it. An
// address that is not valid leaves what the labels say.
func (s *Sources) Locate(labels shoal.Locality, addr netip.Addr) shoal.Locality {
	return merge(s.steps(labels, addr))
}

// Explain is Locate with its reasons.
func (s *Sources) Explain(labels shoal.Locality, addr netip.Addr) Answer {
	return collect(addr, s.steps(labels, addr))
}

func (s *Sources) steps(labels shoal.Locality, addr netip.Addr) iter.Seq[Step] {
	return func(yield func(Step) bool) {
		if !yield(Step{Source: Labels, Locality: labels}) {
			return
		}
		views := s.current.Load()
		if views == nil {
			return
		}
		for _, v := range *views {
			if !yield(v.step(addr)) {
				return
			}
		}
	}
}

func (v *view) step(addr netip.Addr) Step {
	st := Step{Source: v.source, File: v.path, Problem: v.problem}
	if v.look == nil {
		return st
	}
	var err error
	if st.Prefix, st.Locality, err = v.look(addr); err != nil {
		st.Problem = err.Error()
	}
	return st
}
