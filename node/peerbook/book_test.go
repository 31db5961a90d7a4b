package peerbook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/swarm"
)

var discard = slog.New(slog.DiscardHandler)

func peerAt(id, addr string) swarm.Peer {
	return swarm.Peer{ID: shoal.NodeID(id), Name: id, Addrs: []string{addr}, Locality: shoal.Locality{Carrier: "east", Region: "r", Site: "s"}}
}

// What a node knew when it was killed, it knows when it starts again, but for the
// last 10 s (B4).
func TestBookSurvives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peers.json")
	synctest.Test(t, func(t *testing.T) {
		b := Open(path, "self", discard)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go b.Run(ctx)
		a, c := peerAt("a", "/ip4/198.18.0.1/tcp/7000"), peerAt("c", "/ip4/198.18.0.2/tcp/7000")
		b.Told([]swarm.Peer{a, {ID: "nowhere"}})
		b.Met(c, swarm.Peer{ID: "bad\n", Addrs: a.Addrs}, swarm.Peer{ID: "self", Addrs: a.Addrs})
		time.Sleep(saveCheck)
		synctest.Wait()
		again := Open(path, "self", discard)
		if got := again.Peers(shoal.Locality{}, 9); !reflect.DeepEqual(got, []swarm.Peer{a, c}) || again.Len() != 2 {
			t.Errorf("%+v", got)
		}
		before, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		b.Met(a)
		time.Sleep(saveEvery)
		synctest.Wait()
		if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
			t.Errorf("written again without news: %v", err)
		}
		b.Met(peerAt("d", "/ip4/198.18.0.3/tcp/7000"))
		time.Sleep(saveCheck)
		synctest.Wait()
		b.Met(peerAt("e", "/ip4/198.18.0.4/tcp/7000"))
		time.Sleep(saveEvery - saveCheck)
		synctest.Wait()
		if got := Open(path, "self", discard).Len(); got != 3 {
			t.Errorf("%d nodes: written twice in 10 s", got)
		}
		cancel()
		synctest.Wait()
		if got := Open(path, "self", discard).Len(); got != 4 {
			t.Errorf("%d nodes after an orderly end", got)
		}
	})
}

// The list does not change under its reader.
func TestBookPeersAreTheCallers(t *testing.T) {
	b := Open(filepath.Join(t.TempDir(), "peers.json"), "self", discard)
	p := peerAt("a", "/ip4/198.18.0.1/tcp/7000")
	b.Met(p)
	p.Addrs[0] = "changed"
	got := b.Peers(shoal.Locality{}, 1)
	b.Met(peerAt("a", "/ip4/198.18.0.2/tcp/7000"))
	if got[0].Addrs[0] != "/ip4/198.18.0.1/tcp/7000" {
		t.Errorf("%v", got[0].Addrs)
	}
}

func TestBookBadFiles(t *testing.T) {
	long := strings.Repeat("x", maxAddr+1)
	entry := func(id, addr, name string) string {
		b, _ := json.Marshal(Entry{ID: shoal.NodeID(id), Addrs: []string{addr}, Name: name, Seen: time.Now()})
		return string(b)
	}
	var many []Entry
	for i := range 3 * maxEntries {
		e := entryOf(string(rune('a'+i%26))+strings.Repeat("a", i/26), "east", i)
		e.Seen = time.Now()
		many = append(many, e)
	}
	full, err := encode(many)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		text string
		want int
	}{
		"empty":           {"", 0},
		"not JSON":        {"\x00\x01", 0},
		"another version": {`{"version":2,"peers":[` + entry("a", "/x", "") + `]}`, 0},
		"one of it good": {`{"version":1,"peers":[` + strings.Join([]string{
			entry("good", "/ip4/198.18.0.1/tcp/1", "n"), entry("../x", "/x", ""), entry("a", "", ""), entry("b", long, ""),
			entry("c", "/x\u001b[2J", ""), entry("d", "/x", "\u0007"), `{"id":"e"}`,
		}, ",") + `]}`, 1},
		"many":       {string(full), maxEntries},
		"huge":       {`{"version":1,"peers":[` + strings.Repeat(" ", maxFile) + `]}`, 0},
		"long ago":   {`{"version":1,"peers":[{"id":"a","addrs":["/x"],"seen":"2001-01-01T00:00:00Z"}]}`, 0},
		"the future": {`{"version":1,"peers":[{"id":"a","addrs":["/x"],"seen":"2999-01-01T00:00:00Z"}]}`, 1},
	} {
		path := filepath.Join(t.TempDir(), "peers.json")
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		b := Open(path, "self", discard)
		if got := b.Len(); got != tt.want {
			t.Errorf("%s: %d entries, want %d", name, got, tt.want)
		}
		for _, e := range b.table.entries {
			if e.Seen.After(time.Now()) {
				t.Errorf("%s: seen %v", name, e.Seen)
			}
		}
	}
}

// Where the book cannot be written, the next save tries again.
func TestBookUnwritable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "missing")
	var log bytes.Buffer
	b := Open(filepath.Join(dir, "peers.json"), "self", slog.New(slog.NewTextHandler(&log, nil)))
	b.Met(peerAt("a", "/ip4/198.18.0.1/tcp/7000"))
	b.save()
	if !strings.Contains(log.String(), "could not be saved") {
		t.Errorf("log: %s", log.String())
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	b.save()
	if Open(b.path, "self", discard).Len() != 1 {
		t.Error("not saved when it could be")
	}
}

func FuzzDecode(f *testing.F) {
	good, _ := encode([]Entry{entryOf("a", "east", 1), entryOf("b", "", 2)})
	for _, seed := range []string{string(good), "", "{}", `{"version":1,"peers":null}`, `{"version":1,"peers":[{"id":"a","addrs":[""]}]}`} {
		f.Add([]byte(seed))
	}
	now := start.Add(time.Hour)
	f.Fuzz(func(t *testing.T, b []byte) {
		es, err := decode(b, now)
		if err != nil {
			if !errors.Is(err, shoal.ErrCorrupt) {
				t.Errorf("kind of %v", err)
			}
			return
		}
		if len(es) > maxEntries {
			t.Errorf("%d entries", len(es))
		}
		for _, e := range es {
			if !valid(e) || e.Seen.After(now) {
				t.Errorf("%+v", e)
			}
		}
		again, err := encode(es)
		if err != nil {
			return // times that JSON has no form for
		}
		if more, err := decode(again, now); err != nil || len(more) != len(es) {
			t.Errorf("%d entries become %d: %v", len(es), len(more), err)
		}
	})
}
