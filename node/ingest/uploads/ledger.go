package uploads

import "github.com/shoal-cdn/shoal/node/ingest/api"

// ledger is what the logs say all together. Entries may be taken in any order
// and more than once.
type ledger struct {
	written, lost []uint32     // the highest epoch of each chunk; 0: none
	digests       []api.Digest // of those written in their highest epoch; nil where the description has them
}

func newLedger(chunks int, digests bool) *ledger {
	l := &ledger{written: make([]uint32, chunks), lost: make([]uint32, chunks)}
	if digests {
		l.digests = make([]api.Digest, chunks)
	}
	return l
}

// take adds an entry, whose chunk is in range.
func (l *ledger) take(e entry) {
	if e.lost {
		l.lost[e.chunk] = max(l.lost[e.chunk], e.epoch)
		return
	}
	if e.epoch <= l.written[e.chunk] {
		return
	}
	l.written[e.chunk] = e.epoch
	if l.digests != nil {
		l.digests[e.chunk] = e.digest
	}
}

// has reports whether a chunk is there.
func (l *ledger) has(chunk int) bool { return l.written[chunk] > l.lost[chunk] }

// next is the entry for a chunk that was written now.
func (l *ledger) next(chunk int, digest api.Digest) entry {
	return entry{chunk: uint32(chunk), epoch: l.lost[chunk] + 1, digest: digest}
}

// lose is the entry for a chunk that turned out not to be what it was.
func (l *ledger) lose(chunk int) entry {
	return entry{chunk: uint32(chunk), epoch: max(l.written[chunk], l.lost[chunk]), lost: true}
}

// missing lists chunks from first up to end that are not there, as runs, at most so many.
func (l *ledger) missing(first, end, most int) []api.Run {
	runs := []api.Run{}
	for k := first; k < end; k++ {
		if l.has(k) {
			continue
		}
		if n := len(runs); n > 0 && runs[n-1].First+runs[n-1].Count == k {
			runs[n-1].Count++
			continue
		}
		if len(runs) == most {
			break
		}
		runs = append(runs, api.Run{First: k, Count: 1})
	}
	return runs
}
