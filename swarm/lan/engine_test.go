package lan

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

var (
	testNow  = time.Unix(1000, 0)
	testFrom = netip.MustParseAddrPort("10.0.0.9:40000")
)

func testEngine(have, total int) *engine {
	e := newEngine(testKey(0), rand.New(rand.NewPCG(1, 1)),
		func(shoal.ContentID) (int, int, bool) { return have, total, total > 0 },
		func(ip netip.Addr) bool { return netip.MustParsePrefix("10.0.0.0/8").Contains(ip) })
	e.endpoints = []endpoint{testEndpoint(0)}
	return e
}

func yes() bool { return true }

// asks makes an engine ask for a content, and returns the query.
func asks(t *testing.T, e *engine, id shoal.ContentID) message {
	t.Helper()
	if _, ok := e.search(id, testNow); !ok {
		t.Fatal("it does not look for the content")
	}
	e.tick(testNow.Add(firstWindow))
	out, _ := e.take()
	if len(out) != 1 || out[0].to.IsValid() || out[0].msg.kind != query || out[0].msg.content != id {
		t.Fatalf("asked %+v", out)
	}
	return out[0].msg
}

func TestAnswersThatCount(t *testing.T) {
	id := shoal.ContentID{1}
	good := message{kind: answer, from: testKey(5), content: id, have: 3, total: 10, endpoints: []endpoint{testEndpoint(5)}}
	for _, tt := range []struct {
		name   string
		change func(*message)
		forged bool
		after  time.Duration
		unread bool // dropped before its signature is looked at
		want   int
	}{
		{name: "a good one", want: 1},
		{name: "forged", forged: true},
		{name: "another nonce", unread: true, change: func(m *message) { m.nonce[0]++ }},
		{name: "another content", unread: true, change: func(m *message) { m.content[0]++ }},
		{name: "late", unread: true, after: waitAnswers + time.Second},
		{name: "own", unread: true, change: func(m *message) { m.from = testKey(0) }},
		{name: "no address", change: func(m *message) { m.endpoints = nil }},
		{name: "an address elsewhere", change: func(m *message) {
			m.endpoints = []endpoint{{tcp, netip.MustParseAddrPort("192.0.2.1:7071")}}
		}},
		{name: "one address elsewhere", want: 1, change: func(m *message) {
			m.endpoints = []endpoint{{tcp, netip.MustParseAddrPort("192.0.2.1:7071")}, testEndpoint(5)}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := testEngine(0, 0)
			m := good
			m.nonce = asks(t, e, id).nonce
			if tt.change != nil {
				tt.change(&m)
			}
			looked := false
			e.receive(&m, testFrom, func() bool { looked = true; return !tt.forged }, testNow.Add(time.Second+tt.after))
			out, found := e.take()
			if len(found) != tt.want || len(out) > 0 {
				t.Fatalf("found %+v, sent %+v", found, out)
			}
			if tt.want == 1 && !slices.Equal(found[0].peer.Addrs, []string{testEndpoint(5).String()}) {
				t.Errorf("found %+v", found[0].peer)
			}
			if looked == tt.unread {
				t.Errorf("its signature was looked at: %v", looked)
			}
		})
	}
}

func TestAnswering(t *testing.T) {
	id := shoal.ContentID{1}
	q := message{kind: query, nonce: nonce{1}, from: testKey(5), content: id, endpoints: []endpoint{testEndpoint(5)}}
	late := testNow.Add(answerWindow)
	answers := func(e *engine) (n int) {
		e.tick(late)
		out, _ := e.take()
		for _, o := range out {
			if o.msg.kind == answer && o.to == testFrom && o.msg.nonce == q.nonce && o.msg.have == 4 && o.msg.total == 10 {
				n++
			}
		}
		return n
	}
	e := testEngine(4, 10)
	for range 3 { // it comes in three ways
		e.receive(&q, testFrom, yes, testNow)
	}
	if n := answers(e); n != 1 {
		t.Errorf("%d answers", n)
	}
	e.receive(&q, testFrom, yes, testNow.Add(replayTime/2))
	if n := answers(e); n != 0 {
		t.Errorf("%d answers to a query that was repeated", n)
	}

	e = testEngine(4, 10)
	e.receive(&q, testFrom, func() bool { return false }, testNow)
	if answers(e) != 0 {
		t.Error("answers a forged query")
	}
	e.receive(&q, testFrom, yes, testNow)
	if answers(e) != 1 {
		t.Error("a forged query keeps the true one from being answered")
	}

	for name, stop := range map[string]message{
		"of the asker":        {kind: enough, nonce: q.nonce, from: q.from},
		"of somebody else":    {kind: enough, nonce: q.nonce, from: testKey(6)},
		"for another query's": {kind: enough, nonce: nonce{2}, from: q.from},
	} {
		e = testEngine(4, 10)
		e.receive(&q, testFrom, yes, testNow)
		e.receive(&stop, testFrom, yes, testNow)
		if n := answers(e); n == 1 == (name == "of the asker") {
			t.Errorf("enough %s: %d answers", name, n)
		}
	}

	e = testEngine(0, 10)
	e.receive(&q, testFrom, yes, testNow)
	if answers(e) != 0 {
		t.Error("answers with nothing in hand")
	}
}

