package upload

import (
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/netprobe"
)

func TestWorthMoving(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name  string
		left  int64
		speed shoal.Rate
		lacks int64
		there shoal.Rate
		want  bool
	}{
		{"much faster, all again", 900 * mib, mib, 1000 * mib, 10 * mib, true},
		{"somewhat faster, all again", 900 * mib, 9 * mib, 1000 * mib, 10 * mib, false},
		{"much faster, but nearly done", 50 * mib, mib, 1000 * mib, 10 * mib, false},
		{"much faster, over in a second", mib, mib, mib, 100 * mib, false},
		{"one store: only the rest", 500 * mib, 5 * mib, 500 * mib, 10 * mib, true},
		{"stands still", mib, 0, 1000 * mib, mib, true},
		{"nothing known there", 1000 * mib, 1, mib, 0, false},
	} {
		if got := worthMoving(c.left, c.speed, c.lacks, c.there); got != c.want {
			t.Errorf("%s: %t, want %t", c.name, got, c.want)
		}
	}
}

// An upload looks elsewhere only where something can be won, and not again and again (M9).
func TestDoubts(t *testing.T) {
	const mib = 1 << 20
	path := func(url string, tr netprobe.Transport) route {
		return route{path: netprobe.Path{Target: netprobe.Target{URL: url}, Transport: tr}, rtt: 80 * time.Millisecond}
	}
	here := pace{active: 3 * time.Second, speed: 4 * mib, usual: 4 * mib, left: 1000 * mib, route: path("https://a", netprobe.TCP)}
	full, early, still, rest, bursts, back := here, here, here, here, here, here
	full.full, early.active, still.speed, rest.left = true, time.Second, 0, 8*mib
	bursts.usual, bursts.left, back.usual = mib/2, 60*mib, 0
	other := prospect{route: path("https://b", netprobe.TCP), hope: 10 * mib, lacks: 1000 * mib}
	slower := prospect{route: path("https://c", netprobe.TCP), hope: 3 * mib, lacks: 1000 * mib}
	quic := prospect{route: path("https://a", netprobe.QUIC), hope: 16 * mib, lacks: 1000 * mib, beside: true, same: true}
	for _, c := range []struct {
		name   string
		at     pace
		others []prospect
		want   string
	}{
		{"one may be faster", here, []prospect{slower, other}, "https://b over TCP"},
		{"another server before another protocol", here, []prospect{other, quic}, "https://b over TCP"},
		{"only another protocol", here, []prospect{slower, quic}, "https://a over QUIC"},
		{"the line is full, but there is much time", full, []prospect{slower, quic}, "https://a over QUIC"},
		{"none may be faster", here, []prospect{slower}, ""},
		{"too early to tell", early, []prospect{other}, ""},
		{"it stands still: the line may be down", still, []prospect{other}, ""},
		{"all leaves in bursts", bursts, []prospect{slower, quic}, "https://a over QUIC"},
		{"the line has just come back", back, []prospect{quic}, ""},
		{"nearly done", rest, []prospect{other, quic}, ""},
	} {
		var d doubts
		now := time.Now()
		p, ok := d.next(now, c.at, c.others)
		if ok != (c.want != "") || ok && p.route.path.String() != c.want {
			t.Errorf("%s: looks at %v, %t; want %q", c.name, p.route.path, ok, c.want)
			continue
		}
		if p, again := d.next(now.Add(doubtEvery/2), c.at, []prospect{p}); again {
			t.Errorf("%s: looks at %v again at once", c.name, p.route.path)
		}
	}
}

// A path that had to share the line may be faster than it looked, one that did not is as fast as measured.
func TestHope(t *testing.T) {
	f := findings{unclear: map[netprobe.Path]bool{}}
	for _, url := range []string{"https://a", "https://b", "https://c", "https://d", "https://e"} {
		f.results = append(f.results, netprobe.Result{Path: netprobe.Path{Target: netprobe.Target{URL: url}, Transport: netprobe.TCP}})
	}
	f.results[4].Err = shoal.ErrUnavailable
	up := func(v shoal.Rate) netprobe.Transfer { return netprobe.Transfer{At: time.Unix(1, 0), Goodput: v} }
	f.enterRace([]int{0, 1, 2, 3}, []netprobe.Transfer{up(50), up(40), up(10), {Err: errSlow}})
	check := func(when string, want ...shoal.Rate) {
		t.Helper()
		for i, w := range want {
			if got := f.hope(f.results[i].Path, 30); got != w {
				t.Errorf("%s: %s may have %d, want %d", when, f.results[i].URL, got, w)
			}
		}
	}
	check("after a race", 100, 100, 10, optimism*30, 0)
	f.enter(f.results[1].Path, up(42))
	check("b alone", 100, 42, 10, optimism*30, 0)
	f.enterBeside(f.results[3].Path, up(20), 100, 80)
	check("d beside a full line", 100, 42, 10, 100, 0)
	f.enterBeside(f.results[3].Path, up(20), 60, 60)
	check("d beside a line with room", 100, 42, 10, 20, 0)
	f.enterBeside(f.results[3].Path, up(70), 60, 60)
	check("d as fast as the rest", 130, 42, 10, 130, 0)
}

func TestSpeedometer(t *testing.T) {
	var s speedometer
	var bytes int64
	at := time.Duration(0)
	pass := func(d time.Duration, rate int64) {
		for end := at + d; at < end; {
			at += 250 * time.Millisecond
			bytes += rate / 4
			s.add(at, bytes)
		}
	}
	pass(time.Second, 1000)
	if got := s.best(); got != 0 {
		t.Errorf("while buffers fill: %d", got)
	}
	pass(2*time.Second, 100)
	if got := s.best(); got != 100 {
		t.Errorf("after they are full: %d", got)
	}
	pass(20*time.Second, 0)
	if got := s.best(); got != 0 {
		t.Errorf("with the line down: %d", got)
	}
	pass(time.Second, 100)
	if best, usual := s.best(), s.usual(); best != 100 || usual != 0 {
		t.Errorf("when it is back: %d, usually %d", best, usual)
	}
	pass(2*time.Second, 100)
	pass(time.Second, 9000)
	pass(time.Second, 100)
	if best, usual := s.best(), s.usual(); best != 9000 || usual != 100 {
		t.Errorf("with a burst: %d, usually %d", best, usual)
	}
	if n := len(s.points); n > 25 {
		t.Errorf("%d points are remembered", n)
	}
	s, bytes, at = speedometer{}, 0, 0
	for _, rate := range []int64{1000, 100, 9000, 100, 9000} {
		pass(time.Second, rate)
	}
	if best, usual := s.best(), s.usual(); best != 9000 || usual != 100 {
		t.Errorf("with bursts half of the time: %d, usually %d", best, usual)
	}
}
