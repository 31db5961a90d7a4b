package uploads

import (
	"bytes"
	"crypto/sha256"
	"testing"
)

// A log of whatever bytes decodes to chunks in range, and to the same ones however it is cut.
func FuzzLog(f *testing.F) {
	key := sha256.Sum256([]byte("key"))
	const chunks = 10
	log := []byte(logMagic)
	for k := range uint32(3) {
		log = appendEntry(log, key, entry{chunk: k, epoch: 1})
	}
	f.Add(log, 20)
	f.Add(appendEntry(log, key, entry{chunk: 1, epoch: 1, lost: true}), 60)
	f.Add(appendEntry(log, key, entry{chunk: chunks, epoch: 1}), 3)
	f.Add([]byte(logMagic), 0)
	f.Add([]byte{}, 0)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		at := func(parts ...[]byte) *ledger {
			l := newLedger(chunks, true)
			var from int64
			for _, p := range parts {
				to, err := readLog(bytes.NewReader(p), from, key, chunks, l.take)
				if err != nil {
					t.Fatal(err)
				}
				if to < from || to > int64(len(p)) {
					t.Fatalf("read to %d from %d of %d bytes", to, from, len(p))
				}
				from = to
			}
			return l
		}
		once, twice := at(b), at(b[:min(max(cut, 0), len(b))], b)
		for k := range chunks {
			if once.has(k) != twice.has(k) {
				t.Fatalf("chunk %d: read at once %v, in two parts %v", k, once.has(k), twice.has(k))
			}
		}
	})
}

// A description of whatever bytes is refused, or planned within the bounds.
func FuzzDescription(f *testing.F) {
	f.Add([]byte(`{"task":"t","name":"f","size":10,"chunk_size":4,"chunks":3}`))
	f.Add([]byte(`{"task":"t","name":"f","size":9223372036854775808}`))
	f.Add([]byte(`{"task":"t","name":"f","size":9223372036854775807,"chunk_size":1}`))
	f.Add([]byte(`{"task":"..","name":"../x","size":1}`))
	f.Add([]byte(`{"task":"t","name":"f","size":0,"distribute":{"nodes":["all"],"dest":"a/../b"}}`))
	f.Add([]byte(`{"task":"t","torrent":"ZDQ6aW5mb2U="}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := DecodeDescription(b)
		if err != nil {
			return
		}
		r, m, err := plan(d)
		if err != nil {
			t.Fatal(err)
		}
		l := layout{name: r.Name, size: r.Size, chunk: r.ChunkSize, n: r.Chunks}
		if m != nil {
			l = layoutOf(m)
		}
		var sum int64
		for k := range min(l.n, 1000) {
			_, off, size := l.at(k)
			if off < 0 || size <= 0 || size > r.ChunkSize {
				t.Fatalf("chunk %d: %d bytes at %d", k, size, off)
			}
			sum += int64(size)
		}
		if l.n <= 1000 && sum != r.Size {
			t.Fatalf("%d bytes in all chunks of %d", sum, r.Size)
		}
	})
}
