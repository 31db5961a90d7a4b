package library

import (
	"testing"

	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

func TestCovering(t *testing.T) {
	for name, tt := range map[string]struct {
		counted  tapi.Bytes
		received int64
		want     tapi.Bytes
	}{
		"all is counted":     {tapi.Bytes{Peers: 10}, 10, tapi.Bytes{Peers: 10}},
		"more was received":  {tapi.Bytes{Origin: 8, Peers: 8, Wasted: 5}, 10, tapi.Bytes{Origin: 8, Peers: 8, Wasted: 5}},
		"nothing is counted": {tapi.Bytes{Wasted: 7}, 10, tapi.Bytes{Peers: 10, Wasted: 7}},
		"some is missing": {
			tapi.Bytes{Origin: 10, Peers: 20, Upstream: 10, CrossCarrier: 8, Wasted: 3}, 80,
			tapi.Bytes{Origin: 20, Peers: 40, Upstream: 20, CrossCarrier: 16, Wasted: 3},
		},
		"by a byte": {tapi.Bytes{Origin: 1, Upstream: 2}, 4, tapi.Bytes{Origin: 1, Upstream: 2, Peers: 1}},
		"much":      {tapi.Bytes{Upstream: 1 << 45}, 1 << 46, tapi.Bytes{Upstream: 1 << 46}},
	} {
		if got := covering(tt.counted, tt.received); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

// What arrived since the counters were saved last counts after a crash, too.
func TestCountersAfterCrash(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.want("", true)
		w.session().receive(t, w.data, 0, 3)
		w.Save()
		key := w.manifest.ID().String()
		saved, err := w.Library.records.Load()
		if err != nil {
			t.Fatal(err)
		}
		w.session().receive(t, w.data, 3, 6)
		w.session().receive(t, w.data, 9, 10) // which is shorter
		received := w.Tally(w.manifest.ID()).Bytes
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		w.crash(saved[key])
		if got := w.Tally(w.manifest.ID()).Bytes; got != received || got.Peers == saved[key].Bytes.Peers {
			t.Errorf("%+v after a crash, %+v before", got, received)
		}
	})
}

// A content that was seeded in place was never received.
func TestCountersOfOrigin(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		if _, err := w.Seed(t.Context(), w.path, nil, nil); err != nil {
			t.Fatal(err)
		}
		w.restart()
		if got := w.Tally(w.manifest.ID()); got.Bytes != (tapi.Bytes{}) || got.Pieces != w.manifest.NumPieces() {
			t.Errorf("%+v", got)
		}
	})
}

// crash starts the library, which is closed, as if r had been saved last.
func (w *world) crash(r record) {
	w.t.Helper()
	l, err := Open(w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := l.records.Put(w.manifest.ID().String(), r); err != nil {
		w.t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.open()
}
