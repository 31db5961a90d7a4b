package upload

import (
	"errors"
	"testing"

	"github.com/shoal-cdn/shoal"
)

// Whatever a server says is missing, it is chunks that there are, in order and
// each once.
func FuzzStatus(f *testing.F) {
	f.Add([]byte(`{"task":"t","state":"receiving","chunks":100,"next":3,"missing":[[3,1],[7,93]],"received":5}`))
	f.Add([]byte(`{"chunks":100,"missing":[[7,93],[3,1]]}`))
	f.Add([]byte(`{"chunks":100,"missing":[[9223372036854775807,9223372036854775807]]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		const chunks = 100
		s, err := decodeStatus(text, chunks)
		if err != nil {
			if !errors.Is(err, shoal.ErrCorrupt) {
				t.Errorf("error %v is not of its kind", err)
			}
			return
		}
		next := 0
		for _, m := range s.missing {
			if m.first < next || m.count <= 0 || m.end() > chunks {
				t.Fatalf("missing %v", s.missing)
			}
			next = m.end()
		}
	})
}
