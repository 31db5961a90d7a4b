package picker

import (
	"slices"
	"testing"

	"github.com/shoal-cdn/shoal"
)

// layout makes a picker of a drawing: a digit is a piece with so many holders,
// # one that is settled.
func layout(drawing string, seed uint64) *Picker {
	p := newPicker(set(len(drawing)), seed)
	for i, c := range drawing {
		if c == '#' {
			p.Requested(i)
			continue
		}
		for range c - '0' {
			p.PeerGained(i)
		}
	}
	return p
}

type run struct{ first, count int }

func TestPickRun(t *testing.T) {
	for _, tt := range []struct {
		name    string
		pieces  string
		most    int
		allowed []int // nil: all
		starts  []int
		want    []run // each of them, at random
	}{
		{name: "all", pieces: "0000", most: 10, want: []run{{0, 4}}},
		{name: "the longest", pieces: "00#000#0", most: 10, want: []run{{3, 3}}},
		{name: "the rarest before the longest", pieces: "1111#00#", most: 10, want: []run{{5, 2}}},
		{name: "up to twice the fewest holders", pieces: "121213#11", most: 10, want: []run{{0, 5}}},
		{name: "ends with the file", pieces: "00000", most: 10, starts: []int{0, 3}, want: []run{{0, 3}}},
		{name: "files of one piece", pieces: "000", most: 10, starts: []int{0, 1, 2}, want: []run{{0, 1}, {1, 1}, {2, 1}}},
		{name: "breaks at multiples", pieces: "000000000", most: 4, want: []run{{0, 4}, {4, 4}}},
		{name: "what is left of two", pieces: "##00000#", most: 4, want: []run{{4, 3}}},
		{name: "one at a time", pieces: "0#0", most: 1, want: []run{{0, 1}, {2, 1}}},
		{name: "what is allowed", pieces: "000000", most: 10, allowed: []int{1, 2, 4}, want: []run{{1, 2}}},
		{name: "the first that is allowed, whoever has it", pieces: "0#102101", most: 4, allowed: []int{1, 2, 3, 4, 5, 6, 7}, want: []run{{2, 4}}},
		{name: "an allowed run ends with the file", pieces: "000000", most: 4, allowed: []int{1, 2, 3, 4}, starts: []int{0, 3}, want: []run{{1, 2}}},
		{name: "nothing is allowed", pieces: "00", most: 10, allowed: []int{}, want: []run{{}}},
		{name: "nothing is free", pieces: "##", most: 10, want: []run{{}}},
		{name: "nothing at all", pieces: "", most: 10, want: []run{{}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := len(tt.pieces)
			var allowed *shoal.PieceSet
			if tt.allowed != nil {
				allowed = set(n, tt.allowed...)
			}
			seen := make(map[run]bool)
			for seed := range uint64(60) {
				first, count := layout(tt.pieces, seed).PickRun(allowed, set(n, tt.starts...), tt.most)
				got := run{first, count}
				if !slices.Contains(tt.want, got) {
					t.Fatalf("%+v, want one of %+v", got, tt.want)
				}
				seen[got] = true
			}
			if len(seen) != len(tt.want) {
				t.Errorf("only %v of %v", seen, tt.want)
			}
		})
	}
}

func TestUrgentRun(t *testing.T) {
	for _, tt := range []struct {
		name        string
		pieces      string
		first, want int // what a reader wants
		most        int
		allowed     []int
		starts      []int
		run         run
	}{
		{name: "as much as is wanted", pieces: "00000000", first: 2, want: 3, most: 10, run: run{2, 3}},
		{name: "as much as is asked for", pieces: "00000000", first: 2, want: 6, most: 4, run: run{2, 4}},
		{name: "up to what is settled", pieces: "##00#00", first: 1, want: 6, most: 10, run: run{2, 2}},
		{name: "ends with the file", pieces: "000000", first: 1, want: 5, most: 10, starts: []int{3}, run: run{1, 2}},
		{name: "what is allowed", pieces: "000000", first: 0, want: 6, most: 10, allowed: []int{1, 2, 4}, run: run{1, 2}},
		{name: "none of it is free", pieces: "0##0", first: 1, want: 2, most: 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := len(tt.pieces)
			var allowed *shoal.PieceSet
			if tt.allowed != nil {
				allowed = set(n, tt.allowed...)
			}
			p := layout(tt.pieces, 1)
			p.Want(1, tt.first, tt.want)
			first, count := p.PickUrgentRun(allowed, set(n, tt.starts...), tt.most)
			if got := (run{first, count}); got != tt.run {
				t.Errorf("%+v, want %+v", got, tt.run)
			}
		})
	}
}

func BenchmarkPickRun(b *testing.B) {
	const pieces = 1 << 16
	p := newPicker(set(pieces), 1)
	for i := range pieces {
		for range i % 7 {
			p.PeerGained(i)
		}
	}
	starts := set(pieces, 0)
	for b.Loop() {
		p.PickRun(nil, starts, 16)
	}
}
