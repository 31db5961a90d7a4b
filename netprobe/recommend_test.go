package netprobe

import (
	"errors"
	"testing"

	"github.com/shoal-cdn/shoal"
)

// M7: within a carrier TCP, across carriers QUIC, unless it was measured otherwise.
func TestRecommend(t *testing.T) {
	var (
		home    = shoal.Locality{Carrier: "AS1", Region: "north", Site: "x"}
		near    = shoal.Locality{Carrier: "AS1", Region: "north"}
		away    = shoal.Locality{Carrier: "AS2", Region: "north"}
		unknown shoal.Locality
		dead    = errors.New("connection refused")
	)
	result := func(tr Transport, down, up shoal.Rate) Result {
		return Result{Path: Path{secureB, tr}, Down: Transfer{Goodput: down}, Up: Transfer{Goodput: up}}
	}
	broken := func(tr Transport) Result { return Result{Path: Path{secureB, tr}, Err: dead} }
	stuck := func(tr Transport) Result {
		return Result{Path: Path{secureB, tr}, Down: Transfer{Err: dead}}
	}
	for _, c := range []struct {
		name    string
		remote  shoal.Locality
		results []Result
		want    Transport
		reason  string
	}{
		{"near, alike", near, []Result{result(TCP, 100, 0), result(QUIC, 119, 0)}, TCP, "same carrier and region; QUIC is not much faster"},
		{"near, QUIC faster", near, []Result{result(TCP, 100, 0), result(QUIC, 130, 0)}, QUIC, "QUIC is 1.3 times as fast as TCP"},
		{"away, alike", away, []Result{result(TCP, 119, 0), result(QUIC, 100, 0)}, QUIC, "another carrier; TCP is not much faster"},
		{"away, TCP with BBR", away, []Result{result(TCP, 1000, 0), result(QUIC, 100, 0)}, TCP, "TCP is 10.0 times as fast as QUIC"},
		{"unknown places", unknown, []Result{result(TCP, 100, 0), result(QUIC, 110, 0)}, TCP, "carriers unknown; QUIC is not much faster"},
		{"TCP blocked", near, []Result{broken(TCP), result(QUIC, 10, 0)}, QUIC, "TCP fails to transfer"},
		{"TCP blocked, round trips only", near, []Result{broken(TCP), result(QUIC, 0, 0)}, QUIC, "TCP fails"},
		{"TCP connects and moves nothing", near, []Result{stuck(TCP), result(QUIC, 10, 0)}, QUIC, "TCP fails to transfer"},
		{"UDP blocked", away, []Result{result(TCP, 10, 0), broken(QUIC)}, TCP, "QUIC fails to transfer"},
		{"all blocked", away, []Result{broken(TCP), broken(QUIC)}, "", "no answer"},
		{"nothing", away, nil, "", "nothing was measured"},
		{"round trips only", near, []Result{result(TCP, 0, 0), result(QUIC, 0, 0)}, TCP, "same carrier and region; speed not measured"},
		{"plain HTTP", away, []Result{result(TCP, 10, 0)}, TCP, "only TCP was measured"},
		{"uploads only", near, []Result{result(TCP, 0, 100), result(QUIC, 0, 200)}, QUIC, "QUIC is 2.0 times as fast as TCP"},
		{"downloads before uploads", near, []Result{result(TCP, 100, 100), result(QUIC, 100, 200)}, TCP, "same carrier and region; QUIC is not much faster"},
		{"several addresses: the best counts", near, []Result{result(TCP, 10, 0), broken(TCP), result(TCP, 100, 0), result(QUIC, 90, 0)}, TCP, "same carrier and region; QUIC is not much faster"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, reason := Recommend(home, c.remote, c.results)
			if got != c.want || reason != c.reason {
				t.Errorf("%q, %q, want %q, %q", got, reason, c.want, c.reason)
			}
		})
	}
}
