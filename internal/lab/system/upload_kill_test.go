//go:build linux

package system

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab"
	"github.com/shoal-cdn/shoal/internal/lab/cluster"
)

// Client and server are killed five times each at random, the server by power cuts: what was acknowledged
// is not sent again, and the file is whole (M9, R3).
func TestUploadKilled(t *testing.T) {
	t.Parallel()
	size := 8 * fileSize
	d := newDisk(t, 2*size)
	w := newUploadWorld(t, 80*mbit, size, "--ingest-store", d.dir)
	k := &killing{uploadWorld: w, size: size, servers: []*cluster.Node{w.ingest}, disk: d}
	w.atServer(k.run(within(t, patience), w.tracked()...).Content)
}

// The same, without power cuts, through nginx before two servers with one store, of which it takes whichever is up, so that each server that is
// killed has the client go on at the other (L1, R3).
func TestUploadKilledBehindBalancer(t *testing.T) {
	t.Parallel()
	size := 8 * fileSize
	store := t.TempDir()
	w := newUploadWorld(t, 80*mbit, size, "--ingest-store", store)
	other := w.node("ingest2", 0, "--ingest", "--ingest-free", "1MiB", "--ingest-store", store)
	servers := []*cluster.Node{w.ingest, other}
	k := &killing{uploadWorld: w, size: size, servers: servers}
	u := k.run(within(t, patience), "--to-server", w.balancer(servers...))
	w.atServer(u.Content)
	w.ingest = other
	w.atServer(u.Content)
}

// balancer starts nginx before ingest servers, as docs/ingest.md has it, and returns its URL.
func (w *uploadWorld) balancer(servers ...*cluster.Node) string {
	w.t.Helper()
	h, dir := w.host("balancer", 0), w.t.TempDir()
	var upstream strings.Builder
	for _, s := range servers {
		fmt.Fprintf(&upstream, "server %s max_fails=1 fail_timeout=1s; ", s.Host().AddrPort(7180))
	}
	addr := h.AddrPort(8080)
	conf := filepath.Join(dir, "nginx.conf")
	must(w.t, os.WriteFile(conf, fmt.Appendf(nil, `daemon off; master_process off; user root; pid %[1]s/nginx.pid; error_log %[1]s/error.log;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3; uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;
  upstream ingest { %[2]s}
  server {
    listen %[3]s;
    client_max_body_size 0;
    location /v1/ { proxy_pass http://ingest; proxy_http_version 1.1; proxy_request_buffering off; }
  }
}
`, dir, upstream.String(), addr), 0o600))
	_, err := h.Start(lab.ProcessConfig{Name: "nginx", Command: []string{"nginx", "-p", dir, "-c", conf}, Log: filepath.Join(w.t.ArtifactDir(), "nginx.log")})
	must(w.t, err)
	return "http://" + addr.String()
}

// kills is how often the client is killed in a [killing], and its servers together.
const kills = 5

// killing is an upload whose client and servers are killed at random.
type killing struct {
	*uploadWorld
	size    shoal.Size
	servers []*cluster.Node
	disk    *disk // of the server, which loses its power when it is killed; nil: it does not

	client   *lab.Process
	from     int        // where the log of the client's present life begins
	inFlight shoal.Size // bytes of the requests that were under way when something was killed
}

// run uploads, and checks that no chunk that was acknowledged is sent again, and that what passed the wire is at most 2 %
// more than the file, and for each kill the requests that were under way.
func (k *killing) run(ctx context.Context, args ...string) uploaded {
	k.t.Helper()
	seed := rand.Uint64()
	k.t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	ofServer := make([]bool, 2*kills)
	for i := range kills {
		ofServer[i] = true
	}
	rng.Shuffle(len(ofServer), func(i, j int) { ofServer[i], ofServer[j] = ofServer[j], ofServer[i] })
	before := k.sent()
	k.client = k.begin(filepath.Join(k.t.ArtifactDir(), "seed.log"), args...)
	up := 0 // the server that takes the upload, as far as is known
	for _, server := range ofServer {
		time.Sleep(500*time.Millisecond + time.Duration(rng.Int64N(int64(time.Second))))
		if !server {
			must(k.t, k.client.Kill())
			k.note("client")
			must(k.t, k.client.Restart())
			continue
		}
		k.note("server")
		must(k.t, k.servers[up].Kill())
		if k.disk != nil {
			k.disk.cutPower()
		}
		time.Sleep(time.Duration(rng.Int64N(int64(500 * time.Millisecond))))
		must(k.t, k.servers[up].Restart(ctx))
		up = (up + 1) % len(k.servers)
	}
	u := k.ended(ctx, k.client)
	if all := requestsIn(k.t, logOf(k.t, k.client)); len(all.again) > 0 || len(all.acknowledged) == 0 {
		k.t.Errorf("of %d chunks that were acknowledged %d were sent again: %v …", len(all.acknowledged), len(all.again), all.again[:min(len(all.again), 10)])
	}
	payload := shoal.Size(float64(k.sent()-before) * wirePayload)
	k.t.Logf("%s of payload on the wire for %s: %.2f MiB too many; the requests under way at %d kills had %.2f MiB, so that %.2f are allowed",
		payload.Short(), k.size.Short(), mib(payload-k.size), 2*kills, mib(k.inFlight), mib(k.size/50+k.inFlight))
	if payload > k.size+k.size/50+k.inFlight {
		k.t.Errorf("%d bytes sent of %d, with %d in requests under way", payload, k.size, k.inFlight)
	}
	return u
}

// note counts the requests that are under way now, by what the client logs, or were when it was killed.
func (k *killing) note(what string) {
	k.t.Helper()
	log := logOf(k.t, k.client)
	var all shoal.Size
	flying := requestsIn(k.t, log[k.from:]).flying
	for _, r := range flying {
		all += r.bytes
	}
	k.inFlight += all
	if what == "client" {
		k.from = len(log)
	}
	k.t.Logf("%s killed with %d requests of %.2f MiB under way", what, len(flying), mib(all))
}

// requests are those of a client.
type requests struct {
	flying       map[string]request // by connection: the latest, unless it has ended
	acknowledged map[int]bool       // chunks
	again        []int              // chunks that were sent after they had been acknowledged
}

type request struct {
	first, last int // chunks
	bytes       shoal.Size
}

var (
	requestBegins = regexp.MustCompile(`msg=request .*connection=(\d+) chunks=(\d+-\d+ bytes=\d+)`)
	requestEnds   = regexp.MustCompile(`msg="request ended" .*connection=(\d+) .*err=(.*)`)
)

// requestsIn reads what a client has logged.
func requestsIn(t *testing.T, log string) requests {
	t.Helper()
	all := requests{flying: make(map[string]request), acknowledged: make(map[int]bool)}
	for line := range strings.Lines(log) {
		if m := requestBegins.FindStringSubmatch(line); m != nil {
			var r request
			_, err := fmt.Sscanf(m[2], "%d-%d bytes=%d", &r.first, &r.last, (*int64)(&r.bytes))
			must(t, err)
			all.flying[m[1]] = r
			for k := r.first; k <= r.last; k++ {
				if all.acknowledged[k] {
					all.again = append(all.again, k)
				}
			}
		} else if m := requestEnds.FindStringSubmatch(line); m != nil {
			r, begun := all.flying[m[1]]
			delete(all.flying, m[1])
			for k := r.first; begun && m[2] == "<nil>" && k <= r.last; k++ {
				all.acknowledged[k] = true
			}
		}
	}
	return all
}