// One asker, however fast it asks, gets few answers.
func TestAnswersAreLimited(t *testing.T) {
	e := testEngine(4, 10)
	sent := 0
	for i := range 1000 {
		now := testNow.Add(time.Duration(i) * 10 * time.Millisecond) // for 10 s
		m := message{kind: query, nonce: nonce{byte(i), byte(i >> 8)}, from: testKey(5), content: shoal.ContentID{byte(i)}, endpoints: []endpoint{testEndpoint(5)}}
		if e.admit(testFrom, now) {
			e.receive(&m, testFrom, yes, now)
		}
		e.tick(now)
		out, _ := e.take()
		sent += len(out)
	}
	if most := answerSourceBurst + 10*answerSourceRate; sent > most || sent < answerSourceBurst {
		t.Errorf("%d answers", sent)
	}
	if e.admit(netip.MustParseAddrPort("192.0.2.1:1"), testNow.Add(time.Minute)) {
		t.Error("takes what comes from elsewhere")
	}
}

// Who asks for the same is a peer, and is heard instead of asking oneself.
func TestOthersAsk(t *testing.T) {
	id := shoal.ContentID{1}
	e := testEngine(0, 0)
	e.search(id, testNow)
	for i := range redundancy {
		m := message{kind: query, nonce: nonce{byte(i)}, from: testKey(5 + i), content: id, endpoints: []endpoint{testEndpoint(5 + i)}}
		e.receive(&m, testFrom, yes, testNow)
	}
	out, found := e.take()
	if len(found) != redundancy || len(out) > 0 {
		t.Fatalf("found %+v, sent %+v", found, out)
	}
	e.tick(testNow.Add(firstWindow))
	if out, _ := e.take(); len(out) > 0 {
		t.Errorf("asks all the same: %+v", out)
	}
	if known, _ := e.search(id, testNow); len(known) != redundancy {
		t.Errorf("a second search knows %+v", known)
	}
	e.stop(id)
	if known, _ := e.search(id, testNow.Add(cacheTime)); len(known) > 0 {
		t.Errorf("a later search still knows %+v", known)
	}
}

// Eight answers are enough, and the others are told.
func TestEnough(t *testing.T) {
	id := shoal.ContentID{1}
	e := testEngine(0, 0)
	q := asks(t, e, id)
	for i := range enoughAnswers + 2 {
		m := message{kind: answer, nonce: q.nonce, from: testKey(5 + i), content: id, have: 1, total: 2, endpoints: []endpoint{testEndpoint(5 + i)}}
		e.receive(&m, testFrom, yes, testNow.Add(time.Second))
	}
	out, found := e.take()
	if len(out) != 1 || out[0].msg.kind != enough || out[0].msg.nonce != q.nonce || len(found) != enoughAnswers+2 {
		t.Errorf("sent %+v, found %d", out, len(found))
	}
}

// What is remembered is bounded, whatever comes.
func TestMemoryIsBounded(t *testing.T) {
	e := testEngine(1, 2)
	e.received.SetLimit(1e9)
	e.received.SetBurst(1e9)
	for i := range 30_000 {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1)
		id := shoal.ContentID{byte(i), byte(i >> 8)}
		if i%2 == 0 {
			id = shoal.ContentID{1}
		}
		m := message{kind: query, nonce: nonce{byte(i), byte(i >> 8)}, from: testKey(i), content: id, endpoints: []endpoint{testEndpoint(i)}}
		if e.admit(from, testNow) {
			e.receive(&m, from, yes, testNow)
		}
	}
	if len(e.seen) > maxSeen || len(e.pending) > maxPending || len(e.peers) > maxContents || len(e.peers[shoal.ContentID{1}]) > maxContentPeers ||
		len(e.receivedOf.by) > maxBuckets || len(e.answered.by) > maxBuckets {
		t.Errorf("seen %d, pending %d, contents %d, peers %d, sources %d, answered %d", len(e.seen), len(e.pending), len(e.peers),
			len(e.peers[shoal.ContentID{1}]), len(e.receivedOf.by), len(e.answered.by))
	}
	for i := range maxSearches + 10 {
		if _, ok := e.search(shoal.ContentID{2, byte(i), byte(i >> 8)}, testNow); ok != (i < maxSearches) {
			t.Fatalf("search %d: %v", i, ok)
		}
	}
	later := testNow.Add(time.Hour)
	e.tick(later)
	if len(e.seen)+len(e.peers) > 0 {
		t.Errorf("an hour later: seen %d, contents %d", len(e.seen), len(e.peers))
	}
}

// Another link is asked soon, however long ago the search began.
func TestMoved(t *testing.T) {
	e := testEngine(0, 0)
	id := shoal.ContentID{1}
	e.search(id, testNow)
	now := testNow
	for end := testNow.Add(5 * time.Minute); now.Before(end); now = e.next() {
		e.tick(now)
	}
	e.take()
	e.moved(now)
	if wait := e.next().Sub(now); wait > firstWindow {
		t.Fatalf("it asks %v later", wait)
	}
	e.tick(now.Add(firstWindow))
	if out, _ := e.take(); len(out) != 1 {
		t.Errorf("sent %+v", out)
	}
}
