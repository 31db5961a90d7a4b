//go:build linux

package system

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shoal-cdn/shoal/internal/lab/cluster"
)

// forbidden are places that nobody may have a node reach by a URL: names lead to
// what withHosts says.
var forbidden = []string{
	"127.0.0.1:7073", "localhost:7072", "[::1]:7072", "[::ffff:127.0.0.1]:7072", "0.0.0.0:7072", // this host
	"169.254.169.254", "[fe80::1]", // the link, where clouds keep credentials
	"10.0.0.1", "172.16.3.4", "192.168.1.1:8080", "100.64.0.1", "[fd00::1]", "[64:ff9b::10.0.0.1]", // private networks
	"rebound.example", "metadata.example", "intranet.example",
}

// withHosts is a program like the one at path, whose process has an /etc/hosts of
// its own: a lab has no name servers.
func withHosts(t *testing.T, path string) string {
	t.Helper()
	if _, err := exec.LookPath("unshare"); err != nil {
		t.Skip("needs unshare")
	}
	dir := t.TempDir()
	hosts, wrapper := filepath.Join(dir, "hosts"), filepath.Join(dir, "shoal")
	must(t, os.WriteFile(hosts, []byte(`127.0.0.1 localhost
127.0.0.1 rebound.example
169.254.169.254 metadata.example
10.1.2.3 intranet.example
`), 0o644))
	script := fmt.Sprintf("#!/bin/sh\nexec unshare --mount sh -c 'mount --bind \"$0\" /etc/hosts && exec \"$@\"' %s %s \"$@\"\n", hosts, path)
	must(t, os.WriteFile(wrapper, []byte(script), 0o755))
	return wrapper
}

// Whoever may name a URL, for a content or as a web seed, cannot have a node reach
// what is not public: neither by address, nor by a name, nor by a redirect from a
// server that the operator allows.
func TestForbiddenURLs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, 0)
	bin, err := binary()
	must(t, err)
	c := cluster.New(t, withHosts(t, bin))
	start := func(name string, args ...string) *cluster.Node {
		n, err := c.StartNode(t.Context(), w.host(name, 0), cluster.NodeConfig{Trackers: []string{w.tracker.URL}, Args: args})
		must(t, err)
		return n
	}
	web := w.host("web", 0)
	var redirected, unseen atomic.Int64
	s := serveOn(t, web, 8080, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/unseen" {
			unseen.Add(1)
		}
		redirected.Add(1)
		http.Redirect(rw, r, r.FormValue("to"), http.StatusFound)
	}), (*httptest.Server).Start)
	strict := start("strict")
	lenient := start("lenient", "--web-allow", web.Addr().String()+"/32")
	redirect := func(to string) string { return s + "/to?to=" + url.QueryEscape(to) }

	seed := func(n *cluster.Node, u string) {
		_, err := n.Seed(t.Context(), u)
		if err == nil || !strings.Contains(err.Error(), "not an address to connect to, unless the operator allows it") || !strings.Contains(err.Error(), "--web-allow") {
			t.Errorf("%s seeds %s: %v", n.Name(), u, err)
		}
	}
	var running sync.WaitGroup
	ctx := within(t, patience)
	dir := t.TempDir()
	webSeed := func(n *cluster.Node, i int, u string) {
		file := filepath.Join(dir, fmt.Sprintf("%s%d.bin", n.Name(), i))
		randomFile(t, file, 1<<20, uint64(i))
		id := w.register(file, u)
		running.Go(func() {
			task, err := w.tracker.Distribute(ctx, id, n.Name())
			if err == nil || len(task.Nodes) != 1 || !strings.Contains(task.Nodes[0].Error, "not an address to connect to, unless the operator allows it") {
				t.Errorf("%s reads web seed %s: %+v, %v", n.Name(), u, task.Nodes, err)
			}
		})
	}
	for i, place := range forbidden {
		webSeed(strict, i, "http://"+place+"/file")
		webSeed(lenient, 100+i, redirect("http://"+place+"/file"))
		seed(strict, "http://"+place+"/file")
		seed(lenient, redirect("http://"+place+"/file"))
	}
	seed(lenient, redirect("http://"+strict.Host().AddrPort(7080).String()+"/v1/status")) // the neighbour's API
	seed(strict, s+"/unseen")                                                             // nor are the lab's addresses public
	webSeed(strict, 200, s+"/unseen")
	running.Wait()
	if redirected.Load() == 0 || unseen.Load() > 0 {
		t.Errorf("the server was asked %d times by the node that may, %d times by the other", redirected.Load(), unseen.Load())
	}
	t.Logf("%d places, each as a content's URL, as a web seed, and behind a redirect", len(forbidden))
}
