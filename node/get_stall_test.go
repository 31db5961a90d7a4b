package node

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/api"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

func TestStall(t *testing.T) {
	begun := time.Unix(0, 0)
	s := stall{since: begun}
	for i, step := range []struct {
		content api.Content
		busy    bool
		news    bool
	}{
		{api.Content{}, true, true},
		{api.Content{}, false, false},
		{api.Content{Peers: 3}, false, false},
		{api.Content{Pieces: 9}, false, true},
		{api.Content{Pieces: 9, Peers: 3}, false, false},
		{api.Content{Pieces: 9, Bytes: tapi.Bytes{Peers: 1}}, false, true},
		{api.Content{Pieces: 9, Bytes: tapi.Bytes{Peers: 1, Wasted: 7}}, false, false},
		{api.Content{Pieces: 9, PiecesHeld: 1, Bytes: tapi.Bytes{Peers: 1, Wasted: 7}}, false, true},
		{api.Content{Pieces: 9, PiecesHeld: 1, Bytes: tapi.Bytes{Peers: 1, Wasted: 7}}, true, true},
	} {
		now := begun.Add(time.Duration(i+1) * time.Second)
		if s.look(step.content, step.busy, now); s.since.Equal(now) != step.news {
			t.Errorf("%+v: news is %v", step.content, !step.news)
		}
	}
	refused := errors.New("refused")
	for _, tt := range []struct {
		s       stall
		tracker error
		want    string
	}{
		{stall{}, nil, "unavailable: nobody who has it was found in 1m0s"},
		{stall{known: true}, nil, "unavailable: nothing of it came in 1m0s"},
		{stall{}, refused, "unavailable: nobody who has it was found in 1m0s, and no tracker answers: refused"},
	} {
		if err := tt.s.err(time.Minute, tt.tracker); err.Error() != tt.want || !errors.Is(err, shoal.ErrUnavailable) {
			t.Errorf("%v, want %s", err, tt.want)
		}
	}
}

// Where neither a tracker nor a holder is found, Get ends, says so, and leaves nothing.
func TestGetTimeout(t *testing.T) {
	free, err := net.ListenUDP("udp4", &net.UDPAddr{})
	if err != nil {
		t.Fatal(err)
	}
	port := uint16(free.LocalAddr().(*net.UDPAddr).Port)
	free.Close()
	for name, trackers := range map[string][]string{"no tracker": nil, "it is away": {"http://127.0.0.1:1"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			_, err := Get(t.Context(), GetConfig{
				Trackers: trackers, LANPort: port, Content: shoal.ContentID{1}, Output: dir + "/x", Listen: "127.0.0.1:0", Timeout: time.Second,
			})
			if !errors.Is(err, shoal.ErrUnavailable) || !strings.Contains(err.Error(), "nobody who has it was found in 1s") {
				t.Errorf("%v", err)
			}
		})
	}
}
