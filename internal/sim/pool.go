package sim

import (
	"slices"

	"github.com/shoal-cdn/shoal"
)

// sets keeps piece sets that are on their way, by number.
type sets struct {
	items []*shoal.PieceSet
	free  []int32
}

func (s *sets) put(set *shoal.PieceSet) int32 {
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		s.items[i] = set
		return i
	}
	s.items = append(s.items, set)
	return int32(len(s.items) - 1)
}

func (s *sets) take(i int32) *shoal.PieceSet {
	set := s.items[i]
	s.items[i] = nil
	s.free = append(s.free, i)
	return set
}

// batches keeps the piece numbers of HAVEs that are on their way, by number.
// Buffers are used again.
type batches struct {
	buffers [][]int32
	free    []int32
}

// put keeps a copy of values.
func (b *batches) put(values ...int32) int32 {
	if n := len(b.free); n > 0 {
		i := b.free[n-1]
		b.free = b.free[:n-1]
		b.buffers[i] = append(b.buffers[i], values...)
		return i
	}
	b.buffers = append(b.buffers, slices.Clone(values))
	return int32(len(b.buffers) - 1)
}

// at is a batch's values, valid until release.
func (b *batches) at(i int32) []int32 { return b.buffers[i] }

func (b *batches) release(i int32) {
	b.buffers[i] = b.buffers[i][:0]
	b.free = append(b.free, i)
}
