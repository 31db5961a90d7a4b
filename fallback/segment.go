package fallback

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/shoal-cdn/shoal"
)

// segment is a run of claimed pieces of one file that are still to come.
//
// It belongs to one connection at a time, or to the fetcher's queue. Only mu's
// fields are touched by both: the fetcher may shorten a segment under way.
type segment struct {
	m    *shoal.Manifest
	file int

	mu   sync.Mutex
	next int   // the piece that is arriving
	end  int   // after the last one
	race *race // nil unless a second connection fetches the last piece
	// storing: the piece is complete; nobody need race for it.
	storing bool
	have    int // bytes of it in buf

	// The owner's.
	buf     []byte    // what has come of next; nil where have is 0
	from    []*source // who sent that
	suspect []*source // who sent a piece that did not verify, together with others
	queued  time.Time // when it last came into the queue
}

// race is shared by the two segments of one piece that is fetched twice.
type race struct {
	mu   sync.Mutex // held while one of them stores the piece
	done atomic.Bool
}

func newSegment(m *shoal.Manifest, first, count int) *segment {
	file, _ := m.Locate(first)
	return &segment{m: m, file: file, next: first, end: first + count}
}

// missing is the bytes of the file still to come: [from, to).
func (s *segment) missing() (from, to int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.missingLocked()
}

func (s *segment) missingLocked() (from, to int64) {
	if s.next >= s.end {
		return 0, 0
	}
	_, from = s.m.Locate(s.next)
	_, to = s.m.Locate(s.end - 1)
	return from + int64(s.have), to + int64(s.m.PieceSize(s.end-1))
}

// current is the piece that is arriving; ok is false at the segment's end.
func (s *segment) current() (piece int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next, s.next < s.end
}

// pieces are those not delivered.
func (s *segment) pieces() (first, count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next, s.end - s.next
}

// received notes n more bytes of the current piece, from src.
func (s *segment) received(n int, src *source) {
	s.mu.Lock()
	s.have += n
	s.mu.Unlock()
	if len(s.from) == 0 || s.from[len(s.from)-1] != src {
		s.from = append(s.from, src)
	}
}

// drop forgets what has come of the current piece and returns how much it was.
func (s *segment) drop() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.have
	s.have, s.storing = 0, false
	s.from = nil
	return n
}

// store has f deliver the complete current piece, unless the other side of a race
// has done so: then it reports false.
func (s *segment) store(f func() error) (first bool, err error) {
	s.mu.Lock()
	s.storing = true
	r := s.race
	s.mu.Unlock()
	if r == nil {
		return true, f()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done.Load() {
		return false, nil
	}
	err = f()
	r.done.Store(err == nil)
	return true, err
}

// advance goes on to the next piece.
func (s *segment) advance() {
	s.mu.Lock()
	s.next++
	s.have, s.storing = 0, false
	s.mu.Unlock()
	s.from, s.suspect = nil, nil
}

// help makes a segment for a second connection: what comes after the current
// piece, which the first one then leaves, or where nothing does, that piece.
func (s *segment) help() (helper *segment, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.end-s.next > 1:
		helper = newSegment(s.m, s.next+1, s.end-s.next-1)
		s.end = s.next + 1
		return helper, true
	case s.end-s.next == 1 && !s.storing && s.race == nil:
		helper = newSegment(s.m, s.next, 1)
		s.race = new(race)
		helper.race = s.race
		return helper, true
	}
	return nil, false
}

// won reports whether the other side of a race has delivered the piece.
func (s *segment) won() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.race != nil && s.race.done.Load()
}

// alone takes the segment out of a race that the other side has left.
func (s *segment) alone() {
	s.mu.Lock()
	s.race = nil
	s.mu.Unlock()
}

// outstanding is what to know for a hedge, but for age and bytes got.
func (s *segment) outstanding() outstanding {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next >= s.end || s.race != nil || s.storing && s.end-s.next == 1 {
		return outstanding{settled: true}
	}
	from, to := s.missingLocked()
	size := int64(s.m.PieceSize(s.next))
	return outstanding{left: to - from, tail: to - from - size + int64(s.have), piece: size}
}
